from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.contracts import Column, Contract
from customer360.errors import TableNotFoundError
from customer360.lakehouse.reading import Tables
from customer360.lakehouse.tables import Folders, Lakehouse, days_predicate

SCHEMA = "day date, id int"
DAYS = Contract.from_columns(
    "silver/t",
    [Column("day", "date", "date"), Column("id", "integer", "int")],
    description="Ids of days.",
)
GROUPS = Contract.from_columns(
    "silver/g",
    [Column("k"), Column("v", "integer", "int"), Column("x")],
    description="Values of groups.",
)
NUMBERS = Contract.from_columns(
    "silver/x", [Column("id", "integer", "bigint")], description="Numbers."
)
D1, D2, D3 = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)


def rows(lakehouse: Lakehouse, table: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in lakehouse.read(table).collect())


@pytest.mark.parametrize("folders", list(Folders))
def test_replacing_days_leaves_the_other_days_and_empties_days_without_rows(
    lakehouse: Lakehouse, folders: Folders
) -> None:
    spark = lakehouse.spark
    first = spark.createDataFrame([(D1, 1), (D2, 2), (D3, 3)], SCHEMA)
    made = lakehouse.replace_days(DAYS, first, "day", [D1, D2, D3], folders=folders)
    assert (made.version, made.rows) == (0, 3)
    again = lakehouse.replace_days(
        DAYS,
        spark.createDataFrame([(D1, 10)], SCHEMA),
        "day",
        [D1, D2],
        folders=folders,
    )
    assert again.version == 1
    assert rows(lakehouse, "silver/t") == [(D1, 10), (D3, 3)]
    assert rows_at(lakehouse, 0) == [(D1, 1), (D2, 2), (D3, 3)]


def rows_at(lakehouse: Lakehouse, version: int) -> list[tuple[object, ...]]:
    return sorted(tuple(r) for r in lakehouse.read("silver/t", version=version).collect())


def test_rows_outside_the_replaced_days_are_refused(lakehouse: Lakehouse) -> None:
    frame = lakehouse.spark.createDataFrame([(D1, 1), (D3, 3)], SCHEMA)
    lakehouse.replace_days(DAYS, frame, "day", [D1, D3])
    with pytest.raises(Exception, match="DELTA_REPLACE_WHERE_MISMATCH"):
        lakehouse.replace_days(DAYS, frame, "day", [D1])
    assert rows(lakehouse, "silver/t") == [(D1, 1), (D3, 3)]


def test_replacing_groups_leaves_the_rest(lakehouse: Lakehouse) -> None:
    schema = "k string, v int, x string"
    make = lakehouse.spark.createDataFrame
    old = [("a", 1, "old"), ("a", 2, "gone"), ("b", 1, "kept"), ("c", 1, "gone")]
    keys = make([("a",), ("b",), ("c",)], "k string")
    lakehouse.replace_groups(GROUPS, make(old, schema), keys)
    assert rows(lakehouse, "silver/g") == old
    new = [("a", 1, "new"), ("a", 3, "added"), ("d", 1, "first")]
    done = lakehouse.replace_groups(
        GROUPS, make(new, schema), make([("a",), ("c",), ("d",)], "k string")
    )
    assert rows(lakehouse, "silver/g") == sorted([*new, ("b", 1, "kept")])
    assert done.rows == 4
    nothing = lakehouse.replace_groups(GROUPS, make([], schema), make([], "k string"))
    assert nothing == done == lakehouse.last_commit("silver/g")


def test_details_and_listing(lakehouse: Lakehouse) -> None:
    frame = lakehouse.spark.createDataFrame([(D1, 1), (D1, 2), (D2, 3)], SCHEMA)
    lakehouse.replace_days(DAYS, frame, "day", [D1, D2])
    details = lakehouse.details("silver/t")
    assert (details.rows, details.partitions, details.version) == (3, 2, 0)
    assert details.bytes > 0
    assert [lakehouse.rows_of("silver/t", "day", days) for days in ([D1], [D2, D3], [])] == [
        2,
        1,
        0,
    ]
    assert lakehouse.tables() == ["silver/t"]


def test_a_missing_table_says_what_to_do(lakehouse: Lakehouse) -> None:
    with pytest.raises(TableNotFoundError, match=r"silver/none does not exist .*customer360 run"):
        lakehouse.read("silver/none")


def test_notes_are_kept_with_their_commits(lakehouse: Lakehouse) -> None:
    assert lakehouse.notes("silver/x") == []
    lakehouse.replace_all(NUMBERS, lakehouse.spark.range(1), note="first")
    lakehouse.replace_all(NUMBERS, lakehouse.spark.range(2))
    assert lakehouse.notes("silver/x") == [(1, None), (0, "first")]
    assert lakehouse.notes("silver/x", newest=1) == [(1, None)]
    assert lakehouse.notes("silver/x", newest=0) == []


@given(st.sets(st.dates(date(2020, 1, 1), date(2020, 3, 1)), max_size=40))
def test_a_predicate_names_exactly_its_days(days: set[date]) -> None:
    predicate = days_predicate("d", days)
    window = (date.fromordinal(n) for n in range(737400, 737550))
    chosen = {day for day in window if _holds(predicate, day)}
    assert chosen == days


def _holds(predicate: str, day: date) -> bool:
    if predicate == "false":
        return False
    literals = [date.fromisoformat(part[:10]) for part in predicate.split("DATE'")[1:]]
    if " IN " in predicate:
        return day in literals
    return literals[0] <= day < literals[1]


def test_a_new_table_has_a_folder_a_day_only_where_days_are_large() -> None:
    assert Folders.for_volume(rows=1_000_000, days=10, day_folder_rows=100_000) is Folders.DAY
    assert Folders.for_volume(rows=999_999, days=10, day_folder_rows=100_000) is Folders.MONTH


def test_a_month_is_one_file_that_no_reader_sees_the_folder_of(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    days = [date(2024, 1, 1), date(2024, 1, 31), date(2024, 2, 1)]
    frame = lakehouse.spark.createDataFrame([(day, n) for n, day in enumerate(days)], SCHEMA)
    months = Folders.MONTH
    lakehouse.replace_days(DAYS, frame.repartition(months.of("day")), "day", days, folders=months)
    assert (lakehouse.details("silver/t").partitions, lakehouse.last_commit("silver/t").files) == (
        2,
        2,
    )
    assert lakehouse.read("silver/t").columns == ["day", "id"]
    tables = Tables(tmp_path / "lakehouse")
    assert tables.select("silver/t", "id = 1", 5).to_pylist() == [{"day": days[1], "id": 1}]
    assert tables.find("silver/t", {"id": 2}).to_pylist() == [{"day": days[2], "id": 2}]
    assert lakehouse.days_of("silver/t", "day") == days


def test_a_table_stays_laid_out_as_it_was_made(lakehouse: Lakehouse) -> None:
    make = lakehouse.spark.createDataFrame
    lakehouse.replace_days(DAYS, make([(D1, 1), (D2, 2)], SCHEMA), "day", [D1, D2])
    lakehouse.replace_days(DAYS, make([(D1, 9)], SCHEMA), "day", [D1], folders=Folders.MONTH)
    assert lakehouse.folders("silver/t", "day", new=Folders.MONTH) is Folders.DAY
    assert rows(lakehouse, "silver/t") == [(D1, 9), (D2, 2)]


def test_whole_months_are_replaced_and_no_row_is_copied(lakehouse: Lakehouse) -> None:
    january = [date(2024, 1, 1) + timedelta(days=n) for n in range(31)]
    every = [*january, date(2024, 2, 1)]
    make = lakehouse.spark.createDataFrame
    for value in (1, 2):
        days = every if value == 1 else january
        lakehouse.replace_days(DAYS, make([(day, value) for day in days], SCHEMA), "day", days,
            folders=Folders.MONTH,
        )  # fmt: skip
    assert lakehouse.last_commit("silver/t").metrics["numCopiedRows"] == 0
    assert rows(lakehouse, "silver/t") == [*((day, 2) for day in january), (every[-1], 1)]


def test_the_log_knows_the_greatest_day_and_the_partitions(lakehouse: Lakehouse) -> None:
    make = lakehouse.spark.createDataFrame
    assert lakehouse.maximum("silver/t", "day") is None
    lakehouse.replace_days(
        DAYS, make([(D1, 1), (D3, 3)], SCHEMA), "day", [D1, D2, D3], folders=Folders.NONE
    )
    assert lakehouse.maximum("silver/t", "day") == D3
    other = replace(DAYS, table="silver/d")
    lakehouse.replace_days(other, make([(D1, 1), (D3, 3)], SCHEMA), "day", [D1, D3])
    assert lakehouse.partition_values("silver/d", "day") == [str(D1), str(D3)]


def test_the_log_knows_the_greatest_day_of_day_folders_too(lakehouse: Lakehouse) -> None:
    make = lakehouse.spark.createDataFrame
    lakehouse.replace_days(DAYS, make([(D1, 1), (D3, 3)], SCHEMA), "day", [D1, D3])
    assert lakehouse.maximum("silver/t", "day") == D3
