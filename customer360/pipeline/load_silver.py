"""Bronze to silver: which days are made again, from which rows, and the rows' accounting."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial, reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.reasons import OTHER_CURRENCY
from customer360.contracts.spark import with_absent_columns
from customer360.days import DayRange
from customer360.lakehouse.counting import Counts
from customer360.lakehouse.delta_log import Commit
from customer360.lakehouse.tables import Folders, Lakehouse, days_predicate
from customer360.pipeline import account
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.closed_days import BRONZE, Held, closed_before, open_days, state
from customer360.pipeline.definitions import defined_anew, definitions_note
from customer360.pipeline.few_rows import are_few, sent_if
from customer360.pipeline.order_days import (
    OrderDays,
    around,
    bronze_versions,
    changed_event_days,
    newest_day,
    order_days,
    release,
    zone_margin,
)
from customer360.pipeline.profile_rows import ProfileRows, profile_rows
from customer360.pipeline.workspace import (
    Workspace,
    bronze_note,
    changed_days,
    consumed_bronze,
    consumed_version,
    days_note,
    newest_note,
)
from customer360.silver import customer_days as silver_customer_days
from customer360.silver import customer_history as silver_history
from customer360.silver import customers as silver_customers
from customer360.silver import money as silver_money
from customer360.silver import order_lines as silver_order_lines
from customer360.silver import transactions as silver_transactions
from customer360.silver.money import LoadedMoney
from customer360.silver.transactions import Accounting
from customer360.sources.base import ChangingSource, Source
from customer360.table_names import (
    CUSTOMER_DAYS,
    CUSTOMERS,
    HISTORY,
    ORDER_LINES,
    REJECTED,
    TRANSACTIONS,
)

_LINES = "lines"
"""Key, in a note of silver/transactions, of the version of silver/order_lines it goes with."""


@dataclass(frozen=True)
class TransactionsLoaded:
    """What loading silver/transactions did.

    Attributes:
        written: The commit.
        lines: The commit of silver/order_lines; None where no source has, or had, lines.
        quarantine: The commit of ``quarantine/transactions``.
        days: The days made again: those asked for and those that late rows touched.
        accounting: Where each source's rows went.
        money: Where each source's money went.
    """

    written: Commit
    lines: Commit | None
    quarantine: Commit | None
    days: tuple[date, ...]
    accounting: Mapping[str, Accounting]
    money: Mapping[str, LoadedMoney]


def load_customers(work: Workspace, days: DayRange) -> Commit:
    """Bring silver/customers up to what was delivered on ``days``."""
    versions = bronze_versions(work)
    profiles = profile_rows(work, days, CUSTOMERS, versions)
    return _replace_people(
        work, CUSTOMERS, silver_customers.latest(profiles.rows), profiles.concerned, versions
    )


def load_customer_history(work: Workspace, days: DayRange) -> Commit:
    """Bring silver/customer_history up to what was delivered on ``days``."""
    versions = bronze_versions(work)
    profiles = profile_rows(work, days, HISTORY, versions)
    rows, closed = profiles.rows, closed_before(work.tables, BRONZE)
    if closed is not None and work.lakehouse.exists(HISTORY):
        rows = _with_what_was(work, profiles, closed)
    made = silver_history.history(rows)
    expired = closed_before(work.tables, HISTORY)
    if expired is not None:
        made = made.where(silver_history.lasts_until(expired))
    return _replace_people(work, HISTORY, made, profiles.concerned, versions)


def _with_what_was(work: Workspace, profiles: ProfileRows, closed: date) -> DataFrame:
    """Profiles of open days, behind the versions that are known of the days before them.

    A version that began on the first open day may be of a row of another zone's day before.
    """
    # A table that an older release made has not all that a profile says now.
    versions = with_absent_columns(work.lakehouse.read(HISTORY), Contract.load(HISTORY))
    known = versions.where(
        F.col("valid_from") < F.lit(closed + timedelta(days=1)).cast("timestamp")
    )
    # Of who is in no row any more, nothing was.
    still = profiles.rows.select("customer_key").distinct()
    was = silver_history.as_profiles(known.join(still, "customer_key", "left_semi"))
    # What is left of closed days speaks of now; of then, the versions do.
    late = F.coalesce(F.col("_delivered_on") >= F.lit(closed), F.lit(True))
    shared = profiles.rows.where(late).select(*was.columns)
    return shared.unionByName(was)


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
    # A load is over when the customers' days are made of it: one that was stopped between the
    # transactions and their quarantine, or whose checks failed, has consumed nothing.
    finished = consumed_version(lakehouse, CUSTOMER_DAYS)
    seen: dict[str, int] = {}
    anew: set[str] = set()
    if finished is not None and lakehouse.exists(TRANSACTIONS):
        seen = consumed_bronze(lakehouse, TRANSACTIONS, until=finished)
        anew = defined_anew(work, TRANSACTIONS, until=finished)
    if lakehouse.exists(TRANSACTIONS) and not lakehouse.exists(ORDER_LINES):
        # An older release loaded them: their lines are still to be made, of all days.
        anew |= {source.name for source in work.deployment.sources if source.has_lines}
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
    touched |= _half_loaded(lakehouse)
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


def _half_loaded(lakehouse: Lakehouse) -> set[date]:
    """Days whose lines a load wrote that was stopped before it wrote their transactions."""
    if not lakehouse.exists(ORDER_LINES):
        return set()
    note = newest_note(lakehouse, TRANSACTIONS, _LINES)
    since = None if note is None else int(note[_LINES])
    return changed_days(lakehouse, ORDER_LINES, since, lakehouse.version(ORDER_LINES))


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


@dataclass(frozen=True)
class _Settled:
    """What the rows of one source come to on the days that are made again; nothing has run yet.

    Attributes:
        source: Whose.
        observed: What is counted on the way, of rows received, judged and settled.
        excluded: The rows left out, as ``quarantine/transactions`` has them.
        kept: The rows that count, orders or order lines. The first write of them counts on the way.
        again: Settles all rows once more, with nothing counted.
    """

    source: Source
    observed: tuple[Counts, Counts, Counts]
    excluded: DataFrame
    kept: DataFrame
    again: Callable[[], DataFrame]


@dataclass(frozen=True)
class _Load:
    """One load of silver/transactions and of what is made with it.

    Attributes:
        work: Where.
        days: The days that are made again.
        orders: What each source's orders need.
        folders: How silver/transactions is laid out, and what is made with it.
        closed: Days before it are not made again; None: all may be.
    """

    work: Workspace
    days: set[date]
    orders: Mapping[str, OrderDays]
    folders: Folders
    closed: date | None

    @property
    def together(self) -> Column:
        """What the rows of one file have in common."""
        return self.folders.of("business_date")

    def judged(self, source: Source, rows: DataFrame) -> DataFrame:
        """``rows`` of which those are excluded that the source's customers or closed days forbid.

        Of customers whom the source does not know, and of orders that stand on a closed day.
        """
        lakehouse = self.work.lakehouse
        table = ORDER_LINES if source.order_lines else TRANSACTIONS
        if self.closed is not None and source.states_keys and lakehouse.exists(table):
            of_source = lakehouse.read(table).where(F.col("source") == source.name)
            closed = of_source.where(F.col("business_date") < F.lit(self.closed))
            rows = silver_transactions.not_of_closed_days(rows, closed)
        if not source.has_customers:
            return rows
        own = lakehouse.read(CUSTOMERS).where(F.col("source") == source.name)
        keys = own.select("customer_key")
        return silver_transactions.known(rows, sent_if(are_few(lakehouse.rows(CUSTOMERS)), keys))

    def standing(self, source: Source) -> DataFrame | None:
        """Which rows stand of the orders that lie on several days; None where there are none."""
        needed = self.orders[source.name]
        if needed.moved is None:
            return None
        everywhere = _prepared(self.work, source, self.days | needed.read)
        come = everywhere.where(F.col("business_date") <= F.lit(newest_day(self.work, self.days)))
        return silver_transactions.standing_rows(self.judged(source, come), needed.moved)

    def rejected(self, rows: DataFrame) -> DataFrame:
        """Excluded ones of ``rows`` as ``quarantine/transactions`` has them."""
        return silver_transactions.rejected(
            rows, ingested_at=self.work.started_at, run_id=self.work.run_id
        )

    def settled(self, source: Source) -> _Settled:
        """The rows of ``source``, each stage counted as it passes."""
        of_days = days_predicate("business_date", self.days)
        received = _prepared(self.work, source, self.days).where(of_days)
        came = Counts(
            received,
            *silver_transactions.received_counts(),
            *silver_money.received_money(source.currency),
        )
        left_out = Counts(
            self.judged(source, came.passing),
            *silver_transactions.excluded_counts(
                source.exclusion_reasons, source.stated_exclusions
            ),
            *silver_money.excluded_money(),
        )
        rows = left_out.passing
        settle = partial(
            silver_transactions.settled,
            together=self.together,
            partitions=self.work.shuffle_partitions,
            lines=source.order_lines,
            standing=self.standing(source),
        )
        # Without the file's name, a long text that only quarantine needs.
        kept = Counts(
            settle(rows.drop("_source_file")),
            *silver_transactions.settled_counts(),
            *silver_money.settled_money(),
        )
        again = partial(settle, self.judged(source, received))
        seen = (came, left_out, kept)
        standing = silver_transactions.kept(kept.passing)
        return _Settled(source, seen, self.rejected(rows), standing, again)

    def write_lines(self, sources: Sequence[_Settled]) -> Commit:
        """Make silver/order_lines of what ``sources``, which have lines, have kept.

        Where no source has any more, a table that is there holds none of these days.
        """
        lines = [self._lines(each) for each in sources]
        if not lines:
            lines.append(self.work.lakehouse.read_days(ORDER_LINES, "business_date", []))
        return self.work.lakehouse.replace_days(
            Contract.load(ORDER_LINES),
            reduce(DataFrame.unionByName, lines),
            "business_date",
            self.days,
            folders=self.folders,
            note=days_note(self.days),
        )

    def _lines(self, of: _Settled) -> DataFrame:
        if of.source.order_lines:
            return silver_order_lines.of_lines(of.kept)
        return silver_order_lines.of_orders(
            silver_transactions.kept(of.again()),
            of.source.staged_lines(_bronze_of(self.work, of.source, self.days)),
            source=of.source.name,
            secret=self.work.deployment.secret,
            partitions=self.work.shuffle_partitions,
        )

    def write_transactions(self, sources: Sequence[_Settled], note: str) -> Commit:
        """Make silver/transactions of what ``sources`` have kept."""
        return self.work.lakehouse.replace_days(
            Contract.load(TRANSACTIONS),
            reduce(DataFrame.unionByName, map(self._orders, sources)),
            "business_date",
            self.days,
            folders=self.folders,
            note=note,
        )

    def _orders(self, of: _Settled) -> DataFrame:
        if not of.source.order_lines:
            return silver_transactions.orders(of.kept)
        lines = self.work.lakehouse.read_days(ORDER_LINES, "business_date", self.days)
        return silver_transactions.orders_from_lines(
            silver_order_lines.stored(
                lines.where(F.col("source") == of.source.name),
                together=self.together,
                partitions=self.work.shuffle_partitions,
            )
        )

    def write_quarantine(
        self, sources: Sequence[_Settled], accounting: Mapping[str, Accounting]
    ) -> Commit | None:
        """Make quarantine/transactions of what was left out, or was the last time."""
        some = any(a.excluded for a in accounting.values())
        if not some and not self.work.lakehouse.exists(REJECTED):
            return None
        excluded = [each.excluded for each in sources]
        # Else the rows need not be settled once more.
        contrary = (each for each in sources if accounting[each.source.name].conflicts)
        excluded += [
            self.rejected(silver_transactions.conflicting(each.again())) for each in contrary
        ]
        rejected = reduce(DataFrame.unionByName, excluded)
        if not some:  # the rows need not be looked at once more
            rejected = rejected.where(F.lit(False))
        rejected = self._not_past(rejected)
        return self.work.lakehouse.replace_days(
            Contract.load(REJECTED),
            rejected.repartition(1),
            "business_date",
            self.days,
            folders=Folders.NONE,
        )

    def _not_past(self, rejected: DataFrame) -> DataFrame:
        """``rejected`` but for rows of days that are closed for them, which are only counted.

        Sales that wait for their customer stay: by them the days are known that are made again.
        """
        before = closed_before(self.work.tables, REJECTED)
        past = {day for day in self.days if before is not None and day < before}
        if before is None or not past:
            return rejected
        amount = F.abs(F.get_json_object("raw", "$.amount").cast("decimal(38,2)"))
        is_past = F.expr(days_predicate("business_date", past)) & ~F.array_contains(
            "reasons", silver_transactions.UNKNOWN_CUSTOMER
        )
        grouped = rejected.where(is_past).groupBy(
            F.get_json_object("raw", "$.source").alias("source"),
            "business_date",
            F.col("reasons")[0].alias("reason"),
        )
        counted = grouped.agg(F.count(F.lit(1)), F.sum(amount)).collect()
        now = [
            # Money of another currency has no sum with it.
            Held(REJECTED, source, None, day, why, n, None if why == OTHER_CURRENCY else m, before)
            for source, day, why, n, m in counted
        ]
        state(self.work, REJECTED, now, lambda held: held.own_day in past)
        return rejected.where(~is_past)


def load_transactions(work: Workspace, days: DayRange) -> TransactionsLoaded:
    """Make silver/transactions of ``days`` again, and of the days that their orders touch.

    Before it silver/order_lines, where a source has, or had, lines; of a source whose rows are
    lines, the orders are then made of those. What says which bronze they are made of is written
    last, with the transactions: what a load that is stopped before made of lines, the next one
    makes again.
    """
    lakehouse = work.lakehouse
    # First: what changes from here on is for the next run to notice.
    versions = bronze_versions(work)
    closed = closed_before(work.tables, BRONZE)
    # Where all days are closed, the first open one is made again, which comes to what it is.
    wanted = open_days(_touched_days(work, days, versions), closed) or {closed or days.last}
    touched, orders = order_days(work, wanted, partial(_prepared, work), closed)
    folders = lakehouse.folders(
        TRANSACTIONS, "business_date", new=_folders_like_bronze(work, touched)
    )
    load = _Load(work, touched, orders, folders, closed)
    sources = [load.settled(source) for source in work.deployment.sources]
    with_lines = [each for each in sources if each.source.has_lines]
    made = with_lines or lakehouse.exists(ORDER_LINES)
    lines = load.write_lines(with_lines) if made else None
    beside = {_LINES: lines.version} if lines else {}
    note = days_note(touched, bronze=versions, **beside, **definitions_note(work))
    written = load.write_transactions(sources, note)
    observed = {each.source.name: [seen.get for seen in each.observed] for each in sources}
    accounting = {name: Accounting.of(*seen) for name, seen in observed.items()}
    money = {name: LoadedMoney.of(*seen) for name, seen in observed.items()}
    quarantine = load.write_quarantine(sources, accounting)
    for needed in orders.values():
        release(needed)
    return TransactionsLoaded(written, lines, quarantine, tuple(sorted(touched)), accounting, money)


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
