"""Bronze to silver: which days are made again, from which rows, and the rows' accounting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.lakehouse.delta_log import Commit
from customer360.lakehouse.tables import Folders, days_predicate
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.workspace import (
    Workspace,
    changed_days,
    consumed_version,
    days_note,
)
from customer360.silver import customer_days as silver_customer_days
from customer360.silver import customer_history as silver_history
from customer360.silver import customers as silver_customers
from customer360.silver import transactions as silver_transactions
from customer360.silver.transactions import Accounting
from customer360.sources.base import ChangingSource, Source
from customer360.table_names import CUSTOMER_DAYS, CUSTOMERS, HISTORY, REJECTED, TRANSACTIONS

# Below this size the customer keys travel to every task, which spares a shuffle of all
# transactions; 64 characters a key make it some 100 MB.
_BROADCAST_CUSTOMERS = 1_000_000


@dataclass(frozen=True)
class TransactionsLoaded:
    """What loading silver/transactions did.

    Attributes:
        written: The commit.
        quarantine: The commit of ``quarantine/transactions``.
        days: The days made again: those asked for and those that late rows touched.
        accounting: Where each source's rows went.
    """

    written: Commit
    quarantine: Commit | None
    days: tuple[date, ...]
    accounting: Mapping[str, Accounting]


def _index(table: str) -> tuple[str, ...]:
    return Contract.load(table).indexed_columns


def _delivered(work: Workspace, source: Source, days: DayRange) -> dict[str, DataFrame]:
    """The source's bronze rows delivered on ``days``; extracts whole."""
    frames = {}
    for table in source.tables:
        frame = work.lakehouse.read(f"bronze/{table}")
        if source.delivery(table) == "daily":
            frame = frame.where(days_predicate(DELIVERY_DAY, list(days)))
        frames[table] = frame
    return frames


def _profiles(work: Workspace, days: DayRange) -> DataFrame:
    frames = [
        silver_customers.prepared(
            source.staged_customers(_delivered(work, source, days)),
            source=source.name,
            secret=work.deployment.secret,
        )
        for source in work.deployment.sources
    ]
    return reduce(DataFrame.unionByName, frames)


def load_customers(work: Workspace, days: DayRange) -> Commit:
    """Merge the profiles delivered on ``days`` into silver/customers."""
    lakehouse, latest = work.lakehouse, silver_customers.latest(_profiles(work, days))
    if not lakehouse.exists(CUSTOMERS):  # nothing to merge into: all rows are inserted
        rows = latest.select(*silver_customers.COLUMNS)
        return lakehouse.replace_all(CUSTOMERS, rows, index=_index(CUSTOMERS))
    return lakehouse.merge(
        CUSTOMERS,
        latest,
        silver_customers.MERGE,
        columns=silver_customers.COLUMNS,
        index=_index(CUSTOMERS),
    )


def load_customer_history(work: Workspace, days: DayRange) -> Commit:
    """Place the profiles delivered on ``days`` in silver/customer_history."""
    lakehouse = work.lakehouse
    existing = lakehouse.read(HISTORY) if lakehouse.exists(HISTORY) else None
    profiles = _profiles(work, days)
    return lakehouse.replace_groups(
        HISTORY,
        silver_history.history(profiles, existing),
        profiles.select("customer_key").distinct(),
        index=_index(HISTORY),
    )


def _zone_margin(work: Workspace, source: Source) -> timedelta:
    """How far a row's own date may lie from its business date."""
    same = source.event_zones == {work.deployment.zone_of(source)}
    return timedelta(days=0 if same else 1)


def _around(days: set[date], margin: timedelta) -> set[date]:
    return days | {day - margin for day in days} | {day + margin for day in days}


def _changed_in_place(work: Workspace, source: Source) -> set[date]:
    """Days of rows that changed in bronze since silver was made from it."""
    if not isinstance(source, ChangingSource):
        return set()
    table = f"bronze/{source.transactions_table}"
    since = _consumed(work).get(table)
    if since is None:  # nothing was made from it: there is nothing to mend
        return set()
    changed = changed_days(work.lakehouse, table, since, work.lakehouse.version(table))
    return _around(changed, _zone_margin(work, source))


def _consumed(work: Workspace) -> dict[str, int]:
    """Versions of the changing bronze tables that silver/transactions was last made from."""
    for newest in (1, None):  # the newest commit says it, unless it was maintenance
        for _, note in work.lakehouse.notes(TRANSACTIONS, newest):
            if note and "bronze" in (read := json.loads(note)):
                return dict(read["bronze"])
    return {}


def _bronze_versions(work: Workspace) -> dict[str, int]:
    tables = [
        f"bronze/{source.transactions_table}"
        for source in work.deployment.sources
        if isinstance(source, ChangingSource)
    ]
    return {table: work.lakehouse.version(table) for table in tables}


def _touched_days(work: Workspace, days: DayRange) -> set[date]:
    """``days`` and the days of rows that were delivered on them, however late."""
    touched = set(days)
    for source in work.deployment.sources:
        for table in source.tables:
            contract = source.contract(table)
            if source.delivery(table) != "daily" or contract.event_time is None:
                continue
            if table != source.transactions_table:
                continue
            late = work.tables.ask(
                f"""
                SELECT DISTINCT _event_date FROM rows WHERE _event_date IS NOT NULL
                AND {days_predicate(DELIVERY_DAY, list(days))}
                """,
                rows=f"bronze/{table}",
            )
            touched |= _around({day for (day,) in late}, _zone_margin(work, source))
        changed = _changed_in_place(work, source)
        # What has no partition yet is made when its day is over, whole.
        touched |= {day for day in changed if day <= work.deployment.last_day()}
    if work.lakehouse.exists(REJECTED):
        waiting = work.tables.ask(
            silver_transactions.RECOVERABLE_DAYS, quarantine=REJECTED, customers=CUSTOMERS
        )
        touched |= {day for (day,) in waiting}
    return touched


def _bronze_of(work: Workspace, source: Source, days: set[date]) -> dict[str, DataFrame]:
    """The source's bronze rows that can hold transactions of ``days``, whenever delivered."""
    wanted = _around(days, _zone_margin(work, source))
    frames = {}
    for table in source.tables:
        frame = work.lakehouse.read(f"bronze/{table}")
        in_one_table = source.delivery(table) == "daily" or isinstance(source, ChangingSource)
        if in_one_table and table == source.transactions_table:
            # Delta's statistics leave the deliveries out that hold no such date.
            frame = frame.where(days_predicate("_event_date", wanted))
        frames[table] = frame
    return frames


def _folders_like_bronze(work: Workspace, days: set[date]) -> Folders:
    """How silver/transactions is laid out: for the rows that bronze has of the sources' days.

    An extract or a database is in bronze whole, whatever days a first run is about.
    """
    deployment = work.deployment
    tables = [f"bronze/{source.transactions_table}" for source in deployment.sources]
    whole = any(
        source.delivery(source.transactions_table) != "daily" for source in deployment.sources
    )
    every = (deployment.last_day() - deployment.settings.start_date).days + 1
    return work.folders_for(sum(map(work.lakehouse.rows, tables)), every if whole else len(days))


def load_transactions(work: Workspace, days: DayRange) -> TransactionsLoaded:
    """Make silver/transactions of ``days``, and of the days that late rows touch, again."""
    lakehouse = work.lakehouse
    # First: what changes from here on is for the next run to notice.
    versions = _bronze_versions(work)
    touched = _touched_days(work, days)
    customers = lakehouse.read(CUSTOMERS)
    few = lakehouse.rows(CUSTOMERS) <= _BROADCAST_CUSTOMERS
    folders = lakehouse.folders(
        TRANSACTIONS, "business_date", new=_folders_like_bronze(work, touched)
    )
    made: list[DataFrame] = []
    excluded: list[DataFrame] = []
    observed: dict[str, tuple[Observation, Observation, Observation]] = {}
    for source in work.deployment.sources:
        seen = (Observation(), Observation(), Observation())
        rows = silver_transactions.prepared(
            source.staged_transactions(_bronze_of(work, source, touched)),
            source=source.name,
            secret=work.deployment.secret,
            time_zone=work.deployment.zone_of(source),
            currency=source.currency,
        ).where(days_predicate("business_date", touched))
        rows = rows.observe(seen[0], *silver_transactions.received_counts())
        if source.has_customers:
            keys = customers.where(F.col("source") == source.name).select("customer_key")
            rows = silver_transactions.known(rows, F.broadcast(keys) if few else keys)
        rows = rows.observe(seen[1], *silver_transactions.excluded_counts(source.exclusion_reasons))
        excluded.append(
            silver_transactions.rejected(rows, ingested_at=work.started_at, run_id=work.run_id)
        )
        single = silver_transactions.deduplicated(
            rows,
            together=folders.of("business_date"),
            partitions=work.shuffle_partitions,
            observation=seen[2],
        )
        made.append(silver_transactions.made_of(single, order_lines=source.order_lines))
        observed[source.name] = seen
    written = lakehouse.replace_days(
        TRANSACTIONS,
        reduce(DataFrame.unionByName, made),
        "business_date",
        touched,
        folders=folders,
        index=_index(TRANSACTIONS),
        note=days_note(touched, bronze=versions),
    )
    accounting = {
        name: Accounting.of(*(observation.get for observation in seen))
        for name, seen in observed.items()
    }
    quarantine = None
    some = any(a.excluded for a in accounting.values())
    if some or lakehouse.exists(REJECTED):
        rejected = reduce(DataFrame.unionByName, excluded)
        if not some:  # the rows need not be looked at once more
            rejected = work.spark.createDataFrame([], rejected.schema)
        quarantine = lakehouse.replace_days(
            REJECTED,
            rejected.repartition(1),
            "business_date",
            touched,
            folders=Folders.NONE,
        )
    return TransactionsLoaded(written, quarantine, tuple(sorted(touched)), accounting)


def load_customer_days(work: Workspace, days: DayRange) -> tuple[Commit, tuple[date, ...]]:
    """Make silver/customer_days of ``days`` and of every day changed upstream since last time."""
    lakehouse = work.lakehouse
    upstream = lakehouse.version(TRANSACTIONS)
    since = consumed_version(lakehouse, CUSTOMER_DAYS)
    stale = set(days) | changed_days(lakehouse, TRANSACTIONS, since, upstream)
    transactions = lakehouse.read_days(TRANSACTIONS, "business_date", stale)
    folders = lakehouse.folders(
        CUSTOMER_DAYS,
        "business_date",
        new=lakehouse.folders(TRANSACTIONS, "business_date", new=Folders.MONTH),
    )
    written = lakehouse.replace_days(
        CUSTOMER_DAYS,
        silver_customer_days.customer_days(
            transactions,
            together=folders.of("business_date"),
            partitions=work.shuffle_partitions,
        ),
        "business_date",
        stale,
        folders=folders,
        index=_index(CUSTOMER_DAYS),
        note=days_note(stale, upstream=upstream),
    )
    return written, tuple(sorted(stale))
