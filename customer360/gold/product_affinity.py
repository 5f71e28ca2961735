"""gold/product_affinity: which categories are bought together.

A basket is an order that was sold: the distinct categories of its lines. Of two categories,
*support* is the share of all baskets that hold both, *confidence* the share of the baskets of one
that hold the other as well (Agrawal and Srikant, *Fast algorithms for mining association rules*,
VLDB 1994), and *lift* how much more often they meet than if they were bought independently of each
other (*interest* in Brin, Motwani and Silverstein, *Beyond market baskets*, SIGMOD 1997). A lift of
1 says nothing; confidence alone misleads where one category is in most baskets.

A refund is a row beside its sale, so what was given back later was in the basket all the same; a
cancelled order never was one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.gold.purchases import NoAsOfDateError
from customer360.gold.snapshots import Inputs
from customer360.table_names import ORDER_LINES

PRODUCT_AFFINITY = "gold/product_affinity"

LEAST_ORDERS = 5
"""Orders that must hold a pair for it to be listed. One order more or less changes the lift of a
pair by its share of them: of fewer than five by more than a fifth, which nobody should act on."""

MOST_CATEGORIES = 100
"""Categories of the largest basket that is looked at, which is 4,950 pairs. A larger one, as of a
reseller or a stocktaking, holds half the shop: it says nothing of any two, and its pairs grow with
the square."""


def snapshot(given: Inputs) -> DataFrame:
    """``gold/product_affinity`` of the dates asked for."""
    return product_affinity(given[ORDER_LINES], given.as_of)


def product_affinity(order_lines: DataFrame, as_of: Sequence[date]) -> DataFrame:
    """How often any two categories were in one order, up to each as-of date.

    Args:
        order_lines: ``silver/order_lines``. What has no category, or is a discount on its order, is
            no part of a basket.
        as_of: The last days to look at; all come out of one pass.

    Returns:
        One row an ``as_of`` and pair (``category_a`` < ``category_b``) that at least
        `LEAST_ORDERS` orders hold: ``orders`` with a known category, ``orders_a`` with the first,
        ``orders_b`` with the second, ``orders_both``; ``support``, ``confidence_a_to_b``,
        ``confidence_b_to_a`` (shares), ``lift`` (1: as often as by chance). Orders of more than
        `MOST_CATEGORIES` categories are in none of these.

    Raises:
        NoAsOfDateError: ``as_of`` is empty.
    """
    dates = sorted(set(as_of))
    if not dates:
        raise NoAsOfDateError("no as-of date was given; give at least one day")
    # From here on at most one row a pair and day, whatever the customers and orders.
    by_day = _pairs_by_day(_baskets(order_lines, dates[-1]))
    known = by_day.withColumn("as_of", F.explode(F.array(*map(F.lit, dates)))).where(
        (F.col("counts_on") <= F.col("as_of"))
        & (F.col("until").isNull() | (F.col("until") > F.col("as_of")))
    )
    counted = known.groupBy("as_of", "category_a", "category_b").agg(
        F.sum("orders").alias("orders_both"), F.sum("baskets").alias("baskets")
    )
    itself = F.col("category_a") == F.col("category_b")
    alone = F.max(F.when(itself, F.col("orders_both")))
    figures = counted.withColumns(
        {
            "orders_a": alone.over(Window.partitionBy("as_of", "category_a")),
            "orders_b": alone.over(Window.partitionBy("as_of", "category_b")),
            "orders": F.sum("baskets").over(Window.partitionBy("as_of")),
        }
    ).where(~itself & (F.col("orders_both") >= LEAST_ORDERS))
    both = F.col("orders_both")
    return figures.withColumns(
        {
            "support": both / F.col("orders"),
            "confidence_a_to_b": both / F.col("orders_a"),
            "confidence_b_to_a": both / F.col("orders_b"),
            "lift": both * F.col("orders") / (F.col("orders_a") * F.col("orders_b")),
        }
    ).select(*Contract.load(PRODUCT_AFFINITY).column_names)


def _baskets(order_lines: DataFrame, last: date) -> DataFrame:
    """The orders sold up to ``last``, each with what of it is known on which day.

    Lines of an order may be of several days, and a basket knows only those up to an as-of date.

    Returns:
        ``bought``: ``first`` (the day from which a category is in the basket) and ``category``, by
        day, no more than `MOST_CATEGORIES`; ``until``: the day on which the basket gets more, from
        which on it is not looked at; null where it does not.
    """
    sold = order_lines.where(
        (F.col("kind") == "sale")
        & F.col("category").isNotNull()
        & (F.col("amount") >= 0)
        & (F.col("business_date") <= F.lit(last))
    )
    entered = sold.groupBy("source", "order_id", "category").agg(
        F.min("business_date").alias("first")
    )
    whole = entered.groupBy("source", "order_id").agg(
        F.array_sort(F.collect_list(F.struct("first", "category"))).alias("bought")
    )
    return whole.select(
        F.slice("bought", 1, MOST_CATEGORIES).alias("bought"),
        F.get("bought", F.lit(MOST_CATEGORIES))["first"].alias("until"),
    )


def _pairs_by_day(baskets: DataFrame) -> DataFrame:
    """How many baskets hold two categories, by the day from which they do.

    Returns:
        ``category_a``, ``category_b`` (the same one twice: that category at all), ``counts_on``,
        ``until``, ``orders`` and ``baskets`` (of these, those that this is the first of, so that
        each basket is counted once).
    """
    first = F.col("bought")[0]["category"]
    pairs = (
        baskets.select("bought", "until", F.explode("bought").alias("a"), first.alias("head"))
        .select("a", "until", "head", F.explode("bought").alias("b"))
        .where(F.col("a.category") <= F.col("b.category"))
    )
    head = (F.col("a.category") == F.col("head")) & (F.col("b.category") == F.col("head"))
    return pairs.groupBy(
        F.col("a.category").alias("category_a"),
        F.col("b.category").alias("category_b"),
        F.greatest("a.first", "b.first").alias("counts_on"),
        "until",
    ).agg(F.count(F.lit(1)).alias("orders"), F.count_if(head).alias("baskets"))
