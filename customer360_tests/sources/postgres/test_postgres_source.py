"""A real server's rows: exact as texts, each once however they are sliced, of one state."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo
from pyspark.sql import DataFrame, SparkSession

from customer360.contracts.checks import keeps_every_rule, with_violations
from customer360.errors import Customer360Error, SettingsError
from customer360.sources.postgres import PostgresSource
from customer360.sources.postgres.copying import DatabaseSourceError
from customer360.sources.postgres.database import Database
from customer360_tests.shop_database import Shop

ORDERS = """
name: shop
table: orders
time_zone: America/Sao_Paulo
currency: BRL
grain: orders
columns: {order_id: id, customer_id: buyer, occurred_at: placed_at, amount: total}
"""
TABLE = (
    "CREATE TABLE orders (id int PRIMARY KEY, buyer text, placed_at timestamptz, "
    "total numeric(12,2))"
)


def looked(spark: SparkSession, source: PostgresSource) -> list[dict[str, Any]]:
    with source.poll(spark, source.transactions_table, None) as poll:
        rows = [row.asDict() for row in poll.raw.collect()]
        assert poll.rows == len(rows)
    return rows


def test_every_type_arrives_as_it_is(spark: SparkSession, shop: Shop) -> None:
    """Whatever the server's own settings are, the texts are these."""
    shop.run(
        "ALTER DATABASE " + shop.connection.info.dbname + " SET TimeZone = 'Asia/Tokyo'",
        "ALTER DATABASE " + shop.connection.info.dbname + " SET DateStyle = 'German, DMY'",
        "ALTER DATABASE " + shop.connection.info.dbname + " SET extra_float_digits = -15",
        "ALTER DATABASE " + shop.connection.info.dbname + " SET bytea_output = 'escape'",
        "CREATE TYPE mood AS ENUM ('glad')",
        """CREATE TABLE orders (id int, placed_at timestamptz, total numeric, local timestamp,
            day date, flag boolean, float float8, bytes bytea, words text, padded char(5),
            cash money, doc jsonb, list text[], span interval, mood mood, big bigint, id2 uuid,
            "Odd ""name"" %s" text)""",
        """INSERT INTO orders VALUES (1, '2024-03-10 23:30:00.123456-03', 12345678901234567890.10,
            '2024-02-29 01:02:03.5', '0099-12-31', true, 0.1::float8 + 0.2::float8, '\\x00ff41',
            E'a "quoted",\\nline\\r\\n\\ttab \\\\N \\\\ é ☃ ', 'ab', 1234.5, '{"a": [1, null]}',
            '{x,"y z"}', '1 day 2 hours', 'glad', 9223372036854775807,
            '00000000-0000-0000-0000-00000000000a', 'odd')""",
        "INSERT INTO orders (id, words, flag) VALUES (2, '', false), (3, NULL, NULL)",
    )
    keep = (
        "[local, day, flag, float, bytes, words, padded, cash, doc, list, span, mood, big, id2, "
        "'Odd \"name\" %s']"
    )
    mapping = ORDERS.replace("customer_id: buyer, ", "") + f"keep: {keep}\n"
    first, second, third = sorted(looked(spark, shop.source(mapping)), key=lambda row: row["id"])
    assert first == {
        "id": "1",
        "placed_at": "2024-03-11 02:30:00.123456Z",
        "total": "12345678901234567890.10",
        "local": "2024-02-29 01:02:03.5",
        "day": "0099-12-31",
        "flag": "true",
        "float": "0.30000000000000004",
        "bytes": "\\x00ff41",
        "words": 'a "quoted",\nline\r\n\ttab \\N \\ é ☃ ',
        "padded": "ab",
        "cash": "1234.50",
        "doc": '{"a": [1, null]}',
        "list": '{x,"y z"}',
        "span": "P1DT2H",
        "mood": "glad",
        "big": "9223372036854775807",
        "id2": "00000000-0000-0000-0000-00000000000a",
        'Odd_"name"_%s': "odd",
        "_rescued": None,
        "_source_file": "orders",
        "_delivered_on": None,
        "_corrupt_record": None,
    }
    assert (second["words"], second["flag"]) == ("", "false")
    assert (third["words"], third["flag"], third["placed_at"]) == (None, None, None)


@pytest.mark.parametrize(
    ("partition_by", "slices"),
    [("id", 5), ("buyer", 3), ("total", 5), ("placed_at", 5), ("day", 5), ("alike", 2), (None, 5)],
)
def test_each_row_is_read_once_however_it_is_sliced(
    spark: SparkSession, shop: Shop, partition_by: str | None, slices: int
) -> None:
    shop.run(
        TABLE,
        "ALTER TABLE orders ADD day date, ADD alike int DEFAULT 7, ADD filler text",
        "ALTER TABLE orders ALTER filler SET STORAGE PLAIN",  # so that there are pages to slice
        """INSERT INTO orders SELECT n, nullif('buyer ' || n % 3, 'buyer 1'),
            nullif('2024-01-01'::timestamptz + n * interval '1 hour', '2024-01-03 00:00+00'),
            nullif(n, 40) * 1.5, '2024-01-01'::date + n, 7, repeat('x', 2000)
            FROM generate_series(1, 2000) AS n""",
        "VACUUM ANALYZE orders",
    )
    by = f"partition_by: {partition_by}\n" if partition_by else ""
    source = shop.source(ORDERS + f"{by}partitions: 5\n")
    with source.database.state(source.mapping) as state:
        assert len(state.slices()) == slices
    assert sorted(int(row["id"]) for row in looked(spark, source)) == list(range(1, 2001))


def test_all_slices_see_the_state_at_the_look(spark: SparkSession, shop: Shop) -> None:
    shop.run(TABLE, "INSERT INTO orders SELECT n, 'ann', now(), n FROM generate_series(1, 50) n")
    source = shop.source(ORDERS + "partition_by: id\n")
    with source.poll(spark, source.transactions_table, None) as poll:
        shop.run("DELETE FROM orders WHERE id > 10", "UPDATE orders SET total = 0")
        rows = poll.raw.collect()
    assert poll.rows == 50
    assert sum(Decimal(row["total"]) for row in rows) == 50 * 51 / 2


def test_instants_and_local_times_become_the_same_hours(spark: SparkSession, shop: Shop) -> None:
    """An instant stays one, also in the hour that the clock shows twice; local time has a zone."""
    shop.run(
        "CREATE TABLE orders (id int, buyer text, placed_at timestamptz, total numeric)",
        """INSERT INTO orders VALUES
            (1, 'ann', '2018-02-17 23:30-02', 10),  -- the clock is put back at midnight
            (2, 'ann', '2018-02-17 23:30-03', 20)""",
        """CREATE VIEW locally AS SELECT id, buyer, total,
            timestamp '2018-06-01 21:00' AS placed_at FROM orders""",
    )

    def staged(source: PostgresSource) -> list[tuple[Any, ...]]:
        with source.poll(spark, source.transactions_table, None) as poll:
            rows = source.staged_transactions(
                {source.transactions_table: poll.raw.selectExpr("*", "1L AS _row_hash")}
            )
            return sorted((r.order_id, r.occurred_at, r.amount) for r in rows.collect())

    assert staged(shop.source(ORDERS)) == [
        ("1", dt.datetime(2018, 2, 18, 1, 30), Decimal("10.00")),
        ("2", dt.datetime(2018, 2, 18, 2, 30), Decimal("20.00")),
    ]
    local = staged(shop.source(ORDERS.replace("table: orders", "table: public.locally")))
    assert {time for _, time, _ in local} == {dt.datetime(2018, 6, 2, 0, 0)}
    assert str(shop.source(ORDERS).available()) == "2018-02-17"


def test_a_query_may_join_cast_and_name(spark: SparkSession, shop: Shop) -> None:
    shop.run(
        "CREATE TABLE heads (id int, placed text, status text)",
        "CREATE TABLE lines (head int, line int, pieces int, price numeric, sent timestamptz)",
        "INSERT INTO heads VALUES (1, '31.01.2024 10:00', 'ok'), (2, '01.02.2024 10:00', 'void')",
        """INSERT INTO lines VALUES (1, 1, 2, 5, '2024-02-02 01:00+00'), (1, 2, 1, 7.25, NULL),
            (2, 1, 1, 3, NULL)""",
    )
    source = shop.source("""
name: shop
query: |
  SELECT h.id, h.status, l.*, to_timestamp(h.placed, 'DD.MM.YYYY HH24:MI')::timestamp AS placed_at
  FROM heads h JOIN lines l ON l.head = h.id   -- with a comment;
time_zone: America/Sao_Paulo
currency: BRL
grain: lines
partition_by: id
columns: {order_id: id, line_id: line, occurred_at: placed_at, quantity: pieces,
          unit_price: price, delivered_on: sent}
cancellations: [{column: status, equals: void, kind: cancelled}]
""")
    with source.poll(spark, "shop_postgres_lines", None) as poll:
        raw = poll.raw.cache()
        assert good(raw, source) == 3
        found = source.staged_transactions(
            {"shop_postgres_lines": raw.selectExpr("*", "1L AS _row_hash")}
        ).collect()
    assert sorted((r.order_id, r.line_key, r.kind, r.amount, r.delivered_on) for r in found) == [
        # One in the morning in UTC is the evening before in São Paulo.
        ("1", "1", "sale", Decimal("10.00"), dt.date(2024, 2, 1)),
        ("1", "2", "sale", Decimal("7.25"), None),
        ("2", "1", "cancelled", Decimal("3.00"), None),
    ]


def good(raw: DataFrame, source: PostgresSource) -> int:
    contract = source.contract(source.transactions_table)
    return with_violations(raw, contract).where(keeps_every_rule(contract)).count()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("currency", "watermark: {column: buyer}\ncurrency"), r"buyer \(watermark\) as text, whi"),
        (("table: orders", "query: SELECT * FROM secret"), "permission denied .*; GRANT SELECT on"),
    ],
)
def test_what_is_wrong_is_named(
    spark: SparkSession, shop: Shop, change: tuple[str, str], said: str
) -> None:
    role = f"reader_of_{shop.connection.info.dbname}"
    shop.run(
        TABLE,
        "CREATE TABLE secret AS SELECT * FROM orders",
        f"CREATE ROLE {role} LOGIN",
        f"GRANT SELECT ON orders TO {role}",
    )
    source = shop.source(ORDERS.replace(*change), make_conninfo(shop.url, user=role))
    with (
        pytest.raises(DatabaseSourceError, match=said) as error,
        source.poll(spark, source.transactions_table, None),
    ):
        pass
    assert "\n" not in str(error.value)
    assert "of shop" in str(error.value)


def test_a_server_that_is_not_there_is_named_without_the_password(spark: SparkSession) -> None:
    database = Database.of_url("postgresql://me:s3cret@127.0.0.1:1/shop")
    assert "s3cret" not in repr(database)
    source = Shop("", None).source(ORDERS, "postgresql://me:s3cret@127.0.0.1:1/shop")  # type: ignore[arg-type]
    with pytest.raises(DatabaseSourceError, match=r"127\.0\.0\.1/shop: .*refused") as error:
        source.available()
    assert "s3cret" not in str(error.value)
    with pytest.raises(SettingsError) as wrong:
        Database.of_url("postgresql://me:s3cret@[host/shop")
    assert "s3cret" not in str(wrong.value)


def test_what_fails_on_an_executor_is_one_line(spark: SparkSession, shop: Shop) -> None:
    shop.run(TABLE, "INSERT INTO orders VALUES (1, 'ann', now(), 1)")
    source = shop.source(
        ORDERS.replace(
            "table: orders",
            "query: SELECT id, buyer, placed_at, total / (id - 1) AS total FROM orders",
        )
    )
    with (
        pytest.raises(Customer360Error, match="division by zero") as error,
        source.poll(spark, source.transactions_table, None) as poll,
    ):
        poll.raw.collect()
    assert "\n" not in str(error.value)
