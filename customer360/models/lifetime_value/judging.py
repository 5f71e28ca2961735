"""Judging what was chosen on the holdout, beside purchase models alone and naive rules."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from customer360.models.baselines import NAIVE_RULES, NaiveRules
from customer360.models.comparison import AMOUNT_LOSSES, MODEL
from customer360.models.evaluation import prefixed
from customer360.models.lifetime_value import diagnostics
from customer360.models.lifetime_value.blend import Blend
from customer360.models.lifetime_value.candidates import Candidate, Terms, first_fitted, fitted
from customer360.models.lifetime_value.cells import Cells
from customer360.models.lifetime_value.choosing import AMOUNTS, Choice
from customer360.models.lifetime_value.scoring import LifetimeValueModel, predictive_intervals
from customer360.models.lifetime_value.validation import (
    HoldoutResult,
    evaluate,
    naive_rules,
    repeat_purchase_counts,
)
from customer360.models.notes import Note
from customer360.models.paired import JUDGED_ROWS, Losses
from customer360.models.sampling import every_nth

log = logging.getLogger(__name__)

CHAMPION = "champion"
"""Name beside the candidates' of the model in use."""


@dataclass(frozen=True)
class Holdout:
    """The days after a calibration period, and what there is to judge by on them.

    Attributes:
        features: ``gold/customer_features`` of ``calibration_as_of``: `HOLDOUT_FEATURES`.
        customer_days: ``silver/customer_days``.
        calibration_as_of: Last day of the calibration period.
        days: Days after it that judge.
    """

    features: DataFrame
    customer_days: DataFrame
    calibration_as_of: date
    days: int

    @property
    def last_day(self) -> date:
        """Last day that judges."""
        return self.calibration_as_of + timedelta(days=self.days)


@dataclass(frozen=True)
class Judgement:
    """The chosen model as it is of the calibration period, and what the holdout said of all.

    Attributes:
        model: The one that was judged.
        parameters: To log, as ``calibration_*``.
        metrics: Of the chosen one, of the others, of the naive rules and of the champion, with
            differences between pairs.
        notes: Who was no candidate and why, and what the chosen one's fit says.
        tables: See `LifetimeValueTraining`.
        cells: The customers of the calibration period with what they did in the holdout: see
            `HoldoutResult`.
    """

    model: LifetimeValueModel
    parameters: dict[str, float | int | str]
    metrics: dict[str, float]
    notes: list[Note]
    tables: dict[str, pd.DataFrame]
    cells: pd.DataFrame


def judge(
    holdout: Holdout,
    cells: Cells,
    choice: Choice,
    terms: Terms,
    champion: LifetimeValueModel | None,
) -> Judgement:
    """Fit what was chosen to the calibration period, and each purchase model that can be.

    Args:
        holdout: The days that judge.
        cells: The customers of the calibration period.
        choice: What was chosen, without looking at these days.
        terms: Unit of time, and the discount rate.
        champion: Judged beside them.
    """
    as_of = holdout.calibration_as_of
    log.info("lifetime value: fitting %s up to %s", ", ".join(choice.kinds), as_of)
    attempts = {kind: fitted(cells, kind, terms) for kind in choice.kinds}
    alone = {kind: one for kind, one in attempts.items() if one.model.purchases}
    chosen = first_fitted(
        cells, choice.kinds, terms, at_boundary=choice.at_boundary, attempts=attempts
    )
    rules = naive_rules(cells, holdout.customer_days, as_of, holdout.days)
    model = with_rules(chosen.model, choice, rules)
    own = chosen.model.purchases.kind if chosen.model.purchases else ""
    rivals = {kind: one.model for kind, one in alone.items()}
    if own:
        rivals[own] = chosen.model
    if model.blend is None:
        rivals.pop(own, None)
    log.info("lifetime value: judging on the %d days that follow", holdout.days)
    judged = {MODEL: model} | rivals
    if champion:
        judged[CHAMPION] = champion.at(rules.history_days)
    result = evaluate(holdout.features, holdout.customer_days, judged, as_of, rules)
    tables, tracking = _tables(holdout, result, model, cells)
    coverage = _coverage(model, result.sample, holdout.days)
    not_fitted = [
        Note("not_a_candidate", {"rival": kind, "why": attempt.why_not})
        for kind, attempt in attempts.items()
        if alone and kind not in alone
    ]
    return Judgement(
        model,
        _parameters(as_of, chosen, model, alone, rules),
        _metrics(result, chosen, alone, tuple(rivals)) | tracking | coverage,
        [
            *not_fitted,
            *(
                Note("calibrated_by_fallback", {"why": why, "instead": instead})
                for why, instead in chosen.fallbacks
                if instead not in choice.silenced
            ),
            *(Note("on_calibration", {"why": note}) for note in chosen.notes),
            *([Note("intervals_held", coverage)] if coverage else []),
        ],
        tables,
        result.cells,
    )


def with_rules(model: LifetimeValueModel, choice: Choice, rules: NaiveRules) -> LifetimeValueModel:
    """The model with what the rules of thumb say beside it, of those that were chosen."""
    if not choice.purchases and not choice.revenue:
        return model
    return replace(model, blend=Blend.of(choice.purchases, choice.revenue, rules))


def _parameters(
    as_of: date,
    chosen: Candidate,
    model: LifetimeValueModel,
    alone: Mapping[str, Candidate],
    rules: NaiveRules,
) -> dict[str, float | int | str]:
    parameters: dict[str, float | int | str] = {
        "calibration_as_of": as_of.isoformat(),
        "calibration_model": model.kind,
        **{f"calibration_{name}": value for name, value in chosen.parameters.items()},
    }
    if np.isfinite(rules.hiatus_days):
        parameters["baseline_hiatus_rule_days"] = rules.hiatus_days
    for kind, candidate in alone.items():
        if candidate.model.purchases:
            own = asdict(candidate.model.purchases)
            parameters |= {f"calibration_{kind}_{name}": value for name, value in own.items()}
    return parameters


def _metrics(
    result: HoldoutResult,
    chosen: Candidate,
    alone: Mapping[str, Candidate],
    rivals: tuple[str, ...],
) -> dict[str, float]:
    """Figures by whose they are: the chosen one's without a prefix."""
    figures = result.metrics
    metrics = {f"calibration_{name}": value for name, value in chosen.metrics.items()}
    for kind, candidate in alone.items():
        likelihood = f"{kind}_log_likelihood"
        metrics[f"calibration_{likelihood}"] = candidate.metrics[likelihood]
    metrics |= figures[MODEL]
    for kind in rivals:
        metrics |= prefixed(f"candidate_{kind}", figures[kind])
    if CHAMPION in figures:
        metrics |= prefixed(CHAMPION, figures[CHAMPION])
    for rule in NAIVE_RULES:
        metrics |= prefixed(f"baseline_{rule}", figures[rule])
    return metrics | _paired(result.sample, (*rivals, *NAIVE_RULES))


def _paired(sample: pd.DataFrame, others: tuple[str, ...]) -> dict[str, float]:
    """What the model loses more than the others: ``paired_<other>_<amount>_<figure>``."""
    metrics: dict[str, float] = {}
    for amount in AMOUNTS if len(sample) else ():
        expected = {f"{name}_{amount}": sample[f"{name}_{amount}"] for name in others}
        expected[MODEL] = sample[f"{MODEL}_{amount}"]
        losses = Losses.of(expected, sample[f"actual_{amount}"], AMOUNT_LOSSES)
        metrics |= losses.metrics(MODEL)
    return metrics


def _coverage(
    model: LifetimeValueModel, sample: pd.DataFrame, holdout_days: int
) -> dict[str, float]:
    """Share of the customers whose purchases and revenue lie within their 90 % intervals."""
    if model.purchases is None or sample.empty:
        return {}
    some = every_nth(sample, JUDGED_ROWS)
    ends = predictive_intervals(model, some, holdout_days)
    return {
        f"{amount}_coverage": float(
            some[f"actual_{amount}"].between(ends[f"{amount}_low"], ends[f"{amount}_high"]).mean()
        )
        for amount in AMOUNTS
    }


def _tables(
    holdout: Holdout, result: HoldoutResult, model: LifetimeValueModel, cells: Cells
) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """What the plots show, and the figures that come with the tables of a purchase model."""
    tables = {
        "purchases_by_frequency": diagnostics.purchases_by_frequency(
            result.cells, model, holdout.days
        ),
        "purchases_by_recency": diagnostics.purchases_by_recency(result.cells, model, holdout.days),
        "revenue_by_decile": result.deciles[MODEL],
    }
    purchases, unit = model.purchases, model.time_unit_days
    if purchases is None:
        return tables, {}
    repeat_purchases = repeat_purchase_counts(
        holdout.customer_days, holdout.calibration_as_of, holdout.last_day
    )
    days = diagnostics.repeat_purchases_by_day(
        cells.purchase_cells, purchases, unit, repeat_purchases, holdout.days
    )
    buyers = diagnostics.buyers_by_probability_alive(result.cells, purchases, unit, holdout.days)
    tables |= {
        "tracking": diagnostics.tracking_by_week(days),
        "frequency_histogram": diagnostics.frequency_histogram(
            cells.purchase_cells, purchases, unit
        ),
        "buyers_by_probability_alive": buyers,
    }
    metrics = diagnostics.tracking_metrics(days)
    metrics["buyers_calibration_error"] = diagnostics.calibration_error(buyers)
    return tables, metrics
