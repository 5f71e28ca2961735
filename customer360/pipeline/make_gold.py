"""Silver to gold: snapshots of the as-of dates asked for, and the business's days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.gold.business_health import business_health
from customer360.gold.cohort_retention import cohort_retention
from customer360.gold.customer_360 import customer_360
from customer360.gold.customer_features import customer_features
from customer360.gold.first_orders import first_orders
from customer360.gold.rfm_segments import rfm_segments
from customer360.lakehouse.delta_log import Commit
from customer360.lakehouse.tables import Folders
from customer360.pipeline import stale_snapshots
from customer360.pipeline.workspace import (
    Workspace,
    changed_days,
    consumed_version,
    days_note,
)
from customer360.table_names import (
    AS_OF,
    CHURN_SCORES,
    COHORTS,
    CUSTOMER_360,
    CUSTOMER_DAYS,
    CUSTOMERS,
    FEATURES,
    FIRST_ORDERS,
    HEALTH,
    HISTORY,
    LIFETIME_VALUE,
    RFM,
    TRANSACTIONS,
)


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
class FeaturesMade:
    """What making gold/customer_features did, and which other snapshots it found stale."""

    written: Commit
    stale: Sequence[date]


def make_customer_features(work: Workspace, as_of: Sequence[date]) -> FeaturesMade:
    """Make gold/customer_features of all ``as_of`` dates in one pass."""
    made_of = stale_snapshots.digests_noted(work.tables, FEATURES)
    scored = stale_snapshots.digests_noted(work.tables, CUSTOMER_360)
    digests = stale_snapshots.days_digests(work.tables, {*made_of, *scored, *as_of})
    days = work.lakehouse.read(CUSTOMER_DAYS)
    note = stale_snapshots.digests_note(as_of, made_of, digests)
    frame = customer_features(days, as_of)
    written = replace_snapshots(work, FEATURES, frame, as_of, note=note)
    stale = {
        *stale_snapshots.changed_since(made_of, digests),
        *stale_snapshots.changed_since(scored, digests),
    }
    return FeaturesMade(written, sorted(stale.difference(as_of)))


def make_first_orders(work: Workspace, as_of: Sequence[date]) -> Commit:
    """Make gold/first_orders of all ``as_of`` dates in one pass."""
    frame = first_orders(
        work.lakehouse.read(TRANSACTIONS),
        work.lakehouse.read(HISTORY),
        as_of,
        time_zone=work.deployment.zone,
    )
    return replace_snapshots(work, FIRST_ORDERS, frame, as_of)


def make_rfm_segments(work: Workspace, as_of: Sequence[date]) -> Commit:
    """Make gold/rfm_segments from the features of ``as_of``."""
    return replace_snapshots(work, RFM, rfm_segments(snapshots(work, FEATURES, as_of)), as_of)


def make_cohort_retention(work: Workspace, as_of: Sequence[date]) -> Commit:
    """Make gold/cohort_retention as it stood on each of ``as_of``."""
    days = work.lakehouse.read(CUSTOMER_DAYS)
    return replace_snapshots(work, COHORTS, cohort_retention(days, as_of), as_of)


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


def make_customer_360(work: Workspace, as_of: Sequence[date]) -> Commit:
    """Make gold/customer_360 of ``as_of`` from the other snapshots and the profiles of then."""
    frame = customer_360(
        snapshots(work, FEATURES, as_of),
        snapshots(work, RFM, as_of),
        snapshots(work, CHURN_SCORES, as_of),
        snapshots(work, LIFETIME_VALUE, as_of),
        work.lakehouse.read(HISTORY),
        work.lakehouse.read(CUSTOMERS),
        time_zone=work.deployment.zone,
    )
    # As old as the features, whenever it is made of them.
    note = stale_snapshots.digests_note(
        as_of,
        stale_snapshots.digests_noted(work.tables, CUSTOMER_360),
        stale_snapshots.digests_noted(work.tables, FEATURES),
    )
    return replace_snapshots(work, CUSTOMER_360, frame, as_of, note=note)
