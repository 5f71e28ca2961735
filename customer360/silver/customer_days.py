"""silver/customer_days: what a customer did on a business day; all features are made from it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customer360.silver.transactions import TOGETHER


def customer_days(
    transactions: DataFrame, *, together: Column | None = None, partitions: int | None = None
) -> DataFrame:
    """One row for each customer and business date with a sale or a refund.

    Anonymous sales have no customer and cancelled orders never happened, so neither counts.
    A refund reduces the revenue of the day it was given on, not of the day of the sale.

    Rows are brought together by day before they are aggregated, so that the one shuffle also
    gives the writer one file a day, already in order.

    Args:
        transactions: Rows of ``silver/transactions``.
        together: What the rows of one file have in common, a function of ``business_date``; the
            date itself when not given.
        partitions: Tasks to spread the files over; None leaves it to the session.

    Returns:
        Columns of ``silver/customer_days``: ``orders`` and ``refunds`` are counts, ``items`` the
        items sold, ``gross_revenue`` the sales, ``net_revenue`` = ``gross_revenue`` -
        ``refunded``, ``channel`` and ``category`` those of the largest sale (null on a day of
        refunds only; the later, then the greater order id, wins a tie), ``review_score`` the
        mean over the day's reviewed sales.
    """
    sale = F.col("kind") == "sale"
    refund = F.col("kind") == "refund"
    largest = F.max_by(
        F.struct("channel", "category"),
        F.when(sale, F.struct("amount", "occurred_at", "order_id", "source")),
    )
    rows = transactions.where(F.col("customer_key").isNotNull() & (sale | refund)).select(
        "business_date",
        "customer_key",
        "source",
        "order_id",
        "kind",
        "occurred_at",
        "amount",
        "items",
        "channel",
        "category",
        "review_score",
    )
    named = rows.withColumn(TOGETHER, F.col("business_date") if together is None else together)
    by_file = (
        named.repartition(TOGETHER)
        if partitions is None
        else named.repartition(partitions, TOGETHER)
    )
    days = by_file.groupBy(TOGETHER, "business_date", "customer_key").agg(
        F.count_if(sale).cast("int").alias("orders"),
        F.count_if(refund).cast("int").alias("refunds"),
        F.coalesce(F.sum(F.when(sale, F.col("items"))), F.lit(0)).cast("int").alias("items"),
        _money(sale).alias("gross_revenue"),
        _money(refund).alias("refunded"),
        largest.alias("largest"),
        F.avg(F.when(sale, F.col("review_score"))).alias("review_score"),
    )
    return days.select(
        "customer_key",
        "business_date",
        "orders",
        "refunds",
        "items",
        "gross_revenue",
        "refunded",
        (F.col("gross_revenue") - F.col("refunded")).cast("decimal(18,2)").alias("net_revenue"),
        F.col("largest.channel").alias("channel"),
        F.col("largest.category").alias("category"),
        "review_score",
    )


def _money(condition: Column) -> Column:
    total = F.sum(F.when(condition, F.col("amount")))
    return F.coalesce(total, F.lit(0)).cast("decimal(18,2)")
