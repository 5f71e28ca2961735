from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer360.bronze import accepted, received, rejected
from customer360.bronze.edits import MARKS
from customer360.contracts import Column, Contract, ContractError
from customer360.contracts.binding import bound
from customer360.contracts.checks import violation_columns
from customer360.contracts.spark import spark_schema, table_schema

NOW = datetime(2024, 3, 1, 2, 30, tzinfo=UTC)
CONTRACT = Contract.from_columns(
    "bronze/shop_orders",
    [
        Column("id", required=True, pattern="^A"),
        Column("ordered_at", "timestamp", required=True, format="yyyy-MM-dd HH:mm:ss"),
        Column("amount", "number", minimum=0),
        Column("paid", "boolean"),
    ],
    description="Orders of the shop.",
    event_time="ordered_at",
    delivery="daily",
)
RAW = (
    "paid string, amount string, ordered_at string, id string, _rescued string, "
    "_source_file string, _delivered_on date, _corrupt_record string"
)
DAY = date(2024, 2, 29)


def raw_frame(spark, *rows):
    return spark.createDataFrame(list(rows), RAW)


def split(raw, contract=CONTRACT):
    both = received(raw, contract, ingested_at=NOW, run_id="run-1")
    return accepted(both, contract), rejected(both, contract)


def test_good_rows_become_bronze_rows_as_received(spark):
    raw = raw_frame(
        spark,
        ("yes", " 5.50 ", "2024-02-28 23:10:00", "A1", None, "a.csv", DAY, None),
        (None, None, "2024-02-28 00:00:00", "A2", '{"note":"x"}', "a.csv", DAY, None),
    )
    good, bad = split(raw)
    assert good.schema.names == [*table_schema(CONTRACT).names, *violation_columns(CONTRACT)]
    stored = bound(good, CONTRACT)
    assert [f.dataType for f in stored.schema] == [f.dataType for f in table_schema(CONTRACT)]
    rows = stored.orderBy("id").drop("_row_hash", *MARKS).collect()
    stamp, event = datetime(2024, 3, 1, 2, 30), date(2024, 2, 28)
    assert [tuple(row) for row in rows] == [
        ("A1", "2024-02-28 23:10:00", " 5.50 ", "yes", None, "a.csv", DAY, event, stamp),
        ("A2", "2024-02-28 00:00:00", None, None, '{"note":"x"}', "a.csv", DAY, event, stamp),
    ]
    assert bad.count() == 0


def test_bad_rows_go_to_quarantine_with_every_reason_and_the_raw_row(spark):
    raw = raw_frame(
        spark,
        ("maybe", "-1", None, "B1", None, "a.csv", DAY, None),
        (None, None, "2024-02-28 00:00:00", " ", '{"note":"x"}', "a.csv", DAY, None),
        (None, None, None, "A1;5", None, "b.csv", None, "A1;5;;;;;"),
    )
    good, bad = split(raw)
    assert good.count() == 0
    assert bad.schema.names == list(Contract.load("quarantine/shop_orders").column_names)
    expected = spark_schema(Contract.load("quarantine/shop_orders"))
    assert [f.dataType.simpleString() for f in bad.schema] == [
        f.dataType.simpleString() for f in expected
    ]
    rows = {tuple(row.reasons): row for row in bad.collect()}
    assert set(rows) == {
        ("id:pattern", "ordered_at:required", "amount:minimum", "paid:type"),
        ("id:required",),
        ("row:malformed",),
    }
    first = rows["id:pattern", "ordered_at:required", "amount:minimum", "paid:type"]
    assert json.loads(first.raw) == {
        "id": "B1",
        "ordered_at": None,
        "amount": "-1",
        "paid": "maybe",
    }
    assert (first._delivered_on, first._source_file, first.run_id) == (DAY, "a.csv", "run-1")
    assert first._ingested_at == datetime(2024, 3, 1, 2, 30)
    assert json.loads(rows[("id:required",)].raw)["_rescued"] == '{"note":"x"}'
    assert rows[("row:malformed",)].raw == "A1;5;;;;;"
    assert rows[("row:malformed",)]._delivered_on is None


def hashes(good) -> list[int]:
    return [row._row_hash for row in good.orderBy("id").collect()]


def test_the_row_hash_is_of_the_contracts_columns_whatever_their_order(spark):
    rows = [
        ("yes", "5", "2024-02-28 00:00:00", "A1", None, "a.csv", DAY, None),
        ("yes", None, "2024-02-28 00:00:00", "A2", None, "a.csv", DAY, None),
        ("", None, "2024-02-28 00:00:00", "A3", None, "a.csv", DAY, None),
    ]
    raw = raw_frame(spark, *rows)
    there, _ = split(raw)
    shuffled = raw.select(*sorted(raw.columns))
    elsewhere, _ = split(shuffled.replace("a.csv", "b.csv", subset=["_source_file"]))
    assert hashes(there) == hashes(elsewhere)
    assert elsewhere.columns == there.columns
    assert len(set(hashes(there))) == 3


def test_the_row_hash_tells_which_column_a_null_stands_in(spark):
    contract = Contract.from_columns(
        "bronze/pairs",
        [Column("id"), Column("a"), Column("b")],
        description="Pairs.",
        delivery="extract",
    )
    raw = spark.createDataFrame(
        [("1", "x", None), ("1", None, "x"), ("1", "", "x"), ("1", "x", "")],
        "id string, a string, b string",
    )
    good, _ = split(raw, contract)
    assert len(set(hashes(good))) == 4


def test_a_table_without_event_time_delivery_day_or_optional_columns(spark):
    contract = Contract.from_columns(
        "bronze/products", [Column("sku")], description="Products.", delivery="extract"
    )
    good, bad = split(spark.createDataFrame([("S1",)], "sku string"), contract)
    (row,) = good.collect()
    assert (row.sku, row._event_date, row._delivered_on, row._source_file) == (
        "S1",
        None,
        None,
        None,
    )
    assert bad.count() == 0


def test_a_file_that_lacks_a_column_is_an_error_not_a_row(spark):
    raw = spark.createDataFrame([("A1",)], "id string")
    with pytest.raises(ContractError, match="bronze/shop_orders: the rows lack column ordered_at"):
        received(raw, CONTRACT, ingested_at=NOW, run_id="run-1")


def test_a_time_without_zone_is_refused(spark):
    raw = raw_frame(spark, (None, None, None, "A1", None, "a.csv", DAY, None))
    with pytest.raises(ValueError, match="time zone"):
        received(raw, CONTRACT, ingested_at=datetime(2024, 1, 1), run_id="run-1")


# Text as people and broken exports produce it: near misses of each type, and anything at all.
TEXT = st.one_of(
    st.none(),
    st.sampled_from(["", " ", "A1", "B2", "5.5", "-1", "NaN", "1e999", "true", "0"]),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(
        lambda d: d.isoformat(sep=" ", timespec="seconds")
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text("0123456789-: .,TZ+", max_size=20),
)
ROW = st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT, st.just("f"), st.none() | st.just(DAY), TEXT)


@settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(ROW, min_size=20, max_size=200))
def test_whatever_the_text_every_row_is_accepted_or_rejected_and_none_is_both(spark, rows):
    raw = raw_frame(spark, *rows)
    good, bad = split(raw)
    kept, refused = good.collect(), bad.collect()
    assert len(kept) + len(refused) == len(rows)
    assert all(row.reasons for row in refused)
    assert all(row.id.strip(" ").startswith("A") and row._event_date for row in kept)
    # What went in comes out, in one place or the other.
    lines = sorted(repr(row[7]) for row in rows if row[7] is not None)
    assert lines == sorted(repr(r.raw) for r in refused if r.reasons == ["row:malformed"])
    # Java's JSON has no missing values: nulls stay, so a replay reads the same row.
    whole = [json.loads(r.raw) for r in refused if r.reasons != ["row:malformed"]]
    back = [(r["paid"], r["amount"], r["ordered_at"], r["id"]) for r in whole]
    back += [(r.paid, r.amount, r.ordered_at, r.id) for r in kept]
    assert sorted(map(repr, back)) == sorted(repr(row[:4]) for row in rows if row[7] is None)
