"""silver/order_lines beside silver/transactions: corrected, moved, taken back, stopped half-way.

`Shop.load` holds the lines of the days it makes against their orders each time.
"""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.gold.product_affinity import PRODUCT_AFFINITY
from customer360.pipeline import audit
from customer360.pipeline.make_gold import make_snapshots
from customer360.table_names import ORDER_LINES, TRANSACTIONS
from customer360_tests.cases.shop import Shop, load_but_stop_at, open_shop
from customer360_tests.cases.test_what_replaces_takes_away import assert_as_from_scratch

MARCH: dict[str, Any] = {"first": date(2024, 3, 1), "last": date(2024, 3, 31)}
MAPPING = """
name: mill
time_zone: Europe/Lisbon
currency: EUR
grain: lines
closed: true
date_in_name: "sales_{yyyy-MM-dd}.csv"
columns: {order_id: nr, line_id: line, customer_id: who, occurred_at: at, amount: sum,
          product_id: sku, category: kind, quantity: pieces}
cancellations:
  - {column: state, equals: [back], kind: refund}
discounts:
  - {column: kind, equals: [voucher]}
"""
EXTRACT = MAPPING.replace('date_in_name: "sales_{yyyy-MM-dd}.csv"\n', "")
HEAD = "nr,line,who,at,sum,sku,kind,pieces,state"
FILES = {
    "sales_2024-03-05.csv": (HEAD, "1,1,ann,2024-03-05 09:00:00,10.00,A,toys,2,",
                             "1,2,,2024-03-05 09:00:00,5.00,B,books,1,",
                             "1,3,,2024-03-05 09:00:00,-2.00,,voucher,1,",
                             "2,1,bob,2024-03-05 10:00:00,7.00,A,toys,1,"),
    "sales_2024-03-09.csv": (HEAD, "3,1,ann,2024-03-09 09:00:00,20.00,C,garden,1,",
                             "4,1,bob,2024-03-09 11:00:00,7.00,A,toys,1,back"),
}  # fmt: skip


def lines_of(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.rows(
        ORDER_LINES, "business_date", "order_id", "line_key", "kind", "product_id", "quantity",
        "amount",
    )  # fmt: skip


LOADED = [
    ("2024-03-05", "1", "1", "sale", "A", "2", "10.00"),
    ("2024-03-05", "1", "2", "sale", "B", "1", "5.00"),
    ("2024-03-05", "1", "3", "sale", None, "1", "-2.00"),
    ("2024-03-05", "2", "1", "sale", "A", "1", "7.00"),
    ("2024-03-09", "3", "1", "sale", "C", "1", "20.00"),
    ("2024-03-09", "4", "1", "refund", "A", "1", "7.00"),
]


def test_lines_are_corrected_moved_and_taken_back_with_their_orders(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = open_shop(spark, tmp_path / "shop", MAPPING, FILES, **MARCH)
    shop.load()
    assert lines_of(shop) == LOADED
    # Line 2 of order 1 was another product; order 2 was really on the 7th, order 5 is late.
    shop.deliver(
        "sales_2024-03-12.csv", HEAD, "1,2,,2024-03-05 09:00:00,6.00,D,books,1,",
        "2,1,bob,2024-03-07 10:00:00,7.00,A,toys,1,", "5,1,eve,2024-03-02 10:00:00,1.00,E,food,1,",
    )  # fmt: skip
    loaded = shop.load(date(2024, 3, 12))
    assert {day.day for day in loaded.silver.days} == {2, 5, 7, 12}
    corrected = [
        ("2024-03-02", "5", "1", "sale", "E", "1", "1.00"),
        ("2024-03-05", "1", "1", "sale", "A", "2", "10.00"),
        ("2024-03-05", "1", "2", "sale", "D", "1", "6.00"),
        ("2024-03-05", "1", "3", "sale", None, "1", "-2.00"),
        ("2024-03-07", "2", "1", "sale", "A", "1", "7.00"),
        *LOADED[4:],
    ]
    assert lines_of(shop) == corrected
    assert shop.orders() == [
        ("2024-03-02", "5", "sale", "1.00"),
        ("2024-03-05", "1", "sale", "14.00"),
        ("2024-03-07", "2", "sale", "7.00"),
        ("2024-03-09", "3", "sale", "20.00"),
        ("2024-03-09", "4", "refund", "7.00"),
    ]
    # The 9th comes again without its sale; and two lines of one order contradict each other.
    shop.deliver(
        "sales_2024-03-09.csv", HEAD, FILES["sales_2024-03-09.csv"][2],
        "6,1,eve,2024-03-09 12:00:00,3.00,E,food,1,", "6,1,eve,2024-03-09 12:00:00,3.00,F,food,1,",
        "6,2,eve,2024-03-09 12:00:00,4.00,G,food,1,",
    )  # fmt: skip
    shop.load(date(2024, 3, 9))
    assert lines_of(shop) == [*corrected[:-2], LOADED[-1]]
    assert shop.orders() == [
        ("2024-03-02", "5", "sale", "1.00"),
        ("2024-03-05", "1", "sale", "14.00"),
        ("2024-03-07", "2", "sale", "7.00"),
        ("2024-03-09", "4", "refund", "7.00"),
    ]
    names = {key: name for name, (key,) in shop.customers("customer_key").items()}
    days = shop.rows("silver/customer_days", "business_date", "customer_key", "net_revenue")
    assert [(day, names[key], net) for day, key, net in days] == [
        ("2024-03-02", "eve", "1.00"),
        ("2024-03-05", "ann", "14.00"),
        ("2024-03-07", "bob", "7.00"),
        ("2024-03-09", "bob", "-7.00"),
    ]
    assert shop.reasons() == {"conflicting_rows": 3}
    assert shop.net() == Decimal("15.00")


def test_a_load_stopped_between_the_two_tables_is_made_good_by_the_next(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where that is of other days: what was consumed is noted with the second table."""
    shop = open_shop(spark, tmp_path / "shop", MAPPING, FILES, **MARCH)
    shop.load()
    shop.deliver("sales_2024-03-12.csv", HEAD, "2,1,bob,2024-03-07 10:00:00,8.00,D,toys,1,")
    load_but_stop_at(TRANSACTIONS, shop, monkeypatch, date(2024, 3, 12))
    assert ("2024-03-07", "2", "1", "sale", "D", "1", "8.00") in lines_of(shop)
    assert ("2024-03-05", "2", "sale", "7.00") in shop.orders()  # still as it was
    shop.load(date(2024, 3, 20))
    assert lines_of(shop) == [
        *LOADED[:3],
        ("2024-03-07", "2", "1", "sale", "D", "1", "8.00"),
        *LOADED[4:],
    ]
    assert shop.orders() == [
        ("2024-03-05", "1", "sale", "13.00"),
        ("2024-03-07", "2", "sale", "8.00"),
        ("2024-03-09", "3", "sale", "20.00"),
        ("2024-03-09", "4", "refund", "7.00"),
    ]


def test_days_loaded_for_the_first_time_and_stopped_half_way_are_made_good_by_the_next(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bronze, which has an extract whole from the first load on, does not tell of them."""
    rows = (HEAD, *FILES["sales_2024-03-05.csv"][1:], *FILES["sales_2024-03-09.csv"][1:])
    shop = open_shop(spark, tmp_path / "shop", EXTRACT, {"sales.csv": rows}, **MARCH)
    shop.load(date(2024, 3, 1), date(2024, 3, 6))
    load_but_stop_at(TRANSACTIONS, shop, monkeypatch, date(2024, 3, 9))
    assert lines_of(shop) == LOADED
    assert {day for day, *_ in shop.orders()} == {"2024-03-05"}
    astray = audit.lines_astray(shop.work, [date(2024, 3, 9)])
    assert astray.count == 2
    assert "e.g. a sale of mill on 2024-03-09" in (astray.description or "")
    loaded = shop.load(date(2024, 3, 20))
    assert loaded.silver.days == (date(2024, 3, 9), date(2024, 3, 20))
    assert_as_from_scratch(shop, tmp_path / "fresh", mapping=EXTRACT)
    # Once it is made good, only the days asked for are made again.
    loaded = shop.load(date(2024, 3, 21))
    assert loaded.silver.days == (date(2024, 3, 21),)
    # A day on which nothing was sold has an account too.
    assert loaded.account.rows_in == loaded.account.kept == 0


def test_what_an_older_release_loaded_gets_its_lines_with_the_next_load(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = open_shop(spark, tmp_path / "shop", MAPPING, FILES, **MARCH)
    shop.load()
    shutil.rmtree(tmp_path / "shop" / "lakehouse" / ORDER_LINES)
    shop.load(date(2024, 3, 20))
    assert lines_of(shop) == LOADED


ORDERS = """
name: mill
time_zone: Europe/Lisbon
currency: EUR
grain: orders
closed: true
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum}
"""


def test_a_source_that_has_lines_no_more_leaves_none(spark: SparkSession, tmp_path: Path) -> None:
    toys, books = (
        [f"{n},{line},ann,2024-03-05 09:00:00,{n}.00,,{kind},1," for n in range(1, 6)]
        for line, kind in enumerate(("toys", "books"), 1)
    )
    rows = (HEAD, *toys, *books)
    shop = open_shop(spark, tmp_path, EXTRACT, {"sales.csv": rows}, **MARCH)
    shop.load()
    make_snapshots(shop.work, PRODUCT_AFFINITY, [MARCH["last"]])
    assert shop.lakehouse.rows(PRODUCT_AFFINITY) == 1
    shop = open_shop(spark, tmp_path, ORDERS, **MARCH)
    shop.deliver("sales.csv", HEAD, *toys)
    loaded = shop.load(date(2024, 3, 20))
    assert len(shop.orders()) == 5
    assert lines_of(shop) == []
    assert loaded.silver.lines is not None
    # Both tables stay assets, so that what was made of the lines goes too.
    assert shop.work.deployment.makes(PRODUCT_AFFINITY)
    make_snapshots(shop.work, PRODUCT_AFFINITY, [MARCH["last"]])
    assert shop.lakehouse.rows(PRODUCT_AFFINITY) == 0


def test_orders_without_lines_leave_no_table_of_them(spark: SparkSession, tmp_path: Path) -> None:
    rows = ("nr,who,at,sum", "1,ann,2024-03-05 09:00:00,10.00")
    shop = open_shop(spark, tmp_path, ORDERS, {"orders.csv": rows}, **MARCH)
    shop.load()
    assert not shop.lakehouse.exists(ORDER_LINES)
    assert not shop.work.deployment.makes(ORDER_LINES)
