"""gold/customer_features: what is known about a customer's buying at the end of a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.gold.purchases import currency, summarise
from customer360.gold.snapshots import Inputs
from customer360.gold.terms import WINDOWS
from customer360.table_names import CUSTOMER_DAYS, FEATURES


def snapshot(given: Inputs) -> DataFrame:
    """``gold/customer_features`` of the dates asked for."""
    return customer_features(given[CUSTOMER_DAYS], given.as_of)


def customer_features(customer_days: DataFrame, as_of: Sequence[date]) -> DataFrame:
    """Features of every customer who had bought by each as-of date, all dates in one pass.

    Only rows of ``business_date`` <= as-of are read, so features at D are the same whether they
    are computed then or later. What a purchase is: see `customer360.gold.purchases`. Sums are
    of integers, so the result does not depend on the order of rows.

    Args:
        customer_days: ``silver/customer_days``; one row a customer and day.
        as_of: The days to look back from.

    Returns:
        One row an ``as_of`` and ``customer_key``. Beside the columns of ``purchase_summary``:
        ``days_since_last_purchase`` (days); ``purchase_days`` (= frequency + 1); ``orders``,
        ``items`` sold and ``refunds`` (counts); ``net_revenue`` and ``refunded`` (currency, all
        days); ``refund_rate`` (share of sold money that was refunded); ``average_order_value``
        (sold money an order, before refunds); ``purchase_days_<n>d`` and ``net_revenue_<n>d`` in
        the last n days, as_of - n excluded; ``mean_days_between_purchases`` and
        ``overdue_ratio`` (days since the last purchase over that mean), null before the second
        purchase; ``distinct_categories`` and ``distinct_channels`` of purchase days;
        ``last_category`` and ``last_channel``, the latest known. Reviews are left out: they are
        written after the sale, so a snapshot made later would know more.

    Raises:
        NoAsOfDateError: ``as_of`` is empty.
    """
    totals = summarise(customer_days, as_of, tuple(_aggregates()))
    days_since = F.date_diff("as_of", "last_purchase_on")
    mean_gap = F.when(F.col("frequency") > 0, F.col("recency") / F.col("frequency"))
    derived = {
        "days_since_last_purchase": days_since,
        "purchase_days": F.col("frequency") + 1,
        "net_revenue": currency(F.col("_net")),
        "refunded": currency(F.col("_refunded")),
        # Free orders sell for 0; nothing of nothing was refunded.
        "refund_rate": F.coalesce(F.try_divide("_refunded", "_gross"), F.lit(0.0)),
        "average_order_value": currency(F.col("_gross")) / F.col("orders"),
        "mean_days_between_purchases": mean_gap,
        "overdue_ratio": days_since / mean_gap,
    }
    windows = {f"net_revenue_{n}d": currency(F.col(f"_net_{n}d")) for n in WINDOWS}
    return totals.withColumns(derived | windows).select(*Contract.load(FEATURES).column_names)


def _aggregates() -> Iterator[Column]:
    bought = F.col("purchased_on").isNotNull()
    for name in ("orders", "items", "refunds"):
        yield F.sum(name).cast("int").alias(name)
    yield F.sum("net_revenue").alias("_net")
    yield F.sum("gross_revenue").alias("_gross")
    yield F.sum("refunded").alias("_refunded")
    for days in WINDOWS:
        inside = F.col("business_date") > F.date_sub("as_of", days)
        purchases = F.count(F.when(inside, F.col("purchased_on")))
        yield purchases.cast("int").alias(f"purchase_days_{days}d")
        revenue = F.when(inside, F.col("net_revenue")).otherwise(F.lit(0))
        yield F.sum(revenue).alias(f"_net_{days}d")
    for name, plural in (("category", "categories"), ("channel", "channels")):
        of_purchase = F.when(bought, F.col(name))
        yield F.size(F.collect_set(of_purchase)).alias(f"distinct_{plural}")
        known = F.when(F.col(name).isNotNull(), F.col("purchased_on"))
        yield F.max_by(name, known).alias(f"last_{name}")
