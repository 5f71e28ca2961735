"""Which days hold what quarantine waits to be rid of: they are loaded again by `replay`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from customer360.contracts.reasons import DELETED, SETTLED
from customer360.contracts.sql import sql_text
from customer360.days import DayRange, ranges_of
from customer360.deployment import Deployment
from customer360.lakehouse.reading import Tables
from customer360.pipeline.quarantine import columns_of, delivery_days, kept_out_on
from customer360.pipeline.row_edits import WAITING, outcomes
from customer360.table_names import REJECTED, quarantine_of

OF_SILVER = REJECTED.rpartition("/")[2]
"""What the quarantine of rows that silver kept out is called."""

# A load costs about what a month of few rows does.
_BRIDGED = timedelta(days=31)


@dataclass(frozen=True)
class Waiting:
    """What is to be loaded again.

    Attributes:
        days: Days of delivery, and business dates that silver kept rows out of.
        whole: Tables that come whole, which are read whatever the day.
    """

    days: frozenset[date]
    whole: tuple[str, ...]

    def within(self, days: Collection[date]) -> Waiting:
        """The same of ``days`` only."""
        return replace(self, days=self.days.intersection(days))

    def ranges(self, newest: date) -> list[DayRange]:
        """The loads that take: days near each other are one; ``newest`` serves what comes whole."""
        ranges = loads_of(self.days)
        return ranges or ([DayRange(newest, newest)] if self.whole else [])


def waiting(tables: Tables, deployment: Deployment, table: str | None = None) -> Waiting:
    """What holds quarantined rows, and rows with an edit that is not loaded yet.

    Args:
        tables: Where.
        deployment: Whose sources.
        table: A bronze table (without layers), or ``transactions`` for what silver kept out; None
            is all.
    """
    days: set[date | None] = set()
    whole: list[str] = []
    for source in deployment.sources:
        for name in source.tables:
            if table not in (None, name):
                continue
            waiting_days: set[date | None] = set()
            if tables.exists(quarantine_of(name)):
                waiting_days |= _days_waiting(tables, quarantine_of(name))
            unloaded = [o.edit.row for o in outcomes(tables, source, name) if o.what == WAITING]
            waiting_days |= delivery_days(tables, name, unloaded)
            if None in waiting_days:
                whole.append(name)
            days |= waiting_days
        if table == OF_SILVER:
            days |= kept_out_on(tables, source)
        elif table in (None, source.transactions_table):
            # What the mapping leaves out on purpose waits for nothing.
            days |= kept_out_on(tables, source, but=source.exclusion_reasons)
    return Waiting(frozenset(day for day in days if day is not None), tuple(whole))


def edited_days(tables: Tables, deployment: Deployment) -> set[date]:
    """The days that edited transactions say they are of."""
    days: set[date] = set()
    for source in deployment.sources:
        bronze = f"bronze/{source.transactions_table}"
        if tables.exists(bronze) and "_edited_row" in columns_of(tables, bronze):
            rows = tables.ask(
                "SELECT DISTINCT _event_date FROM rows "
                "WHERE _edited_row IS NOT NULL AND _event_date IS NOT NULL",
                rows=bronze,
            )
            days |= {day for (day,) in rows}
    return days


def loads_of(days: Iterable[date]) -> list[DayRange]:
    """The loads that take ``days``: those less than a month apart are one."""
    return list(ranges_of(days, _BRIDGED))


def _days_waiting(tables: Tables, quarantine: str) -> set[date | None]:
    settled = ", ".join(sql_text(reason) for reason in (*SETTLED, DELETED))
    rows = tables.ask(
        f"SELECT DISTINCT _delivered_on FROM rows WHERE NOT list_has_any(reasons, [{settled}])",
        rows=quarantine,
    )
    return {day for (day,) in rows}
