"""What was kept out comes in, once only: by a mended mapping, or by edits of the rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.days import DayRange
from customer360.pipeline.quarantine import Held, held, held_rows, quarantine_named
from customer360.pipeline.replay import waiting
from customer360.pipeline.row_edits import (
    EditsError,
    edits_from,
    keep,
    outcomes,
    read_edits,
    row_name,
    written,
)
from customer360.pipeline.workspace import Workspace
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping
from customer360_tests.cases.shop import Loaded, Shop, deployment_of, open_shop

MAPPING = """
name: kiosk
currency: EUR
time_zone: UTC
grain: orders
date_format: yyyy-MM-dd
columns:
  order_id: receipt
  occurred_at: day
  customer_id: buyer
  email: mail
  amount: total
"""
DAILY = MAPPING + 'date_in_name: "sales_{yyyy-MM-dd}.csv"\n'
WHOLE = MAPPING + 'files: "*.csv"\n'
HEADER = "receipt,day,buyer,mail,total"
FIRST, LAST = date(2024, 5, 1), date(2024, 6, 30)
DAYS = {
    "sales_2024-05-02.csv": (
        HEADER,
        "K1,2024-05-02,eva,eva@shop.example,10.00",
        "K2,2024-05-02,leo,leo@shop.example,8.o0",
    ),
    "sales_2024-06-20.csv": (
        HEADER,
        "K3,2024-06-20,eva,eva@shop.example,5.00",
        "K4,2024-06-31,leo,leo@shop.example,7.00",
    ),
}


def shop_of(
    spark: SparkSession, folder: Path, mapping: str, files: Mapping[str, tuple[str, ...]]
) -> Shop:
    return open_shop(spark, folder, mapping, files, first=FIRST, last=LAST)


def with_mapping(shop: Shop, mapping: str) -> Shop:
    """The same shop after its mapping was mended."""
    source = FilesSource(parse_mapping(mapping, where="shop.yaml"), shop.folder)
    home = shop.work.deployment.settings.home
    work = Workspace(shop.lakehouse, deployment_of(source, home, FIRST, LAST), "mended")
    return Shop(work, shop.folder)


def waits(shop: Shop) -> list[DayRange]:
    """What the command would load again."""
    return waiting(shop.work.tables, shop.work.deployment).ranges(LAST)


def replay(shop: Shop) -> list[Loaded]:
    """Load again what waits, as the command does but without Dagster."""
    return [shop.load(days.first, days.last) for days in waits(shop)]


def receipts(shop: Shop, *columns: str) -> list[tuple[str | None, ...]]:
    return shop.rows("bronze/kiosk_orders", "receipt", *columns)


def edited(
    shop: Shop, table: str, change: Callable[[dict[str, str]], None], *, by: str = "Ana"
) -> int:
    """Write what is in quarantine, let ``change`` edit each line, and take the edits."""
    tables, deployment = shop.work.tables, shop.work.deployment
    file = shop.work.deployment.settings.home / "edits.csv"
    rows = held_rows(tables, deployment, quarantine_named(tables, table))
    file.write_text(written(rows, {}), encoding="utf-8-sig")
    with file.open(encoding="utf-8-sig", newline="") as opened:
        lines = list(csv.DictReader(opened))
    assert lines
    for line in lines:
        change(line)
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return taken(shop, file, by)


def taken(shop: Shop, file: Path, by: str = "Ana") -> int:
    edits = edits_from(
        shop.work.tables,
        shop.work.deployment,
        read_edits(file),
        table=None,
        path=file,
        by=by,
        at=datetime.now(UTC),
    )
    if edits:
        keep(shop.lakehouse, edits)
    return len(edits)


def became(shop: Shop) -> dict[str, str]:
    (table,) = shop.source.tables
    return {
        row_name(each.edit.row): each.what
        for each in outcomes(shop.work.tables, shop.source, table)
    }


def in_quarantine(shop: Shop) -> dict[str, Held]:
    return {each.reason: each for each in held(shop.work.tables, shop.work.deployment)}


def mend(line: dict[str, str]) -> None:
    line["total"] = line["total"].replace("o", "0")
    line["day"] = line["day"].replace("06-31", "06-21")


ALL = [
    ("2024-05-02", "K1", "sale", "10.00"),
    ("2024-05-02", "K2", "sale", "8.00"),
    ("2024-06-20", "K3", "sale", "5.00"),
    ("2024-06-21", "K4", "sale", "7.00"),
]


def test_a_mended_mapping_brings_the_days_in_that_hold_refused_rows(
    spark: SparkSession, tmp_path: Path
) -> None:
    files = {
        "sales_2024-05-02.csv": (HEADER, 'K1,2024-05-02,eva,,"1.234,50"'),
        "sales_2024-05-03.csv": (HEADER, "K2,2024-05-03,eva,,12"),
        "sales_2024-06-20.csv": (HEADER, 'K3,2024-06-20,leo,,"0,99"'),
    }
    shop = shop_of(spark, tmp_path, DAILY, files)
    shop.load()
    assert [row[1] for row in shop.orders()] == ["K2"]
    (refused,) = in_quarantine(shop).values()
    assert (refused.table, refused.source) == ("quarantine/kiosk_orders", "kiosk")
    assert (refused.reason, refused.rows, refused.unread) == ("total:type", 2, 2)
    assert (refused.first, refused.last) == (date(2024, 5, 2), date(2024, 6, 20))
    assert list(refused.files) == ["sales_2024-05-02.csv", "sales_2024-06-20.csv"]
    mended = with_mapping(shop, DAILY + 'decimal_separator: ","\n')
    # Far apart, they are two loads, and the day between is left as it is.
    first, second = waiting(mended.work.tables, mended.work.deployment).ranges(LAST)
    assert (first.first, first.last) == (date(2024, 5, 2), date(2024, 5, 2))
    assert (second.first, second.last) == (date(2024, 6, 20), date(2024, 6, 20))
    loaded = replay(mended)
    assert [each.bronze.raw for each in loaded] == [1, 1]
    came = [
        ("2024-05-02", "K1", "sale", "1234.50"),
        ("2024-05-03", "K2", "sale", "12.00"),
        ("2024-06-20", "K3", "sale", "0.99"),
    ]
    assert mended.orders() == came
    assert mended.net() == Decimal("1247.49")
    assert in_quarantine(mended) == {}
    assert replay(mended) == []
    assert mended.orders() == came


def test_edited_rows_come_in_once_however_often_they_are_replayed_or_delivered(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = shop_of(spark, tmp_path / "shop", WHOLE, DAYS)
    shop.receive()
    assert receipts(shop) == [("K1",), ("K3",)]
    found = in_quarantine(shop)
    assert {reason: each.rows for reason, each in found.items()} == {
        "total:type": 1,
        "day:format": 1,
    }
    assert (found["day:format"].money, found["day:format"].unread) == (Decimal("7.00"), 0)
    assert (found["total:type"].money, found["total:type"].unread) == (None, 1)
    assert edited(shop, "kiosk_orders", mend, by="Ana Sousa") == 2
    assert set(became(shop).values()) == {"not loaded yet"}
    # What comes whole is read whatever the day.
    assert waits(shop) == [DayRange(LAST, LAST)]
    shop.load()
    assert shop.orders() == ALL
    assert shop.net() == Decimal("30.00")
    assert set(became(shop).values()) == {"in bronze"}
    assert receipts(shop, "_edited_by", "_edited_at IS NULL") == [
        ("K1", None, "true"),
        ("K2", "Ana Sousa", "false"),
        ("K3", None, "true"),
        ("K4", "Ana Sousa", "false"),
    ]
    # The same file of edits again has nothing new, and nothing waits.
    assert taken(shop, tmp_path / "shop" / "edits.csv") == 0
    assert waits(shop) == []
    # The files again, with a row more: the edits hold.
    name = "sales_2024-05-02.csv"
    shop.deliver(name, *DAYS[name], "K5,2024-05-02,ben,,1.00")
    shop.load(LAST)
    assert [row for row in shop.orders() if row[1] != "K5"] == ALL
    assert shop.net() == Decimal("31.00")
    # From nothing, with the same edits, it is the same.
    other = shop_of(spark, tmp_path / "other", WHOLE, DAYS)
    other.deliver(name, *DAYS[name], "K5,2024-05-02,ben,,1.00")
    keep(other.lakehouse, [o.edit for o in outcomes(shop.work.tables, shop.source, "kiosk_orders")])
    other.receive()
    columns = ("day", "total", "_row_hash", "_edited_row", "_edited_by", "_edited_at")
    assert receipts(other, *columns) == receipts(shop, *columns)


def test_an_edit_waits_until_every_delivery_of_its_row_has_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A row that came on two days is one edit, and both days are to be loaded again."""
    row = "K2,2024-05-02,leo,leo@shop.example,8.o0"
    twice = {
        "sales_2024-05-02.csv": (HEADER, row),
        "sales_2024-06-20.csv": (HEADER, row),
    }
    shop = shop_of(spark, tmp_path, DAILY, twice)
    shop.receive()
    assert edited(shop, "kiosk_orders", mend) == 1
    for day, what in ((date(2024, 5, 2), "not loaded yet"), (date(2024, 6, 20), "in bronze")):
        shop.receive(DayRange(day, day))
        assert list(became(shop).values()) == [what]


def test_an_edit_that_still_breaks_the_contract_says_why_and_can_be_edited_again(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = shop_of(spark, tmp_path, DAILY, DAYS)
    shop.receive()

    def worse(line: dict[str, str]) -> None:
        if line["receipt"] == "K2":
            line["total"] = "eight"
        else:
            line["_drop"] = "yes"

    assert edited(shop, "kiosk_orders", worse) == 2
    first, second = waits(shop)
    loaded, again = shop.receive(first), shop.receive(second)
    assert (loaded.quarantined, loaded.dropped) == (1, 0)
    # What is left out for good is on record, and waits for nobody.
    assert (again.quarantined, again.dropped) == (1, 1)
    assert again.refused.rows == 0
    assert waits(shop) == [first]
    found = in_quarantine(shop)
    assert {reason: each.rows for reason, each in found.items()} == {
        "total:type": 1,
        "left_out_by_edit": 1,
    }
    assert found["left_out_by_edit"].money == Decimal("7.00")
    (row,) = held_rows(
        shop.work.tables, shop.work.deployment, "quarantine/kiosk_orders", reason="total:type"
    )
    assert (row.values["total"], row.edited_by) == ("eight", "Ana")
    assert sorted(became(shop).values()) == ["left out", "still in quarantine"]

    def right(line: dict[str, str]) -> None:
        if line["receipt"] == "K2":
            line["total"] = "8.00"
        else:
            assert line["_drop"] == "yes"

    assert edited(shop, "kiosk_orders", right, by="Ben") == 1
    assert waits(shop) == [first]
    shop.receive(first)
    assert receipts(shop, "_edited_by") == [("K1", None), ("K2", "Ben"), ("K3", None)]
    assert waits(shop) == []

    def back(line: dict[str, str]) -> None:
        line["_drop"] = ""
        mend(line)

    assert edited(shop, "kiosk_orders", back) == 1
    assert waits(shop) == [second]
    shop.receive(second)
    assert receipts(shop, "day", "total") == [(row[1], row[0], row[3]) for row in ALL]


def test_a_conflict_is_settled_by_editing_one_of_its_rows(
    spark: SparkSession, tmp_path: Path
) -> None:
    files = {
        "sales_2024-05-02.csv": (
            HEADER,
            "K1,2024-05-02,eva,,10.00",
            "K1,2024-05-02,leo,,8.00",
            "K2,2024-05-02,leo,,1.00",
        )
    }
    shop = shop_of(spark, tmp_path, DAILY, files)
    shop.load()
    assert [row[1] for row in shop.orders()] == ["K2"]
    found = in_quarantine(shop)["conflicting_rows"]
    assert (found.table, found.rows, found.money) == (
        "quarantine/transactions",
        2,
        Decimal("18.00"),
    )

    def renumber(line: dict[str, str]) -> None:
        if line["buyer"] == "leo":
            line["receipt"] = "K3"

    assert edited(shop, "transactions", renumber) == 1
    replay(shop)
    assert shop.orders() == [
        ("2024-05-02", "K1", "sale", "10.00"),
        ("2024-05-02", "K2", "sale", "1.00"),
        ("2024-05-02", "K3", "sale", "8.00"),
    ]
    assert shop.reasons() == {}
    assert replay(shop) == []


def test_edits_of_no_row_and_other_mistakes_are_named_and_nothing_is_taken(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = shop_of(spark, tmp_path, DAILY, DAYS)
    shop.receive()
    tables, deployment = shop.work.tables, shop.work.deployment
    first, second = held_rows(tables, deployment, "quarantine/kiosk_orders")
    file = tmp_path / "mine.csv"
    right = f"kiosk_orders,{row_name(first.row)},8.00\n"
    for lines, said in (
        (f"kiosk_orders,{row_name(first.row ^ 1)},8.00\n", "line 3: row-"),
        (f"kiosk_order,{row_name(second.row)},8.00\n", "kiosk_orders"),
        (f"kiosk_orders,{row_name(first.row)},9.00\n", "stands on line 2 too"),
    ):
        file.write_text(f"_table,_row,total\n{right}{lines}")
        with pytest.raises(EditsError, match=said):
            taken(shop, file)
        assert became(shop) == {}
    # Semicolons and the encoding of the country, as spreadsheets save.
    file.write_bytes(f"_table;_row;buyer;total\n{right.replace(',', ';')}".replace(
        ";8.00", ";jos\xe9;8.00").encode("cp1252"))  # fmt: skip
    assert taken(shop, file) == 1
    shop.receive()
    assert ("K2", "josé", "8.00") in receipts(shop, "buyer", "total")
    # The row does not come any more: its edit is named, and does nothing.
    name = "sales_2024-05-02.csv"
    shop.deliver(name, *DAYS[name][:2])
    shop.receive()
    assert became(shop) == {row_name(first.row): "not delivered"}
    assert receipts(shop) == [("K1",), ("K3",)]
