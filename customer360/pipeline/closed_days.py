"""The days that are closed because rows of them were past their time, and what they held.

``quarantine/expired`` is written before rows go: from then on its days are closed. Nothing is
loaded into them again, silver does not make them again, and what they held in all is what it says,
so rows that are not there any more can be told from rows that were lost. How many went is what it
says less what is still there: it holds at every moment, also between its writing and theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.spark import from_arrow
from customer360.lakehouse.reading import Tables
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.order_days import zone_margin
from customer360.pipeline.workspace import Workspace
from customer360.sources.base import Source
from customer360.table_names import EXPIRED, HISTORY, REJECTED

BRONZE = "bronze"
"""All bronze tables: their days are closed together, as silver is made of them together."""

Key = tuple[str | None, date | None, date | None, str | None]


@dataclass(frozen=True)
class Held:
    """What a table held of one group of a closed day's rows.

    Attributes:
        table: As ``layer/table``.
        source: Of ``quarantine/transactions``, the source of the rows.
        delivered_on: Day of the delivery; None where rows are of no one delivery.
        own_day: Their own date.
        reason: Of a quarantine, why they were there.
        rows: How many.
        money: What they were worth; None where that is not known.
        before: Days before this one were closed.
    """

    table: str
    source: str | None
    delivered_on: date | None
    own_day: date | None
    reason: str | None
    rows: int
    money: Decimal | None
    before: date

    @property
    def key(self) -> Key:
        """What tells it from other groups of its table."""
        return self.source, self.delivered_on, self.own_day, self.reason


AND = " and "
"""Between the reasons of one row, in quarantine/expired."""

_GROUP = {
    "bronze": f"NULL, {DELIVERY_DAY}, _event_date, NULL",
    "quarantine": f"NULL, {DELIVERY_DAY}, NULL, array_to_string(reasons, '{AND}')",
    REJECTED: "raw ->> '$.source', NULL, business_date, reasons[1]",
    HISTORY: "NULL, NULL, CAST(valid_to AS DATE), NULL",
    "gold": "NULL, NULL, as_of, NULL",
}
"""By table or layer, what its rows are grouped by: source, delivery, own day and reason, as SQL."""


def groups_now(
    tables: Tables, table: str, before: date, *, worth: str = "NULL", where: str = "true"
) -> list[Held]:
    """What ``table`` holds now, by group; none of a table that is not there.

    Args:
        tables: Where.
        table: As ``layer/table``.
        before: For `Held.before`.
        worth: SQL of what a row is worth.
        where: SQL of the rows to look at.
    """
    if not tables.exists(table):
        return []
    group = _GROUP.get(table) or _GROUP[table.partition("/")[0]]
    rows = tables.ask(
        f"SELECT {group}, count(*), sum({worth}) FROM rows WHERE {where} GROUP BY ALL", rows=table
    )
    return [
        Held(table, source, delivered, own, reason, n, money, before)
        for source, delivered, own, reason, n, money in rows
    ]


def held_then(tables: Tables, table: str) -> list[Held]:
    """What ``table`` held of its closed days in all."""
    return [each for each in _all(tables) if each.table == table]


def closed_before(tables: Tables, table: str) -> date | None:
    """Days before this one are closed for ``table``, or for all of `BRONZE`; None: none is."""
    layer = f"{BRONZE}/"
    of = (e for e in _all(tables) if e.table == table or (table == BRONZE and layer in e.table))
    return max((each.before for each in of), default=None)


def gone(tables: Tables, table: str, *, worth: str = "NULL") -> list[Held]:
    """What has gone from ``table`` by its age, by group: what it held less what is there.

    Args:
        tables: Where.
        table: As ``layer/table``.
        worth: SQL of what a row is worth.
    """
    then = held_then(tables, table)
    if not then:
        return []
    now = {each.key: each for each in groups_now(tables, table, then[0].before, worth=worth)}
    left = []
    for each in then:
        here = now.get(each.key)
        rows = each.rows - (here.rows if here else 0)
        money = each.money
        if money is not None and here is not None and here.money is not None:
            money -= here.money
        if rows:
            left.append(replace(each, rows=rows, money=money))
    return left


def close(work: Workspace, closing: Iterable[Held]) -> None:
    """Note what groups hold that are closed now; of those that are closed already, nothing."""
    known = _all(work.tables)
    closed = {(each.table, *each.key) for each in known}
    new = [each for each in closing if (each.table, *each.key) not in closed]
    if new:
        _write(work, [*known, *new])


def state(work: Workspace, table: str, now: Sequence[Held], of: Callable[[Held], bool]) -> None:
    """Note what closed groups of ``table`` hold that were delivered or made again, instead.

    Args:
        work: Where.
        table: As ``layer/table``.
        now: What came of them.
        of: Which groups the delivery was about; what it does not hold any more, is no more.
    """
    known = _all(work.tables)
    before = {each.key: each for each in known if each.table == table}
    others = [each for each in known if each.table != table or not of(each)]
    # Of as many as there were, the money is known better from when the rows lay there.
    same = [before.get(each.key, each) for each in now]
    new = [old if old.rows == each.rows else each for old, each in zip(same, now, strict=True)]
    if {*others, *new} != set(known):
        _write(work, [*others, *new])


def own_before(work: Workspace, source: Source, before: date) -> date:
    """Own dates of the transactions that lie, in any zone, on days before ``before``."""
    return before - zone_margin(work, source)


def is_past(work: Workspace, source: Source, table: str, before: date) -> Column:
    """Whether a row of bronze table ``table`` is of a closed day.

    Of transactions that is the day on which they happened, as silver has them by it; of all else
    the day of the delivery.
    """
    delivered = F.col(DELIVERY_DAY)
    if table != source.transactions_table:
        return delivered < F.lit(before)
    own = F.col("_event_date") < F.lit(own_before(work, source, before))
    return F.coalesce(own, delivered < F.lit(before))


def past_sql(work: Workspace, source: Source, table: str, before: date) -> str:
    """`is_past` as DuckDB's SQL."""
    delivered = f"{DELIVERY_DAY} < DATE '{before}'"
    if table != source.transactions_table:
        return delivered
    return f"coalesce(_event_date < DATE '{own_before(work, source, before)}', {delivered})"


def open_days(days: Collection[date], before: date | None) -> set[date]:
    """Those of ``days`` that are not closed."""
    return {day for day in days if before is None or day >= before}


def _all(tables: Tables) -> list[Held]:
    if not tables.exists(EXPIRED):
        return []
    rows = tables.ask(
        'SELECT "table", source, delivered_on, own_day, reason, rows, money, before FROM expired '
        "ORDER BY ALL",
        expired=EXPIRED,
    )
    return [Held(*row) for row in rows]


def _write(work: Workspace, held: Sequence[Held]) -> None:
    known = {(each.table, *each.key): each for each in held}
    rows = [known[key] for key in sorted(known, key=str)]
    frame = from_arrow(
        work.spark,
        pa.table(
            {
                "table": pa.array([each.table for each in rows], pa.string()),
                "source": pa.array([each.source for each in rows], pa.string()),
                "delivered_on": pa.array([each.delivered_on for each in rows], pa.date32()),
                "own_day": pa.array([each.own_day for each in rows], pa.date32()),
                "reason": pa.array([each.reason for each in rows], pa.string()),
                "rows": pa.array([each.rows for each in rows], pa.int64()),
                "money": pa.array([each.money for each in rows], pa.decimal128(38, 2)),
                "before": pa.array([each.before for each in rows], pa.date32()),
            }
        ),
    )
    work.lakehouse.replace_all(Contract.load(EXPIRED), frame)


def day_before(today: date, days: int) -> date:
    """The first day that is kept where rows are kept for ``days`` days."""
    return today - timedelta(days=days)
