"""The lines of the orders that count, of both kinds of sources that have some."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.silver import order_lines
from customer360.silver import transactions as silver
from customer360_tests.silver.frames import SECRET, deduplicated, exchanges, shown, transactions
from customer360_tests.silver.test_transactions import key_of, prepared

COLUMNS = Contract.load("silver/order_lines").column_names
SHOWN = ("order_id", "line_key", "kind", "product_id", "category", "quantity", "amount", "freight")


def test_the_lines_that_count_are_kept_as_they_are(spark: SparkSession) -> None:
    rows = prepared(
        spark,
        {"line_key": "1", "product_id": " P1 ", "category": " Toys ", "items": "2",
         "amount": "7.10", "freight": "1.50"},
        # Delivered again, and then with another product and amount: the last counts.
        {"line_key": "1", "product_id": "P1", "category": "Toys", "items": "2",
         "amount": "7.10", "freight": "1.50", "_row_hash": "2"},
        {"line_key": "2", "product_id": "P2", "items": "1", "amount": "2.00"},
        {"line_key": "2", "product_id": "P3", "items": "3", "amount": "3.00",
         "_delivered_on": "2024-03-02", "_row_hash": "3"},
        {"line_key": "3", "kind": "refund", "related_order_id": "o1", "items": None,
         "category": None, "amount": "1.00"},
    )  # fmt: skip
    kept = deduplicated(rows, lines=True)
    lines = order_lines.of_lines(kept)
    assert lines.columns == list(COLUMNS)
    assert shown(lines, *SHOWN) == [
        ("o1", "1", "sale", "P1", "Toys", "2", "7.10", "1.50"),
        ("o1", "2", "sale", "P3", "Books", "3", "3.00", None),
        ("o1", "3", "refund", None, None, None, "1.00", None),
    ]
    assert shown(silver.orders_from_lines(kept), "order_id", "kind", "amount", "items") == [
        ("o1", "refund", "1.00", None),
        ("o1", "sale", "10.10", "5"),
    ]


def test_the_orders_of_stored_lines_are_those_of_the_rows_they_were(spark: SparkSession) -> None:
    rows = prepared(
        spark,
        {"line_key": "1", "occurred_at": "2024-03-01 10:05:00", "amount": "7.10", "items": "2",
         "category": "Toys", "channel": "web", "delivered_on": "2024-03-04", "freight": "1.50",
         "installments": "2"},
        {"line_key": "2", "amount": "2.20", "channel": None, "payment_type": "cash",
         "review_score": "4", "reviewed_on": "2024-03-09", "installments": "3"},
        {"line_key": "3", "source_customer_id": None, "amount": "7.00", "category": None},
        {"line_key": "4", "kind": "refund", "amount": "7.00", "items": "3"},
        {"line_key": "5", "kind": "refund", "amount": "1.00", "related_order_id": "o1"},
    )  # fmt: skip
    kept = deduplicated(rows, lines=True)
    stored = order_lines.stored(order_lines.of_lines(kept), together=F.col("business_date"))
    made, direct = (silver.orders_from_lines(each) for each in (stored, kept))
    assert made.schema == direct.schema
    assert shown(made) == shown(direct)


def test_another_product_under_one_line_is_another_content(spark: SparkSession) -> None:
    """Nothing tells which of the two was sold: chance must not."""
    rows = prepared(
        spark,
        {"line_key": "1", "product_id": "P1"},
        {"line_key": "1", "product_id": "P2", "_row_hash": "2"},
    )
    assert shown(silver.conflicting(silver.settled(rows, lines=True)), "product_id") == [
        ("P1",),
        ("P2",),
    ]


def test_a_line_is_of_the_customer_of_its_order(spark: SparkSession) -> None:
    rows = prepared(
        spark,
        {"line_key": "1", "source_customer_id": None},
        {"line_key": "2", "source_customer_id": "c9"},
        {"order_id": "o2", "line_key": "1", "source_customer_id": None},
        {"order_id": "o2", "line_key": "2", "source_customer_id": "c9", "kind": "cancelled"},
    )
    lines = order_lines.of_lines(deduplicated(rows, lines=True))
    theirs = key_of(spark, "c9")
    assert shown(lines, "order_id", "line_key", "kind", "customer_key") == [
        ("o1", "1", "sale", theirs),
        ("o1", "2", "sale", theirs),
        # A sale and a cancellation are two orders, as in silver/transactions.
        ("o2", "1", "sale", None),
        ("o2", "2", "cancelled", theirs),
    ]


def test_orders_with_lines_beside_them_have_those(spark: SparkSession) -> None:
    orders = silver.prepared(
        transactions(
            spark,
            {"order_id": "a", "amount": "9.00"},
            {"order_id": "b", "kind": "cancelled", "amount": "4.00"},
            {"order_id": "c", "amount": "1.00"},  # of which no line is known
            {"order_id": "d", "excluded_because": "not_approved"},
            {"order_id": "e", "amount": "5.00"},
            {"order_id": "r", "kind": "refund", "related_order_id": "e", "amount": "5.00"},
        ),
        source="shop",
        secret=SECRET,
        time_zone="UTC",
    )
    stated = spark.sql(
        """
        SELECT * FROM VALUES
            ('a', '1', 'P1', ' Toys', 1, 7.5, 0.5),
            ('a', '2', 'P2', NULL, 1, 1.5, 0.0),
            ('b', '1', 'P1', 'Toys', 1, 4.0, 0.0),
            ('d', '1', 'P1', 'Toys', 1, 6.0, 0.0),
            ('e', '1', 'P3', 'Garden', 2, 5.0, 0.0),
            ('r', '1', 'P3', 'Garden', 2, 5.0, 0.0),
            ('nobody knows it', '1', 'P3', 'Garden', 2, 5.0, 0.0)
        AS lines(order_id, line_key, product_id, category, quantity, amount, freight)
        """
    )
    lines = order_lines.of_orders(deduplicated(orders), stated, source="shop", secret=b"secret")
    assert lines.columns == list(COLUMNS)
    assert shown(lines, *SHOWN) == [
        ("a", "1", "sale", "P1", "Toys", "1", "7.50", "0.50"),
        ("a", "2", "sale", "P2", None, "1", "1.50", "0.00"),
        ("b", "1", "cancelled", "P1", "Toys", "1", "4.00", "0.00"),
        ("e", "1", "sale", "P3", "Garden", "2", "5.00", "0.00"),
    ]


@pytest.mark.parametrize("partitions", [None, 3])
def test_lines_need_one_shuffle(spark: SparkSession, partitions) -> None:
    rows = prepared(spark, {"line_key": "1"}, {"line_key": "2"})
    kept = deduplicated(rows, partitions=partitions, lines=True)
    assert exchanges(order_lines.of_lines(kept)) == 1
