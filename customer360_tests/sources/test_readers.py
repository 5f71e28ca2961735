"""Reading files as text: what a good file becomes, and what is said of a broken one."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from customer360.contracts import Column, Contract
from customer360.errors import BrokenFileError
from customer360.sources import archives, columns, csv_files, readers, time_columns
from customer360.sources.text_form import TextForm

CONTRACT = Contract.from_columns(
    "bronze/shop_orders",
    [Column("id"), Column("note"), Column("amount", "number")],
    description="Orders.",
    delivery="extract",
)
WANTED = list(CONTRACT.column_names)


def write(file: Path, content: str | bytes) -> Path:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def rows(frame) -> set[tuple[str | None, ...]]:
    return {tuple(row) for row in frame.select("id", "note", "amount", "_rescued").collect()}


def test_csv_is_read_as_text_by_column_name(spark: SparkSession, tmp_path: Path) -> None:
    """Neither column order, gzip, byte-order mark, quotes, line breaks nor odd names matter."""
    one = write(
        tmp_path / "one [1] {x}*+%41.csv",
        '\ufeff"id","note","amount"\r\n001,"says ""hi"", then\nleaves",1.50\r\n 2 ,,\r\n',
    )
    two = tmp_path / "two.csv.gz"
    with gzip.open(two, "wb") as stream:
        stream.write(b"amount,colour,id,note,size\n7,red,3,ok,\n8,,4,ok,\n")
    frame = readers.read_csv(spark, [one, two], CONTRACT)
    assert frame.columns == [
        *WANTED,
        "_rescued",
        "_source_file",
        "_delivered_on",
        "_corrupt_record",
    ]
    assert rows(frame) == {
        ("001", 'says "hi", then\nleaves', "1.50", None),
        (" 2 ", None, None, None),
        ("3", "ok", "7", '{"colour":"red"}'),
        ("4", "ok", "8", None),
    }
    assert {row[0] for row in frame.select("_source_file").collect()} == {one.name, two.name}


def test_a_row_with_too_few_or_many_fields_keeps_its_line(
    spark: SparkSession, tmp_path: Path
) -> None:
    quoted = write(tmp_path / "q.csv", 'id,note,amount\n1,"a",2\n2,short\n3,b,4,long\n')
    plain = write(tmp_path / "p.csv", "id,note,amount\n1,a,2\n2,short\n3,b,4,long\n")
    for file in (quoted, plain):
        frame = readers.read_csv(spark, [file], CONTRACT)
        found = {(row["id"], row["_corrupt_record"]) for row in frame.collect()}
        assert found == {("1", None), ("2", "2,short"), ("3", "3,b,4,long")}


def test_other_delimiters_encodings_and_headers(spark: SparkSession, tmp_path: Path) -> None:
    latin = write(tmp_path / "l.csv", "Order No;note;amount\n1;£5;2,50\n".encode("latin-1"))
    frame = readers.read_csv(
        spark,
        [latin],
        CONTRACT,
        headers={"id": "Order No"},
        form=TextForm(delimiter=";", encoding="latin-1"),
    )
    assert rows(frame) == {("1", "£5", "2,50", None)}
    wide = write(tmp_path / "w.csv", "id,note,amount\n1,€,2\n".encode("utf-16"))
    assert rows(readers.read_csv(spark, [wide], CONTRACT, form=TextForm(encoding="utf-16"))) == {
        ("1", "€", "2", None)
    }


def test_no_file_and_no_row_are_empty(spark: SparkSession, tmp_path: Path) -> None:
    header_only = write(tmp_path / "h.csv", "id,note,amount\n")
    none = readers.read_csv(spark, [], CONTRACT)
    assert none.columns == readers.read_csv(spark, [header_only], CONTRACT).columns
    assert none.count() == 0
    assert readers.read_csv(spark, [header_only], CONTRACT).collect() == []


GOOD = "id,note,amount\n1,a,2\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "a.csv: expected a CSV file with a header, found an empty file"),
        ("a.csv", b"\n1,2,3\n", "a.csv: expected a header in the first line, found a blank line"),
        ("a.csv", b"id,note\n1,a\n", "a.csv: expected column amount, found only id, note"),
        (
            "a.csv",
            b"id,Note,AMOUNT\n",
            "a.csv: expected columns note, amount, found only id, Note, AMOUNT; "
            "Note, AMOUNT differs in case",
        ),
        (
            "a.csv",
            b"id;note;amount\n1;a;2\n",
            "a.csv: expected columns separated by comma, found columns separated by semicolon; "
            'write `delimiter: ";"` in the mapping',
        ),
        (
            "a.csv",
            b"id,note,amount,note\n",
            "a.csv: expected every column once, found note more than once; rename one",
        ),
        (
            "a.csv.gz",
            GOOD.encode(),
            "a.csv.gz: expected a gzip file, found plain text; "
            "remove .gz from its name or compress it",
        ),
        (
            "a.csv",
            gzip.compress(GOOD.encode(), mtime=0),
            "a.csv: expected plain text, found gzip data; give its name the ending .gz",
        ),
        ("a.csv", b"PK\x03\x04rest", "a.csv: expected a CSV file, found a zip archive or"),
        ("a.csv", b"PAR1....", "a.csv: expected a CSV file, found a Parquet file"),
        ("a.csv", b"\x00\x01\x02,\x00\n", "a.csv: expected a CSV file, found binary data"),
        (
            "a.csv",
            b"id,note,amount\n1,a,2\n2,\xa3,3\n",
            "a.csv: expected utf-8 text, found byte 0xa3 at line 3; write `encoding: latin-1`",
        ),
        (
            "a.csv",
            b'id,amount,note\n1,2,"a"\n2,3,"never closed\n3,4,x\n',
            "a.csv: expected quoted values that end, found a quotation mark in the record at "
            "line 3 that is never closed",
        ),
    ],
)
def test_a_broken_csv_is_named_with_what_was_expected_and_found(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    file = write(tmp_path / name, content)
    with pytest.raises(BrokenFileError) as error:
        csv_files.check_csv(file, WANTED)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_a_gzip_cut_short_is_broken(tmp_path: Path) -> None:
    whole = gzip.compress(os.urandom(200_000).hex().encode())
    file = write(tmp_path / "a.csv.gz", whole[:-5000])
    with pytest.raises(BrokenFileError, match=r"a\.csv\.gz: expected a whole gzip file, found .*"):
        csv_files.check_csv(file, [])


def test_missing_and_unreadable_files_are_broken(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match=r"none\.csv: expected a CSV file, found no such"):
        csv_files.check_csv(tmp_path / "none.csv", WANTED)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BrokenFileError, match=r"folder\.csv: .* found is a directory"):
        csv_files.check_csv(tmp_path / "folder.csv", WANTED)


def test_a_quotation_mark_within_a_word_breaks_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", 'id,note,amount\n1,5" nail,2\n2,"two\nlines",3\n')
    assert csv_files.check_csv(file, WANTED).header == ("id", "note", "amount")


def test_nothing_is_read_from_a_broken_file(spark: SparkSession, tmp_path: Path) -> None:
    good = write(tmp_path / "good.csv", GOOD)
    bad = write(tmp_path / "bad.csv", "id,note\n1,a\n")
    with pytest.raises(BrokenFileError, match=r"bad\.csv: expected column amount"):
        readers.read_csv(spark, [good, bad], CONTRACT)


def test_parquet_becomes_the_text_a_csv_would_have(spark: SparkSession, tmp_path: Path) -> None:
    """Ids that pandas made 1.0, nanoseconds, instants with a zone, lists beyond the contract."""
    frame = pd.DataFrame(
        {
            "id": [1.0, None],
            "note": pd.to_datetime(["2024-07-01 10:00:00", "2024-01-01 00:30:00"]),
            "amount": pd.to_datetime(["2024-07-01 10:00:00Z", "2024-01-01 23:30:00Z"]),
            "tags": [["a"], None],
        }
    )
    expected = {
        ("1", "01/07/2024 10:00", "01/07/2024 11:00", '{"tags":"[\\"a\\"]"}'),
        (None, "01/01/2024 00:30", "01/01/2024 23:30", None),
    }
    for unit in ("ns", "us"):
        file = tmp_path / f"{unit}.parquet"
        frame.to_parquet(file, coerce_timestamps=None if unit == "ns" else unit)
        raw = readers.read_parquet(
            spark,
            [file],
            CONTRACT,
            time_zone="Europe/London",
            timestamp_pattern="dd/MM/yyyy HH:mm",
        )
        assert rows(raw) == expected, unit
        assert {row[0] for row in raw.select("_source_file").collect()} == {file.name}


def test_a_broken_parquet_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pd.DataFrame({"id": ["1"]}).to_parquet(file)
    with pytest.raises(BrokenFileError, match=r"a\.parquet: expected columns note, amount, found"):
        columns.check_parquet(file, WANTED)
    for content in (b"", b"id,note,amount\n"):
        write(file, content)
        with pytest.raises(BrokenFileError, match=r"a\.parquet: expected a Parquet file, found"):
            columns.check_parquet(file, WANTED)


def test_day_range_passes_over_what_is_no_date(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv",
        'id,at,note\n1,31/12/2023 23:59,"x\ny"\n2,02/01/2024 00:00,\n'
        "3,soon,\n4,99/99/2025 00:00,\n",
    )
    found = time_columns.day_range([file], "at", "dd/MM/yyyy HH:mm")
    assert (found.first, found.last) == (dt.date(2023, 12, 31), dt.date(2024, 1, 2))
    with pytest.raises(BrokenFileError, match=r"a\.csv: expected dates like yyyy-MM-dd in column"):
        time_columns.day_range([file], "at", "yyyy-MM-dd")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("id,note,amount\n1,x,2\n2,y,twelve\n", " at line 3 of a.csv"),
        ('id,note,amount\r\n1,"x\ry",2\r\n2,"of\r\ntwo",twelve', " at line 4 of a.csv"),
        ('id,"no\rte",amount\n1,x,2\n2,y,twelve\n', " at line 3 of a.csv"),
        ("id,note,amount\r1,x,2\r2,y,twelve", " at line 3 of a.csv"),
        ("id,note,amount\n1,x,2\n", ""),
    ],
)
def test_a_value_stands_at_the_line_that_an_editor_shows(
    tmp_path: Path, content: str, place: str
) -> None:
    """A lone carriage return within a value ends no line, but those of old Macs do."""
    file = write(tmp_path / "a.csv", content)
    form = TextForm()
    assert columns.place_of([file], "amount", "twelve", form=form, cache=tmp_path) == place


def test_the_line_of_a_row_that_is_too_long(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", 'id,note\n1,"x\ry"\n2,y,1,5\n')
    error = columns.of_no_row([file], TextForm(), tmp_path)
    assert error is not None
    assert str(error).startswith("a.csv, line 3: expected 2 values, as the header has")


def test_fingerprint_changes_with_the_files(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1", "a"), write(tmp_path / "2", "b")
    before = archives.fingerprint([one, two])
    assert before == archives.fingerprint([two, one])
    assert before != archives.fingerprint([one])
    os.utime(two, ns=(1, 1))
    assert before != archives.fingerprint([one, two])


def test_zip_members_are_extracted_once_and_anew_when_the_zip_changes(tmp_path: Path) -> None:
    archive, cache = tmp_path / "a.zip", tmp_path / "cache"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("folder/a.csv", "old")
        opened.writestr("other.txt", "not asked for")
    (first,) = archives.unpack(archive, ["a.csv"], cache)
    assert first.read_text() == "old"
    written = first.stat().st_mtime_ns
    assert archives.unpack(archive, ["a.csv"], cache) == [first]
    assert first.stat().st_mtime_ns == written
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a.csv", "newer")
    (second,) = archives.unpack(archive, ["a.csv"], cache)
    assert second.read_text() == "newer"
    assert sorted(file.name for file in cache.rglob("*") if file.is_file()) == ["a.csv", "a.csv"]


def test_a_damaged_zip_is_named(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", "no zip")
    with pytest.raises(BrokenFileError, match=r"a\.zip: expected a zip archive, found"):
        archives.unpack(archive, ["a.csv"], tmp_path / "cache")
