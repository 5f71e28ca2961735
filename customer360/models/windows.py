"""The windows of churn: how long is silence, how far ahead we look, which days train and test.

Both windows come from the data's own rhythm unless a setting gives them, and are carried in every
result, because a churn figure without its windows means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from customer360.errors import Customer360Error
from customer360.gold.purchases import is_purchase

WEEK = 7
"""Windows are whole weeks, so that weekdays weigh the same in each of them."""

MINIMUM_GAPS = 100
"""Below this many observed gaps their quantiles say nothing: the defaults are used."""

DEFAULT_HORIZON_DAYS = 91
DEFAULT_ACTIVITY_DAYS = 182
HORIZON_LIMITS = (28, 182)
ACTIVITY_LIMITS = (56, 364)


class WindowError(Customer360Error):
    """A window was asked for that cannot be used."""


@dataclass(frozen=True)
class ChurnWindows:
    """The two windows of the churn definition, in days, and where they came from.

    Attributes:
        horizon_days: A customer who buys nothing in ``(D, D + horizon_days]`` has churned.
        activity_days: A customer with a purchase in ``(D - activity_days, D]`` is active at D.
        history_days: Days from the first purchase to the as-of date.
        gaps: Inter-purchase gaps that were observed.
        gap_quantiles: Their 50th, 75th and 90th percentile in days, every customer counting alike;
            empty when there are none.
        origin: "data", "settings", "settings and data", or "defaults" (too few gaps).
    """

    horizon_days: int
    activity_days: int
    history_days: int
    gaps: int
    gap_quantiles: tuple[float, ...]
    origin: str

    def describe(self) -> str:
        """One line for people: the definition of churn with its figures."""
        seen = (
            f"gaps between a customer's purchases: median {self.gap_quantiles[0]:.0f}, "
            f"75 % within {self.gap_quantiles[1]:.0f}, 90 % within {self.gap_quantiles[2]:.0f} days"
            if self.gap_quantiles
            else "no repeat purchase observed"
        )
        return (
            f"active = a purchase in the last {self.activity_days} days; churned = none in the "
            f"{self.horizon_days} days after (from {self.origin}; {seen})"
        )

    def parameters(self) -> dict[str, float | int | str]:
        """The windows as flat parameters to log."""
        quantiles = dict(
            zip(("gap_days_p50", "gap_days_p75", "gap_days_p90"), self.gap_quantiles, strict=False)
        )
        return {
            "horizon_days": self.horizon_days,
            "activity_window_days": self.activity_days,
            "history_days": self.history_days,
            "observed_gaps": self.gaps,
            "windows_from": self.origin,
            **quantiles,
        }


@dataclass(frozen=True)
class Gaps:
    """Gaps between a customer's successive purchases, counted.

    Attributes:
        days: Distinct gaps, ascending.
        times: How often each was seen.
        customers: The same with every customer counting alike: each of n gaps of a customer counts
            1 / n, so that who buys every week does not drown who buys twice a year.
    """

    days: np.ndarray
    times: np.ndarray
    customers: np.ndarray


def gap_counts(customer_days: DataFrame, as_of: date) -> Gaps:
    """The gaps between the purchases up to ``as_of``."""
    own = Window.partitionBy("customer_key")
    previous = F.lag("business_date").over(own.orderBy("business_date"))
    table = (
        customer_days.where(is_purchase() & (F.col("business_date") <= F.lit(as_of)))
        .select(
            F.date_diff("business_date", previous).alias("gap_days"),
            (F.count("*").over(own) - 1).alias("own_gaps"),
        )
        .where(F.col("gap_days").isNotNull())
        .groupBy("gap_days", "own_gaps")
        .agg(F.count("*").alias("times"))
        .groupBy("gap_days")
        .agg(
            F.sum("times").alias("times"),
            F.sum(F.col("times") / F.col("own_gaps")).alias("customers"),
        )
        .orderBy("gap_days")
        .toArrow()
    )
    return Gaps(*(table[name].to_numpy() for name in ("gap_days", "times", "customers")))


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Smallest of the ascending ``values`` that ``share`` of the ``weights`` lie at or below."""
    reached = np.cumsum(weights)
    return float(values[np.searchsorted(reached, share * reached[-1] - 1e-9)])


def _weeks_up(days: float) -> int:
    return int(np.ceil(days / WEEK)) * WEEK


def _weeks_down(days: float) -> int:
    return int(days // WEEK) * WEEK


def windows_from_gaps(
    gaps: Gaps,
    history_days: int,
    *,
    horizon_days: int | None = None,
    activity_days: int | None = None,
) -> ChurnWindows:
    """Choose both windows from a histogram of inter-purchase gaps, every customer counting alike.

    The formula: *horizon* is the 75th percentile of the gaps, rounded up to whole weeks, between
    28 and 182 days and at most a sixth of the history; *activity* is the 90th percentile, rounded
    up to whole weeks, between 56 and 364 days, not shorter than the horizon and at most a third
    of the history. Silence longer than nine in ten of the gaps people do return from is not
    "active" any more. With a sixth and a third there is always room for a test, a validation and
    a training date that do not overlap. Fewer than 100 gaps: 91 and 182 days, clipped alike.

    Args:
        gaps: From `gap_counts`.
        history_days: Days from the first purchase to the as-of date.
        horizon_days: Given by a setting: taken as it is.
        activity_days: Given by a setting: taken as it is.

    Raises:
        WindowError: A given window is below one day.
    """
    for name, given in (("horizon", horizon_days), ("activity window", activity_days)):
        if given is not None and given < 1:
            raise WindowError(f"churn {name} is {given} days; give at least 1")
    total = int(gaps.times.sum())
    quantiles = (
        tuple(weighted_quantile(gaps.days, gaps.customers, share) for share in (0.5, 0.75, 0.9))
        if total
        else ()
    )
    by_data = total >= MINIMUM_GAPS
    wanted_horizon = quantiles[1] if by_data else DEFAULT_HORIZON_DAYS
    wanted_activity = quantiles[2] if by_data else DEFAULT_ACTIVITY_DAYS

    horizon = horizon_days or max(
        WEEK,
        min(
            int(np.clip(_weeks_up(wanted_horizon), *HORIZON_LIMITS)), _weeks_down(history_days / 6)
        ),
    )
    activity = activity_days or max(
        min(
            int(np.clip(_weeks_up(wanted_activity), *ACTIVITY_LIMITS)),
            _weeks_down(history_days / 3),
        ),
        horizon,
    )
    given_count = (horizon_days is not None) + (activity_days is not None)
    chosen = "data" if by_data else f"defaults, for want of {MINIMUM_GAPS} gaps"
    origin = {0: chosen, 1: f"settings and {chosen}", 2: "settings"}[given_count]
    return ChurnWindows(horizon, activity, history_days, total, quantiles, origin)


def choose_windows(
    customer_days: DataFrame,
    as_of: date,
    *,
    horizon_days: int | None = None,
    activity_days: int | None = None,
) -> ChurnWindows:
    """Choose the churn windows from the purchases up to ``as_of``: see `windows_from_gaps`.

    Args:
        customer_days: ``silver/customer_days``.
        as_of: Last day that may be looked at.
        horizon_days: Setting that overrides the data's own.
        activity_days: Setting that overrides the data's own.
    """
    first = first_purchase_day(customer_days, as_of)
    return windows_from_gaps(
        gap_counts(customer_days, as_of),
        (as_of - first).days if first else 0,
        horizon_days=horizon_days,
        activity_days=activity_days,
    )


def first_purchase_day(customer_days: DataFrame, as_of: date) -> date | None:
    """Day of the earliest purchase up to ``as_of``; ``None`` when there is none."""
    row = (
        customer_days.where(is_purchase() & (F.col("business_date") <= F.lit(as_of)))
        .agg(F.min("business_date").alias("first"))
        .first()
    )
    return row["first"] if row else None


@dataclass(frozen=True)
class AsOfGrid:
    """The as-of dates of one training: earlier dates teach, a later one examines.

    Attributes:
        training: Dates to learn from, newest first; their horizons end by ``validation``.
        validation: Date for early stopping; its horizon ends by ``test``.
        test: Date of the reported figures; its horizon ends on the as-of date of the training.
    """

    training: tuple[date, ...]
    validation: date
    test: date

    @property
    def dates(self) -> tuple[date, ...]:
        """All of them, oldest first."""
        return tuple(sorted({*self.training, self.validation, self.test}))


def as_of_grid(
    first_day: date, as_of: date, windows: ChurnWindows, *, training_dates: int = 4, step: int = 30
) -> AsOfGrid | None:
    """Lay the as-of dates so that no label reaches over a later date's features.

    With horizon h and as-of date D: test = D - h, validation = D - 2h, training = D - 3h and up
    to ``training_dates`` - 1 more, each ``step`` days further back, as long as a whole activity
    window of history lies before them. So the features of the test day are computed after every
    label that taught the model had already been seen, as in real use.

    Returns:
        The grid, or ``None`` when the history is too short for one training date.
    """
    return horizon_grid(
        first_day,
        as_of,
        windows.horizon_days,
        windows.activity_days,
        training_dates=training_dates,
        step=step,
    )


def horizon_grid(
    first_day: date,
    as_of: date,
    horizon_days: int,
    history_days: int,
    *,
    training_dates: int = 4,
    step: int = 30,
) -> AsOfGrid | None:
    """`as_of_grid` for any target that looks ``horizon_days`` ahead.

    Args:
        first_day: Day of the first purchase.
        as_of: Last day with complete data.
        horizon_days: Days ahead of a label.
        history_days: Days of history that the earliest training date must have before it.
        training_dates: At most so many dates to learn from.
        step: Days between them.
    """
    horizon = timedelta(days=horizon_days)
    earliest = first_day + timedelta(days=history_days)
    newest = as_of - 3 * horizon
    training = tuple(
        day
        for day in (newest - timedelta(days=step * back) for back in range(training_dates))
        if day >= earliest
    )
    if not training:
        return None
    return AsOfGrid(training, as_of - 2 * horizon, as_of - horizon)
