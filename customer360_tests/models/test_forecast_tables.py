"""The rows of gold/revenue_forecast and gold/customer_equity, by hand and on CDNOW."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from customer360.contracts import Contract
from customer360.gold.customer_features import customer_features
from customer360.models.lifetime_value import forecast_tables
from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.fitting import fit_bg_nbd, fit_gamma_gamma
from customer360.models.lifetime_value.scoring import LifetimeValueModel, frozen
from customer360.table_names import REVENUE_FORECAST
from customer360_tests.gold.frames import bought, customer_days
from customer360_tests.models.data import CALIBRATION_END, cdnow_calibration, cdnow_days


@pytest.fixture(scope="module")
def model() -> LifetimeValueModel:
    rows = cdnow_calibration().assign(customers=1)
    often, much = fit_bg_nbd(rows), fit_gamma_gamma(rows)
    return LifetimeValueModel(
        7, often.model, much.model, 36.0, 0.1, frozen(often.covariance), frozen(much.covariance)
    )


def test_cells_have_the_mean_of_their_customers(spark: SparkSession) -> None:
    """Two customers of one history spend 10.10 and 20.25 on their repeat; one bought once.

    In all 15.10 and 27.25, and 99 of the one, within the year as ever; two days each, and one.
    """
    rows = [
        bought("once", "2024-01-03", 99),
        bought("a", "2024-01-01", 5),
        bought("a", "2024-01-05", "10.10"),
        bought("b", "2024-01-01", 7),
        bought("b", "2024-01-05", "20.25"),
    ]
    features = customer_features(customer_days(spark, rows), [date(2024, 1, 9)])
    cells = forecast_tables.base_cells(features).toPandas().sort_values("frequency")
    columns = ["frequency", "recency", "T", "customers", "monetary_value"]
    assert cells[columns].to_numpy().tolist() == [[0, 0, 6, 1, 0.0], [1, 4, 8, 2, 15.175]]
    rules = ["net_revenue", "purchase_days_365d", "net_revenue_365d"]
    assert cells[rules].to_numpy().tolist() == [[99.0, 1.0, 99.0], [21.175, 2.0, 21.175]]


def by_day() -> pd.DataFrame:
    """Purchases of CDNOW's sample by day, beyond the calibration too."""
    days = cdnow_days().groupby("on").size()
    return pd.DataFrame({"business_date": days.index, "purchases": days.to_numpy()})


def test_new_customers_are_those_of_the_last_52_weeks() -> None:
    """364 days: ages 0 to 363; of a history of three weeks, all of it."""
    old = pd.DataFrame({"T": [0, 363, 364, 900], "customers": [52, 52, 1_000, 1_000]})
    assert forecast_tables.new_customers_a_week(old) == 2
    young = pd.DataFrame({"T": [0, 20], "customers": [10, 20]})
    assert forecast_tables.new_customers_a_week(young) == 10
    first_day = pd.DataFrame({"T": [0], "customers": [3]})
    assert forecast_tables.new_customers_a_week(first_day) == pytest.approx(21)


def test_weeks_follow_each_other_from_the_day_after(model: LifetimeValueModel) -> None:
    cells = cdnow_calibration().assign(customers=1)
    found = forecast_tables.forecast_of(model, cells, by_day(), CALIBRATION_END)
    rows = forecast_tables.revenue_forecast_rows(found, CALIBRATION_END, "ltv", "3")
    assert rows["week"].tolist() == list(range(1, 53))
    first, second = rows.iloc[0], rows.iloc[1]
    assert (first["week_start"], first["week_end"]) == (date(1997, 10, 1), date(1997, 10, 7))
    assert second["week_start"] == date(1997, 10, 8)
    assert set(rows["as_of"]) == {CALIBRATION_END}
    assert set(rows["model_name"] + rows["model_version"]) == {"ltv3"}
    # The first 39 weeks are the published total: 1,653.4 (recomputed).
    assert rows["purchases"].head(39).sum() == pytest.approx(1653.4, abs=0.1)
    for name in ("purchases", "revenue"):
        assert (rows[f"{name}_low"] < rows[name]).all()
        assert (rows[name] < rows[f"{name}_high"]).all()
    # 2,357 customers came in 39 weeks: so many are expected, with what they buy again.
    assert rows["new_purchases"].iloc[0] > 2357 / 39
    assert rows["new_purchases"].is_monotonic_increasing
    assert rows.columns.tolist() == list(Contract.load(REVENUE_FORECAST).column_names)


def test_what_came_after_the_day_is_not_looked_at(model: LifetimeValueModel) -> None:
    cells = cdnow_calibration().assign(customers=1)
    known = by_day()
    known = known[known["business_date"] <= CALIBRATION_END]
    one, other = (
        forecast_tables.forecast_of(model, cells, days, CALIBRATION_END)
        for days in (known, by_day())
    )
    pd.testing.assert_frame_equal(one.weeks, other.weeks)


def test_purchases_are_counted_by_day(spark: SparkSession) -> None:
    rows = [
        bought("a", "2024-01-03", 99),
        bought("b", "2024-01-03", 7),
        bought("b", "2024-01-05", "20.25"),
    ]
    days = forecast_tables.purchases_by_day(customer_days(spark, rows)).collect()
    assert {row["business_date"]: row["purchases"] for row in days} == {
        date(2024, 1, 3): 2,
        date(2024, 1, 5): 1,
    }


def test_the_order_of_cells_does_not_matter(model: LifetimeValueModel) -> None:
    cells = cdnow_calibration().assign(customers=1)
    one = forecast_tables.forecast_of(model, cells, by_day(), CALIBRATION_END)
    other = forecast_tables.forecast_of(model, cells.iloc[::-1], by_day(), CALIBRATION_END)
    assert one.equity == pytest.approx(other.equity, rel=1e-12)
    pd.testing.assert_frame_equal(one.weeks, other.weeks, rtol=1e-12)


def test_equity_that_is_not_known_is_null() -> None:
    """Without a discount rate the residual value may be infinite; without errors no bounds."""
    cells = cdnow_calibration().assign(customers=1)
    free = LifetimeValueModel(7, BgNbd(0.243, 4.414, 0.793, 2.426), None, 36.0, 0.0)
    row = forecast_tables.customer_equity_row(
        forecast_tables.forecast_of(free, cells, by_day(), CALIBRATION_END),
        2357,
        CALIBRATION_END,
        "ltv",
        "3",
    )
    assert row == (CALIBRATION_END, 2357, None, None, None, "ltv", "3")
