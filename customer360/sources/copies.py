"""Copies of files that Spark cannot read as they are.

They are in another encoding, have lines before the header, blanks that mean what the row above
says, or are spreadsheets.

A copy lies in a cache, in a folder whose name tells the file, its size and time, and the form; it
is made once, and those of earlier states of the file are removed. A clean file is never copied.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customer360.errors import BrokenFileError, first_line, listed
from customer360.limits import LONGEST_LINE
from customer360.quoting import shown_header, without_rows
from customer360.sources.archives import check_zip
from customer360.sources.csv_files import (
    CONTROL_CHARACTERS_OF_PYTHON,
    CsvShape,
    check_csv,
    kind_of,
    lines_of,
    look,
    numbered,
    raise_missing,
    reading,
    refuse_repeated,
    without_returns,
)
from customer360.sources.text_form import EXPANDS, TextForm

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
"""Endings of the names of spreadsheets."""

CORRUPT = "_corrupt_record"

SPARK_NAMES = {"utf-8": "UTF-8", "latin-1": "ISO-8859-1", "utf-16": "UTF-16"}
"""The encodings that Spark and Arrow read, and what they call them."""

_CHUNK = 1 << 20
_BETWEEN = "\x1f"
_CONTROLS = re.compile(CONTROL_CHARACTERS_OF_PYTHON)


@dataclass(frozen=True)
class Readable:
    """A file as Spark can read it.

    Attributes:
        file: The file itself, or its copy, of the same name.
        shape: What is in it.
        form: Of ``file``; None: it is Parquet, of columns ``_c0`` ... and ``_corrupt_record``.
    """

    file: Path
    shape: CsvShape
    form: TextForm | None


def is_spreadsheet(file: Path) -> bool:
    """Whether a file is one, by its name."""
    return file.suffix.lower() in SPREADSHEETS


def readable(file: Path, form: TextForm, cache: Path, decimal: str = ".") -> Readable:
    """The file, or a copy of it that Spark can read.

    Args:
        file: CSV or spreadsheet.
        form: How it is to be taken apart.
        cache: Where copies are.
        decimal: Decimal mark for the numbers of a spreadsheet's cells.

    Raises:
        BrokenFileError: See `customer360.sources.csv_files.check_csv`; or a spreadsheet cannot be
            read or lacks the sheet.
    """
    if is_spreadsheet(file):
        copy = _copy(
            file,
            f"{form!r} {decimal} repeated",  # not what an older release made
            cache,
            lambda to: _write(_filled(_of_sheet(file, form, decimal), form, file), to),
        )
        return Readable(copy, CsvShape(*_names_in(copy)), None)
    shape = look(file, form)
    form = replace(form, encoding=shape.encoding)
    if form.fill_down:
        copy = _copy(
            file,
            repr(form),
            cache,
            lambda to: _write(_filled(rows_of_csv(file, form, shape), form, file), to),
        )
        return Readable(copy, CsvShape(shape.header, shape.repeated, controls=shape.controls), None)
    if form.encoding in SPARK_NAMES and not form.skip_lines and not shape.returns:
        return Readable(file, shape, form)
    how = f"{form!r} without returns" if shape.returns else repr(form)
    copy = _copy(file, how, cache, lambda to: _transcribe(file, form, to, shape.returns))
    plain = replace(form, encoding="utf-8", skip_lines=0)
    return Readable(copy, replace(shape, encoding="utf-8"), plain)


def readable_with(
    file: Path, wanted: Sequence[str], form: TextForm, cache: Path | None, decimal: str = "."
) -> Readable:
    """The file or a copy that Spark can read, which has the columns ``wanted``.

    Args:
        file: CSV or spreadsheet.
        wanted: The file's names of columns.
        form: How it is to be taken apart.
        cache: Where copies are; None is a temporary folder.
        decimal: Decimal mark for the numbers of a spreadsheet's cells.

    Raises:
        BrokenFileError: See `readable`; or a column is missing or named twice.
    """
    if not is_spreadsheet(file):
        check_csv(file, wanted, form)
    source = readable(file, form, cache or scratch(), decimal)
    missing = [name for name in wanted if name not in source.shape.header]
    if missing:
        raise_missing(file, source.shape.header, missing, wanted, None)
    refuse_repeated(file, source.shape.repeated, wanted)
    return source


def scratch() -> Path:
    """For copies of files that are to be in no deployment; it goes with the process."""
    return Path(_scratch().name)


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="customer360-")


def _copy(file: Path, how: str, cache: Path, make: Callable[[Path], None]) -> Path:
    """The file's copy, made now if it is not there; it appears once it is whole."""
    stat = file.stat()
    whose = hashlib.sha256(str(file.absolute()).encode()).hexdigest()[:12]
    state = f"{stat.st_size}\0{stat.st_mtime_ns}\0{how}"
    folder = cache / f"{whose}-{hashlib.sha256(state.encode()).hexdigest()[:12]}"
    copy = folder / file.name.removesuffix(".gz")
    if copy.exists():
        return copy
    for older in cache.glob(f"{whose}-*"):
        shutil.rmtree(older, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{os.getpid()}"
    try:
        make(scratch)
        scratch.replace(copy)
    finally:
        scratch.unlink(missing_ok=True)
    return copy


def _transcribe(file: Path, form: TextForm, copy: Path, returns: bool) -> None:
    """The text in UTF-8, from the header on; ``returns`` within quotes become blanks."""
    # What Windows-1252 leaves undefined is nothing but a control character, which readers drop.
    lenient = "ignore" if form.encoding == "cp1252" else "strict"
    with reading(file, form.encoding) as stream, copy.open("w", encoding="utf-8", newline="") as to:
        text = lines_of(stream, form, errors=lenient, newline="\n" if returns else "")
        try:
            for _ in range(form.skip_lines):
                text.readline()
            if returns:
                to.writelines(without_returns(text, form))
            else:
                shutil.copyfileobj(text, to, _CHUNK)
        finally:
            text.detach()


def rows_of_csv(file: Path, form: TextForm, shape: CsvShape) -> pa.Table:
    """A CSV as text columns ``_c0`` ...; rows that cannot be split are in ``_corrupt_record``.

    Raises:
        BrokenFileError: It cannot be split at all.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    broken: list[str] = []

    def keep(row: Any) -> str:
        broken.append(row.text)
        return "skip"

    names = [f"_c{n}" for n in range(len(shape.header) + shape.trailing)]
    with reading(file, form.encoding) as stream:
        text = lines_of(stream, form)
        try:
            for _ in range(form.skip_lines):
                text.readline()
            plain = text.read().encode()
        finally:
            text.detach()
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(plain),
            # The header is read as a row, which is taken away below: it may go over several lines.
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=4 * LONGEST_LINE),
            parse_options=arrow_csv.ParseOptions(
                delimiter=form.delimiter,
                quote_char=form.quote or False,
                double_quote=form.escape is None,
                escape_char=form.escape or False,
                newlines_in_values=True,
                invalid_row_handler=keep,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise BrokenFileError(file.name, "a CSV file", without_rows(first_line(error))) from None
    table = table.slice(1) if not shape.trailing else table.drop_columns([names[-1]])
    rows = table.rename_columns([f"_c{n}" for n in range(len(shape.header))])
    rows = rows.append_column(CORRUPT, pa.nulls(rows.num_rows, pa.string()))
    # The header has no such delimiter at its end, and is the first of the rows that do not fit.
    rest = broken[1:] if shape.trailing else broken
    lost = [text.rstrip("\r\n") for text in rest if text.strip()]
    if lost:
        nothing = {name: pa.nulls(len(lost), pa.string()) for name in rows.column_names}
        rows = pa.concat_tables([rows, pa.table(nothing | {CORRUPT: pa.array(lost)})])
    return rows.replace_schema_metadata({"header": _BETWEEN.join(shape.header)})


def _of_sheet(file: Path, form: TextForm, decimal: str) -> pa.Table:
    """A sheet's cells as `rows_of_cells` has them."""
    from python_calamine import CalamineError, CalamineWorkbook, WorksheetNotFound

    _check_sheets(file, form.expands)
    try:
        with CalamineWorkbook.from_path(str(file)) as book:
            name = form.sheet or next(iter(book.sheet_names), "")
            try:
                cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            except WorksheetNotFound:
                raise BrokenFileError(
                    file.name,
                    f"a sheet {name!r}",
                    f"the sheets {listed(book.sheet_names)}",
                    "write the name of one as `sheet:` in the mapping",
                ) from None
    except (CalamineError, OSError) as error:
        raise _no_spreadsheet(file, error) from None
    return rows_of_cells(cells, form, file, name, decimal)


def _check_sheets(file: Path, most: int) -> None:
    """See that a spreadsheet that is an archive is whole; older ones are none."""
    if file.is_file() and zipfile.is_zipfile(file):
        remedy = f"if it is meant, write `expands: {4 * most}` in the mapping"
        check_zip(file, "a spreadsheet", most, remedy)


def _no_spreadsheet(file: Path, error: Exception) -> BrokenFileError:
    found = first_line(error)
    remedy = "open it and save it as .xlsx or .csv"
    if file.is_file() and not zipfile.is_zipfile(file):
        found, remedy = kind_of(file), "give its name the ending of what it is"
        if found == "a zip archive or spreadsheet":
            found, remedy = "one that breaks off", "deliver it again"
    return BrokenFileError(file.name, "a spreadsheet", found, remedy)


def sheets_of(file: Path, limit: int) -> dict[str, list[list[Any]]]:
    """The cells of every sheet of a spreadsheet, ``limit`` rows of each.

    Raises:
        BrokenFileError: It is none, or cannot be read.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    _check_sheets(file, EXPANDS)
    try:
        with CalamineWorkbook.from_path(str(file)) as book:
            return {
                name: book.get_sheet_by_name(name).to_python(skip_empty_area=False, nrows=limit)
                for name in book.sheet_names
            }
    except (CalamineError, OSError) as error:
        raise _no_spreadsheet(file, error) from None


def rows_of_cells(
    cells: Sequence[Sequence[Any]], form: TextForm, file: Path, sheet: str, decimal: str
) -> pa.Table:
    """Cells as text columns ``_c0`` ...: whole numbers without a fraction, times in ISO form.

    Raises:
        BrokenFileError: There is no header where it is said to be.
    """
    import pyarrow as pa

    rows = cells[form.skip_lines :]
    header = [str(cell).strip() for cell in rows[0]] if rows else []
    while header and not header[-1]:
        header.pop()
    if not header:
        raise BrokenFileError(
            file.name,
            f"a header in row {form.skip_lines + 1} of sheet {sheet}",
            "a blank row",
            "write skip_lines: how many rows stand before the header",
        )
    texts = [[_cell(cell, decimal) for cell in row] for row in rows[1:]]
    # A value beyond the header belongs to no column, and who knows how far the others have moved.
    longer = [any(text is not None for text in row[len(header) :]) for row in texts]
    columns = {
        f"_c{n}": pa.array(
            [None if broken else row[n] for row, broken in zip(texts, longer, strict=True)],
            pa.string(),
        )
        for n in range(len(header))
    }
    columns[CORRUPT] = pa.array(
        [
            form.delimiter.join(text or "" for text in row) if broken else None
            for row, broken in zip(texts, longer, strict=True)
        ],
        pa.string(),
    )
    names, repeated = numbered(header)
    metadata = {"header": _BETWEEN.join(names), "repeated": _BETWEEN.join(repeated)}
    return pa.table(columns).replace_schema_metadata(metadata)


def _cell(value: object, decimal: str) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return format(Decimal(repr(value)), "f").replace(".", decimal)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date | time | timedelta):
        return str(value)
    text = _CONTROLS.sub("", str(value))
    return text if text.strip() else None


def _filled(table: pa.Table, form: TextForm, file: Path) -> pa.Table:
    """``table`` with the blanks of `TextForm.fill_down` filled from the row above."""
    if not form.fill_down:
        return table
    header = list(header_of(table.schema))
    absent = [name for name in form.fill_down if name not in header]
    if absent:
        raise BrokenFileError(
            file.name,
            f"column {listed(absent)} of fill_down",
            shown_header(header, form.fill_down),
            "write the file's own names under fill_down in the mapping",
        )
    rows: pd.DataFrame = table.to_pandas()
    first, *others = [f"_c{header.index(name)}" for name in form.fill_down]
    whole = rows[CORRUPT].isna()
    own = rows.loc[whole, first].str.strip().replace("", None)
    filled = own.ffill()
    rows.loc[whole, first] = filled
    if others:
        order = (own.notna() & (filled != filled.shift())).cumsum()
        blank = rows.loc[whole, others].apply(lambda column: column.str.strip().eq("").fillna(True))
        present = rows.loc[whole, others].mask(blank)
        rows.loc[whole, others] = present.groupby(order).ffill()
    import pyarrow as pa

    return pa.Table.from_pandas(
        rows, schema=table.schema.remove_metadata(), preserve_index=False
    ).replace_schema_metadata(table.schema.metadata)


def _write(table: pa.Table, copy: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, copy)


def _names_in(copy: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of a sheet's copy, and the names that its header has more than once."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(copy)
    repeated = schema.metadata[b"repeated"].decode()
    return header_of(schema), tuple(repeated.split(_BETWEEN)) if repeated else ()


def header_of(schema: pa.Schema) -> tuple[str, ...]:
    """Names of the columns ``_c0`` ... of `rows_of_csv` and `rows_of_cells`."""
    return tuple(schema.metadata[b"header"].decode().split(_BETWEEN))
