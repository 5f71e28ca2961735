"""Which days are compared with which, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import pandas as pd
import pytest

from customer360.dashboard.periods import (
    Span,
    by_grain,
    change,
    comparisons,
    last_whole_month,
    totals,
)

LONG_AGO = date(2020, 1, 1)


def span(first: str, last: str) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last))


def business(days: Iterable[tuple[str, float, float]]) -> pd.DataFrame:
    """Days with what was sold and refunded, an order each where anything was sold."""
    return pd.DataFrame(
        [
            {
                "business_date": date.fromisoformat(day),
                "net_revenue": sold - refunded,
                "gross_revenue": sold,
                "refunded": refunded,
                "anonymous_revenue": 0.0,
                "orders": int(sold > 0),
                "new_customers": 0,
            }
            for day, sold, refunded in days
        ]
    )


def test_periods_that_are_over_are_compared_whole() -> None:
    month, quarter, year = comparisons(date(2025, 12, 31), LONG_AGO)
    assert (month.kind, quarter.kind, year.kind) == ("month", "quarter", "year")
    assert [each.whole for each in (month, quarter, year)] == [True, True, True]
    assert month.now == span("2025-12-01", "2025-12-31")
    assert month.before == span("2025-11-01", "2025-11-30")
    assert month.year_before == span("2024-12-01", "2024-12-31")
    assert quarter.now == span("2025-10-01", "2025-12-31")
    assert quarter.before == span("2025-07-01", "2025-09-30")
    assert quarter.year_before == span("2024-10-01", "2024-12-31")
    assert year.now == span("2025-01-01", "2025-12-31")
    assert year.before == span("2024-01-01", "2024-12-31")
    assert year.year_before is None


def test_periods_that_go_on_are_compared_to_date() -> None:
    month, quarter, year = comparisons(date(2025, 5, 20), LONG_AGO)
    assert [each.whole for each in (month, quarter, year)] == [False, False, False]
    assert month.now == span("2025-05-01", "2025-05-20")
    assert month.before == span("2025-04-01", "2025-04-20")
    assert month.year_before == span("2024-05-01", "2024-05-20")
    assert quarter.now == span("2025-04-01", "2025-05-20")
    assert quarter.before == span("2025-01-01", "2025-02-20")
    assert quarter.year_before == span("2024-04-01", "2024-05-20")
    assert year.before == span("2024-01-01", "2024-05-20")


@pytest.mark.parametrize(
    ("as_of", "before"),
    [
        ("2025-03-30", ("2025-02-01", "2025-02-28")),  # a day that February lacks is its last
        ("2025-02-28", ("2025-01-01", "2025-01-31")),  # what is over is compared with what is
        ("2024-02-28", ("2024-01-01", "2024-01-28")),  # of a leap year: a day is to come
        ("2025-01-31", ("2024-12-01", "2024-12-31")),
        ("2025-01-01", ("2024-12-01", "2024-12-01")),
    ],
)
def test_months_of_other_lengths(as_of: str, before: tuple[str, str]) -> None:
    month = comparisons(date.fromisoformat(as_of), LONG_AGO)[0]
    assert month.before == span(*before)


def test_a_leap_day_is_compared_with_the_end_of_february() -> None:
    month, *_ = comparisons(date(2024, 2, 29), LONG_AGO)
    assert month.year_before == span("2023-02-01", "2023-02-28")


def test_nothing_is_compared_with_days_from_before_the_data() -> None:
    """The data begin on 10 November: December is whole, November is not, the year is cut."""
    month, quarter, year = comparisons(date(2025, 12, 31), date(2025, 11, 10))
    assert month.whole
    assert (month.before, month.year_before) == (None, None)
    assert not quarter.whole
    assert quarter.begin == date(2025, 10, 1)
    assert quarter.now == span("2025-11-10", "2025-12-31")
    assert (quarter.before, year.before) == (None, None)
    assert year.now == span("2025-11-10", "2025-12-31")


def test_the_last_whole_month() -> None:
    assert last_whole_month(date(2025, 12, 31), LONG_AGO) == span("2025-12-01", "2025-12-31")
    assert last_whole_month(date(2025, 12, 30), LONG_AGO) == span("2025-11-01", "2025-11-30")
    assert last_whole_month(date(2025, 1, 1), LONG_AGO) == span("2024-12-01", "2024-12-31")
    assert last_whole_month(date(2025, 12, 31), date(2025, 12, 1)) is not None
    assert last_whole_month(date(2025, 12, 31), date(2025, 12, 2)) is None
    assert last_whole_month(date(2025, 12, 15), date(2025, 11, 2)) is None


DAYS = business(
    [
        ("2025-10-31", 10, 0),
        ("2025-11-01", 100, 0),
        ("2025-11-30", 50, 30),
        ("2025-12-01", 0, 20),
    ]
)


def test_totals_of_the_days_of_a_span() -> None:
    found = totals(DAYS, span("2025-11-01", "2025-11-30"))
    assert found == {
        "net_revenue": 120,
        "gross_revenue": 150,
        "refunded": 30,
        "orders": 2,
        "new_customers": 0,
        "refund_rate": pytest.approx(0.2),
    }
    nothing_sold = totals(DAYS, span("2025-12-01", "2025-12-31"))
    assert (nothing_sold["net_revenue"], nothing_sold["refunded"]) == (-20, 20)
    assert nothing_sold["refund_rate"] != nothing_sold["refund_rate"]


def test_months_that_are_not_whole_are_marked() -> None:
    rows = by_grain(DAYS, span("2025-10-31", "2025-12-01"), "month")
    assert list(rows["period"]) == [date(2025, n, 1) for n in (10, 11, 12)]
    assert list(rows["net_revenue"]) == [10, 120, -20]
    assert list(rows["is_partial"]) == [True, False, True]
    whole = by_grain(DAYS, span("2025-11-01", "2025-11-30"), "month")
    assert list(whole["is_partial"]) == [False]


def test_weeks_begin_on_monday() -> None:
    """Of 14 days from Wednesday on, one whole week and two parts."""
    first = date(2025, 1, 1)
    days = business([((first + timedelta(n)).isoformat(), 1, 0) for n in range(14)])
    rows = by_grain(days, Span(first, first + timedelta(13)), "week")
    assert list(rows["period"]) == [date(2024, 12, 30), date(2025, 1, 6), date(2025, 1, 13)]
    assert list(rows["net_revenue"]) == [5, 7, 2]
    assert list(rows["is_partial"]) == [True, False, True]


def test_no_days_are_no_periods() -> None:
    rows = by_grain(DAYS, span("2024-01-01", "2024-01-31"), "day")
    assert rows.empty
    assert rows[~rows["is_partial"]].empty


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (116, 100, 0.16),
        (50, 100, -0.5),
        (0, 100, -1),
        (1_001, 100, None),  # from next to nothing
        (100, 0, None),
        (0, 0, None),
        (-100, -5, None),
        (float("nan"), 5, None),
    ],
)
def test_change(now: float, before: float, expected: float | None) -> None:
    assert change(now, before) == (None if expected is None else pytest.approx(expected))
