"""Snapshots that an older release made, of which a column holds what its contract no longer allows.

Contracts bind what is written; a snapshot that was written when segments or reasons were stored
otherwise stays as it is until it is made again. It can be read, and shows its own words; but it is
not published beside snapshots that hold codes, where no mart could tell the two apart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from customer360.contracts import Contract
from customer360.contracts.sql import sql_name, sql_text
from customer360.errors import Customer360Error, listed
from customer360.gold.snapshots import snapshot_tables
from customer360.lakehouse.reading import Tables
from customer360.settings import Settings
from customer360.table_names import AS_OF, CHURN_SCORES, CUSTOMER_360, REVENUE_PREDICTIONS, RFM

RECODED = (RFM, CHURN_SCORES, REVENUE_PREDICTIONS, CUSTOMER_360)
"""Tables whose codes have changed since there are deployments."""


class OlderSnapshotsError(Customer360Error):
    """Snapshots must be made again before they can be used; the message names the command."""


def older_snapshots(tables: Tables, table: str, dates: Collection[date]) -> Mapping[date, str]:
    """Those of ``dates`` whose snapshot of ``table`` an older release made.

    Args:
        tables: The tables.
        table: Any; only those of `RECODED` have such snapshots.
        dates: As-of dates.

    Returns:
        By date, in order, a column and one of its values that the contract does not allow.
    """
    if table not in RECODED or not dates or not tables.exists(table):
        return {}
    columns = [column for column in Contract.load(table).columns if column.allowed_values]
    stored = set(tables.dataset(table).schema.names)
    cases = " ".join(
        f"WHEN {sql_name(column.name)} NOT IN "
        f"({', '.join(sql_text(str(value)) for value in column.allowed_values)}) "
        f"THEN {sql_text(f'{column.name} is ')} || {sql_name(column.name)}"
        for column in columns
        if column.name in stored
    )
    days = ", ".join(f"DATE '{day}'" for day in sorted(dates))
    rows = tables.ask(
        f"""
        SELECT {AS_OF}, min(CASE {cases} END) AS other FROM rows
        WHERE {AS_OF} IN ({days}) GROUP BY {AS_OF} HAVING other IS NOT NULL ORDER BY {AS_OF}
        """,
        rows=table,
    )
    return dict(rows)


def edition(tables: Tables, table: str) -> str:
    """Delta's id of ``table``, and that its codes are today's where they once were others.

    A copy of another edition is made anew, as a whole; so each snapshot is looked at once.
    """
    identity = tables.identity(table)
    return f"{identity} in codes" if table in RECODED else identity


def refuse_older(tables: Tables, table: str, dates: Collection[date], settings: Settings) -> None:
    """See that every snapshot of ``table`` at ``dates`` is one of this release.

    Raises:
        OlderSnapshotsError: One is not.
    """
    older = older_snapshots(tables, table, dates)
    if not older:
        return
    named = [str(day) for day in older]
    options = f" --steps snapshot {' '.join(f'--as-of {day}' for day in named)}"
    # What snapshots are made of may be newer than the home's last load.
    command = settings.command("run" + (options if _inputs_are_there(tables) else ""))
    what = "the snapshot" if len(older) == 1 else "snapshots"
    raise OlderSnapshotsError(
        f"{table}: an older release made {what} of {listed(named)} ({next(iter(older.values()))}, "
        f"which is none of the contract's codes): run `{command}` first"
    )


def _inputs_are_there(tables: Tables) -> bool:
    """Whether snapshots can be made without loading anything before."""
    made = snapshot_tables()
    read = {name for table in made for name in Contract.load(table).reads}
    return all(tables.exists(name) for name in read.difference(made))
