"""Rows leave the tables when they have been kept for as long as ``retention_days`` says.

Of each table first what it holds of the days that are past is noted (`closed_days`), which closes
them; then the rows go; then all that the table was before, to the byte. Whatever is killed on the
way is made good by the next upkeep, and the account closes at every moment. What was made of rows
that go stays as it is: silver of closed days, and the snapshots of gold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.bronze.edits import ROW_HASH
from customer360.contracts import Contract
from customer360.contracts.checks import violation_columns
from customer360.contracts.contract import packaged_tables
from customer360.contracts.spark import table_schema, with_absent_columns
from customer360.contracts.sql import quoted
from customer360.lakehouse.history import drop_history
from customer360.lakehouse.upkeep import size_of
from customer360.pipeline import closed_days
from customer360.pipeline.account import RAW
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.closed_days import BRONZE, Held, close, closed_before, groups_now
from customer360.pipeline.made_of_bronze import not_made_yet
from customer360.pipeline.quarantine import of_raw, worth_rejected
from customer360.pipeline.stale_snapshots import note_without
from customer360.pipeline.workspace import EXPIRED_BEFORE, Workspace, newest_note
from customer360.pipeline.worth import worth_in_bronze, worth_sql
from customer360.retention_rules import days_kept
from customer360.settings import CONTACTS_KEPT
from customer360.silver import customers as silver_customers
from customer360.silver import transactions as silver_transactions
from customer360.silver.transactions import UNKNOWN_CUSTOMER
from customer360.sources.base import Source
from customer360.table_names import (
    AS_OF,
    CUSTOMER_360,
    EXPIRED,
    HISTORY,
    REJECTED,
    quarantine_of,
)


@dataclass(frozen=True)
class TableExpired:
    """What went from a table.

    Attributes:
        table: As ``layer/table``.
        before: Days before this one are closed.
        rows: Rows that went.
        days: Days that lost rows.
        bytes_before: What its data files took on disk, those of former versions among them.
        bytes_after: What they take now.
        waits: Why nothing goes yet of what is past its time; None where it went.
    """

    table: str
    before: date
    rows: int
    days: int
    bytes_before: int
    bytes_after: int
    waits: str | None = None


def expire(
    work: Workspace,
    *,
    today: date | None = None,
    each: Callable[[TableExpired], None] | None = None,
) -> list[TableExpired]:
    """Take away the rows that ``retention_days`` keeps no longer; the caller holds the home.

    Args:
        work: Where.
        today: The day from which ages count; None: the business's.
        each: Called for each table when it is done.

    Returns:
        What went, of each table that has a time; of tables that lost nothing, too. Of bronze
        nothing goes that silver is still to be made of.
    """
    day = today or work.deployment.today()
    done = []
    for table, before, take_away, waits in _tables(work, day):
        size = size_of(work.lakehouse, table).bytes_on_disk
        if waits is None:
            rows, days = take_away(before)
            # Also where a former upkeep was killed here.
            drop_history(work.lakehouse, table)
            left = size_of(work.lakehouse, table).bytes_on_disk
            done.append(TableExpired(table, before, rows, days, size, left))
        else:  # with its history, by which the next load tells what came
            done.append(TableExpired(table, before, 0, 0, size, size, waits))
        if each is not None:
            each(done[-1])
    if work.lakehouse.exists(EXPIRED):
        drop_history(work.lakehouse, EXPIRED)
    return done


Gone = tuple[int, int]
"""Rows that went, and days that lost some."""


Due = tuple[str, date, Callable[[date], Gone], str | None]
"""A table that has a time, the first day that it keeps, what takes the others away, and why that
waits; None: it does not."""


def _tables(work: Workspace, today: date) -> Iterator[Due]:
    """What is due of each table that has a time."""
    kept = work.deployment.settings.retention_days

    def first_kept(table: str, closed: str) -> date | None:
        days = days_kept(kept, table)
        if days is None or not work.lakehouse.exists(table):
            return None
        # What was closed once stays so, also where more is kept from now on.
        before = closed_days.day_before(today, days)
        return max(before, closed_before(work.tables, closed) or before)

    for source in work.deployment.sources:
        for table in source.tables:
            before = first_kept(quarantine_of(table), quarantine_of(table))
            if before is not None and source.delivery(table) == "daily":
                yield quarantine_of(table), before, _Quarantine(work, source, table).take_away, None
    bronze = [
        _Bronze(work, source, table)
        for source in work.deployment.sources
        for table in source.tables
        if work.lakehouse.exists(f"bronze/{table}")
    ]
    before = first_kept(bronze[0].name, BRONZE) if bronze else None
    if before is not None:  # one for all: silver is made of them together
        waits = not_made_yet(work, before)
        if waits is None:
            for each in bronze:  # before the first row goes of one
                each.close(before)
        for each in bronze:
            yield each.name, before, each.take_away, waits
    # After bronze, which says what waits for nothing any more.
    before = first_kept(REJECTED, REJECTED)
    if before is not None:
        yield REJECTED, before, _Rejected(work).take_away, None
    before = first_kept(HISTORY, HISTORY)
    if before is not None:
        yield HISTORY, before, _History(work).take_away, None
    for table in packaged_tables():
        if table.startswith("gold/") and _of_snapshots(table):
            before = first_kept(table, table)
            if before is not None:
                yield table, before, _Snapshots(work, table).take_away, None


@dataclass(frozen=True)
class _Bronze:
    work: Workspace
    source: Source
    table: str

    @property
    def name(self) -> str:
        return f"bronze/{self.table}"

    def close(self, before: date) -> None:
        """Close the table's days before ``before``."""
        past = closed_days.past_sql(self.work, self.source, self.table, before)
        worth = worth_in_bronze(self.source, self.table)
        close(self.work, groups_now(self.work.tables, self.name, before, worth=worth, where=past))

    def take_away(self, before: date) -> Gone:
        """Rows of closed days, but for those that current profiles are made of."""
        rows = with_absent_columns(
            self.work.lakehouse.read(self.name), self.source.contract(self.table)
        )
        # Persisted: what is counted is what goes, and it is found once.
        needed = self._needed(rows, before).persist()
        try:
            return self._without(rows, needed, before)
        finally:
            needed.unpersist()

    def _needed(self, rows: DataFrame, before: date) -> DataFrame:
        """Delivery and hash of the rows that stay: of a row that came often, where it came last."""
        needed = rows.join(_still_needed(self.work, self.source, before), ROW_HASH, "left_semi")
        return needed.groupBy(ROW_HASH).agg(F.max(DELIVERY_DAY).alias(DELIVERY_DAY))

    def _without(self, rows: DataFrame, needed: DataFrame, before: date) -> Gone:
        """Write the table without those of ``rows`` that are past and not ``needed``."""
        is_past = closed_days.is_past(self.work, self.source, self.table, before)
        marked = rows.join(
            needed.withColumn("_needed", F.lit(True)), [DELIVERY_DAY, ROW_HASH], "left"
        ).withColumn("_goes", is_past & F.col("_needed").isNull())
        counted = marked.where("_goes").groupBy(DELIVERY_DAY).count().collect()
        days = sorted(row[0] for row in counted)
        if not days:
            return 0, 0
        contract = self.source.contract(self.table)
        # What is in bronze keeps every rule.
        kept = {mask: F.lit(0).cast("bigint") for mask in violation_columns(contract)}
        names = (*table_schema(contract).names, *violation_columns(contract))
        stay = marked.where(F.col(DELIVERY_DAY).isin(days) & ~F.col("_goes"))
        self.work.lakehouse.replace_days(
            contract,
            stay.withColumns(kept).select(*map(quoted, names)),
            DELIVERY_DAY,
            days,
            note=self._note(before),
        )
        return sum(row[1] for row in counted), len(days)

    def _note(self, before: date) -> str:
        """That rows went and nothing came: no day is to be made again."""
        raw = newest_note(self.work.tables, self.name, RAW) or {}
        carried = {RAW: raw[RAW]} if RAW in raw else {}
        return json.dumps({EXPIRED_BEFORE: str(before)} | carried)


def _still_needed(work: Workspace, source: Source, before: date) -> DataFrame:
    """``_row_hash`` of bronze rows that what is made again, whenever it is, is made of.

    Current profiles are merged from all that was ever said; a refund beside its sale lies on
    another day than the row that states it.
    """
    bronze = {table: work.lakehouse.read(f"bronze/{table}") for table in source.tables}
    secret = work.deployment.secret
    profiles = silver_customers.prepared(
        source.staged_customers(bronze), source=source.name, secret=secret
    )
    needed = silver_customers.deciding(profiles)
    sales = silver_transactions.prepared(
        source.staged_transactions(bronze),
        source=source.name,
        secret=secret,
        time_zone=work.deployment.zone_of(source),
        currency=source.currency,
    )
    of_sales_only = profiles.groupBy("customer_key").agg(F.max(ROW_HASH).alias("_stated"))
    unstated = of_sales_only.where(F.col("_stated").isNull()).select("customer_key")
    first = (
        sales.join(unstated, "customer_key", "left_semi")
        .groupBy("customer_key")
        .agg(F.min_by(ROW_HASH, F.struct("occurred_at", ROW_HASH)).alias(ROW_HASH))
        .select(ROW_HASH)
    )
    needed = needed.unionByName(first)
    if source.splits_rows:
        later = sales.where(F.col("business_date") >= F.lit(before)).select(ROW_HASH)
        needed = needed.unionByName(later)
    return needed.where(F.col(ROW_HASH).isNotNull()).distinct()


@dataclass(frozen=True)
class _Quarantine:
    work: Workspace
    source: Source
    table: str

    def take_away(self, before: date) -> Gone:
        """What was refused of closed deliveries."""
        worth = worth_sql(self.source, self.table, of_raw)
        return _rows_of_closed_days(
            self.work, quarantine_of(self.table), f"{DELIVERY_DAY} < DATE '{before}'", before, worth
        )


@dataclass(frozen=True)
class _Rejected:
    work: Workspace

    def take_away(self, before: date) -> Gone:
        """What silver kept out, but for sales that are taken when their customer is delivered.

        By these rows silver knows the days to make again; of days closed for bronze it makes none.
        """
        worth = worth_rejected(self.work.deployment)
        settled = f"NOT array_contains(reasons, '{UNKNOWN_CUSTOMER}')"
        closed = closed_before(self.work.tables, BRONZE)
        if closed is not None:
            settled = f"({settled} OR business_date < DATE '{closed}')"
        past = f"business_date < DATE '{before}' AND {settled}"
        return _rows_of_closed_days(self.work, REJECTED, past, before, worth)


@dataclass(frozen=True)
class _History:
    work: Workspace

    def take_away(self, before: date) -> Gone:
        """Versions of profiles that ended long ago; what was true later stays."""
        past = f"valid_to < TIMESTAMP '{before} 00:00:00'"
        carried = newest_note(self.work.tables, HISTORY, "bronze")
        note = None if carried is None else json.dumps(carried)
        return _rows_of_closed_days(self.work, HISTORY, past, before, "NULL", note=note)


def _rows_of_closed_days(
    work: Workspace, table: str, past: str, before: date, worth: str, *, note: str | None = None
) -> Gone:
    """Note what ``table`` holds of closed days, and write it again without.

    Args:
        work: Where.
        table: One that is small beside bronze, and written as a whole.
        past: SQL of the rows, for DuckDB and Spark.
        before: Days before it are closed.
        worth: DuckDB's SQL of what a row is worth.
        note: For the commit.
    """
    going = groups_now(work.tables, table, before, worth=worth, where=past)
    if not going:
        return 0, 0
    close(work, going)
    contract = Contract.load(table)
    stay = work.lakehouse.read(table).where(f"NOT coalesce({past}, false)")
    work.lakehouse.replace_all(contract, with_absent_columns(stay, contract), note=note)
    return _sum(going)


@dataclass(frozen=True)
class _Snapshots:
    work: Workspace
    table: str

    def take_away(self, before: date) -> Gone:
        """Snapshots of long ago; never the newest there is."""
        lakehouse = self.work.lakehouse
        dates = lakehouse.days_of(self.table, AS_OF)
        going = [day for day in dates[:-1] if day < before]
        if not going:
            return 0, 0
        held = groups_now(
            self.work.tables, self.table, before, where=f"{AS_OF} <= DATE '{going[-1]}'"
        )
        close(self.work, held)
        contract = Contract.load(self.table)
        nothing = with_absent_columns(lakehouse.read_days(self.table, AS_OF, []), contract)
        note = note_without(self.work.tables, self.table, going)
        lakehouse.replace_days(contract, nothing, AS_OF, going, note=note)
        return _sum(held)


def _sum(going: Collection[Held]) -> Gone:
    days = {each.delivered_on or each.own_day for each in going}
    return sum(each.rows for each in going), len(days)


def expire_in_warehouse(work: Workspace) -> int:
    """Take away from the warehouse contacts of long ago and what gold keeps no more; how many rows.

    Nothing, where no figure is stated for them or nothing was published.

    Raises:
        WarehouseError: The database refuses.
    """
    settings = work.deployment.settings
    first: dict[str, date] = {}
    for table in packaged_tables():
        is_kept = table.startswith("gold/") and days_kept(settings.retention_days, table)
        dates = work.lakehouse.days_of(table, AS_OF) if is_kept and _of_snapshots(table) else []
        if dates:
            first[table.replace("/", ".")] = dates[0]
    from customer360.serving.expiry import remove_older, remove_older_contacts
    from customer360.serving.warehouse import is_made, open_warehouse

    contacts = settings.retention_days.get(CONTACTS_KEPT)
    if (not first and contacts is None) or not is_made(settings):
        return 0
    owner = open_warehouse(settings).owner
    gone = remove_older(owner, first, first.get(CUSTOMER_360.replace("/", "."))) if first else 0
    return gone + (0 if contacts is None else remove_older_contacts(owner, contacts))


def _of_snapshots(table: str) -> bool:
    return Contract.load(table).expires_by == AS_OF
