"""Rows of the tables without Spark: for commands that answer at once, and for lists.

delta-rs says which files a table has, Arrow opens them where they are (a folder or an object
store) and DuckDB asks them: filters and columns are pushed down to the files, rows come in batches.
DuckDB itself opens nothing but the files of large tables (`LARGE_BYTES`), so that no condition a
user writes can reach another file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customer360.contracts.sql import sql_name, sql_text
from customer360.errors import TableNotFoundError
from customer360.lakehouse.delta_log import MONTH, TableLogs, bytes_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.compute import Expression
    from pyarrow.dataset import Dataset

BATCH_ROWS = 50_000

MEMORY = "1GB"
"""What DuckDB may hold of a query; beyond it sorts and joins go to files."""

MOST_THREADS = 8
"""Threads of DuckDB at most, which share `MEMORY`: each wants 125 MB, by
https://duckdb.org/docs/stable/guides/performance/environment."""

LARGE_BYTES = 100_000_000
"""Tables of so many bytes are read by DuckDB alone. Arrow unpacks whole row groups of four files at
a time beside what DuckDB may hold: 3.7 GB in all for a table of 17 million rows, 1.2 GB without."""


class Tables(TableLogs):
    """The Delta tables under one root, to be read and not written.

    Args:
        root: Folder or object-store URI; a table lives at ``<root>/<layer>/<table>``.
    """

    def dataset(self, table: str, *, version: int | None = None) -> Dataset:
        """``table`` as Arrow knows it, now or as it was at ``version``; nothing is read yet.

        Raises:
            TableNotFoundError: There is no such table yet.
        """
        return self.open(table, version=version).to_pyarrow_dataset()

    def keeps(self, table: str, version: int) -> bool:
        """Whether ``table`` can still be read as it was at ``version``: vacuum deletes files."""
        from pyarrow import fs

        try:
            dataset: Any = self.dataset(table, version=version)
        except TableNotFoundError:
            return False
        files = dataset.filesystem.get_file_info(dataset.files)
        return all(file.type != fs.FileType.NotFound for file in files)

    def select(self, table: str, where: str | None, limit: int) -> pa.Table:
        """Some rows of ``table``.

        Args:
            table: ``layer/table``.
            where: SQL condition as DuckDB reads it; None: any row.
            limit: Rows at most.

        Raises:
            TableNotFoundError: There is no such table yet.
            duckdb.Error: The condition cannot be understood, or fails on a row.
        """
        dataset = self.dataset(table)
        with engine() as connection:
            connection.register("rows", dataset)
            rows = connection.table("rows")
            some = (rows.filter(where) if where else rows).limit(limit).to_arrow_table()
            return some.select(_shown(some.schema.names))

    def ask(
        self, query: str, versions: Mapping[str, int] | None = None, /, **tables: str
    ) -> list[tuple[Any, ...]]:
        """The few rows that ``query`` comes down to, however many it reads.

        What does not fit into memory goes to a temporary folder.

        Args:
            query: SQL as DuckDB reads it. By conditions on columns, files are left out by their
                folders and statistics.
            versions: For names that stand for a table as it was: the version.
            tables: ``layer/table`` by the name that the query knows it by.

        Raises:
            TableNotFoundError: There is no such table yet, or no such version of it any more.
        """
        opened = {
            name: self.open(table, version=(versions or {}).get(name))
            for name, table in tables.items()
        }
        large = {
            name: files
            for name, each in opened.items()
            if (files := self._if_large(tables[name], each))
        }
        with (
            tempfile.TemporaryDirectory(prefix="customer360-") as scratch,
            engine(
                Path(scratch), files=[file for files in large.values() for file in files]
            ) as connection,
        ):
            for name, table in opened.items():
                files = large.get(name, [])
                if not (files and _is_view(connection, name, table, files)):
                    connection.register(name, table.to_pyarrow_dataset())
            return connection.execute(query).fetchall()

    def _if_large(self, table: str, opened: DeltaTable) -> list[str]:
        """The files of a table of `LARGE_BYTES` in a folder; none of another."""
        if not self.is_local or bytes_of(opened) < LARGE_BYTES:
            return []
        # DuckDB would take a folder above the table's for one of its own.
        if "=" in self.path(table):
            return []
        # delta-rs writes signs of the root as a URL does (%20), and those of the table's own
        # folders as they are.
        root = opened.table_uri.removeprefix("file://").rstrip("/")
        return [self.path(table) + uri.removeprefix(root) for uri in opened.file_uris()]

    def find(self, table: str, equal: Mapping[str, object]) -> pa.Table:
        """The rows of ``table`` whose columns have these values; for a few rows.

        Raises:
            TableNotFoundError: There is no such table yet.
        """
        dataset = self.dataset(table)
        return dataset.to_table(_shown(dataset.schema.names), filter=_all_equal(equal))

    def values(
        self, table: str, column: str, equal: Mapping[str, object] | None = None
    ) -> set[Any]:
        """The values there are in ``column``, batch by batch, of all rows or those of `find`.

        Raises:
            TableNotFoundError: There is no such table yet.
        """
        condition = _all_equal(equal) if equal else None
        batches = self.dataset(table).scanner(columns=[column], filter=condition).to_batches()
        return {value for batch in batches for value in batch.column(0).unique().to_pylist()}

    def newest(self, table: str, column: str) -> Any:
        """The greatest value of ``column``; None where the table has no rows.

        Raises:
            TableNotFoundError: There is no such table yet.
        """
        return max(self.values(table, column), default=None)


def _is_view(
    connection: duckdb.DuckDBPyConnection, name: str, table: DeltaTable, files: Sequence[str]
) -> bool:
    """Make ``name`` a view of a table's files, with the columns and types that Arrow would give.

    Returns:
        Whether there is one: not where no file has a column yet, which Arrow shows as empty.
    """
    connection.register("_as_arrow", table.to_pyarrow_dataset())
    wanted = dict(
        connection.sql("SELECT column_name, column_type FROM (DESCRIBE _as_arrow)").fetchall()
    )
    folders = table.metadata().partition_columns
    types = ", ".join(f"{sql_text(column)}: {wanted[column]}" for column in folders)
    read = f"read_parquet([{', '.join(map(sql_text, files))}], union_by_name = true, " + (
        f"hive_partitioning = true, hive_types = {{{types}}})"
        if folders
        else "hive_partitioning = false)"
    )
    there = {
        column
        for (column,) in connection.sql(
            f"SELECT column_name FROM (DESCRIBE FROM {read})"
        ).fetchall()
    }
    if not there >= set(wanted):
        return False
    columns = ", ".join(
        f"{sql_name(column)}::{kind} AS {sql_name(column)}" for column, kind in wanted.items()
    )
    connection.execute(f"CREATE VIEW {sql_name(name)} AS SELECT {columns} FROM {read}")
    return True


def _shown(names: Sequence[str]) -> list[str]:
    """The columns that are of the rows, and not of the folders they lie in."""
    return [name for name in names if name != MONTH]


def _all_equal(equal: Mapping[str, object]) -> Expression:
    from pyarrow import compute

    return reduce(and_, (compute.field(name) == value for name, value in equal.items()))


def engine(
    scratch: Path | None = None, *, memory: str = MEMORY, files: Sequence[str] = ()
) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory that opens no files but its own and knows only what is registered.

    Args:
        scratch: Folder for what does not fit into memory; None: it must fit.
        memory: What DuckDB may hold, as ``500MB``.
        files: Paths that it may open all the same.
    """
    import duckdb

    connection = duckdb.connect()
    # As many as there are cores, of which a control group may leave it fewer.
    ((threads,),) = connection.execute("SELECT current_setting('threads')").fetchall()
    # Unset, it would be a folder .tmp wherever the command was started.
    connection.execute("SET temp_directory = $folder", {"folder": str(scratch or "")})
    connection.execute("SET allowed_paths = $files", {"files": list(files)})
    for setting in (
        f"memory_limit = '{memory}'",
        f"threads = {min(threads, MOST_THREADS)}",
        "TimeZone = 'UTC'",
        "python_enable_replacements = false",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def ordered_batches(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.RecordBatch]:
    """Rows of a query that ends in ORDER BY, in its order, one batch at a time."""
    yield from connection.sql(query).to_arrow_reader(BATCH_ROWS)


def schema_of(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Schema:
    """Names and types of a query's rows; none is computed."""
    return connection.sql(query).limit(0).to_arrow_table().schema


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as plain values; instants are UTC without saying so, as everywhere in the tables."""
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value
