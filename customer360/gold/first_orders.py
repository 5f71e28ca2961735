"""gold/first_orders: what was known of a customer's first purchase at the end of a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.gold.profiles import with_profile
from customer360.gold.purchases import NoAsOfDateError, cents, currency, is_purchase
from customer360.gold.snapshots import Inputs
from customer360.table_names import FIRST_ORDERS, HISTORY, TRANSACTIONS

PROFILE = ("state", "country")
"""Columns of ``silver/customer_history`` that say where the customer lives."""


_ORDER = ("category", "channel", "payment_type", "installments", "delivered_on")
_REVIEW = ("review_score", "reviewed_on")


def snapshot(given: Inputs) -> DataFrame:
    """``gold/first_orders`` of the dates asked for."""
    return first_orders(given[TRANSACTIONS], given[HISTORY], given.as_of, time_zone=given.time_zone)


def first_orders(
    transactions: DataFrame,
    customer_history: DataFrame,
    as_of: Sequence[date],
    *,
    time_zone: str = "UTC",
) -> DataFrame:
    """The first purchase of every customer who had bought by each as-of date.

    The first purchase is that of `customer360.gold.purchases`: a business date, however many
    orders were placed on it. Money and pieces are the day's; what an order is like (category,
    payment, delivery, review) is that of the day's largest sale, ties as in
    ``silver/customer_days``. What happens to the order later is told only from the day on which
    it happened: a delivery from ``delivered_on``, a review from ``reviewed_on`` (a score without
    its day is never told), the profile from its ``valid_from``. So the rows of a day D do not
    change with what comes after D, but for this: silver keeps the newest review of an order, so
    a score that was replaced after D is missing at D when it is asked for later.

    Args:
        transactions: ``silver/transactions``.
        customer_history: ``silver/customer_history``.
        as_of: The days to look back from; repeated ones count once.
        time_zone: Where the business's days begin and end.

    Returns:
        The columns of its contract, one row an ``as_of`` and ``customer_key``:
        ``first_order_amount`` (currency,
        what was sold that day, before refunds), ``first_order_items`` (pieces; null when the
        source does not say), ``first_installments`` (payments), ``first_freight`` (currency, a
        part of the amount), ``first_freight_share`` of the amount, ``first_delivered`` (by
        as-of; false when the source tells no delivery), ``first_delivery_days`` (from the
        purchase; null until delivered), ``first_review_score`` (1 to 5).

    Raises:
        NoAsOfDateError: ``as_of`` is empty.
    """
    dates = sorted(set(as_of))
    if not dates:
        raise NoAsOfDateError("no as-of date was given; give at least one day")
    sale = F.col("kind") == "sale"
    sold, back = (
        F.coalesce(F.sum(F.when(kind, F.col("_cents"))), F.lit(0))
        for kind in (sale, F.col("kind") == "refund")
    )
    largest = F.max_by(
        F.struct(*_ORDER, *_REVIEW),
        F.when(sale, F.struct("amount", "occurred_at", "order_id", "source")),
    )
    # One shuffle: what is brought together by customer is so by customer and day too.
    days = (
        transactions.where(
            F.col("customer_key").isNotNull()
            & F.col("kind").isin("sale", "refund")
            & (F.col("business_date") <= F.lit(dates[-1]))
        )
        .withColumns({"_cents": cents("amount"), "_freight": cents("freight")})
        .repartition("customer_key")
        .groupBy("customer_key", "business_date")
        .agg(
            F.count_if(sale).alias("orders"),
            sold.alias("_sold"),
            back.alias("refunded"),
            (sold - back).alias("net_revenue"),
            F.sum(F.when(sale, F.col("items"))).cast("int").alias("items"),
            F.sum(F.when(sale, F.col("_freight"))).alias("_freight"),
            largest.alias("order"),
        )
    )
    first = (
        days.where(is_purchase())
        .groupBy("customer_key")
        .agg(
            F.min("business_date").alias("first_purchase_on"),
            F.min_by(F.struct("_sold", "items", "_freight", "order"), "business_date").alias("day"),
        )
        .select("customer_key", "first_purchase_on", "day.*")
        .withColumn("as_of", F.explode(F.array(*map(F.lit, dates))))
        .where(F.col("first_purchase_on") <= F.col("as_of"))
    )
    arrived, reviewed = F.col("order.delivered_on"), F.col("order.reviewed_on")
    delivered = F.coalesce(arrived <= F.col("as_of"), F.lit(False))
    known = {
        "first_order_amount": currency(F.col("_sold")),
        "first_order_items": F.col("items"),
        **{f"first_{name}": F.col(f"order.{name}") for name in _ORDER[:-1]},
        "first_freight": currency(F.col("_freight")),
        "first_freight_share": F.try_divide("_freight", "_sold"),
        "first_delivered": delivered,
        "first_delivery_days": F.when(delivered, F.date_diff(arrived, F.col("first_purchase_on"))),
        "first_review_score": F.when(reviewed <= F.col("as_of"), F.col("order.review_score")),
    }
    rows = first.withColumns(known)
    return with_profile(rows, customer_history, PROFILE, time_zone=time_zone).select(
        *Contract.load(FIRST_ORDERS).column_names
    )
