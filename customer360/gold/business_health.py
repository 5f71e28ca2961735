"""gold/business_health: the business in numbers, day by day."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.gold import purchases
from customer360.table_names import HEALTH

_MONEY = "decimal(18,2)"


def business_health(
    transactions: DataFrame,
    customer_days: DataFrame,
    start: date,
    end: date,
    *,
    first_purchases: DataFrame | None = None,
) -> DataFrame:
    """One row for each business date from ``start`` to ``end``, both included, sales or none.

    Args:
        transactions: ``silver/transactions``.
        customer_days: ``silver/customer_days``.
        start: First day.
        end: Last day.
        first_purchases: ``customer_key`` and ``first_purchase_on``, one row a customer, of a day
            not before ``end``: a snapshot of ``gold/customer_features`` will do. Without it the
            whole of ``customer_days`` up to ``end`` is read to tell new customers from old.

    Returns:
        ``business_date``; ``orders``, ``refunds``, ``cancelled``, ``items`` sold (counts);
        ``gross_revenue`` (sales), ``refunded``, ``net_revenue`` (currency, anonymous sales
        included); ``anonymous_orders`` and ``anonymous_revenue`` (net), those without a
        customer; ``active_customers`` with a purchase that day, of whom ``new_customers`` with
        their first and ``returning_customers`` the others; ``average_order_value`` =
        gross_revenue / orders, null on a day without orders.
    """
    sale, refund = F.col("kind") == "sale", F.col("kind") == "refund"
    anonymous = F.col("customer_key").isNull()
    signed = F.when(sale, F.col("amount")).when(refund, -F.col("amount"))
    sales = (
        _between(transactions, start, end)
        .groupBy("business_date")
        .agg(
            F.count_if(sale).cast("int").alias("orders"),
            F.count_if(refund).cast("int").alias("refunds"),
            F.count_if(F.col("kind") == "cancelled").cast("int").alias("cancelled"),
            F.sum(F.when(sale, F.col("items"))).cast("int").alias("items"),
            _money(F.when(sale, F.col("amount"))).alias("gross_revenue"),
            _money(F.when(refund, F.col("amount"))).alias("refunded"),
            _money(signed).alias("net_revenue"),
            F.count_if(sale & anonymous).cast("int").alias("anonymous_orders"),
            _money(F.when(anonymous, signed)).alias("anonymous_revenue"),
        )
    )
    active = (
        _between(customer_days, start, end)
        .where(purchases.is_purchase())
        .groupBy("business_date")
        .agg(F.count("*").cast("int").alias("active_customers"))
    )
    if first_purchases is None:
        until_end = customer_days.where(F.col("business_date") <= F.lit(end))
        first_purchases = purchases.first_purchases(until_end)
    new = (
        first_purchases.select(F.col("first_purchase_on").alias("business_date"))
        .where(F.col("business_date").between(F.lit(start), F.lit(end)))
        .groupBy("business_date")
        .agg(F.count("*").cast("int").alias("new_customers"))
    )
    every_day = transactions.sparkSession.range((end - start).days + 1).select(
        F.date_add(F.lit(start), F.col("id").cast("int")).alias("business_date")
    )
    figures = every_day
    for part in (sales, active, new):
        # A row a day at most: always small enough to send everywhere.
        figures = figures.join(F.broadcast(part), "business_date", "left")
    columns = Contract.load(HEALTH).columns
    none = {
        column.name: F.coalesce(column.name, F.lit(0).cast(column.physical_type))
        for column in columns
        if column.name in figures.columns and column.logical_type in ("integer", "number")
    }
    return (
        figures.withColumns(none)
        .withColumns(
            {
                "returning_customers": F.col("active_customers") - F.col("new_customers"),
                "average_order_value": F.try_divide(
                    F.col("gross_revenue").cast("double"), F.col("orders")
                ),
            }
        )
        .select(*(column.name for column in columns))
    )


def _between(rows: DataFrame, start: date, end: date) -> DataFrame:
    return rows.where(F.col("business_date").between(F.lit(start), F.lit(end)))


def _money(amount: Column) -> Column:
    return F.sum(amount).cast(_MONEY)
