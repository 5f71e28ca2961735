"""Windows from the data's rhythm, and as-of dates that never look into a later one's future."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from customer360.models.windows import (
    ChurnWindows,
    Gaps,
    WindowError,
    as_of_grid,
    choose_windows,
    gap_counts,
    weighted_quantile,
    windows_from_gaps,
)
from customer360_tests.gold.frames import bought, customer_days, returned


def seen(days: Sequence[int], times: Sequence[int]) -> Gaps:
    """Gaps of customers who have one each."""
    counts = np.array(times, dtype=float)
    return Gaps(np.array(days, dtype=float), counts, counts)


def one_each(days: Sequence[int]) -> Gaps:
    return seen(days, [1] * len(days))


def test_windows_are_quantiles_in_whole_weeks() -> None:
    """Gaps 1..100 once each: 75 and 90 days, up to 77 and 91; plenty of history."""
    found = windows_from_gaps(one_each(range(1, 101)), 1000)
    assert list(found.gap_quantiles) == [50, 75, 90]
    assert (found.horizon_days, found.activity_days) == (77, 91)
    assert found.origin == "data"


def test_windows_fit_the_history() -> None:
    """A sixth of 200 days is 33, a third 66: 28 and 63 in whole weeks."""
    found = windows_from_gaps(one_each(range(1, 101)), 200)
    assert (found.horizon_days, found.activity_days) == (28, 63)


def test_few_gaps_take_the_stated_defaults() -> None:
    found = windows_from_gaps(seen([10], [99]), 3000)
    assert (found.horizon_days, found.activity_days) == (91, 182)
    assert found.origin.startswith("defaults")


def test_settings_win_and_are_said() -> None:
    found = windows_from_gaps(one_each(range(1, 101)), 1000, horizon_days=45)
    assert (found.horizon_days, found.activity_days) == (45, 91)
    assert found.origin == "settings and data"
    with pytest.raises(WindowError, match="horizon is 0 days"):
        windows_from_gaps(seen([], []), 1000, horizon_days=0)


def test_weighted_quantile_is_the_smallest_value_that_reaches_the_share() -> None:
    values, weights = np.array([1.0, 5, 9]), np.array([1.0, 2, 1])
    assert weighted_quantile(values, weights, 0.75) == 5
    assert weighted_quantile(values, weights, 0.76) == 9


def test_every_customer_counts_alike(spark: SparkSession) -> None:
    """One buys every 10 days, ten times; one came back after 90: half of the customers are slow."""
    often = [bought("often", f"2024-0{1 + n // 3}-{1 + 10 * (n % 3):02d}", 5) for n in range(9)]
    slow = [bought("slow", "2024-01-01", 5), bought("slow", "2024-03-31", 5)]
    found = gap_counts(customer_days(spark, [*often, *slow]), date(2024, 12, 31))
    assert found.times.sum() == 9
    assert found.customers.sum() == pytest.approx(2)
    assert weighted_quantile(found.days, found.times, 0.75) < 20
    assert weighted_quantile(found.days, found.customers, 0.75) == 90


def test_gaps_are_between_purchases_and_end_at_the_as_of_date(spark: SparkSession) -> None:
    """Gaps 10 and 20; a refund between them is no purchase, and March is in the future."""
    days = customer_days(
        spark,
        [
            bought("a", "2024-01-01", 5),
            bought("a", "2024-01-11", 5),
            returned("a", "2024-01-15", 5),
            bought("a", "2024-01-31", 5),
            bought("a", "2024-03-31", 5),
            bought("b", "2024-01-05", 5),
        ],
    )
    found = choose_windows(days, date(2024, 2, 29))
    assert found.gaps == 2
    assert list(found.gap_quantiles) == [10, 20, 20]
    assert found.history_days == 59
    assert "90 % within 20 days" in found.describe()


def test_nothing_bought_at_all_still_gives_windows(spark: SparkSession) -> None:
    found = choose_windows(customer_days(spark, []), date(2024, 2, 29))
    assert (found.gaps, found.history_days, found.horizon_days) == (0, 0, 7)
    assert "no repeat purchase" in found.describe()


@given(
    history=st.integers(0, 2000),
    horizon=st.integers(1, 200),
    activity=st.integers(1, 400),
    count=st.integers(1, 6),
)
def test_no_label_reaches_over_a_later_dates_features(
    history: int, horizon: int, activity: int, count: int
) -> None:
    last = date(2025, 6, 30)
    windows = ChurnWindows(horizon, activity, history, 0, (), "settings")
    grid = as_of_grid(last - timedelta(days=history), last, windows, training_dates=count)
    if grid is None:
        assert history < 3 * horizon + activity
        return
    ahead = timedelta(days=horizon)
    assert grid.test + ahead == last
    assert grid.validation + ahead <= grid.test
    assert max(grid.training) + ahead <= grid.validation
    assert 1 <= len(grid.training) <= count
    assert min(grid.training) - timedelta(days=activity) >= last - timedelta(days=history)


@given(history=st.integers(90, 4000), gap=st.integers(1, 500))
def test_windows_from_data_always_leave_room_to_train(history: int, gap: int) -> None:
    windows = windows_from_gaps(seen([gap], [1000]), history)
    last = date(2025, 6, 30)
    assert as_of_grid(last - timedelta(days=history), last, windows) is not None
