"""Raw files as Spark frames of text: CSV, spreadsheets and Parquet.

A text file is looked at whole before Spark reads it (`customer360.sources.csv_files`): a table
whose file is broken must not be written at all, and the error of a Spark task that met half a gzip
stream helps nobody. What is wrong with single *rows* is not this module's business: a row that has
too few or too many fields keeps its text in ``_corrupt_record``, and contracts send it to
quarantine. A row of which every field is blank is none.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from customer360.contracts import Contract
from customer360.errors import BrokenFileError
from customer360.sources.columns import check_parquet
from customer360.sources.copies import CORRUPT, SPARK_NAMES, readable_with
from customer360.sources.csv_files import CONTROL_CHARACTERS, CsvShape, shown_name
from customer360.sources.text_form import TextForm

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession

BOOKKEEPING = {
    "_rescued": "string",
    "_source_file": "string",
    "_delivered_on": "date",
    "_corrupt_record": "string",
}
"""Columns that every raw frame has beside its contract's, and their Spark types."""

_PLAIN = TextForm()
_BEYOND = "_beyond"


def read_csv(
    spark: SparkSession,
    files: Sequence[Path],
    contract: Contract,
    *,
    headers: Mapping[str, str] | None = None,
    form: TextForm = _PLAIN,
    cache: Path | None = None,
    decimal: str = ".",
) -> DataFrame:
    """The files' rows as text: the contract's columns and `BOOKKEEPING`.

    Columns are found by name, so files may order them differently. What a file has beyond the
    contract goes into ``_rescued``; ``_source_file`` is the file's name without its folder;
    ``_delivered_on`` is null. Line breaks within quotes and doubled quotes are understood. A
    blank field is null; control characters are left out.

    Args:
        spark: The session.
        files: Files ending ``.gz`` are gzip, spreadsheets are known by their ending.
        contract: States the columns.
        headers: The files' names of contract columns, where they differ.
        form: How the text is taken apart; a byte-order mark is skipped.
        cache: Where copies are kept of files that Spark cannot read as they are; None is a
            temporary folder.
        decimal: Decimal mark that a spreadsheet's numbers are written with.

    Raises:
        BrokenFileError: See `customer360.sources.csv_files.check_csv`.
    """
    wanted = _wanted(contract, headers)
    alike: dict[tuple[CsvShape, TextForm | None], list[Path]] = {}
    for file in files:
        source = readable_with(file, list(wanted.values()), form, cache, decimal)
        alike.setdefault((source.shape, source.form), []).append(source.file)
    frames = [_frame(spark, group, shape, form, wanted) for (shape, form), group in alike.items()]
    return _union(frames) if frames else empty(spark, contract)


def _frame(
    spark: SparkSession,
    files: Sequence[Path],
    shape: CsvShape,
    form: TextForm | None,
    wanted: Mapping[str, str],
) -> DataFrame:
    """Rows of ``files`` that have one ``shape`` and ``form``, as `read_csv` gives them.

    ``form`` is None for copies in Parquet, ``wanted`` has the files' name of each column.
    """
    from pyspark.sql import functions as F

    fields = [f"_c{position}" for position in range(len(shape.header))]
    paths = [_spark_path(file) for file in files]
    corrupt = F.col(CORRUPT)
    beyond: dict[str, Column] = {}
    if form is None:
        schema = ", ".join(f"{name} string" for name in (*fields, CORRUPT))
        raw = spark.read.format("parquet").schema(schema).load(paths)
    else:
        raw = _raw_csv(spark, paths, fields, shape, form)
        if form.short_rows:  # such a row is read whole; one with more fields than names is broken
            line = F.concat_ws(
                form.delimiter, *(F.coalesce(c, F.lit("")) for c in (*fields, _BEYOND))
            )
            corrupt = F.when(F.col(_BEYOND).isNotNull(), line)
        elif shape.trailing:
            beyond = {_BEYOND: F.col(_BEYOND)}

    def text(field: str) -> Column:
        column = F.col(field)
        return F.regexp_replace(column, CONTROL_CHARACTERS, "") if shape.controls else column

    where = dict(zip(shape.header, fields, strict=True))
    extra = {name: text(at) for name, at in where.items() if name not in wanted.values()} | beyond
    # A row of nothing but white space is none, as spreadsheets leave them below the data.
    marks = "" if form is None else f"{form.delimiter}{form.quote or ''}"
    line = F.translate(corrupt, marks, "") if marks else corrupt
    content = F.concat_ws("", *(F.col(at) for at in fields), line)
    return raw.where(content.rlike(r"[^\s\p{Z}\p{Cc}]")).select(
        *(text(where[name]).alias(column) for column, name in wanted.items()),
        _rescued(extra).alias("_rescued"),
        _file_name().alias("_source_file"),
        F.lit(None).cast("date").alias("_delivered_on"),
        corrupt.alias(CORRUPT),
    )


def _raw_csv(
    spark: SparkSession,
    paths: Sequence[str],
    fields: Sequence[str],
    shape: CsvShape,
    form: TextForm,
) -> DataFrame:
    """Text columns ``fields``; `_BEYOND`, a field more, where rows may have one; `CORRUPT`."""
    # A field more than the header: what rows have that end with a delimiter too much.
    further = [_BEYOND] if shape.trailing or form.short_rows else []
    broken = [] if form.short_rows else [CORRUPT]
    return (
        spark.read.format("csv")
        .schema(", ".join(f"{name} string" for name in (*fields, *further, *broken)))
        .options(
            header=True,
            sep=form.delimiter,
            encoding=SPARK_NAMES[form.encoding],
            # Where no value goes over several lines, Spark can split the file.
            multiLine=shape.many_lines or form.encoding == "utf-16",
            quote=form.quote or "",
            escape=form.escape or form.quote or "\\",
            mode="PERMISSIVE",
            columnNameOfCorruptRecord=CORRUPT,
            # Pruned, a row with the wrong number of fields would look whole.
            columnPruning=False,
        )
        .load(list(paths))
    )


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
    dates by ``date_pattern``. Control characters of texts are left out, as of CSV. Whole
    floating-point numbers lose their ``.0``: pandas makes 17850.0 of an id as soon as another row
    has none.

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
        text = {
            name: _parquet_text(
                name, kind, schema.field(name).type, time_zone, timestamp_pattern, date_pattern
            )
            for name, kind in raw.dtypes
        }
        extra = {name: text[name] for name in raw.columns if name not in wanted.values()}
        frames.append(
            raw.select(
                *(text[name].alias(column) for column, name in wanted.items()),
                _rescued(extra).alias("_rescued"),
                _file_name().alias("_source_file"),
                F.lit(None).cast("date").alias("_delivered_on"),
                F.lit(None).cast("string").alias("_corrupt_record"),
            )
        )
    return _union(frames) if frames else empty(spark, contract)


def _parquet_text(
    name: str,
    kind: str,
    stored: pa.DataType,
    time_zone: str,
    timestamp_pattern: str,
    date_pattern: str,
) -> Column:
    """A Parquet column as `read_parquet` writes it.

    Args:
        name: Of the column.
        kind: Its type as Spark reads it.
        stored: Its type in the file.
        time_zone: Of instants.
        timestamp_pattern: Of times.
        date_pattern: Of days.
    """
    from pyspark.sql import functions as F

    column = F.col(f"`{name}`")
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
        return F.when(whole, column.cast("bigint").cast("string")).otherwise(column.cast("string"))
    if kind.startswith(("array", "map", "struct")):
        return F.to_json(column)
    plain = column.cast("string")
    return F.regexp_replace(plain, CONTROL_CHARACTERS, "") if kind == "string" else plain


def empty(spark: SparkSession, contract: Contract) -> DataFrame:
    """No rows, with the columns that `read_csv` and `read_parquet` give."""
    columns = dict.fromkeys(contract.column_names, "string") | BOOKKEEPING
    return spark.createDataFrame(
        [], ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    )


def broken_while_read(error: Exception, otherwise: str) -> BrokenFileError | None:
    """A file that turns out unreadable only while Spark reads it, named; None for other errors.

    Args:
        error: Spark's.
        otherwise: What to name where the error names no file.
    """
    read = re.search(r"(FAILED|CANNOT)_READ_FILE.*", str(error), re.DOTALL)
    if read is None:
        return None
    named = re.search(r"file:(/\S+?)[.,]?(\s|$)", read[0])  # not that of the table, further up
    file = Path(unquote(named[1])) if named else None
    is_gone = file is not None and not file.exists()
    return BrokenFileError(
        otherwise if file is None else shown_name(file),
        "a whole file",
        "that it has gone while it was read" if is_gone else "one that breaks off or is damaged",
        "deliver it again; nothing was written",
    )


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
