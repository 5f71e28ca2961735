"""How much may be left out, by rows and by money, and what is said when it is too much."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.limits import LeftOut, Limits
from customer360.pipeline import refusals
from customer360.pipeline.bronze_accounts import BronzeLoaded
from customer360.pipeline.other_currencies import mostly_other
from customer360_tests.cases.shop import Loaded, Shop, open_shop

APRIL: dict[str, Any] = {"first": date(2024, 4, 1), "last": date(2024, 4, 30)}
BAKERY = """
name: bakery
time_zone: Europe/Vienna
currency: EUR
date_format: "yyyy-MM-dd"
grain: orders
closed: true
columns: {order_id: slip, customer_id: who, occurred_at: day, amount: total}
"""
HEAD = "slip,who,day,total"
LIMITS = Limits(rows=0.05, money=0.05, tolerance=5)


def load(spark: SparkSession, folder: Path, mapping: str, *lines: str) -> tuple[Shop, Loaded]:
    shop = open_shop(spark, folder / "shop", mapping, {"slips.csv": lines}, **APRIL)
    return shop, shop.load()


def receive(
    spark: SparkSession, folder: Path, mapping: str, *lines: str
) -> tuple[Shop, BronzeLoaded]:
    """Bronze alone, which is where it is decided."""
    shop = open_shop(spark, folder / "shop", mapping, {"slips.csv": lines}, **APRIL)
    return shop, shop.receive()


def told(shop: Shop, received: BronzeLoaded) -> str:
    (table,) = shop.source.tables
    return refusals.explained(shop.work, shop.source, table, received)


@pytest.mark.parametrize(
    ("left_out", "stops"),
    [
        (LeftOut(0, 0), False),
        (LeftOut(5, 6), False),  # a table without money: only the rows tell
        (LeftOut(6, 60), True),
        (LeftOut(3, 60, Decimal(3), Decimal(60)), False),
        (LeftOut(1, 60, Decimal(40), Decimal(100)), True),  # one row with most of the money
        (LeftOut(5, 20, Decimal(1), Decimal(100)), False),  # many of few rows, hardly any money
        (LeftOut(1, 16, Decimal(0), Decimal(100), unknown=1), False),
        (LeftOut(3, 16, Decimal(0), Decimal(100), unknown=3), True),
        (LeftOut(3, 3, Decimal(0), Decimal(0), unknown=3), True),  # nothing is left to be read
        (LeftOut(1, 1, Decimal(0), Decimal(0), unknown=1), True),
        (LeftOut(1, 4, Decimal(0), Decimal(0), unknown=1), False),  # what is left is given away
        (LeftOut(3, 3, Decimal(0), Decimal(0)), False),  # a table without money
    ],
)
def test_too_much_is_left_out(left_out: LeftOut, stops: bool) -> None:
    assert left_out.over(LIMITS) is stops


def test_the_largest_amounts_alone_do_not_read(spark: SparkSession, tmp_path: Path) -> None:
    # A comma that parts decimals and a point that parts thousands: 2.500,00 is what matters.
    shop, received = receive(
        spark, tmp_path, BAKERY.replace("date_format", 'decimal_separator: ","\ndate_format'),
        HEAD, '1,ann,2024-04-02,"9,50"', '2,bob,2024-04-03,"12,00"', '3,cid,2024-04-04,"3,250.00"',
        '4,ann,2024-04-05,"8,00"', '5,bob,2024-04-06,"1,100.75"',
    )  # fmt: skip
    refused = received.refused
    assert (refused.rows, refused.money, refused.of_money) == (
        2,
        Decimal("4350.75"),
        Decimal("4380.25"),
    )
    assert refused.over(shop.work.deployment.limits)
    said = told(shop, received)
    assert said.startswith(
        "2 of 5 rows (40.0%, 4,350.75 of 4,380.25 EUR) of bronze/bakery_orders are in quarantine, "
        "2 for total:type: line 4 of slips.csv: column total has '3,250.00', expected a number "
        'with decimal_separator: ","; write decimal_separator: "." and thousands_separator: ","'
    )
    assert said.index("customer360 check") < said.index("CUSTOMER360_QUARANTINE_MONEY_LIMIT")
    assert "CUSTOMER360_QUARANTINE_LIMIT" not in said  # two rows are within the tolerance


def test_dates_of_another_order_in_a_small_file(spark: SparkSession, tmp_path: Path) -> None:
    shop, received = receive(
        spark, tmp_path, BAKERY.replace("yyyy-MM-dd", "dd/MM/yyyy"),
        HEAD, "1,ann,04/02/2024,10.00", "2,bob,04/03/2024,10.00", "3,cid,04/17/2024,10.00",
        "4,ann,04/28/2024,70.00",
    )  # fmt: skip
    refused = received.refused
    assert (refused.rows, refused.money, refused.of_money) == (2, Decimal(80), Decimal(100))
    assert refused.over(shop.work.deployment.limits)
    assert (
        "line 4 of slips.csv: column day has '04/17/2024', expected date_format: \"dd/MM/yyyy\"; "
        'write date_format: "MM/dd/yyyy"' in told(shop, received)
    )


def test_numbers_that_a_spreadsheet_cut(spark: SparkSession, tmp_path: Path) -> None:
    shop, received = receive(
        spark, tmp_path, BAKERY, HEAD,
        *(f"7.0001E+11,ann,2024-04-0{n},{n}0.00" for n in range(1, 5)),
    )  # fmt: skip
    assert received.refused.over(shop.work.deployment.limits)
    assert "column slip has '7.0001E+11', expected all of its digits; export it as text" in told(
        shop, received
    )


def test_a_row_out_of_many_does_not_stop(spark: SparkSession, tmp_path: Path) -> None:
    lines = [f"{n},ann,2024-04-{n:02d},10.00" for n in range(1, 21)]
    shop, loaded = load(spark, tmp_path, BAKERY, HEAD, *lines, "21,bob,soon,10.00")
    assert loaded.bronze.refused.money_share < 0.05
    assert not loaded.bronze.refused.over(shop.work.deployment.limits)
    assert shop.net() == 200


@pytest.mark.parametrize("row", ["{n},ann,2024-04-0{n},ten", "{n},ann,2024-04-0{n},1.00,2,3"])
def test_a_small_file_of_which_everything_is_refused(
    spark: SparkSession, tmp_path: Path, row: str
) -> None:
    shop, received = receive(spark, tmp_path, BAKERY, HEAD, *(row.format(n=n) for n in range(1, 5)))
    refused = received.refused
    assert (refused.rows, refused.of_rows, refused.money_share) == (4, 4, 1)
    assert refused.over(shop.work.deployment.limits)
    assert "4 of 4 rows (100.0%, " in told(shop, received)


def test_totals_and_other_money_do_not_loosen_the_limit(
    spark: SparkSession, tmp_path: Path
) -> None:
    mapping = BAKERY.replace("amount: total", "amount: total, currency: money")
    mapping += "exclude: [{reason: total, column: slip, starts_with: Sum}]\n"
    shop, received = receive(
        spark, tmp_path, mapping, f"{HEAD},money", *(
            f"{n},ann,2024-04-{n:02d},10.00,EUR" for n in range(1, 9)
        ), "9,bob,someday,20.00,eur", "10,bob,2024-04-20,50000,JPY", "Sum,,,100.00,EUR",
        "11,bob,never,7000,JPY",
    )  # fmt: skip
    refused = received.refused
    assert (refused.rows, refused.unknown) == (2, 0)
    assert (refused.money, refused.of_money) == (Decimal(20), Decimal(100))
    assert refused.over(shop.work.deployment.limits)


def test_a_customers_id_is_not_shown(spark: SparkSession, tmp_path: Path) -> None:
    shop, received = receive(
        spark, tmp_path, BAKERY, HEAD,
        "1,4.917E+10,2024-04-02,10.00", "2,ann,2024-04-03,10.00",
    )  # fmt: skip
    assert received.reasons == {"who:spreadsheet_number": 1}
    said = told(shop, received)
    assert "column who has another value" in said
    assert "4.917E+10" not in said


def test_quantity_times_price_is_money(spark: SparkSession, tmp_path: Path) -> None:
    mapping = BAKERY.replace("amount: total", "quantity: pieces, unit_price: price")
    shop, received = receive(
        spark, tmp_path, mapping,
        "slip,who,day,pieces,price", "1,ann,2024-04-02,2,5.00", "2,bob,2024-04-03,1,90.00",
        "3,bob,never,-3,30.00", "4,bob,2024-04-04,1,",
    )  # fmt: skip
    refused = received.refused
    assert (refused.rows, refused.unknown) == (2, 1)
    assert (refused.money, refused.of_money) == (Decimal(90), Decimal(190))
    assert refused.over(shop.work.deployment.limits)


def test_sales_below_zero_count_until_the_mapping_says_what_they_are(
    spark: SparkSession, tmp_path: Path
) -> None:
    lines = (HEAD, "1,ann,2024-04-02,100.00", "2,bob,2024-04-03,50.00", "3,bob,2024-04-04,-25.00")
    shop, loaded = load(spark, tmp_path / "a", BAKERY, *lines)
    untold = loaded.account.untold
    assert (untold.rows, untold.of_rows) == (1, 3)
    assert (untold.money, untold.of_money) == (Decimal(25), Decimal(175))
    limits = shop.work.deployment.limits
    assert untold.over(limits)
    said = refusals.exclusions_explained(shop.work, shop.source, loaded.account)
    assert said.startswith(
        "1 of 3 rows (33.3%, 25.00 of 175.00 EUR) of bakery are left out of silver/transactions "
        "though nobody said so, 1 for negative_amount, such as order 3 of 25.00 EUR in slips.csv; "
        "write cancellations: [{column: …, below: 0}] if they are refunds"
    )
    rule = "exclude: [{reason: write_off, column: total, below: 0}]\n"
    shop, loaded = load(spark, tmp_path / "b", BAKERY + rule, *lines)
    assert loaded.account.excluded == {"write_off": 1}
    assert (loaded.account.untold.rows, loaded.account.untold.of_money) == (0, Decimal(150))
    assert not loaded.account.untold.over(limits)


def test_other_money_is_left_out_where_its_column_is_named(
    spark: SparkSession, tmp_path: Path
) -> None:
    mapping = BAKERY.replace("amount: total", "amount: total, currency: money")
    shop, loaded = load(
        spark, tmp_path, mapping,
        f"{HEAD},money", "1,ann,2024-04-02,100.00,EUR", "2,bob,2024-04-03,9000.00,CZK",
    )  # fmt: skip
    assert loaded.account.excluded == {"other_currency": 1}
    assert loaded.account.untold.rows == 0
    assert shop.net() == 100
    assert mostly_other(shop.work, shop.source, loaded.account) is None


def test_a_file_in_another_currency_than_the_mappings_stops(
    spark: SparkSession, tmp_path: Path
) -> None:
    mapping = BAKERY.replace("amount: total", "amount: total, currency: money")
    rows = [f"{n},ann,2024-04-0{n},100.00,{'EUR' if n == 1 else 'CZK'}" for n in range(1, 5)]
    shop, loaded = load(spark, tmp_path, mapping, f"{HEAD},money", *rows)
    assert mostly_other(shop.work, shop.source, loaded.account) == (
        "3 of 4 rows of bakery are in CZK, where the mapping says currency: EUR; write "
        "`currency: CZK` if that is its money, or `rates:` to convert"
    )
