from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.bronze import accepted, received, rejected
from customer360.bronze.forgetting import NOBODY, Forgotten, identifier_hash, key_of
from customer360.contracts import Column, Contract
from customer360.contracts.contract import PERSONAL
from customer360.sources.people import CUSTOMER, PersonColumns

NOW = datetime(2024, 3, 1, 2, 30, tzinfo=UTC)
SECRET = b"of these tests"
ORDERS = Contract.from_columns(
    "bronze/shop_orders",
    [
        Column("id", required=True, pattern="^[A-Z][0-9]$"),
        Column("customer", required=True, classification=PERSONAL),
        Column("born", "date", classification=PERSONAL),
        Column("ordered_on", "date", required=True, format="yyyy-MM-dd"),
        Column("amount", "number", required=True),
        Column("state", required=True, allowed_values=("paid", "open")),
        Column("currency", required=True),
        Column("note", required=True, max_length=20),
    ],
    description="Orders of the shop.",
    event_time="ordered_on",
    delivery="daily",
)
RAW = (
    "id string, customer string, born string, ordered_on string, amount string, state string, "
    "currency string, note string, _rescued string, _source_file string, _delivered_on date, "
    "_corrupt_record string"
)
FILE = ("a.csv", date(2024, 3, 1), None)


def order(
    id: str, customer: str, amount: str = "5.00", note: str = "as a gift"
) -> tuple[object, ...]:
    of_file = ('{"phone":"+551199"}', *FILE)
    return (id, customer, "1980-01-02", "2024-03-01", amount, "paid", "EUR", note, *of_file)


def people(*, profile: bool = False) -> PersonColumns:
    return PersonColumns(
        {CUSTOMER: F.trim("customer")}, keys=("id",), kept=("currency",), profile=profile
    )


def forgetting(spark: SparkSession, *customers: str, keep_sales: bool = True) -> Forgotten:
    ids = spark.createDataFrame([(each,) for each in customers], "id string")
    hashes = ids.select(identifier_hash("shop", CUSTOMER, F.col("id"), SECRET).alias("hash"))
    return Forgotten("shop", hashes, SECRET, keep_sales)


def split(
    spark: SparkSession,
    rows: list[tuple[object, ...]],
    forgotten: Forgotten | None,
    of: PersonColumns | None = None,
) -> tuple[DataFrame, DataFrame]:
    both = received(
        spark.createDataFrame(rows, RAW),
        ORDERS,
        ingested_at=NOW,
        run_id="run",
        people=of or people(),
        forgotten=forgotten,
    )
    return accepted(both, ORDERS), rejected(both, ORDERS)


def test_a_sale_of_somebody_forgotten_is_one_of_nobody(spark: SparkSession) -> None:
    rows = [order("A1", "ann"), order("A2", " bob "), order("A3", "eve", note="")]
    good, bad = split(spark, rows, forgetting(spark, "bob", "eve"))
    kept = {row.amount + str(row.customer): row for row in good.collect()}
    assert bad.isEmpty()
    ann = next(row for row in kept.values() if row.customer == "ann")
    assert (ann.id, ann.note, ann.born) == ("A1", "as a gift", "1980-01-02")
    nobody = [row for row in good.collect() if row.customer is None]
    assert {row.id for row in nobody} == {key_of("A2", SECRET), key_of("A3", SECRET)}
    for row in nobody:
        assert (row.ordered_on, row.amount, row.state, row.currency) == (
            "2024-03-01", "5.00", "paid", "EUR",
        )  # fmt: skip
        assert (row.born, row.note, row._rescued) == (None, None, None)
    # Rules of what went do not count, or the sale would be refused for its lack of a note.
    assert {row._violations for row in nobody} == {0}


def test_its_hash_is_of_what_is_left(spark: SparkSession) -> None:
    once, _ = split(spark, [order("A1", "bob", note="one")], forgetting(spark, "bob"))
    again, _ = split(spark, [order("A1", "bob", note="other")], forgetting(spark, "bob"))
    as_it_was, _ = split(spark, [order("A1", "bob", note="one")], None)
    hashes = [frame.collect()[0]._row_hash for frame in (once, again, as_it_was)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_orders_are_still_told_apart_and_refunds_find_theirs(spark: SparkSession) -> None:
    rows = [order("A1", "bob"), order(" A1 ", "bob"), order("A2", "bob")]
    good, _ = split(spark, rows, forgetting(spark, "bob"))
    keys = [str(key_of(number, SECRET)) for number in ("A1", "A1", "A2")]
    assert sorted(row.id for row in good.collect()) == sorted(keys)


@pytest.mark.parametrize("profile", [True, False])
def test_other_rows_leave_a_line_without_content(spark: SparkSession, profile: bool) -> None:
    """Profiles, and sales where their money is not to stay."""
    of = people(profile=profile)
    rows = [order("A1", "ann"), order("A2", "bob")]
    good, bad = split(spark, rows, forgetting(spark, "bob", keep_sales=profile), of)
    assert [row.id for row in good.collect()] == ["A1"]
    (line,) = bad.collect()
    assert (line.reasons, line.raw, line._source_file) == (["forgotten"], "{}", "a.csv")


def test_a_broken_row_of_theirs_does_not_tell_why(spark: SparkSession) -> None:
    rows = [order("A1", "ann", amount="n/a"), order("A2", "bob", amount="bob's")]
    good, bad = split(spark, rows, forgetting(spark, "bob"))
    assert good.isEmpty()
    lines = {tuple(row.reasons): row.raw for row in bad.collect()}
    assert lines[("forgotten",)] == "{}"
    assert json.loads(lines[("amount:type",)])["customer"] == "ann"


def test_rows_of_our_own_raw_files_are_known_when_they_are_nobodys_already(
    spark: SparkSession,
) -> None:
    """They hold the key as it is in bronze, and it stays."""
    key = key_of("A2", SECRET)
    assert key is not None
    good, bad = split(spark, [order(key, NOBODY)], forgetting(spark, "bob"))
    assert bad.isEmpty()
    (row,) = good.collect()
    assert (row.id, row.customer, row.note) == (key, None, None)


def test_rows_come_in_as_ever_where_nobody_is_forgotten(spark: SparkSession) -> None:
    good, bad = split(spark, [order("A1", "bob"), order("A2", "bob", amount="x")], None)
    assert [row.customer for row in good.collect()] == ["bob"]
    assert [row.reasons for row in bad.collect()] == [["amount:type"]]


def test_a_hash_is_of_one_source_one_kind_and_one_secret(spark: SparkSession) -> None:
    frame = spark.range(1).select(
        *(
            identifier_hash(source, kind, F.lit("7"), secret).alias(f"c{n}")
            for n, (source, kind, secret) in enumerate(
                [
                    ("shop", CUSTOMER, SECRET),
                    ("other", CUSTOMER, SECRET),
                    ("shop", "order", SECRET),
                    ("shop", CUSTOMER, b"another"),
                ]
            )
        )
    )
    (hashes,) = frame.collect()
    assert len(set(hashes)) == 4
