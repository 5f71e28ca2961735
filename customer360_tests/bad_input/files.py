"""Files that cannot be used as a whole: missing, broken, of another kind, of another shape."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pandas as pd
from openpyxl import Workbook

from customer360 import limits
from customer360_tests.bad_input.case import MAPPING, Case, Content, Group, nothing_else

BAKERY = """
name: bakery
currency: EUR
time_zone: UTC
grain: orders
date_format: yyyy-MM-dd
columns:
  order_id: Receipt
  occurred_at: Day
  amount: Total
"""
HEADER = "Receipt,Day,Total\n"
ROWS = "".join(f"B{n},2024-05-{n % 28 + 1:02},{n}.50\n" for n in range(1, 301))
LONG = "x" * (limits.LONGEST_LINE + 1)
GZIP = gzip.compress((HEADER + ROWS).encode(), mtime=0)


def met(
    id: str,
    wrong: str,
    says: str,
    content: Content | None,
    *,
    name: str = "may.csv",
    mapping: str = BAKERY,
    make: object = nothing_else,
    needs: tuple[str, ...] = (),
) -> Case:
    """A file that `customer360 check` is given."""
    files = {MAPPING: mapping} | ({} if content is None else {name: content})
    command = ("check", "--mapping", MAPPING, name)
    return Case(id, wrong, says, command, files, make=make, needs=needs)  # type: ignore[arg-type]


def sheet(*rows: tuple[str | int, ...]) -> bytes:
    """A spreadsheet of these rows."""
    book, content = Workbook(), io.BytesIO()
    active = book.active
    assert active is not None
    for row in rows:
        active.append(row)
    book.save(content)
    return content.getvalue()


def parquet() -> bytes:
    """Orders as Parquet, on several pages."""
    content, chance = io.BytesIO(), random.Random(1)
    orders = {
        "Receipt": [f"B{n}" for n in range(5_000)],
        "Total": [str(chance.random()) for _ in range(5_000)],
        "Day": ["2024-05-01"] * 5_000,
    }
    pd.DataFrame(orders).to_parquet(content)
    return content.getvalue()


def damaged(content: bytes, at: int, length: int = 200) -> bytes:
    """``content`` with some of its bytes written over."""
    return content[:at] + random.Random(2).randbytes(length) + content[at + length :]


def _gzip_bomb() -> bytes:
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as stream:
        stream.write(HEADER.encode())
        for _ in range(1_100):
            stream.write(b" " * 99_999 + b"\n")
    return content.getvalue()


def _sheet_bomb() -> bytes:
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(_deflated("xl/worksheets/sheet1.xml"), "w") as inside,
    ):
        for _ in range(1_100):
            inside.write(b" " * 100_000)
    return content.getvalue()


def _deflated(name: str) -> zipfile.ZipInfo:
    """A member without the time at which it was made."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("may.csv"), HEADER + ROWS)
    return content.getvalue()


def _folder(folder: Path) -> AbstractContextManager[object]:
    (folder / "may.csv").mkdir()
    return nullcontext()


def _dangling(folder: Path) -> AbstractContextManager[object]:
    (folder / "may.csv").symlink_to("gone.csv")
    return nullcontext()


def _circle(folder: Path) -> AbstractContextManager[object]:
    (folder / "may.csv").symlink_to("may.csv")
    return nullcontext()


def _in_folder(folder: Path) -> AbstractContextManager[object]:
    (folder / "exports").mkdir()
    (folder / "exports/may.txt").write_text(HEADER)
    return nullcontext()


PARQUET_MAPPING = BAKERY + "format: parquet\n"

WHOLE = Group(
    "Files that are not there, or not whole",
    "Nothing of a file is read into a table before all of it was looked at.",
    (
        met("missing", "the file is not there", "may.csv: there is no such file or folder", None),
        met(
            "dangling_link",
            "a link to a file that is gone",
            "may.csv: is a link to gone.csv, which leads nowhere; name a file or folder "
            "that is there",
            None,
            make=_dangling,
        ),
        met(
            "link_to_itself",
            "a link to itself",
            "may.csv: is a link to may.csv, which leads nowhere; name a file or folder "
            "that is there",
            None,
            make=_circle,
        ),
        Case(
            "no_file_of_the_name",
            "a folder in which no file has the mapping's name",
            "/…/exports: expected files like *.csv or *.csv.gz, found no such file in "
            "that folder; write `files:` in the mapping as the files are named",
            ("check", "--mapping", MAPPING, "exports"),
            {MAPPING: BAKERY},
            make=_in_folder,
        ),
        Case(
            "no_path",
            "neither the command nor the mapping says where the files are",
            "bakery: expected a file or folder, found none; give --path FILE-OR-FOLDER, "
            "or write `path:` in the mapping",
            ("check", "--mapping", MAPPING),
            {MAPPING: BAKERY},
        ),
        Case(
            "path_of_mapping",
            "a `path:` of the mapping that is not there",
            "/nowhere/exports: expected files like *.csv or *.csv.gz, found nothing there; give "
            "another --path, or write `path:` in the mapping",
            ("check", "--mapping", MAPPING),
            {MAPPING: BAKERY + "path: /nowhere/exports\n"},
        ),
        met(
            "folder_as_file",
            "a folder named like a file",
            "/…/may.csv: expected files like *.csv or *.csv.gz, found no such file in "
            "that folder; write `files:` in the mapping as the files are named",
            None,
            make=_folder,
        ),
        met(
            "empty",
            "no bytes at all",
            "may.csv: expected a CSV file with a header, found an empty file; deliver it "
            "again, or take it away: of no rows there is the header",
            b"",
        ),
        met(
            "empty_gzip",
            "no bytes at all, called `.gz`",
            "may.csv.gz: expected a CSV file with a header, found an empty file; deliver "
            "it again, or take it away: of no rows there is the header",
            b"",
            name="may.csv.gz",
        ),
        met(
            "blank_header",
            "a blank first line",
            "may.csv: expected a header in the first line, found a blank line; write "
            "skip_lines: how many lines stand before the header",
            "\n" + HEADER + ROWS,
        ),
        met(
            "header_only",
            "a header and no rows",
            "may.csv: expected rows below the header, found none; deliver it again with "
            "its rows, or take it away",
            HEADER,
        ),
        met(
            "truncated_gzip",
            "a gzip file cut short",
            "may.csv.gz: expected a whole gzip file, found one that breaks off; fetch "
            "the file again",
            GZIP[:-20],
            name="may.csv.gz",
        ),
        met(
            "damaged_gzip",
            "a gzip file of which bytes changed",
            "may.csv.gz: expected a whole gzip file, found one that is damaged; fetch "
            "the file again",
            GZIP[:-8] + b"\1\2\3\4" + GZIP[-4:],
            name="may.csv.gz",
        ),
        met(
            "gzip_by_name_only",
            "plain text called `.gz`",
            "may.csv.gz: expected a gzip file, found plain text; remove .gz from its "
            "name or compress it",
            HEADER + ROWS,
            name="may.csv.gz",
        ),
        met(
            "gzip_without_name",
            "gzip not called `.gz`",
            "may.csv: expected plain text, found gzip data; give its name the ending .gz",
            GZIP,
        ),
        met(
            "gzip_bomb",
            "a small gzip file that unpacks to 110 MB",
            "may.csv.gz: expected a file of … bytes that unpacks to at most 250 times as "
            "many, found … bytes and more; if it is meant, write `expands: 1000` in the "
            "mapping",
            _gzip_bomb,
            name="may.csv.gz",
        ),
        met(
            "truncated_xlsx",
            "a spreadsheet cut short",
            "may.xlsx: expected a spreadsheet, found one that breaks off; deliver it again",
            lambda: sheet(("Receipt", "Day", "Total"), ("B1", "2024-05-01", 1))[:-100],
            name="may.xlsx",
        ),
        met(
            "xlsx_bomb",
            "a small spreadsheet that unpacks to 110 MB",
            "may.xlsx: expected a file of … bytes that unpacks to at most 250 times as "
            "many, found … bytes and more; if it is meant, write `expands: 1000` in the "
            "mapping",
            _sheet_bomb,
            name="may.xlsx",
        ),
        met(
            "xlsx_without_sheet",
            "a spreadsheet without the sheet of the mapping",
            "may.xlsx: expected a sheet 'Sales', found the sheets Sheet; write the name "
            "of one as `sheet:` in the mapping",
            lambda: sheet(("Receipt", "Day", "Total"), ("B1", "2024-05-01", 1)),
            name="may.xlsx",
            mapping=BAKERY + "sheet: Sales\n",
        ),
        met(
            "xlsx_blank",
            "a spreadsheet without a cell",
            "may.xlsx: expected a header in row 1 of sheet Sheet, found a blank row; "
            "write skip_lines: how many rows stand before the header",
            lambda: sheet(),
            name="may.xlsx",
        ),
        met(
            "text_as_xlsx",
            "text called `.xlsx`",
            "may.xlsx: expected a spreadsheet, found plain text; give its name the "
            "ending of what it is",
            HEADER + ROWS,
            name="may.xlsx",
        ),
        met(
            "truncated_parquet",
            "a Parquet file cut short",
            "may.parquet: expected a Parquet file, found one that breaks off or is "
            "damaged; deliver it again",
            lambda: parquet()[:-300],
            name="may.parquet",
            mapping=PARQUET_MAPPING,
        ),
        met(
            "damaged_parquet",
            "a Parquet file of which bytes changed",
            "may.parquet: expected a whole file, found one that breaks off or is "
            "damaged; deliver it again; nothing was written",
            lambda: damaged(parquet(), 5_000),
            name="may.parquet",
            mapping=PARQUET_MAPPING,
        ),
        met(
            "damaged_parquet_page",
            "the same, in a column that only loading reads",
            "may.parquet: expected a whole file, found one that breaks off or is "
            "damaged; deliver it again; nothing was written",
            lambda: damaged(parquet(), 45_000),
            name="may.parquet",
            mapping=PARQUET_MAPPING,
            needs=("spark",),
        ),
        met(
            "text_as_parquet",
            "text called `.parquet`",
            "may.parquet: expected a Parquet file, found plain text; write `format: csv` "
            "in the mapping if it is text",
            HEADER + ROWS,
            name="may.parquet",
            mapping=PARQUET_MAPPING,
        ),
        met(
            "zip_as_csv",
            "a zip called `.csv`",
            "may.csv: expected a CSV file, found a zip archive or spreadsheet; give a "
            "spreadsheet's name the ending .xlsx; unpack an archive",
            _zip,
        ),
        met(
            "parquet_as_csv",
            "Parquet called `.csv`",
            "may.csv: expected a CSV file, found a Parquet file; write `format: parquet` "
            "in the mapping",
            parquet,
        ),
        Case(
            "truncated_zip",
            "a zip cut short, in the place of Olist's",
            "olist.zip: expected a zip archive, found none, or one that breaks off; fetch it again",
            ("run", "--source", "olist", "--path", "olist.zip"),
            {"olist.zip": lambda: _zip()[:-30]},
        ),
        Case(
            "zip_of_other_files",
            "a zip without the files of Olist",
            "/…/olist.zip: expected olist_orders_dataset.csv or "
            "olist_orders_dataset.csv.gz in it, found no CSV file of Olist's; point "
            "olist_path at the folder or zip with the nine files",
            ("run", "--source", "olist", "--path", "olist.zip"),
            {"olist.zip": _zip},
        ),
    ),
    by="check --mapping shop.yaml FILE",
)

TEXT = Group(
    "Text that cannot be taken apart",
    "",
    (
        met(
            "long_field",
            "a value of more than 4 MB",
            "may.csv: expected lines of at most 4,194,304 bytes, found a longer one, "
            "line 302; take the value out that makes it so long, or leave its column out "
            "of the export; if rows do not end with a line break, export them so",
            f"{HEADER}{ROWS}B999,2024-05-01,{LONG}\n",
        ),
        met(
            "no_line_breaks",
            "text without end",
            "may.csv: expected lines of at most 4,194,304 bytes, found a longer one, "
            "line 1; take the value out that makes it so long, or leave its column out "
            "of the export; if rows do not end with a line break, export them so",
            "x," * limits.LONGEST_LINE,
        ),
        met(
            "unclosed_quote",
            "a quotation mark that nothing closes",
            "may.csv: expected quoted values that end, found a quotation mark in the "
            'record at line 3 that is never closed; close it or take " away there; if no '
            "value of the file is quoted, write `quote: none` in the mapping",
            f'{HEADER}B1,2024-05-01,1\nB2,"2024-05-02,1\n{ROWS}',
        ),
        met(
            "nul_bytes",
            "NUL bytes",
            "may.csv: expected a CSV file, found binary data in the header; export it as "
            "CSV; if it is text of two bytes a letter, write `encoding: utf-16` in the "
            "mapping",
            "\0" * 10_000,
        ),
        met(
            "nul_in_header",
            "NUL in the header",
            "may.csv: expected a CSV file, found binary data in the header; export it as "
            "CSV; if it is text of two bytes a letter, write `encoding: utf-16` in the "
            "mapping",
            "Rec\0eipt,Day,Total\n" + ROWS,
        ),
        met(
            "utf16",
            "UTF-16",
            "may.csv: expected utf-8 text, found UTF-16 text; write `encoding: utf-16` "
            "in the mapping",
            (HEADER + ROWS).encode("utf-16"),
        ),
        met(
            "windows_1252",
            "Windows-1252 instead of UTF-8",
            "may.csv: expected utf-8 text, found byte 0x80 at line 2; write `encoding: "
            "windows-1252` in the mapping, or that in which it was written",
            (HEADER + "B1,2024-05-01,5\u20ac\n").encode("cp1252"),
        ),
        met(
            "wrong_codec",
            "UTF-8 that is said to be ASCII",
            "may.csv: expected ascii text, found byte 0xe2 at line 2; write `encoding: "
            "utf-8` in the mapping, or that in which it was written",
            HEADER + "B1,2024-05-01,5€\n",
            mapping=BAKERY + "encoding: ascii\n",
        ),
        met(
            "semicolons",
            "semicolons instead of commas",
            "may.csv: expected columns separated by comma, found columns separated by "
            'semicolon; write `delimiter: ";"` in the mapping',
            (HEADER + ROWS).replace(",", ";"),
        ),
        met(
            "tabs",
            "tabs instead of commas",
            "may.csv: expected columns separated by comma, found columns separated by "
            'tab; write `delimiter: "\\t"` in the mapping',
            (HEADER + ROWS).replace(",", "\t"),
        ),
        met(
            "two_delimiters",
            "a header with commas, rows with semicolons",
            "may.csv, line 2: expected 3 values, as the header has, found 1; part the "
            "rows as the header is: they have semicolon where it has another sign",
            HEADER + ROWS.replace(",", ";"),
        ),
        met(
            "no_header",
            "no header, so the first line is somebody's",
            "may.csv: expected column Day, found a first line of 5 values, which seem to "
            "be data and no names: a number, text of 11 characters, text of 17 "
            "characters, a date, a number; deliver it with a header, which names its "
            "columns as the mapping does",
            "B1,Maria Silva,maria@example.com,2024-05-24,2.50\n",
        ),
        met(
            "header_below",
            "lines of a title above the header",
            "may.csv: expected column Day, found only Bakery; the header is in line 3: "
            "write `skip_lines: 2` in the mapping",
            "Bakery\nMay 2024\n" + HEADER + ROWS,
        ),
        met(
            "missing_column",
            "a column that the mapping names is not there",
            "may.csv: expected column Total, found only Receipt, Day, Betrag; write the "
            "file's own names in the mapping, and leave out what it does not have",
            HEADER.replace("Total", "Betrag") + ROWS,
        ),
        met(
            "similar_column",
            "a column has nearly the name",
            "may.csv: expected column Total, found only Receipt, Day, Totals; if Totals "
            "is Total, write that in the mapping",
            HEADER.replace("Total", "Totals") + ROWS,
        ),
        met(
            "case_of_column",
            "a column differs in case",
            "may.csv: expected column Total, found only Receipt, Day, TOTAL; TOTAL "
            "differs in case: write it so under columns in the mapping",
            HEADER.replace("Total", "TOTAL") + ROWS,
        ),
        met(
            "column_twice",
            "a column stands there twice",
            "may.csv: expected every column once, found Total more than once; rename one "
            "in the header, and name the one that is meant in the mapping",
            HEADER.replace("\n", ",Total\n") + ROWS.replace("\n", ",1\n"),
        ),
        Case(
            "other_schema_next_month",
            "the file of the next month has other columns",
            "may.csv: expected column Day, found only Receipt, Date, Total; write the "
            "file's own names in the mapping, and leave out what it does not have",
            ("check", "--mapping", MAPPING, "."),
            {
                MAPPING: BAKERY,
                "april.csv": HEADER + ROWS,
                "may.csv": "Receipt,Date,Total\nB1,2024-06-01,1\n",
            },
        ),
        met(
            "no_fill_down_column",
            "a column of `fill_down` that is not there",
            "may.csv: expected column Shop of fill_down, found only Receipt, Day, Total; "
            "write the file's own names under fill_down in the mapping",
            HEADER + ROWS,
            mapping=BAKERY + "fill_down: [Shop]\n",
        ),
    ),
    by="check --mapping shop.yaml FILE",
)

VALUES = Group(
    "Columns of which no value fits",
    "What single rows hold costs these rows alone ([below](#rows)). Times are looked at before "
    "anything is written, since a run needs to know its days.",
    (
        met(
            "dates_of_another_shape",
            "dates of another form than the mapping's",
            "may.csv: expected dates like yyyy-MM-dd in column Day, found 24.05.2024 "
            '08:15 at line 2 of may.csv; write date_format: "dd.MM.yyyy HH:mm" in the '
            "mapping",
            "Receipt,Day,Total\nB1,24.05.2024 08:15,2.50\nB2,25.05.2024 08:20,1.00\n",
        ),
        met(
            "dates_nobody_knows",
            "words in place of dates",
            "may.csv: expected dates like yyyy-MM-dd in column Day, found text of 4 "
            "characters at line 4 of may.csv; write date_format in the mapping as the "
            'dates are written, such as "dd/MM/yyyy HH:mm" (d day, M month, y year, H '
            "hour, m minute), or name another column as occurred_at",
            "Bakery\nReceipt,Day,Total\n,,\nB1,soon,2.50\n",
            mapping=BAKERY + "skip_lines: 1\n",
        ),
        met(
            "shifted_column",
            "names in the column of dates: rows are shifted",
            "may.csv: expected dates like yyyy-MM-dd in column Day, found text of 11 "
            "characters at line 2 of may.csv; write date_format in the mapping as the "
            'dates are written, such as "dd/MM/yyyy HH:mm" (d day, M month, y year, H '
            "hour, m minute), or name another column as occurred_at",
            "Receipt,Day,Total\nB1,Maria Silva,2.50\nB2,+55 11 98765-4321,1\n",
        ),
        met(
            "no_dates",
            "a column of dates without one",
            "may.csv: expected dates like yyyy-MM-dd in column Day, found no value "
            "there; name the column of the times under columns as occurred_at in the "
            "mapping",
            "Receipt,Day,Total\nB1,,2.50\n",
        ),
        met(
            "day_and_month",
            "day and month the other way round",
            "may.csv: expected dates like dd/MM/yyyy in column Day, found 01/13/2024 at "
            "line 13 of may.csv and others, 13 of 24 different values, that are dates "
            "only with day and month the other way round, as all values are; write "
            'date_format: "MM/dd/yyyy" in the mapping',
            HEADER + "".join(f"B{n},{n % 12 + 1:02}/{n + 1:02}/2024,1\n" for n in range(1, 25)),
            mapping=BAKERY.replace("yyyy-MM-dd", "dd/MM/yyyy"),
        ),
        met(
            "implausible_dates",
            "all sales are of 1970",
            "may.csv: expected dates from 1980-01-01 to 2030-12-31 in column Day, found "
            "1970-01-01; check the date format; if they are meant, write dates_from and "
            "dates_to in the mapping",
            HEADER + "B1,1970-01-01,2.50\nB2,1970-01-01,1.00\n",
            mapping=BAKERY + "dates_to: 2030-12-31\n",
        ),
        met(
            "currency_not_named",
            "money of another currency, in a column that the mapping does not name",
            "may.csv: expected money in EUR, found JPY in column Currency, which the "
            "mapping does not name; write `currency: Currency` under columns, and other "
            "money is left out by that reason or converted by rates; or name it under "
            "keep, to take all amounts as EUR",
            "Receipt,Day,Total,Currency\nB1,2024-05-01,2.50,EUR\nB2,2024-05-02,900,JPY\n",
        ),
        met(
            "dates_of_never",
            "9999-12-31 in the place of every date",
            "may.csv: expected dates from 1980-01-01 to 2030-12-31 in column Day, found "
            "9999-12-31; check the date format; if they are meant, write dates_from and "
            "dates_to in the mapping",
            HEADER + "B1,9999-12-31,2.50\n",
            mapping=BAKERY + "dates_to: 2030-12-31\n",
        ),
        Case(
            "all_to_come",
            "all sales are of days to come",
            "the sources hold nothing before 2150-05-01, and that day is not over: days "
            "are loaded when they are whole; run it again when it is",
            ("run", "--mapping", MAPPING, "--path", "may.csv"),
            {
                MAPPING: BAKERY + "dates_to: 2200-12-31\n",
                "may.csv": HEADER + "B1,2150-05-01,2.50\n",
            },
        ),
        met(
            "fewer_values",
            "rows of fewer values than the header has",
            "may.csv, line 2: expected 3 values, as the header has, found 2; deliver "
            "rows that are whole; write `short_rows: fill` in the mapping if ends are "
            "blank",
            HEADER + "B1,2024-05-01\nB2,2024-05-02\n",
        ),
        met(
            "decimal_commas",
            "decimal commas between commas",
            "may.csv, line 2: expected 3 values, as the header has, found 4; put values "
            "that hold a ',' in quotation marks (a decimal comma?), or write the right "
            "delimiter in the mapping",
            HEADER + "B1,2024-05-01,2,50\nB2,2024-05-02,1,00\n",
        ),
    ),
    by="check --mapping shop.yaml FILE",
)

DRAFTED = Group(
    "Files that a mapping is to be drafted from",
    "",
    (
        Case(
            "map_missing",
            "the file is not there",
            "may.csv: there is no such file or folder",
            ("map", "may.csv"),
        ),
        Case(
            "map_empty",
            "no bytes at all",
            "may.csv: expected a CSV file with a header, found an empty file; deliver it "
            "again, or take it away: of no rows there is the header",
            ("map", "may.csv"),
            {"may.csv": b""},
        ),
        Case(
            "map_one_column",
            "one column",
            "may.csv: expected columns separated by comma, semicolon, tab or pipe, found "
            "a single column; write a mapping by hand and state `delimiter:` if "
            "something else parts them",
            ("map", "may.csv"),
            {"may.csv": "Receipt\nB1\nB2\n"},
        ),
        Case(
            "map_no_header",
            "values only",
            "may.csv: expected a line with the columns' names, found values only; give "
            "the file a first line with a name for each column",
            ("map", "may.csv"),
            {"may.csv": "1,2024-05-01,2.50\n2,2024-05-02,1.00\n"},
        ),
        Case(
            "map_unlike",
            "files that are not alike",
            "customers.csv: expected the columns of may.csv, found others: City, Day, "
            "Name, Receipt, Total in one of them; name files that are alike, and make a "
            "mapping for each kind",
            ("map", "may.csv", "customers.csv"),
            {"may.csv": HEADER + ROWS, "customers.csv": "Name,City\nAnn,Bonn\nBo,Ulm\n"},
        ),
        Case(
            "map_target_there",
            "a mapping that is there already",
            "--to shop.yaml is there already: name another, or take it away first",
            ("map", "may.csv", "--to", MAPPING),
            {"may.csv": HEADER + ROWS, MAPPING: BAKERY},
        ),
        Case(
            "map_target_nowhere",
            "a folder for it that is not there",
            "--to none/shop.yaml: no such file or directory; name a file in a folder "
            "that is there and may be written",
            ("map", "may.csv", "--to", "none/shop.yaml"),
            {"may.csv": HEADER + ROWS},
        ),
        Case(
            "map_name",
            "a name that no source may have",
            "mapping My Shop.yaml: name: 'My Shop' must be small letters, digits and _, "
            "a letter first",
            ("map", "may.csv", "--name", "My Shop"),
            {"may.csv": HEADER + ROWS},
        ),
        Case(
            "map_zone",
            "an unknown time zone",
            "mapping may.yaml: time_zone: 'London' is not an IANA time zone like Europe/London",
            ("map", "may.csv", "--time-zone", "London"),
            {"may.csv": HEADER + ROWS},
        ),
        Case(
            "map_currency",
            "no currency's code",
            "mapping may.yaml: currency: 'euros' must be an ISO code of three capital "
            "letters, like EUR",
            ("map", "may.csv", "--currency", "euros"),
            {"may.csv": HEADER + ROWS},
        ),
    ),
    by="map may.csv",
)

GROUPS = (WHOLE, TEXT, VALUES, DRAFTED)
