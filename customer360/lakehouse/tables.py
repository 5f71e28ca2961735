"""Reading, replacing and merging Delta tables, each write one atomic commit.

Every write can be repeated with the same effect: a range of days or a whole table is replaced,
or rows are merged by key; nothing is appended. And every write is bound by the table's contract:
see `customer360.contracts.binding`.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType

from customer360.contracts import Contract
from customer360.contracts.binding import bound, broken, is_broken
from customer360.lakehouse.commits import committing
from customer360.lakehouse.delta_log import MONTH, Commit, TableLogs

# SQL statements have no option for it.
_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_COPY_SOURCE = "spark.databricks.delta.merge.materializeSource"
# A write that leaves no row where none was has a note too, which others go by.
_SKIP_EMPTY = "spark.databricks.delta.skipRecordingEmptyCommits"
_DICTIONARY = "parquet.enable.dictionary"


class Folders(StrEnum):
    """How a table of days is laid out in folders.

    A folder costs more than a few thousand rows in it, and a day that is replaced costs the rows
    of its folder.
    """

    DAY = "day"
    MONTH = "month"
    NONE = "none"

    @classmethod
    def for_volume(cls, rows: int, days: int, day_folder_rows: int) -> Folders:
        """A folder a day from ``day_folder_rows`` rows a day, else a folder a month."""
        return cls.DAY if rows >= day_folder_rows * max(days, 1) else cls.MONTH

    def of(self, column: str) -> Column:
        """What rows of one folder have in common, for days in ``column``.

        Brought together by it, the rows of a folder become one file.
        """
        return F.col(column) if self is Folders.DAY else F.trunc(column, "month")


def days_predicate(column: str, days: Collection[date]) -> str:
    """SQL that is true on ``days``: a half-open range where they are contiguous, else a list.

    >>> days_predicate("d", [date(2024, 1, 1), date(2024, 1, 2)])
    "d >= DATE'2024-01-01' AND d < DATE'2024-01-03'"
    """
    ordered = sorted(set(days))
    if not ordered:
        return "false"
    past = ordered[-1] + timedelta(days=1)
    if (past - ordered[0]).days == len(ordered):
        return f"{column} >= DATE'{ordered[0]}' AND {column} < DATE'{past}'"
    listed = ", ".join(f"DATE'{day}'" for day in ordered)
    return f"{column} IN ({listed})"


def _replaced(column: str, days: Collection[date], folders: Folders) -> str:
    """The condition of the rows that ``days`` replace; whole folders where it can be."""
    if folders is not Folders.MONTH or not days:
        return days_predicate(column, days)
    months = {day.replace(day=1) for day in days}
    listed = ", ".join(f"DATE'{month}'" for month in sorted(months))
    in_months = f"{MONTH} IN ({listed})"
    if len(set(days)) == sum(_days_in(month) for month in months):
        return in_months  # nothing of these folders stays, so no file need be looked into
    return f"{in_months} AND {days_predicate(column, days)}"


def _days_in(month: date) -> int:
    return calendar.monthrange(month.year, month.month)[1]


class Lakehouse(TableLogs):
    """The Delta tables under one root, read and written by Spark; their logs need no Spark.

    Args:
        spark: A session with Delta.
        root: Folder or object-store URI; a table lives at ``<root>/<layer>/<table>``.
    """

    def __init__(self, spark: SparkSession, root: Path | str) -> None:
        super().__init__(root)
        self.spark = spark

    def identifier(self, table: str) -> str:
        """``table`` as SQL names it."""
        return f"delta.`{self.path(table)}`"

    def read(self, table: str, *, version: int | None = None) -> DataFrame:
        """The rows of ``table``, as they are now or as they were at ``version``.

        Raises:
            TableNotFoundError: There is no such table yet.
        """
        self.require(table)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path(table)).drop(MONTH)

    def read_days(self, table: str, column: str, days: Collection[date]) -> DataFrame:
        """The rows of ``table`` on ``days``."""
        return self.read(table).where(days_predicate(column, days))

    def days_of(self, table: str, column: str) -> list[date]:
        """The days in ``column`` that have rows, in order; none for an absent table."""
        if not self.exists(table):
            return []
        if column in self.partition_columns(table):
            return [date.fromisoformat(day) for day in self.partition_values(table, column)]
        return sorted(row[0] for row in self.read(table).select(column).distinct().collect())

    def folders(self, table: str, column: str, *, new: Folders) -> Folders:
        """How ``table`` of days in ``column`` is laid out; as ``new`` where it is not there yet."""
        if not self.exists(table):
            return new
        by = self.partition_columns(table)
        return Folders.MONTH if MONTH in by else Folders.DAY if column in by else Folders.NONE

    def replace_days(
        self,
        contract: Contract,
        frame: DataFrame,
        column: str,
        days: Collection[date],
        *,
        folders: Folders = Folders.DAY,
        note: str | None = None,
    ) -> Commit:
        """Put ``frame`` in place of all rows of ``days``; Delta refuses rows of any other day.

        Args:
            contract: The table's.
            frame: The new rows, all of them on ``days``.
            column: The date column that says of which day a row is.
            days: The days that are replaced, those without a new row included.
            folders: How a new table is laid out; one that is there stays as it was made.
            note: Kept with the commit as its user metadata.

        Raises:
            ContractError: The rows are not what the contract says; nothing was written.
        """
        table, options = contract.table, {}
        folders = self.folders(table, column, new=folders)
        if self.exists(table):
            # A table that an older release made gains the columns that are new since.
            options = {
                "replaceWhere": _replaced(column, days, folders),
                "mergeSchema": "true",
            }
        rows, partition_by = bound(frame, contract, untouched=[column]), None
        if folders is Folders.MONTH:
            rows = rows.withColumn(MONTH, F.trunc(column, "month"))
            partition_by = MONTH
        elif folders is Folders.DAY:
            partition_by = column
        # Files of other days are told apart by statistics where the folders do not.
        index = [name for name in (column, *contract.indexed_columns) if name != partition_by]
        with _naming_broken_rules(contract, frame):
            return self._write(
                table,
                rows,
                partition_by=partition_by,
                options=options,
                index=tuple(dict.fromkeys(index)),
                note=note,
            )

    def replace_all(
        self, contract: Contract, frame: DataFrame, *, note: str | None = None
    ) -> Commit:
        """Put ``frame`` in place of the whole table; older versions can still be read.

        Raises:
            ContractError: The rows are not what the contract says; nothing was written.
        """
        with _naming_broken_rules(contract, frame):
            return self._write(
                contract.table, bound(frame, contract), index=contract.indexed_columns, note=note
            )

    def merge(
        self,
        contract: Contract,
        source: DataFrame,
        clauses: str,
        *,
        note: str | None = None,
        copied: bool = False,
    ) -> Commit:
        """MERGE ``source`` into the contract's table, which is made empty when it is absent.

        Args:
            contract: The table's.
            source: Rows known as ``source`` in the clauses: the contract's columns, and others
                that the clauses ask.
            clauses: SQL after USING: ``ON target.k = source.k WHEN MATCHED …``.
            note: Kept with the commit as its user metadata.
            copied: Let Delta copy ``source`` first, where it is dear to compute, for Delta reads it
                twice, or persisted, for Delta then insists. Other sources need no copy: they are
                made of fixed versions by deterministic functions.

        Raises:
            ContractError: The rows are not what the contract says; nothing was written.
        """
        table, rows = contract.table, bound(source, contract, beside=True)
        if not self.exists(table):
            names = [column.name for column in contract.stored_columns]
            self._write(table, rows.select(*names).limit(0), index=contract.indexed_columns)
        settings = {_COPY_SOURCE: "auto" if copied else "none"}
        if note is not None:
            settings[_USER_METADATA] = note
        with (
            committing(table),
            self._set(settings),
            _naming_broken_rules(contract, source),
        ):
            self.spark.sql(
                f"MERGE INTO {self.identifier(table)} AS target "
                f"USING {{source}} AS source {clauses}",
                source=rows,
            )
        return self.last_commit(table)

    def replace_groups(
        self,
        contract: Contract,
        frame: DataFrame,
        groups: DataFrame,
        *,
        note: str | None = None,
    ) -> Commit:
        """Make ``frame`` all the rows there are of ``groups``; the other rows stay.

        All is written again: the groups of a day lie in every file of a table that has them in no
        order, so that MERGE would do the same after looking for them twice. Nothing is written
        where there is no group.

        Args:
            contract: The table's; the table is made when it is absent.
            frame: All rows of the groups.
            groups: Distinct values of the column that groups the rows, also those without a row in
                ``frame``; cheap to compute, for the table is compared with them.
            note: Kept with the commit as its user metadata.

        Raises:
            ContractError: The rows are not what the contract says; nothing was written.
        """
        if not self.exists(contract.table):
            return self.replace_all(contract, frame, note=note)
        if groups.isEmpty():
            return self.last_commit(contract.table)
        others = self.read(contract.table).join(groups, groups.columns, "left_anti")
        return self.replace_all(contract, others.unionByName(frame), note=note)

    @contextmanager
    def _set(self, settings: Mapping[str, str]) -> Iterator[None]:
        """Have the session so within: for what a statement has no option for."""
        before = {name: self.spark.conf.get(name, None) for name in settings}
        for name, value in settings.items():
            self.spark.conf.set(name, value)
        try:
            yield
        finally:
            for name, former in before.items():
                if former is None:
                    self.spark.conf.unset(name)
                else:
                    self.spark.conf.set(name, former)

    def _write(
        self,
        table: str,
        rows: DataFrame,
        *,
        partition_by: str | None = None,
        options: Mapping[str, str] = MappingProxyType({}),
        index: Sequence[str] = (),
        note: str | None = None,
    ) -> Commit:
        writer = rows.write.format("delta").mode("overwrite").options(**options)
        if partition_by:
            writer = writer.partitionBy(partition_by)
        if note is not None:
            writer = writer.option("userMetadata", note)
        if not self.exists(table):
            if index:
                writer = writer.option("delta.dataSkippingStatsColumns", ",".join(index))
        elif not options:
            writer = writer.option("overwriteSchema", "true")
        settings = {f"{_DICTIONARY}#{name}": "false" for name in _floating(rows)}
        if note is not None:
            settings[_SKIP_EMPTY] = "false"
        with committing(table), self._set(settings):
            writer.save(self.path(table))
        return self.last_commit(table)


def _floating(rows: DataFrame) -> list[str]:
    """Columns of computed figures, which hardly repeat: a dictionary of them is thrown away."""
    return [field.name for field in rows.schema if isinstance(field.dataType, DoubleType)]


@contextmanager
def _naming_broken_rules(contract: Contract, frame: DataFrame) -> Iterator[None]:
    """Say of a write that a row broke which rule that was."""
    try:
        yield
    except Exception as error:  # which class Spark's errors have depends on the kind of session
        if not is_broken(error):
            raise
        raise broken(frame, contract) from None
