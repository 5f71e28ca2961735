"""Rules of thumb for revenue: what a customer brought is carried on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customer360.models.baselines import (
    LAST_YEAR,
    PAST_AVERAGE,
    YEAR_DAYS,
    past_average_purchases,
    year_days,
)

Floats = NDArray[np.float64]


def past_average(rows: pd.DataFrame, horizon_days: int, _: int = YEAR_DAYS) -> Floats:
    """Everybody's own past carried on: rate of repeat purchases x mean net revenue of a purchase.

    As the baseline of that name of the lifetime-value model.

    Args:
        rows: ``frequency``, ``T`` (days) and ``net_revenue``.
        horizon_days: Days ahead.
    """
    purchases = past_average_purchases(rows["frequency"], rows["T"], horizon_days)
    return np.asarray(purchases * _spent(rows, "net_revenue") / (_number(rows, "frequency") + 1))


def last_year(rows: pd.DataFrame, horizon_days: int, year_days: int = YEAR_DAYS) -> Floats:
    """What the last 365 days brought, scaled to the days ahead.

    As the baseline of that name of the lifetime-value model.

    Args:
        rows: ``net_revenue_365d``.
        horizon_days: Days ahead.
        year_days: Days of the last 365 that the business has a history of.
    """
    return np.asarray(_spent(rows, "net_revenue_365d") * (horizon_days / year_days))


RULES: dict[str, Callable[[pd.DataFrame, int, int], Floats]] = {
    PAST_AVERAGE: past_average,
    LAST_YEAR: last_year,
}
"""By name: expected revenue of each row, given the days ahead and the days of the last year."""


def year_days_of(rows: pd.DataFrame) -> int:
    """Days of the last 365 that there is a history of, by the oldest of all customers."""
    return year_days(float(_number(rows, "T").max()) if len(rows) else 0.0)


def _number(rows: pd.DataFrame, name: str) -> Floats:
    return rows[name].to_numpy(dtype=float)


def _spent(rows: pd.DataFrame, name: str) -> Floats:
    return np.maximum(_number(rows, name), 0.0)
