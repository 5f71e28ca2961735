"""Rows that a database only marks as deleted, in every notation that people use."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.bronze import ingest
from customer360.lakehouse.tables import Lakehouse
from customer360.pipeline.workspace import Workspace
from customer360.sources.postgres.copying import DatabaseSourceError
from customer360_tests.cases.shop import Shop, deployment_of
from customer360_tests.shop_database import Shop as Database

JUNE = (date(2024, 6, 1), date(2024, 6, 30))

MAPPING = """
name: desk
table: tickets
time_zone: Europe/Lisbon
currency: EUR
grain: orders
closed: true
columns: {order_id: id, customer_id: who, occurred_at: at, amount: sum}
deletes: {column: mark}
"""

# Type, and what stands in the rows 1 to 4: the third is deleted.
NOTATIONS = {
    "boolean": ("boolean", "false", "NULL", "true", "false"),
    "time": ("timestamptz", "NULL", "'infinity'", "'2024-06-09 10:00+00'", "NULL"),
    "day": ("date", "NULL", "'9999-12-31'", "'2024-06-09'", "NULL"),
    "zero_and_one": ("smallint", "0", "0", "1", "NULL"),
    "second_of_deletion": ("bigint", "0", "0", "1717927200", "0"),
    "decimal": ("numeric(3,1)", "0.0", "0", "1.0", "NULL"),
    "n_and_y": ("char(1)", "'N'", "'n'", "'Y'", "''"),
    "no_and_yes": ("text", "'no'", "' No '", "'YES'", "NULL"),
    "f_and_t": ("varchar(5)", "'f'", "'F'", "'t'", "'false'"),
    "blank_or_x": ("text", "''", "' '", "'x'", "NULL"),
    "time_as_text": ("text", "''", "'0000-00-00 00:00:00'", "'2024-06-09 10:00:00'", "NULL"),
    "number_as_text": ("text", "'0'", "'0'", "'1'", "''"),
}


def filled(database: Database, kind: str, *marks: str) -> None:
    database.run(
        f"CREATE TABLE tickets (id int PRIMARY KEY, who text, at timestamptz, sum numeric, "
        f"mark {kind})",
        *(
            f"INSERT INTO tickets VALUES ({n}, 'ann', '2024-06-0{n} 12:00+00', {n}0, {mark})"
            for n, mark in enumerate(marks, start=1)
        ),
    )


def opened(spark: SparkSession, folder: Path, database: Database, mapping: str) -> Shop:
    source = database.source(mapping)
    lakehouse = Lakehouse(spark, folder / "lakehouse")
    return Shop(Workspace(lakehouse, deployment_of(source, folder, *JUNE), "test"), folder)


@pytest.mark.parametrize("notation", NOTATIONS)
def test_the_third_row_alone_is_deleted(spark: SparkSession, shop: Database, notation: str) -> None:
    kind, *marks = NOTATIONS[notation]
    filled(shop, kind, *marks)
    source = shop.source(MAPPING)
    (table,) = source.tables
    with source.poll(spark, table, None) as poll:
        now = datetime.now(UTC)
        received = ingest.received(poll.raw, source.contract(table), ingested_at=now, run_id="test")
        bronze = ingest.accepted(received, source.contract(table))
        staged = source.staged_transactions({table: bronze}).orderBy("order_id").collect()
    assert [(row.order_id, row.excluded_because) for row in staged] == [
        ("1", None),
        ("2", None),
        ("3", "deleted_at_source"),
        ("4", None),
    ]


def test_a_word_that_says_neither_is_asked_about(
    spark: SparkSession, tmp_path: Path, shop: Database
) -> None:
    filled(shop, "text", "'open'", "'closed'", "'binned'", "''")
    desk = opened(spark, tmp_path, shop, MAPPING)
    with pytest.raises(DatabaseSourceError) as error:
        desk.load()
    said = str(error.value)
    assert "'binned', 'closed', 'open' in mark (deletes)" in said
    assert "deletes: {column: mark, equals: [...]}" in said
    assert "\n" not in said


def test_the_mapping_names_the_words_that_mark_a_row(
    spark: SparkSession, tmp_path: Path, shop: Database
) -> None:
    filled(shop, "text", "'open'", "'closed'", "'Binned'", "''")
    named = MAPPING.replace("{column: mark}", "{column: mark, equals: [binned, gone]}")
    desk = opened(spark, tmp_path, shop, named)
    desk.load()
    assert desk.net() == Decimal("70.00")


def test_a_row_marked_later_leaves_its_day(
    spark: SparkSession, tmp_path: Path, shop: Database
) -> None:
    filled(shop, "smallint", "0", "0", "0", "0")
    desk = opened(spark, tmp_path, shop, MAPPING)
    desk.load()
    assert desk.net() == Decimal("100.00")
    shop.run("UPDATE tickets SET mark = 1 WHERE id = 2", "UPDATE tickets SET sum = 5 WHERE id = 4")
    desk.load(date(2024, 6, 29))
    assert desk.net() == Decimal("45.00")
    shop.run("UPDATE tickets SET mark = 0, at = '2024-06-20 12:00+00' WHERE id = 2")
    desk.load(date(2024, 6, 29))
    assert [row[:2] for row in desk.orders()][-1] == ("2024-06-20", "2")
    assert desk.net() == Decimal("65.00")
