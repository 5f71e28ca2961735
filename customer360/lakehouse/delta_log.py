"""What the tables' own transaction logs say, read without an engine.

Existence, versions, commits and their notes, rows, files, bytes, partitions and columns are all in
``_delta_log``: delta-rs reads them in milliseconds, from a folder or an object store, where Spark
would start a JVM and run jobs. Rows themselves are read by ``lakehouse.tables`` (Spark) and
``lakehouse.reading`` (no engine).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from customer360.errors import TableNotFoundError
from customer360.lakehouse.object_store import (
    filesystem,
    is_object_store,
    reaching,
    require_bucket,
    storage_options,
)
from customer360.mistakes import meant

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

LOG_FOLDER = "_delta_log"

MONTH = "_month"
"""Partition column of a table with a folder a month; no reader sees it."""


@dataclass(frozen=True)
class Commit:
    """What one commit did, from Delta's own metrics.

    Attributes:
        table: ``layer/table``.
        version: Delta version that the commit made.
        rows: Rows written (for a merge: inserted, updated and deleted).
        files: Files written.
        bytes: Bytes written.
        note: The commit's user metadata.
        metrics: All of Delta's metrics of the commit, by their own names.
    """

    table: str
    version: int
    rows: int
    files: int
    bytes: int
    note: str | None
    metrics: Mapping[str, int]


@dataclass(frozen=True)
class TableDetails:
    """A table as ``customer360 tables`` lists it; ``partitions`` is 1 for an unpartitioned one."""

    table: str
    rows: int
    partitions: int
    bytes: int
    version: int


class TableLogs:
    """The logs of the Delta tables under one root.

    Args:
        root: Folder or object-store URI; a table lives at ``<root>/<layer>/<table>``.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = str(root.absolute()) if isinstance(root, Path) else root.rstrip("/")

    def path(self, table: str) -> str:
        """Where ``table`` (``layer/table``) lives."""
        return f"{self.root}/{table}"

    def uri(self, table: str) -> str:
        """Where ``table`` lives, as delta-rs spells it: Hadoop calls S3 ``s3a``."""
        path = self.path(table)
        return f"s3://{path.removeprefix('s3a://')}" if path.startswith("s3a://") else path

    def exists(self, table: str) -> bool:
        """Whether ``table`` has a commit; a first write that failed leaves a log without one."""
        if self.is_local and not Path(self.path(table), LOG_FOLDER).is_dir():
            return False
        with reaching(self.root):
            return bool(DeltaTable.is_deltatable(self.uri(table), self.storage_options))

    def require(self, table: str) -> None:
        """Nothing, where there is such a table.

        Raises:
            TableNotFoundError: There is none yet.
        """
        if not self.exists(table):
            likely = self._meant(table)
            raise TableNotFoundError(
                f"table {table} does not exist in {self.root}"
                + (f", did you mean {likely}? Else" if likely else ":")
                + " run `customer360 run` first, see `customer360 tables` for those that do, or "
                "name another deployment by --home"
            )

    def _meant(self, table: str) -> str | None:
        """The table that was meant by a name that none has, here or by design."""
        from customer360.contracts.contract import packaged_tables  # for mistakes alone

        known = {*self.tables(), *packaged_tables()}
        if table in known:
            return None
        # A name without its layer is the table's of that name.
        without = (name for name in sorted(known) if name.endswith(f"/{table}"))
        return next(without, None) or meant(table, known)

    def open(self, table: str, *, version: int | None = None) -> DeltaTable:
        """``table`` as delta-rs knows it, now or as it was at ``version``.

        Raises:
            TableNotFoundError: There is no such table yet, or no such version of it any more.
        """
        self.require(table)
        try:
            with reaching(self.root):
                return DeltaTable(
                    self.uri(table), version=version, storage_options=self.storage_options
                )
        except DeltaError as error:
            at = "" if version is None else f" at version {version}"
            raise TableNotFoundError(f"table {table}{at} cannot be opened: {error}") from error

    def version(self, table: str) -> int:
        """The newest version of ``table``."""
        return int(self.open(table).version())

    def identity(self, table: str) -> str:
        """Delta's own id of the table: a table that was deleted and made again has another."""
        return str(self.open(table).metadata().id)

    def partition_columns(self, table: str) -> tuple[str, ...]:
        """Columns that make the table's folders; none for one without."""
        return tuple(self.open(table).metadata().partition_columns)

    def partition_values(self, table: str, column: str) -> list[str]:
        """Values of partition column ``column`` that have rows, as text, in order; none if absent.

        Args:
            table: ``layer/table``.
            column: One of `partition_columns`.
        """
        if not self.exists(table):
            return []
        files = _files(self.open(table))
        return sorted({str(each[f"partition.{column}"]) for each in files if each["num_records"]})

    def maximum(self, table: str, column: str) -> Any:
        """Greatest value of ``column``, from folders or statistics; None where there are none.

        Args:
            table: ``layer/table``.
            column: One that makes the folders, or that the table keeps statistics of (``index`` of
                its writes).
        """
        return max(self._bounds(table, "max", column), default=None)

    def minimum(self, table: str, column: str) -> Any:
        """Least value of ``column``, as `maximum` gives the greatest."""
        return min(self._bounds(table, "min", column), default=None)

    def _bounds(self, table: str, bound: str, column: str) -> list[Any]:
        """What each file states as its ``bound`` (min, max) of ``column``."""
        if not self.exists(table):
            return []
        files = _files(self.open(table))
        stated = [each.get(f"{bound}.{column}", each.get(f"partition.{column}")) for each in files]
        return [value for value in stated if value is not None]

    def commits(self, table: str, newest: int | None = None) -> list[Commit]:
        """Commits of ``table``, newest first; none for an absent table.

        Each costs a file read: ``newest`` says how many are enough.
        """
        if newest == 0 or not self.exists(table):
            return []
        return [_commit(table, entry) for entry in self.open(table).history(newest)]

    def last_commit(self, table: str) -> Commit:
        """What the newest commit of ``table`` did."""
        return _commit(table, self.open(table).history(1)[0])

    def notes(self, table: str, newest: int | None = None) -> list[tuple[int, str | None]]:
        """Versions of ``table`` with their notes, newest first; none for an absent table."""
        return [(commit.version, commit.note) for commit in self.commits(table, newest)]

    def tables(self) -> list[str]:
        """Names of all tables there are, in order."""
        return sorted(name for name in self._folders() if self.exists(name))

    def details(self, table: str) -> TableDetails:
        """Rows, partitions, size and version of ``table``, from its files' statistics."""
        delta = self.open(table)
        files = _files(delta)
        columns = delta.metadata().partition_columns
        partitions = {tuple(each[f"partition.{name}"] for name in columns) for each in files}
        return TableDetails(
            table=table,
            rows=sum(int(each["num_records"] or 0) for each in files),
            partitions=len(partitions) if columns else 1,
            bytes=sum(int(each["size_bytes"]) for each in files),
            version=int(delta.version()),
        )

    def rows(self, table: str) -> int:
        """How many rows ``table`` has, by its log."""
        return self.details(table).rows

    def rows_of(self, table: str, column: str, days: Collection[date]) -> int:
        """How many rows ``table`` has in the folders of ``days``, by its log.

        Args:
            table: ``layer/table``.
            column: Date column that makes its folders.
            days: Whose rows count.
        """
        wanted = {str(day) for day in days}
        return sum(
            int(each["num_records"] or 0)
            for each in _files(self.open(table))
            if str(each[f"partition.{column}"]) in wanted
        )

    def rows_between(self, table: str, column: str, days: Collection[date]) -> tuple[int, int]:
        """How many rows ``table`` has on ``days`` at least, and at most, by its log.

        They are one number where each file is of one day, as with a folder a day.

        Args:
            table: ``layer/table``.
            column: Date column that makes its folders, or that it keeps statistics of; without
                them, any row may be on ``days``.
            days: Whose rows count.
        """
        wanted, least, most = sorted(set(days)), 0, 0
        for each in _files(self.open(table)):
            rows = int(each["num_records"] or 0) - int(each.get(f"null_count.{column}") or 0)
            first, last = (
                each.get(f"{bound}.{column}", each.get(f"partition.{column}"))
                for bound in ("min", "max")
            )
            if first is None or last is None:
                most += rows
                continue
            of_these = bisect_right(wanted, last) - bisect_left(wanted, first)
            least += rows if of_these == (last - first).days + 1 else 0
            most += rows if of_these else 0
        return least, most

    def filesystem(self, table: str) -> tuple[FileSystem, str]:
        """Arrow's file system that ``table`` lies in, and what it calls the table's folder."""
        return filesystem(self.path(table))

    @cached_property
    def storage_options(self) -> dict[str, str] | None:
        """What delta-rs must be told of the store; None of a folder."""
        return storage_options(self.root) or None

    @property
    def is_local(self) -> bool:
        """Whether the tables are in a folder, and not in an object store."""
        return not is_object_store(self.root)

    def _folders(self) -> list[str]:
        """``layer/table`` of every folder two levels down."""
        if self.is_local:
            root = Path(self.root)
            layers = (
                sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
            )
            return [f"{a.name}/{b.name}" for a in layers for b in a.iterdir() if b.is_dir()]
        from pyarrow import fs

        with reaching(self.root):
            system, path = filesystem(self.root)
            if system.get_file_info(path).type != fs.FileType.Directory:
                require_bucket(system, path)
                return []

            def folders(of: str) -> list[Any]:
                entries = system.get_file_info(fs.FileSelector(of))
                return [entry for entry in entries if entry.type == fs.FileType.Directory]

            return [
                f"{layer.base_name}/{table.base_name}"
                for layer in folders(path)
                for table in folders(layer.path)
            ]


def bytes_of(delta: DeltaTable) -> int:
    """Bytes of a table's files, without their statistics, which are a row a file and column."""
    files: Any = delta.get_add_actions()
    return sum(files.column("size_bytes").to_pylist())


def _files(delta: DeltaTable) -> list[dict[str, Any]]:
    """The files of a table: ``num_records``, ``size_bytes``, ``partition.<column>``, statistics."""
    table: Any = delta.get_add_actions(flatten=True)
    return list(table.to_struct_array().to_pylist())


def _commit(table: str, entry: Mapping[str, Any]) -> Commit:
    stated: Mapping[str, Any] = entry.get("operationMetrics") or {}
    metrics = {name: int(value) for name, value in stated.items() if str(value).isdecimal()}

    def metric(*names: str) -> int:
        return sum(metrics.get(name, 0) for name in names)

    merged = entry.get("operation") == "MERGE"
    return Commit(
        table=table,
        version=int(entry["version"]),
        rows=metric("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted")
        if merged
        else metric("numOutputRows"),
        files=metric("numTargetFilesAdded" if merged else "numFiles"),
        bytes=metric("numTargetBytesAdded" if merged else "numOutputBytes"),
        note=entry.get("userMetadata"),
        metrics=metrics,
    )
