"""CDNOW: the file's rows, and the published counts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.errors import BrokenFileError
from customer360.sources import staged
from customer360.sources.cdnow import TABLE, CdnowSource
from customer360_tests.sources.bronze_frames import bronze

DAYS = (dt.date(1997, 1, 1), dt.date(1998, 6, 30))


def with_bookkeeping(raw, source):
    names = source.contract(TABLE).column_names
    return raw.withColumn("_row_hash", F.xxhash64(*names))


def test_rows_become_sales_with_made_order_ids(spark: SparkSession) -> None:
    source = CdnowSource()
    row: dict[str, str | None] = {
        "customer_id": "0002",
        "master_id": "00042",
        "date": "19970112",
        "cds": "1",
    }
    frame = bronze(
        spark,
        source.contract(TABLE),
        [
            row | {"dollars": "12.00"},
            row | {"dollars": "12.00"},
            row | {"dollars": "9.00"},
            row | {"customer_id": "0003", "date": "19970712", "cds": "0", "dollars": "0.00"},
        ],
    )
    found = source.staged_transactions({TABLE: frame})
    assert [name for name in found.columns if name != "_source_file"] == list(
        staged.TRANSACTION_COLUMNS
    )
    assert {
        (r.order_id, r.source_customer_id, r.kind, r.occurred_at, r.amount, r["items"])
        for r in found.collect()
    } == {
        ("0002-19970112-1", "0002", "sale", dt.datetime(1997, 1, 12, 17), Decimal("9.00"), 1),
        ("0002-19970112-2", "0002", "sale", dt.datetime(1997, 1, 12, 17), Decimal("12.00"), 1),
        ("0002-19970112-3", "0002", "sale", dt.datetime(1997, 1, 12, 17), Decimal("12.00"), 1),
        ("0003-19970712-1", "0003", "sale", dt.datetime(1997, 7, 12, 16), Decimal("0.00"), 0),
    }
    people = source.staged_customers({TABLE: frame}).collect()
    assert {(p.source_customer_id, p.updated_at) for p in people} == {
        ("0002", dt.datetime(1997, 1, 12, 17)),
        ("0003", dt.datetime(1997, 7, 12, 16)),
    }


def test_a_line_that_cannot_be_split_is_kept(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "c.txt"
    file.write_bytes(b" 00004 0001 19970101  2   29.33\r\n 00004 0001 19970118\r\n")
    found = CdnowSource(file=file).read_raw(spark, TABLE, *DAYS).collect()
    assert [(r.customer_id, r.dollars, r._corrupt_record) for r in found] == [
        ("0001", "29.33", None),
        ("0001", None, " 00004 0001 19970118"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "c.txt: expected rows, found an empty file"),
        (b"1,19970101,2,3.0\n", "c.txt: expected 5 columns separated by blanks"),
        (b"\xff\xfe", "c.txt: expected ASCII text, found byte 0xff"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "c.txt"
    file.write_bytes(content)
    with pytest.raises(BrokenFileError) as error:
        CdnowSource(file=file).available()
    assert str(error.value).startswith(said)


def test_the_sample_has_the_published_counts(spark: SparkSession) -> None:
    """BTYD vignette: 2,357 customers; weeks 1-39: 1,411 without repeat, 2,457 repeats; then 1,882.

    946 repeat buyers: Hardie, note 025 (Gamma-Gamma). Same-day orders are one purchase.
    """
    source = CdnowSource("sample")
    assert (source.available().first, source.available().last) == DAYS
    raw = source.read_raw(spark, TABLE, *DAYS)
    assert raw.where("_corrupt_record is not null").count() == 0
    found = source.staged_transactions({TABLE: with_bookkeeping(raw, source)}).toPandas()
    assert len(found) == 6919 == found["order_id"].nunique()
    assert set(found["kind"]) == {"sale"}
    assert found["excluded_because"].isna().all()

    found["day"] = (
        found["occurred_at"].dt.tz_localize("UTC").dt.tz_convert(source.time_zone).dt.date
    )
    days = found[["source_customer_id", "day"]].drop_duplicates()
    early = days["day"] <= dt.date(1997, 9, 30)
    purchases = days[early].groupby("source_customer_id").size()
    assert len(purchases) == 2357
    assert (purchases == 1).sum() == 1411
    assert (purchases > 1).sum() == 946
    assert (purchases - 1).sum() == 2457
    assert (~early).sum() == 1882

    # What counts as a purchase decides it: these customers bought once, for 0 dollars.
    free = found[found["amount"] == 0]
    assert len(free) == 8
    assert set(found.groupby("source_customer_id").size()[free["source_customer_id"]]) == {1}


def test_the_full_set_is_whole(spark: SparkSession) -> None:
    source = CdnowSource("full")
    raw = source.read_raw(spark, TABLE, *DAYS)
    (counts,) = raw.agg(
        F.count("*"), F.countDistinct("customer_id"), F.count("_corrupt_record")
    ).collect()
    assert tuple(counts) == (69659, 23570, 0)
    assert source.fingerprint(TABLE) != CdnowSource("sample").fingerprint(TABLE)
