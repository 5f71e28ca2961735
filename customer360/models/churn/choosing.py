"""Choosing who tells of churn: rules, a line, trees and both together, on the validation date.

All are judged on the validation date, where each half of the customers is scored by what has learnt
from the training dates and from the other half. The first of `KINDS` within noise of the best is
chosen, and has then learnt from all teaching rows. What is best by more than noise is chosen for
that; within noise the mean of line and trees is preferred to either, because an average loses least
where what was best yesterday is not best tomorrow (Bates and Granger 1969, "The Combination of
Forecasts", Operational Research Quarterly 20).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from customer360.models.baselines import fit_hiatus_rule, smoothed_rate
from customer360.models.calibration import fit_calibrator
from customer360.models.churn.features import design_matrix
from customer360.models.churn.fitting import XgboostFit
from customer360.models.churn.line import Line, fit_line
from customer360.models.churn.model import ChurnModel, Floats, blended
from customer360.models.comparison import PROBABILITY_LOSSES
from customer360.models.paired import Losses
from customer360.models.sampling import DatedRows, every_nth, halves

KINDS = ("base_rate", "hiatus_rule", "blend", "logistic_regression", "xgboost")
"""The candidates, in the order in which they are preferred within noise of the best."""

LINE_ROWS = 100_000
"""A few dozen coefficients are known well enough from so many rows."""


@dataclass(frozen=True)
class Choice:
    """The chosen model, and all others that could have been.

    Attributes:
        kind: The chosen one's.
        models: By kind, each having learnt all that it may.
        losses: Of all on the validation date.
    """

    kind: str
    models: Mapping[str, ChurnModel]
    losses: Losses

    @property
    def model(self) -> ChurnModel:
        """The chosen one."""
        return self.models[self.kind]

    def metrics(self) -> dict[str, float]:
        """Brier scores on the validation date, by kind."""
        brier = self.losses.by_figure["brier"].iloc[0]
        return {f"validation_{kind}_brier": float(brier[kind]) for kind in KINDS}


def choose(rows: DatedRows, fit: XgboostFit, empty: ChurnModel) -> Choice:
    """Judge all kinds on the validation date.

    Args:
        rows: Labelled rows.
        fit: The trees, of all teaching rows, with scores of those that they have not seen.
        empty: The model without anything learnt: windows and limits.
    """
    losses = Losses.of(_on_validation(rows, fit), rows.validate["churned"], PROBABILITY_LOSSES)
    return Choice(losses.choice(KINDS), models_of(rows.teaching, fit, empty), losses)


def models_of(teaching: pd.DataFrame, fit: XgboostFit, empty: ChurnModel) -> dict[str, ChurnModel]:
    """A model of each kind; each knows the rules, which are baselines beside it."""
    line = _line(teaching, fit)
    rule = replace(
        empty,
        base_rate=smoothed_rate(teaching["churned"]),
        hiatus=fit_hiatus_rule(teaching["days_since_last_purchase"], teaching["churned"]),
    )
    learnt = replace(rule, categories=fit.categories)
    trees = replace(learnt, booster=bytes(fit.booster.save_raw("ubj")), calibrator=fit.calibrator)
    by_kind = {
        "base_rate": rule,
        "hiatus_rule": rule,
        "logistic_regression": replace(learnt, line=line),
        "xgboost": trees,
        "blend": replace(trees, line=line),
    }
    return {kind: replace(model, kind=kind) for kind, model in by_kind.items()}


def _on_validation(rows: DatedRows, fit: XgboostFit) -> dict[str, Floats]:
    """Probabilities of the validation rows, each by what has not learnt from that row."""
    validate = rows.validate
    labels, silence = validate["churned"].to_numpy(), validate["days_since_last_purchase"]
    found = {kind: np.empty(len(validate)) for kind in KINDS}
    for judged in halves(validate):
        learn = pd.concat([rows.learn, validate[~judged]], ignore_index=True)
        rule = fit_hiatus_rule(learn["days_since_last_purchase"], learn["churned"])
        calibrator = fit_calibrator(labels[~judged], fit.scores[~judged])
        seen = design_matrix(validate[judged], fit.categories)
        by_trees = calibrator.apply(fit.scores[judged])
        by_line = _line(learn, fit).probabilities(seen)
        found["base_rate"][judged] = smoothed_rate(learn["churned"])
        found["hiatus_rule"][judged] = rule.probabilities(silence[judged])
        found["logistic_regression"][judged] = by_line
        found["xgboost"][judged] = by_trees
        found["blend"][judged] = blended([by_trees, by_line])
    return found


def _line(learn: pd.DataFrame, fit: XgboostFit) -> Line:
    some = every_nth(learn, LINE_ROWS)
    return fit_line(design_matrix(some, fit.categories), some["churned"])
