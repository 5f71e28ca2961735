"""What the calendar does to a business, on histories made by hand."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.customer_base import forecast
from customer360.models.lifetime_value.scoring import LifetimeValueModel
from customer360.models.lifetime_value.seasons import STEADY, Calendar, calendar_of

AS_OF = date(2025, 12, 31)
TWO_YEARS = 104 * 7
POISSON = BgNbd(100.0, 1_000.0, 0.001, 1_000.0)
"""Everybody buys every ten weeks and stays."""
EVERYBODY = pd.Series([100_000], index=[TWO_YEARS - 1])


def history(factor: np.ndarray, seed: int | None = None) -> pd.Series:
    """Purchases by days ago: the steady rate times a factor a day (oldest first)."""
    mean = 100_000 / 70 * factor
    days = mean if seed is None else np.random.default_rng(seed).poisson(mean)
    return pd.Series(days[::-1], index=np.arange(TWO_YEARS)).add(EVERYBODY, fill_value=0)


def in_december(factor: float) -> np.ndarray:
    days = [AS_OF - timedelta(days=ago) for ago in range(TWO_YEARS)][::-1]
    shape = np.array([factor if day.month == 12 else 1.0 for day in days])
    return shape / shape.mean()


def test_a_steady_business_has_no_months_and_strays_by_chance_alone() -> None:
    found = calendar_of(POISSON, 7, EVERYBODY, history(np.ones(TWO_YEARS), seed=1), AS_OF)
    assert found.months == STEADY.months
    assert found.deviation == pytest.approx(0, abs=0.003)


def test_decembers_of_twice_as_much_are_found_again() -> None:
    found = calendar_of(POISSON, 7, EVERYBODY, history(in_december(2.0), seed=1), AS_OF)
    others = found.months[0:11]
    # Weeks belong to the month of their middle day, so that ends of months are shared a little.
    assert found.months[11] / np.mean(others) == pytest.approx(2.0, abs=0.15)
    assert np.mean(found.months) == pytest.approx(1)
    assert max(others) - min(others) < 0.1


def test_months_need_more_than_a_year_to_be_tried_on() -> None:
    young = EVERYBODY.set_axis([60 * 7 - 1])
    recent = history(in_december(2.0), seed=1)
    recent = recent[recent.index < 60 * 7]
    assert calendar_of(POISSON, 7, young, recent, AS_OF).months == STEADY.months


def test_weeks_that_stray_by_a_fifth_are_known_to() -> None:
    weekly = np.where(np.arange(TWO_YEARS) // 7 % 2, 1.2, 0.8)
    found = calendar_of(POISSON, 7, EVERYBODY, history(weekly), AS_OF)
    assert found.deviation == pytest.approx(0.2, abs=0.005)


def test_nobody_yet_is_steady() -> None:
    nobody = pd.Series([], index=pd.Index([], dtype=int), dtype=float)
    assert calendar_of(POISSON, 7, nobody, nobody, AS_OF) == STEADY


def test_weeks_take_the_month_of_their_middle_day() -> None:
    calendar = Calendar((2.0, *(1.0,) * 10, 3.0))
    # After 29 November: 30 Nov - 6 Dec has its middle on 3 December.
    assert calendar.factors(date(2025, 11, 29), 6).tolist() == [3, 3, 3, 3, 3, 2]


def test_a_forecast_follows_the_months_and_allows_for_weeks_that_stray() -> None:
    model = LifetimeValueModel(7, POISSON, None, 10.0)
    cells = pd.DataFrame(
        {"frequency": [10], "recency": [700], "T": [727], "customers": [50_000]}
    ).assign(monetary_value=0.0)
    december = Calendar((1.0,) * 11 + (2.0,), deviation=0.2)
    day = date(2025, 11, 29)
    plain = forecast(model, cells, 10, 5)
    found = forecast(model, cells, 10, 5, december, day)
    for name in ("purchases", "revenue", "new_purchases", "new_revenue"):
        assert found.weeks[name].tolist() == pytest.approx((plain.weeks[name] * 2).tolist())
    assert found.equity == plain.equity
    low, mean, high = (found.weeks[f"purchases{end}"] for end in ("_low", "", "_high"))
    assert ((high - low) / mean / 2).tolist() == pytest.approx([0.2 * 1.645] * 5, rel=0.05)
    assert (plain.weeks["purchases_high"] / plain.weeks["purchases"] < 1.05).all()


def test_months_need_to_know_which_weeks_are_meant() -> None:
    assert Calendar(deviation=0.1).factors(None, 3).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="the day before the first week"):
        Calendar(months=(1.0,) * 11 + (2.0,)).factors(None, 3)
