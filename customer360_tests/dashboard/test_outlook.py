"""Weekly forecasts by month, and how far earlier ones were off."""

from __future__ import annotations

from dataclasses import astuple
from datetime import date, timedelta

import pandas as pd
import pytest

from customer360.dashboard.outlook import (
    by_month,
    compared,
    expected_next,
    past_error,
)
from customer360.dashboard.periods import Span


def weeks(as_of: date, number: int, a_day: float, new_a_day: float = 0) -> pd.DataFrame:
    """A forecast of ``number`` weeks, the same every day."""
    return pd.DataFrame(
        {
            "as_of": as_of,
            "week_start": [as_of + timedelta(7 * n + 1) for n in range(number)],
            "revenue": 7 * a_day,
            "revenue_low": 7 * a_day / 2,
            "revenue_high": 7 * a_day * 2,
            "new_revenue": 7 * new_a_day,
        }
    )


def business(first: date, last: date, a_day: float, anonymous: float = 0) -> pd.DataFrame:
    dates = [first + timedelta(n) for n in range((last - first).days + 1)]
    return pd.DataFrame(
        {
            "business_date": dates,
            "net_revenue": a_day + anonymous,
            "gross_revenue": a_day + anonymous,
            "anonymous_revenue": anonymous,
            "refunded": 0.0,
            "orders": 1,
            "new_customers": 0,
        }
    )


def test_weeks_are_spread_over_months_by_their_days() -> None:
    """From 29 December, 1 a day, for six weeks: three days, a whole month, eight days."""
    rows = by_month(weeks(date(2024, 12, 28), 6, 1, 10))
    assert list(rows["month"]) == [date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1)]
    assert list(rows["revenue"]) == pytest.approx([3, 31, 8])
    assert list(rows["revenue_low"]) == pytest.approx([1.5, 15.5, 4])
    assert list(rows["revenue_high"]) == pytest.approx([6, 62, 16])
    assert list(rows["new_revenue"]) == pytest.approx([30, 310, 80])
    assert list(rows["is_partial"]) == [True, False, True]
    assert list(rows["first_day"]) == [date(2024, 12, 29), date(2025, 1, 1), date(2025, 2, 1)]
    assert list(rows["last_day"]) == [date(2024, 12, 31), date(2025, 1, 31), date(2025, 2, 8)]


def test_a_week_across_two_months_is_shared_by_its_days() -> None:
    """Week from 27 January: five of its seven days lie in January."""
    one = weeks(date(2025, 1, 26), 1, 100)
    assert list(by_month(one)["revenue"]) == pytest.approx([500, 200])


def test_no_forecast_has_no_months() -> None:
    assert by_month(pd.DataFrame()).empty
    assert by_month(weeks(date(2025, 1, 1), 0, 1)).empty


def test_earlier_forecasts_beside_what_came() -> None:
    """Of January and March; February's was not foreseen whole, and of two the newer counts."""
    earlier = pd.concat(
        [
            weeks(date(2024, 12, 20), 6, 50),  # foresees January too, but is older
            weeks(date(2024, 12, 31), 5, 12, 3),  # 31 January and 4 days of February
            weeks(date(2025, 2, 15), 7, 8),  # from 16 February on: all of March
        ]
    )
    days = business(date(2024, 12, 1), date(2025, 3, 31), 10, anonymous=5)
    rows = compared(earlier, days, date(2025, 3, 31))
    assert list(rows["month"]) == [date(2025, 1, 1), date(2025, 3, 1)]
    assert list(rows["forecast_as_of"]) == [date(2024, 12, 31), date(2025, 2, 15)]
    assert list(rows["expected"]) == pytest.approx([31 * 15, 31 * 8])
    assert list(rows["came"]) == pytest.approx([310, 310])  # without anonymous sales
    assert list(rows["error"]) == pytest.approx([0.5, -0.2])
    found = past_error(rows)
    assert found is not None
    assert astuple(found) == pytest.approx((2, 0.35, 0.15))


def test_a_month_that_is_not_over_is_not_compared() -> None:
    earlier = weeks(date(2024, 12, 31), 9, 10)
    days = business(date(2024, 12, 1), date(2025, 2, 27), 10)
    rows = compared(earlier, days, date(2025, 2, 27))
    assert list(rows["month"]) == [date(2025, 1, 1)]
    found = past_error(rows)
    assert found is not None
    assert astuple(found) == pytest.approx((1, 0, 0))


def test_without_earlier_forecasts_no_error_is_known() -> None:
    days = business(date(2025, 1, 1), date(2025, 1, 31), 10)
    rows = compared(pd.DataFrame(), days, date(2025, 1, 31))
    assert rows.empty
    assert past_error(rows) is None


def test_an_error_of_nothing_is_not_known() -> None:
    earlier = weeks(date(2024, 12, 31), 5, 10)
    days = business(date(2024, 12, 1), date(2025, 1, 31), 0)
    rows = compared(earlier, days, date(2025, 1, 31))
    assert rows["error"].isna().all()
    assert past_error(rows) is None


def test_the_next_whole_months() -> None:
    """At 28 December: January to March, beside those of 2024, which had a leap day."""
    months = by_month(weeks(date(2024, 12, 28), 52, 10, 1))
    days = business(date(2023, 12, 1), date(2024, 12, 28), 5, anonymous=2)
    found = expected_next(months, days)
    assert found is not None
    assert found.span == Span(date(2025, 1, 1), date(2025, 3, 31))
    assert (found.revenue, found.year_before) == pytest.approx((90 * 11, 91 * 5))


def test_the_next_months_of_a_young_business_have_no_year_before() -> None:
    months = by_month(weeks(date(2024, 12, 31), 6, 10))
    days = business(date(2024, 1, 2), date(2024, 12, 31), 5)
    found = expected_next(months, days)
    assert found is not None
    assert found.span == Span(date(2025, 1, 1), date(2025, 1, 31))
    assert found.revenue == pytest.approx(310)
    assert found.year_before is None
    assert expected_next(months.head(0), days) is None
