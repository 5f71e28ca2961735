"""gold/revenue_forecast and gold/customer_equity: the whole customer base as of a day, in rows."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.gold.purchases import is_purchase
from customer360.models.lifetime_value.blend import RULE_FEATURES
from customer360.models.lifetime_value.customer_base import Forecast, forecast
from customer360.models.lifetime_value.scoring import LifetimeValueModel
from customer360.models.lifetime_value.seasons import STEADY, WEEK_DAYS, calendar_of

WEEKS = 52
"""How far ahead the forecast looks, and how far back new customers are counted."""

AMOUNTS = (
    "purchases",
    "purchases_low",
    "purchases_high",
    "revenue",
    "revenue_low",
    "revenue_high",
    "new_purchases",
    "new_revenue",
)


def base_cells(features: DataFrame) -> DataFrame:
    """Count the customers of one as-of date by history, with what they spend: for `forecast`.

    Args:
        features: ``gold/customer_features`` of one date.

    Returns:
        ``frequency``, ``recency``, ``T`` (days), ``customers`` (count), ``monetary_value`` and
        `RULE_FEATURES`, amounts below 0 taken for 0: means over the cell's customers, from sums
        of cents and days: exact in any order of rows.
    """
    spent_cents = F.round(F.col("monetary_value") * F.col("frequency") * 100).cast("bigint")
    repeats = F.col("frequency") * F.col("customers")
    # A purchase day counts for as many hundredths as a unit of currency: whole numbers both.
    hundredths = {
        name: F.sum(F.greatest(F.round(F.col(name) * 100).cast("bigint"), F.lit(0)))
        for name in RULE_FEATURES
    }
    return (
        features.groupBy("frequency", "recency", "T")
        .agg(
            F.count("*").alias("customers"),
            F.sum(spent_cents).alias("cents"),
            *(total.alias(name) for name, total in hundredths.items()),
        )
        .withColumn(
            "monetary_value",
            F.when(F.col("frequency") > 0, F.col("cents") / 100 / repeats).otherwise(0.0),
        )
        .withColumns({name: F.col(name) / 100 / F.col("customers") for name in RULE_FEATURES})
        .drop("cents")
    )


def new_customers_a_week(cells: pd.DataFrame) -> float:
    """Mean weekly number of first purchases over the last 52 weeks, or over all there are.

    Args:
        cells: As of `base_cells`; not empty.
    """
    age = cells["T"]
    weeks = min(WEEKS, (int(age.max()) + 1) / WEEK_DAYS)
    recent = age < weeks * WEEK_DAYS
    return float(cells.loc[recent, "customers"].sum()) / weeks


def purchases_by_day(customer_days: DataFrame) -> DataFrame:
    """``business_date`` and ``purchases``: how many customers bought on each day.

    Args:
        customer_days: ``silver/customer_days``.
    """
    return (
        customer_days.where(is_purchase())
        .groupBy("business_date")
        .agg(F.count("*").alias("purchases"))
    )


def forecast_of(
    model: LifetimeValueModel, cells: pd.DataFrame, by_day: pd.DataFrame, as_of: date
) -> Forecast:
    """The coming `WEEKS` weeks of these customers, and of new ones at the rate of late.

    Args:
        model: With a fitted model of purchases.
        cells: As of `base_cells`; not empty.
        by_day: As of `purchases_by_day`; days after ``as_of`` are not looked at.
        as_of: Last day of the history.

    Raises:
        NotFittedError: The model's purchases are the past-average fallback.
    """
    # Sorted: sums of floats depend on order, and the same data must give the same forecast.
    ordered = cells.sort_values(["frequency", "recency", "T"], ignore_index=True)
    calendar = STEADY
    if model.purchases is not None:
        firsts = ordered.groupby("T")["customers"].sum()
        calendar = calendar_of(
            model.purchases, model.time_unit_days, firsts, _days_ago(by_day, as_of), as_of
        )
    grown = model.at(int(ordered["T"].max()))
    return forecast(grown, ordered, new_customers_a_week(ordered), WEEKS, calendar, as_of)


def _days_ago(by_day: pd.DataFrame, as_of: date) -> pd.Series:
    """Purchases by how many days before ``as_of`` they were."""
    ago = (pd.Timestamp(as_of) - pd.to_datetime(by_day["business_date"])).dt.days
    purchases = pd.Series(by_day["purchases"].to_numpy(), index=ago.to_numpy())
    return purchases[purchases.index >= 0]


def revenue_forecast_rows(
    forecast: Forecast, as_of: date, model_name: str, model_version: str
) -> pd.DataFrame:
    """The rows of gold/revenue_forecast, in the columns of its contract."""
    rows = forecast.weeks[["week", *AMOUNTS]].copy()
    week = rows["week"].tolist()
    rows.insert(0, "as_of", as_of)
    rows.insert(2, "week_start", [as_of + timedelta(days=WEEK_DAYS * (n - 1) + 1) for n in week])
    rows.insert(3, "week_end", [as_of + timedelta(days=WEEK_DAYS * n) for n in week])
    return rows.assign(model_name=model_name, model_version=model_version)


def customer_equity_row(
    forecast: Forecast, customers: int, as_of: date, model_name: str, model_version: str
) -> tuple[date, int, float | None, float | None, float | None, str, str]:
    """The row of gold/customer_equity; null where nothing is known: see `Forecast`."""
    equity, low, high = (
        float(value) if np.isfinite(value) else None
        for value in (forecast.equity, forecast.equity_low, forecast.equity_high)
    )
    return as_of, customers, equity, low, high, model_name, model_version
