"""Choosing the purchase model: each is fitted to a calibration period, judged on the days after."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from customer360.models.baselines import NAIVE_RULES, NaiveRules
from customer360.models.evaluation import prefixed
from customer360.models.lifetime_value import diagnostics
from customer360.models.lifetime_value.candidates import (
    PAST_AVERAGE_MODEL,
    Candidate,
    Terms,
    fitted,
)
from customer360.models.lifetime_value.cells import Cells
from customer360.models.lifetime_value.scoring import LifetimeValueModel
from customer360.models.lifetime_value.validation import (
    HoldoutResult,
    evaluate,
    hiatus_days,
    repeat_purchase_counts,
)
from customer360.models.notes import Note

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
class Choice:
    """The candidate that did best on the holdout, and what was measured of all.

    Attributes:
        chosen: The candidate.
        at_boundary: No model inside its boundary could be had, and this one did better than past
            averages all the same.
        parameters: To log, as ``calibration_*``.
        metrics: Of the chosen one, of the others, of the naive rules and of the champion.
        notes: Who was no candidate and why, and what the chosen one's fit says.
        tables: See `LifetimeValueTraining`.
        cells: The customers of the calibration period with what they did in the holdout: see
            `HoldoutResult`.
    """

    chosen: Candidate
    at_boundary: bool
    parameters: dict[str, float | int | str]
    metrics: dict[str, float]
    notes: list[Note]
    tables: dict[str, pd.DataFrame]
    cells: pd.DataFrame


def choose(
    holdout: Holdout,
    cells: Cells,
    kinds: Sequence[str],
    terms: Terms,
    champion: LifetimeValueModel | None,
) -> Choice:
    """Fit each kind on the calibration period; the lowest RMSE of purchases on the holdout wins.

    What is judged are expectations, and the mean squared error is what an expectation minimises.

    Args:
        holdout: The days that judge.
        cells: The customers of the calibration period.
        kinds: Purchase models, the one to take when all are alike first.
        terms: Unit of time, and the discount rate.
        champion: Judged beside them, and not chosen.
    """
    as_of = holdout.calibration_as_of
    log.info("lifetime value: fitting %s up to %s", ", ".join(kinds), as_of)
    attempts = {kind: fitted(cells, kind, terms) for kind in kinds}
    inside = {kind: one for kind, one in attempts.items() if one.model.purchases}
    edge = {} if inside else _at_boundary(cells, kinds, terms)
    candidates = inside or edge | {PAST_AVERAGE_MODEL: attempts[kinds[0]]}
    rules = NaiveRules(
        holdout.days,
        int(cells.purchase_cells["T"].max()),
        cells.mean_rate,
        cells.mean_order_value,
        hiatus_days(holdout.customer_days, as_of),
    )
    log.info("lifetime value: judging on the %d days that follow", holdout.days)
    models = {kind: candidate.model for kind, candidate in candidates.items()}
    result = evaluate(
        holdout.features,
        holdout.customer_days,
        models | ({CHAMPION: champion} if champion else {}),
        as_of,
        rules,
    )
    best = min(candidates, key=lambda kind: result.metrics[kind].get("purchases_rmse", np.inf))
    chosen = candidates[best]
    tables, tracking = _tables(holdout, result, chosen, best, cells)
    not_fitted = [
        Note("not_a_candidate", {"rival": kind, "why": attempt.why_not})
        for kind, attempt in attempts.items()
        if inside and kind not in inside
    ]
    return Choice(
        chosen,
        best in edge,
        _parameters(as_of, chosen, inside, rules),
        _metrics(result, candidates, inside, best) | tracking,
        [
            *not_fitted,
            *(
                Note("calibrated_by_fallback", {"why": why, "instead": instead})
                for why, instead in chosen.fallbacks
            ),
            *(Note("on_calibration", {"why": note}) for note in chosen.notes),
        ],
        tables,
        result.cells,
    )


def _at_boundary(cells: Cells, kinds: Sequence[str], terms: Terms) -> dict[str, Candidate]:
    """The candidates that a boundary of their likelihood still allows."""
    attempts = {kind: fitted(cells, kind, terms, at_boundary=True) for kind in kinds}
    return {kind: one for kind, one in attempts.items() if one.model.purchases}


def _parameters(
    as_of: date, chosen: Candidate, inside: Mapping[str, Candidate], rules: NaiveRules
) -> dict[str, float | int | str]:
    parameters: dict[str, float | int | str] = {
        "calibration_as_of": as_of.isoformat(),
        "calibration_model": chosen.model.kind,
        **{f"calibration_{name}": value for name, value in chosen.parameters.items()},
    }
    if np.isfinite(rules.hiatus_days):
        parameters["baseline_hiatus_rule_days"] = rules.hiatus_days
    for kind, candidate in inside.items():
        if candidate.model.purchases:
            own = asdict(candidate.model.purchases)
            parameters |= {f"calibration_{kind}_{name}": value for name, value in own.items()}
    return parameters


def _metrics(
    result: HoldoutResult,
    candidates: Mapping[str, Candidate],
    inside: Mapping[str, Candidate],
    best: str,
) -> dict[str, float]:
    """Figures by whose they are: the chosen one's without a prefix."""
    figures = result.metrics
    metrics = {f"calibration_{name}": value for name, value in candidates[best].metrics.items()}
    for kind, candidate in inside.items():
        likelihood = f"{kind}_log_likelihood"
        metrics[f"calibration_{likelihood}"] = candidate.metrics[likelihood]
    metrics |= figures[best]
    for kind in candidates:
        if kind != best:
            metrics |= prefixed(f"candidate_{kind}", figures[kind])
    if CHAMPION in figures:
        metrics |= prefixed(CHAMPION, figures[CHAMPION])
    for rule in NAIVE_RULES:
        metrics |= prefixed(f"baseline_{rule}", figures[rule])
    return metrics


def _tables(
    holdout: Holdout, result: HoldoutResult, chosen: Candidate, best: str, cells: Cells
) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """What the plots show, and the figures that come with the tables of a purchase model."""
    model = chosen.model
    tables = {
        "purchases_by_frequency": diagnostics.purchases_by_frequency(
            result.cells, model, holdout.days
        ),
        "purchases_by_recency": diagnostics.purchases_by_recency(result.cells, model, holdout.days),
        "revenue_by_decile": result.deciles[best],
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
