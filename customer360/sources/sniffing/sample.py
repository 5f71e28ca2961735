"""Rows of the user's files to look at: all of them where they are not many."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from customer360.errors import BrokenFileError, SettingsError, listed
from customer360.sources import copies, csv_files
from customer360.sources.columns import check_parquet, reading_parquet
from customer360.sources.mapping import NULL_WORDS
from customer360.sources.sniffing.text import encoding_of, sniff_text
from customer360.sources.text_form import TextForm

BYTES = 16 << 20
"""Of a text file so much is looked at."""

ROWS = 50_000
"""Of a spreadsheet or a Parquet file so many rows are looked at."""

_ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".psv", ".dat")
_JSON = (".json", ".jsonl", ".ndjson")
_SHEET_ROWS = 50  # in which a sheet's table begins


@dataclass(frozen=True)
class Sample:
    """Rows of files that are alike.

    Attributes:
        files: The files.
        format: As a mapping says it.
        form: How their text is taken apart.
        rows: All columns as text by their names, trimmed; null where nothing is.
        instants: Columns that the file itself stores as times.
        whole: All rows of all files are here.
        broken: Rows that do not have as many values as the header.
        evidence: By key of the mapping: what it was told from.
        decide: What the user is to look at.
    """

    files: Sequence[Path]
    format: Literal["csv", "parquet", "xlsx"]
    form: TextForm
    rows: pa.Table
    instants: frozenset[str] = frozenset()
    whole: bool = True
    broken: int = 0
    evidence: dict[str, str] = field(default_factory=dict)
    decide: list[str] = field(default_factory=list)

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return list(self.rows.column_names)


def files_in(paths: Sequence[Path]) -> list[Path]:
    """The files to look at: those named, and those in named folders.

    Raises:
        SettingsError: There is none in a folder, or they are of several kinds.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            known = (*_ENDINGS, *copies.SPREADSHEETS, ".parquet")
            inside = sorted(
                file
                for file in path.iterdir()
                if file.name.lower().removesuffix(".gz").endswith(known)
                and not file.name.startswith((".", "~"))
            )
            if not inside:
                raise SettingsError(f"{path}: no CSV, spreadsheet or Parquet file is in it")
            files += inside
        else:
            files.append(path)
    kinds = {_format(file) for file in files}
    if len(kinds) > 1:
        raise SettingsError(
            f"{listed([file.name for file in files])}: a mapping describes files of one kind; name "
            "those of one"
        )
    return files


def look_at(files: Sequence[Path]) -> Sample:
    """Rows of ``files``, the first of which says how all are taken apart.

    Raises:
        BrokenFileError: A file cannot be read, has no header, or lacks columns of the first.
        SettingsError: It is of a kind that is not read.
    """
    first = _of_one(files[0], ROWS, BYTES)
    tables, whole = [first.rows], first.whole
    decide = list(first.decide)
    left = BYTES - files[0].stat().st_size
    for file in files[1:]:
        if left <= 0:
            whole = False
            break
        other = _of_one(file, ROWS, left)
        left -= file.stat().st_size
        if set(other.header) != set(first.header):
            raise BrokenFileError(
                file.name,
                f"the columns of {files[0].name}",
                f"others: {listed(sorted(set(first.header) ^ set(other.header)))} in one of them",
                "name files that are alike, and make a mapping for each kind",
            )
        if replace(other.form, encoding="") != replace(first.form, encoding=""):
            decide.append(f"{file.name} is written in another way than {files[0].name}")
        tables.append(other.rows.select(first.header))
        whole = whole and other.whole
    return replace(
        first, files=tuple(files), rows=pa.concat_tables(tables), whole=whole, decide=decide
    )


def _format(file: Path) -> Literal["csv", "parquet", "xlsx"]:
    name = file.name.lower().removesuffix(".gz")
    if name.endswith(_JSON):
        raise SettingsError(
            f"{file}: JSON is not read; write it as CSV or Parquet first, such as duckdb -c "
            f"\"COPY (FROM '{file.name}') TO '{file.stem}.parquet'\""
        )
    if copies.is_spreadsheet(file):
        return "xlsx"
    return "parquet" if name.endswith(".parquet") else "csv"


def _of_one(file: Path, rows: int, size: int) -> Sample:
    kind = _format(file)
    if kind == "parquet":
        return _of_parquet(file, rows)
    return _of_sheets(file, rows) if kind == "xlsx" else _of_text(file, size)


def _of_text(file: Path, size: int) -> Sample:
    # Named UTF-16, nothing is said against it yet; what is no text at all is.
    with csv_files.reading(file, "utf-16") as stream:
        data = stream.read(size)
        whole = not stream.read(1)
    if not data.strip():
        raise BrokenFileError(
            file.name, "a CSV file with a header", "an empty file", csv_files.EMPTY
        )
    if not whole:
        data = data[: data.rfind(b"\n") + 1] or data
    encoding, reason, sure = encoding_of(data)
    with tempfile.TemporaryDirectory(prefix="customer360-") as folder:
        copy = Path(folder) / file.name.removesuffix(".gz")
        copy.write_text(
            data.decode(csv_files.codec(encoding), errors="replace"), encoding="utf-8", newline=""
        )
        sniffed = sniff_text(copy, file.name)
        shape = csv_files.look(copy, sniffed.form)
        table = copies.rows_of_csv(copy, sniffed.form, shape)
    decide = list(sniffed.decide)
    if not sure:
        decide.append(f"encoding: {encoding} is likely, not certain: look whether names read well")
    corrupt = table.column(copies.CORRUPT)
    broken = len(corrupt) - corrupt.null_count
    if shape.repeated:
        decide.append(
            f"columns: {listed(list(shape.repeated))} stand in the header more than once; of those "
            "that the mapping names, rename one in the file"
        )
    return Sample(
        files=(file,),
        format="csv",
        form=replace(sniffed.form, encoding=encoding),
        rows=_named(table, shape.header, corrupt),
        whole=whole,
        broken=broken,
        evidence={"encoding": reason, **sniffed.evidence},
        decide=decide,
    )


def _of_sheets(file: Path, rows: int) -> Sample:
    sheets = copies.sheets_of(file, rows + 1)
    tables = {
        name: before for name, cells in sheets.items() if (before := _table_in(cells)) is not None
    }
    if not tables:
        raise BrokenFileError(
            file.name, "a sheet with a header and rows", f"none in {listed(list(sheets))}"
        )
    sheet, skipped = next(iter(tables.items()))
    evidence, decide = {}, []
    if len(sheets) > 1:
        evidence["sheet"] = f"the first that holds a table; there are {listed(list(sheets))}"
        if len(tables) > 1:
            decide.append(f"sheet: {listed(list(tables))} each hold a table; {sheet} was looked at")
    if skipped:
        evidence["skip_lines"] = f"the header is in row {skipped + 1}"
    form = TextForm(sheet=sheet if len(sheets) > 1 else None, skip_lines=skipped)
    table = copies.rows_of_cells(sheets[sheet], form, file, sheet, ".")
    return Sample(
        files=(file,),
        format="xlsx",
        form=form,
        rows=_named(table, copies.header_of(table.schema), table.column(copies.CORRUPT)),
        whole=len(sheets[sheet]) <= rows,
        evidence=evidence,
        decide=decide,
    )


def _table_in(cells: Sequence[Sequence[object]]) -> int | None:
    """Rows before the header of the table in a sheet; None where there is none."""
    cells = cells[:_SHEET_ROWS]
    widths = [sum(bool(str(cell).strip()) for cell in row) for row in cells]
    widest = max(widths, default=0)
    for number, row in enumerate(cells):
        names = [cell for cell in row if str(cell).strip()]
        if widest >= 2 and widths[number] >= widest - 1 and all(isinstance(n, str) for n in names):
            return number if len(cells) > number + 1 else None
    return None


def _of_parquet(file: Path, rows: int) -> Sample:
    schema = check_parquet(file, [])
    instants = frozenset(
        one.name for one in schema if pa.types.is_temporal(one.type) and not _is_time(one.type)
    )
    with reading_parquet(file):
        opened = pq.ParquetFile(file)
        read = next(opened.iter_batches(batch_size=rows), None)
    table = pa.Table.from_batches([read] if read is not None else [], schema=schema)
    return Sample(
        files=(file,),
        format="parquet",
        form=TextForm(),
        rows=_trimmed(pa.table({name: _text(table.column(name)) for name in table.column_names})),
        instants=instants,
        whole=opened.metadata.num_rows <= rows,
    )


def _is_time(kind: pa.DataType) -> bool:
    return pa.types.is_time(kind) or pa.types.is_duration(kind)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of a Parquet file as the product writes it as text."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return pc.strftime(
            pc.cast(column, pa.timestamp("s", kind.tz), safe=False), "%Y-%m-%d %H:%M:%S"
        )
    if pa.types.is_floating(kind):
        whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 1e15))
        safe = pc.if_else(whole, column, pa.scalar(None, kind))
        integers = pc.cast(pc.cast(safe, pa.int64()), pa.string())
        return pc.coalesce(integers, pc.cast(column, pa.string()))
    if pa.types.is_nested(kind):
        return pa.chunked_array(
            [pa.array([str(v) if v is not None else None for v in column.to_pylist()], pa.string())]
        )
    return pc.cast(column, pa.string())


def _named(table: pa.Table, header: Sequence[str], corrupt: pa.ChunkedArray) -> pa.Table:
    whole = table.filter(pc.is_null(corrupt)).drop_columns([copies.CORRUPT])
    return _trimmed(whole.rename_columns(list(header)))


def _trimmed(table: pa.Table) -> pa.Table:
    """Texts without white space around; blanks and words that mean nothing are null."""
    nothing = pa.array(["", *NULL_WORDS])
    columns = {}
    for name in table.column_names:
        texts = pc.utf8_trim_whitespace(pc.cast(table.column(name), pa.string()))
        columns[name] = pc.if_else(pc.is_in(texts, nothing), pa.scalar(None, pa.string()), texts)
    return pa.table(columns)
