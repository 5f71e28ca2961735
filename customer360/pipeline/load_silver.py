"""Bronze to silver: which days are made again, from which rows, and the rows' accounting."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial, reduce

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.lakehouse.delta_log import Commit
from customer360.lakehouse.tables import Folders, days_predicate
from customer360.pipeline import account
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.definitions import defined_anew, definitions_note
from customer360.pipeline.order_days import (
    around,
    bronze_versions,
    changed_event_days,
    newest_day,
    order_days,
    release,
    zone_margin,
)
from customer360.pipeline.profile_rows import profile_rows
from customer360.pipeline.workspace import (
    Workspace,
    bronze_note,
    changed_days,
    consumed_bronze,
    consumed_version,
    days_note,
)
from customer360.silver import customer_days as silver_customer_days
from customer360.silver import customer_history as silver_history
from customer360.silver import customers as silver_customers
from customer360.silver import money as silver_money
from customer360.silver import transactions as silver_transactions
from customer360.silver.money import LoadedMoney
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
        money: Where each source's money went.
    """

    written: Commit
    quarantine: Commit | None
    days: tuple[date, ...]
    accounting: Mapping[str, Accounting]
    money: Mapping[str, LoadedMoney]


def load_customers(work: Workspace, days: DayRange) -> Commit:
    """Bring silver/customers up to what was delivered on ``days``."""
    versions = bronze_versions(work)
    found = profile_rows(work, days, CUSTOMERS, versions)
    return _replace_people(
        work, CUSTOMERS, silver_customers.latest(found.rows), found.concerned, versions
    )


def load_customer_history(work: Workspace, days: DayRange) -> Commit:
    """Bring silver/customer_history up to what was delivered on ``days``."""
    versions = bronze_versions(work)
    found = profile_rows(work, days, HISTORY, versions)
    return _replace_people(
        work, HISTORY, silver_history.history(found.rows), found.concerned, versions
    )


def _replace_people(
    work: Workspace,
    table: str,
    rows: DataFrame,
    concerned: DataFrame | None,
    versions: dict[str, int],
) -> Commit:
    """Make ``rows`` all there is of the customers ``concerned``, or of anybody."""
    contract, note = Contract.load(table), bronze_note(versions, **definitions_note(work))
    if concerned is None:
        return work.lakehouse.replace_all(contract, rows, note=note)
    return work.lakehouse.replace_groups(contract, rows, concerned, note=note)


def _touched_days(work: Workspace, days: DayRange, versions: dict[str, int]) -> set[date]:
    """``days``, the days of rows that came with them, however late, or went since last time.

    All days where a source's rows mean something else than they did.
    """
    lakehouse, last = work.lakehouse, work.deployment.last_day()
    touched = set(days)
    seen = consumed_bronze(lakehouse, TRANSACTIONS)
    anew = defined_anew(work, TRANSACTIONS) if lakehouse.exists(TRANSACTIONS) else set()
    for source in work.deployment.sources:
        margin = zone_margin(work, source)
        table = source.transactions_table
        if source.delivery(table) == "daily":
            late = work.tables.ask(
                f"""
                SELECT DISTINCT _event_date FROM rows WHERE _event_date IS NOT NULL
                AND {days_predicate(DELIVERY_DAY, list(days))}
                """,
                rows=f"bronze/{table}",
            )
            touched |= around({day for (day,) in late}, margin)
        changed = None if source.name in anew else changed_event_days(work, source, seen, versions)
        if changed is None:
            touched |= set(DayRange(work.deployment.settings.start_date, last))
            touched |= set(lakehouse.days_of(TRANSACTIONS, "business_date"))
        elif changed:
            # What has no partition yet is made when its day is over, whole; what silver has is
            # mended wherever it lies.
            newest = max(last, lakehouse.maximum(TRANSACTIONS, "business_date") or last)
            touched |= {day for day in around(changed, margin) if day <= newest}
    if lakehouse.exists(REJECTED):
        waiting = work.tables.ask(
            silver_transactions.RECOVERABLE_DAYS, quarantine=REJECTED, customers=CUSTOMERS
        )
        touched |= {day for (day,) in waiting}
    if lakehouse.exists(TRANSACTIONS) and any(s.has_customers for s in work.deployment.sources):
        orphaned = work.tables.ask(
            silver_transactions.ORPHANED_DAYS, transactions=TRANSACTIONS, customers=CUSTOMERS
        )
        touched |= {day for (day,) in orphaned}
    return touched


def _bronze_of(
    work: Workspace, source: Source, days: Collection[date] | None
) -> dict[str, DataFrame]:
    """The source's bronze rows that can hold transactions of ``days`` (None: of all days)."""
    frames = {}
    for table in source.tables:
        frame = work.lakehouse.read(f"bronze/{table}")
        in_one_table = source.delivery(table) == "daily" or isinstance(source, ChangingSource)
        if days is not None and in_one_table and table == source.transactions_table:
            wanted = around(days, zone_margin(work, source))
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


def _prepared(work: Workspace, source: Source, days: Collection[date] | None) -> DataFrame:
    """The source's prepared transactions that can be of ``days``, and some of days beside them."""
    return silver_transactions.prepared(
        source.staged_transactions(_bronze_of(work, source, days)),
        source=source.name,
        secret=work.deployment.secret,
        time_zone=work.deployment.zone_of(source),
        currency=source.currency,
    )


def load_transactions(work: Workspace, days: DayRange) -> TransactionsLoaded:
    """Make silver/transactions of ``days`` again, and of the days that their orders touch."""
    lakehouse = work.lakehouse
    # First: what changes from here on is for the next run to notice.
    versions = bronze_versions(work)
    touched, orders = order_days(
        work, _touched_days(work, days, versions), partial(_prepared, work)
    )
    customers = lakehouse.read(CUSTOMERS)
    few = lakehouse.rows(CUSTOMERS) <= _BROADCAST_CUSTOMERS
    folders = lakehouse.folders(
        TRANSACTIONS, "business_date", new=_folders_like_bronze(work, touched)
    )
    made: list[DataFrame] = []
    excluded: list[DataFrame] = []
    in_conflict: dict[str, Callable[[], DataFrame]] = {}
    observed: dict[str, tuple[Observation, Observation, Observation]] = {}
    for source in work.deployment.sources:
        seen = (Observation(), Observation(), Observation())

        def judged(rows: DataFrame, source: Source = source) -> DataFrame:
            if not source.has_customers:
                return rows
            keys = customers.where(F.col("source") == source.name).select("customer_key")
            return silver_transactions.known(rows, F.broadcast(keys) if few else keys)

        of_days = days_predicate("business_date", touched)
        received = _prepared(work, source, touched).where(of_days)
        counted = received.observe(
            seen[0],
            *silver_transactions.received_counts(),
            *silver_money.received_money(source.currency),
        )
        rows = judged(counted).observe(
            seen[1],
            *silver_transactions.excluded_counts(
                source.exclusion_reasons, source.stated_exclusions
            ),
            *silver_money.excluded_money(),
        )
        excluded.append(
            silver_transactions.rejected(rows, ingested_at=work.started_at, run_id=work.run_id)
        )
        moved, standing = orders[source.name].moved, None
        if moved is not None:
            everywhere = _prepared(work, source, touched | orders[source.name].read)
            come = everywhere.where(F.col("business_date") <= F.lit(newest_day(work, touched)))
            standing = silver_transactions.standing_rows(judged(come), moved)
        settle = partial(
            silver_transactions.settled,
            together=folders.of("business_date"),
            partitions=work.shuffle_partitions,
            lines=source.order_lines,
            standing=standing,
        )
        # Without the file's name, a long text that only quarantine needs.
        settled = settle(rows.drop("_source_file")).observe(
            seen[2], *silver_transactions.settled_counts(), *silver_money.settled_money()
        )
        single = silver_transactions.kept(settled)
        in_conflict[source.name] = partial(settle, judged(received))
        made.append(silver_transactions.made_of(single, order_lines=source.order_lines))
        observed[source.name] = seen
    written = lakehouse.replace_days(
        Contract.load(TRANSACTIONS),
        reduce(DataFrame.unionByName, made),
        "business_date",
        touched,
        folders=folders,
        note=days_note(touched, bronze=versions, **definitions_note(work)),
    )
    accounting = {
        name: Accounting.of(*(observation.get for observation in seen))
        for name, seen in observed.items()
    }
    money = {
        name: LoadedMoney.of(*(observation.get for observation in seen))
        for name, seen in observed.items()
    }
    excluded += [
        silver_transactions.rejected(
            silver_transactions.conflicting(settled_again()),
            ingested_at=work.started_at,
            run_id=work.run_id,
        )
        for name, settled_again in in_conflict.items()
        if accounting[name].conflicts  # else the rows need not be settled once more
    ]
    quarantine = None
    some = any(a.excluded for a in accounting.values())
    if some or lakehouse.exists(REJECTED):
        rejected = reduce(DataFrame.unionByName, excluded)
        if not some:  # the rows need not be looked at once more
            rejected = rejected.where(F.lit(False))
        quarantine = lakehouse.replace_days(
            Contract.load(REJECTED),
            rejected.repartition(1),
            "business_date",
            touched,
            folders=Folders.NONE,
        )
    for needed in orders.values():
        release(needed)
    return TransactionsLoaded(written, quarantine, tuple(sorted(touched)), accounting, money)


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
        Contract.load(CUSTOMER_DAYS),
        silver_customer_days.customer_days(
            transactions,
            together=folders.of("business_date"),
            partitions=work.shuffle_partitions,
        ),
        "business_date",
        stale,
        folders=folders,
        note=days_note(
            stale,
            upstream=upstream,
            **account.noted_account(work.tables, work.deployment, stale),
        ),
    )
    return written, tuple(sorted(stale))
