"""What customers brought in the days after a date: the labels of models of buying."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.gold.purchases import cents, currency, is_purchase


def outcomes(customer_days: DataFrame, as_of: Sequence[date], horizon_days: int) -> DataFrame:
    """What each customer brought in ``(D, D + horizon_days]``, for each of the as-of dates D.

    Args:
        customer_days: ``silver/customer_days``.
        as_of: The as-of dates.
        horizon_days: Days ahead.

    Returns:
        ``as_of``, ``customer_key``, ``revenue`` (currency; sales less refunds of these days, so
        a refund of an earlier sale can make it negative) and ``bought`` (1 if there was a
        purchase, else 0). Customers without a sale or refund in these days have no row.
    """
    ahead = F.date_diff("business_date", "as_of")
    return (
        customer_days.where(F.col("business_date") > F.lit(min(as_of)))
        .select(
            "customer_key",
            "business_date",
            cents("net_revenue").alias("_net"),
            is_purchase().cast("int").alias("_bought"),
            F.explode(F.array(*(F.lit(day) for day in as_of))).alias("as_of"),
        )
        .where((ahead > 0) & (ahead <= horizon_days))
        .groupBy("as_of", "customer_key")
        .agg(currency(F.sum("_net")).alias("revenue"), F.max("_bought").alias("bought"))
    )
