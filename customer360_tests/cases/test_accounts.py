"""One account from file to gold: it says where every row is, and its money."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.days import DayRange
from customer360.deployment import Deployment
from customer360.pipeline import audit
from customer360.pipeline.account import Reconciled, reconcile, waiting
from customer360.pipeline.make_gold import make_business_health
from customer360.pipeline.quarantine import held
from customer360.settings import remember
from customer360_tests.cases.shop import Shop, open_shop
from customer360_tests.deployments import customer360, read_json
from customer360_tests.stored import put

MAY: dict[str, Any] = {"first": date(2024, 5, 1), "last": date(2024, 5, 31)}
ALL_OF_MAY = DayRange(MAY["first"], MAY["last"])
EXTRACT = """
name: fair
time_zone: Europe/Madrid
currency: EUR
date_format: "yyyy-MM-dd"
grain: orders
closed: true
columns: {order_id: nr, customer_id: who, occurred_at: day, amount: sum}
exclude: [{reason: test_order, column: who, equals: tester}]
cancellations: [{column: nr, starts_with: R}]
"""
DAILY = EXTRACT + 'date_in_name: "fair_{yyyy-MM-dd}.csv"\n'
LINES = EXTRACT.replace("grain: orders", "grain: lines")
HEAD = "nr,who,day,sum"
ROWS = (
    HEAD,
    "1,ann,2024-05-02,10.00",
    "1,ann,2024-05-02,10.00",  # a repeat
    "2,bob,2024-05-03,20.00",
    "3,,2024-05-03,5.00",  # nobody's
    "R1,ann,2024-05-04,4.00",  # a refund
    "4,tester,2024-05-05,99.00",
    "5,bob,soon,7.50",
    "6,bob,2024-05-06,twelve",
)


def accounted(shop: Shop) -> Reconciled:
    return reconcile(shop.work.tables, shop.work.deployment)


def figures(found: Reconciled) -> dict[tuple[str, str], tuple[int | None, Any]]:
    return {(line.table, line.what): (line.rows, line.money) for line in found.lines}


def test_every_row_and_its_money_is_somewhere(spark: SparkSession, tmp_path: Path) -> None:
    shop = open_shop(spark, tmp_path, EXTRACT, {"fair.csv": ROWS}, **MAY)
    shop.load()
    make_business_health(shop.work, ALL_OF_MAY)
    found = accounted(shop)
    assert found.differences == []
    assert figures(found) == {
        ("files", "rows received"): (8, Decimal("155.50")),
        ("bronze/fair_orders", "accepted"): (6, Decimal("148.00")),
        ("quarantine/fair_orders", "day:format"): (1, Decimal("7.50")),
        ("quarantine/fair_orders", "sum:type"): (1, None),
        ("silver/transactions", "taken up"): (6, Decimal("148.00")),
        ("silver/transactions", "orders and refunds"): (4, Decimal("31.00")),
        ("silver/transactions", "repeats, corrections, lines of one order"): (1, Decimal("10.00")),
        ("quarantine/transactions", "test_order"): (1, Decimal("99.00")),
        ("silver/customer_days", "orders and refunds of customers"): (3, Decimal("26.00")),
        ("gold/business_health", "orders and refunds"): (4, Decimal("31.00")),
    }
    assert [line.what for line in found.left_out] == ["day:format", "sum:type", "test_order"]


def test_a_day_on_which_nobody_known_bought_is_accounted_for(
    spark: SparkSession, tmp_path: Path
) -> None:
    """It writes no row of customers' days; that it was looked at is noted all the same."""
    first, second = date(2024, 5, 2), date(2024, 5, 3)
    shop = open_shop(spark, tmp_path, DAILY, **MAY)
    shop.deliver("fair_2024-05-02.csv", HEAD, "1,ann,2024-05-02,10.00")
    shop.load(first)
    shop.deliver("fair_2024-05-03.csv", HEAD, "2,,2024-05-03,5.00")
    shop.load(second)
    assert accounted(shop).differences == []
    shop.load(second)
    assert accounted(shop).differences == []


def test_a_load_that_loses_rows_or_money_is_found(loaded: Shop) -> None:
    again = loaded.load()
    account, money = again.account, again.silver.money["fair"]
    fewer = replace(account, rows_in=account.rows_in + 1, kept=account.kept - 1)
    assert audit.rows_astray(loaded.work, list(ALL_OF_MAY), {"fair": fewer}) == [
        "fair: 3 rows were kept, 4 are in silver/transactions",
        "fair: bronze/fair_orders has 6 rows of these days, 7 came to silver/transactions",
    ]
    assert (money.received, money.stated) == (Decimal(148), Decimal(148))
    assert money.missing == 0
    assert (money.kept, money.duplicates, money.excluded) == (Decimal(39), Decimal(10), Decimal(99))
    wrong = replace(money, kept=money.kept - 1, stated=money.stated + 2)
    assert audit.money_astray(loaded.work, list(ALL_OF_MAY), {"fair": wrong}) == [
        "fair: 1.00 EUR of what came went nowhere",
        "fair: 38.00 EUR were kept, 39.00 are in silver/transactions",
        "fair: bronze/fair_orders states 148.00 EUR on these days, 150.00 came to "
        "silver/transactions",
    ]


def test_an_amount_that_was_changed_is_found(loaded: Shop) -> None:
    table = DeltaTable(f"{loaded.lakehouse.root}/silver/transactions")
    version = table.version()
    # A refund of 4.00 that is a sale of -4.00 leaves rows and net as they are.
    for changes, order, said in (
        ({"amount": "amount + 1"}, "2", "26.00 EUR net of fair on 2024-05-03, where 25.00 were"),
        ({"amount": "-amount", "kind": "'sale'"}, "R1", "-4.00 EUR gross of fair on 2024-05-04"),
    ):
        table.update(updates=changes, predicate=f"order_id = '{order}'")
        try:
            (first, *_) = accounted(loaded).differences
        finally:
            table.restore(version)
        assert first.startswith(f"silver/transactions: {said}")
    assert accounted(loaded).differences == []


def test_a_home_of_an_older_release_states_raw_rows_only_of_days_loaded_since(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"fair_2024-05-{n:02d}.csv": (HEAD, f"{n},ann,2024-05-{n:02d},1.00") for n in (2, 3)}
    shop = open_shop(spark, tmp_path, DAILY, files, **MAY)
    with monkeypatch.context() as older:
        older.setattr("customer360.pipeline.account.raw_note", lambda *_: {})
        shop.load()
    shop.load(date(2024, 5, 3), date(2024, 5, 3))
    found = accounted(shop)
    assert found.differences == []
    assert figures(found)["files", "rows received"][0] is None


def test_money_of_another_currency_is_not_added(spark: SparkSession, tmp_path: Path) -> None:
    mapping = EXTRACT.replace("amount: sum", "amount: sum, currency: unit")
    rows = (
        f"{HEAD},unit",
        *(f"{n},ann,2024-05-02,10.00,EUR" for n in range(1, 5)),
        "5,bob,2024-05-03,50000,JPY",
        "6,tester,2024-05-03,70000,JPY",
        "7,bob,soon,9000,JPY",
    )
    shop = open_shop(spark, tmp_path, mapping, {"fair.csv": rows}, **MAY)
    loaded = shop.load()
    assert loaded.account.excluded == {"other_currency": 1, "test_order": 1}
    found = accounted(shop)
    of = figures(found)
    assert found.differences == []
    assert of["bronze/fair_orders", "accepted"] == (6, Decimal("40.00"))
    assert of["quarantine/transactions", "other_currency"] == (1, None)
    assert of["quarantine/transactions", "test_order"] == (1, None)
    assert of["quarantine/fair_orders", "day:format"] == (1, None)
    listed = {each.reason: each.money for each in held(shop.work.tables, shop.work.deployment)}
    assert listed == {"other_currency": None, "test_order": None, "day:format": None}


def test_days_that_nobody_asked_for_are_accounted_for(spark: SparkSession, tmp_path: Path) -> None:
    shop = open_shop(spark, tmp_path, EXTRACT, {"fair.csv": ROWS}, **MAY)
    shop.load(date(2024, 5, 2), date(2024, 5, 3))
    found = accounted(shop)
    assert found.differences == []
    of = figures(found)
    assert of["bronze/fair_orders", "of days not loaded"] == (2, Decimal("103.00"))
    assert of["silver/transactions", "orders and refunds"] == (3, Decimal("35.00"))
    shop.load(date(2024, 5, 4), date(2024, 5, 4))
    of = figures(accounted(shop))
    assert of["bronze/fair_orders", "of days not loaded"] == (1, Decimal("99.00"))
    assert of["silver/transactions", "orders and refunds"] == (4, Decimal("31.00"))


@pytest.mark.parametrize(
    ("table", "spoil", "said"),
    [
        (
            "silver/transactions",
            "order_id <> '2'",
            "silver/transactions: 1 rows of fair on 2024-05-03, where 2 were accounted for: run `",
        ),
        (
            "bronze/fair_orders",
            "nr <> '2'",
            "bronze/fair_orders: 8 rows came in, 5 are in it and 2 in quarantine/fair_orders",
        ),
        (
            "quarantine/fair_orders",
            "array_contains(reasons, 'sum:type')",
            "bronze/fair_orders: 8 rows came in, 6 are in it and 1 in quarantine/fair_orders",
        ),
        (
            "quarantine/transactions",
            "false",
            "quarantine/transactions: 0 rows of fair on 2024-05-05, where 1 were accounted for",
        ),
        (
            "silver/customer_days",
            "business_date <> '2024-05-02'",
            "silver/customer_days: 0 orders, 0 refunds, 0 net on 2024-05-02, where "
            "silver/transactions has 1, 0 and 10.00",
        ),
    ],
)
def test_a_table_that_was_tampered_with_is_named(
    loaded: Shop, table: str, spoil: str, said: str
) -> None:
    # The note of the account is in a commit of customer_days, which is looked for further back.
    rows = loaded.lakehouse.read(table)
    version = loaded.lakehouse.version(table)
    put(loaded.lakehouse, table, rows.where(spoil))
    try:
        assert accounted(loaded).differences[0].startswith(said)
    finally:
        put(loaded.lakehouse, table, loaded.lakehouse.read(table, version=version))
    # The note of what an extract holds went with the commit that replaced it: found further back.
    assert accounted(loaded).differences == []


@pytest.fixture(scope="module")
def loaded(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = open_shop(spark, tmp_path_factory.mktemp("fair"), EXTRACT, {"fair.csv": ROWS}, **MAY)
    shop.load()
    return shop


def test_reconcile_prints_the_account_and_exits_1_where_it_is_open(
    loaded: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = loaded.folder.parent
    mapping = home / "fair.yaml"
    mapping.write_text(EXTRACT)
    remember(
        home,
        {
            "sources": ["files"],
            "files_mapping": [str(mapping)],
            "files_path": loaded.folder,
            "start_date": MAY["first"],
            "end_date": MAY["last"],
        },
    )
    said = customer360(capsys, monkeypatch, "reconcile", "--home", home)
    assert said.code == 0, said.err
    assert "The account closes." in said.out
    for words in ("bronze/fair_orders", "day:format", "test_order", "148.00", "EUR"):
        assert words in said.out
    printed = customer360(capsys, monkeypatch, "reconcile", "--home", home, "--format", "json")
    lines = {(line["table"], line["what"]): line["rows"] for line in read_json(printed.out)}
    assert lines["quarantine/transactions", "test_order"] == 1
    version = loaded.lakehouse.version("silver/transactions")
    rows = loaded.lakehouse.read("silver/transactions")
    twice = rows.unionByName(rows.where(F.col("order_id") == "3"))
    put(loaded.lakehouse, "silver/transactions", twice)
    said = customer360(capsys, monkeypatch, "reconcile", "--home", home)
    put(
        loaded.lakehouse,
        "silver/transactions",
        loaded.lakehouse.read("silver/transactions", version=version),
    )
    assert said.code == 1
    (line,) = said.error_lines
    assert line.startswith(
        "error: silver/transactions: 3 rows of fair on 2024-05-03, where 2 were accounted for"
    )
    table = DeltaTable(f"{loaded.lakehouse.root}/silver/transactions")
    version = table.version()
    table.update(updates={"amount": "amount + 1"}, predicate="order_id = '3'")
    said = customer360(capsys, monkeypatch, "reconcile", "--home", home)
    table.restore(version)
    assert said.code == 1
    assert said.error_lines[0].startswith(
        "error: silver/transactions: 26.00 EUR net of fair on 2024-05-03, where 25.00 were "
        "accounted for"
    )


def test_orders_of_today_wait_and_are_there_tomorrow(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = datetime.now(UTC).date()
    lines = (
        HEAD,
        f"1,ann,{today - timedelta(days=2)},10.00",
        f"2,ann,{today - timedelta(days=1)},20.00",
        f"3,bob,{today},40.00",
        f"4,bob,{today + timedelta(days=1)},80.00",
        f"5,bob,{today + timedelta(days=9)},160.00",
    )
    shop = open_shop(
        spark, tmp_path, EXTRACT.replace("Europe/Madrid", "UTC"), {"fair.csv": lines},
        first=today - timedelta(days=2), last=today + timedelta(days=9),
    )  # fmt: skip
    shop.load()
    found = accounted(shop)
    assert shop.net() == 30
    assert not found.differences
    assert waiting(found) == [
        "1 row of fair of later days waits until these are over",
        "1 row of fair of today waits until tomorrow",
        "1 row of fair of tomorrow waits until the day after",
    ]
    assert figures(found)["bronze/fair_orders", "waiting: of today"] == (1, Decimal("40.00"))
    monkeypatch.setattr(Deployment, "today", lambda self: today + timedelta(days=1))
    shop.load(today, today)
    found = accounted(shop)
    assert shop.net() == 70
    assert not found.differences
    assert waiting(found) == [
        "1 row of fair of later days waits until these are over",
        "1 row of fair of today waits until tomorrow",
    ]


Deliveries = dict[date, list[tuple[int, str, str, str]]]
"""By the day of delivery: order, day, amount and customer of each row."""

DAYS = [date(2024, 5, day) for day in range(1, 5)]
ROW = st.tuples(
    st.integers(1, 4),  # the order
    st.sampled_from([*map(str, DAYS), "never"]),
    st.sampled_from(["10.00", "2.50", "broken", ""]),
    st.sampled_from(["ann", "bob", "tester", ""]),
)
DELIVERIES = st.dictionaries(st.sampled_from(DAYS), st.lists(ROW, max_size=4), min_size=1)


def test_the_account_closes_after_each_of_several_loads(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Of rows that repeat, correct, contradict, come early, late, broken and of nobody."""
    deliveries = {
        DAYS[0]: [
            (1, "2024-05-01", "10.00", "ann"),
            (1, "2024-05-01", "10.00", "ann"),
            (2, "2024-05-01", "2.50", "bob"),
            (2, "2024-05-01", "10.00", "bob"),
            (3, "2024-05-04", "2.50", ""),
            (4, "never", "2.50", "bob"),
        ],
        DAYS[2]: [
            (1, "2024-05-02", "2.50", "ann"),
            (5, "2024-05-01", "10.00", "tester"),
            (4, "2024-05-03", "broken", "ann"),
            (6, "never", "10.00", "tester"),
        ],
    }
    found = assert_the_account_closes(spark, tmp_path, deliveries, 2)
    undated = found["bronze/fair_orders", "left out by the mapping, without a date"]
    assert undated == (1, Decimal("10.00"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(DELIVERIES, st.sampled_from([2, 4]))
@settings(
    max_examples=10,
    # A smaller example would cost more loads than it saves looking.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_account_closes_however_rows_are_delivered_and_loaded(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    deliveries: Deliveries,
    step: int,
) -> None:
    assert_the_account_closes(spark, tmp_path_factory.mktemp("fair"), deliveries, step)


def assert_the_account_closes(
    spark: SparkSession, folder: Path, deliveries: Deliveries, step: int
) -> dict[tuple[str, str], tuple[int | None, Any]]:
    """Load them so many days at a time; the figures at the end."""
    files = {
        f"fair_{day}.csv": (HEAD, *(f"{nr},{who},{on},{money}" for nr, on, money, who in rows))
        for day, rows in deliveries.items()
    }
    shop = open_shop(spark, folder, DAILY, files, first=DAYS[0], last=DAYS[-1])
    for begin in range(0, len(DAYS), step):
        shop.load(DAYS[begin], DAYS[begin + step - 1])
        found = accounted(shop)
        assert found.differences == []
    of = figures(found)
    written = sum(len(rows) for rows in deliveries.values())
    assert of["files", "rows received"][0] == written
    # Where each row is, once: what silver took up is what follows it.
    places = [line for line in found.lines if line.table in PLACES and line.what not in WHOLES]
    assert sum(line.rows or 0 for line in places) == written
    return of


PLACES = (
    "bronze/fair_orders",  # a test order without a date is nowhere else
    "quarantine/fair_orders",
    "silver/transactions",
    "quarantine/transactions",
)
WHOLES = ("accepted", "taken up")
