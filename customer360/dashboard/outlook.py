"""The forecast by month, and earlier ones beside what came: no input or output.

Forecasts are of weeks that begin the day after their as-of date; a week's days share its revenue
alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from customer360.dashboard.periods import Span, end_of_month, totals

EXPECTED = ("revenue", "revenue_low", "revenue_high", "new_revenue")
"""Amounts of a forecast's week: of today's customers, their band's ends, of those to come."""

WEEK_DAYS = 7
COMPARED_MONTHS = 3
"""Months that are told of in one sentence: a single month is mostly chance."""


@dataclass(frozen=True)
class PastError:
    """How far earlier forecasts were off.

    Attributes:
        months: How many months there are to compare.
        mean: Mean distance between what was expected and what came, as a share of what came.
        bias: Everything expected over everything that came, less one: above 0, too much.
    """

    months: int
    mean: float
    bias: float


@dataclass(frozen=True)
class Expected:
    """What several whole months are expected to bring.

    Attributes:
        span: Their days.
        revenue: Net revenue of today's customers and of those to come, in currency.
        year_before: Net revenue of the same months a year earlier; None where the data begin later.
    """

    span: Span
    revenue: float
    year_before: float | None


def by_month(weeks: pd.DataFrame) -> pd.DataFrame:
    """The weeks of one forecast by calendar month.

    Args:
        weeks: ``week_start`` and `EXPECTED`.

    Returns:
        ``month`` (its first day), ``first_day`` and ``last_day`` that the forecast covers,
        ``is_partial`` where these are not the whole month, and `EXPECTED`. The band's ends are
        sums of the weeks': as wide as if all weeks were wrong the same way.
    """
    columns = ["month", "first_day", "last_day", "is_partial", *EXPECTED]
    if weeks.empty:
        return pd.DataFrame(columns=columns)
    days = pd.concat(
        weeks[[*EXPECTED]].div(WEEK_DAYS).assign(day=[day + timedelta(n) for day in starts])
        for starts in [list(weeks["week_start"])]
        for n in range(WEEK_DAYS)
    )
    days["month"] = [day.replace(day=1) for day in days["day"]]
    months = days.groupby("month")
    rows = months[[*EXPECTED]].sum()
    rows["first_day"], rows["last_day"] = months["day"].min(), months["day"].max()
    rows["is_partial"] = months.size() < [end_of_month(month).day for month in rows.index]
    return rows.reset_index()[columns]


def known_revenue(days: pd.DataFrame) -> pd.DataFrame:
    """``days`` whose revenue is that of customers, as forecasts have it: without anonymous sales.

    Args:
        days: ``net_revenue`` and ``anonymous_revenue`` of each day.
    """
    return days.assign(net_revenue=days["net_revenue"] - days["anonymous_revenue"])


def compared(earlier: pd.DataFrame, days: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Each whole month up to ``as_of`` that a forecast foresaw, beside what came.

    Of several forecasts the newest counts that was made before the month began.

    Args:
        earlier: Weeks of earlier forecasts: ``as_of`` and the columns of `by_month`.
        days: ``business_date``, ``net_revenue``, ``anonymous_revenue`` …, a row a day.
        as_of: Last day that there are data of.

    Returns:
        ``month``, ``forecast_as_of``, ``expected``, ``came`` (currency) and ``error``, the share
        of what came by which too much was expected; NaN where nothing came.
    """
    columns = ["month", "forecast_as_of", "expected", "came", "error"]
    newest: dict[date, tuple[date, float]] = {}
    for forecast_as_of in sorted(set(earlier["as_of"])) if len(earlier) else ():
        weeks = earlier[earlier["as_of"] == forecast_as_of]
        for row in by_month(weeks).to_dict("records"):
            if not row["is_partial"] and row["last_day"] <= as_of:
                expected = float(row["revenue"] + row["new_revenue"])
                newest[row["month"]] = (forecast_as_of, expected)
    known = known_revenue(days)
    rows = []
    for month, (forecast_as_of, expected) in sorted(newest.items()):
        came = totals(known, Span(month, end_of_month(month)))["net_revenue"]
        error = expected / came - 1 if came > 0 else float("nan")
        rows.append((month, forecast_as_of, expected, came, error))
    return pd.DataFrame(rows, columns=columns)


def past_error(months: pd.DataFrame) -> PastError | None:
    """How far the months of `compared` were off together; None where there are none."""
    came = float(months["came"].sum()) if len(months) else 0.0
    if came <= 0:
        return None
    off = months["expected"] - months["came"]
    return PastError(len(months), float(off.abs().sum()) / came, float(off.sum()) / came)


def expected_next(months: pd.DataFrame, days: pd.DataFrame) -> Expected | None:
    """The next `COMPARED_MONTHS` whole months of a forecast; None where it has none.

    Args:
        months: From `by_month`.
        days: As for `compared`; not empty.
    """
    whole = months[~months["is_partial"].astype(bool)].head(COMPARED_MONTHS)
    if whole.empty:
        return None
    span = Span(whole["first_day"].min(), whole["last_day"].max())
    earlier = span.months_earlier(12)
    return Expected(
        span,
        float(whole["revenue"].sum() + whole["new_revenue"].sum()),
        totals(known_revenue(days), earlier)["net_revenue"]
        if earlier.first >= days["business_date"].min()
        else None,
    )
