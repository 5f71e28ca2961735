"""Silver to gold: snapshots of the as-of dates asked for, and the business's days."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.gold.business_health import business_health
from customer360.gold.snapshots import Inputs
from customer360.lakehouse.delta_log import Commit
from customer360.lakehouse.tables import Folders
from customer360.pipeline import stale_snapshots
from customer360.pipeline.workspace import (
    Workspace,
    changed_days,
    consumed_version,
    days_note,
)
from customer360.table_names import AS_OF, CUSTOMER_DAYS, HEALTH, TRANSACTIONS


def snapshot_dates(work: Workspace, table: str) -> list[date]:
    """As-of dates that ``table`` has a snapshot of."""
    return work.lakehouse.days_of(table, AS_OF)


def replace_snapshots(
    work: Workspace,
    table: str,
    frame: DataFrame,
    as_of: Sequence[date],
    *,
    note: str | None = None,
) -> Commit:
    """Put ``frame`` in place of the snapshots of ``as_of``, one file each for small data."""
    return work.lakehouse.replace_days(
        Contract.load(table), frame, AS_OF, as_of, note=note or days_note(as_of)
    )


def snapshots(work: Workspace, table: str, as_of: Sequence[date]) -> DataFrame:
    """The rows of ``table`` for ``as_of``."""
    return work.lakehouse.read_days(table, AS_OF, as_of)


@dataclass(frozen=True)
class SnapshotsMade:
    """What making a table's snapshots did, and which others of it were found stale."""

    written: Commit
    stale: Sequence[date] = ()


def make_snapshots(work: Workspace, table: str, as_of: Sequence[date]) -> SnapshotsMade:
    """Make ``table``, one of `snapshot_tables`, of all ``as_of`` dates in one pass."""
    # First: what changes while the table is made is for the next look to notice.
    note, stale = stale_snapshots.noted(work.tables, table, as_of)
    frame = computed_snapshots(work, table, as_of)
    return SnapshotsMade(replace_snapshots(work, table, frame, as_of, note=note), stale)


def computed_snapshots(work: Workspace, table: str, as_of: Sequence[date]) -> DataFrame:
    """The rows that `make_snapshots` writes, as its module makes them of what its contract reads.

    Nothing is computed before they are asked for.
    """
    contract = Contract.load(table)
    module = importlib.import_module(f"customer360.gold.{contract.name}")
    read = {name: _read(work, name, as_of) for name in contract.reads}
    frame: DataFrame = module.snapshot(Inputs(read, as_of, work.deployment.zone))
    return frame


def _read(work: Workspace, table: str, as_of: Sequence[date]) -> DataFrame:
    """The rows of ``as_of`` where a table is of dates, else all of them."""
    if Contract.load(table).partition_by == AS_OF:
        return snapshots(work, table, as_of)
    return work.lakehouse.read(table)


def make_business_health(work: Workspace, days: DayRange) -> tuple[Commit, DayRange]:
    """Make gold/business_health of ``days``, and of every later day that a change can reach.

    A late first purchase turns a customer's former first day into a return, whenever that was, so
    everything from the earliest changed day on is made again; only aggregates are written.
    """
    lakehouse = work.lakehouse
    upstream = lakehouse.version(TRANSACTIONS)
    since = consumed_version(lakehouse, HEALTH)
    changed = changed_days(lakehouse, TRANSACTIONS, since, upstream)
    stale = DayRange(min({days.first} | changed), max({days.last} | changed))
    newest = lakehouse.maximum(HEALTH, "business_date")
    if newest is not None and newest > stale.last:
        stale = DayRange(stale.first, newest)
    frame = business_health(
        lakehouse.read(TRANSACTIONS), lakehouse.read(CUSTOMER_DAYS), stale.first, stale.last
    )
    written = lakehouse.replace_days(
        Contract.load(HEALTH),
        frame.coalesce(1),
        "business_date",
        list(stale),
        folders=Folders.NONE,
        note=days_note(stale, upstream=upstream),
    )
    return written, stale
