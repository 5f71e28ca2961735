"""What the calendar does to a business: months that bring more, and weeks that stray.

Purchase models know a steady rate: laid over the history, from each customer's first purchase on,
they say what every week should have brought. Held against what it did bring, that gives

- *months*: each calendar month's share of what was expected of it, with a mean of 1 over the year:
  how many customers there are, and how they age, is the model's to say. They are used where, learnt
  from earlier weeks, they tell later ones better than the steady rate beyond noise; so it takes
  more than a year to have any.
- *deviation*: how far weeks are from what is expected of them beyond chance, in proportion. Chance
  averages out over many customers, and what moves all of them alike does not, so without it the
  intervals of a large business would hold almost none of its weeks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customer360.models.lifetime_value.intervals import Z
from customer360.models.lifetime_value.purchase_model import Floats, PurchaseModel

Integers = NDArray[np.int64]

WEEK_DAYS = 7
YEAR_WEEKS = 52
TESTED_WEEKS = 26
"""Later weeks that months have to tell better; half of them are enough."""

PRIOR_PURCHASES = 50.0
"""Purchases as expected that each month is given beside its own: of few, chance is most."""

_FEW = 5.0
"""Purchases that are taken to be expected of a week at least: how far one of fewer is off says
nothing."""


@dataclass(frozen=True)
class Calendar:
    """What is expected of a week beside the steady rate.

    Attributes:
        months: Factor of each calendar month, January first.
        deviation: Standard deviation of a week beyond chance, as a share of what is expected.
    """

    months: tuple[float, ...] = (1.0,) * 12
    deviation: float = 0.0

    def factors(self, as_of: date | None, weeks: int) -> Floats:
        """Factor of each of the weeks after ``as_of``, by the month of its middle day.

        Raises:
            ValueError: The months differ, and no ``as_of`` says which ones are meant.
        """
        if as_of is None:
            if len(set(self.months)) > 1:
                raise ValueError("a calendar of months needs the day before the first week")
            return np.full(weeks, self.months[0])
        return self._of(_months(as_of, range(1, weeks + 1)))

    def _of(self, months: Integers) -> Floats:
        return np.asarray(self.months, dtype=float)[months - 1]


STEADY = Calendar()


def calendar_of(
    purchases: PurchaseModel, unit: int, firsts: pd.Series, by_day: pd.Series, as_of: date
) -> Calendar:
    """The calendar of a history.

    Args:
        purchases: The purchase model.
        unit: Days in a unit of its time.
        firsts: Customers who first bought on each day (index: days before ``as_of``).
        by_day: Purchases of each day, first ones among them, by the same index.
        as_of: Last day of the history.
    """
    if not len(firsts):
        return STEADY
    weeks = (int(firsts.index.max()) + 1) // WEEK_DAYS
    # Oldest first; the days before the first whole week belong to none.
    ago = np.arange(weeks)[::-1]
    repeats = by_day.sub(firsts, fill_value=0)
    came = _summed(repeats, weeks)[::-1]
    expected = _expected(purchases, unit, firsts, ago)
    months = _months(as_of, -ago)
    calendar = STEADY
    learnt = max(weeks - TESTED_WEEKS, YEAR_WEEKS)
    if weeks >= YEAR_WEEKS + TESTED_WEEKS // 2:
        tried = _by_month(came[:learnt], expected[:learnt], months[:learnt])
        later = slice(learnt, None)
        if _tells_better(tried, came[later], expected[later], months[later]):
            calendar = _by_month(came, expected, months)
    recent = slice(-YEAR_WEEKS, None)
    steady = (expected * calendar._of(months))[recent]
    return Calendar(calendar.months, _deviation(came[recent], steady))


def _months(as_of: date, weeks: Iterable[int]) -> Integers:
    """Month of the middle of each week; week 1 is the first after ``as_of``, 0 the last before."""
    return np.array(
        [(as_of + timedelta(days=WEEK_DAYS * int(n) - WEEK_DAYS // 2)).month for n in weeks]
    )


def _summed(days: pd.Series, weeks: int) -> Floats:
    """Sums of weeks, the latest first."""
    week = np.asarray(days.index) // WEEK_DAYS
    whole = week < weeks
    return np.bincount(week[whole], days.to_numpy(dtype=float)[whole], weeks).astype(float)


def _expected(purchases: PurchaseModel, unit: int, firsts: pd.Series, ago: Integers) -> Floats:
    """Repeat purchases at the steady rate, of each week that ended so many weeks ago."""
    age = np.asarray(firsts.index, dtype=np.int64)
    by_age = purchases.expected_purchases_of_new(np.arange(int(age.max()) + 1) / unit)
    customers = firsts.to_numpy(dtype=float)

    def until(week: int) -> float:
        """Purchases up to the end of the week."""
        return float(customers @ by_age[np.maximum(age - WEEK_DAYS * week, 0)])

    ends = np.array([until(int(week)) for week in (*ago, int(ago[0]) + 1)])
    return ends[:-1] - np.concatenate([ends[-1:], ends[:-2]])


def _by_month(came: Floats, expected: Floats, months: Integers) -> Calendar:
    """Each month's share of what was expected of it, with a mean of 1 over the year."""
    level = came.sum() / max(expected.sum(), 1e-300)
    shares = np.array(
        [
            (came[months == month].sum() + PRIOR_PURCHASES)
            / (level * expected[months == month].sum() + PRIOR_PURCHASES)
            for month in range(1, 13)
        ]
    )
    return Calendar(tuple(float(share) for share in shares / shares.mean()))


def _tells_better(calendar: Calendar, came: Floats, expected: Floats, months: Integers) -> bool:
    """Whether weeks are nearer to the months' than to the steady rate, beyond noise."""
    by_month = expected * calendar._of(months)
    gained = np.abs(came - expected) - np.abs(came - by_month)
    error = gained.std(ddof=1) / np.sqrt(len(gained))
    return bool(gained.mean() > Z * error)


def _deviation(came: Floats, expected: Floats) -> float:
    """How far weeks stray beyond chance, the more of which is expected weighing the more.

    Purchases of a week vary as their number at least; the first weeks of a history, when few were
    there, tell little of those to come.
    """
    if not expected.sum() > 0:
        return 0.0
    beyond = (came - expected) ** 2 - expected
    return float(
        np.sqrt(max(float(np.sum(beyond / np.maximum(expected, _FEW))), 0.0) / expected.sum())
    )
