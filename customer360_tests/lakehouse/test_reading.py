"""Rows of tables without Spark: their values, and what a condition cannot reach."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import Field, write_deltalake
from deltalake.schema import PrimitiveType

from customer360.contracts.sql import sql_text
from customer360.errors import TableNotFoundError
from customer360.lakehouse import reading
from customer360.lakehouse.reading import Tables, engine, ordered_batches, plain_rows

ROWS = [
    {
        "day": date(2024, 1, day),
        "key": key,
        "at": datetime(2024, 1, day, 22, 30, tzinfo=UTC),
        "amount": Decimal("1.50"),
        "reasons": ["late", "twice"],
        "seen": [{"at": datetime(2024, 1, day, tzinfo=UTC), "hash": 2**62}],
    }
    for day, key in ((1, "a"), (1, "b"), (2, "a"), (3, None))
]
SCHEMA = pa.schema(
    {
        "day": pa.date32(),
        "key": pa.string(),
        "at": pa.timestamp("us", "UTC"),
        "amount": pa.decimal128(18, 2),
        "reasons": pa.list_(pa.string()),
        "seen": pa.list_(pa.struct({"at": pa.timestamp("us", "UTC"), "hash": pa.int64()})),
    }
)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    rows = pa.Table.from_pylist(ROWS, schema=SCHEMA)
    write_deltalake(str(tmp_path / "silver" / "days"), rows, partition_by=["day"])
    return Tables(tmp_path)


def test_values_are_plain_and_instants_are_utc(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/Sao_Paulo")
    time.tzset()
    try:
        (row,) = plain_rows(tables.select("silver/days", "key = 'a' AND day > '2024-01-01'", 5))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert row == {
        "day": date(2024, 1, 2),
        "key": "a",
        "at": datetime(2024, 1, 2, 22, 30),
        "amount": Decimal("1.50"),
        "reasons": ["late", "twice"],
        "seen": [{"at": datetime(2024, 1, 2), "hash": 2**62}],
    }


def test_no_more_rows_than_asked_for_and_the_columns_of_none(tables: Tables) -> None:
    assert tables.select("silver/days", None, 3).num_rows == 3
    none = tables.select("silver/days", "amount < 0", 3)
    assert (none.num_rows, set(none.column_names)) == (0, set(SCHEMA.names))


def test_an_earlier_version_is_still_there(tables: Tables) -> None:
    write_deltalake(
        tables.uri("silver/days"), pa.Table.from_pylist(ROWS[:1], schema=SCHEMA), mode="overwrite"
    )
    assert tables.dataset("silver/days").count_rows() == 1
    assert tables.dataset("silver/days", version=0).count_rows() == 4


def test_rows_are_found_by_equal_values(tables: Tables) -> None:
    found = tables.find("silver/days", {"day": date(2024, 1, 1), "key": "b"})
    assert found["at"].to_pylist() == [datetime(2024, 1, 1, 22, 30, tzinfo=UTC)]
    assert tables.newest("silver/days", "day") == date(2024, 1, 3)
    assert tables.values("silver/days", "key") == {"a", "b", None}
    assert tables.values("silver/days", "key", {"day": date(2024, 1, 2)}) == {"a"}


@pytest.mark.parametrize(("home", "itself"), [("josé & co #1 {é}", True), ("DAY=2", False)])
def test_duckdb_reads_large_tables_as_arrow_does(
    tmp_path: Path, home: str, itself: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders of dates and of odd texts, a column that came later, no value, an older version."""
    tables, name = Tables(tmp_path / home), "silver/places"
    (tmp_path / home).mkdir()
    folders = ["day", "place"]
    before = pa.table(
        {
            "day": [date(2024, 1, 1), None],
            "place": ["São Paulo/1 %", "007"],
            "at": pa.array(
                [datetime(2024, 1, 1, 23, 30, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC")
            ),
            "amount": pa.array([Decimal("1.50"), None], pa.decimal128(18, 4)),
            "seen": [[{"hash": 2**62}], None],
        }
    )
    write_deltalake(tables.uri(name), before, partition_by=folders)
    after = before.slice(0, 1).append_column("note", pa.array(["later"]))
    write_deltalake(
        tables.uri(name), after, partition_by=folders, mode="append", schema_mode="merge"
    )
    questions: list[tuple[str, dict[str, int]]] = [
        ("FROM rows ORDER BY ALL", {}),
        ("SELECT note, typeof(day), typeof(\"at\") FROM rows WHERE place = '007'", {}),
        ("SELECT sum(amount) FROM rows WHERE day IN ('2024-01-01')", {}),
        ("FROM rows ORDER BY ALL", {"rows": 0}),
    ]
    by_arrow = [tables.ask(query, versions, rows=name) for query, versions in questions]
    assert by_arrow[1:3] == [
        [(None, "DATE", "TIMESTAMP WITH TIME ZONE")],
        [(Decimal("3.0000"),)],
    ]
    monkeypatch.setattr(reading, "LARGE_BYTES", 1)
    views, is_view = [], reading._is_view

    def noted(*of: Any) -> bool:
        views.append(is_view(*of))
        return views[-1]

    monkeypatch.setattr(reading, "_is_view", noted)
    assert [tables.ask(query, versions, rows=name) for query, versions in questions] == by_arrow
    assert views == ([True] * len(questions) if itself else [])


def test_a_column_that_no_file_has_yet_is_empty(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tables.open("silver/days")
    table.alter.add_columns(Field("note", PrimitiveType("string")))
    monkeypatch.setattr(reading, "LARGE_BYTES", 1)
    assert tables.ask("SELECT count(*), count(note) FROM rows", rows="silver/days") == [(4, 0)]


def test_only_the_files_of_a_large_table_are_opened(tables: Tables, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("word\nsesame\n")
    (one, *_) = tables.open("silver/days").file_uris()
    with engine(files=[one]) as connection:
        assert connection.execute(f"FROM read_parquet('{one}')").fetchall()
        with pytest.raises(duckdb.Error, match="disabled"):
            connection.execute(f"FROM read_csv('{file}')")


def test_a_table_that_is_not_there_is_named(tables: Tables) -> None:
    with pytest.raises(TableNotFoundError, match="table silver/nights does not exist"):
        tables.select("silver/nights", None, 1)


@pytest.mark.parametrize(
    "condition",
    [
        "EXISTS (FROM read_csv('{file}'))",
        "EXISTS (FROM read_text('{file}'))",
        "EXISTS (FROM '{file}')",
        "EXISTS (FROM glob('{file}'))",
        "key = getenv('SECRET')",
        "EXISTS (FROM hidden)",
        "true; COPY rows TO '{file}'",
        "true) UNION (FROM read_text('{file}')",
    ],
)
def test_a_condition_reaches_nothing_but_the_rows(
    tables: Tables, tmp_path: Path, condition: str
) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("word\nsesame\n")
    hidden = pa.table({"key": ["a"]})
    assert hidden.num_rows == 1
    with pytest.raises(duckdb.Error):
        tables.select("silver/days", condition.format(file=file), 1)
    assert file.read_text() == "word\nsesame\n"


def test_no_setting_can_be_changed_any_more() -> None:
    with engine() as connection, pytest.raises(duckdb.Error, match="locked"):
        connection.execute("SET enable_external_access = true")


@pytest.mark.parametrize("most", [1, 1_000])
def test_memory_is_shared_by_so_many_threads_at_most(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(reading, "MOST_THREADS", most)

    def threads(connection: duckdb.DuckDBPyConnection) -> int:
        ((found,),) = connection.execute("SELECT current_setting('threads')").fetchall()
        return int(found)

    with duckdb.connect() as by_itself, engine() as ours:
        assert threads(ours) == min(threads(by_itself), most)


def test_what_does_not_fit_is_sorted_on_disk_in_order_across_batches(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    # 400 MB and more
    query = "SELECT sha256(i::VARCHAR) AS a, i FROM range(4000000) t(i) ORDER BY a"
    rows, last, spilled = 0, "", False
    with engine(folder, memory="150MB") as connection:
        for batch in ordered_batches(connection, query):
            texts = batch["a"].to_pylist()
            assert texts == sorted(texts)
            assert last < texts[0]
            spilled = spilled or any(folder.iterdir())
            rows, last = rows + batch.num_rows, texts[-1]
    assert (rows, spilled) == (4_000_000, True)


def test_texts_are_quoted() -> None:
    with engine() as connection:
        text = "it's; DROP"
        assert connection.execute(f"SELECT {sql_text(text)}, {sql_text(None)}").fetchall() == [
            (text, None)
        ]


def test_an_older_version_is_asked_as_long_as_its_files_are_there(
    tables: Tables, tmp_path: Path
) -> None:
    folder = tmp_path / "silver" / "days"
    old = list(folder.rglob("*.parquet"))
    rows = pa.Table.from_pylist(ROWS[:1], schema=SCHEMA)
    write_deltalake(str(folder), rows, partition_by=["day"], mode="overwrite")
    count = "SELECT (SELECT count(*) FROM earlier), (SELECT count(*) FROM later)"
    asked = {"earlier": "silver/days", "later": "silver/days"}
    assert tables.keeps("silver/days", 0)
    assert tables.ask(count, {"earlier": 0}, **asked) == [(4, 1)]
    old[0].unlink()  # as vacuum does
    assert not tables.keeps("silver/days", 0)
    assert tables.keeps("silver/days", 1)
    assert not tables.keeps("silver/days", 7)
