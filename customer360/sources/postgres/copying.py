"""Rows from the server to an executor: COPY as CSV, parsed by Arrow, a batch at a time.

Runs in Spark's Python workers. CSV rather than PostgreSQL's text format because Arrow reads it
natively, and because it tells NULL (nothing between two commas) from an empty text (``""``).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
from psycopg.conninfo import make_conninfo
from pyarrow import csv

from customer360.errors import Customer360Error, first_line

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SESSION = (
    # Texts of values must not depend on how the server or the role is set up.
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'iso_8601'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
)
"""What every transaction begins with."""

_BLOCK = 16 << 20
"""Arrow wants the longest row to fit."""


class DatabaseSourceError(Customer360Error):
    """The database cannot be read as the mapping says; the message says what to do."""


@dataclass(frozen=True)
class Copy:
    """What an executor needs to read its slices; the login is never shown.

    Attributes:
        login: libpq's parameters, the password included.
        shown: The database as messages name it.
        snapshot: The exported snapshot all slices read; None when there is one slice.
        slices: One SELECT a slice; their results together are the rows, each once.
        names: Names of the columns, all text.
    """

    login: Mapping[str, str] = field(repr=False)
    shown: str
    snapshot: str | None
    slices: Sequence[str]
    names: Sequence[str]

    def reader(self) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
        """For ``mapInArrow`` over the slices' numbers."""

        def read(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in numbers:
                for number in batch.column(0).to_pylist():
                    yield from self.rows(self.slices[number])

        return read

    def rows(self, select: str) -> Iterator[pa.RecordBatch]:
        """The rows of one SELECT.

        Raises:
            DatabaseSourceError: The server is gone, full or refuses.
        """
        try:
            with connect(self.login) as connection, connection.cursor() as cursor:
                begin(cursor, self.snapshot)
                statement = f"COPY ({select}) TO STDOUT (FORMAT csv, HEADER false)"
                with cursor.copy(statement.encode()) as copy:
                    stream = io.BufferedReader(_CopyStream(iter(copy)), _BLOCK)
                    yield from _batches(stream, self.names)
        except pa.ArrowInvalid as error:
            raise DatabaseSourceError(
                f"{self.shown}: a row cannot be taken over: {first_line(error)}; leave its long "
                "texts out by a `query`"
            ) from None
        except psycopg.Error as error:
            raise DatabaseSourceError(
                f"{self.shown} while rows were read: {first_line(error)}; run it again, with fewer "
                "`partitions` in the mapping if it has too few connections"
            ) from None


def connect(login: Mapping[str, str]) -> psycopg.Connection[Any]:
    """A connection for one transaction; what it is for shows in ``pg_stat_activity``."""
    given = {"connect_timeout": "10", "application_name": "customer360"} | dict(login)
    return psycopg.connect(make_conninfo("", **given), autocommit=True)


def begin(cursor: psycopg.Cursor[Any], snapshot: str | None = None) -> None:
    """Begin a transaction that sees one state of the database and can write nothing."""
    cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if snapshot is not None:
        cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'".encode())
    for setting in SESSION:
        cursor.execute(setting.encode())


class _CopyStream(io.RawIOBase):
    """The blocks of a COPY as a file."""

    def __init__(self, blocks: Iterator[Any]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _batches(stream: io.BufferedReader[Any], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    if not stream.peek(1):  # Arrow calls a CSV without any line an error
        return
    yield from csv.open_csv(
        pa.PythonFile(stream, mode="r"),
        read_options=csv.ReadOptions(column_names=list(names), block_size=_BLOCK),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
