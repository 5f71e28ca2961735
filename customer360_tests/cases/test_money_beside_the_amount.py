"""Refunds, discounts, currencies, further lines: what stands beside the amount of an order."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.errors import BrokenFileError, SettingsError
from customer360.sources.files.mapping import parse_mapping
from customer360_tests.cases.loaded_files import load

MAPPING = """
name: shop
time_zone: UTC
currency: EUR
date_format: "yyyy-MM-dd"
grain: orders
columns:
  order_id: id
  customer_id: who
  occurred_at: day
  amount: sum
"""


def test_what_was_given_back_of_a_sale_is_a_refund(spark: SparkSession, tmp_path: Path) -> None:
    mapping = (
        MAPPING
        + "  refunded: back\n  refunded_at: back on\n"
        + "cancellations: [{column: state, equals: failed, kind: cancelled}]\n"
    )
    text = (
        "id,who,day,sum,back,back on,state\n1,A,2024-01-01,60.00,0.00,,paid\n"
        "2,B,2024-01-02,25.00,25.00,2024-01-09,paid\n3,A,2024-01-03,80.00,15.50,,paid\n"
        "4,C,2024-01-04,10.00,5.00,,failed\n5,C,2024-01-05,9.00,,,paid\n"
    )
    found = load(spark, tmp_path, mapping, {"a.csv": text})
    assert found.net == Decimal("133.50")
    refunds = [row for row in found.good if row.kind == "refund"]
    assert [(r.order_id, r.related_order_id, r.amount, r.business_date) for r in refunds] == [
        ("3", "3", Decimal("15.50"), dt.date(2024, 1, 3)),
        ("2", "2", Decimal("25.00"), dt.date(2024, 1, 9)),
    ]
    assert [row.order_id for row in found.good if row.kind == "cancelled"] == ["4"]


def test_a_discount_column_is_taken_off(spark: SparkSession, tmp_path: Path) -> None:
    """Whether it was written with a minus or without."""
    text = (
        "id,who,day,sum,less\n1,A,2024-01-01,20.00,5.00\n2,A,2024-01-01,20.00,-5.00\n"
        "3,A,2024-01-01,20.00,\n4,A,2024-01-01,4.00,5.00\n"
    )
    found = load(spark, tmp_path, MAPPING + "  discount: less\n", {"a.csv": text})
    assert found.amounts == {"1": 15, "2": 15, "3": 20}
    assert found.excluded == {"negative_amount": 1}


def test_an_amount_of_several_columns(spark: SparkSession, tmp_path: Path) -> None:
    mapping = MAPPING.replace("amount: sum", "amount: [net, tax, post]\n  freight: post")
    text = "id,who,day,net,tax,post\n1,A,2024-01-01,10.00,1.90,4.95\n2,A,2024-01-01,10.00,,\n"
    found = load(spark, tmp_path, mapping, {"a.csv": text})
    assert found.amounts == {"1": Decimal("16.85"), "2": Decimal("10.00")}
    assert {row.freight for row in found.good} == {Decimal("4.95"), None}


LINES = """
name: shop
time_zone: UTC
currency: EUR
date_format: "yyyy-MM-dd"
grain: lines
discounts: [{column: sku, starts_with: VOUCHER}]
columns: {order_id: id, customer_id: who, occurred_at: day, quantity: n, unit_price: price}
"""


def test_discount_lines_are_taken_off_their_order(spark: SparkSession, tmp_path: Path) -> None:
    """However they are signed."""
    text = (
        "id,who,day,sku,n,price\n1,A,2024-01-01,CUP,2,15.00\n1,A,2024-01-01,VOUCHER5,1,-5.00\n"
        "2,B,2024-01-02,JUG,1,40.00\n2,B,2024-01-02,VOUCHER4,-1,4.00\n"
        "3,B,2024-01-03,POT,1,30.00\n3,B,2024-01-03,VOUCHER3,1,3.00\n"
        "5,C,2024-01-05,CUP,-1,15.00\n"
    )
    found = load(spark, tmp_path, LINES, {"a.csv": text})
    assert found.amounts == {"1": 25, "2": 36, "3": 27}
    assert [row.kind for row in found.good] == ["sale"] * 6
    assert found.excluded == {"negative_amount": 1}


CURRENCIES = (
    "id,who,day,sum,money\n1,A,2024-01-01,10.00,EUR\n2,A,2024-01-01,1600,JPY\n"
    "3,B,2024-01-02,20.00,eur\n4,B,2024-01-02,30.00,\n5,C,2024-01-03,50.00,USD\n"
    "6,C,2024-01-03,5.00,€\n"
)


def test_rows_of_another_currency_are_left_out_by_name(spark: SparkSession, tmp_path: Path) -> None:
    found = load(spark, tmp_path, MAPPING + "  currency: money\n", {"a.csv": CURRENCIES})
    assert found.amounts == {"1": 10, "3": 20, "4": 30, "6": 5}
    assert found.excluded == {"other_currency": 2}


def test_stated_rates_convert_and_nothing_else_does(spark: SparkSession, tmp_path: Path) -> None:
    stated = MAPPING + "  currency: money\nrates: {JPY: 0.00615}\n"
    found = load(spark, tmp_path, stated, {"a.csv": CURRENCIES})
    assert found.amounts["2"] == Decimal("9.84")
    assert found.net == Decimal("74.84")
    assert {row.currency for row in found.good} == {"EUR"}
    assert found.excluded == {"other_currency": 1}


def test_cents_of_several_currencies(spark: SparkSession, tmp_path: Path) -> None:
    stated = (
        MAPPING + "  currency: money\namounts_in: minor_units\nrates: {JPY: 0.00615, USD: 0.9}\n"
    )
    text = (
        "id,who,day,sum,money\n1,A,2024-01-01,1050,EUR\n2,A,2024-01-01,1600,JPY\n"
        "3,A,2024-01-01,1000,USD\n"
    )
    found = load(spark, tmp_path, stated, {"a.csv": text})
    assert found.amounts == {"1": Decimal("10.50"), "2": Decimal("9.84"), "3": Decimal("9.00")}


def test_a_currency_column_that_nobody_named_is_not_passed_over(
    spark: SparkSession, tmp_path: Path
) -> None:
    text = CURRENCIES.replace("money", "Currency")
    with pytest.raises(BrokenFileError) as error:
        load(spark, tmp_path, MAPPING, {"a.csv": text})
    assert "expected money in EUR, found JPY, USD in column Currency, which the mapping" in str(
        error.value
    )
    assert "`currency: Currency` under columns" in str(error.value)
    one = "id,who,day,sum,Currency\n1,A,2024-01-01,10.00,EUR\n"
    assert load(spark, tmp_path, MAPPING, {"a.csv": one}).net == 10
    kept = load(spark, tmp_path, MAPPING + "keep: [Currency]\n", {"a.csv": text})
    assert kept.net == 1715


def test_further_lines_of_an_order_are_no_orders(spark: SparkSession, tmp_path: Path) -> None:
    """What belongs to the order stands on its first line; the others say nothing of it."""
    text = (
        "id,who,day,sum,item\n1,A,2024-01-01,30.00,cup\n1,,2024-01-01,,jug\n"
        "2,B,2024-01-02,12.00,pot\n3,C,2024-01-03,,pan\n"
    )
    found = load(spark, tmp_path, MAPPING, {"a.csv": text})
    assert found.amounts == {"1": 30, "2": 12}
    assert found.excluded == {"continuation_row": 1}
    assert found.reasons == {"sum:required": 1}


def test_a_blank_can_be_a_rule(spark: SparkSession, tmp_path: Path) -> None:
    rules = "exclude: [{reason: not_paid, column: paid, blank: true}]\n"
    text = "id,who,day,sum,paid\n1,A,2024-01-01,30.00,x\n2,B,2024-01-02,12.00, \n3,C,never,,\n"
    found = load(spark, tmp_path, MAPPING + rules, {"a.csv": text})
    assert (found.amounts, found.excluded, found.reasons) == ({"1": 30}, {"not_paid": 2}, {})


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("rates: {USD: 0.9}\n", "rates need columns.currency"),
        ("  currency: money\nrates: {dollar: 0.9}\n", "rates: dollar: 0.9 must be a currency's"),
        ("  currency: money\nrates: {USD: 0}\n", "rates: USD: 0.0 must be a currency's ISO code"),
        ("discounts: [{column: sku, equals: X}]\n", "discounts are lines of an order"),
        ("  refunded_at: back on\n", "refunded_at needs refunded"),
        (
            '  refunded: b\n  refunded_at: at\ndate_in_name: "s_{yyyy-MM-dd}.csv"\n',
            "columns.refunded_at is for files that hold everything, not one a day",
        ),
        ("  related_order_id: [1, id]\n", "columns.related_order_id: 1 is not text; put it in"),
    ],
)
def test_what_contradicts_itself_is_refused(stated: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_mapping(MAPPING + stated, where="shop.yaml")
    assert said in str(error.value)
