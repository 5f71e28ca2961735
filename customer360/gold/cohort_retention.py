"""gold/cohort_retention: of the customers who first bought in a month, who still buys later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from customer360.gold.purchases import NoAsOfDateError, is_purchase
from customer360.gold.snapshots import Inputs
from customer360.table_names import CUSTOMER_DAYS

_MONEY = "decimal(18,2)"


def snapshot(given: Inputs) -> DataFrame:
    """``gold/cohort_retention`` of the dates asked for."""
    return cohort_retention(given[CUSTOMER_DAYS], given.as_of)


def cohort_retention(customer_days: DataFrame, as_of: Sequence[date]) -> DataFrame:
    """Retention and revenue of every monthly cohort, as they stood on each as-of date.

    A customer belongs to the calendar month of the first purchase. Every month from that one to
    the as-of month has a row, also when nobody bought. Money moved before a customer's first
    purchase (a refund of a sale we have never seen) counts in month 0, so the revenue of all
    cohorts is that of all their customers.

    Args:
        customer_days: ``silver/customer_days``; one row a customer and day.
        as_of: The days to look back from; all come out of one pass.

    Returns:
        One row an ``as_of``, ``cohort`` (first day of the month) and ``months_since_first`` (0
        is the cohort's own month): ``customers`` in the cohort; ``active_customers``, who bought
        in that month; ``retention``, their share; ``net_revenue`` of the month (currency);
        ``cumulative_revenue_per_customer`` up to and including it (currency); ``is_partial``,
        true when the month was not over on the as-of date, so its figures can still grow.

    Raises:
        NoAsOfDateError: ``as_of`` is empty.
    """
    dates = sorted(set(as_of))
    if not dates:
        raise NoAsOfDateError("no as-of date was given; give at least one day")
    by_day = _cohort_days(customer_days.where(F.col("business_date") <= F.lit(dates[-1])))
    # From here on everything is small: at most one row a cohort and day, whatever the customers.
    known = by_day.withColumn("as_of", F.explode(F.array(*map(F.lit, dates)))).where(
        F.col("counts_on") <= F.col("as_of")
    )
    months = known.groupBy("as_of", "cohort", F.trunc("counts_on", "month").alias("month")).agg(
        F.sum("new_customers").alias("customers"),
        F.sum("newly_active").alias("active_customers"),
        F.sum("net_revenue").alias("net_revenue"),
    )
    # Gathered and spread again rather than joined: a join would compute all of the above twice.
    figures = F.struct("active_customers", "net_revenue")
    all_months = (
        months.groupBy("as_of", "cohort")
        .agg(
            F.sum("customers").alias("customers"),
            F.map_from_entries(F.collect_list(F.struct("month", figures))).alias("by_month"),
        )
        .withColumn(
            "month", F.explode(F.expr("sequence(cohort, trunc(as_of, 'month'), interval 1 month)"))
        )
        .withColumn("figures", F.col("by_month")[F.col("month")])
    )
    this_month = F.trunc("as_of", "month")
    so_far = (
        Window.partitionBy("as_of", "cohort")
        .orderBy("month")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    active = F.coalesce("figures.active_customers", F.lit(0)).cast("int")
    revenue = F.coalesce("figures.net_revenue", F.lit(0))
    return all_months.select(
        "as_of",
        "cohort",
        F.months_between("month", "cohort").cast("int").alias("months_since_first"),
        F.col("customers").cast("int").alias("customers"),
        active.alias("active_customers"),
        (active / F.col("customers")).alias("retention"),
        revenue.cast(_MONEY).alias("net_revenue"),
        (F.sum(revenue).over(so_far).cast("double") / F.col("customers")).alias(
            "cumulative_revenue_per_customer"
        ),
        ((F.col("month") == this_month) & (F.col("as_of") < F.last_day("as_of"))).alias(
            "is_partial"
        ),
    )


def _cohort_days(customer_days: DataFrame) -> DataFrame:
    """Cohorts by day: what of every later figure can be added up from days.

    Returns:
        ``cohort``, ``counts_on`` (day), ``new_customers`` (first purchases), ``newly_active``
        (customers with their first purchase of that calendar month), ``net_revenue``.
    """
    purchased_on = F.when(is_purchase(), F.col("business_date"))
    rows = customer_days.select(
        "customer_key", "business_date", "net_revenue", purchased_on.alias("purchased_on")
    )
    # Both frames share one shuffle and one sort.
    life = Window.partitionBy("customer_key").orderBy("business_date")
    whole = life.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    before = life.rowsBetween(Window.unboundedPreceding, -1)
    known = rows.withColumns(
        {
            "first": F.min("purchased_on").over(whole),
            "previous": F.max("purchased_on").over(before),
        }
    )
    month = F.trunc("purchased_on", "month")
    newly_active = F.when(F.coalesce(F.col("previous") < month, F.lit(True)), F.col("purchased_on"))
    return (
        known.where(F.col("first").isNotNull())
        .groupBy(
            F.trunc("first", "month").alias("cohort"),
            F.greatest("business_date", "first").alias("counts_on"),
        )
        .agg(
            F.count(F.when(F.col("previous").isNull(), F.col("purchased_on"))).alias(
                "new_customers"
            ),
            F.count(newly_active).alias("newly_active"),
            F.sum("net_revenue").alias("net_revenue"),
        )
    )
