"""The user's files: what a mapping makes of rows, and Online Retail whole."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.contracts.checks import keeps_every_rule, with_violations
from customer360.errors import BrokenFileError
from customer360.sources.files import FilesSource, load_mapping
from customer360.sources.files.mapping import parse_mapping
from customer360_tests.sources.bronze_frames import bronze

EVER = (dt.date(2000, 1, 1), dt.date(2100, 1, 1))

ORDERS = """
name: shop
time_zone: America/New_York
currency: USD
date_format: "M/d/yyyy H:mm"
grain: orders
decimal_separator: ","
delimiter: ";"
columns:
  order_id: Order No
  customer_id: E-Mail
  occurred_at: Placed
  amount: Total
  email: E-Mail
  city: Town
  channel: Channel
cancellations:
  - {column: Status, equals: [void, deleted], kind: cancelled}
  - {column: Total, below: 0}
keep: [order_no, "Note (internal)"]
"""


def shop(text: str = ORDERS, path: Path | None = None) -> FilesSource:
    return FilesSource(parse_mapping(text, where="shop.yaml"), path)


def test_the_contract_follows_from_the_mapping() -> None:
    contract = shop().contract("shop_orders")
    assert contract.table == "bronze/shop_orders"
    assert contract.delivery == "extract"
    assert contract.event_time == "Placed"
    assert [
        (c.name, c.logical_type, c.format, c.required, c.is_personal) for c in contract.columns
    ] == [
        ("Order_No", "string", None, True, False),
        ("Placed", "timestamp", "M/d/yyyy H:mm", True, False),
        ("E-Mail", "string", None, False, True),
        ("Total", "number", None, True, False),
        ("Channel", "string", None, False, False),
        ("Town", "string", None, False, False),
        ("Status", "string", None, False, False),
        ("order_no_2", "string", None, False, False),
        ("Note_internal_", "string", None, False, False),
    ]
    written = contract.column("Total").properties
    assert (written["decimalSeparator"], written["currencySigns"]) == (",", ["USD", "$", "US$"])


def test_orders_refunds_and_cancellations(spark: SparkSession) -> None:
    source = shop()
    rows = [
        ("1", "1/31/2024 23:30", "1.234,50", "ann@x.com", "Troy", "ok"),
        ("2", "7/4/2024 9:05", "-20,00", "ann@x.com", "Rome", "ok"),
        ("3", "7/4/2024 9:06", "-20,00", "bob@x.com", None, "void"),
        ("4", "7/4/2024 9:07", "0,00", " ", "Troy", " deleted "),
    ]
    names = ("Order_No", "Placed", "Total", "E-Mail", "Town", "Status")
    frame = bronze(
        spark, source.contract("shop_orders"), [dict(zip(names, r, strict=True)) for r in rows]
    )
    found = source.staged_transactions({"shop_orders": frame}).collect()
    assert {
        (r.order_id, r.line_key, r.source_customer_id, r.kind, r.occurred_at, r.amount, r["items"])
        for r in found
    } == {
        ("1", "", "ann@x.com", "sale", dt.datetime(2024, 2, 1, 4, 30), Decimal("1234.50"), None),
        ("2", "", "ann@x.com", "refund", dt.datetime(2024, 7, 4, 13, 5), Decimal("20.00"), None),
        ("3", "", "bob@x.com", "cancelled", dt.datetime(2024, 7, 4, 13, 6), Decimal("20.00"), None),
        ("4", "", None, "cancelled", dt.datetime(2024, 7, 4, 13, 7), Decimal("0.00"), None),
    }
    assert {r.currency for r in found} == {"USD"}
    people = source.staged_customers({"shop_orders": frame}).collect()
    assert {(p.source_customer_id, p.email, p.city, p.updated_at) for p in people} == {
        ("ann@x.com", "ann@x.com", "Troy", dt.datetime(2024, 2, 1, 4, 30)),
        ("ann@x.com", "ann@x.com", "Rome", dt.datetime(2024, 7, 4, 13, 5)),
        ("bob@x.com", "bob@x.com", None, dt.datetime(2024, 7, 4, 13, 6)),
    }


DELIVERIES = """
name: shop
time_zone: UTC
currency: BRL
decimal_separator: ","
day_format: dd.MM.yyyy
grain: orders
columns:
  order_id: id
  occurred_at: at
  amount: total
  installments: parts
  freight: shipping
  review_score: stars
  reviewed_on: answered
"""


def test_instalments_freight_and_the_day_of_a_review(spark: SparkSession) -> None:
    source = shop(DELIVERIES)
    rows: list[dict[str, str | None]] = [
        {"id": "1", "at": "2024-01-01 10:00:00", "total": "90,50", "parts": "3",
         "shipping": "10,25", "stars": "4", "answered": "31.01.2024"},
        {"id": "2", "at": "2024-01-01 10:00:00", "total": "5,00"},
    ]  # fmt: skip
    frame = bronze(spark, source.contract("shop_orders"), rows)
    found = source.staged_transactions({"shop_orders": frame}).orderBy("order_id")
    columns = ("installments", "freight", "review_score", "reviewed_on")
    assert [tuple(row) for row in found.select(*columns).collect()] == [
        (3, Decimal("10.25"), 4, dt.date(2024, 1, 31)),
        (None, None, None, None),
    ]


LINES = """
name: shop
time_zone: UTC
currency: EUR
grain: lines
columns: {order_id: id, customer_id: who, occurred_at: at, quantity: n, unit_price: price}
cancellations: [{column: id, starts_with: R}]
exclude:
  - {reason: shipping, column: sku, equals: [POST, 4711]}
  - {reason: free, column: price, at_most: 0, only: sale}
"""


def line(number: str, sku: str, n: str, price: str, who: str | None = "w") -> dict[str, str | None]:
    return {
        "id": number,
        "sku": sku,
        "n": n,
        "price": price,
        "who": who,
        "at": "2024-01-01 00:00:00",
    }


def test_lines_their_exclusions_and_repeats(spark: SparkSession) -> None:
    lines = [
        line("1", "A", "3", "0.335"),
        line("1", "A", "3", "0.335"),
        line("1", "B", "2", "5"),
        line("1", "POST", "1", "4"),
        line("1", "4711", "1", "0"),
        line("1", "C", "1", "0"),
        line("2", "A", "-1", "5", None),
        line("R1", "A", "-1", "5"),
        line("R1", "C", "-1", "0"),
    ]
    kept = {}
    for repeats in ("drop", "keep"):
        source = shop(LINES + f"repeated_lines: {repeats}\n")
        frame = bronze(spark, source.contract("shop_lines"), lines)
        found = source.staged_transactions({"shop_lines": frame}).collect()
        assert sorted(
            (r.order_id, r.kind, str(r.amount), r["items"], r.excluded_because or "") for r in found
        ) == [
            ("1", "sale", "0.00", 1, "free"),
            ("1", "sale", "0.00", 1, "shipping"),  # the first rule that fits names the reason
            ("1", "sale", "1.01", 3, ""),
            ("1", "sale", "1.01", 3, ""),
            ("1", "sale", "10.00", 2, ""),
            ("1", "sale", "4.00", 1, "shipping"),
            ("2", "sale", "5.00", 1, "negative_amount"),
            ("R1", "refund", "0.00", 1, ""),
            ("R1", "refund", "5.00", 1, ""),
        ]
        kept[repeats] = len({(r.order_id, r.line_key) for r in found})
    assert kept == {"drop": 8, "keep": 9}
    # A line delivered again on a later day is the same line, whichever way repeats are taken.
    source = shop(LINES + "repeated_lines: keep\n")
    days = [dt.date(2024, 1, 1)] * 2 + [dt.date(2024, 1, 5)]
    again = bronze(spark, source.contract("shop_lines"), [lines[0]] * 3, days)
    keys = [r.line_key for r in source.staged_transactions({"shop_lines": again}).collect()]
    assert len(keys) == 3
    assert len(set(keys)) == 2


DAILY = """
name: shop
time_zone: UTC
currency: EUR
grain: orders
date_in_name: "sales_{yyyy-MM-dd}.csv"
columns: {order_id: id, occurred_at: at, amount: total, items: pieces}
"""


def test_dated_files_are_daily_deliveries(spark: SparkSession, tmp_path: Path) -> None:
    for day in (1, 2, 3):
        (tmp_path / f"sales_2024-01-0{day}.csv").write_text(
            f"id,at,total,pieces\n{day},2023-12-31 10:00:00,5,1\n"
        )
    (tmp_path / "sales_2024-01-99.csv").write_text("not a day")
    source = shop(DAILY, tmp_path)
    assert source.delivery("shop_orders") == "daily"
    assert str(source.available()) == "2024-01-01...2024-01-03"
    some = source.read_raw(spark, "shop_orders", dt.date(2024, 1, 2), dt.date(2024, 1, 7))
    assert {(r["id"], r._delivered_on, r._source_file) for r in some.collect()} == {
        ("2", dt.date(2024, 1, 2), "sales_2024-01-02.csv"),
        ("3", dt.date(2024, 1, 3), "sales_2024-01-03.csv"),
    }
    later = source.read_raw(spark, "shop_orders", dt.date(2024, 2, 1), dt.date(2024, 2, 7))
    assert later.columns == some.columns
    assert later.collect() == []


def test_times_with_an_offset_are_instants(spark: SparkSession, tmp_path: Path) -> None:
    text = DAILY.replace(
        'date_in_name: "sales_{yyyy-MM-dd}.csv"', 'date_format: "yyyy-MM-dd HH:mmXXX"'
    )
    (tmp_path / "a.csv").write_text("id,at,total,pieces\n1,2024-01-01 23:30-05:00,5,1\n")
    source = shop(text.replace("time_zone: UTC", "time_zone: Europe/Paris"), tmp_path)
    assert str(source.available()) == "2024-01-02"
    raw = source.read_raw(spark, "shop_orders", *EVER).withColumn("_row_hash", F.lit(1))
    (row,) = source.staged_transactions({"shop_orders": raw}).collect()
    assert row.occurred_at == dt.datetime(2024, 1, 2, 4, 30)
    assert row["items"] == 1


def test_what_is_missing_is_named(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(
        BrokenFileError,
        match=r"found none; give --path FILE-OR-FOLDER, or write `path:` in the mapping",
    ):
        shop().available()
    with pytest.raises(BrokenFileError, match=r"files like \*\.csv or \*\.csv\.gz, found no such"):
        shop(path=tmp_path).available()
    with pytest.raises(BrokenFileError, match="found nothing there"):
        shop(path=tmp_path / "none").files()
    file = tmp_path / "a.csv"
    file.write_text("Order No;Placed\n")
    with pytest.raises(BrokenFileError, match=r"a\.csv: expected columns E-Mail, Total, Channel"):
        shop(path=file).read_raw(spark, "shop_orders", *EVER)


def test_available_follows_the_files(tmp_path: Path) -> None:
    source = shop(DAILY, tmp_path)
    for day in (1, 2):
        (tmp_path / f"sales_2024-01-0{day}.csv").write_text("id,at,total,pieces\n")
        assert source.available().last == dt.date(2024, 1, day)


@pytest.mark.whole
@pytest.mark.real_data
def test_online_retail_is_whole(spark: SparkSession, real_data: Path) -> None:
    """All lines keep the contract; 4,372 customers; 18,402 orders of known customers.

    Counts of the published file: 541,909 lines, of which 5,268 repeat another; 4,372 customers.
    """
    source = FilesSource(load_mapping("online_retail"), real_data / "online_retail")
    assert str(source.available()) == "2010-12-01...2011-12-09"
    (table,) = source.tables
    contract = source.contract(table)
    raw = source.read_raw(spark, table, *EVER)
    (counts,) = (
        with_violations(raw, contract)
        .agg(F.count("*"), F.count_if(keeps_every_rule(contract)), F.count("_rescued"))
        .collect()
    )
    assert tuple(counts) == (541_909, 541_909, 0)
    lines = raw.withColumn("_row_hash", F.xxhash64(*contract.column_names))
    found = source.staged_transactions({table: lines}).cache()
    assert found.select("order_id", "line_key").distinct().count() == 541_909 - 5_268
    reasons = found.groupBy("excluded_because").count().collect()
    why = {row.excluded_because: row["count"] for row in reasons}
    assert why == {
        None: 536_573,
        "postage": 2_110,
        "stock_correction": 1_336,
        "no_price": 1_165,
        "manual_entry": 572,
        "fee": 87,
        "sample": 63,
        "bad_debt": 3,
    }
    good = found.where("excluded_because is null")
    orders = good.groupBy("kind", F.col("source_customer_id").isNull()).agg(
        F.countDistinct("order_id"), F.countDistinct("source_customer_id")
    )
    assert {tuple(row) for row in orders.collect()} == {
        ("sale", False, 18_402, 4_334),
        ("sale", True, 1_371, 0),
        ("refund", False, 3_448, 1_539),
        ("refund", True, 39, 0),
    }
    people = source.staged_customers({table: lines})
    assert people.select("source_customer_id").distinct().count() == 4_372
    found.unpersist()
