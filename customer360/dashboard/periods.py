"""Periods that are compared, and what the business's days add up to in them: no input or output.

A month that is not over is compared with the same days of another, to date against to date.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd

Kind = Literal["month", "quarter", "year"]
Grain = Literal["day", "week", "month"]

MONTHS: dict[Kind, int] = {"month": 1, "quarter": 3, "year": 12}
"""Months of each kind of period, the shortest first."""

AMOUNTS = ("net_revenue", "gross_revenue", "refunded", "orders", "new_customers")
"""Columns of a day that may be added up over days."""

MOST_GROWTH = 10
"""Of a figure that is more than so many times what it was, a percentage says nothing."""


@dataclass(frozen=True)
class Span:
    """The days from ``first`` to ``last``, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def months_earlier(self, months: int) -> Span:
        """The same days so many months before.

        What ends with a month ends with one there too; a day that a shorter month lacks is its
        last.
        """
        first, last = (_months_earlier(day, months) for day in (self.first, self.last))
        return Span(first, end_of_month(last) if self.last == end_of_month(self.last) else last)


@dataclass(frozen=True)
class Comparison:
    """A period up to the as-of date, and the periods that it is compared with.

    Attributes:
        kind: What the period is.
        begin: First day of the period, whether there are data of it or not.
        now: Its days, as far as they are there.
        whole: Whether ``now`` is all of the period.
        before: The same days of the period before; None where the data begin later.
        year_before: The same days a year earlier, likewise; None for a year, whose period before
            they are.
    """

    kind: Kind
    begin: date
    now: Span
    whole: bool
    before: Span | None
    year_before: Span | None


def comparisons(as_of: date, first_day: date) -> list[Comparison]:
    """This month, quarter and year, each with what it is compared with.

    Args:
        as_of: Last day that there are data of.
        first_day: First day that there are data of.
    """
    return [_comparison(kind, as_of, first_day) for kind in MONTHS]


def _comparison(kind: Kind, as_of: date, first_day: date) -> Comparison:
    months = MONTHS[kind]
    begin = date(as_of.year, (as_of.month - 1) // months * months + 1, 1)
    end = end_of_month(_months_earlier(begin, 1 - months))
    span = Span(begin, as_of)

    def known(earlier: Span) -> Span | None:
        return earlier if earlier.first >= first_day else None

    return Comparison(
        kind,
        begin,
        Span(max(begin, first_day), as_of),
        as_of == end and begin >= first_day,
        known(span.months_earlier(months)),
        known(span.months_earlier(12)) if kind != "year" else None,
    )


def last_whole_month(as_of: date, first_day: date) -> Span | None:
    """The newest month that is over by ``as_of``; None where the data begin within it."""
    last = as_of if as_of == end_of_month(as_of) else as_of.replace(day=1) - timedelta(days=1)
    return Span(last.replace(day=1), last) if last.replace(day=1) >= first_day else None


def totals(days: pd.DataFrame, span: Span) -> dict[str, float]:
    """What the days of ``span`` add up to.

    Args:
        days: ``business_date`` and the columns `AMOUNTS`, a row a day.
        span: Which days.

    Returns:
        `AMOUNTS`, and ``refund_rate``, the share of the money sold; NaN where nothing was.
    """
    inside = days[(days["business_date"] >= span.first) & (days["business_date"] <= span.last)]
    found = {name: float(inside[name].sum()) for name in AMOUNTS}
    sold = found["gross_revenue"]
    return found | {"refund_rate": found["refunded"] / sold if sold else float("nan")}


def by_grain(days: pd.DataFrame, span: Span, grain: Grain) -> pd.DataFrame:
    """What the days of ``span`` add up to by day, by week from Monday, or by month.

    Args:
        days: ``business_date`` and columns to add up, a row a day.
        span: Which days.
        grain: Into what they are put together.

    Returns:
        ``period`` (its first day), the other columns' sums, and ``is_partial`` where the span has
        not all of the period's days.
    """
    inside = days[(days["business_date"] >= span.first) & (days["business_date"] <= span.last)]
    begin = [_begin(day, grain) for day in inside["business_date"]]
    sums = (
        inside.drop(columns="business_date").groupby(pd.Series(begin, inside.index, dtype=object))
    ).sum()
    rows = sums.rename_axis("period").reset_index()
    partial = [day < span.first or _end(day, grain) > span.last for day in rows["period"]]
    return rows.assign(is_partial=pd.Series(partial, rows.index, dtype=bool))


def change(now: float, before: float) -> float | None:
    """How much more ``now`` is than ``before``, as a share of it; None where that says nothing."""
    if not (np.isfinite(now) and np.isfinite(before)):
        return None
    if before <= 0 or before < now / MOST_GROWTH:
        return None
    return now / before - 1


def _begin(day: date, grain: Grain) -> date:
    if grain == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if grain == "week" else day


def _end(begin: date, grain: Grain) -> date:
    if grain == "month":
        return end_of_month(begin)
    return begin + timedelta(days=6 if grain == "week" else 0)


def end_of_month(day: date) -> date:
    """The last day of the month that ``day`` lies in."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def _months_earlier(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
