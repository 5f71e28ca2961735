"""The naive rules every model is reported beside; where one of them wins, the figures show it.

Simple rules do as well as models on some data (Wübben and von Wangenheim 2008, "Instant customer
base analysis: managerial heuristics often get it right", Journal of Marketing 72(3)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

PAST_AVERAGE = "past_average"
POPULATION_AVERAGE = "population_average"
LAST_YEAR = "last_year"
HIATUS_RULE = "hiatus_rule"
NAIVE_RULES = (PAST_AVERAGE, POPULATION_AVERAGE, LAST_YEAR, HIATUS_RULE)
"""The rules that expect purchases and revenue; see `NaiveRules`."""

YEAR_DAYS = 365
SHORTEST_PAST_DAYS = 30
"""A past average needs some past: two purchases in two days are not 365 purchases a year."""


def year_days(oldest_days: float) -> int:
    """Days of the last 365 that the business has a history of; 30 where it has fewer.

    Args:
        oldest_days: Days since the first purchase of all.
    """
    return int(min(YEAR_DAYS, max(oldest_days, SHORTEST_PAST_DAYS)))


def past_average_purchases(frequency: ArrayLike, age_days: ArrayLike, days: float) -> Floats:
    """Purchases in the next ``days`` if everybody went on at their own past average.

    Args:
        frequency: Repeat purchase days.
        age_days: Days since the first purchase; counted as 30 when shorter.
        days: Days ahead.
    """
    age = np.maximum(np.asarray(age_days, dtype=float), SHORTEST_PAST_DAYS)
    return np.asarray(frequency, dtype=float) / age * days


@dataclass(frozen=True)
class NaiveRules:
    """What the naive rules expect of customers over the days to come.

    - ``past_average``: each goes on at the own rate of repeat purchases, and spends the own mean.
    - ``population_average``: each buys at everybody's rate, and spends everybody's mean.
    - ``last_year``: each buys and spends again what the last 365 days saw, scaled to the days
      ahead; where the history is shorter than a year, the whole of it is the year.
    - ``hiatus_rule``: who has been silent for more than ``hiatus_days`` buys nothing; the others
      are as in ``past_average``.

    Attributes:
        days: Days ahead.
        history_days: Days from the first purchase of all to the as-of date.
        mean_rate: Repeat purchases a customer and day, over all customers.
        mean_order_value: Net revenue of a purchase day, over all customers.
        hiatus_days: Silence in days that is still fine.
    """

    days: int
    history_days: int
    mean_rate: float
    mean_order_value: float
    hiatus_days: float

    def expectations(self, features: pd.DataFrame) -> dict[str, tuple[Floats, Floats]]:
        """Purchases and revenue (currency) of each row, by the name of the rule.

        Args:
            features: Columns ``frequency``, ``recency``, ``T`` (days), ``net_revenue``,
                ``purchase_days_365d`` and ``net_revenue_365d``.
        """
        return {
            rule: (self.purchases(rule, features), self.revenue(rule, features))
            for rule in NAIVE_RULES
        }

    def purchases(self, rule: str, features: pd.DataFrame) -> Floats:
        """What one rule expects; it needs ``purchase_days_365d`` for ``last_year`` alone."""
        if rule == LAST_YEAR:
            return _numbers(features, "purchase_days_365d") * self._years
        if rule == POPULATION_AVERAGE:
            return np.full(len(features), self.mean_rate * self.days)
        own = past_average_purchases(features["frequency"], features["T"], self.days)
        return own if rule == PAST_AVERAGE else np.where(self._active(features), own, 0.0)

    def revenue(self, rule: str, features: pd.DataFrame) -> Floats:
        """What one rule expects, in the currency.

        A rule is linear in what was spent: the mean of customers of one frequency, recency and T
        gives the mean of what it expects of them, if none of them spent less than nothing.
        """
        if rule == LAST_YEAR:
            return np.maximum(_numbers(features, "net_revenue_365d"), 0.0) * self._years
        if rule == POPULATION_AVERAGE:
            return self.purchases(rule, features) * self.mean_order_value
        spent = np.maximum(_numbers(features, "net_revenue"), 0.0)
        return self.purchases(rule, features) * spent / (_numbers(features, "frequency") + 1)

    @property
    def _years(self) -> float:
        """The days ahead, in years of which there is a history."""
        return self.days / year_days(self.history_days)

    def _active(self, features: pd.DataFrame) -> NDArray[np.bool_]:
        silence = _numbers(features, "T") - _numbers(features, "recency")
        return np.asarray(silence <= self.hiatus_days)


def _numbers(features: pd.DataFrame, name: str) -> Floats:
    return features[name].to_numpy(dtype=float)


@dataclass(frozen=True)
class HiatusRule:
    """Churned, says the rule, when the last purchase is more than ``threshold_days`` ago.

    Attributes:
        threshold_days: Silence in days that is still fine.
        rate_recent: Churn rate on the training rows within the threshold.
        rate_silent: Churn rate on the training rows beyond it.
    """

    threshold_days: int
    rate_recent: float
    rate_silent: float

    def flags(self, days_since_last: ArrayLike) -> NDArray[np.bool_]:
        """True where the rule says churned."""
        return np.asarray(np.asarray(days_since_last) > self.threshold_days)

    def probabilities(self, days_since_last: ArrayLike) -> Floats:
        """The churn rate that the customer's side of the threshold had in training."""
        return np.where(self.flags(days_since_last), self.rate_silent, self.rate_recent)


def smoothed_rate(labels: ArrayLike) -> float:
    """Churn rate with one churned and one kept customer added: never exactly 0 or 1."""
    y = np.asarray(labels, dtype=float)
    return float((y.sum() + 1) / (len(y) + 2))


def fit_hiatus_rule(days_since_last: ArrayLike, labels: ArrayLike) -> HiatusRule:
    """The threshold that separates churned from kept best on the training rows.

    Best is the largest true-positive rate minus false-positive rate (Youden's J), which does not
    depend on how many churn; of equal ones the smallest threshold.

    Args:
        days_since_last: Days since the last purchase, one a customer.
        labels: 1 = churned; both classes must be present.
    """
    days = np.asarray(days_since_last, dtype=int)
    y = np.asarray(labels, dtype=int)
    size = int(days.max()) + 1
    churned = np.bincount(days[y == 1], minlength=size)
    kept = np.bincount(days[y == 0], minlength=size)
    beyond_churned = 1 - np.cumsum(churned) / max(churned.sum(), 1)
    beyond_kept = 1 - np.cumsum(kept) / max(kept.sum(), 1)
    # Rounded, so that floating-point noise does not choose between equal thresholds.
    threshold = int(np.argmax(np.round(beyond_churned - beyond_kept, 12)))
    silent = days > threshold
    return HiatusRule(threshold, smoothed_rate(y[~silent]), smoothed_rate(y[silent]))


class AliveModel(Protocol):
    """Any model of buying that knows how probably a customer is still one."""

    def probability_alive(
        self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, /
    ) -> Floats:
        """Probability alive by repeat purchases, time of the last and age, in model units."""
        ...


@dataclass(frozen=True)
class AliveBaseline:
    """One minus the probability alive, taken for a churn probability.

    It is not quite one: who is alive may still buy nothing in the horizon, and under BG/NBD
    whoever bought once is alive for certain. As a ranking it is what a buying model knows of churn.

    Attributes:
        model: Fitted to the histories up to a training date.
        time_unit_days: Days in a unit of the model's time.
    """

    model: AliveModel
    time_unit_days: int = 7

    def scores(self, rows: pd.DataFrame) -> Floats:
        """1 - probability alive of rows with ``frequency``, ``recency`` and ``T`` (days)."""
        frequency, recency, age = (
            rows[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")
        )
        alive = self.model.probability_alive(
            frequency, recency / self.time_unit_days, age / self.time_unit_days
        )
        return np.asarray(1 - alive)
