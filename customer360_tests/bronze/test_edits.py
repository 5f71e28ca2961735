from __future__ import annotations

import json
from datetime import UTC, date, datetime

from customer360.bronze import accepted, received, rejected
from customer360.contracts import Column, Contract
from customer360.contracts.spark import spark_schema

NOW = datetime(2024, 3, 1, 2, 30, tzinfo=UTC)
AT = datetime(2024, 3, 5, 9, 0)
EDITS = Contract.load("quarantine/edits")
CONTRACT = Contract.from_columns(
    "bronze/shop_orders",
    [
        Column("id", required=True),
        Column("ordered_on", "date", required=True, format="yyyy-MM-dd"),
        Column("amount", "number", required=True),
    ],
    description="Orders of the shop.",
    event_time="ordered_on",
    delivery="daily",
)
RAW = (
    "id string, ordered_on string, amount string, _rescued string, _source_file string, "
    "_delivered_on date, _corrupt_record string"
)
FILE = ("a.csv", date(2024, 3, 1))
ROWS = [
    ("A1", "2024-03-01", "5.00", None, *FILE, None),
    ("A2", "2024-03-01", "n/a", '{"note text":"x"}', *FILE, None),
    ("A2", "2024-03-01", "n/a", '{"note text":"x"}', *FILE, None),
    (None, None, None, None, *FILE, "A3;2024-03-01;7;;;;"),
]


def split(spark, edits=(), rows=ROWS, contract=CONTRACT):
    raw = spark.createDataFrame(list(rows), RAW)
    frame = spark.createDataFrame(list(edits), spark_schema(EDITS)) if edits else None
    both = received(raw, contract, ingested_at=NOW, run_id="run", edits=frame)
    return accepted(both, contract).orderBy("id").collect(), rejected(both, contract).collect()


def edit(row, changes, *, left_out=False, by="Ana"):
    malformed = row.reasons == ["row:malformed"]
    delivered, line = (None, row.raw) if malformed else (row.raw, None)
    return (
        "shop_orders", row._row_hash, delivered, line, json.dumps(changes), left_out, by, AT,
    )  # fmt: skip


def refused(rows, reason):
    return next(row for row in rows if reason in row.reasons)


def test_an_edited_row_comes_in_wherever_it_stands_and_says_who_edited_it(spark):
    good, bad = split(spark)
    assert [row.id for row in good] == ["A1"]
    assert {row._edited_by for row in (*good, *bad)} == {None}
    broken, line = refused(bad, "amount:type"), refused(bad, "row:malformed")
    mended, left = split(
        spark,
        [
            edit(broken, {"amount": "6.00"}),
            edit(line, {"id": "A3", "ordered_on": "2024-03-01", "amount": "7.00"}, by="Ben"),
        ],
    )
    assert [(row.id, row.amount, row._edited_by) for row in mended] == [
        ("A1", "5.00", None),
        ("A2", "6.00", "Ana"),
        ("A2", "6.00", "Ana"),
        ("A3", "7.00", "Ben"),
    ]
    assert left == []
    assert (mended[1]._edited_at, mended[1]._edited_row) == (AT, broken._row_hash)
    assert (mended[1]._rescued, mended[1]._source_file) == ('{"note text":"x"}', "a.csv")
    # What it says now is what tells it from other rows.
    said = split(spark, rows=[("A2", "2024-03-01", "6.00", None, *FILE, None)])[0]
    assert mended[1]._row_hash == said[0]._row_hash


def test_an_edited_row_that_breaks_the_contract_still_keeps_its_reasons(spark):
    broken = refused(split(spark)[1], "amount:type")
    good, bad = split(spark, [edit(broken, {"ordered_on": None})], ROWS[1:2])
    assert good == []
    (row,) = bad
    assert row.reasons == ["ordered_on:required", "amount:type"]
    assert json.loads(row.raw)["ordered_on"] is None
    assert (row._edited_row, row._edited_by) == (broken._row_hash, "Ana")


def test_a_row_that_is_left_out_is_kept_as_it_was_delivered(spark):
    good, _ = split(spark)
    said = json.dumps({"id": "A1", "ordered_on": "2024-03-01", "amount": "5.00"})
    whole = ("shop_orders", good[0]._row_hash, said, None, "{}", True, "Ana", AT)
    good, bad = split(spark, [whole], ROWS[:1])
    assert good == []
    (row,) = bad
    assert row.reasons == ["left_out_by_edit"]
    assert json.loads(row.raw)["amount"] == "5.00"
    assert row._edited_by == "Ana"


def test_an_edit_finds_its_row_when_the_mapping_names_more_columns(spark):
    broken = refused(split(spark)[1], "amount:type")
    wider = Contract.from_columns(
        "bronze/shop_orders",
        [Column("note_text"), *CONTRACT.columns],
        description="Orders of the shop.",
        event_time="ordered_on",
        delivery="daily",
    )
    raw = spark.createDataFrame(
        [("x", "A2", "2024-03-01", "n/a", None, *FILE, None)], f"note_text string, {RAW}"
    )
    edits = spark.createDataFrame([edit(broken, {"amount": "6.00"})], spark_schema(EDITS))
    both = received(raw, wider, ingested_at=NOW, run_id="run", edits=edits)
    (row,) = accepted(both, wider).collect()
    assert (row.amount, row.note_text, row._edited_row) == ("6.00", "x", broken._row_hash)


def test_rows_that_a_new_mapping_makes_alike_stay_as_many_as_they_were(spark):
    rows = [
        ("A2", "2024-03-01", "n/a", '{"till":"1"}', *FILE, None),
        ("A2", "2024-03-01", "n/a", '{"till":"2"}', *FILE, None),
    ]
    wider = Contract.from_columns(
        "bronze/shop_orders",
        [*CONTRACT.columns, Column("till")],
        description="Orders of the shop.",
        event_time="ordered_on",
        delivery="daily",
    )
    raw = spark.createDataFrame(
        [(till, *row[:3], None, *row[4:]) for till, row in zip("12", rows, strict=True)],
        f"till string, {RAW}",
    )
    bad = rejected(received(raw, wider, ingested_at=NOW, run_id="run"), wider).collect()
    edits = [edit(row, {"amount": f"{n}.00"}) for n, row in enumerate(bad, start=6)]
    good, left = split(spark, edits, rows)
    assert left == []
    assert len(good) == 2
    assert len({row.amount for row in good}) == 1
