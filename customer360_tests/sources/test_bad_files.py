"""Files that no careful person sends: each is one line, in little memory, and nothing is written.

Of each kind there are several, as the next one will be another.
"""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import Workbook
from pyspark.sql import SparkSession

from customer360 import limits
from customer360.contracts import Column, Contract
from customer360.errors import BrokenFileError
from customer360.sources import archives, columns, copies, csv_files, readers
from customer360.sources.text_form import TextForm

WANTED = ("order_id", "customer_id", "amount")
CONTRACT = Contract.from_columns(
    "bronze/shop_orders",
    [Column(name) for name in WANTED],
    description="Orders.",
    delivery="extract",
)
HEADER = "order_id,customer_id,amount\n"
ROWS = "".join(f"o{n},c{n % 7},{n}.50\n" for n in range(300))
LONG = "x" * (limits.LONGEST_LINE + 1)
GZIP = gzip.compress((HEADER + ROWS).encode(), mtime=0)
TOO_LONG = (
    "expected lines of at most 4,194,304 bytes, found a longer one, line {}; take the value out"
)
UNCLOSED = (
    "expected quoted values that end, found a quotation mark in the record at line {} that is "
)


def _sheet() -> bytes:
    book, content = Workbook(write_only=True), io.BytesIO()
    sheet = book.create_sheet()
    sheet.append([*WANTED])
    for n in range(200):
        sheet.append([f"o{n}", f"c{n}", n])
    book.save(content)
    return content.getvalue()


def _parquet() -> bytes:
    content, chance = io.BytesIO(), random.Random(1)
    pd.DataFrame(
        {name: [str(chance.random()) for _ in range(5_000)] for name in WANTED}
    ).to_parquet(content)
    return content.getvalue()


def _damaged(content: bytes, at: int, length: int = 200) -> bytes:
    return content[:at] + random.Random(2).randbytes(length) + content[at + length :]


SHEET, PARQUET = _sheet(), _parquet()


BROKEN: list[tuple[str, str | bytes, str]] = [
    # Beyond measure: among the first rows, after them, in the header, in quotes, without end.
    ("a.csv", f"{HEADER}o1,{LONG},1\n{ROWS}", TOO_LONG.format(2)),
    ("a.csv", f"{HEADER}{ROWS}o1,{LONG},1\n", TOO_LONG.format(302)),
    ("a.csv", f"{LONG},{HEADER}{ROWS}", TOO_LONG.format(1)),
    ("a.csv", f'{HEADER}{ROWS}o1,"{LONG}",1\n', TOO_LONG.format(302)),
    ("a.csv", "x," * limits.LONGEST_LINE, TOO_LONG.format(1)),
    ("a.csv", HEADER.replace("\n", "\r") + f"o1,{LONG},1\r", TOO_LONG.format(2)),
    (
        "a.csv",
        f'{HEADER}{ROWS}o1,"' + "line\n" * 6_000 + '",1\n',
        UNCLOSED.format(302) + "not closed within 5,000 lines; close it or take",
    ),
    # A mark among the first rows swallows more than a reader takes; it is named, not its size.
    ("a.csv", f'{HEADER}o1,"c1,1\n' + ROWS * 1_500, UNCLOSED.format(2) + "not closed within"),
    # NUL.
    ("a.csv", "\0" * 100_000, "expected a CSV file, found binary data in the header; export"),
    ("a.csv", HEADER.replace("amount", "am\0ount"), "expected a CSV file, found binary data"),
    # gzip.
    ("a.csv.gz", GZIP[:-20], "expected a whole gzip file, found one that breaks off; fetch"),
    ("a.csv.gz", GZIP[:15], "expected a whole gzip file, found one that breaks off; fetch"),
    ("a.csv.gz", _damaged(GZIP, 300, 20), "expected a whole gzip file, found "),
    (
        "a.csv.gz",
        GZIP[:-8] + b"\1\2\3\4" + GZIP[-4:],
        "expected a whole gzip file, found one that is damaged",
    ),
    ("a.csv.gz", b"", "expected a CSV file with a header, found an empty file"),
    # Spreadsheets.
    ("a.xlsx", SHEET[:-100], "expected a spreadsheet, found "),
    ("a.xlsx", SHEET[:100], "expected a spreadsheet, found "),
    ("a.xlsx", _damaged(SHEET, len(SHEET) // 2, 30), "expected a spreadsheet, found "),
    ("a.xlsx", b"", "expected a spreadsheet, found "),
    ("a.xlsx", HEADER + ROWS, "expected a spreadsheet, found "),
    (
        "a.xls",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        "expected a spreadsheet, found ",
    ),
    # Parquet.
    (
        "a.parquet",
        PARQUET[:-300],
        "expected a Parquet file, found one that breaks off or is damaged; deliver",
    ),
    ("a.parquet", PARQUET[:8], "expected a Parquet file, found "),
    ("a.parquet", PARQUET[:-8] + b"\xff\xff\xff\x7fPAR1", "expected a Parquet file, found "),
    (
        "a.parquet",
        _damaged(PARQUET, len(PARQUET) - 600, 500),
        "expected a Parquet file, found ",
    ),
    ("a.parquet", _damaged(PARQUET, 2_000), "expected a Parquet file, found "),
    ("a.parquet", b"\0" * 1_000, "expected a Parquet file, found "),
]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    BROKEN,
    # By number: contents are megabytes, and a spreadsheet says when it was made.
    ids=[f"{name}-{number}" for number, (name, *_) in enumerate(BROKEN)],
)
def test_a_file_that_is_broken_is_one_line(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BrokenFileError) as error:
        for _ in columns.values_in(file, WANTED[0], TextForm(), tmp_path):
            pass
    message = str(error.value)
    assert message.startswith(f"{name}: {said}")
    assert "\n" not in message
    assert len(message) < 350


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.xlsx", "a.parquet"])
def test_a_folder_in_the_place_of_a_file_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(BrokenFileError, match=rf"^{name}: expected a .*, found .*; "):
        for _ in columns.values_in(tmp_path / name, WANTED[0], TextForm(), tmp_path):
            pass


def test_a_value_of_a_megabyte_is_read(tmp_path: Path) -> None:
    """What is long, and can be meant, is no error: Python's own readers end at 128 kB."""
    file = tmp_path / "a.csv"
    file.write_text(f"{HEADER}o1,{'x' * 1_000_000},1\n{ROWS}o2,{'y' * 3_000_000},2\n")
    (values,) = columns.values_in(file, "customer_id", TextForm(), tmp_path)
    assert [len(value) for value in values if len(value) > 9] == [1_000_000, 3_000_000]


def _gzip_bomb(file: Path) -> None:
    with gzip.open(file, "wb") as stream:
        stream.write(HEADER.encode())
        for _ in range(1_200):
            stream.write(b" " * 99_999 + b"\n")


def _sheet_bomb(file: Path) -> None:
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as sheet,
    ):
        for _ in range(1_200):
            sheet.write(b" " * 100_000)


@pytest.mark.parametrize(("name", "pack"), [("a.csv.gz", _gzip_bomb), ("a.xlsx", _sheet_bomb)])
def test_what_unpacks_beyond_measure_is_refused_with_its_sizes_and_the_key(
    tmp_path: Path, name: str, pack: Callable[[Path], None]
) -> None:
    file = tmp_path / name
    pack(file)
    size = file.stat().st_size
    with pytest.raises(BrokenFileError) as error:
        copies.readable_with(file, WANTED, TextForm(), tmp_path / "cache")
    message = str(error.value)
    assert message.startswith(
        f"{name}: expected a file of {size:,} bytes that unpacks to at most 250 times as many, "
    )
    assert message.endswith(" bytes and more; if it is meant, write `expands: 1000` in the mapping")
    assert not [each for each in tmp_path.rglob("*") if each.is_file() and each != file]


def test_what_is_meant_to_unpack_so_is_read(tmp_path: Path) -> None:
    _gzip_bomb(tmp_path / "a.csv.gz")
    form = TextForm(expands=2_000)
    assert csv_files.check_csv(tmp_path / "a.csv.gz", WANTED, form).header == WANTED


def test_a_zip_that_unpacks_beyond_measure_or_is_damaged_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.csv", HEADER + ROWS * 20)
    whole = archive.read_bytes()
    for content in (whole[:-30], _damaged(whole, 60, 20), b"", whole[:40]):
        archive.write_bytes(content)
        with pytest.raises(BrokenFileError, match=r"^a\.zip: expected a zip archive, found "):
            archives.unpack(archive, ["a.csv"], tmp_path / "cache")
    archive.write_bytes(whole)
    monkeypatch.setattr(archives, "UNSUSPICIOUS", 10_000)
    monkeypatch.setattr(archives, "EXPANDS", 2)
    with pytest.raises(BrokenFileError, match=r"at most 2 times .* unpack it and give the folder$"):
        archives.unpack(archive, ["a.csv"], tmp_path / "cache")


def test_a_page_that_only_spark_meets_is_named_by_its_file(
    spark: SparkSession, tmp_path: Path
) -> None:
    file = tmp_path / "a b.parquet"
    file.write_bytes(_damaged(PARQUET, 2_000))
    with pytest.raises(Exception, match="READ_FILE") as error:  # its class depends on the session
        readers.read_parquet(spark, [file], CONTRACT).write.format("noop").mode("overwrite").save()
    broken = readers.broken_while_read(error.value, "bronze/shop_orders")
    assert str(broken) == (
        "a b.parquet: expected a whole file, found one that breaks off or is damaged; deliver it "
        "again; nothing was written"
    )
    assert readers.broken_while_read(ValueError("file:/x"), "bronze/shop_orders") is None
