"""Olist: each rule of the module on a few rows, then the published files whole."""

from __future__ import annotations

import datetime as dt
import gzip
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.contracts.checks import keeps_every_rule, with_violations
from customer360.errors import BrokenFileError
from customer360.sources.olist import FILES, OlistSource
from customer360_tests.sources.bronze_frames import bronze

ANY_DAYS = (dt.date(2016, 1, 1), dt.date(2018, 12, 31))

ROWS: dict[str, list[dict[str, str | None]]] = {
    "olist_customers": [
        {
            "customer_id": f"c{n}",
            "customer_unique_id": person,
            "customer_zip_code_prefix": "01151",
            "customer_city": city,
            "customer_state": "SP",
        }
        for n, person, city in (
            (1, "ana", "sao paulo"),
            (2, "ana", "campinas"),
            (3, "bia", "franca"),
            (4, "caio", "franca"),
            (5, "davi", "franca"),
            (6, "eva", "franca"),
            (7, "fabio", "franca"),
        )
    ],
    "olist_orders": [
        {
            "order_id": f"o{n}",
            "customer_id": f"c{customer}",
            "order_status": status,
            "order_purchase_timestamp": placed,
            "order_delivered_carrier_date": None,
            "order_delivered_customer_date": arrived,
        }
        for n, customer, status, placed, arrived in (
            (1, 1, "delivered", "2018-01-10 23:30:00", "2018-01-20 10:00:00"),
            (2, 2, "delivered", "2018-06-01 12:00:00", None),
            (3, 3, "canceled", "2018-06-01 12:00:00", "2018-06-09 12:00:00"),
            (4, 4, "unavailable", "2018-06-01 12:00:00", None),
            (5, 5, "created", "2018-06-01 12:00:00", None),
            (6, 6, "shipped", "2018-06-01 12:00:00", None),
            (8, 8, "delivered", "2018-06-01 12:00:00", "2018-05-01 12:00:00"),
        )
    ],
    "olist_order_items": [
        {
            "order_id": f"o{order}",
            "order_item_id": number,
            "product_id": product,
            "price": price,
            "freight_value": freight,
        }
        for order, number, product, price, freight in (
            (1, "1", "toy", "10.00", "1.50"),
            (1, "2", "gamer", "99.90", "0.00"),
            (1, "2", "gamer", "99.90", "0.00"),  # the row twice
            (1, "10", "toy", "99.90", "2.00"),  # as dear, later number
            (2, "1", "toy", "5.00", "0.10"),
            (3, "1", "unnamed", "7.00", "0.00"),
            (8, "1", "toy", "1.00", "1.00"),
        )
    ],
    "olist_order_payments": [
        {
            "order_id": f"o{order}",
            "payment_sequential": number,
            "payment_type": kind,
            "payment_installments": parts,
            "payment_value": value,
        }
        for order, number, kind, parts, value in (
            (1, "1", "credit_card", "6", "60.00"),
            (1, "2", "voucher", "1", "40.00"),
            (1, "3", "voucher", "1", "40.00"),
            (2, "1", "boleto", "1", "5.10"),
            (3, "1", "not_defined", "1", "0.00"),
            (4, "1", "voucher", "2", "20.00"),
            (4, "2", "boleto", "1", "20.00"),
        )
    ],
    "olist_order_reviews": [
        {
            "review_id": review,
            "order_id": f"o{order}",
            "review_score": score,
            "review_creation_date": created,
            "review_answer_timestamp": answered,
        }
        for review, order, score, created, answered in (
            ("r1", 1, "1", "2018-01-25 00:00:00", "2018-01-25 10:00:00"),
            ("r2", 1, "4", "2018-02-01 00:00:00", "2018-02-01 10:00:00"),
            ("r3", 1, "5", None, None),
            ("r2", 2, "4", "2018-02-01 00:00:00", None),  # one review of two orders
        )
    ],
    "olist_products": [
        {"product_id": "toy", "product_category_name": "brinquedos"},
        {"product_id": "gamer", "product_category_name": "pc_gamer"},
        {"product_id": "unnamed"},
    ],
    "olist_category_translation": [
        {"product_category_name": "brinquedos", "product_category_name_english": "toys"}
    ],
}


@pytest.fixture(scope="module")
def tables(spark: SparkSession) -> dict[str, DataFrame]:
    source = OlistSource(Path("unused"))
    return {
        table: bronze(spark, source.contract(table), rows).cache() for table, rows in ROWS.items()
    }


def test_each_rule_of_the_orders(tables: dict[str, DataFrame]) -> None:
    found = OlistSource(Path("unused")).staged_transactions(tables)
    columns = (
        "order_id",
        "source_customer_id",
        "kind",
        "amount",
        "items",
        "category",
        "payment_type",
        "installments",
        "freight",
        "delivered_on",
        "review_score",
        "reviewed_on",
        "excluded_because",
    )
    money, arrived, answered = Decimal, dt.date(2018, 1, 20), dt.date(2018, 2, 1)
    assert {tuple(row) for row in found.select(*columns).collect()} == {
        # Repeats of an item count once; the dearest item with the lower number names the
        # category, untranslated; vouchers together beat the card, which is the largest payment
        # and says the instalments; the newest dated review counts.
        ("o1", "ana", "sale", money("213.30"), 3, "pc_gamer", "voucher", 6, money("3.50"), arrived,
         4, answered, None),
        # Delivered, but nobody wrote when; the review has lost its day.
        ("o2", "ana", "sale", money("5.10"), 1, "toys", "boleto", 1, money("0.10"), None,
         4, None, None),
        # Cancelled in spite of a delivery date; a product and a payment without kind.
        ("o3", "bia", "cancelled", money("7.00"), 1, None, None, 1, money("0.00"), None,
         None, None, None),
        # Without items the payments say how much; of equal ones the first by name, or by number.
        ("o4", "caio", "cancelled", money("40.00"), 0, None, "boleto", 2, None, None,
         None, None, None),
        ("o5", "davi", "sale", money("0.00"), 0, None, None, None, None, None,
         None, None, "not_approved"),
        ("o6", "eva", "sale", money("0.00"), 0, None, None, None, None, None, None, None, None),
        # Its customer is in no file: not anonymous, but unknown. Delivered before bought: no date.
        ("o8", "c8", "sale", money("2.00"), 1, "toys", None, None, money("1.00"), None,
         None, None, None),
    }  # fmt: skip


def test_each_item_once_is_a_line_of_its_order(tables: dict[str, DataFrame]) -> None:
    found = OlistSource(Path("unused")).staged_lines(tables)
    names = ("order_id", "line_key", "product_id", "category", "quantity", "amount", "freight")
    money = Decimal
    assert {tuple(row) for row in found.select(*names).collect()} == {
        ("o1", "1", "toy", "toys", 1, money("11.50"), money("1.50")),
        ("o1", "2", "gamer", "pc_gamer", 1, money("99.90"), money("0.00")),
        ("o1", "10", "toy", "toys", 1, money("101.90"), money("2.00")),
        ("o2", "1", "toy", "toys", 1, money("5.10"), money("0.10")),
        ("o3", "1", "unnamed", None, 1, money("7.00"), money("0.00")),
        ("o8", "1", "toy", "toys", 1, money("2.00"), money("1.00")),
    }


def test_times_are_utc_of_sao_paulo(tables: dict[str, DataFrame]) -> None:
    found = OlistSource(Path("unused")).staged_transactions(tables)
    times = {row.order_id: row.occurred_at for row in found.collect()}
    assert times["o1"] == dt.datetime(2018, 1, 11, 1, 30)  # summer time, UTC-2
    assert times["o2"] == dt.datetime(2018, 6, 1, 15)


def test_every_person_has_a_profile_for_each_order(tables: dict[str, DataFrame]) -> None:
    found = OlistSource(Path("unused")).staged_customers(tables)
    rows = {
        (row.source_customer_id, row.city, row.state, row.postal_code, row.country, row.updated_at)
        for row in found.collect()
    }
    june = dt.datetime(2018, 6, 1, 15)
    assert rows == {
        ("ana", "sao paulo", "SP", "01151", "BR", dt.datetime(2018, 1, 11, 1, 30)),
        ("ana", "campinas", "SP", "01151", "BR", june),
        *((who, "franca", "SP", "01151", "BR", june) for who in ("bia", "caio", "davi", "eva")),
        ("fabio", "franca", "SP", "01151", "BR", dt.datetime(1970, 1, 1)),  # no order of his
    }


def small_files(folder: Path) -> None:
    """Each of the nine files with its header alone, the orders with a row."""
    source = OlistSource(folder)
    for table, name in FILES.items():
        header = ",".join(source.contract(table).column_names)
        (folder / name).write_text(f"{header}\n")
    with (folder / FILES["olist_orders"]).open("a") as orders:
        orders.write("o1,c1,shipped,2018-01-10 23:30:00,,,,\n")


def test_a_folder_a_zip_and_gzip_read_alike(spark: SparkSession, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    small_files(plain)
    gzipped = tmp_path / "gz"
    gzipped.mkdir()
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for file in plain.iterdir():
            (gzipped / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
            opened.write(file, f"brazilian-ecommerce/{file.name}")
    for path in (plain, gzipped, archive):
        source = OlistSource(path, cache=tmp_path / "cache")
        assert str(source.available()) == "2018-01-10"
        (row,) = source.read_raw(spark, "olist_orders", *ANY_DAYS).collect()
        assert (row.order_id, row.order_status, row.order_approved_at) == ("o1", "shipped", None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    small_files(tmp_path)
    (tmp_path / FILES["olist_sellers"]).unlink()
    with pytest.raises(BrokenFileError, match=r"expected olist_sellers_dataset\.csv or .*\.gz"):
        OlistSource(tmp_path).fingerprint("olist_sellers")
    with pytest.raises(BrokenFileError, match="found nothing there"):
        OlistSource(tmp_path / "none").available()


@pytest.mark.whole
@pytest.mark.real_data
def test_the_published_files_are_whole(spark: SparkSession, real_data: Path) -> None:
    """Every row of all nine files keeps its contract; 96,096 people; 98,202 sales."""
    source = OlistSource(real_data / "olist")
    assert str(source.available()) == "2016-09-04...2018-10-17"
    good: dict[str, DataFrame] = {}
    counted = {}
    for table in source.tables:
        contract = source.contract(table)
        checked = with_violations(source.read_raw(spark, table, *ANY_DAYS), contract)
        good[table] = checked.withColumn("_row_hash", F.xxhash64(*contract.column_names)).cache()
        (counts,) = (
            good[table]
            .agg(F.count("*"), F.count_if(keeps_every_rule(contract)), F.count("_rescued"))
            .collect()
        )
        counted[table] = tuple(counts)
    assert counted == {
        "olist_customers": (99_441, 99_441, 0),
        "olist_geolocation": (1_000_163, 1_000_163, 0),
        "olist_order_items": (112_650, 112_650, 0),
        "olist_order_payments": (103_886, 103_886, 0),
        "olist_order_reviews": (99_224, 99_224, 0),
        "olist_orders": (99_441, 99_441, 0),
        "olist_products": (32_951, 32_951, 0),
        "olist_sellers": (3_095, 3_095, 0),
        "olist_category_translation": (71, 71, 0),
    }
    orders = source.staged_transactions(good)
    kinds = orders.groupBy("kind", "excluded_because").agg(
        F.count("*"), F.countDistinct("order_id"), F.sum("amount"), F.count("delivered_on")
    )
    assert {tuple(row) for row in kinds.collect()} == {
        ("sale", None, 98_202, 98_202, Decimal("15735753.99"), 96_470),
        ("cancelled", None, 1_234, 1_234, Decimal("269703.10"), 0),
        ("sale", "not_approved", 5, 5, Decimal("688.10"), 0),
    }
    people = source.staged_customers(good)
    (counts,) = people.agg(F.count("*"), F.countDistinct("source_customer_id")).collect()
    assert tuple(counts) == (99_441, 96_096)
    for frame in good.values():
        frame.unpersist()
