"""Rows go when they are as old as the settings let them be, and everything else stays as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.errors import SettingsError
from customer360.lakehouse.tables import Lakehouse
from customer360.pipeline import load_silver, make_gold
from customer360.pipeline.account import PAST, Reconciled, reconcile
from customer360.pipeline.expire import TableExpired, expire
from customer360.pipeline.load_bronze import load_bronze
from customer360.pipeline.made_of_bronze import not_made_yet
from customer360.pipeline.stale_snapshots import stale_snapshots
from customer360.privacy import forget_rows
from customer360.privacy.forget import forget_in_tables
from customer360.privacy.journal import Erasure
from customer360.privacy.known import known_of
from customer360.privacy.people import find_people
from customer360.privacy.their_rows import people_by_source
from customer360.settings import load_settings
from customer360.table_names import FEATURES, HISTORY, TRANSACTIONS
from customer360_tests.cases.shop import Shop, load_but_stop_at, open_shop
from customer360_tests.privacy.every_byte import where_they_stand

MAY: dict[str, Any] = {"first": date(2024, 5, 1), "last": date(2024, 5, 31), "history": True}
MAPPING = """
name: fair
time_zone: Europe/Madrid
currency: EUR
date_format: "yyyy-MM-dd HH:mm"
grain: orders
closed: true
date_in_name: "fair_{yyyy-MM-dd}.csv"
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum, email: mail, city: town}
exclude: [{reason: test_order, column: who, equals: tester}]
"""
HEAD = "nr,who,at,sum,mail,town"
FILES = {
    "fair_2024-05-02.csv": (
        HEAD,
        "1,ann,2024-05-02 10:00,10.00,ann.old@example.com,Lugo",
        "2,bob,2024-05-02 11:00,20.00,bob@example.com,Vigo",
        "3,,2024-05-02 12:00,5.00,,",
        "4,tester,2024-05-02 13:00,99.00,tester@example.com,Vigo",
        "5,ann,2024-05-02 14:00,twelve,ann.refused@example.com,Lugo",
    ),
    "fair_2024-05-03.csv": (
        HEAD,
        "6,ann,2024-05-03 10:00,1.00,ann.older@example.com,Lugo",
        "2,bob,2024-05-02 11:00,20.00,bob@example.com,Vigo",
    ),
    "fair_2024-05-10.csv": (
        HEAD,
        "7,ann,2024-05-10 10:00,30.00,ann.new@example.com,Noia",
        "8,bob,2024-05-02 12:00,7.00,bob@example.com,Vigo",  # late
        "9,ann,2024-05-10 12:00,many,ann.new@example.com,Noia",
    ),
}
TODAY = date(2024, 5, 20)
KEPT = {"bronze": 12, "quarantine": 9}
"""Bronze since the 8th, quarantine since the 11th."""
SILVER = ("transactions", "customer_days", "customers", "customer_history")
BRONZE, REFUSED, EXCLUDED = (
    "bronze/fair_orders",
    "quarantine/fair_orders",
    "quarantine/transactions",
)


@pytest.fixture(scope="module")
def loaded_home(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fair's home, loaded."""
    folder = tmp_path_factory.mktemp("fair") / "home"
    open_shop(spark, folder, MAPPING, FILES, **MAY).load()
    return folder


@pytest.fixture(scope="module")
def expired_home(spark: SparkSession, loaded_home: Path) -> Path:
    """The same, of which rows have gone."""
    shop = copied(spark, loaded_home, loaded_home.with_name("expired"), KEPT)
    expire(shop.work, today=TODAY)
    return shop.folder.parent


def copied(
    spark: SparkSession, home: Path, to: Path, kept: dict[str, int], mapping: str = MAPPING
) -> Shop:
    """A copy of a home, where rows are kept for so many days."""
    shutil.copytree(home, to)
    shop = open_shop(spark, to, mapping, **MAY)
    keeping(shop, kept)
    return shop


@pytest.fixture
def fair(spark: SparkSession, loaded_home: Path, tmp_path: Path) -> Shop:
    """The fair, loaded."""
    return copied(spark, loaded_home, tmp_path / "home", KEPT)


@pytest.fixture
def expired(spark: SparkSession, expired_home: Path, tmp_path: Path) -> Shop:
    """The fair, of which rows have gone."""
    return copied(spark, expired_home, tmp_path / "home", KEPT)


def keeping(shop: Shop, kept: dict[str, int]) -> None:
    object.__setattr__(shop.work.deployment.settings, "retention_days", kept)


def silver_of(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    tables = {name: f"silver/{name}" for name in SILVER}
    return {name: shop.rows(table, *shop.columns(table)) for name, table in tables.items()}


def everything(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, without what says which load wrote them."""
    said = ("_ingested_at", "run_id")
    return {
        table: shop.rows(table, *(c for c in shop.columns(table) if c not in said))
        for table in shop.lakehouse.tables()
    }


def figures(shop: Shop) -> dict[tuple[str, str], tuple[int | None, Decimal | None]]:
    found: Reconciled = reconcile(shop.work.tables, shop.work.deployment)
    assert found.differences == []
    return {(line.table, line.what): (line.rows, line.money) for line in found.lines}


def went(done: list[TableExpired]) -> dict[str, int]:
    return {each.table: each.rows for each in done if each.rows}


def test_rows_go_and_what_was_made_of_them_stays(fair: Shop) -> None:
    shop = fair
    silver, before = silver_of(shop), figures(shop)
    done = expire(shop.work, today=TODAY)
    # Of bronze stay order 7 and the rows that the profiles of Bob and the tester are made of.
    assert went(done) == {BRONZE: 5, REFUSED: 2, EXCLUDED: 1}
    assert {each.table: each.days for each in done} == {BRONZE: 2, REFUSED: 2, EXCLUDED: 1}
    assert all(each.bytes_before for each in done)
    assert silver_of(shop) == silver
    assert [row[0] for row in shop.rows(BRONZE, "nr")] == ["4", "7", "8"]
    after = figures(shop)
    assert after["files", "rows received"] == before["files", "rows received"]
    assert after[BRONZE, "accepted"] == (3, Decimal("136.00"))
    assert after[BRONZE, PAST] == (5, Decimal("56.00"))
    assert after[REFUSED, PAST] == (2, None)
    assert after[EXCLUDED, PAST] == (1, Decimal("99.00"))
    for line in ("taken up", "orders and refunds", "repeats, corrections, lines of one order"):
        assert after["silver/transactions", line] == before["silver/transactions", line]
    texts = ["ann.old@", "ann.older@", "ann.refused@", "many"]
    stand = where_they_stand(shop.folder.parent / "lakehouse", texts)
    assert not any(stand.values()), stand


def test_to_run_again_changes_nothing(expired: Shop) -> None:
    as_it_is, account = everything(expired), figures(expired)
    assert went(expire(expired.work, today=TODAY)) == {}
    expired.load()  # all days: the files still hold what has gone
    assert everything(expired) == as_it_is
    assert figures(expired) == account
    silver = silver_of(expired)
    expire(expired.work, today=date(2024, 5, 25))
    assert silver_of(expired) == silver


def test_what_comes_again_or_late_for_a_closed_day_is_counted_and_not_kept(expired: Shop) -> None:
    silver = silver_of(expired)
    expired.deliver("fair_2024-05-03.csv", HEAD, "6,ann,2024-05-03 10:00,2.00,x@example.com,Lugo")
    with pytest.raises(SettingsError, match=r"all days before 2024-05-08 are closed"):
        expired.load(date(2024, 5, 2), date(2024, 5, 3))
    expired.deliver(
        "fair_2024-05-12.csv",
        HEAD,
        "10,eve,2024-05-04 10:00,4.00,eve@example.com,Lugo",  # of a closed day
        "1,ann,2024-05-12 10:00,11.00,ann.new@example.com,Noia",  # an order that stands there
        "11,ann,2024-05-12 11:00,6.00,ann.new@example.com,Noia",
    )
    loaded = expired.load()
    assert loaded.bronze.closed == 7
    assert loaded.bronze.counts["2024-05-12"].expired == 1
    assert loaded.account.excluded == {"closed_order": 1}
    now = silver_of(expired)
    new = [row for row in now["transactions"] if row not in silver["transactions"]]
    assert [row[1] for row in new] == ["11"]
    assert set(silver["transactions"]) <= set(now["transactions"])
    assert figures(expired)[BRONZE, "came when their day was closed"] == (1, None)
    stand = where_they_stand(expired.folder.parent / "lakehouse", ["eve@example.com"])
    assert not any(stand.values()), stand


def test_what_a_mended_mapping_makes_of_open_days_leaves_closed_ones(
    spark: SparkSession, expired_home: Path, tmp_path: Path
) -> None:
    zone = MAPPING.replace("Madrid", "Paris")
    mended = copied(spark, expired_home, tmp_path / "home", KEPT, zone)
    silver = silver_of(mended)
    mended.load()
    assert silver_of(mended) == silver


@pytest.mark.parametrize("at", [BRONZE, pytest.param(REFUSED, marks=pytest.mark.slow)])
def test_killed_on_the_way_the_account_closes_and_the_next_upkeep_ends_it(
    fair: Shop, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    shop = fair
    silver = silver_of(shop)

    def killed(write: Callable[..., Any]) -> Callable[..., Any]:
        def instead(self: Lakehouse, contract: Contract, *given: Any, **named: Any) -> Any:
            if contract.table == at:
                raise KeyboardInterrupt
            return write(self, contract, *given, **named)

        return instead

    with monkeypatch.context() as patched:
        for name in ("replace_days", "replace_all"):
            patched.setattr(Lakehouse, name, killed(getattr(Lakehouse, name)))
        with pytest.raises(KeyboardInterrupt):
            expire(shop.work, today=TODAY)
    figures(shop)
    shop.load()
    assert silver_of(shop) == silver
    expire(shop.work, today=TODAY)
    assert silver_of(shop) == silver
    assert figures(shop)[BRONZE, PAST] == (5, Decimal("56.00"))
    stand = where_they_stand(shop.folder.parent / "lakehouse", ["ann.old@", "ann.refused@"])
    assert not any(stand.values()), stand


def forget(shop: Shop, who: str) -> str:
    """Forget somebody, and see that nothing says who they were; their customer key."""
    (person,) = people = find_people(shop.work.tables, shop.work.deployment, [who])
    erasure = Erasure.of(people)
    whose = people_by_source(shop.work, erasure.people)
    erasure = erasure.knowing(*known_of(shop.work, erasure.people, whose))
    forget_rows.know_again(shop.work, erasure, whose)
    forget_in_tables(shop.work, erasure)
    stand = where_they_stand(shop.folder.parent / "lakehouse", [person.customer_key])
    assert not any(stand.values()), stand
    return person.customer_key


@pytest.mark.parametrize("sales", ["anonymous", pytest.param("removed", marks=pytest.mark.slow)])
def test_somebody_is_forgotten_in_closed_days_too(expired: Shop, sales: str) -> None:
    object.__setattr__(expired.work.deployment.settings, "forgotten_sales", sales)
    forget(expired, "ann")
    figures(expired)
    stand = where_they_stand(expired.folder.parent / "lakehouse", ["ann.new@example.com"])
    assert not any(stand.values()), stand
    nobodys = expired.rows(
        "silver/transactions", "business_date", "amount", where="customer_key IS NULL"
    )
    hers = [("2024-05-02", "10.00"), ("2024-05-03", "1.00"), ("2024-05-10", "30.00")]
    hers = [] if sales == "removed" else hers
    assert nobodys == sorted([*hers, ("2024-05-02", "5.00")])
    silver = silver_of(expired)
    expired.load()
    assert silver_of(expired) == silver
    figures(expired)


def test_of_somebody_whom_silver_kept_out_of_a_closed_day_the_account_stays(fair: Shop) -> None:
    shop = fair
    keeping(shop, {"bronze": 12})
    expire(shop.work, today=TODAY)
    before = figures(shop)
    assert before[EXCLUDED, "test_order"] == (1, Decimal("99.00"))
    key = forget(shop, "tester")
    assert figures(shop)[EXCLUDED, "test_order"] == (1, Decimal("99.00"))
    ((raw, row_hash),) = shop.rows(EXCLUDED, "raw", "_row_hash")
    assert row_hash is None
    assert key not in raw
    shop.load()
    figures(shop)


def test_bronze_waits_until_silver_is_made_of_it(
    spark: SparkSession, loaded_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = open_shop(spark, tmp_path / "home", MAPPING, FILES, **MAY)
    keeping(shop, KEPT)
    load_but_stop_at(TRANSACTIONS, shop, monkeypatch)
    done = expire(shop.work, today=TODAY)
    assert went(done) == {REFUSED: 2}
    (waits,) = [each.waits for each in done if each.waits]
    assert waits.startswith(f"{TRANSACTIONS} is not made yet: run `customer360 run --steps etl")
    shop.load()
    assert silver_of(shop) == silver_of(open_shop(spark, loaded_home, MAPPING, **MAY))
    assert went(expire(shop.work, today=TODAY)) == {BRONZE: 5, EXCLUDED: 1}


def test_what_silver_is_still_to_be_made_of(
    spark: SparkSession, loaded_home: Path, tmp_path: Path
) -> None:
    def waits(of: Shop) -> str:
        return not_made_yet(of.work, date(2024, 5, 8)) or ""

    shop = copied(spark, loaded_home, tmp_path / "home", KEPT)
    assert not waits(shop)
    mended = open_shop(spark, tmp_path / "home", MAPPING.replace("Madrid", "Paris"), **MAY)
    assert "silver/customers is made of fair by another definition" in waits(mended)
    shop.deliver("fair_2024-05-12.csv", HEAD, "20,,2024-05-10 10:00,1.00,,")
    shop.load(date(2024, 5, 12))
    assert not waits(shop), "no profile is made of what names nobody"
    shop.deliver("fair_2024-05-13.csv", HEAD, "21,eve,2024-05-13 10:00,1.00,,")
    day = date(2024, 5, 13)
    load_bronze(shop.work, shop.source, "fair_orders", DayRange(day, day))
    since = date(2024, 5, 12)
    assert f"silver/customers is not made yet of what {BRONZE} has of {since}" in waits(shop)
    load_silver.load_customers(shop.work, DayRange(day, day))
    assert f"{HISTORY} is not made yet of what {BRONZE} has of {since}" in waits(shop)
    shop.load_profiles(day)
    assert f"{TRANSACTIONS} is not made yet of what {BRONZE} has of {day}" in waits(shop)
    shop.load(day)
    assert not waits(shop)


def test_days_that_only_bronze_has_are_not_closed(spark: SparkSession, tmp_path: Path) -> None:
    shop = open_shop(spark, tmp_path, MAPPING, FILES, **MAY)
    days = DayRange(date(2024, 5, 1), date(2024, 5, 10))
    load_bronze(shop.work, shop.source, "fair_orders", days)
    shop.load(date(2024, 5, 10))
    waits = not_made_yet(shop.work, date(2024, 5, 8)) or ""
    assert f"{TRANSACTIONS} is not made yet of 2024-05-03, of which {BRONZE} has rows" in waits


def test_a_sale_that_waits_for_its_customer_stays_in_quarantine(
    spark: SparkSession, loaded_home: Path, tmp_path: Path
) -> None:
    # As its customer is known, the day is made again with each load.
    waiting = MAPPING.replace("test_order", "unknown_customer")
    shop = copied(spark, loaded_home, tmp_path / "home", {"quarantine": 9}, waiting)
    shop.load()
    assert went(expire(shop.work, today=TODAY)) == {REFUSED: 2}
    shop.deliver("fair_2024-05-11.csv", HEAD, "12,,2024-05-11 10:00,1.00,,")
    loaded = shop.load(date(2024, 5, 11))
    assert set(loaded.silver.days) == {date(2024, 5, 2), date(2024, 5, 11)}
    assert shop.reasons() == {"unknown_customer": 1}
    assert (EXCLUDED, PAST) not in figures(shop)
    keeping(shop, KEPT)
    assert went(expire(shop.work, today=TODAY)) == {BRONZE: 5, EXCLUDED: 1}
    assert figures(shop)[EXCLUDED, PAST] == (1, Decimal("99.00"))


def test_what_was_refused_of_closed_days_is_no_more_once_it_is_mended(fair: Shop) -> None:
    shop = fair
    keeping(shop, {"quarantine": 9})
    expire(shop.work, today=TODAY)
    assert figures(shop)[REFUSED, PAST] == (2, None)
    for name, wrong, right in (
        ("fair_2024-05-02.csv", "twelve", "12.00"),
        ("fair_2024-05-10.csv", "many", "9.00"),
    ):
        shop.deliver(name, *(line.replace(wrong, right) for line in FILES[name]))
    assert shop.load().bronze.reasons == {}
    assert (REFUSED, PAST) not in figures(shop)


def test_what_is_refused_of_closed_days_for_good_is_not_waited_for(fair: Shop) -> None:
    shop = fair
    keeping(shop, {"quarantine": 9})
    object.__setattr__(shop.work.deployment.settings, "forgotten_sales", "removed")
    expire(shop.work, today=TODAY)
    refused = shop.receive()
    assert (refused.refused.rows, refused.reasons) == (2, {"sum:type": 2})
    forget(shop, "ann")
    refused = shop.load().bronze  # and the account closes
    assert (refused.refused.rows, refused.reasons) == (0, {"forgotten": 5})


def test_of_a_row_that_comes_with_each_delivery_the_last_one_stays(fair: Shop) -> None:
    again = FILES["fair_2024-05-02.csv"][4]
    fair.deliver("fair_2024-05-03.csv", *FILES["fair_2024-05-03.csv"], again)
    fair.load(date(2024, 5, 3))
    silver = silver_of(fair)
    expire(fair.work, today=TODAY)
    assert fair.rows(BRONZE, "nr", "_delivered_on") == [
        ("4", "2024-05-03"),
        ("7", "2024-05-10"),
        ("8", "2024-05-10"),
    ]
    fair.load()
    assert silver_of(fair) == silver


def test_a_history_without_an_attribute_that_is_new_goes_on(expired: Shop) -> None:
    silver = silver_of(expired)

    def as_an_older_release_made_it() -> None:
        older = expired.lakehouse.read(HISTORY).drop("loyalty_tier")
        writer = older.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
        writer.save(expired.lakehouse.path(HISTORY))

    as_an_older_release_made_it()
    keeping(expired, KEPT | {HISTORY: 8})
    assert went(expire(expired.work, today=date(2024, 5, 19)))[HISTORY] == 1
    as_an_older_release_made_it()
    keeping(expired, KEPT)
    expired.load()
    now = silver_of(expired)
    assert set(now["customer_history"]) < set(silver["customer_history"])
    assert now == silver | {"customer_history": now["customer_history"]}


def test_no_load_is_recommended_for_a_closed_day(expired: Shop) -> None:
    day = date(2024, 5, 2)
    rows = expired.lakehouse.read_days(TRANSACTIONS, "business_date", [day])
    expired.lakehouse.replace_days(
        Contract.load(TRANSACTIONS), rows.where("order_id <> '1'"), "business_date", [day]
    )
    differences = reconcile(expired.work.tables, expired.work.deployment).differences
    assert [each.partition(":")[0] for each in differences] == [
        TRANSACTIONS,
        "silver/customer_days",
    ]
    for each in differences:
        assert each.endswith("restore a backup of before by `customer360 restore`")


def test_versions_of_profiles_and_snapshots_go_by_their_own_days(fair: Shop) -> None:
    shop = fair
    keeping(shop, {HISTORY: 8, "gold": 15})
    dates = [date(2024, 5, 3), date(2024, 5, 10), date(2024, 5, 12)]
    make_gold.make_snapshots(shop.work, FEATURES, dates)
    shop.deliver("fair_2024-05-11.csv", HEAD, "12,ann,2024-05-11 10:00,1.00,,Ribeira")
    shop.load()
    stale = stale_snapshots(shop.work.tables)
    assert stale == [date(2024, 5, 12)]
    towns = shop.rows(HISTORY, "city", "is_current")
    assert ("Lugo", "false") in towns
    # Ann left Lugo on the 10th and Noia on the 11th.
    done = expire(shop.work, today=date(2024, 5, 19))
    assert went(done)[HISTORY] == 1
    assert went(done)[FEATURES] > 0
    assert shop.lakehouse.days_of(FEATURES, "as_of") == dates[1:]
    assert stale_snapshots(shop.work.tables) == stale
    kept = shop.rows(HISTORY, "city", "is_current")
    assert kept == [row for row in towns if row[0] != "Lugo"]
    shop.load()
    assert shop.rows(HISTORY, "city", "is_current") == kept
    expire(shop.work, today=date(2034, 5, 19))
    assert shop.lakehouse.days_of(FEATURES, "as_of") == dates[2:], "the newest stays"
    assert all(current == "true" for _, current in shop.rows(HISTORY, "city", "is_current"))


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({"bronze": 7}, r"bronze: 7 days are not more than trailing_days \(7\).*keep 8 or more"),
        ({"quarantine/fair_orders": 5}, r"quarantine/fair_orders: 5 days .*trailing_days \(7\)"),
        ({"gold": 90}, r"gold: 90 days are not more than revenue_horizon_days \(91\)"),
        ({"gold/rfm_segments": 91}, r"revenue_horizon_days \(91\)"),
        ({"silver/customer_history": 200}, r"lifetime_value_holdout_days \(273\)"),
        ({"bronze/fair_orders": 90}, "state one figure for `bronze`"),
        ({"silver/transactions": 900}, "count from the first purchase on"),
        ({"silver/customers": 900}, "one row a customer.*privacy forget"),
        ({"gold/business_health": 900}, "names nobody"),
        ({"quarantine/forgotten": 900}, "needed for ever"),
        ({"gold/rfm": 400}, r"no such table; known are .*gold/rfm_segments"),
        (
            {"golden": 400},
            r"no such table; known are exports, reports, privacy/reports, contacts, bronze, "
            r"quarantine, gold",
        ),
    ],
)
def test_what_cannot_be_kept_for_so_long_is_refused(
    tmp_path: Path, kept: dict[str, int], said: str
) -> None:
    with pytest.raises(SettingsError, match=f"retention_days.*{said}"):
        load_settings(tmp_path, retention_days=kept)


def test_of_what_comes_as_a_whole_rows_go_where_they_come_from(
    spark: SparkSession, tmp_path: Path
) -> None:
    whole = MAPPING.replace('date_in_name: "fair_{yyyy-MM-dd}.csv"\n', "")
    shop = open_shop(spark, tmp_path, whole, {}, **MAY)
    for kept, said in (
        ({"bronze": 90}, "fair_orders comes as a whole"),
        ({"quarantine/fair_orders": 90}, "fair_orders comes as a whole"),
        ({"quarantine/other": 90}, "no table quarantine/other; known are quarantine/transactions"),
    ):
        settings = shop.work.deployment.settings.model_copy(update={"retention_days": kept})
        with pytest.raises(SettingsError, match=said):
            type(shop.work.deployment)(settings, (shop.source,))


def test_days_that_are_asked_for_are_those_that_are_open(expired: Shop) -> None:
    loaded = expired.load(date(2024, 5, 6), date(2024, 5, 9))
    assert loaded.bronze.closed == 2
    assert set(loaded.silver.days) == set(DayRange(date(2024, 5, 8), date(2024, 5, 9)))
