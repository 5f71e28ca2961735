"""Reading, replacing and merging Delta tables, each write one atomic commit.

Every write can be repeated with the same effect: a range of days or a whole table is replaced,
or rows are merged by key; nothing is appended.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.lakehouse.delta_log import Commit as Written
from customer360.lakehouse.delta_log import TableLogs

# SQL statements have no option for it.
_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


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
        return reader.load(self.path(table))

    def read_days(self, table: str, column: str, days: Collection[date]) -> DataFrame:
        """The rows of ``table`` on ``days``."""
        return self.read(table).where(days_predicate(column, days))

    def replace_days(
        self,
        table: str,
        frame: DataFrame,
        column: str,
        days: Collection[date],
        *,
        partitioned: bool = True,
        index: Sequence[str] = (),
        note: str | None = None,
    ) -> Written:
        """Put ``frame`` in place of all rows of ``days``; Delta refuses rows of any other day.

        Args:
            table: ``layer/table``.
            frame: The new rows, all of them on ``days``.
            column: The date column that partitions the table.
            days: The days that are replaced, those without a new row included.
            partitioned: A folder a day. False suits tables of few rows a day, where a file for
                each would cost more than the rows: Delta then rewrites the files that overlap.
            index: Columns that a new table keeps statistics of; statistics on all are dear.
            note: Kept with the commit as its user metadata.
        """
        options = {}
        if self.exists(table):
            # A table that an older release made gains the columns that are new since.
            options = {"replaceWhere": days_predicate(column, days), "mergeSchema": "true"}
        return self._write(
            table,
            frame,
            partition_by=column if partitioned else None,
            options=options,
            index=index,
            note=note,
        )

    def replace_all(
        self,
        table: str,
        frame: DataFrame,
        *,
        partition_by: str | None = None,
        index: Sequence[str] = (),
        note: str | None = None,
    ) -> Written:
        """Put ``frame`` in place of the whole table; older versions can still be read."""
        return self._write(
            table, frame, partition_by=partition_by, options={}, index=index, note=note
        )

    def merge(
        self,
        table: str,
        source: DataFrame,
        clauses: str,
        *,
        columns: Sequence[str] = (),
        index: Sequence[str] = (),
        note: str | None = None,
    ) -> Written:
        """MERGE ``source`` into ``table``.

        Args:
            table: ``layer/table``; made empty when it is absent.
            source: Rows known as ``source`` in the clauses.
            clauses: SQL after USING: ``ON target.k = source.k WHEN MATCHED …``.
            columns: The columns of ``source`` that an absent table is made with; unset: all.
            index: Columns that a new table keeps statistics of.
            note: Kept with the commit as its user metadata.
        """
        if not self.exists(table):
            names = list(columns) or source.columns
            self.replace_all(table, source.select(*names).limit(0), index=index)
        if note is not None:
            self.spark.conf.set(_USER_METADATA, note)
        try:
            self.spark.sql(
                f"MERGE INTO {self.identifier(table)} AS target "
                f"USING {{source}} AS source {clauses}",
                source=source,
            )
        finally:
            if note is not None:
                self.spark.conf.unset(_USER_METADATA)
        return self.last_commit(table)

    def replace_groups(
        self,
        table: str,
        frame: DataFrame,
        *,
        group: str,
        identity: Sequence[str],
        index: Sequence[str] = (),
    ) -> Written:
        """For each value of ``group`` in ``frame``, make ``frame`` all the rows there are.

        Rows that are equal already are not rewritten. ``identity`` tells the rows of a group
        apart.
        """
        if not self.exists(table):
            return self.replace_all(table, frame, index=index)
        groups = frame.select(group).distinct()
        there = self.read(table).join(groups, group, "left_semi")
        gone = there.join(frame.select(*identity), list(identity), "left_anti")
        changes = frame.withColumn("_gone", F.lit(False)).unionByName(
            gone.withColumn("_gone", F.lit(True))
        )
        same = " AND ".join(f"target.{name} = source.{name}" for name in identity)
        differs = " OR ".join(
            f"NOT (target.{name} <=> source.{name})"
            for name in frame.columns
            if name not in identity
        )
        names = ", ".join(frame.columns)
        values = ", ".join(f"source.{name}" for name in frame.columns)
        assignments = ", ".join(f"{name} = source.{name}" for name in frame.columns)
        return self.merge(
            table,
            changes,
            f"ON {same} WHEN MATCHED AND source._gone THEN DELETE "
            f"WHEN MATCHED AND ({differs}) THEN UPDATE SET {assignments} "
            f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})",
        )

    def _write(
        self,
        table: str,
        frame: DataFrame,
        *,
        partition_by: str | None,
        options: dict[str, str],
        index: Sequence[str],
        note: str | None,
    ) -> Written:
        writer = frame.write.format("delta").mode("overwrite").options(**options)
        if partition_by:
            writer = writer.partitionBy(partition_by)
        if note is not None:
            writer = writer.option("userMetadata", note)
        if not self.exists(table):
            if index:
                writer = writer.option("delta.dataSkippingStatsColumns", ",".join(index))
        elif not options:
            writer = writer.option("overwriteSchema", "true")
        writer.save(self.path(table))
        return self.last_commit(table)
