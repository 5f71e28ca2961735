"""Expectations of a purchase model and of rules of thumb together: their weighted mean.

A rule carries on what a customer did at the same rate, so what it expects of the days ahead is in
proportion to them; nobody leaves by a rule. So rules have a say in the coming year alone: what the
rest of a life brings beyond it is the purchase model's.

The purchase model's intervals go along: each end is moved outwards by what the mean moves towards
it, and to the mean at least. So they are never narrower than the purchase model's own; how many
outcomes they hold is measured on every holdout (``purchases_coverage``, ``revenue_coverage``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from customer360.models.baselines import YEAR_DAYS, NaiveRules
from customer360.models.lifetime_value.purchase_model import Floats

RULE_FEATURES = ("net_revenue", "purchase_days_365d", "net_revenue_365d")
"""Columns of gold/customer_features that rules of thumb read, beside those of the models."""

FOREVER_DAYS = 36_500
"""A silence that nobody reaches, in place of an endless one, which JSON cannot write."""

Bounded = tuple[Floats, Floats, Floats]
"""What is expected, and the ends of its interval: a value a customer each."""

_ENDS = ("", "_low", "_high")


@dataclass(frozen=True)
class Blend:
    """What rules of thumb have to say beside a purchase model.

    Attributes:
        purchases: Weights of rules in expected purchases, by name; what they lack to 1 is the
            purchase model's.
        revenue: Likewise in expected revenue.
        rules: As they are of one day ahead.
    """

    purchases: Mapping[str, float]
    revenue: Mapping[str, float]
    rules: NaiveRules

    @classmethod
    def of(
        cls, purchases: Mapping[str, float], revenue: Mapping[str, float], rules: NaiveRules
    ) -> Self:
        """With rules of any number of days ahead."""
        hiatus = min(rules.hiatus_days, FOREVER_DAYS)
        return cls(dict(purchases), dict(revenue), replace(rules, days=1, hiatus_days=hiatus))

    @property
    def names(self) -> tuple[str, ...]:
        """Rules that have a weight in either."""
        return tuple(dict.fromkeys((*self.purchases, *self.revenue)))

    def at(self, history_days: int) -> Blend:
        """The same when the business is so many days old."""
        return replace(self, rules=replace(self.rules, history_days=history_days))

    def of_model(self, amount: str) -> float:
        """Weight of the purchase model in ``purchases`` or ``revenue``."""
        return 1 - sum(self._weights(amount).values())

    def a_day(self, amount: str, features: pd.DataFrame) -> Floats:
        """What the rules' share comes to, a day: purchases, or revenue in the currency.

        Args:
            amount: ``purchases`` or ``revenue``.
            features: Columns ``frequency``, ``recency``, ``T`` (days) and `RULE_FEATURES`; of
                purchases ``purchase_days_365d`` is enough of the latter.
        """
        rule = self.rules.purchases if amount == "purchases" else self.rules.revenue
        total = np.zeros(len(features))
        for name, weight in self._weights(amount).items():
            total += weight * rule(name, features)
        return total

    def expected(
        self, amount: str, by_model: Floats, features: pd.DataFrame, days: Sequence[float]
    ) -> Floats:
        """Expectations: a row a customer, a column a horizon, as ``by_model`` of the model alone.

        Args:
            amount: ``purchases`` or ``revenue``.
            by_model: What the purchase model expects.
            features: As of `a_day`.
            days: Horizons in days.
        """
        ahead = np.asarray(days, dtype=float)
        return self.of_model(amount) * by_model + self.a_day(amount, features)[:, None] * ahead

    def bounded(self, amount: str, by_model: Bounded, carried_on: Floats) -> Bounded:
        """An expectation with its interval.

        Args:
            amount: ``purchases`` or ``revenue``.
            by_model: Of the purchase model alone.
            carried_on: What the rules' share comes to over the same days.
        """
        if not self._weights(amount):
            return by_model
        mean = self.of_model(amount) * by_model[0] + carried_on
        low, high = moved(by_model, mean)
        if amount == "purchases":
            return mean, np.floor(low), np.ceil(high)
        return mean, low, high

    def applied(
        self,
        scores: Mapping[str, Floats],
        features: pd.DataFrame,
        horizons: Sequence[int],
        discounted_year: float,
    ) -> dict[str, Floats]:
        """The figures of the model alone, as they are with the rules.

        Args:
            scores: From `LifetimeValueModel.figures` without rules; bounds may be missing.
            features: As of `a_day`.
            horizons: Days ahead that purchases and revenue are expected of.
            discounted_year: Days of a year, each by its discount.
        """
        found = dict(scores)

        def put(name: str, figure: Bounded) -> None:
            for end, values in zip(_ENDS, figure, strict=True):
                if f"{name}{end}" in scores:
                    found[f"{name}{end}"] = values

        a_day = {amount: self.a_day(amount, features) for amount in ("purchases", "revenue")}
        for amount, carried_on in a_day.items():
            for days in horizons:
                name = f"expected_{amount}_{days}d"
                put(name, self.bounded(amount, bounded_in(scores, name), carried_on * days))
        year = bounded_in(scores, "discounted_value_12m")
        with_rules = self.bounded("revenue", year, a_day["revenue"] * discounted_year)
        put("discounted_value_12m", with_rules)
        # By a rule nobody leaves: what it expects is what a customer brings who is kept.
        kept = bounded_in(scores, "revenue_if_kept_365d")
        put("revenue_if_kept_365d", self.bounded("revenue", kept, a_day["revenue"] * YEAR_DAYS))
        life = bounded_in(scores, "discounted_residual_value")
        mean = life[0] + with_rules[0] - year[0]
        put("discounted_residual_value", (mean, *moved(life, mean)))
        return found

    def _weights(self, amount: str) -> Mapping[str, float]:
        return self.purchases if amount == "purchases" else self.revenue


def bounded_in(scores: Mapping[str, Floats], name: str) -> Bounded:
    """A figure among scores; without bounds it is its own."""
    mean, low, high = (scores.get(f"{name}{end}", scores[name]) for end in _ENDS)
    return mean, low, high


def moved(by_model: Bounded, mean: Floats) -> tuple[Floats, Floats]:
    """Ends of the interval of a model's figure that has another mean now; NaN stays NaN."""
    before, low, high = by_model
    low = np.maximum(low + np.minimum(mean - before, 0.0), 0.0)
    high = high + np.maximum(mean - before, 0.0)
    return np.minimum(low, mean), np.maximum(high, mean)
