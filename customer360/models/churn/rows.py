"""From history to labelled rows: who was active on a day, and who bought nothing after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.gold.customer_features import customer_features
from customer360.gold.purchases import is_purchase, purchase_summary
from customer360.gold.rare_values import SMALLEST_GROUP
from customer360.models import sampling
from customer360.models.churn.features import CATEGORICAL_FEATURES, NUMERIC_FEATURES
from customer360.models.windows import AsOfGrid, ChurnWindows


def labels(customer_days: DataFrame, as_of: Sequence[date], horizon_days: int) -> DataFrame:
    """Who bought in ``(D, D + horizon]``, for each of the as-of dates D.

    Args:
        customer_days: ``silver/customer_days``.
        as_of: The as-of dates.
        horizon_days: Horizon of the definition.

    Returns:
        Columns ``as_of``, ``customer_key``: one row for each customer who did buy; everybody
        else has churned.
    """
    ahead = F.date_diff("business_date", "as_of")
    return (
        customer_days.where(is_purchase() & (F.col("business_date") > F.lit(min(as_of))))
        .select(
            "customer_key",
            "business_date",
            F.explode(F.array(*(F.lit(day) for day in as_of))).alias("as_of"),
        )
        .where((ahead > 0) & (ahead <= horizon_days))
        .select("as_of", "customer_key")
        .distinct()
    )


def active(features: DataFrame, activity_days: int) -> DataFrame:
    """Rows of customers with a purchase in ``(as_of - activity_days, as_of]``."""
    return features.where(F.col("days_since_last_purchase") < activity_days)


def labelled_rows(
    customer_days: DataFrame, as_of: Sequence[date], windows: ChurnWindows
) -> DataFrame:
    """Features of the customers active at each as-of date, with ``churned`` (1 or 0).

    Args:
        customer_days: ``silver/customer_days``.
        as_of: As-of dates whose horizon has fully passed.
        windows: Horizon and activity window.
    """
    rows = active(customer_features(customer_days, as_of), windows.activity_days)
    bought = labels(customer_days, as_of, windows.horizon_days).withColumn("bought", F.lit(True))
    return rows.join(bought, ["as_of", "customer_key"], "left").withColumn(
        "churned", F.when(F.col("bought"), 0).otherwise(1).cast("int")
    )


def sampled_rows(
    rows: DataFrame, grid: AsOfGrid, max_rows: int, smallest_group: int = SMALLEST_GROUP
) -> tuple[pd.DataFrame, dict[date, int]]:
    """A bounded sample for the driver, with how many rows each date has: see `models.sampling`."""
    return sampling.sampled_rows(
        rows,
        grid,
        max_rows,
        numbers=NUMERIC_FEATURES,
        texts=CATEGORICAL_FEATURES,
        labels=("churned",),
        smallest_group=smallest_group,
    )


def history_cells(customer_days: DataFrame, as_of: date) -> pd.DataFrame:
    """All customers' histories up to ``as_of``, counted: what a model of buying is fitted to.

    Returns:
        Columns ``frequency``, ``recency`` and ``T`` (days), ``customers``; ordered, so that what
        is fitted does not depend on the order of rows.
    """
    keys = ["frequency", "recency", "T"]
    cells = (
        purchase_summary(customer_days, [as_of]).groupBy(*keys).agg(F.count("*").alias("customers"))
    )
    return cells.toArrow().to_pandas().sort_values(keys, ignore_index=True)
