"""Spreadsheets as shops have them: numbers, times and texts, on one of several sheets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook
from pyspark.sql import SparkSession

from customer360.errors import BrokenFileError
from customer360.sources.copies import rows_of_cells
from customer360.sources.text_form import TextForm
from customer360_tests.cases.loaded_files import load_from

MAPPING = """
name: shop
time_zone: Europe/London
currency: GBP
grain: lines
columns:
  {order_id: Invoice, customer_id: Customer, occurred_at: Date, quantity: Pieces, unit_price: Price}
cancellations: [{column: Invoice, starts_with: C}]
"""
ROWS: list[list[Any]] = [
    ["Invoice", "Item", "Pieces", "Date", "Price", "Customer"],
    [501, "Cup", 2, dt.datetime(2024, 3, 1, 8, 26), 2.55, 12583],
    [501, "Jug £", 1, dt.datetime(2024, 3, 1, 8, 26), 1250.5, 12583.0],
    [502, "Pot", 3, "2024-03-02 10:00:00", 0.85, None],
    [],
    ["C503", "Cup", -1, dt.datetime(2024, 3, 5), 2.55, "12583"],
]


def write(file: Path, sheets: Mapping[str, Sequence[Sequence[Any]]]) -> Path:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(file)
    return file


def test_a_sheet_is_read_by_its_name(spark: SparkSession, tmp_path: Path) -> None:
    file = write(tmp_path / "Sales.xlsx", {"Notes": [["x"]], "Year 2024": ROWS})
    found = load_from(spark, file, MAPPING + "sheet: Year 2024\n")
    assert found.net == Decimal("5.10") + Decimal("1250.50") + Decimal("2.55") - Decimal("2.55")
    assert found.customers == {"12583": 3, None: 1}
    assert [str(row.business_date) for row in found.rows] == [
        *["2024-03-01"] * 2,
        "2024-03-02",
        "2024-03-05",
    ]
    assert found.reasons == {}
    assert {row._source_file for row in found.rows} == {"Sales.xlsx"}


def test_the_first_sheet_rows_above_the_header_and_a_decimal_comma(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A number cell is a number whatever mark the texts have."""
    rows = [["Sales"], [], *ROWS[:3], [504, "Pan", 1, dt.date(2024, 3, 4), "1.000,50", 7]]
    write(tmp_path / "a.xlsx", {"Any": rows})
    stated = 'files: "*.xlsx"\nskip_lines: 2\ndecimal_separator: ","\ndate_format: dd.MM.yyyy\n'
    found = load_from(spark, tmp_path, MAPPING + stated)
    assert found.amounts == {"501": Decimal("1255.60"), "504": Decimal("1000.50")}


def test_a_name_that_stands_twice_in_the_header_is_refused_where_it_is_needed(
    spark: SparkSession, tmp_path: Path
) -> None:
    """As in a CSV: which of the two is meant, nobody knows."""
    header, *rows = [list(row) for row in ROWS if row]
    twice = [[*header, "Price"], *([*row, 99.0] for row in rows)]
    with pytest.raises(BrokenFileError) as error:
        load_from(spark, write(tmp_path / "a.xlsx", {"S": twice}), MAPPING)
    assert str(error.value).startswith("a.xlsx: expected every column once, found Price more than")
    unneeded = [[*header, "Item"], *([*row, "seen"] for row in rows)]
    found = load_from(spark, write(tmp_path / "b.xlsx", {"S": unneeded}), MAPPING)
    assert found.net == Decimal("1258.15") - Decimal("2.55")
    assert found.reasons == {}


def test_a_row_with_cells_beyond_the_header_is_malformed(
    spark: SparkSession, tmp_path: Path
) -> None:
    """As in a CSV: one value too many may have pushed the others aside."""
    rows = [*ROWS[:3], [502, "Pot", "large", 3, dt.datetime(2024, 3, 2), 0.85, 12583], *ROWS[3:]]
    found = load_from(spark, write(tmp_path / "a.xlsx", {"S": rows}), MAPPING)
    assert found.reasons == {"row:malformed": 1}
    assert found.quarantined[0].raw == "502,Pot,large,3,2024-03-02,0.85,12583"
    assert found.net == Decimal("1258.15") - Decimal("2.55")


def test_control_characters_are_left_out_of_parquet_as_of_text(
    spark: SparkSession, tmp_path: Path
) -> None:
    sold = {
        "Invoice": ["5\x0001", "501"],
        "Item": ["Cup\x07", "Jug"],
        "Pieces": [2, 1],
        "Date": ["2024-03-01 08:26:00\x00", "2024-03-01 08:26:00"],
        "Price": ["2.5\x005", "1.00"],
        "Customer": ["12\x00583", "12583"],
    }
    pq.write_table(pa.table(sold), tmp_path / "a.parquet")
    found = load_from(spark, tmp_path / "a.parquet", MAPPING + "format: parquet\n")
    assert found.amounts == {"501": Decimal("6.10")}
    assert found.customers == {"12583": 2}


def test_control_characters_are_left_out_of_cells() -> None:
    cells = [["Invoice", "Item"], ["5\x0001", "Cup\x07"], ["\x00", "\x01"]]
    rows = rows_of_cells(cells, TextForm(), Path("a.xlsx"), "S", ".")
    assert rows.select(["_c0", "_c1"]).to_pylist() == [
        {"_c0": "501", "_c1": "Cup"},
        {"_c0": None, "_c1": None},
    ]


def test_what_is_wrong_with_a_spreadsheet_is_said(spark: SparkSession, tmp_path: Path) -> None:
    file = write(tmp_path / "a.xlsx", {"January": ROWS, "February": [[]]})
    with pytest.raises(BrokenFileError) as error:
        load_from(spark, file, MAPPING + "sheet: March\n")
    assert str(error.value) == (
        "a.xlsx: expected a sheet 'March', found the sheets January, February; "
        "write the name of one as `sheet:` in the mapping"
    )
    with pytest.raises(BrokenFileError, match="expected column Customer, found only Invoice"):
        load_from(spark, write(file, {"S": [row[:5] for row in ROWS]}), MAPPING)
    file.write_text("no spreadsheet")
    with pytest.raises(BrokenFileError, match=r"a\.xlsx: expected a spreadsheet, found"):
        load_from(spark, file, MAPPING)
