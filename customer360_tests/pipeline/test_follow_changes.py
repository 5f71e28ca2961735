"""A database's rows that change, come late, break, go and come back, followed night by night."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.days import DayRange
from customer360.errors import SettingsError
from customer360.lakehouse.tables import Lakehouse
from customer360.pipeline import load_silver
from customer360.pipeline.bronze_accounts import BronzeLoaded, DeliveryCount
from customer360.pipeline.load_bronze import load_bronze
from customer360.pipeline.load_silver import TransactionsLoaded
from customer360.pipeline.quarantine import held_rows
from customer360.pipeline.row_edits import EditsError, edits_from, keep, read_edits, row_name
from customer360.privacy import forget_rows
from customer360.privacy.forget import forget_in_tables
from customer360.privacy.journal import Erasure
from customer360.privacy.known import known_of
from customer360.privacy.people import find_people
from customer360.privacy.their_rows import people_by_source
from customer360.settings import remember
from customer360.sources.postgres import PostgresSource
from customer360_tests.deployments import Home, assert_same_content
from customer360_tests.shop_database import Shop

DAYS = DayRange(date(2024, 3, 1), date(2024, 3, 6))
LAST = DayRange(date(2024, 3, 6), date(2024, 3, 6))
BRONZE = "shop_postgres_orders"
COMPARED = (f"bronze/{BRONZE}", f"quarantine/{BRONZE}", "silver/transactions", "silver/customers")

MAPPING = """
name: shop
table: orders
time_zone: UTC
currency: EUR
grain: orders
columns: {order_id: id, customer_id: buyer, occurred_at: placed_at, amount: total}
keep: [status]
cancellations: [{column: status, equals: void, kind: cancelled}]
"""
WATERMARK = "watermark: {column: changed_at, overlap: 2 hours}\n"
ORDERS = """INSERT INTO orders VALUES
    (1, 'ann', '2024-03-01 10:00+00', 10, 'ok', '2024-03-01 10:00+00'),
    (2, 'ann', '2024-03-02 10:00+00', 20, 'ok', '2024-03-02 10:00+00'),
    (3, 'bob', '2024-03-03 10:00+00', NULL, 'ok', '2024-03-03 10:00+00'),
    (4, 'bob', '2024-03-04 10:00+00', 40, 'ok', '2024-03-04 10:00+00'),
    (5, 'eve', '2024-03-05 10:00+00', 50, 'ok', '2024-03-05 10:00+00')"""


@pytest.fixture
def orders(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Five orders, the third without a total."""
    monkeypatch.setenv("CUSTOMER360_POSTGRES_URL", shop.url)
    shop.run(
        """CREATE TABLE orders (id int, buyer text, placed_at timestamptz, total numeric,
            status text, changed_at timestamptz)""",
        ORDERS,
    )
    return shop


@dataclass(frozen=True)
class Night:
    """What a night's load did."""

    bronze: BronzeLoaded
    transactions: TransactionsLoaded


def receive(home: Home, days: DayRange) -> BronzeLoaded:
    """Bronze alone, where nothing is asked of what is made of it."""
    work = home.workspace()
    return load_bronze(work, work.deployment.sources[0], BRONZE, days)


def load(home: Home, days: DayRange) -> Night:
    """Bronze and silver: gold is made of that."""
    bronze, work = receive(home, days), home.workspace()
    load_silver.load_customers(work, days)
    transactions = load_silver.load_transactions(work, days)
    load_silver.load_customer_days(work, days)
    return Night(bronze, transactions)


def home_of(spark: SparkSession, folder: Path, mapping: str) -> Home:
    folder.mkdir(parents=True)
    (folder / "shop.yaml").write_text(mapping)
    remember(
        folder,
        {
            "sources": ["postgres"],
            "postgres_mapping": [str(folder / "shop.yaml")],
            "start_date": DAYS.first,
            "end_date": DAYS.last,
            "customer_key_secret": "known to the tests",
        },
    )
    return Home.at(spark, folder)


def sold(home: Home) -> dict[str, tuple[Any, ...]]:
    return {
        row["order_id"]: (row["business_date"].day, row["kind"], row["amount"])
        for row in home.rows("silver/transactions")
    }


def rows_merged(loaded: Night) -> int:
    written = loaded.bronze.bronze
    assert written is not None
    return written.rows


def counted(loaded: Night) -> DeliveryCount:
    return loaded.bronze.counts["whole"]


def test_changes_are_followed_and_end_where_a_whole_load_would(
    spark: SparkSession, orders: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_of(spark, tmp_path / "nightly", MAPPING + WATERMARK)
    first = load(home, DAYS)
    assert counted(first) == DeliveryCount(raw=5, bronze=4, quarantined=1)
    assert first.bronze.reasons == {"total:required": 1}
    assert sorted(sold(home)) == ["1", "2", "4", "5"]

    orders.run(
        # Cancelled days after it was placed; moved to another day; mended; broken.
        "UPDATE orders SET status = 'void', changed_at = '2024-03-06 09:00+00' WHERE id = 1",
        "UPDATE orders SET placed_at = '2024-03-01 23:00+00', changed_at = now() WHERE id = 2",
        "UPDATE orders SET total = 30, changed_at = '2024-03-06 09:00+00' WHERE id = 3",
        "UPDATE orders SET total = NULL, changed_at = '2024-03-06 09:00+00' WHERE id = 4",
        # A transaction that committed after the load with an earlier time; and a new order.
        "INSERT INTO orders VALUES (6, 'eve', '2024-03-05 08:30+00', 6, 'ok', '2024-03-05 08:30Z')",
        "INSERT INTO orders VALUES (7, 'dan', '2024-03-06 08:00+00', 7, 'ok', '2024-03-06 08:00Z')",
    )
    merge = Lakehouse.merge

    def killed(*arguments: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Lakehouse, "merge", killed)  # after quarantine is written, before bronze
    with pytest.raises(KeyboardInterrupt):
        load(home, LAST)
    monkeypatch.setattr(Lakehouse, "merge", merge)

    second = load(home, LAST)
    # All seven changed or, as order 5, stand within the overlap.
    assert counted(second) == DeliveryCount(raw=7, bronze=6, quarantined=1)
    assert rows_merged(second) == 6  # put: 1, 2, 3, 6, 7; taken out: 4
    assert second.transactions.days == tuple(DAYS)
    assert sold(home) == {
        "1": (1, "cancelled", Decimal("10.00")),
        "2": (1, "sale", Decimal("20.00")),
        "3": (3, "sale", Decimal("30.00")),
        "5": (5, "sale", Decimal("50.00")),
        "6": (5, "sale", Decimal("6.00")),
        "7": (6, "sale", Decimal("7.00")),
    }

    third = load(home, LAST)  # nothing new: nothing but the night's own day is made again
    assert counted(third).raw == 1  # order 2 changed last, the others more than two hours before
    assert third.transactions.days == tuple(LAST)
    assert third.bronze.bronze is None

    whole = home_of(spark, tmp_path / "whole", MAPPING + WATERMARK)
    load(whole, DAYS)
    assert_same_content(home.lakehouse, whole.lakehouse, COMPARED)


@pytest.mark.parametrize("watermark", [WATERMARK, ""])
def test_deleted_rows_leave_and_are_accounted_for(
    spark: SparkSession, orders: Shop, tmp_path: Path, watermark: str
) -> None:
    """Also deleted rows that had been broken, and rows that come back from a backup."""
    home = home_of(spark, tmp_path / "home", MAPPING + watermark + "deletes: snapshot\n")
    load(home, DAYS)
    orders.run("DELETE FROM orders WHERE id IN (1, 2, 3)")
    gone = load(home, LAST)
    assert counted(gone) == DeliveryCount(raw=2, bronze=2, quarantined=0)
    assert gone.bronze.deleted == 2
    assert gone.bronze.reasons == {"deleted_at_source": 2}
    assert sorted(sold(home)) == ["4", "5"]
    assert {date(2024, 3, 1), date(2024, 3, 2)} <= set(gone.transactions.days)
    recorded = home.rows(f"quarantine/{BRONZE}")
    assert sorted('"id":"1"' in row["raw"] for row in recorded) == [False, True]

    orders.run(
        "INSERT INTO orders VALUES (1, 'ann', '2024-03-01 10:00Z', 10, 'ok', '2024-03-01 10:00Z')"
    )
    back = load(home, LAST)
    assert counted(back) == DeliveryCount(raw=3, bronze=3, quarantined=0)
    assert back.bronze.deleted == 1
    assert sorted(sold(home)) == ["1", "4", "5"]


def test_rows_marked_as_deleted_are_excluded_by_that_reason(
    spark: SparkSession, orders: Shop, tmp_path: Path
) -> None:
    orders.run("ALTER TABLE orders ADD deleted boolean DEFAULT false")
    home = home_of(spark, tmp_path / "home", MAPPING + WATERMARK + "deletes: {column: deleted}\n")
    load(home, DAYS)
    orders.run("UPDATE orders SET deleted = true, changed_at = '2024-03-06 09:00Z' WHERE id = 2")
    loaded = load(home, LAST)
    assert loaded.transactions.accounting["shop"].excluded == {"deleted_at_source": 1}
    assert sorted(sold(home)) == ["1", "4", "5"]
    (row,) = home.rows("quarantine/transactions")
    assert (row["reasons"], row["business_date"]) == (["deleted_at_source"], date(2024, 3, 2))


def test_a_key_that_does_not_tell_rows_apart_is_refused(
    spark: SparkSession, orders: Shop, tmp_path: Path
) -> None:
    home = home_of(spark, tmp_path / "home", MAPPING + WATERMARK + "key: [buyer]\n")
    work = home.workspace()
    with pytest.raises(SettingsError, match="source shop: 2 values of buyer stand on more than o"):
        load_bronze(work, work.deployment.sources[0], BRONZE, DAYS)
    assert not home.lakehouse.exists(f"bronze/{BRONZE}")


def test_what_was_deleted_is_told_also_after_an_edit_or_a_change_of_the_mapping(
    spark: SparkSession, orders: Shop, tmp_path: Path
) -> None:
    """Both read the table anew, as if nothing were known of it."""

    def gone() -> list[str]:
        rows = home.rows(f"quarantine/{BRONZE}", "array_contains(reasons, 'deleted_at_source')")
        return sorted(json.loads(row["raw"])["id"] for row in rows)

    mapping = MAPPING + WATERMARK + "deletes: snapshot\n"
    home = home_of(spark, tmp_path / "home", mapping)
    load(home, DAYS)
    orders.run("DELETE FROM orders WHERE id = 1")
    receive(home, LAST)
    assert gone() == ["1"]
    (held,) = held_rows(
        home.workspace().tables, home.deployment, f"quarantine/{BRONZE}", reason="total:required"
    )
    file = tmp_path / "edits.csv"
    file.write_text(f"_table,_row,total\n{BRONZE},{row_name(held.row)},30\n")
    edits = edits_from(
        home.workspace().tables, home.deployment, read_edits(file), table=None, path=file,
        by="Ana", at=datetime.now(UTC),
    )  # fmt: skip
    keep(home.lakehouse, edits)
    orders.run("DELETE FROM orders WHERE id = 2")
    load(home, LAST)
    assert gone() == ["1", "2"]
    assert sorted(sold(home)) == ["3", "4", "5"]
    (tmp_path / "home" / "shop.yaml").write_text(
        mapping.replace("[status]", "[status, changed_at]")
    )
    home = Home.at(spark, tmp_path / "home")
    orders.run("DELETE FROM orders WHERE id = 4")
    load(home, LAST)
    assert gone() == ["1", "2", "4"]
    assert sorted(sold(home)) == ["3", "5"]
    orders.run("INSERT INTO orders VALUES (1, 'ann', '2024-03-01 10:00Z', 10, 'ok', now())")
    receive(home, LAST)
    assert gone() == ["2", "4"]


def test_an_edited_row_stays_edited_until_the_database_says_something_else(
    spark: SparkSession, orders: Shop, tmp_path: Path
) -> None:
    home = home_of(spark, tmp_path / "home", MAPPING + WATERMARK)
    load(home, DAYS)
    (held,) = held_rows(home.workspace().tables, home.deployment, f"quarantine/{BRONZE}")
    file = tmp_path / "edits.csv"

    def edit(header: str, value: str) -> None:
        file.write_text(f"_table,_row,{header}\n{BRONZE},{row_name(held.row)},{value}\n")
        edits = edits_from(
            home.workspace().tables, home.deployment, read_edits(file), table=None, path=file,
            by="Ana", at=datetime.now(UTC),
        )  # fmt: skip
        keep(home.lakehouse, edits)

    with pytest.raises(EditsError, match="id is the key of shop_postgres_orders"):
        edit("id", "33")
    edit("total", "30")
    loaded = load(home, LAST)
    assert counted(loaded) == DeliveryCount(raw=5, bronze=5, quarantined=0)
    assert sold(home)["3"] == (3, "sale", Decimal("30.00"))
    orders.run(
        """INSERT INTO orders VALUES
        (6, 'eve', '2024-03-06 09:00+00', 60, 'ok', '2024-03-06 09:00+00')"""
    )
    assert counted(load(home, LAST)).bronze == 2  # order 6, and 5 within the overlap
    assert sold(home)["3"] == (3, "sale", Decimal("30.00"))
    orders.run("UPDATE orders SET total = 31, changed_at = '2024-03-06 10:00Z' WHERE id = 3")
    load(home, LAST)
    assert sold(home)["3"] == (3, "sale", Decimal("31.00"))
    (row,) = home.rows(f"bronze/{BRONZE}", "id = '3'")
    assert row["_edited_by"] is None


def test_somebody_forgotten_stays_so_however_often_the_database_tells_of_them(
    spark: SparkSession, orders: Shop, tmp_path: Path
) -> None:
    home = home_of(spark, tmp_path / "home", MAPPING + WATERMARK + "deletes: snapshot\n")
    load(home, DAYS)
    people = find_people(home.workspace().tables, home.deployment, ["ann", "bob"])
    erasure = Erasure.of(people)
    whose = people_by_source(home.workspace(), people)
    erasure = erasure.knowing(*known_of(home.workspace(), people, whose))
    forget_rows.know_again(home.workspace(), erasure, whose)
    # Bob's third order has no total, and was refused.
    assert forget_in_tables(home.workspace(), erasure) == {
        f"bronze/{BRONZE}": 3, f"quarantine/{BRONZE}": 1,
    }  # fmt: skip

    def nobody() -> dict[str, Any]:
        rows = home.rows("silver/transactions", "customer_key IS NULL")
        return {row["order_id"]: row["amount"] for row in rows}

    assert nobody() == {"1": Decimal("10.00"), "2": Decimal("20.00"), "4": Decimal("40.00")}
    as_it_is = receive(home, LAST)  # their keys are still the database's, so nothing is gone
    assert as_it_is.deleted == 0
    assert as_it_is.bronze is None

    orders.run(
        "UPDATE orders SET total = 11, changed_at = now() WHERE id = 1",
        "UPDATE orders SET total = 30, changed_at = now() WHERE id = 3",
        "DELETE FROM orders WHERE id = 4",
    )
    changed = load(home, LAST)
    assert changed.bronze.deleted == 1
    assert nobody() == {"1": Decimal("11.00"), "2": Decimal("20.00"), "3": Decimal("30.00")}
    stored = [
        str(row)
        for table in (f"bronze/{BRONZE}", f"quarantine/{BRONZE}")
        for row in home.rows(table)
    ]
    assert not [row for row in map(str, stored) if "ann" in row or "bob" in row]


def test_refused_rows_of_somebody_forgotten_are_known_again_and_not_read_each_night(
    spark: SparkSession, orders: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTOMER360_FORGOTTEN_SALES", "removed")
    home = home_of(spark, tmp_path / "home", MAPPING + WATERMARK + "deletes: snapshot\n")
    load(home, DAYS)
    people = find_people(home.workspace().tables, home.deployment, ["bob"])
    erasure = Erasure.of(people)
    whose = people_by_source(home.workspace(), people)
    erasure = erasure.knowing(*known_of(home.workspace(), people, whose))
    forget_rows.know_again(home.workspace(), erasure, whose)
    forget_in_tables(home.workspace(), erasure)
    since: list[str | None] = []
    poll = PostgresSource.poll

    def noted(self: PostgresSource, spark: SparkSession, table: str, watermark: str | None) -> Any:
        since.append(watermark)
        return poll(self, spark, table, watermark)

    def refused() -> set[str]:
        rows = home.rows(f"quarantine/{BRONZE}", "array_contains(reasons, 'forgotten')")
        return {row["raw"] for row in rows}

    monkeypatch.setattr(PostgresSource, "poll", noted)
    orders.run(  # the second moves the watermark, so that the first is read once
        "INSERT INTO orders VALUES (9, 'bob', '2024-03-02 10:00Z', 9, 'ok', '2024-03-05 08:30Z')",
        "INSERT INTO orders VALUES (10, 'eve', '2024-03-06 9:00Z', 1, 'ok', '2024-03-06 12:00Z')",
    )
    receive(home, LAST)
    receive(home, LAST)
    assert refused() == {'{"id":"3"}', '{"id":"4"}', '{"id":"9"}'}
    orders.run("DELETE FROM orders WHERE id IN (3, 9)")
    receive(home, LAST)
    assert refused() == {'{"id":"4"}'}
    assert len(since) == 3
    assert None not in since
