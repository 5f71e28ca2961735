"""A source made of one table or query of a PostgreSQL and the mapping that describes it.

What its rows mean is the affair of `customer360.sources.mapped`. Of time: a ``timestamp with time
zone`` is an instant and stays one; a ``timestamp`` or ``date`` is local time in the mapping's zone.
A row that the soft-delete column marks is left out as ``deleted_at_source``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from customer360.contracts.times import plausible_days
from customer360.days import DayRange
from customer360.sources import staged
from customer360.sources.base import ChangingSource, Poll
from customer360.sources.mapped import MappedSource
from customer360.sources.postgres.copying import Copy, DatabaseSourceError
from customer360.sources.postgres.database import Database, State, select
from customer360.sources.postgres.deleted import is_deleted
from customer360.sources.postgres.mapping import PostgresMapping, SoftDelete

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

DELETED = "deleted_at_source"
"""Why a row that the source deleted is no transaction."""

_INSTANT = "__instant"


class PostgresSource(MappedSource[PostgresMapping], ChangingSource):
    """The table or query that one mapping describes.

    Args:
        mapping: What its columns mean.
        database: Where it is.
    """

    place = "table"

    def __init__(self, mapping: PostgresMapping, database: Database) -> None:
        super().__init__(mapping)
        self.database = database
        self.finds_deleted = mapping.deletes == "snapshot"
        self.exclusion_reasons = (*self.exclusion_reasons, DELETED)
        self.stated_exclusions = (*self.stated_exclusions, DELETED)

    @property
    def event_zones(self) -> frozenset[str]:
        """Instants are dated in UTC, local times in their own zone."""
        return frozenset({"UTC", self.time_zone})

    def available(self) -> DayRange:
        """First and last day of the rows there are now, in the mapping's zone.

        Raises:
            DatabaseSourceError: The server is not reached, or has no row with a time.
        """
        column = self.mapping.columns.occurred_at
        today = datetime.now(ZoneInfo(self.time_zone)).date()
        earliest, latest = plausible_days(self.mapping.plausible_dates, today)
        with self.database.state(self.mapping) as state:
            day = state.text(column, as_day=True)
            first, last = state.one(
                f"SELECT min(day), coalesce(max(day) FILTER (WHERE day <= '{today}'), min(day)) "
                f"FROM (SELECT {day} AS day FROM {state.rows}) AS days "
                f"WHERE length(day) = 10 AND day BETWEEN '{earliest}' AND '{latest}'"
            )
        if first is None:
            raise DatabaseSourceError(
                f"{self.database.shown}: {self.mapping.place} of {self.name} has no row with a "
                f"time in {column}; check the mapping"
            )
        return DayRange(date.fromisoformat(first), date.fromisoformat(last))

    def fingerprint(self, table: str) -> str:
        """Changes with what is asked of the database; whether rows changed only a poll tells."""
        return hashlib.sha256(self.mapping.model_dump_json().encode()).hexdigest()

    def read_raw(self, spark: SparkSession, table: str, start: date, end: date) -> DataFrame:
        """All rows as text, each slice as it is when it is read; `poll` reads one state."""
        with self.database.state(self.mapping) as state:
            return self._frame(spark, state, None, state.slices())

    def key(self, table: str) -> tuple[str, ...]:
        """Bronze columns that tell rows apart."""
        return tuple(self._names[column] for column in self.mapping.key_columns)

    @contextmanager
    def poll(self, spark: SparkSession, table: str, watermark: str | None) -> Iterator[Poll]:
        """One state of the rows; with a ``watermark``, only those since, less the overlap.

        Raises:
            DatabaseSourceError: The server is not reached, refuses, or goes away meanwhile.
        """
        with self.database.state(self.mapping) as state, _named():
            state.check_soft_delete(watermark)
            rows, newest = state.count_and_watermark(watermark)
            slices = state.slices()
            snapshot = state.export()
            whole = watermark is None
            since = state.since(watermark)
            yield Poll(
                self._frame(spark, state, snapshot, slices, since),
                rows,
                whole,
                newest,
                None if whole or not self.finds_deleted else self._keys(spark, state, snapshot),
            )

    def _frame(
        self,
        spark: SparkSession,
        state: State,
        snapshot: str | None,
        slices: Sequence[str],
        since: str = "true",
    ) -> DataFrame:
        from pyspark.sql import functions as F

        from customer360.contracts.sql import quoted

        columns = self._contract.columns
        texts = [
            state.text(self._headers[column.name], as_day=column.logical_type == "date")
            for column in columns
        ]
        selects = [select(state, texts, since, condition) for condition in slices]
        names = [column.name for column in columns]
        return _copied(spark, state, snapshot, selects, names).select(
            *(F.col(quoted(name)) for name in names),
            F.lit(None).cast("string").alias("_rescued"),
            F.lit(self.mapping.from_table or f"query of {self.name}").alias("_source_file"),
            F.lit(None).cast("date").alias("_delivered_on"),
            F.lit(None).cast("string").alias("_corrupt_record"),
        )

    def _keys(self, spark: SparkSession, state: State, snapshot: str) -> DataFrame:
        names = list(self.key(self.mapping.table))
        texts = [state.text(self._headers[name]) for name in names]
        selects = [select(state, texts, condition) for condition in state.slices()]
        return _copied(spark, state, snapshot, selects, names)

    def _key(self) -> tuple[str, ...]:
        return self.mapping.key_columns

    def _asked(self) -> tuple[str, ...]:
        marks = self.mapping.deleted_column
        return self._key() if marks is None else (*self._key(), marks)

    def _typed(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        from pyspark.sql import functions as F

        from customer360.contracts.sql import quoted

        time = F.col(quoted(self._names[self.mapping.columns.occurred_at]))
        table = bronze[self.mapping.table].withColumn(_INSTANT, F.endswith(time, F.lit("Z")))
        rows = self._with_texts(table)
        return staged.typed(rows, self._contract, _INSTANT, *self._beside)

    def _occurred_at(self) -> Column:
        from pyspark.sql import functions as F

        time = self._role("occurred_at")
        return F.when(F.col(_INSTANT), time).otherwise(super()._occurred_at())

    def _exclusions(self) -> list[tuple[Column, str]]:
        column = self.mapping.deleted_column
        if column is None:
            return []
        assert isinstance(self.mapping.deletes, SoftDelete)
        return [(is_deleted(self._of(column), self.mapping.deletes.equals), DELETED)]


def _copied(
    spark: SparkSession,
    state: State,
    snapshot: str | None,
    selects: Sequence[str],
    names: Sequence[str],
) -> DataFrame:
    """The rows of all ``selects``, a task each."""
    from customer360.contracts.sql import quoted

    copy = Copy(state.login, state.shown, snapshot, tuple(selects), tuple(names))
    numbers = spark.range(0, len(selects), 1, len(selects))
    return numbers.mapInArrow(copy.reader(), ", ".join(f"{quoted(name)} string" for name in names))


@contextmanager
def _named() -> Iterator[None]:
    """What went wrong on an executor, in the words it was said there and not as Spark's trace."""
    try:
        yield
    except DatabaseSourceError:
        raise
    except Exception as error:  # Spark's class for it depends on the kind of session
        text = str(error)
        _, marker, message = text.partition(f"{DatabaseSourceError.__name__}: ")
        if not marker:
            raise
        raise DatabaseSourceError(message.splitlines()[0].strip()) from None
