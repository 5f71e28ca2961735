"""What leaves the lakehouse: keyed hashes of orders' ids, and no text that few customers share."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from customer360.contracts import Contract
from customer360.contracts.spark import spark_schema
from customer360.deployment import Deployment
from customer360.gold.product_affinity import PRODUCT_AFFINITY
from customer360.lakehouse.tables import Lakehouse
from customer360.pipeline.published_rows import published_rows, rules_of
from customer360.pipeline.workspace import Workspace
from customer360.settings import load_settings
from customer360.table_names import CUSTOMER_360, ORDER_LINES, TRANSACTIONS
from customer360_tests.stored import put

FIRST, SECOND = date(2024, 1, 1), date(2024, 2, 1)


def workspace(spark: SparkSession, home: Path, smallest: int = 2) -> Workspace:
    settings = load_settings(home, published_group_min=smallest, customer_key_secret="secret")
    return Workspace(Lakehouse(spark, settings.lakehouse_root), Deployment.of(settings), "run")


def rows_of(spark: SparkSession, table: str, *rows: dict[str, Any]) -> DataFrame:
    names = Contract.load(table).column_names
    full = [tuple(row.get(name) for name in names) for row in rows]
    schema = spark_schema(Contract.load(table))
    for field in schema.fields:
        field.nullable = True
    return spark.createDataFrame(full, schema)


def test_an_order_has_a_key_of_its_own_and_a_refund_refers_to_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    work = workspace(spark, tmp_path)
    rows = rows_of(
        spark,
        TRANSACTIONS,
        {"source": "shop", "order_id": "1", "customer_key": "a", "category": "books"},
        {"source": "shop", "order_id": "R", "related_order_id": "1", "category": "books"},
        {"source": "web", "order_id": "1", "customer_key": "b", "category": "gift for Ana"},
    )
    put(work.lakehouse, TRANSACTIONS, rows)
    some = rows.where("source = 'shop' OR category <> 'books'")
    with published_rows(work, TRANSACTIONS, some, 0) as published:
        sale, refund, other = sorted(
            published.collect(),
            key=lambda row: (row["source"], row["related_order_id"] is not None),
        )
    assert len(sale["order_id"]) == 64
    assert refund["related_order_id"] == sale["order_id"]
    assert len({sale["order_id"], refund["order_id"], other["order_id"]}) == 3
    # A sale without a customer is somebody's: two buy books.
    assert [row["category"] for row in (sale, refund, other)] == ["books", "books", "other"]


def test_of_a_snapshot_customers_are_counted_on_its_day(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = rows_of(
        spark,
        CUSTOMER_360,
        {"as_of": FIRST, "customer_key": "a", "city": "Recife", "state": "PE"},
        {"as_of": FIRST, "customer_key": "b", "city": "Olinda", "state": "PE"},
        {"as_of": SECOND, "customer_key": "a", "city": "Recife", "state": "PE"},
        {"as_of": SECOND, "customer_key": "b", "city": "Recife", "state": "PE"},
        {"as_of": SECOND, "customer_key": "c", "city": "Belém", "state": "PA"},
    )
    with published_rows(workspace(spark, tmp_path), CUSTOMER_360, rows, 0) as found:
        assert found.columns == list(Contract.load(CUSTOMER_360).column_names)
        shown = found.select("as_of", "customer_key", "city", "state").collect()
    assert sorted(map(tuple, shown)) == [
        (FIRST, "a", "PE", "PE"),
        (FIRST, "b", "PE", "PE"),
        (SECOND, "a", "Recife", "PE"),
        (SECOND, "b", "Recife", "PE"),
        (SECOND, "c", "other", "other"),
    ]


def test_a_category_that_few_buy_is_in_no_pair(spark: SparkSession, tmp_path: Path) -> None:
    work = workspace(spark, tmp_path)
    lines = [
        {"customer_key": key, "category": category}
        for key, category in (
            ("a", "books"),
            ("b", "books"),
            ("a", "toys"),
            ("b", "toys"),
            ("a", "gift for Ana"),
            ("a", "gift for Ana"),
        )
    ]
    put(work.lakehouse, ORDER_LINES, rows_of(spark, ORDER_LINES, *lines))
    pairs = rows_of(
        spark,
        PRODUCT_AFFINITY,
        {"category_a": "books", "category_b": "toys"},
        {"category_a": "books", "category_b": "gift for Ana"},
    )
    with published_rows(work, PRODUCT_AFFINITY, pairs, 0) as published:
        found = published.select("category_a", "category_b").collect()
    assert list(map(tuple, found)) == [("books", "toys")]


@pytest.mark.parametrize("table", [TRANSACTIONS, CUSTOMER_360])
def test_other_rules_publish_all_anew(spark: SparkSession, tmp_path: Path, table: str) -> None:
    assert rules_of(workspace(spark, tmp_path, 2), table) != rules_of(
        workspace(spark, tmp_path, 3), table
    )


def test_of_groups_of_one_nothing_is_changed(spark: SparkSession, tmp_path: Path) -> None:
    rows = rows_of(spark, CUSTOMER_360, {"as_of": FIRST, "customer_key": "a", "city": "Recife"})
    with published_rows(workspace(spark, tmp_path, 1), CUSTOMER_360, rows, 0) as published:
        assert [row["city"] for row in published.collect()] == ["Recife"]
