"""The models judged afresh on the data that is there, beside others: nothing is registered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from pyspark.sql import functions as F

from customer360.errors import TableNotFoundError
from customer360.language import Language
from customer360.models.comparison import (
    DIFFERENCES,
    by_model,
    comparison,
    differences,
    differences_by_other,
    markdown,
    readable,
)
from customer360.models.lifetime_value import leaving
from customer360.models.notes import in_english
from customer360.models.spec import ModelSpec
from customer360.pipeline import run_models
from customer360.pipeline.workspace import Workspace
from customer360.report import Section, page
from customer360.table_names import CUSTOMER_DAYS

ENGLISH = Language("en")
RETURNED = ENGLISH("models.returned_title")


@dataclass(frozen=True)
class Evaluation:
    """One model on a period that it has not seen.

    Attributes:
        model: Which model.
        as_of: Last day of data used.
        fallback: Why a fallback stands in, and which, in a line; empty when none does.
        definition: What was predicted over which days, in a sentence.
        table: The model's figures beside those of others: see `comparison`.
        differences: How much the model differs from each of them: see `differences`.
        notes: What else a reader must know, in words.
        returned: Who came back, by risk of leaving, as text: see
            `customer360.models.lifetime_value.leaving`; without rows for other models.
        plots: PNG images by name.
    """

    model: ModelSpec[Any]
    as_of: date
    fallback: str
    definition: str
    table: pd.DataFrame
    differences: pd.DataFrame
    notes: tuple[str, ...]
    returned: pd.DataFrame
    plots: Mapping[str, bytes]

    @property
    def shown(self) -> dict[str, pd.DataFrame]:
        """The main figures as text, a row a model, by what they are of; differences the last."""
        compared = self.model.compared
        tables = {name: by_model(self.table, figures) for name, figures in compared.items()}
        tables[DIFFERENCES] = differences_by_other(self.differences)
        tables[RETURNED] = self.returned
        return {name: rows for name, rows in tables.items() if len(rows)}


def evaluate(work: Workspace, spec: ModelSpec[Any], as_of: date) -> Evaluation:
    """Judge a model on days that it has not seen, beside naive rules and other packages."""
    training = run_models.fit(work, spec, as_of)
    metrics, notes = spec.compare(training, run_models.history_of(work, as_of))
    return Evaluation(
        spec,
        training.as_of,
        in_english(training.because),
        training.definition,
        comparison(metrics),
        differences(metrics),
        tuple(in_english([note]) for note in notes),
        leaving.readable(leaving.from_metrics(metrics), ENGLISH),
        training.plots,
    )


def as_markdown(evaluation: Evaluation) -> str:
    """The main figures of an evaluation as Markdown."""
    paragraphs = [f"### {evaluation.model.title}", evaluation.definition + ".", *evaluation.notes]
    if evaluation.fallback:
        paragraphs.insert(2, _fallback(evaluation))
    tables = [f"{name}:\n\n{markdown(rows)}" for name, rows in evaluation.shown.items()]
    return "\n\n".join([*paragraphs, *tables])


def _fallback(evaluation: Evaluation) -> str:
    return f"fallback: {evaluation.fallback}" if evaluation.fallback else ""


def as_html(evaluations: Sequence[Evaluation]) -> str:
    """All evaluations with their plots, as a page that stands alone."""
    return page(
        f"Models judged on {evaluations[0].as_of}",
        [
            Section(
                each.model.title,
                [each.definition, _fallback(each) or "trained", *each.notes],
                {
                    "Figures; the best of each row has a star": readable(each.table),
                    DIFFERENCES: differences_by_other(each.differences),
                }
                | ({} if each.returned.empty else {RETURNED: each.returned}),
                each.plots,
            )
            for each in evaluations
        ],
    )


def newest_day(work: Workspace) -> date:
    """The newest business date that there is data of.

    Raises:
        TableNotFoundError: There is none.
    """
    row = work.lakehouse.read(CUSTOMER_DAYS).agg(F.max("business_date")).first()
    if row is None or row[0] is None:
        raise TableNotFoundError(f"{CUSTOMER_DAYS} has no rows: run `customer360 run` first")
    newest: date = row[0]
    return newest
