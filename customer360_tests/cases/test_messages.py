"""What is said of files and mappings that cannot be used: where, what is there, what to write."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from customer360.errors import BrokenFileError, SettingsError
from customer360.sources.csv_files import check_csv
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping

MAPPING = """
name: bakery
currency: EUR
time_zone: UTC
grain: orders
date_format: yyyy-MM-dd
files: "*.csv"
columns:
  order_id: Receipt
  occurred_at: Day
  amount: Total
"""


def said(folder: Path, content: str | bytes, mapping: str = MAPPING, name: str = "may.csv") -> str:
    """What is said of a file, before Spark is asked."""
    raw = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(raw)
    with pytest.raises(BrokenFileError) as error:
        FilesSource(parse_mapping(mapping, where="bakery.yaml"), folder).available()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_dates_of_another_shape_are_shown_with_their_line_and_the_format_to_write(
    tmp_path: Path,
) -> None:
    told = said(tmp_path, "Receipt,Day,Total\nB1,24.05.2024 08:15,2.50\nB2,25.05.2024 08:20,1.00\n")
    assert "dates like yyyy-MM-dd in column Day" in told
    assert "24.05.2024 08:15 at line 2 of may.csv" in told
    assert 'write date_format: "dd.MM.yyyy HH:mm' in told


def test_dates_that_nobody_can_guess_are_shown_and_the_letters_explained(tmp_path: Path) -> None:
    mapping = MAPPING + "skip_lines: 1\n"
    told = said(tmp_path, "Bakery\nReceipt,Day,Total\n,,\nB1,soon,2.50\n", mapping)
    assert "found text of 4 characters at line 4 of may.csv" in told
    assert '"dd/MM/yyyy HH:mm" (d day, M month' in told
    assert "%" not in told


def test_a_file_without_a_header_is_told_without_its_first_customer(tmp_path: Path) -> None:
    told = said(tmp_path, "B1,Maria Silva,maria@example.com,2024-05-24,2.50\nB2,Jo,,2024-05-25,1\n")
    assert "expected column Day, found a first line of 5 values, which seem to be data" in told
    assert "deliver it with a header" in told
    assert "aria" not in told


def test_a_shifted_column_is_told_without_what_stands_in_it(tmp_path: Path) -> None:
    told = said(tmp_path, "Receipt,Day,Total\nB1,Maria Silva,2.50\nB2,+55 11 98765-4321,1\n")
    assert "dates like yyyy-MM-dd in column Day, found text of 11 characters at line 2" in told
    assert "aria" not in told


def test_a_column_without_a_value_is_said_to_be_one(tmp_path: Path) -> None:
    told = said(tmp_path, "Receipt,Day,Total\nB1,,2.50\n")
    assert "found no value there; name the column of the times" in told


def test_day_and_month_that_changed_places_name_the_first_line(tmp_path: Path) -> None:
    mapping = MAPPING.replace("yyyy-MM-dd", "dd/MM/yyyy")
    rows = "".join(f"B{n},{n % 12 + 1:02}/{n + 1:02}/2024,1\n" for n in range(1, 25))
    told = said(tmp_path, f"Receipt,Day,Total\n{rows}", mapping)
    assert "01/13/2024 at line 13 of may.csv and others" in told
    assert 'write date_format: "MM/dd/yyyy"' in told


@pytest.mark.parametrize(
    ("header", "remedy"),
    [
        ("Receipt,Day,Totals", "if Totals is Total, write that in the mapping"),
        ("Receipt,Day,TOTAL", "TOTAL differs in case: write it so under columns"),
        ("Receipt,Day,Betrag", "write the file's own names in the mapping"),
        ("Receipt,Day,Total,Total", "rename one in the header"),
    ],
)
def test_a_column_that_is_not_there_says_what_to_write(
    tmp_path: Path, header: str, remedy: str
) -> None:
    file = tmp_path / "may.csv"
    file.write_text(f"{header}\n")
    with pytest.raises(BrokenFileError) as error:
        check_csv(file, ["Receipt", "Day", "Total"])
    assert str(error.value).startswith("may.csv: expected ")
    assert remedy in str(error.value)


def test_files_of_another_kind_say_how_to_read_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "may.csv", "w") as archive:
        archive.writestr("inside.csv", "Receipt,Day,Total\n")
    told = said(tmp_path, (tmp_path / "may.csv").read_bytes())
    assert "found a zip archive or spreadsheet; give a spreadsheet's name the ending .xlsx" in told
    told = said(tmp_path, b"PAR1....", name="may.csv")
    assert "found a Parquet file; write `format: parquet` in the mapping" in told
    told = said(tmp_path, b"", name="may.csv")
    assert "an empty file; deliver it again" in told


def test_no_files_say_where_the_name_is_written(tmp_path: Path) -> None:
    source = FilesSource(parse_mapping(MAPPING, where="bakery.yaml"), tmp_path)
    with pytest.raises(BrokenFileError, match=r"found no such file; write `files:`"):
        source.files()
    missing = FilesSource(parse_mapping(MAPPING, where="bakery.yaml"), tmp_path / "elsewhere")
    with pytest.raises(BrokenFileError, match="found nothing there; give another --path"):
        missing.files()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("skip_lines: two", "skip_lines: 'two' must be a whole number"),
        ("conflicts: ignore", "conflicts: 'ignore' must be 'quarantine' or 'stop'"),
        ("delimiter: semicolon", "delimiter: 'semicolon' must be one character, such as ';'"),
        ("exclude: {column: Total, below: 0, reason: x}", "must be a list: begin each"),
        ("name: My Bakery", "small letters, digits and _, a letter first"),
        ("closed: sometimes", "closed: 'sometimes' must be true or false"),
    ],
)
def test_a_mapping_that_cannot_be_read_shows_the_value(line: str, told: str) -> None:
    text = MAPPING.replace("name: bakery\n", "") if line.startswith("name") else MAPPING
    with pytest.raises(SettingsError) as error:
        parse_mapping(f"{text}{line}\n", where="bakery.yaml")
    assert told in str(error.value)


def test_a_mapping_that_is_no_mapping_shows_what_it_is() -> None:
    with pytest.raises(
        SettingsError, match="each on a line of its own as `name: shop`, found only"
    ):
        parse_mapping("name shop", where="bakery.yaml")
    with pytest.raises(SettingsError, match="found nothing"):
        parse_mapping("", where="bakery.yaml")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("%d/%m/%Y %H:%M", "is Python's notation, Spark's is wanted; write it as dd/MM/yyyy HH:mm"),
        ("DD.MM.YYYY", "'DD' in 'DD.MM.YYYY' is not supported; write it as dd.MM.yyyy"),
        ("EEE dd MMM yyyy", "is not supported; write it like yyyy-MM-dd HH:mm:ss"),
        ("%A, %d %B %Y", "Spark's is wanted; write it like yyyy-MM-dd HH:mm:ss"),
    ],
)
def test_a_date_format_of_another_notation_says_how_to_write_it(written: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_mapping(MAPPING.replace("yyyy-MM-dd", f"'{written}'"), where="bakery.yaml")
    assert told in str(error.value)
