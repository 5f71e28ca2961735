"""Which days of silver/transactions a load makes again: where its orders lie, lay, or come to lie.

An order is one whatever its day. Where a row of it comes, goes or moves, every day on which it has
a row is made again, and is made from all of its rows: so the tables depend on what was delivered,
and not on how it was cut into loads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.lakehouse.tables import days_predicate
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.few_rows import few_on, sent_if
from customer360.pipeline.workspace import Workspace, changed_days, past_expiries
from customer360.silver import transactions as silver_transactions
from customer360.sources.base import ChangingSource, Source
from customer360.table_names import REJECTED, TRANSACTIONS

Prepared = Callable[[Source, "Collection[date] | None"], DataFrame]
"""A source's prepared transactions whose own dates can be of some days; of all days for None."""


@dataclass(frozen=True)
class OrderDays:
    """What one source's orders need.

    Attributes:
        moved: Keys that have rows on several days, as `silver.transactions.moved_keys` gives them
            (persisted); None where there are none.
        read: The days on which those have rows, and orders that have left the days made again.
    """

    moved: DataFrame | None
    read: frozenset[date]


def around(days: Collection[date], margin: timedelta) -> set[date]:
    """``days`` and those a zone's ``margin`` away."""
    return {day + step for day in days for step in (-margin, timedelta(0), margin)}


def zone_margin(work: Workspace, source: Source) -> timedelta:
    """How far a row's own date may lie from its business date."""
    same = source.event_zones == {work.deployment.zone_of(source)}
    return timedelta(days=0 if same else 1)


def bronze_versions(work: Workspace) -> dict[str, int]:
    """The version that each bronze table is at."""
    tables = [f"bronze/{table}" for source in work.deployment.sources for table in source.tables]
    return {table: work.lakehouse.version(table) for table in tables}


def changed_event_days(
    work: Workspace, source: Source, seen: dict[str, int], now: dict[str, int]
) -> set[date] | None:
    """Own dates of the transactions that bronze gained, lost or changed since it was ``seen``.

    Args:
        work: Where.
        source: Whose.
        seen: Versions of bronze tables that silver was last made from; of a table that is not
            there nothing was made, so nothing is to be mended.
        now: As `bronze_versions` gives them.

    Returns:
        The dates; None where it cannot be told any more, so that any may have changed.
    """
    changed: set[date] = set()
    for name in source.tables:
        table = f"bronze/{name}"
        before, after = seen.get(table), now[table]
        if before is None or before == after:
            continue
        if before > after:
            return None  # deleted and made again
        before = past_expiries(work.lakehouse, table, before)
        own = name == source.transactions_table
        if before == after:
            continue
        if isinstance(source, ChangingSource):
            changed |= changed_days(work.lakehouse, table, before, after)
        elif source.delivery(name) == "daily":
            if own:
                replaced = changed_days(work.lakehouse, table, before, after)
                days = _replaced_event_days(work, table, before, replaced)
                if days is None:
                    return None
                changed |= days
        elif not own:
            return None  # what an order's other tables say of it may concern any day
        else:
            days = _differing(work, table, before)
            if days is None:
                return None
            changed |= days
    return changed


def order_days(
    work: Workspace, touched: set[date], prepared: Prepared, closed: date | None = None
) -> tuple[set[date], dict[str, OrderDays]]:
    """``touched`` and the other days of the orders on them, and what each source's orders need.

    Args:
        work: Where.
        touched: Days with rows that came, went or changed.
        prepared: Gives the rows of a source.
        closed: Days before it are not made again, whatever lies on them; None: all may be.
    """
    newest = newest_day(work, touched)
    made = set(touched)
    orders = {
        source.name: _moved(work, source, made, newest, prepared, closed)
        for source in work.deployment.sources
    }
    for needed in orders.values():
        made |= {day for day in needed.read if closed is None or day >= closed}
    if made != touched:
        # The days that came along hold other orders, which have their own other days.
        for source in work.deployment.sources:
            release(orders[source.name])
            orders[source.name] = _moved(work, source, made, newest, prepared, closed)
    return made, orders


def newest_day(work: Workspace, touched: Collection[date]) -> date:
    """The last day there are orders of: a row of a later one waits, and settles nothing yet."""
    return max(work.deployment.last_day(), max(touched))


def release(needed: OrderDays) -> None:
    """Let go of what is kept in memory."""
    if needed.moved is not None:
        needed.moved.unpersist()


def _moved(
    work: Workspace,
    source: Source,
    days: set[date],
    newest: date,
    prepared: Prepared,
    closed: date | None,
) -> OrderDays:
    """Where the keys with a row on ``days``, now or as silver has it, lie; those on several."""
    none = OrderDays(None, frozenset())
    if not (source.states_keys or source.splits_rows):
        return none
    if _covers(work, source, days, newest, prepared, closed):
        if not source.states_keys:
            return none
        rows = _up_to(prepared(source, days), newest)
        moved = silver_transactions.moved_keys(rows).persist()
        if moved.count():
            return OrderDays(moved, frozenset(days))
        moved.unpersist()
        return none
    of_days = prepared(source, days).where(days_predicate("business_date", days))
    known = [of_days.select("order_id"), *_known_on(work, source, days)]
    concerned = reduce(DataFrame.unionByName, known).distinct()
    concerned = sent_if(_few_on(work, source, days), concerned)
    rows = _up_to(prepared(source, None), newest)
    theirs = rows.join(concerned, "order_id", "left_semi")
    placed = silver_transactions.business_dates(theirs).collect()
    # Days of orders that were here are theirs too, though no row of them is here any more.
    lie_on = frozenset(row["business_date"] for row in placed)
    if source.splits_rows:
        # A refund beside its sale has a day of its own, which no date in bronze tells once it went.
        held = _held(work, source, None)
        lay = [rows.join(concerned, "order_id", "left_semi") for rows in held]
        if lay:
            dates = reduce(DataFrame.unionByName, lay).select("business_date").distinct()
            lie_on |= {row["business_date"] for row in dates.collect()}
    if not source.states_keys or not any(row["moved"] for row in placed):
        return OrderDays(None, lie_on - days)
    return OrderDays(silver_transactions.moved_keys(theirs).persist(), lie_on)


def _up_to(rows: DataFrame, newest: date) -> DataFrame:
    return rows.where(F.col("business_date") <= F.lit(newest))


def _covers(
    work: Workspace,
    source: Source,
    days: set[date],
    newest: date,
    prepared: Prepared,
    closed: date | None,
) -> bool:
    """Whether no transaction of ``source`` up to ``newest`` lies, or lay, on another open day."""
    table, lakehouse = f"bronze/{source.transactions_table}", work.lakehouse
    first, last = (
        lakehouse.minimum(table, "_event_date"),
        lakehouse.maximum(table, "_event_date"),
    )
    if first is None or last is None:
        return False
    margin = zone_margin(work, source)
    first, last = first - margin, min(last + margin, newest)
    if closed is not None:
        first = max(first, closed)
    wanted = (last - first).days + 1
    if wanted > len(days) or sum(first <= day <= last for day in days) != wanted:
        return False
    if not source.splits_rows:
        return True
    everywhere = [_up_to(prepared(source, None), newest), *_held(work, source, None)]
    dates = reduce(DataFrame.unionByName, (rows.select("business_date") for rows in everywhere))
    if closed is not None:
        dates = dates.where(F.col("business_date") >= F.lit(closed))
    return dates.where(~F.expr(days_predicate("business_date", days))).isEmpty()


def _few_on(work: Workspace, source: Source, days: set[date]) -> bool:
    """Whether few orders have a row on ``days``, in bronze or as `_held` gives them."""
    own = around(days, zone_margin(work, source))
    places = (
        (f"bronze/{source.transactions_table}", "_event_date", own),
        (TRANSACTIONS, "business_date", days),
        (REJECTED, "business_date", days),
    )
    return all(
        few_on(work, table, column, its_days)
        for table, column, its_days in places
        if work.lakehouse.exists(table)
    )


def _known_on(work: Workspace, source: Source, days: set[date]) -> list[DataFrame]:
    """Orders that silver has, or has kept out, on ``days``: their rows may have gone."""
    return [rows.select("order_id") for rows in _held(work, source, days)]


def _held(work: Workspace, source: Source, days: set[date] | None) -> list[DataFrame]:
    """``order_id`` and ``business_date`` of what silver has, or has kept out as a conflict.

    Of ``days``, or of all days for None.
    """

    def of(table: str) -> DataFrame:
        if days is None:
            return work.lakehouse.read(table)
        return work.lakehouse.read_days(table, "business_date", days)

    held = []
    if work.lakehouse.exists(TRANSACTIONS):
        own = of(TRANSACTIONS).where(F.col("source") == source.name)
        held.append(own.select("order_id", "business_date"))
    if work.lakehouse.exists(REJECTED):
        conflicts = F.arrays_overlap("reasons", F.array(*map(F.lit, silver_transactions.CONFLICTS)))
        order_id = F.get_json_object("raw", "$.order_id").alias("order_id")
        held.append(of(REJECTED).where(conflicts).select(order_id, "business_date"))
    return held


def _replaced_event_days(
    work: Workspace, table: str, before: int, replaced: set[date]
) -> set[date] | None:
    """Own dates of the rows of deliveries ``replaced``, as they were and as they are."""
    if not replaced:
        return set()
    days = f"{DELIVERY_DAY} BETWEEN DATE '{min(replaced)}' AND DATE '{max(replaced)}'"
    return _asked(
        work,
        table,
        before,
        f"""
        SELECT _event_date FROM earlier WHERE {days}
        UNION SELECT _event_date FROM later WHERE {days}
        """,
    )


def _differing(work: Workspace, table: str, before: int) -> set[date] | None:
    """Own dates whose rows are not what they were."""
    return _asked(
        work,
        table,
        before,
        """
        WITH a AS (
            SELECT _event_date, count(*) AS n, sum(_row_hash) AS hashes FROM earlier GROUP BY ALL
        ),
        b AS (SELECT _event_date, count(*) AS n, sum(_row_hash) AS hashes FROM later GROUP BY ALL)
        SELECT _event_date FROM a FULL JOIN b USING (_event_date)
        WHERE (a.n, a.hashes) IS DISTINCT FROM (b.n, b.hashes)
        """,
    )


def _asked(work: Workspace, table: str, before: int, query: str) -> set[date] | None:
    """The days that ``query`` finds in ``table`` as it was (``earlier``) and as it is (``later``).

    None where what it was is not kept any more.
    """
    if not work.tables.keeps(table, before):
        return None
    rows = work.tables.ask(query, {"earlier": before}, earlier=table, later=table)
    return {day for (day,) in rows if day is not None}
