"""Olist's tables in a real server: the same customers and orders as from the CSVs, to the byte."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from psycopg import sql
from pyspark.sql import SparkSession

from customer360.days import DayRange
from customer360.pipeline import make_gold
from customer360.settings import remember
from customer360.sources.olist import FILES
from customer360.table_names import COHORTS, FEATURES, FIRST_ORDERS, RFM
from customer360_tests.deployments import BOOKKEEPING, Home, assert_same_content, content
from customer360_tests.pipeline.conftest import load
from customer360_tests.shop_database import Shop

# Black Friday's week, with every status an order can have but one.
WEEK = DayRange(date(2017, 11, 20), date(2017, 11, 26))
WHOLE = DayRange(date(2016, 9, 4), date(2018, 10, 17))

# What an operational database would have instead of texts, by the end of a column's name.
TYPES = {
    "_timestamp": "timestamp",
    "_date": "timestamp",
    "_at": "timestamp",
    "price": "numeric(12,2)",
    "freight_value": "numeric(12,2)",
    "payment_value": "numeric(12,2)",
    "order_item_id": "int",
    "payment_sequential": "smallint",
    "payment_installments": "int",
    "review_score": "smallint",
}
# Hashes of bronze rows, which hold more columns in the one than in the other.
ROW_HASHES = frozenset({"_row_hash"})


def type_of(column: str) -> str:
    return next((kind for end, kind in TYPES.items() if column.endswith(end)), "text")


def csvs(real_data: Path, folder: Path, days: DayRange) -> Path:
    """The nine CSVs in ``folder``, with the orders of these days and what belongs to them."""
    tables = {
        table: pd.read_csv(
            real_data / "olist" / f"{file}.gz",
            dtype=str,
            keep_default_na=False,
            nrows=100 if table == "olist_geolocation" else None,
            encoding="utf-8-sig",
        )
        for table, file in FILES.items()
    }
    orders = tables["olist_orders"]
    placed = orders["order_purchase_timestamp"].str[:10]
    orders = orders[placed.between(str(days.first), str(days.last))]
    for table, rows in tables.items():
        kept = rows
        for column in ("order_id", "customer_id"):
            if column in rows:
                kept = kept[kept[column].isin(orders[column])]
        kept.to_csv(folder / FILES[table], index=False, lineterminator="\n")
    return folder


def fill(shop: Shop, folder: Path) -> None:
    """Make a table of each CSV, called like it, and load it."""
    for file in FILES.values():
        text = (folder / file).read_text()
        header = text.partition("\n")[0].split(",")
        name = sql.Identifier(file.removesuffix(".csv").removesuffix("_dataset"))
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(type_of(column)))
            for column in header
        )
        shop.connection.execute(sql.SQL("CREATE TABLE {} ({})").format(name, columns))
        with shop.connection.cursor().copy(
            sql.SQL("COPY {} FROM STDIN (FORMAT csv, HEADER true)").format(name)
        ) as copy:
            copy.write(text)


def made(spark: SparkSession, folder: Path, days: DayRange, **source: Any) -> Home:
    """A deployment run up to the gold that needs no model."""
    folder.mkdir(parents=True)
    dates = {"start_date": days.first, "end_date": days.last}
    remember(folder, {"customer_key_secret": "known to the tests"} | dates | source)
    home = Home.at(spark, folder)
    for table, loaded in load(home, days).bronze.items():
        assert not loaded.not_conserved, table
    work = home.workspace()
    for table in (FEATURES, FIRST_ORDERS, RFM, COHORTS):
        make_gold.make_snapshots(work, table, [days.last])
    return home


@pytest.mark.whole
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("days", "orders"),
    [
        pytest.param(WEEK, 3_007, id="week"),
        pytest.param(
            WHOLE, 99_436, id="whole", marks=[pytest.mark.slow, pytest.mark.timeout(1_800)]
        ),
    ],
)
def test_olist_from_postgres_is_olist_from_csv(
    spark: SparkSession,
    shop: Shop,
    real_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: DayRange,
    orders: int,
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    csvs(real_data, raw, days)
    fill(shop, raw)
    theirs = made(spark, tmp_path / "csv", days, sources=["olist"], olist_path=raw)
    monkeypatch.setenv("CUSTOMER360_POSTGRES_URL", shop.url)
    ours = made(spark, tmp_path / "pg", days, sources=["postgres"], postgres_mapping=["olist"])
    assert ours.deployment.available() == theirs.deployment.available() == days
    assert ours.lakehouse.read("silver/transactions").count() == orders
    gold = [table for table in theirs.lakehouse.tables() if table.startswith("gold/")]
    assert len(gold) == 5
    assert_same_content(ours.lakehouse, theirs.lakehouse, gold)
    for table in ("customers", "customer_history", "transactions", "customer_days"):
        left, right = (
            content(home.lakehouse, f"silver/{table}", BOOKKEEPING | ROW_HASHES)
            for home in (ours, theirs)
        )
        assert left == right, table
