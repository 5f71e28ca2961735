"""Files delivered again, shortened, corrected or withdrawn: silver is that of the final state."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from customer360.days import DayRange
from customer360.pipeline import few_rows, make_gold
from customer360.pipeline.load_bronze import load_bronze
from customer360.table_names import FEATURES, REJECTED
from customer360_tests.cases.shop import Shop, load_but_stop_at, open_shop

NONE_IS_FEW = -1
SALES: dict[str, Any] = {"first": date(2024, 3, 1), "last": date(2024, 3, 31)}
MARCH: dict[str, Any] = SALES | {"history": True}

EXTRACT = """
name: mill
time_zone: Europe/Lisbon
currency: EUR
grain: orders
closed: true
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum, city: town,
          marketing_consent: mails}
"""
DAILY = EXTRACT + 'date_in_name: "sales_{yyyy-MM-dd}.csv"\n'
HEAD = "nr,who,at,sum,town,mails"
SILVER = ("transactions", "order_lines", "customer_days", "customers", "customer_history")


def silver_of(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all silver tables that there are."""
    tables = {name: f"silver/{name}" for name in SILVER}
    return {
        name: shop.rows(table, *shop.columns(table))
        for name, table in tables.items()
        if shop.lakehouse.exists(table)
    }


def gold_of(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the features of the last day, and of the business's days."""
    month = DayRange(MARCH["first"], MARCH["last"])
    make_gold.make_snapshots(shop.work, FEATURES, [month.last])
    make_gold.make_business_health(shop.work, month)
    tables = ("gold/customer_features", "gold/business_health")
    return {name: shop.rows(name, *shop.columns(name)) for name in tables}


def assert_as_from_scratch(
    shop: Shop, folder: Path, *, mapping: str | None = None, gold: bool = False
) -> None:
    """Silver is what one load of the files as they are makes, and ``gold`` too where asked."""
    files = {
        file.name: tuple(file.read_text(encoding="utf-8").splitlines())
        for file in shop.folder.iterdir()
    }
    if mapping is None:
        mapping = DAILY if any(name.startswith("sales_") for name in files) else EXTRACT
    march = MARCH | {"history": shop.history}
    fresh = open_shop(shop.work.spark, folder, mapping, files, **march)
    fresh.load()
    ours, theirs = silver_of(shop), silver_of(fresh)
    assert set(ours) == set(theirs)
    for name in ours:
        assert ours[name] == theirs[name], name
    assert shop.reasons() == fresh.reasons()
    if gold:
        assert gold_of(shop) == gold_of(fresh)


def test_an_extract_that_shrank_moved_a_row_and_lost_days(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = open_shop(
        spark,
        tmp_path / "shop",
        EXTRACT,
        {"orders.csv": (HEAD, "1,ann,2024-03-02 09:00:00,10.00,Faro,yes",
                        "2,bob,2024-03-10 09:00:00,20.00,Lagos,",
                        "3,ann,2024-03-29 09:00:00,40.00,,no")},
        **MARCH,
    )  # fmt: skip
    shop.load()
    assert shop.net() == Decimal("70.00")
    # Order 3 was really on the 12th, and order 1 never was: only the last days are asked for.
    shop.deliver(
        "orders.csv", HEAD, "2,bob,2024-03-10 09:00:00,20.00,Lagos,",
        "3,ann,2024-03-12 09:00:00,40.00,,no",
    )  # fmt: skip
    loaded = shop.load(date(2024, 3, 30), date(2024, 3, 31))
    assert {date(2024, 3, 2), date(2024, 3, 12), date(2024, 3, 29)} < set(loaded.silver.days)
    assert date(2024, 3, 10) not in loaded.silver.days
    assert shop.orders() == [
        ("2024-03-10", "2", "sale", "20.00"),
        ("2024-03-12", "3", "sale", "40.00"),
    ]
    assert shop.net() == Decimal("60.00")
    assert_as_from_scratch(shop, tmp_path / "fresh")


def test_a_day_delivered_again_without_a_row_takes_it_away(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Also where the row lay on an earlier day than its delivery, and its customer with it."""
    shop = open_shop(
        spark,
        tmp_path / "shop",
        DAILY,
        {
            "sales_2024-03-05.csv": (HEAD, "1,ann,2024-03-05 09:00:00,10.00,Faro,yes"),
            "sales_2024-03-09.csv": (HEAD, "2,bob,2024-03-02 09:00:00,20.00,Lagos,yes",
                                     "3,ann,2024-03-09 09:00:00,5.00,Evora,"),
        },
        **MARCH,
    )  # fmt: skip
    shop.load()
    assert set(shop.customers()) == {"ann", "bob"}
    shop.deliver("sales_2024-03-09.csv", HEAD, "3,ann,2024-03-09 09:00:00,6.00,,no")
    loaded = shop.load(date(2024, 3, 9))
    assert set(loaded.silver.days) == {date(2024, 3, 2), date(2024, 3, 9)}
    assert shop.orders() == [
        ("2024-03-05", "1", "sale", "10.00"),
        ("2024-03-09", "3", "sale", "6.00"),
    ]
    assert shop.customers("city", "marketing_consent") == {"ann": ("Faro", "false")}
    assert_as_from_scratch(shop, tmp_path / "fresh")


def test_a_correction_withdrawn_gives_the_first_version_back(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = open_shop(
        spark,
        tmp_path / "shop",
        DAILY,
        {
            "sales_2024-03-05.csv": (HEAD, "1,ann,2024-03-05 09:00:00,10.00,Faro,yes"),
            "sales_2024-03-09.csv": (HEAD, "1,ann,2024-03-08 09:00:00,12.00,Faro,yes"),
        },
        **MARCH,
    )  # fmt: skip
    for day in (5, 9):
        shop.load(date(2024, 3, day))
    assert shop.orders() == [("2024-03-08", "1", "sale", "12.00")]
    shop.deliver("sales_2024-03-09.csv", HEAD, "7,bob,2024-03-09 09:00:00,1.00,,")
    shop.load(date(2024, 3, 9))
    assert shop.orders() == [
        ("2024-03-05", "1", "sale", "10.00"),
        ("2024-03-09", "7", "sale", "1.00"),
    ]
    assert_as_from_scratch(shop, tmp_path / "fresh")


def test_the_older_delivery_loaded_last_changes_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = open_shop(
        spark,
        tmp_path / "shop",
        DAILY,
        {
            "sales_2024-03-05.csv": (HEAD, "1,ann,2024-03-05 09:00:00,10.00,Faro,yes"),
            "sales_2024-03-09.csv": (HEAD, "1,ann,2024-03-20 09:00:00,12.00,Faro,no"),
        },
        **MARCH,
    )  # fmt: skip
    for day in (9, 5):
        shop.load(date(2024, 3, day))
    assert shop.orders() == [("2024-03-20", "1", "sale", "12.00")]
    assert_as_from_scratch(shop, tmp_path / "fresh")


@pytest.mark.parametrize("most", [few_rows.FEW_ROWS, NONE_IS_FEW])
def test_days_that_came_along_keep_the_orders_that_moved_away_from_them(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Order 2 lay on a day that is only made again because order 1 did."""
    monkeypatch.setattr(few_rows, "FEW_ROWS", most)
    shop = open_shop(
        spark,
        tmp_path / "shop",
        DAILY,
        {
            "sales_2024-03-05.csv": (HEAD, "1,ann,2024-03-05 09:00:00,10.00,,",
                                     "2,bob,2024-03-05 10:00:00,7.00,,"),
            "sales_2024-03-06.csv": (HEAD, "2,bob,2024-03-25 10:00:00,7.00,,"),
        },
        **MARCH,
    )  # fmt: skip
    shop.load()
    shop.deliver("sales_2024-03-12.csv", HEAD, "1,ann,2024-03-11 09:00:00,10.00,,")
    loaded = shop.load(date(2024, 3, 12))
    assert date(2024, 3, 25) not in loaded.silver.days
    assert shop.orders() == [
        ("2024-03-11", "1", "sale", "10.00"),
        ("2024-03-25", "2", "sale", "7.00"),
    ]
    assert_as_from_scratch(shop, tmp_path / "fresh")


def test_a_run_killed_after_bronze_is_made_good_by_the_next(
    spark: SparkSession, tmp_path: Path
) -> None:

    shop = open_shop(
        spark,
        tmp_path / "shop",
        DAILY,
        {
            "sales_2024-03-05.csv": (HEAD, "1,ann,2024-03-05 09:00:00,10.00,,"),
            "sales_2024-03-06.csv": (HEAD, "2,bob,2024-03-06 09:00:00,3.00,,"),
        },
        **MARCH,
    )
    shop.load()
    shop.deliver("sales_2024-03-05.csv", HEAD, "1,ann,2024-03-04 09:00:00,11.00,,")
    (table,) = shop.source.tables
    day = DayRange(date(2024, 3, 5), date(2024, 3, 5))
    load_bronze(shop.work, shop.source, table, day)
    # Killed here. The next night is about another day.
    shop.load(date(2024, 3, 6))
    assert_as_from_scratch(shop, tmp_path / "fresh")


def test_a_run_killed_before_its_quarantine_is_made_good_by_the_next(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where that is about other days: what was consumed counts when the load is over."""
    other = "2,bob,2024-03-30 09:00:00,7.00,,"
    shop = open_shop(
        spark,
        tmp_path / "shop",
        EXTRACT,
        {"orders.csv": (HEAD, "1,ann,2024-03-05 09:00:00,10.00,,", other)},
        **MARCH,
    )
    shop.load()
    shop.deliver("orders.csv", HEAD, "1,ann,2024-03-05 09:00:00,-10.00,,", other)
    load_but_stop_at(REJECTED, shop, monkeypatch, date(2024, 3, 29), date(2024, 3, 31))
    assert not shop.lakehouse.exists(REJECTED)
    shop.load(date(2024, 3, 29), date(2024, 3, 31))
    assert shop.reasons() == {"negative_amount": 1}
    assert_as_from_scratch(shop, tmp_path / "fresh")
    # Once it is over, only the days asked for are made again.
    again = shop.load(date(2024, 3, 29), date(2024, 3, 31))
    assert again.silver.days[0] == date(2024, 3, 29)


GIVEN_BACK = EXTRACT.replace("sum,", "sum, refunded: back, refunded_at: back on,")
BACK = "nr,who,at,sum,town,mails,back,back on"


@pytest.mark.parametrize(
    ("lines", "moved"),
    [
        pytest.param(True, True, id="lines-moved"),
        pytest.param(False, False, id="orders-gone"),
        pytest.param(True, False, id="lines-gone", marks=pytest.mark.whole),
        pytest.param(False, True, id="orders-moved", marks=pytest.mark.whole),
    ],
)
def test_a_refund_beside_its_sale_that_moved_or_went_leaves_the_day_where_it_lay(
    spark: SparkSession, tmp_path: Path, lines: bool, moved: bool
) -> None:
    mapping = GIVEN_BACK.replace("grain: orders", "grain: lines") if lines else GIVEN_BACK
    other = "2,bob,2024-03-30 09:00:00,7.00,,,,"
    sale = "1,ann,2024-03-05 09:00:00,100.00,,"
    rows = (BACK, f"{sale},20.00,2024-03-10 09:00:00", other)
    shop = open_shop(spark, tmp_path, mapping, {"orders.csv": rows}, **SALES)
    shop.load()
    assert shop.net() == Decimal("87.00")
    shop.deliver(
        "orders.csv", BACK, f"{sale},20.00,2024-03-12 09:00:00" if moved else f"{sale},,", other
    )
    shop.load(date(2024, 3, 29), date(2024, 3, 31))
    refund = [("2024-03-12", "1", "refund", "20.00")] if moved else []
    assert shop.orders() == [
        ("2024-03-05", "1", "sale", "100.00"),
        *refund,
        ("2024-03-30", "2", "sale", "7.00"),
    ]


def test_a_refund_after_the_last_sale_goes_with_what_said_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Also where the days made again are all that have a sale."""
    sale = "1,ann,2024-03-05 09:00:00,100.00,,"
    rows = (BACK, f"{sale},20.00,2024-03-10 09:00:00")
    shop = open_shop(spark, tmp_path, GIVEN_BACK, {"orders.csv": rows}, **SALES)
    shop.load()
    shop.deliver("orders.csv", BACK, f"{sale},,")
    shop.load(date(2024, 3, 5))
    assert shop.orders() == [("2024-03-05", "1", "sale", "100.00")]


@pytest.mark.parametrize(
    ("apart", "state"),
    [
        pytest.param(True, "void", id="night by night-void"),
        pytest.param(False, "paid", id="at once-paid"),
        pytest.param(True, "paid", id="night by night-paid", marks=pytest.mark.whole),
        pytest.param(False, "void", id="at once-void", marks=pytest.mark.whole),
    ],
)
def test_what_was_given_back_can_be_taken_back(
    spark: SparkSession, tmp_path: Path, apart: bool, state: str
) -> None:
    """By a later delivery that says nothing was, or that the order never came to be."""
    mapping = DAILY.replace("sum,", "sum, refunded: back,") + (
        "cancellations:\n  - {column: state, equals: [void], kind: cancelled}\n"
    )
    head = "nr,who,at,sum,town,mails,back,state"
    back = "0.00" if state == "paid" else "20.00"
    shop = open_shop(
        spark,
        tmp_path,
        mapping,
        {
            "sales_2024-03-05.csv": (head, "1,ann,2024-03-05 09:00:00,100.00,,,20.00,paid",
                                     "2,bob,2024-03-05 10:00:00,30.00,,,3.00,paid"),
            "sales_2024-03-06.csv": (head, f"1,ann,2024-03-05 09:00:00,100.00,,,{back},{state}"),
        },
        **SALES,
    )  # fmt: skip
    if apart:
        shop.load(date(2024, 3, 5))
        assert shop.net() == Decimal("107.00")
    loaded = shop.load(date(2024, 3, 6)) if apart else shop.load()
    assert shop.orders() == [
        ("2024-03-05", "1", "sale" if state == "paid" else "cancelled", "100.00"),
        ("2024-03-05", "2", "refund", "3.00"),
        ("2024-03-05", "2", "sale", "30.00"),
    ]
    assert loaded.account.rows_in == 5
    assert loaded.account.kept == 3
    assert shop.reasons() == {}


FIRST = date(2024, 3, 10)
ANY_HEAD = "nr,who,at,sum,town,mails,back,back on,state,since,line"
rows_of_a_file = st.lists(
    st.tuples(
        st.sampled_from("123"),  # order
        st.sampled_from(["ann", "bob", ""]),
        st.integers(-2, 2),  # days from the first
        st.sampled_from(["3.00", "4.00"]),
        st.sampled_from(["", "Faro", "Lagos"]),
        st.sampled_from(["", "yes", "no"]),
        st.sampled_from(["", "0.00", "1.00", "2.00"]),  # given back
        st.sampled_from([None, 0, 3]),  # days from the first to that
        st.sampled_from(["new", "sent", "void", "back"]),
        st.sampled_from(["", "2024-03-11 08:00:00", "2024-03-12 08:00:00"]),  # changed
        st.sampled_from("12"),  # line
    ),
    max_size=3,
)
steps = st.lists(
    st.tuples(st.integers(0, 3), rows_of_a_file, st.integers(0, 3), st.booleans()),
    min_size=2,
    max_size=3,
)
grains = st.sampled_from(["orders", "lines", "numbered lines"])


def any_mapping(daily: bool, grain: str) -> str:
    """Refunds as rows and beside the sale, cancelled orders, states."""
    roles = "sum, refunded: back, changed_at: since"
    if not daily:
        roles += ", refunded_at: back on"
    if grain == "numbered lines":
        roles += ", line_id: line"
    mapping = (DAILY if daily else EXTRACT).replace("sum", roles)
    return mapping.replace("grain: orders", f"grain: {grain.split()[-1]}") + (
        "cancellations:\n  - {column: state, equals: [void], kind: cancelled}\n"
        "  - {column: state, equals: [back]}\n"
    )


def written(rows: list[tuple[Any, ...]]) -> tuple[str, ...]:
    def at(away: int | None) -> str:
        return "" if away is None else f"{FIRST + timedelta(days=away)} 09:00:00"

    return (
        ANY_HEAD,
        *(
            ",".join((nr, who, at(away), amount, town, mails, back, at(then), *rest))
            for nr, who, away, amount, town, mails, back, then, *rest in rows
        ),
    )


def loads_of(steps: list[Any]) -> list[DayRange]:
    """The days that each step loads: from its own on, or again from the first of any before."""
    loads: list[DayRange] = []
    for delivered, _, reach, again in steps:
        day = FIRST + timedelta(days=delivered)
        first = min(day, *(load.first for load in loads)) if again and loads else day
        loads.append(DayRange(first, day + timedelta(days=reach)))
    return loads


def ranges_of(days: set[date]) -> list[DayRange]:
    """The days in ranges, the last first."""
    ends = sorted(day for day in days if day + timedelta(days=1) not in days)
    starts = sorted(day for day in days if day - timedelta(days=1) not in days)
    return [DayRange(*ends_at) for ends_at in reversed(list(zip(starts, ends, strict=True)))]


def assert_ends_as_one_load(
    spark: SparkSession, folder: Path, daily: bool, grain: str, steps: list[Any]
) -> None:
    mapping = any_mapping(daily, grain)
    shop = open_shop(spark, folder / "shop", mapping, {}, **MARCH)
    loads = loads_of(steps)
    for (delivered, rows, *_), days in zip(steps, loads, strict=True):
        day = FIRST + timedelta(days=delivered)
        shop.deliver(f"sales_{day}.csv" if daily else "orders.csv", *written(rows))
        shop.load(days.first, days.last)
    loaded = {day for days in loads for day in days}
    # The days that no load was about, and none of the others: those have to be right already.
    for rest in ranges_of(set(DayRange(MARCH["first"], MARCH["last"])) - loaded):
        shop.load(rest.first, rest.last)
    assert_as_from_scratch(shop, folder / "fresh", mapping=mapping, gold=True)


# Rows as `rows_of_a_file` has them: order, customer, day, amount, town, mails, given back and when,
# state, changed, line.
ONE_OF_EACH: dict[str, tuple[str, list[Any]]] = {
    "daily": ("numbered lines", [
        # An order of two lines, of which one is given back in part; one of days before.
        (0, [("1", "ann", 0, "4.00", "Faro", "yes", "1.00", None, "sent", "", "1"),
             ("1", "ann", 0, "3.00", "", "", "", None, "sent", "", "2"),
             ("2", "bob", -2, "4.00", "Lagos", "", "", None, "new", "", "1")], 1, False),
        # A line moves, and nothing of it was given back; one is cancelled; nobody returns some.
        (2, [("1", "ann", 1, "4.00", "", "no", "0.00", None, "sent", "2024-03-12 08:00:00", "1"),
             ("2", "bob", 2, "4.00", "", "", "", None, "void", "", "1"),
             ("3", "", 2, "3.00", "", "", "", None, "back", "", "1")], 0, False),
        # The first delivery again, without most of it; nobody asks for the two days after it.
        (0, [("1", "ann", 0, "3.00", "Faro", "yes", "", None, "sent", "", "2")], 0, False),
    ]),
    "extract": ("orders", [
        (0, [("1", "ann", 0, "4.00", "Faro", "yes", "1.00", 3, "sent", "", "1"),
             ("2", "bob", 1, "3.00", "", "", "", None, "back", "", "1")], 2, False),
        # What was given back moves with its sale, and is more; a return is none.
        (3, [("1", "ann", 2, "4.00", "", "no", "2.00", 0, "sent", "2024-03-12 08:00:00", "1"),
             ("2", "bob", 1, "3.00", "", "", "", None, "void", "", "1")], 0, False),
        # It was never given back, on the 10th, which nobody asks for; order 2 was never there; one
        # of days before is.
        (1, [("1", "ann", 2, "4.00", "Lagos", "", "", None, "new", "2024-03-12 08:00:00", "1"),
             ("3", "bob", -1, "3.00", "Faro", "yes", "1.00", 0, "sent", "", "1")], 20, False),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_a_sequence_of_deliveries_ends_in_the_silver_and_gold_of_one_load(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    """Deliveries, corrections, withdrawals and re-deliveries, loaded by several ranges."""
    grain, steps = ONE_OF_EACH[kind]
    *before, last = loads_of(steps)
    assert {day for days in before for day in days} - set(last), "no day has to be right already"
    assert_ends_as_one_load(spark, tmp_path, kind == "daily", grain, steps)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("daily", [True, False], ids=["daily", "extract"])
@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(grain=grains, steps=steps)
def test_any_sequence_of_deliveries_ends_in_the_silver_and_gold_of_one_load(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    daily: bool,
    grain: str,
    steps: list[Any],
) -> None:
    assert_ends_as_one_load(spark, tmp_path_factory.mktemp("any"), daily, grain, steps)
