"""Shop time: the clock in which customers live, longer on busy days."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SECONDS_A_DAY = 86_400
_WEEKDAYS = np.array([0.95, 0.92, 0.95, 1.00, 1.10, 1.16, 0.92])  # Monday first
_HOURS = np.array(
    [5, 3, 2, 1, 1, 2, 5, 10, 18, 28, 36, 40, 44, 42, 38, 36, 38, 44, 52, 58, 60, 52, 34, 16],
    dtype=np.float64,
)


def _weight(day: date) -> float:
    """Business of one day against an average one, at full seasonality."""
    weight = _WEEKDAYS[day.weekday()]
    # A gentle year: low in summer, high before the holidays.
    weight *= 1 + 0.10 * np.cos(2 * np.pi * (day.timetuple().tm_yday - 345) / 365.25)
    black_friday = _black_friday(day.year)
    if timedelta(0) <= day - black_friday <= timedelta(3):
        weight *= 2.2
    elif day.month == 12 and day.day <= 22:
        weight *= 1.3
    elif day.month == 1:
        weight *= 0.85
    return float(weight)


def _black_friday(year: int) -> date:
    first = date(year, 11, 1)
    thursday = first + timedelta((3 - first.weekday()) % 7 + 21)
    return thursday + timedelta(1)


class ShopTime:
    """Maps shop time (days) to seconds since the start of the range, in order.

    Attributes:
        weights: Shop days in each calendar day; their mean is 1.
        elapsed: Shop days before each calendar day, and the total as last value.
    """

    def __init__(self, start: date, end: date, seasonality: float) -> None:
        self.start = start
        self.days = (end - start).days + 1
        raw = np.array([_weight(start + timedelta(day)) for day in range(self.days)])
        raw = 1 + seasonality * (raw - 1)
        self.weights: Floats = raw / raw.mean()
        self.elapsed: Floats = np.concatenate([[0.0], np.cumsum(self.weights)])
        self.elapsed[-1] = self.days
        hours = 1 + seasonality * (_HOURS / _HOURS.mean() - 1)
        # Quantiles of the day's pattern: even steps of shop time, uneven seconds.
        passed = np.concatenate([[0.0], np.cumsum(hours) / hours.sum()])
        steps = (np.arange(SECONDS_A_DAY) + 0.5) / SECONDS_A_DAY
        self._seconds = np.interp(steps, passed, np.arange(25) * 3600.0).astype(np.int64)
        # Where to begin looking for a shop time's day: faster than a binary search.
        grid = np.arange(self.days * 64 + 1) / 64
        self._grid = (np.searchsorted(self.elapsed, grid, side="right") - 1).clip(0, self.days - 1)

    @property
    def total(self) -> float:
        """Shop days in the range: as many as calendar days."""
        return float(self.days)

    def seconds(self, shop_time: Floats) -> Ints:
        """Seconds since the start's midnight; never decreasing in ``shop_time``."""
        day = self._grid[(shop_time * 64).astype(np.int64)]
        while True:
            early = shop_time >= self.elapsed[day + 1]
            early &= day < self.days - 1
            if not early.any():
                break
            day = day + early
        part = (shop_time - self.elapsed[day]) / self.weights[day]
        step = (part * SECONDS_A_DAY).astype(np.int64).clip(0, SECONDS_A_DAY - 1)
        return day * SECONDS_A_DAY + self._seconds[step]
