"""Ids, files of edits and loads again: what needs neither Spark nor tables."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.days import DayRange
from customer360.pipeline.quarantine import HeldRow
from customer360.pipeline.replay import loads_of
from customer360.pipeline.row_edits import EditsError, read_edits, row_name, row_of, written
from customer360.settings import Settings

ROW = HeldRow(
    table="shop_orders",
    row=-5,
    reasons=("amount:type",),
    file="may.csv",
    delivered_on=date(2024, 5, 2),
    values={"id": "A1", "mail": "eva@shop.example", "amount": 'a "b", c'},
)
LINE = HeldRow("shop_orders", 7, ("row:malformed",), "may.csv", None, line="A2;eva@shop.example;;")


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_row_is_named_by_a_text_that_no_spreadsheet_takes_for_a_number(row: int) -> None:
    name = row_name(row)
    assert row_of(name) == row
    assert row_of(f" {name.upper()} ") == row
    assert not name[0].isdigit()


def test_other_texts_are_no_rows() -> None:
    assert [row_of(text) for text in ("", "7", "row-7", "row-00000000000000007")] == [None] * 4


def test_what_was_written_reads_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(written([ROW, LINE, ROW], {}), encoding="utf-8-sig")
    first, second = read_edits(file)
    assert (first.table, first.row, first.left_out) == ("shop_orders", -5, False)
    assert first.values == ROW.values
    assert (second.row, second.line) == (7, 3)
    assert second.values == dict.fromkeys(ROW.values)


def test_what_is_hidden_is_not_in_the_file() -> None:
    text = written([ROW, LINE], {"shop_orders": ("mail", "_line")})
    assert "eva@shop.example" not in text
    header = text.splitlines()[0]
    assert header.endswith("_line,id,amount")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,amount\nA1,5\n", "expected a column _row with the rows' ids, found id, amount"),
        ("_row,amount\n1.23E+18,5\n", "line 2: expected an id like row-0123456789abcdef"),
        (f"_row,amount\n{row_name(1)},5,6\n", "line 2: expected 2 values as in the header"),
        (f"_row,_drop\n{row_name(1)},maybe\n", "expected yes or nothing in column _drop"),
        (f"_row,a,a\n{row_name(1)},5,6\n", "column a stands there twice"),
    ],
)
def test_a_file_that_is_none_of_edits_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(text)
    with pytest.raises(EditsError) as error:
        read_edits(file)
    assert said in str(error.value)
    assert "mine.csv" in str(error.value)


def test_days_near_each_other_are_one_load() -> None:
    days = [date(2024, 3, 5), date(2024, 1, 1), date(2024, 2, 1), date(2024, 6, 1)]
    assert loads_of(days) == [
        DayRange(date(2024, 1, 1), date(2024, 2, 1)),
        DayRange(date(2024, 3, 5), date(2024, 3, 5)),
        DayRange(date(2024, 6, 1), date(2024, 6, 1)),
    ]
    assert loads_of([]) == []


def test_the_command_that_writes_such_a_file_is_that_of_the_deployment(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("id,amount\nA1,5\n")
    with pytest.raises(EditsError) as error:
        read_edits(file, Settings(home=tmp_path))
    command = f"customer360 quarantine show TABLE --to FILE.csv --home {tmp_path}"
    assert command in str(error.value)
