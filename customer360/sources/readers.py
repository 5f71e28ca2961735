"""Raw files as text: CSV and Parquet, plain, gzipped or in a zip, with precise errors.

A file is looked at whole before Spark reads it (it is decompressed and decoded once, in chunks):
a table whose file is broken must not be written at all, and the error of a Spark task that met
half a gzip stream helps nobody. What is wrong with single *rows* is not this module's business:
a row that has too few or too many fields keeps its text in ``_corrupt_record``, and contracts
send it to quarantine.
"""

from __future__ import annotations

import codecs
import csv
import functools
import gzip
import hashlib
import io
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.errors import BrokenFileError, first_line, listed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession

ENCODINGS: Mapping[str, str] = {"utf-8": "UTF-8", "latin-1": "ISO-8859-1", "utf-16": "UTF-16"}
"""Encodings a CSV may have, as users write them, and what Spark calls them."""

BOOKKEEPING = {
    "_rescued": "string",
    "_source_file": "string",
    "_delivered_on": "date",
    "_corrupt_record": "string",
}
"""Columns that every raw frame has beside its contract's, and their Spark types."""

_CODECS = {"utf-8": "utf-8-sig", "latin-1": "latin-1", "utf-16": "utf-16"}
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_CHUNK = 1 << 20
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"


@dataclass(frozen=True)
class CsvShape:
    """What a look at a CSV file told: its header, and whether any value is quoted."""

    header: tuple[str, ...]
    quoted: bool


def read_csv(
    spark: SparkSession,
    files: Sequence[Path],
    contract: Contract,
    *,
    headers: Mapping[str, str] | None = None,
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> DataFrame:
    """The files' rows as text: the contract's columns and `BOOKKEEPING`.

    Columns are found by name, so files may order them differently. What a file has beyond the
    contract goes into ``_rescued``; ``_source_file`` is the file's name without its folder;
    ``_delivered_on`` is null. Line breaks within quotes and doubled quotes are understood. A
    blank field is null.

    Args:
        spark: The session.
        files: Files ending ``.gz`` are gzip, all others plain.
        contract: States the columns.
        headers: The files' names of contract columns, where they differ.
        delimiter: One character.
        encoding: One of `ENCODINGS`; a byte-order mark is skipped.

    Raises:
        BrokenFileError: See `check_csv`.
    """
    from pyspark.sql import functions as F

    wanted = _wanted(contract, headers)
    alike: dict[CsvShape, list[Path]] = {}
    for file in files:
        shape = check_csv(file, list(wanted.values()), delimiter=delimiter, encoding=encoding)
        alike.setdefault(shape, []).append(file)
    frames = []
    for shape, group in alike.items():
        fields = [f"_c{position}" for position in range(len(shape.header))]
        raw = (
            spark.read.format("csv")
            .schema(", ".join(f"{field} string" for field in (*fields, "_corrupt_record")))
            .options(
                header=True,
                sep=delimiter,
                encoding=ENCODINGS[encoding],
                # A file without quotes has no line breaks in values: Spark can split it.
                multiLine=shape.quoted or encoding == "utf-16",
                quote='"',
                escape='"',
                mode="PERMISSIVE",
                columnNameOfCorruptRecord="_corrupt_record",
                # Pruned, a row with the wrong number of fields would look whole.
                columnPruning=False,
            )
            .load([_spark_path(file) for file in group])
        )
        where = dict(zip(shape.header, fields, strict=True))
        extra = {name: F.col(field) for name, field in where.items() if name not in wanted.values()}
        frames.append(
            raw.select(
                *(F.col(where[name]).alias(column) for column, name in wanted.items()),
                _rescued(extra).alias("_rescued"),
                _file_name().alias("_source_file"),
                F.lit(None).cast("date").alias("_delivered_on"),
                F.col("_corrupt_record"),
            )
        )
    return _union(frames) if frames else empty(spark, contract)


def read_parquet(
    spark: SparkSession,
    files: Sequence[Path],
    contract: Contract,
    *,
    headers: Mapping[str, str] | None = None,
    time_zone: str = "UTC",
    timestamp_pattern: str = "yyyy-MM-dd HH:mm:ss",
    date_pattern: str = "yyyy-MM-dd",
) -> DataFrame:
    """The Parquet files' rows as text: the contract's columns and `BOOKKEEPING`.

    Timestamps are written by ``timestamp_pattern``, instants first turned into ``time_zone``;
    dates by ``date_pattern``. Whole floating-point numbers lose their ``.0``: pandas makes
    17850.0 of an id as soon as another row has none.

    Raises:
        BrokenFileError: A file is not Parquet or misses a column.
    """
    from pyspark.sql import functions as F

    wanted = _wanted(contract, headers)
    alike: dict[str, tuple[pa.Schema, list[Path]]] = {}
    for file in files:
        schema = check_parquet(file, list(wanted.values())).remove_metadata()
        alike.setdefault(schema.to_string(), (schema, []))[1].append(file)
    frames = []
    for schema, group in alike.values():
        nanoseconds = [f for f in schema if str(f.type).startswith("timestamp[ns")]
        if nanoseconds:  # what pandas writes by default, and Spark reads as numbers or not at all
            spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")
        raw = spark.read.parquet(*(_spark_path(file) for file in group))
        types = dict(raw.dtypes)

        def text(name: str, types: Mapping[str, str] = types, schema: pa.Schema = schema) -> Column:
            column, kind = F.col(f"`{name}`"), types[name]
            stored = schema.field(name).type
            if kind == "bigint" and str(stored).startswith("timestamp[ns"):
                column = F.timestamp_micros(F.floor(column / 1000).cast("bigint"))
                kind = "timestamp" if stored.tz else "timestamp_ntz"
            if kind == "timestamp":
                column = F.from_utc_timestamp(column, time_zone)
            if kind.startswith("timestamp"):
                return F.date_format(column, timestamp_pattern)
            if kind == "date":
                return F.date_format(column, date_pattern)
            if kind in ("double", "float"):
                whole = (column == F.floor(column)) & (F.abs(column) < 1e15)
                return F.when(whole, column.cast("bigint").cast("string")).otherwise(
                    column.cast("string")
                )
            if kind.startswith(("array", "map", "struct")):
                return F.to_json(column)
            return column.cast("string")

        extra = {name: text(name) for name in raw.columns if name not in wanted.values()}
        frames.append(
            raw.select(
                *(text(name).alias(column) for column, name in wanted.items()),
                _rescued(extra).alias("_rescued"),
                _file_name().alias("_source_file"),
                F.lit(None).cast("date").alias("_delivered_on"),
                F.lit(None).cast("string").alias("_corrupt_record"),
            )
        )
    return _union(frames) if frames else empty(spark, contract)


def empty(spark: SparkSession, contract: Contract) -> DataFrame:
    """No rows, with the columns that `read_csv` and `read_parquet` give."""
    columns = dict.fromkeys(contract.column_names, "string") | BOOKKEEPING
    return spark.createDataFrame(
        [], ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    )


def check_csv(
    file: Path, wanted: Sequence[str], *, delimiter: str = ",", encoding: str = "utf-8"
) -> CsvShape:
    """Look at a whole CSV file before anything is written from it.

    Raises:
        BrokenFileError: The file is missing, unreadable, empty, not gzip though it says so (or
            the reverse), cut short, not in ``encoding``, ends inside a quoted value, has another
            delimiter, lacks one of the columns ``wanted``, or has a column twice.
    """
    try:
        stat = file.stat()
    except OSError as error:
        raise BrokenFileError(file.name, "a CSV file", _reason(error, file)) from None
    shape = _look(file, stat.st_size, stat.st_mtime_ns, delimiter, encoding)
    missing = [name for name in wanted if name not in shape.header]
    if missing:
        _raise_missing(file, shape.header, missing, wanted, delimiter)
    return shape


def shown_name(file: Path) -> str:
    """A file's name for a message, with its folder where files of many days are named alike."""
    return f"{file.parent.name}/{file.name}" if "=" in file.parent.name else file.name


def check_parquet(file: Path, wanted: Sequence[str]) -> pa.Schema:
    """The schema of a Parquet file that has all columns ``wanted``.

    Raises:
        BrokenFileError: The file is missing, unreadable, not Parquet, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
    except OSError as error:
        raise BrokenFileError(shown_name(file), "a Parquet file", _reason(error, file)) from None
    except pa.ArrowInvalid as error:
        found = "an empty file" if file.stat().st_size == 0 else first_line(error)
        raise BrokenFileError(shown_name(file), "a Parquet file", found) from None
    missing = [name for name in wanted if name not in schema.names]
    if missing:
        _raise_missing(file, schema.names, missing, wanted, None)
    return schema


def day_range(
    files: Sequence[Path],
    column: str,
    date_format: str,
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
    time_zone: str | None = None,
) -> DayRange:
    """First and last day that ``column`` of the CSV or Parquet files holds, without Spark.

    Values that do not read are passed over: the contract's check is what reports them.

    Args:
        files: Files that `check_csv` or `check_parquet` accepts.
        column: The files' name of the column.
        date_format: In Python's (``strptime``) notation.
        delimiter: Of CSV files.
        encoding: Of CSV files.
        time_zone: Zone of the days, for values that carry an offset of their own.

    Raises:
        BrokenFileError: A file is broken, or no value of the column is a date.
    """
    import pandas as pd

    days: list[date] = []
    for file in files:
        for values in _column(file, column, delimiter, encoding):
            times: Any = values.drop_duplicates()
            if not pd.api.types.is_datetime64_any_dtype(times):
                times = pd.to_datetime(
                    times.astype("str").str.strip(),
                    format=date_format,
                    errors="coerce",
                    utc="%z" in date_format,
                )
            if times.dt.tz is not None and time_zone:
                times = times.dt.tz_convert(time_zone)
            times = times.dropna()
            if len(times):
                days += [times.min().date(), times.max().date()]
    if not days:
        raise BrokenFileError(
            listed([file.name for file in files]) or "no file",
            f"dates like {date_format} in column {column}",
            "none",
            "check the date format and the time column",
        )
    return DayRange(min(days), max(days))


def fingerprint(files: Iterable[Path]) -> str:
    """Changes when a file is added, removed, grown or written again."""
    digest = hashlib.sha256()
    for file in sorted(files):
        stat = file.stat()
        digest.update(f"{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def unpack(archive: Path, names: Collection[str], into: Path) -> list[Path]:
    """Extract the members of a zip called ``names`` (in whatever folder) and return them.

    Spark cannot read zips. A changed archive goes into a new folder below ``into``; one that was
    extracted before is not extracted again.

    Raises:
        BrokenFileError: ``archive`` is not a zip, is damaged or encrypted.
    """
    stat = archive.stat()
    version = hashlib.sha256(f"{archive.name}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    folder = into / f"{archive.stem}-{version.hexdigest()[:12]}"
    try:
        with zipfile.ZipFile(archive) as opened:
            found = {Path(info.filename).name: info for info in opened.infolist()}
            chosen = {name: info for name, info in found.items() if name in names}
            folder.mkdir(parents=True, exist_ok=True)
            for name, info in chosen.items():
                target = folder / name
                if target.exists():
                    continue
                # The name appears only once the member is whole.
                scratch = folder / f".{name}.{os.getpid()}"
                with opened.open(info) as source, scratch.open("wb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
                scratch.replace(target)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise BrokenFileError(archive.name, "a zip archive", first_line(error)) from None
    return [folder / name for name in chosen]


@functools.lru_cache(maxsize=4096)
def _look(file: Path, size: int, mtime: int, delimiter: str, encoding: str) -> CsvShape:
    """Read the file through once; size and mtime are there so that a changed file is read anew."""
    if size == 0:
        raise BrokenFileError(file.name, "a CSV file with a header", "an empty file")
    with _reading(file, encoding) as stream:
        header = _header(file, stream, delimiter, encoding)
    with _reading(file, encoding) as stream:
        quotes = _scan(stream, encoding)
    if quotes % 2:
        with _reading(file, encoding) as stream:
            _check_quotes(file, stream, delimiter, encoding)
    return CsvShape(header, quotes > 0)


@contextmanager
def _reading(file: Path, encoding: str) -> Iterator[IO[bytes]]:
    """Open a plain or gzipped file, and turn what goes wrong while reading into one line."""
    zipped = file.suffix == ".gz"
    expected = "a gzip file" if zipped else "a CSV file"
    try:
        with file.open("rb") as raw:
            start = raw.read(4)
            raw.seek(0)
            if zipped and not start.startswith(_GZIP):
                raise BrokenFileError(
                    file.name, expected, _kind(start), "remove .gz from its name or compress it"
                )
            if not zipped and start.startswith(_GZIP):
                raise BrokenFileError(
                    file.name, "plain text", "gzip data", "give its name the ending .gz"
                )
            if start.startswith((_ZIP, _PARQUET)):
                raise BrokenFileError(file.name, expected, _kind(start))
            if zipped:
                with gzip.open(raw) as stream:
                    yield stream  # type: ignore[misc]
            else:
                yield raw
    except UnicodeDecodeError as error:
        byte = error.object[error.start : error.start + 1].hex()
        where = error.reason.rpartition(" at line ")[2]
        remedy = "write `encoding: latin-1` in the mapping" if encoding == "utf-8" else ""
        raise BrokenFileError(
            file.name, f"{encoding} text", f"byte 0x{byte} at line {where}", remedy
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BrokenFileError(
            file.name, "a whole gzip file", first_line(error), "fetch the file again"
        ) from None
    except OSError as error:
        raise BrokenFileError(file.name, expected, _reason(error, file)) from None


def _scan(stream: IO[bytes], encoding: str) -> int:
    """Decode everything; the number of quotation marks."""
    decoder = codecs.getincrementaldecoder(_CODECS[encoding])()
    lines, quotes = 1, 0
    while True:
        chunk = stream.read(_CHUNK)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            line = lines + bytes(error.object[: error.start]).count(b"\n")
            error.reason = f"{error.reason} at line {line}"
            raise
        if not chunk:
            return quotes
        lines += text.count("\n")
        quotes += text.count('"')


def _header(file: Path, stream: IO[bytes], delimiter: str, encoding: str) -> tuple[str, ...]:
    # Latin-1 reads any byte: a bad one further down is for _scan to report, with its line.
    lenient = "replace" if encoding == "utf-8" else "strict"
    lines = io.TextIOWrapper(stream, encoding=_CODECS[encoding], errors=lenient, newline="")
    try:
        names = next(csv.reader(lines, delimiter=delimiter), None)
    except csv.Error as error:
        raise BrokenFileError(file.name, "a CSV file with a header", str(error)) from None
    finally:
        lines.detach()
    if names is None or not any(name.strip() for name in names):
        raise BrokenFileError(file.name, "a header in the first line", "a blank line")
    if any("\0" in name for name in names):
        raise BrokenFileError(file.name, "a CSV file", "binary data")
    header = tuple(name.strip() or f"_c{position}" for position, name in enumerate(names))
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BrokenFileError(
            file.name, "every column once", f"{listed(twice)} more than once", "rename one"
        )
    return header


def _check_quotes(file: Path, stream: IO[bytes], delimiter: str, encoding: str) -> None:
    """An odd number of quotation marks: harmless within a word, or a value that never ends.

    The latter would swallow every row after it into one value.
    """
    text = io.TextIOWrapper(stream, encoding=_CODECS[encoding], newline="")
    record: list[str] = []
    first = 1

    def lines() -> Iterator[str]:
        for line in text:
            record.append(line)
            yield line

    try:
        reader = csv.reader(lines(), delimiter=delimiter)
        last: list[str] = []
        for _ in reader:
            first = reader.line_num - len(record) + 1
            last = list(record)
            record.clear()
        for _ in csv.reader(last, delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        if "unexpected end of data" in str(error) or "field larger" in str(error):
            raise BrokenFileError(
                file.name,
                "quoted values that end",
                f"a quotation mark in the record at line {first} that is never closed",
            ) from None
    finally:
        text.detach()


def _raise_missing(
    file: Path,
    header: Sequence[str],
    missing: Sequence[str],
    wanted: Sequence[str],
    delimiter: str | None,
) -> None:
    if delimiter is not None and len(header) == 1:
        for other, name in _DELIMITERS.items():
            if other != delimiter and other in header[0]:
                used = _DELIMITERS.get(delimiter, repr(delimiter))
                raise BrokenFileError(
                    file.name,
                    f"columns separated by {used}",
                    f"columns separated by {name}",
                    "set the delimiter that the file has",
                )
    found = f"only {listed(list(header), 12)}"
    spelt = {name.lower(): name for name in header}
    near = [spelt[name.lower()] for name in missing if name.lower() in spelt]
    what = "column" if len(missing) == 1 else "columns"
    remedy = f"{listed(near)} differs in case" if near else ""
    raise BrokenFileError(shown_name(file), f"{what} {listed(list(missing), 12)}", found, remedy)


def _column(file: Path, column: str, delimiter: str, encoding: str) -> Iterator[pd.Series[str]]:
    """One column of a CSV or Parquet file, in batches."""
    if file.suffix == ".parquet":
        import pyarrow.parquet as pq

        check_parquet(file, [column])
        for batch in pq.ParquetFile(file).iter_batches(columns=[column]):
            yield batch.column(0).to_pandas()
        return
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    position = check_csv(file, [column], delimiter=delimiter, encoding=encoding).header.index(
        column
    )
    name = f"f{position}"
    try:
        reader = arrow_csv.open_csv(
            file,
            # The header is read as a row: it is no date, and its spelling does not matter.
            read_options=arrow_csv.ReadOptions(
                autogenerate_column_names=True, encoding=ENCODINGS[encoding], block_size=1 << 24
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                invalid_row_handler=lambda row: "skip",
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=[name], column_types={name: pa.string()}
            ),
        )
        for batch in reader:
            yield batch.column(0).to_pandas()
    except pa.ArrowInvalid as error:
        raise BrokenFileError(file.name, "a CSV file", first_line(error)) from None


def _wanted(contract: Contract, headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name: (headers or {}).get(name, name) for name in contract.column_names}


def _rescued(extra: Mapping[str, Column]) -> Column:
    from pyspark.sql import functions as F

    if not extra:
        return F.lit(None).cast("string")
    text = F.to_json(F.struct(*(column.alias(name) for name, column in extra.items())))
    return F.nullif(text, F.lit("{}"))


def _file_name() -> Column:
    """The file's name as people write it: Spark gives it as part of a URI."""
    from pyspark.sql import functions as F

    name = F.replace(F.col("_metadata.file_name"), F.lit("+"), F.lit("%2B"))
    return F.url_decode(name)


def _union(frames: Sequence[DataFrame]) -> DataFrame:
    return functools.reduce(lambda left, right: left.unionByName(right), frames)


def _spark_path(file: Path) -> str:
    """The file for Spark, which would take ``[``, ``{`` or ``*`` in a name for a pattern."""
    return "file://" + re.sub(r"([\\*?\[\]{}])", r"\\\1", str(file.absolute()))


def _kind(start: bytes) -> str:
    if start.startswith(_ZIP):
        return "a zip archive or spreadsheet"
    if start.startswith(_PARQUET):
        return "a Parquet file"
    return "plain text" if start.isascii() and b"\0" not in start else "binary data"


def _reason(error: OSError, file: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no such file in {file.parent}"
    return (error.strerror or first_line(error)).lower()
