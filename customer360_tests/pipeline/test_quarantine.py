"""Money of refused rows, as a list without Spark reads it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.contracts.numbers import (
    DECIMAL,
    SIGNS,
    THOUSANDS,
    decimal_sql,
    duckdb_decimal_sql,
)
from customer360.contracts.sql import sql_text
from customer360.pipeline.worth import money_sql
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping

TEXTS = [
    *("5", "5.5", "-5.50", "5,50", "1.234,50", "1,234.50", "1,234", "2.500", "12.34.56", "0,5"),
    *(
        "€ 5",
        "5 EUR",
        " 7 ",
        "(3)",
        "3-",
        "",
        "x",
        "1e3",
        "1'000",
        "1,234,567",
        "R$ 5",
        ".5",
        "007",
    ),
]
WRITTEN: list[dict[str, Any]] = [
    {},
    {SIGNS: ["EUR", "€"]},
    {DECIMAL: ",", SIGNS: ["EUR", "€"]},
    {DECIMAL: ".", THOUSANDS: ",", SIGNS: ["EUR", "€"]},
]


def test_what_the_list_reads_bronze_reads_alike(spark: SparkSession) -> None:
    texts = spark.createDataFrame([(text,) for text in TEXTS], "text string")
    columns = [
        F.expr(decimal_sql("trim(text)", written, "decimal(38,12)"))
        if written
        else F.expr("try_cast(trim(text) AS decimal(38,12))")
        for written in WRITTEN
    ]
    bronze = {row[0]: row[1:] for row in texts.select("text", *columns).collect()}
    read = 0
    for text in TEXTS:
        for n, written in enumerate(WRITTEN):
            found = duckdb.execute(f"SELECT {duckdb_decimal_sql(sql_text(text), written)}")
            (value,) = found.fetchone() or (None,)
            if value is not None:
                read += 1
                assert value == bronze[text][n], (text, written)
    assert read > 30


MAPPING = """
name: shop
currency: EUR
time_zone: UTC
grain: orders
date_format: yyyy-MM-dd
columns: {order_id: id, occurred_at: day, COLUMNS}
"""


@pytest.mark.parametrize(
    ("columns", "more", "row", "money"),
    [
        ("amount: total", "", {"total": "5.50"}, "5.50"),
        ("amount: [total, tax]", "", {"total": "5.50", "tax": "x"}, "5.50"),
        ("quantity: n, unit_price: price", "", {"n": "3", "price": "1.25"}, "3.75"),
        ("amount: total", "amounts_in: minor_units", {"total": "550"}, "5.50"),
        ("amount: total, currency: c", "", {"total": "5.50", "c": "eur"}, "5.50"),
        ("amount: total, currency: c", "", {"total": "5.50", "c": "USD"}, None),
        ("amount: total", 'decimal_separator: ","', {"total": "1.234,50"}, "1234.50"),
        ("amount: total", "", {"total": "much"}, None),
    ],
)
def test_money_is_what_the_mapping_says(
    columns: str, more: str, row: dict[str, str], money: str | None
) -> None:
    text = MAPPING.replace("COLUMNS", columns) + more + "\n"
    source = FilesSource(parse_mapping(text, where="shop.yaml"))
    sql = money_sql(source, "shop_orders", lambda name: sql_text(row.get(name)))
    (found,) = duckdb.execute(f"SELECT {sql}").fetchone() or (None,)
    assert found == (None if money is None else Decimal(money))
