"""Customers counted by their history: all that a fit needs to know, and no larger for more people.

Spark counts the distinct (frequency, recency, T), and a cell's count is its weight. That is the
same maximum as one row a customer (Fader and Hardie fit CDNOW so), and only cells reach the driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

EXACT_REPEAT_BUYERS = 500_000
"""Repeat buyers up to whom every spend is a cell of its own: 12 MB on the driver."""

VALUE_STEPS = 500
"""Parts of a doubling of spend, beyond that: a seventh of a per cent each."""


@dataclass(frozen=True)
class Cells:
    """What Spark counted for one as-of date.

    Attributes:
        purchase_cells: See `purchase_cells`.
        value_cells: See `value_cells`.
    """

    purchase_cells: pd.DataFrame
    value_cells: pd.DataFrame

    @property
    def customers(self) -> int:
        """All that there are."""
        return int(self.purchase_cells["customers"].sum())

    @property
    def history_days(self) -> int:
        """Days since the first purchase of all; 0 without any."""
        ages = self.purchase_cells["T"]
        return int(ages.max()) if len(ages) else 0

    @property
    def mean_order_value(self) -> float:
        """Net revenue of a purchase day over all customers; 0 without any."""
        cells = self.purchase_cells
        purchases = float(((cells["frequency"] + 1) * cells["customers"]).sum())
        return max(float(cells["net_revenue"].sum()), 0.0) / purchases if purchases else 0.0

    @property
    def mean_rate(self) -> float:
        """Repeat purchases a customer and day; 0 without any day."""
        cells = self.purchase_cells
        days = float((cells["T"] * cells["customers"]).sum())
        return float((cells["frequency"] * cells["customers"]).sum()) / days if days else 0.0


def purchase_cells(features: DataFrame) -> DataFrame:
    """Count customers by (as_of, frequency, recency, T): what BG/NBD needs to know, exactly.

    ``net_revenue`` is the cell's sum, as a decimal so that it does not depend on the rows' order.
    """
    return features.groupBy("as_of", "frequency", "recency", "T").agg(
        F.count("*").alias("customers"),
        F.sum(F.col("net_revenue").cast("decimal(18,2)")).cast("double").alias("net_revenue"),
    )


def value_cells(features: DataFrame, *, exact: bool = True) -> DataFrame:
    """Count repeat buyers by (as_of, frequency, spend on them): for Gamma-Gamma.

    The spend is counted and not its mean: a mean rounded to cents is not the mean (rounding half
    cents up moves CDNOW's parameters in their fourth digit), and unrounded it is a cell a customer.

    Args:
        features: ``gold/customer_features``.
        exact: A cell for every spend in cents, which may be nearly one a customer. Otherwise one
            for every `VALUE_STEPS`-th part of a doubling, with its customers' mean spend: however
            many customers there are, there are no more cells than that, and the parameters keep
            five digits.
    """
    cents = F.round(F.col("monetary_value") * F.col("frequency") * 100).cast("long")
    step = cents if exact else F.floor(F.log2(F.greatest(cents, F.lit(1))) * VALUE_STEPS)
    # Refunds can leave no spend or less; such cells are counted too, and left out of the fit.
    positive = cents > 0
    return (
        features.where(F.col("frequency") > 0)
        .groupBy("as_of", "frequency", step.alias("step"), positive.alias("positive"))
        .agg(F.count("*").alias("customers"), F.sum(cents).alias("cents"))
        .select(
            "as_of",
            "frequency",
            (F.col("cents") / 100 / F.col("customers") / F.col("frequency")).alias(
                "monetary_value"
            ),
            "customers",
        )
    )


def cells_of(features: DataFrame, dates: Sequence[date]) -> dict[date, Cells]:
    """The cells of each of ``dates``, in an order that rests on them alone.

    Args:
        features: ``gold/customer_features`` of these dates.
        dates: As-of dates.
    """
    # Sorted: sums of floats depend on order, and the same data must give the same parameters.
    purchases = purchase_cells(features).toArrow().to_pandas()
    purchases = purchases.sort_values(["as_of", "frequency", "recency", "T"])
    repeat = purchases[purchases["frequency"] > 0].groupby("as_of")["customers"].sum()
    few = int(repeat.max() if len(repeat) else 0) <= EXACT_REPEAT_BUYERS
    values = value_cells(features, exact=few).toArrow().to_pandas()
    values = values.sort_values(["as_of", "frequency", "monetary_value"])
    return {
        day: Cells(
            purchases[purchases["as_of"] == day].drop(columns="as_of"),
            values[values["as_of"] == day].drop(columns="as_of"),
        )
        for day in dates
    }
