"""What a purchase is, and a customer's purchases in brief as of a day: defined here only.

A *purchase* is a customer x business date on which something was sold and not all of it was taken
back: several orders on one day are one purchase, a day of refunds only is none. An order of
nothing but free items (sold for 0, nothing refunded) is a purchase too, of value 0: the published
CDNOW figures count such customers, so must we.

Source of frequency, recency, T and monetary value: Fader, Hardie and Lee 2005, "Counting Your
Customers the Easy Way", Marketing Science 24(2), 275-284; Fader and Hardie 2013,
brucehardie.com/notes/025.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customer360.errors import Customer360Error
from customer360.gold.terms import IS_PURCHASE

PURCHASE_SUMMARY = (
    "as_of",
    "customer_key",
    "first_purchase_on",
    "last_purchase_on",
    "frequency",
    "recency",
    "T",
    "monetary_value",
)
"""Columns of `purchase_summary`."""


class NoAsOfDateError(Customer360Error):
    """A snapshot was asked for without saying of which day."""


def is_purchase() -> Column:
    """True for the rows of ``silver/customer_days`` that are purchases.

    Reads ``orders``, ``refunded`` and ``net_revenue``.
    """
    return F.expr(IS_PURCHASE)


def first_purchases(customer_days: DataFrame) -> DataFrame:
    """Every customer's first purchase day.

    Args:
        customer_days: ``silver/customer_days``.

    Returns:
        ``customer_key``, ``first_purchase_on``; customers without a purchase are left out.
    """
    return (
        customer_days.where(is_purchase())
        .groupBy("customer_key")
        .agg(F.min("business_date").alias("first_purchase_on"))
    )


def purchase_summary(customer_days: DataFrame, as_of: Sequence[date]) -> DataFrame:
    """Frequency, recency, T and monetary value of every customer who had bought by ``as_of``.

    Args:
        customer_days: ``silver/customer_days``.
        as_of: Last days that may be looked at; all come out of one pass.

    Returns:
        The columns of `PURCHASE_SUMMARY`: ``frequency`` = purchase days after the first;
        ``recency`` = days from the first purchase to the last; ``T`` = days from the first
        purchase to ``as_of``; ``monetary_value`` = mean net revenue of the purchase days after
        the first, 0 when there are none.

    Raises:
        NoAsOfDateError: ``as_of`` is empty.
    """
    return summarise(customer_days, as_of, ()).select(*PURCHASE_SUMMARY)


def cents(amount: str) -> Column:
    """A decimal amount in cents as an integer: sums that are exact, whatever their order."""
    return (F.col(amount) * 100).cast("bigint")


def currency(total_cents: Column) -> Column:
    """Cents as a double amount of currency."""
    return total_cents / F.lit(100.0)


def summarise(
    customer_days: DataFrame, as_of: Sequence[date], aggregates: Sequence[Column]
) -> DataFrame:
    """Aggregate ``customer_days`` by as-of date and customer, with the purchase summary.

    One shuffle: rows are brought together by customer before they are repeated for each as-of
    date; for one date nothing is repeated and partial aggregation comes before the shuffle.

    Args:
        customer_days: ``silver/customer_days``.
        as_of: As-of dates; repeated ones count once.
        aggregates: More named aggregates over a customer's rows up to the as-of date. They may
            read every column of ``customer_days``, with the three amounts as integer cents, and
            ``as_of`` and ``purchased_on`` (the business date of a purchase, else null).

    Returns:
        The columns of `PURCHASE_SUMMARY` and of ``aggregates``.

    Raises:
        NoAsOfDateError: ``as_of`` is empty.
    """
    dates = sorted(set(as_of))
    if not dates:
        raise NoAsOfDateError("no as-of date was given; give at least one day")
    rows = customer_days.where(F.col("business_date") <= F.lit(dates[-1])).withColumns(
        {
            "purchased_on": F.when(is_purchase(), F.col("business_date")),
            "net_revenue": cents("net_revenue"),
            "gross_revenue": cents("gross_revenue"),
            "refunded": cents("refunded"),
        }
    )
    if len(dates) == 1:
        rows = rows.withColumn("as_of", F.lit(dates[0]))
    else:
        rows = (
            rows.repartition("customer_key")
            .withColumn("as_of", F.explode(F.array(*map(F.lit, dates))))
            .where(F.col("business_date") <= F.col("as_of"))
        )
    bought = F.col("purchased_on").isNotNull()
    totals = rows.groupBy("as_of", "customer_key").agg(
        F.min("purchased_on").alias("first_purchase_on"),
        F.max("purchased_on").alias("last_purchase_on"),
        F.count("purchased_on").alias("_purchases"),
        F.sum(F.when(bought, F.col("net_revenue"))).alias("_purchased"),
        F.min_by("net_revenue", "purchased_on").alias("_first_purchased"),
        *aggregates,
    )
    repeats = F.col("_purchases") - 1
    mean_repeat = currency(F.col("_purchased") - F.col("_first_purchased")) / repeats
    return (
        totals.where(F.col("_purchases") > 0)
        .withColumns(
            {
                "frequency": repeats.cast("int"),
                "recency": F.date_diff("last_purchase_on", "first_purchase_on"),
                "T": F.date_diff("as_of", "first_purchase_on"),
                "monetary_value": F.when(repeats > 0, mean_repeat).otherwise(0.0),
            }
        )
        .drop("_purchases", "_purchased", "_first_purchased")
    )
