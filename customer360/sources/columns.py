"""Single columns of files without Spark: their names and values, and where a value stands.

What is asked of a file before a session is worth its start, or beside one: which columns there are,
which values one has, at which line a value is that cannot be used.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customer360.errors import BrokenFileError, first_line, listed
from customer360.quoting import without_rows
from customer360.sources.copies import SPARK_NAMES, Readable, readable_with
from customer360.sources.csv_files import (
    CONTROL_CHARACTERS_OF_PYTHON,
    DELIMITERS,
    dialect,
    kind_of,
    lines_of,
    raise_missing,
    reading,
    reason,
    shown_name,
)
from customer360.sources.text_form import TextForm

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_CONTROLS = re.compile(CONTROL_CHARACTERS_OF_PYTHON)


@contextmanager
def reading_parquet(file: Path) -> Iterator[None]:
    """Turn what goes wrong while a Parquet file is read into one line.

    Raises:
        BrokenFileError: The file is missing, unreadable, not Parquet, or damaged.
    """
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException:
        problem, remedy = kind_of(file), "write `format: csv` in the mapping if it is text"
        if problem == "a Parquet file":
            problem, remedy = "one that breaks off or is damaged", "deliver it again"
        raise BrokenFileError(shown_name(file), "a Parquet file", problem, remedy) from None
    except OSError as error:
        raise BrokenFileError(
            shown_name(file), "a Parquet file", reason(error, file).rstrip("."), "deliver it again"
        ) from None


def check_parquet(file: Path, wanted: Sequence[str]) -> pa.Schema:
    """The schema of a Parquet file that has all columns ``wanted``.

    Raises:
        BrokenFileError: The file is missing, unreadable, not Parquet, or lacks a column.
    """
    import pyarrow.parquet as pq

    with reading_parquet(file):
        schema = pq.read_schema(file)
    missing = [name for name in wanted if name not in schema.names]
    if missing:
        raise_missing(file, schema.names, missing, wanted, None)
    return schema


def columns_of(file: Path, form: TextForm, cache: Path | None) -> tuple[str, ...]:
    """The names of a text file's or spreadsheet's columns.

    Raises:
        BrokenFileError: See `customer360.sources.copies.readable_with`.
    """
    return readable_with(file, [], form, cache).shape.header


def different_values(file: Path, column: str, form: TextForm, cache: Path | None) -> set[str]:
    """The values of a column of few different ones, trimmed."""
    different: set[str] = set()
    for values in values_in(file, column, form, cache):
        different |= set(values.dropna().astype("str").drop_duplicates().str.strip())
    return different - {""}


def place_of(
    files: Sequence[Path], column: str, value: str, *, form: TextForm, cache: Path | None
) -> str:
    """Where a value of a column stands first, as `` at line 5 of a.csv``; "" where it is not found.

    Args:
        files: Text files and spreadsheets.
        column: Their name of the column.
        value: The value, trimmed.
        form: How the text is taken apart.
        cache: As for `customer360.sources.readers.read_csv`.
    """
    for file in files:
        source = readable_with(file, [column], form, cache)
        position = source.shape.header.index(column)
        if source.form is None:  # a sheet's rows, or those of a copy
            texts = (text for batch in values_in(file, column, form, cache) for text in batch)
            for number, text in enumerate(texts, start=form.skip_lines + 2):
                if str(text).strip() == value:
                    return f" in row {number} of {file.name}"
            continue
        for line, row in _numbered_rows(file, form):
            if len(row) > position and row[position].strip() == value:
                return f" at line {line} of {file.name}"
    return ""


def of_no_row(files: Sequence[Path], form: TextForm, cache: Path | None) -> BrokenFileError | None:
    """Why no row of the files gave a value: there is none, or none is as wide as the header.

    Args:
        files: Text files and spreadsheets; others are passed over.
        form: How the text is taken apart.
        cache: As for `customer360.sources.readers.read_csv`.

    Returns:
        What is wrong with the first of the rows; None where nothing is.
    """
    import pyarrow.parquet as pq

    if not files or files[0].suffix == ".parquet":
        return None
    found = False
    for file in files:
        source = readable_with(file, [], form, cache)
        if source.form is None:
            found = found or pq.read_metadata(source.file).num_rows > 0
            continue
        columns = len(source.shape.header)
        for line, row in itertools.islice(_numbered_rows(file, form), 1, 100):
            found = found or bool(row)
            if row and _misfits(len(row), columns, source.shape.trailing, form):
                return BrokenFileError(
                    f"{file.name}, line {line}",
                    f"{columns} {'value' if columns == 1 else 'values'}, as the header has",
                    f"{len(row)}",
                    _as_wide(row, columns, form),
                )
    if found:
        return None
    return BrokenFileError(
        listed([file.name for file in files]),
        "rows below the header",
        "none",
        "deliver it again with its rows, or take it away",
    )


def _misfits(values: int, columns: int, trailing: bool, form: TextForm) -> bool:
    return values > columns + trailing or (values < columns and not form.short_rows)


def _as_wide(row: Sequence[str], columns: int, form: TextForm) -> str:
    """What to do about a row of another width than the header."""
    if len(row) > columns:
        return (
            f"put values that hold a {form.delimiter!r} in quotation marks (a decimal comma?), or "
            "write the right delimiter in the mapping"
        )
    text = form.delimiter.join(row)
    for other, name in DELIMITERS.items():
        if other != form.delimiter and text.count(other) + 1 == columns:
            return f"part the rows as the header is: they have {name} where it has another sign"
    return "deliver rows that are whole; write `short_rows: fill` in the mapping if ends are blank"


def _numbered_rows(file: Path, form: TextForm) -> Iterator[tuple[int, list[str]]]:
    """The rows of a text file from its header on, each with the line that it ends on.

    A lone carriage return ends a line only where no line feed does.
    """
    with reading(file, form.encoding) as stream:
        text = lines_of(stream, form, errors="replace")
        ends: Counter[str] = Counter()

        def counted() -> Iterator[str]:
            for line in text:
                ends[line[-1] if line[-1] in "\r\n" else ""] += 1
                yield line

        try:
            rows = csv.reader(itertools.islice(counted(), form.skip_lines, None), **dialect(form))
            for row in rows:
                yield (ends["\n"] or ends["\r"]) + ends[""], row
        finally:
            text.detach()


def values_in(
    file: Path, column: str, form: TextForm, cache: Path | None
) -> Iterator[pd.Series[Any]]:
    """One column of a CSV or Parquet file, in batches.

    Raises:
        BrokenFileError: The file is broken, or lacks the column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.suffix == ".parquet":
        check_parquet(file, [column])
        with reading_parquet(file):
            for batch in pq.ParquetFile(file).iter_batches(columns=[column]):
                stored = batch.column(0)
                is_text = pa.types.is_string(stored.type) or pa.types.is_large_string(stored.type)
                plain = stored.to_pandas()
                yield plain.str.replace(_CONTROLS, "", regex=True) if is_text else plain
        return
    source = readable_with(file, [column], form, cache)
    position = source.shape.header.index(column)
    if source.form is None:
        copy = pq.ParquetFile(source.file).iter_batches(columns=[f"_c{position}"])
        texts: Iterable[Any] = (batch.column(0).to_pandas() for batch in copy)
    else:
        texts = _csv_column(source, source.form, position)
    for values in texts:
        yield values.str.replace(_CONTROLS, "", regex=True) if source.shape.controls else values


def _csv_column(source: Readable, form: TextForm, position: int) -> Iterator[pd.Series[str]]:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [f"f{n}" for n in range(len(source.shape.header) + source.shape.trailing)]

    short: list[str] = []

    def beside(row: Any) -> str:
        if form.short_rows and row.actual_columns < row.expected_columns:
            short.append(row.text)
        return "skip"

    try:
        reader = arrow_csv.open_csv(
            source.file,
            # The header is read as a row: it is no date, and its spelling does not matter.
            read_options=arrow_csv.ReadOptions(
                column_names=names, encoding=SPARK_NAMES[form.encoding], block_size=1 << 24
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=form.delimiter,
                quote_char=form.quote or False,
                double_quote=form.escape is None,
                escape_char=form.escape or False,
                newlines_in_values=source.shape.many_lines,
                invalid_row_handler=beside,
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=[names[position]], column_types={names[position]: pa.string()}
            ),
        )
        for number, batch in enumerate(reader):
            values = batch.column(0).to_pandas()
            yield values.iloc[1:] if number == 0 and not source.shape.trailing else values
    except pa.ArrowInvalid as error:
        raise BrokenFileError(
            source.file.name, "a CSV file", without_rows(first_line(error))
        ) from None
    if short:
        rows = csv.reader(short, **dialect(form))
        yield pd.Series([row[position] for row in rows if len(row) > position], dtype="str")
