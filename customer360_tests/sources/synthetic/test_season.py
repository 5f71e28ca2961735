"""Shop time: the clock that makes days unequal without touching the customers."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.sources.synthetic.season import ShopTime

YEARS = ShopTime(date(2024, 1, 1), date(2025, 12, 31), 1.0)


def test_the_range_is_as_long_in_shop_time_as_in_the_calendar():
    assert YEARS.total == 731
    assert YEARS.weights.mean() == pytest.approx(1)
    assert YEARS.elapsed[-1] == 731


def test_black_friday_is_longer_than_any_day_of_january():
    black_friday = (date(2025, 11, 28) - YEARS.start).days
    january = slice((date(2025, 1, 1) - YEARS.start).days, (date(2025, 2, 1) - YEARS.start).days)
    assert YEARS.weights[black_friday] > 2 * YEARS.weights[january].max()


def test_without_seasonality_shop_time_is_calendar_time():
    plain = ShopTime(date(2024, 1, 1), date(2024, 1, 10), 0.0)
    assert plain.weights.tolist() == [1.0] * 10
    # Half past noon of the third day, to the second.
    assert plain.seconds(np.array([2.5])).tolist() == [2 * 86_400 + 43_200]


@given(st.lists(st.floats(0, 730.999), min_size=2, max_size=200))
def test_seconds_keep_the_order_and_stay_on_the_day(moments):
    shop = np.sort(np.array(moments))
    seconds = YEARS.seconds(shop)
    assert (np.diff(seconds) >= 0).all()
    day = np.searchsorted(YEARS.elapsed, shop, side="right") - 1
    assert (seconds // 86_400).tolist() == day.clip(0, 730).tolist()


def test_evenings_are_busier_than_nights():
    seconds = YEARS.seconds(np.random.default_rng(0).random(50_000) * 731)
    hours = np.bincount(seconds // 3600 % 24, minlength=24)
    assert hours[20] > 10 * hours[3]
