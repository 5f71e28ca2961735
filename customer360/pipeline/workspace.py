"""What every step needs: the lakehouse, the deployment, and which run it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import SparkSession

from customer360.deployment import Deployment
from customer360.lakehouse.delta_log import TableLogs
from customer360.lakehouse.reading import Tables
from customer360.lakehouse.tables import Folders, Lakehouse


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Workspace:
    """Where a step works.

    Attributes:
        lakehouse: The tables.
        deployment: Settings and sources.
        run_id: Name of the run, kept with quarantined rows.
        started_at: When the run learnt of the rows it ingests.
    """

    lakehouse: Lakehouse
    deployment: Deployment
    run_id: str
    started_at: datetime = field(default_factory=_now)

    @property
    def spark(self) -> SparkSession:
        """The session behind the lakehouse."""
        return self.lakehouse.spark

    @property
    def tables(self) -> Tables:
        """The tables, to be read without Spark."""
        return Tables(self.lakehouse.root)

    @property
    def shuffle_partitions(self) -> int:
        """Tasks of a shuffle, as set for this deployment."""
        return self.deployment.settings.spark_shuffle_partitions

    def folders_for(self, rows: int, days: int) -> Folders:
        """How a new table with ``rows`` on ``days`` days is laid out."""
        return Folders.for_volume(rows, days, self.deployment.settings.day_folder_rows)


_LATE_COMMITS = 10


def days_note(days: Iterable[date], **more: Any) -> str:
    """A commit's note: the days it made, so that tables made from it know what to make again."""
    return json.dumps({"days": sorted(day.isoformat() for day in days)} | more)


def changed_days(lakehouse: Lakehouse, table: str, since: int | None, now: int) -> set[date]:
    """Days of ``table`` made after version ``since`` (None: at any time); its newest is ``now``."""
    if since is not None and since > now:
        since = None  # deleted and made again since: nothing of it was consumed
    # A commit may come between asking for ``now`` and asking here: a few more are looked at.
    newest = None if since is None else now - since + _LATE_COMMITS
    return {
        date.fromisoformat(day)
        for version, note in lakehouse.notes(table, newest)
        if note and (since is None or since < version) and version <= now
        for day in json.loads(note).get("days", [])
    }


EXPIRED_BEFORE = "expired_before"
"""Key, in a note of a bronze commit: that it took rows past their time and changed nothing else."""


def past_expiries(lakehouse: Lakehouse, table: str, version: int) -> int:
    """The newest version of ``table`` that differs from ``version`` by rows past their time only.

    What was made of one, is as good as made of the other: closed days are made of neither.
    """
    newest = lakehouse.version(table)
    if newest <= version:
        return version
    notes = lakehouse.notes(table, newest - version + _LATE_COMMITS)
    expiries = {at for at, note in notes if note and EXPIRED_BEFORE in json.loads(note)}
    while version + 1 in expiries:
        version += 1
    return version


def newest_note(
    logs: TableLogs, table: str, key: str, *, until: int | None = None
) -> dict[str, Any] | None:
    """The newest note of ``table`` that says ``key``; None where none does, or no table is.

    Args:
        logs: Of the tables.
        table: Whose notes.
        key: What the note must say.
        until: Version after which no note counts; None: all do.
    """
    for newest in (1, None):  # the newest commit says it, unless it was maintenance
        for version, note in logs.notes(table, newest):
            if until is not None and version > until:
                continue
            if note and key in (read := json.loads(note)):
                return dict(read)
    return None


def consumed_version(lakehouse: Lakehouse, table: str) -> int | None:
    """Version of the upstream table that ``table`` was last brought up to; None when never."""
    note = newest_note(lakehouse, table, "upstream")
    return None if note is None else int(note["upstream"])


def consumed_bronze(
    lakehouse: Lakehouse, table: str, *, until: int | None = None
) -> dict[str, int]:
    """Versions of bronze tables that silver ``table`` was last made from; none where unknown.

    Args:
        lakehouse: Where the tables are.
        table: The silver table.
        until: Its version after which no commit counts; None: all do.
    """
    note = newest_note(lakehouse, table, "bronze", until=until)
    return {} if note is None else dict(note["bronze"])


def bronze_note(versions: dict[str, int], **more: Any) -> str:
    """The note of a commit of a silver table that was made from these versions of bronze."""
    return json.dumps({"bronze": versions} | more)
