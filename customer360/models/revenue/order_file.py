"""A user's file of orders: which columns it may have, and which of its rows can be used.

One row an order, CSV (comma-separated, UTF-8) or Parquet. The file is read piece by piece, so its
size does not matter. A row with a bad value is listed with each thing that is wrong with it.

Text is kept as it came, also in the list of bad rows: a value that begins with ``=``, ``+``, ``-``
or ``@`` is a formula to a spreadsheet, so open the list there as text.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from customer360.errors import Customer360Error, listed
from customer360.limits import LONGEST_LINE

csv.field_size_limit(LONGEST_LINE)

REQUIRED = ("customer_id", "ordered_at", "amount")

MONEY = pa.decimal128(18, 2)

ORDER_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("customer_id", pa.string()),
        ("ordered_at", pa.timestamp("us")),
        ("amount", MONEY),
        ("kind", pa.string()),
        ("items", pa.int32()),
        ("category", pa.string()),
        ("channel", pa.string()),
        ("payment_type", pa.string()),
        ("installments", pa.int32()),
        ("freight", MONEY),
        ("delivered_on", pa.date32()),
        ("review_score", pa.int32()),
        ("reviewed_on", pa.date32()),
        ("state", pa.string()),
        ("country", pa.string()),
    ]
)
"""A good row: its number (1 is the first after the header) and all columns that a file may have.

``ordered_at`` is the local date or time of the order. A Parquet column with a time zone counts as
the clocks of that zone showed it: UTC in what Spark writes. ``amount`` is what was paid,
``freight`` included; ``kind`` is "sale", the default, or "refund". ``review_score`` counts from
``reviewed_on`` on; without it nobody knows whether the review was there on the day predicted from,
so the score is not used and the row is good all the same.
"""

ACCEPTED = tuple(name for name in ORDER_SCHEMA.names if name != "row")

PROBLEMS = ("row", "customer_id", "column", "value", "reason")
"""Columns of the list of bad rows: one line for each thing that is wrong with a row."""

PIECE_ROWS = 100_000

_SHOWN = 200
"""Characters that are listed of a line that could not be taken apart."""

_DAY = r"\d{4}-\d{2}-\d{2}"
_DAY_OR_MIDNIGHT = rf"{_DAY}(?:[ T]00:00(?::00(?:\.0{{1,9}})?)?)?"
_TIME = rf"{_DAY}(?:[ T]\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d{{1,9}})?)?)?"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_LARGEST = 1e15
"""Beyond it, doubles do not tell cents apart."""


class OrderFileError(Customer360Error):
    """A file of orders cannot be used as a whole."""


@dataclass(frozen=True)
class Piece:
    """Some rows of a file, as text.

    Attributes:
        rows: The file's columns as text, "" where there is nothing; index: the row's number.
        broken: Problems of rows that could not be taken apart: the columns of `PROBLEMS`.
    """

    rows: pd.DataFrame
    broken: pd.DataFrame


def read_pieces(file: Path, piece_rows: int = PIECE_ROWS) -> Iterator[Piece]:
    """The rows of a CSV or Parquet file as text, so many at a time.

    Args:
        file: Ends in ``.csv`` or ``.parquet``.
        piece_rows: Rows of a piece.

    Raises:
        OrderFileError: The file cannot be read, or its columns are not those of orders.
    """
    kind = file.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise OrderFileError(f"{file.name}: expected a .csv or .parquet file of orders")
    if not file.is_file():
        raise OrderFileError(f"{file}: there is no such file; name a CSV or Parquet of orders")
    try:
        yield from (_csv_pieces if kind == ".csv" else _parquet_pieces)(file, piece_rows)
    except UnicodeDecodeError as error:
        raise OrderFileError(
            f"{file.name}: is not UTF-8 text (byte {error.start} of a line); save it as UTF-8"
        ) from None
    except (csv.Error, pa.ArrowException, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OrderFileError(f"{file.name}: cannot be read: {reason}") from None


def check_columns(file: str, columns: Sequence[str]) -> None:
    """See that a file has the columns of orders and no others.

    Raises:
        OrderFileError: One is missing, unknown or there twice; the message names all of them.
    """
    header = list(columns)
    problems = [
        f"{what} {listed(names)}"
        for what, names in (
            ("no column", [name for name in REQUIRED if name not in header]),
            ("unknown column", [repr(name) for name in header if name not in ACCEPTED]),
            ("twice the column", sorted({name for name in header if header.count(name) > 1})),
        )
        if names
    ]
    if problems:
        optional = [name for name in ACCEPTED if name not in REQUIRED]
        raise OrderFileError(
            f"{file}: {'; '.join(problems)}; needed are {', '.join(REQUIRED)}, known besides "
            f"{', '.join(optional)}"
        )


def _csv_pieces(file: Path, piece_rows: int) -> Iterator[Piece]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        records = _records(stream)
        first, wrong = next(records, ([], ""))
        if wrong:
            raise OrderFileError(f"{file.name}: cannot be read: {wrong}")
        header = [name.strip() for name in first]
        check_columns(file.name, header)
        rows: list[list[str]] = []
        numbers: list[int] = []
        broken: list[tuple[Any, ...]] = []
        number = 0
        for fields, wrong in records:
            if not fields:  # an empty line is none
                continue
            number += 1
            if not wrong and len(fields) == len(header):
                rows.append(fields)
                numbers.append(number)
            else:
                reason = wrong or f"{len(fields)} fields where the header has {len(header)}"
                broken.append((number, None, None, ",".join(fields), reason))
            if len(rows) + len(broken) >= piece_rows:
                yield _piece(rows, numbers, header, broken)
                rows, numbers, broken = [], [], []
        yield _piece(rows, numbers, header, broken)


class _Lines:
    """Lines of a file, which can be given back as far as the record that they belong to."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._given_back: deque[str] = deque()
        self._record: list[str] = []
        self._before = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._given_back.popleft() if self._given_back else next(self._lines)
        self._record.append(line)
        return line

    def begin_record(self) -> None:
        """The next line is the first of another record."""
        self._before += len(self._record)
        self._record = []

    def give_up_first(self) -> tuple[int, str]:
        """Number and text of the record's first line; its others will be read again."""
        self._given_back.extendleft(reversed(self._record[1:]))
        self._record = self._record[:1]
        return self._before + 1, self._record[0]


def _records(stream: Iterable[str]) -> Iterator[tuple[list[str], str]]:
    """Each record's fields and ""; or, where they cannot be told apart, its line and the reason.

    A quote that was opened by mistake swallows the lines after it, so of a record that is wrong
    only the first line is given up.
    """
    lines = _Lines(stream)
    reader = csv.reader(lines, strict=True)
    while True:
        lines.begin_record()
        try:
            yield next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            number, line = lines.give_up_first()
            yield [line.rstrip("\r\n")[:_SHOWN]], f"line {number}: {error}"


def _piece(
    rows: list[list[str]], numbers: list[int], header: list[str], broken: list[tuple[Any, ...]]
) -> Piece:
    return Piece(
        pd.DataFrame(rows, index=pd.Index(numbers, dtype="int64"), columns=header, dtype=object),
        pd.DataFrame(broken, columns=list(PROBLEMS), dtype=object),
    )


def _parquet_pieces(file: Path, piece_rows: int) -> Iterator[Piece]:
    with pq.ParquetFile(file) as opened:
        check_columns(file.name, opened.schema_arrow.names)
        number = 0
        for batch in opened.iter_batches(piece_rows):
            texts = {name: _text(batch.column(name)) for name in batch.schema.names}
            index = pd.RangeIndex(number + 1, number + 1 + batch.num_rows)
            number += batch.num_rows
            yield Piece(
                pd.DataFrame(texts, index=index, dtype=object), pd.DataFrame(columns=list(PROBLEMS))
            )


def _text(values: pa.Array) -> list[str]:
    if pa.types.is_timestamp(values.type) and values.type.tz:
        values = pa.compute.local_timestamp(values)
    return ["" if value is None else str(value) for value in values.to_pylist()]


def checked(
    rows: pd.DataFrame, as_of: date | None = None, *, today: date
) -> tuple[pa.Table, pd.DataFrame]:
    """The good rows, typed, and what is wrong with the others.

    Args:
        rows: From `read_pieces`.
        as_of: Last day that may be looked at; a later order cannot be used.
        today: An order after the day after it is mistyped. That day may be elsewhere already.

    Returns:
        A table of `ORDER_SCHEMA` and a frame of `PROBLEMS`.
    """
    texts = {
        name: rows[name].str.strip() if name in rows else pd.Series("", rows.index, dtype=object)
        for name in ACCEPTED
    }
    typed: dict[str, pd.Series] = {}
    refused: list[pd.DataFrame] = []

    def refuse(column: str, bad: pd.Series, reason: str) -> None:
        if bad.any():
            refused.append(
                pd.DataFrame(
                    {
                        "row": rows.index[bad],
                        "customer_id": texts["customer_id"][bad],
                        "column": column,
                        "value": texts[column][bad],
                        "reason": reason,
                    }
                )
            )

    for name in ACCEPTED:
        text = texts[name]
        blank = text == ""
        if name in REQUIRED:
            refuse(name, blank, "is missing")
        typed[name], good, reason = _READERS[str(ORDER_SCHEMA.field(name).type)](name, text)
        refuse(name, ~good & ~blank, reason)
    ordered_on = typed["ordered_at"].dt.floor("D")
    for name in ("delivered_on", "reviewed_on"):
        refuse(name, typed[name] < ordered_on, "is before ordered_at")
    tomorrow = today + timedelta(days=1)
    refuse("ordered_at", ordered_on > pd.Timestamp(tomorrow), f"is in the future: after {tomorrow}")
    if as_of is not None:
        late = ordered_on > pd.Timestamp(as_of)
        refuse("ordered_at", late, f"is after the as-of date {as_of}")
    typed["kind"] = typed["kind"].where(texts["kind"] != "", "sale")
    problems = (
        pd.concat(refused).sort_values("row", kind="stable", ignore_index=True)
        if refused
        else pd.DataFrame(columns=list(PROBLEMS))
    )
    usable = ~rows.index.isin(problems["row"])
    good_rows = pd.DataFrame(typed)[usable]
    arrays = [
        pa.array(good_rows.index, pa.int64()),
        *(_array(good_rows[name], ORDER_SCHEMA.field(name).type) for name in ACCEPTED),
    ]
    return pa.Table.from_arrays(arrays, schema=ORDER_SCHEMA), problems


def _array(values: pd.Series, kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind):
        # By cents: a double is not cut to two digits but rounded.
        cents = pa.array(np.round(values * 100), pa.float64(), from_pandas=True)
        return pa.compute.divide(
            cents.cast(pa.int64()).cast(pa.decimal128(19, 0)), pa.scalar(100, pa.decimal128(3, 0))
        ).cast(kind)
    if pa.types.is_integer(kind):
        return pa.array(values, pa.float64(), from_pandas=True).cast(kind)
    if pa.types.is_date(kind):
        return pa.array(values, pa.timestamp("us"), from_pandas=True).cast(kind)
    return pa.array(values, kind, from_pandas=True)


Read = tuple[pd.Series, pd.Series, str]
"""Values, NaN or null where there is none; which texts are good; what is wrong with the others."""


def _numbers(text: pd.Series) -> pd.Series:
    return pd.to_numeric(text.where(text.str.fullmatch(_NUMBER)), errors="coerce").astype(float)


def _money(_: str, text: pd.Series) -> Read:
    values = _numbers(text)
    good = (values >= 0) & (values < _LARGEST)
    return values.where(good), good, "is no amount: a number from 0 on, a refund by its kind"


def _whole(name: str, text: pd.Series) -> Read:
    low, high = {"review_score": (1, 5)}.get(name, (0, 1_000_000))
    values = _numbers(text)
    good = (values >= low) & (values <= high) & (values == values.round())
    return values.where(good), good, f"is no whole number from {low} to {high:,}"


def _moments(_: str, text: pd.Series) -> Read:
    values = pd.to_datetime(
        text.where(text.str.fullmatch(_TIME)), format="ISO8601", errors="coerce"
    ).astype("datetime64[ns]")
    good = values.notna() & (values >= pd.Timestamp(1970, 1, 1))
    reason = "is no local date or time like 2024-03-31 or 2024-03-31 17:05:00, from 1970 on"
    return values.where(good), good, reason


def _days(_: str, text: pd.Series) -> Read:
    values = pd.to_datetime(
        text.where(text.str.fullmatch(_DAY_OR_MIDNIGHT)).str[:10],
        format="%Y-%m-%d",
        errors="coerce",
    ).astype("datetime64[ns]")
    return values, values.notna(), "is no date like 2024-03-31"


def _texts(name: str, text: pd.Series) -> Read:
    values = text.where(text != "", np.nan)
    if name == "kind":
        values = values.str.lower()
        return values, values.isin(["sale", "refund"]), "is neither sale nor refund"
    return values, pd.Series(True, text.index), ""


_READERS: dict[str, Callable[[str, pd.Series], Read]] = {
    str(MONEY): _money,
    "int32": _whole,
    "timestamp[us]": _moments,
    "date32[day]": _days,
    "string": _texts,
}
