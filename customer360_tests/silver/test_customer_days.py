from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession

from customer360.contracts import Contract
from customer360.silver import transactions as silver
from customer360.silver.customer_days import customer_days
from customer360_tests.silver.frames import SECRET, deduplicated, exchanges, shown, transactions
from customer360_tests.silver.test_transactions import key_of

COLUMNS = Contract.load("silver/customer_days").column_names


def orders(spark: SparkSession, *rows: Mapping[str, str | None]) -> DataFrame:
    staged = transactions(spark, *rows)
    rows_ = silver.prepared(staged, source="shop", secret=SECRET, time_zone="UTC")
    return silver.orders(deduplicated(rows_))


def test_a_customers_day_is_summed(spark: SparkSession) -> None:
    days = customer_days(
        orders(
            spark,
            {"order_id": "a", "amount": "10.10", "items": "2", "channel": "web",
             "category": "Books", "review_score": "5"},
            {"order_id": "b", "amount": "30.20", "items": "1", "channel": "app",
             "category": "Toys", "review_score": "2"},
            {"order_id": "c", "amount": "5.00", "items": None, "review_score": None},
            {"order_id": "r", "kind": "refund", "amount": "4.05", "items": "1", "channel": "store",
             "review_score": "1"},
        )
    )  # fmt: skip
    assert days.columns == list(COLUMNS)
    assert shown(days) == [
        (key_of(spark, "c1"), "2024-03-01", "3", "1", "3", "45.30", "4.05", "41.25", "app", "Toys",
         "3.5"),
    ]  # fmt: skip
    assert [days.schema[name].dataType.simpleString() for name in COLUMNS[2:8]] == [
        "int", "int", "int", "decimal(18,2)", "decimal(18,2)", "decimal(18,2)",
    ]  # fmt: skip


def test_a_refund_counts_on_its_own_day(spark: SparkSession) -> None:
    days = customer_days(
        orders(
            spark,
            {"order_id": "a", "amount": "10.00"},
            {"order_id": "a", "kind": "refund", "amount": "10.00",
             "occurred_at": "2024-03-08 09:00:00"},
        )
    )  # fmt: skip
    assert shown(days, *COLUMNS[1:]) == [
        ("2024-03-01", "1", "0", "1", "10.00", "0.00", "10.00", "web", "Books", None),
        ("2024-03-08", "0", "1", "0", "0.00", "10.00", "-10.00", None, None, None),
    ]


def test_anonymous_and_cancelled_orders_make_no_customer_day(spark: SparkSession) -> None:
    days = customer_days(
        orders(
            spark,
            {"order_id": "a", "source_customer_id": None},
            {"order_id": "b", "kind": "cancelled"},
            {"order_id": "c", "source_customer_id": "c2", "amount": "1.00"},
            {"order_id": "d", "source_customer_id": "c2", "kind": "cancelled", "amount": "99.00",
             "category": "Cars"},
        )
    )  # fmt: skip
    assert shown(days, "customer_key", "orders", "net_revenue", "category") == [
        (key_of(spark, "c2"), "1", "1.00", "Books")
    ]


def test_of_two_largest_sales_the_later_names_the_day(spark: SparkSession) -> None:
    same = [
        {"order_id": "z", "amount": "5.00", "channel": "early"},
        {"order_id": "a", "amount": "5.00", "channel": "late",
         "occurred_at": "2024-03-01 11:00:00"},
        {"order_id": "b", "amount": "5.00", "channel": "later id",
         "occurred_at": "2024-03-01 11:00:00"},
    ]  # fmt: skip
    for rows in (same, same[::-1]):
        assert shown(customer_days(orders(spark, *rows)), "channel") == [("later id",)]


def test_customers_and_days_stay_apart_in_one_shuffle(spark: SparkSession) -> None:
    rows = orders(
        spark,
        {"order_id": "a"},
        {"order_id": "b", "source_customer_id": "c2"},
        {"order_id": "c", "occurred_at": "2024-03-02 00:00:00"},
    )
    assert len(shown(customer_days(rows, partitions=3))) == 3
    stored = spark.createDataFrame(rows.collect(), rows.schema)
    assert exchanges(customer_days(stored, partitions=3)) == 1
