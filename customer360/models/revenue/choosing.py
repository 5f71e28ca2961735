"""Choosing what tells of revenue: the mean, rules of thumb, a line, trees, or a blend of them.

A candidate learns on the training dates and is judged on the validation date; then each learns
anew on both, with the settings found, so that the newest labelled date counts too. The test date
takes no part in either.

The blend is the weighted mean whose squared error is the least on the validation date; its weights
are at least 0 and add up to 1, so that a season of the validation date does not set the level of
all days to come (Breiman 1996, "Stacked Regressions", Machine Learning 24; Bates and Granger 1969,
"The Combination of Forecasts"). It is preferred to any single one within noise: an average loses
least where what was best yesterday is not best tomorrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from customer360.models.paired import Losses
from customer360.models.revenue.model import Floats, RevenueModel
from customer360.models.revenue.rules import RULES, year_days_of
from customer360.models.sampling import halves
from customer360.models.stacking import kept, weights_of

KINDS = ("mean", "blend", *RULES, "linear", "two_stage", "tweedie")
"""The candidates, in the order in which they are preferred within noise of the best."""

CHOSEN_BY = ("rmse", "normalized_gini")
"""Budgets add predictions up, lists go by their order. Not by the mean absolute error, which is
least for a median: where most customers bring nothing, for one who expects nothing of anybody."""


@dataclass(frozen=True)
class Choice:
    """Which kind does best on the validation date.

    Attributes:
        kind: The chosen one.
        weights: Of the blend, by kind.
        losses: Of all on the validation date.
    """

    kind: str
    weights: Mapping[str, float]
    losses: Losses

    def metrics(self) -> dict[str, float]:
        """RMSE on the validation date, by kind."""
        rmse = self.losses.by_figure["rmse"].iloc[0]
        return {f"validation_{kind}_rmse": float(rmse[kind]) for kind in KINDS if kind in rmse}

    def parameters(self) -> dict[str, float]:
        """The blend's weights as flat parameters to log."""
        return {f"blend_weight_{kind}": weight for kind, weight in self.weights.items()}


def choose(rivals: Mapping[str, RevenueModel], validate: pd.DataFrame) -> Choice:
    """Judge single models and their blend on the validation date.

    Each half of the customers is judged by a blend whose weights come from the other half.

    Args:
        rivals: By kind, of the training dates.
        validate: Rows of the validation date.
    """
    actual = validate["revenue"].to_numpy(dtype=float)
    singly = _singly(rivals, validate)
    matrix = np.column_stack(list(singly.values()))
    blend = np.empty(len(actual))
    for judged in halves(validate):
        blend[judged] = matrix[judged] @ weights_of(matrix[~judged], actual[~judged])
    losses = Losses.of(singly | {"blend": blend}, actual, CHOSEN_BY)
    weights = dict(zip(singly, weights_of(matrix, actual).tolist(), strict=True))
    return Choice(losses.choice(KINDS), weights, losses)


def choose_rule(rivals: Mapping[str, RevenueModel], validate: pd.DataFrame) -> Choice:
    """As `choose`, of the mean and rules of thumb alone: where there is too little to learn from.

    Args:
        rivals: By kind, of the training dates.
        validate: Rows of the validation date, some of whom bought.
    """
    singly = _singly(rivals, validate)
    losses = Losses.of(singly, validate["revenue"].to_numpy(dtype=float), CHOSEN_BY)
    return Choice(losses.choice([kind for kind in KINDS if kind in singly]), {}, losses)


def _singly(rivals: Mapping[str, RevenueModel], validate: pd.DataFrame) -> dict[str, Floats]:
    """What each expects of the rows, as of a business that is as old as it was then."""
    days = year_days_of(validate)
    return {kind: model.at(days).predict(validate) for kind, model in rivals.items()}


def blended(models: Mapping[str, RevenueModel], weights: Mapping[str, float]) -> RevenueModel:
    """The blend of models; what it knows of who will buy is the mean's."""
    return replace(
        models["mean"],
        kind="blend",
        parts=tuple((weight, models[kind]) for kind, weight in kept(weights).items()),
    )
