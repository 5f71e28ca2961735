from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from customer360.gold.purchases import (
    PURCHASE_SUMMARY,
    NoAsOfDateError,
    first_purchases,
    purchase_summary,
)
from customer360_tests.gold.frames import bought, customer_days, day, returned, rows_of


def test_the_summary_of_purchases_is_in_days_and_money(spark: SparkSession) -> None:
    days = customer_days(
        spark,
        [
            bought("repeat", "2024-01-01", 10),
            bought("repeat", "2024-01-11", 20, orders=2),
            bought("repeat", "2024-01-31", "30.50"),
            bought("once", "2024-01-31", 99),
        ],
    )
    summary = purchase_summary(days, [day("2024-02-05")])
    assert tuple(summary.columns) == PURCHASE_SUMMARY
    at = day("2024-02-05")
    assert rows_of(summary) == [
        (at, "once", day("2024-01-31"), day("2024-01-31"), 0, 0, 5, 0.0),
        (at, "repeat", day("2024-01-01"), day("2024-01-31"), 2, 30, 35, 25.25),
    ]


def test_refunds_alone_and_sales_wholly_taken_back_are_no_purchase(spark: SparkSession) -> None:
    days = customer_days(
        spark,
        [
            bought("taken back", "2024-01-01", 10, refunded=10),
            bought("taken back in part", "2024-01-01", 10, refunded=4),
            bought("more came back than was sold", "2024-01-01", 10, refunded=12),
            returned("only refunds", "2024-01-01", 5),
            bought("refund first", "2024-01-03", 10),
            returned("refund first", "2024-01-01", 5),
        ],
    )
    assert rows_of(first_purchases(days)) == [
        ("refund first", day("2024-01-03")),
        ("taken back in part", day("2024-01-01")),
    ]
    summary = purchase_summary(days, [day("2024-01-31")])
    assert rows_of(summary, "customer_key", "first_purchase_on") == rows_of(first_purchases(days))


def test_a_free_order_is_a_purchase_of_value_zero(spark: SparkSession) -> None:
    """CDNOW has customers of nothing else, and its published counts include them."""
    days = customer_days(
        spark,
        [
            bought("c", "2024-01-01", 0),
            bought("c", "2024-01-02", 0),
            bought("c", "2024-01-03", 8),
        ],
    )
    columns = ("frequency", "recency", "monetary_value")
    assert rows_of(purchase_summary(days, [day("2024-01-03")]), *columns) == [(2, 2, 4.0)]


def test_no_date_is_an_error(spark: SparkSession) -> None:
    with pytest.raises(NoAsOfDateError, match="give at least one day"):
        purchase_summary(customer_days(spark, []), [])
