"""Raw files as text: CSV, spreadsheets and Parquet, gzipped or in a zip, with precise errors.

A text file is looked at whole before Spark reads it (`customer360.sources.csv_files`): a table
whose file is broken must not be written at all, and the error of a Spark task that met half a gzip
stream helps nobody. What is wrong with single *rows* is not this module's business: a row that has
too few or too many fields keeps its text in ``_corrupt_record``, and contracts send it to
quarantine. A row of which every field is blank is none.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import itertools
import os
import re
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from customer360.contracts import Contract
from customer360.contracts.times import YEARS_FROM, guesses, read_times, swapped
from customer360.days import DayRange
from customer360.errors import BrokenFileError, first_line, listed
from customer360.sources.archives import ZIP_ERRORS, check_zip
from customer360.sources.copies import CORRUPT, Readable, is_spreadsheet, readable
from customer360.sources.csv_files import (
    CONTROL_CHARACTERS,
    CONTROL_CHARACTERS_OF_PYTHON,
    CsvShape,
    dialect,
    lines_of,
    raise_missing,
    reading,
    reason,
    refuse_repeated,
)
from customer360.sources.csv_files import check_csv as check_csv
from customer360.sources.csv_files import shown_name as shown_name
from customer360.sources.text_form import EXPANDS, TextForm

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession

BOOKKEEPING = {
    "_rescued": "string",
    "_source_file": "string",
    "_delivered_on": "date",
    "_corrupt_record": "string",
}
"""Columns that every raw frame has beside its contract's, and their Spark types."""

_SPARK_NAMES = {"utf-8": "UTF-8", "latin-1": "ISO-8859-1", "utf-16": "UTF-16"}
_CHUNK = 1 << 20
_PLAIN = TextForm()
_BEYOND = "_beyond"
_CONTROLS = re.compile(CONTROL_CHARACTERS_OF_PYTHON)
_LONE_GAP = timedelta(days=366)
_LONE_SHARE = 0.01


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


def readable_with(
    file: Path, wanted: Sequence[str], form: TextForm, cache: Path | None, decimal: str = "."
) -> Readable:
    """The file or a copy that Spark can read, which has the columns ``wanted``.

    Raises:
        BrokenFileError: See `read_csv`.
    """
    if not is_spreadsheet(file):
        check_csv(file, wanted, form)
    source = readable(file, form, cache or Path(_scratch().name), decimal)
    missing = [name for name in wanted if name not in source.shape.header]
    if missing:
        raise_missing(file, source.shape.header, missing, wanted, None)
    refuse_repeated(file, source.shape.repeated, wanted)
    return source


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
            encoding=_SPARK_NAMES[form.encoding],
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


@contextmanager
def reading_parquet(file: Path) -> Iterator[None]:
    """Turn what goes wrong while a Parquet file is read into one line.

    Raises:
        BrokenFileError: The file is missing, unreadable, not Parquet, or damaged.
    """
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        problem = "an empty file" if file.stat().st_size == 0 else first_line(error).rstrip(".")
        raise BrokenFileError(
            shown_name(file),
            "a Parquet file",
            problem,
            "deliver it again; of text files, write `format: csv` in the mapping",
        ) from None
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


@dataclass
class TimeProfile:
    """What a column of times holds.

    Attributes:
        first: Earliest day; None where no value reads.
        last: Latest day.
        bounds: First and last day that can be meant: what lies outside of them is passed over, as
            bronze refuses it; None: any day.
        read: Different values that read, and can be meant.
        today: Days after it are still to come; None: there are none.
        later: Such days.
        implausible: Different values that read as days outside of the bounds.
        implausible_examples: Some of them.
        unread: Different values that do not.
        examples: Some of those that do not.
        swapped: Values that read, or would, with day and month in each other's place.
        swapped_unread: Of them, those that do not read as they are.
        late_days: Whether a day of the month after the twelfth was read.
        days: Different days that were read, up to some hundreds.
        months: Different values that were read, by the first of their month.
    """

    first: date | None = None
    last: date | None = None
    bounds: tuple[date, date] | None = None
    today: date | None = None
    later: set[date] = field(default_factory=set)
    read: int = 0
    implausible: int = 0
    implausible_examples: list[str] = field(default_factory=list)
    unread: int = 0
    examples: list[str] = field(default_factory=list)
    swapped: int = 0
    swapped_unread: int = 0
    late_days: bool = False
    days: set[date] = field(default_factory=set)
    months: Counter[date] = field(default_factory=Counter)

    def take(self, texts: pd.Series[str], formats: str, years_from: int, zone: str | None) -> None:
        """Look at different values of the column, trimmed and not blank."""
        times = read_times(texts, formats, years_from, zone)
        known = self._plausible(times.dropna(), texts)
        unread = texts[times.isna()]
        self.read += len(known)
        self.unread += len(unread)
        self.examples += unread.head(max(0, 200 - len(self.examples))).tolist()
        self._note(known)
        other = swapped(formats)
        if other is None or (self.late_days and not len(unread)):
            return
        self.swapped += int(read_times(texts, other, years_from, zone).notna().sum())
        self.swapped_unread += int(read_times(unread, other, years_from, zone).notna().sum())

    @property
    def doubt(self) -> bool:
        """All values read, but no day of the month is after the twelfth, which is hardly chance."""
        return not self.late_days and len(self.days) >= 12 and self.swapped >= self.read > 0

    def take_typed(self, times: pd.Series[pd.Timestamp]) -> None:
        """Look at values that are times already."""
        if times.dt.tz is not None:
            times = times.dt.tz_localize(None)
        known = self._plausible(times, times.astype("str"))
        self.read += len(known)
        self._note(known)

    def lone(self, *, at_end: bool) -> date | None:
        """The month next to few values that lie long before all others, or long after.

        Such a date can be right, but every day between them is made.
        """
        months, every = sorted(self.months, reverse=at_end), self.months.total()
        few = 0
        for month, following in itertools.pairwise(months):
            few += self.months[month]
            if few > max(1, _LONE_SHARE * every) or few * 2 >= every:
                return None
            if abs(following - month) > _LONE_GAP:
                return following
        return None

    def _plausible(
        self, times: pd.Series[pd.Timestamp], texts: pd.Series[str]
    ) -> pd.Series[pd.Timestamp]:
        import pandas as pd

        if self.bounds is None:
            return times
        first, last = (pd.Timestamp(day) for day in self.bounds)
        inside = (times >= first) & (times < last + pd.Timedelta(days=1))
        outside = times.index[~inside]
        self.implausible += len(outside)
        wanted = max(0, 3 - len(self.implausible_examples))
        self.implausible_examples += texts[outside].head(wanted).tolist()
        return times[inside]

    def _note(self, times: pd.Series[pd.Timestamp]) -> None:
        import pandas as pd

        if self.today is not None:
            past = times < pd.Timestamp(self.today) + pd.Timedelta(days=1)
            self.later.update(times[~past].dt.date)
            times = times[past]
        if not len(times):
            return
        first, last = times.min().date(), times.max().date()
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)
        self.late_days = self.late_days or bool((times.dt.day > 12).any())
        by_month = (times.dt.year * 12 + times.dt.month - 1).value_counts()
        for month, values in zip(by_month.index.tolist(), by_month.tolist(), strict=True):
            self.months[date(month // 12, month % 12 + 1, 1)] += values
        if len(self.days) < 400:
            self.days.update(times.dt.date.unique()[:400].tolist())


def times_in(
    files: Sequence[Path],
    column: str,
    formats: str,
    *,
    years_from: int,
    form: TextForm = _PLAIN,
    cache: Path | None = None,
    time_zone: str | None = None,
    bounds: tuple[date, date] | None = None,
    today: date | None = None,
) -> TimeProfile:
    """What ``column`` of the files holds, without Spark, read as bronze's check reads it.

    Args:
        files: Files that `read_csv` or `read_parquet` accepts.
        column: The files' name of the column.
        formats: As a contract states them.
        years_from: First year of two-digit years.
        form: Of text files.
        cache: As for `read_csv`.
        time_zone: Zone of the days, for values that carry an offset of their own.
        bounds: First and last day that can be meant; None: any.
        today: Later days are counted apart; None: there are none.

    Raises:
        BrokenFileError: A file is broken.
    """
    import pandas as pd

    profile = TimeProfile(bounds=bounds, today=today)
    for file in files:
        for values in _column(file, column, form, cache):
            times: Any = values.drop_duplicates().dropna()
            if pd.api.types.is_datetime64_any_dtype(times):
                if times.dt.tz is not None and time_zone:
                    times = times.dt.tz_convert(time_zone)
                profile.take_typed(times)
                continue
            texts = times.astype("str").str.strip()
            profile.take(texts[texts != ""], formats, years_from, time_zone)
    return profile


def day_range(
    files: Sequence[Path],
    column: str,
    formats: str,
    *,
    years_from: int = YEARS_FROM,
    form: TextForm = _PLAIN,
    cache: Path | None = None,
    time_zone: str | None = None,
) -> DayRange:
    """First and last day that ``column`` of the files holds; arguments as of `times_in`.

    Values that do not read are passed over: the contract's check is what reports them.

    Raises:
        BrokenFileError: A file is broken, or no value of the column is a date.
    """
    profile = times_in(
        files,
        column,
        formats,
        years_from=years_from,
        form=form,
        cache=cache,
        time_zone=time_zone,
    )
    return days_of(profile, files, column, formats)


def days_of(
    profile: TimeProfile,
    files: Sequence[Path],
    column: str,
    formats: str,
    *,
    place: Callable[[str], str] = lambda _: "",
    too_long: Callable[[], BrokenFileError | None] = lambda: None,
) -> DayRange:
    """The days of a column of times.

    Args:
        profile: What the column holds.
        files: Where they stand.
        column: Whose they are.
        formats: As they should be written.
        place: Tells where a value stands, for what is raised.
        too_long: Tells of a row with more values than there are columns, where no time was found.

    Raises:
        BrokenFileError: No value is a date, or those that are none show that day and month were
            taken for each other.
    """
    names = listed([file.name for file in files]) or "no file"
    if profile.first is None and profile.later:
        return DayRange(min(profile.later), min(profile.later))
    if profile.first is None or profile.last is None:
        if not profile.examples and (ragged := too_long()) is not None:
            raise ragged
        example = "no value there"
        remedy = "name the column of the times under columns as occurred_at in the mapping"
        if profile.bounds is not None and profile.implausible and not profile.unread:
            first, last = profile.bounds
            raise BrokenFileError(
                names,
                f"dates from {first} to {last} in column {column}",
                listed(profile.implausible_examples),
                "check the date format; if they are meant, write dates_from and dates_to in the "
                "mapping",
            )
        if profile.examples:
            example = f"{profile.examples[0]}{place(profile.examples[0])}"
            remedy = (
                "write date_format in the mapping as the dates are written, such as "
                '"dd/MM/yyyy HH:mm" (d day, M month, y year, H hour, m minute), or name another '
                "column as occurred_at"
            )
            likely = guesses(profile.examples)
            if likely:
                written = " or ".join(f'date_format: "{pattern}"' for pattern in likely[:2])
                remedy = f"write {written} in the mapping"
        raise BrokenFileError(names, f"dates like {formats} in column {column}", example, remedy)
    every = profile.read + profile.unread
    if profile.swapped_unread and profile.swapped == every > profile.read:
        other = swapped(formats)
        raise BrokenFileError(
            names,
            f"dates like {formats} in column {column}",
            f"{profile.examples[0]}{place(profile.examples[0])} and others, {profile.unread} of "
            f"{every} different values, that are dates only with day and month the other way "
            "round, as all values are",
            f'write date_format: "{other}" in the mapping',
        )
    return DayRange(profile.first, profile.last)


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
    return BrokenFileError(
        shown_name(Path(unquote(named[1]))) if named else otherwise,
        "a whole file",
        "one that breaks off or is damaged",
        "deliver it again; nothing was written",
    )


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
    if not folder.exists():
        remedy = "if it is meant, unpack it and give the folder"
        check_zip(archive, "a zip archive", EXPANDS, remedy)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = {Path(info.filename).name: info for info in opened.infolist()}
            chosen = {name: info for name, info in members.items() if name in names}
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
    except ZIP_ERRORS as error:
        raise BrokenFileError(archive.name, "a zip archive", first_line(error)) from None
    return [folder / name for name in chosen]


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """For copies of files that are in no deployment; it goes with the process."""
    return tempfile.TemporaryDirectory(prefix="customer360-")


def place_of(
    files: Sequence[Path], column: str, value: str, *, form: TextForm, cache: Path | None
) -> str:
    """Where a value of a column stands first, as `` at line 5 of a.csv``; "" where it is not found.

    Args:
        files: Text files and spreadsheets.
        column: Their name of the column.
        value: The value, trimmed.
        form: How the text is taken apart.
        cache: As for `read_csv`.
    """
    for file in files:
        source = readable_with(file, [column], form, cache)
        position = source.shape.header.index(column)
        if source.form is None:  # a sheet's rows, or those of a copy
            texts = (text for batch in _column(file, column, form, cache) for text in batch)
            for number, text in enumerate(texts, start=form.skip_lines + 2):
                if str(text).strip() == value:
                    return f" in row {number} of {file.name}"
            continue
        for line, row in _numbered_rows(file, form):
            if len(row) > position and row[position].strip() == value:
                return f" at line {line} of {file.name}"
    return ""


def too_long(files: Sequence[Path], form: TextForm, cache: Path | None) -> BrokenFileError | None:
    """What is wrong with the first row of text files that has more values than there are columns.

    Args:
        files: Text files; others are passed over.
        form: How the text is taken apart.
        cache: As for `read_csv`.
    """
    for file in files:
        source = readable_with(file, [], form, cache)
        if source.form is None:
            continue
        columns = len(source.shape.header)
        for line, row in itertools.islice(_numbered_rows(file, form), 1, 100):
            if len(row) > columns + source.shape.trailing:
                return BrokenFileError(
                    f"{file.name}, line {line}",
                    f"{columns} values, as the header has",
                    f"{len(row)}",
                    f"put values that hold a {form.delimiter!r} in quotation marks (a "
                    "decimal comma?), or write the right delimiter in the mapping",
                )
    return None


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


def columns_of(file: Path, form: TextForm, cache: Path | None) -> tuple[str, ...]:
    """The names of a text file's or spreadsheet's columns.

    Raises:
        BrokenFileError: See `read_csv`.
    """
    return readable_with(file, [], form, cache).shape.header


def different_values(file: Path, column: str, form: TextForm, cache: Path | None) -> set[str]:
    """The values of a column of few different ones, trimmed."""
    different: set[str] = set()
    for values in _column(file, column, form, cache):
        different |= set(values.dropna().astype("str").drop_duplicates().str.strip())
    return different - {""}


def _column(
    file: Path, column: str, form: TextForm, cache: Path | None
) -> Iterator[pd.Series[Any]]:
    """One column of a CSV or Parquet file, in batches."""
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
                column_names=names, encoding=_SPARK_NAMES[form.encoding], block_size=1 << 24
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
        raise BrokenFileError(source.file.name, "a CSV file", first_line(error)) from None
    if short:
        rows = csv.reader(short, **dialect(form))
        yield pd.Series([row[position] for row in rows if len(row) > position], dtype="str")


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
