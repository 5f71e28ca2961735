"""What a row's texts are worth, as DuckDB reads them for lists and for the account."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from customer360.contracts.sql import sql_text
from customer360.pipeline.worth import worth_in_bronze, worth_sql
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping

MAPPING = """
name: bazaar
currency: {currency}
grain: orders
time_zone: UTC
{more}
columns: {{order_id: nr, occurred_at: day, amount: total, currency: code}}
"""


def source_of(currency: str, more: str = "") -> FilesSource:
    return FilesSource(parse_mapping(MAPPING.format(currency=currency, more=more), where="m"))


def in_bronze(source: FilesSource, total: str, code: str = "") -> Decimal | None:
    sql = worth_in_bronze(source, "bazaar_orders")
    found = duckdb.connect().execute(
        f"SELECT {sql} FROM (SELECT ? AS total, ? AS code)", [total, code]
    )
    return found.fetchall()[0][0]


def in_quarantine(source: FilesSource, total: str) -> Decimal | None:
    row = {"total": total, "code": ""}
    sql = worth_sql(source, "bazaar_orders", lambda name: sql_text(row.get(name)))
    return duckdb.connect().execute(f"SELECT {sql}").fetchall()[0][0]


@pytest.mark.parametrize(
    ("currency", "more", "total", "worth"),
    [
        ("INR", "", "Rs. 700", "700.00"),  # the sign's own point is no decimal mark
        ("INR", "", "Rs. 2,345.60", "2345.60"),
        ("INR", "", "34,56,789.00", "3456789.00"),
        ("CHF", "", "Fr. 45", "45.00"),
        ("EUR", "", "(21.00)", "21.00"),
        ("EUR", "", "18.25-", "18.25"),
        ("EUR", "", "3 210.75", "3210.75"),
        ("EUR", 'decimal_separator: ","', "4.321,90 €", "4321.90"),
        ("EUR", 'decimal_separator: ","', "EUR -0,5", "0.50"),
        ("EUR", "amounts_in: minor_units", "1999", "19.99"),
        ("JPY", "amounts_in: minor_units", "1999", "1999.00"),
        ("EUR", "", "1.5E3", "1500.00"),
    ],
)
def test_money_as_people_write_it(currency: str, more: str, total: str, worth: str) -> None:
    assert in_bronze(source_of(currency, more), total) == Decimal(worth)


def test_money_of_another_currency_is_none() -> None:
    source = source_of("EUR")
    assert in_bronze(source, "50000", "jpy") is None
    assert in_bronze(source, "50.00", "€") == Decimal(50)


def test_what_is_not_plain_is_not_guessed_in_quarantine() -> None:
    source = source_of("INR")
    assert in_quarantine(source, "Rs. 700") == Decimal(700)
    assert in_quarantine(source, "-12.50") == Decimal("12.50")
    assert in_quarantine(source, "7oo") is None
