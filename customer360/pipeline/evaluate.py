"""The models judged afresh on the data that is there, beside others: nothing is registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
from pyspark.sql import functions as F

from customer360.errors import TableNotFoundError
from customer360.gold.customer_features import customer_features
from customer360.models.comparison import by_model, comparison, markdown, readable
from customer360.models.evaluation import prefixed
from customer360.models.lifetime_value.lifetimes_as_is import (
    NAME,
    LifetimesResult,
    lifetimes_as_is,
)
from customer360.models.lifetime_value.validation import HOLDOUT_FEATURES, drawn, holdout_rows
from customer360.models.tracking import Training
from customer360.pipeline import run_models
from customer360.pipeline.workspace import Workspace
from customer360.report import Section, page
from customer360.table_names import CUSTOMER_DAYS

_AMOUNTS = (
    "mae",
    "rmse",
    "bias",
    "spearman",
    "normalized_gini",
    "decile_mape",
    "top_decile_capture",
)

SHOWN: Mapping[str, Mapping[str, Sequence[str]]] = {
    "lifetime-value": {
        f"{amount} a customer": [f"{amount}_{figure}" for figure in _AMOUNTS]
        for amount in ("purchases", "revenue")
    },
    "churn": {
        "ranking": ["roc_auc", "pr_auc", "lift_5", "lift_10", "lift_20"],
        "probabilities": ["brier", "log_loss", "calibration_error"],
    },
    "revenue": {
        "revenue a customer": _AMOUNTS,
        "of new customers": [f"new_customers_{figure}" for figure in _AMOUNTS],
    },
}
"""What a screen has room for: figures by what they are of; the page has all of them."""


@dataclass(frozen=True)
class Evaluation:
    """One model on a period that it has not seen.

    Attributes:
        model: "lifetime-value", "churn" or "revenue".
        as_of: Last day of data used.
        status: "trained", or "fallback: " and why.
        definition: What was predicted over which days, in a sentence.
        table: The model's figures beside those of others: see `comparison`.
        notes: What else a reader must know.
        plots: PNG images by name.
    """

    model: str
    as_of: date
    status: str
    definition: str
    table: pd.DataFrame
    notes: tuple[str, ...]
    plots: Mapping[str, bytes]

    @property
    def shown(self) -> dict[str, pd.DataFrame]:
        """The main figures as text, a row a model, by what they are of."""
        tables = {name: by_model(self.table, SHOWN[self.model][name]) for name in SHOWN[self.model]}
        return {name: rows for name, rows in tables.items() if len(rows)}


def evaluate_lifetime_value(work: Workspace, as_of: date) -> Evaluation:
    """Judge the lifetime-value model on its holdout, beside naive rules and ``lifetimes``."""
    training = run_models.lifetime_value_training(work, as_of)
    metrics, notes = dict(training.metrics), list(training.notes)
    if training.calibration_as_of:
        result = _lifetimes(work, training.calibration_as_of, as_of)
        metrics |= prefixed(f"candidate_{NAME}", result.metrics)
        notes += [result.failure] if result.failure else []
    if training.calibration_as_of and result.metrics:
        notes.append(
            f"{NAME}: BG/NBD and Gamma-Gamma fitted row by row to {result.customers:,} customers "
            f"in {result.seconds:.1f} s"
        )
    parameters = training.parameters
    definition = (
        f"{parameters.get('calibration_model', 'nothing')} fitted up to "
        f"{parameters.get('calibration_as_of', as_of)}; purchases and net revenue of the "
        f"{parameters['holdout_days']} days after"
    )
    return _evaluation("lifetime-value", training, definition, metrics, notes)


def _lifetimes(work: Workspace, calibration_as_of: date, as_of: date) -> LifetimesResult:
    customer_days = work.lakehouse.read(CUSTOMER_DAYS)
    features = customer_features(customer_days, [calibration_as_of])
    holdout_days = (as_of - calibration_as_of).days
    rows = holdout_rows(
        features.select("as_of", "customer_key", *HOLDOUT_FEATURES),
        customer_days,
        calibration_as_of,
        holdout_days,
    ).persist()
    try:
        drawn_rows = rows.where(drawn(rows.count())).toArrow().to_pandas()
    finally:
        rows.unpersist()
    unit = work.deployment.settings.lifetime_value_time_unit_days
    # In an order of their own: whether its search converges depends on the order of the rows.
    return lifetimes_as_is(drawn_rows.sort_values(list(drawn_rows.columns)), holdout_days, unit)


def evaluate_churn(work: Workspace, as_of: date) -> Evaluation:
    """Judge the churn model on its newest complete as-of date, beside the naive rules."""
    training = run_models.churn_training(work, as_of)
    tested = training.grid.test if training.grid else None
    definition = training.windows.describe() + (f"; tested on {tested}" if tested else "")
    return _evaluation("churn", training, definition, training.metrics, training.notes)


def evaluate_revenue(work: Workspace, as_of: date) -> Evaluation:
    """Judge the revenue model on its newest complete as-of date, beside mean and past average."""
    training = run_models.revenue_training(work, as_of)
    tested = training.grid.test if training.grid else None
    definition = f"net revenue of the next {training.horizon_days} days, of all who had bought"
    definition += f"; tested on {tested}; chosen: {training.model.kind}" if tested else ""
    return _evaluation("revenue", training, definition, training.metrics, training.notes)


EVALUATIONS: Mapping[str, Callable[[Workspace, date], Evaluation]] = {
    "lifetime-value": evaluate_lifetime_value,
    "churn": evaluate_churn,
    "revenue": evaluate_revenue,
}
"""How each model is judged, by the name that people know it by."""


def as_markdown(found: Evaluation) -> str:
    """The main figures of an evaluation as Markdown."""
    said = [f"### {found.model}", found.definition + ".", *found.notes]
    if found.status != "trained":
        said.insert(2, found.status)
    tables = [f"{name}:\n\n{markdown(rows)}" for name, rows in found.shown.items()]
    return "\n\n".join([*said, *tables])


def as_html(evaluations: Sequence[Evaluation]) -> str:
    """All evaluations with their plots, as a page that stands alone."""
    return page(
        f"Models judged on {evaluations[0].as_of}",
        [
            Section(
                each.model,
                [each.definition, each.status, *each.notes],
                {"Figures; the best of each row has a star": readable(each.table)},
                each.plots,
            )
            for each in evaluations
        ],
    )


def _evaluation(
    model: str,
    training: Training,
    definition: str,
    metrics: Mapping[str, float],
    notes: list[str] | tuple[str, ...],
) -> Evaluation:
    return Evaluation(
        model,
        training.as_of,
        training.status,
        definition,
        comparison(metrics),
        tuple(notes),
        training.plots,
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
