"""Whether silver was made of all that bronze holds: what goes before, nothing is ever made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from customer360.days import DayRange
from customer360.pipeline.account import note_of
from customer360.pipeline.closed_days import BRONZE, closed_before, past_sql
from customer360.pipeline.definitions import defined_anew
from customer360.pipeline.order_days import bronze_versions
from customer360.pipeline.profile_rows import profile_rows
from customer360.pipeline.workspace import (
    Workspace,
    changed_days,
    consumed_bronze,
    consumed_version,
)
from customer360.table_names import CUSTOMER_DAYS, CUSTOMERS, HISTORY, ORDER_LINES, TRANSACTIONS


def not_made_yet(work: Workspace, before: date) -> str | None:
    """What silver still has to make of bronze before days can be closed, in one line.

    A load that stopped on its way, deliveries that only bronze has loaded, a mapping that was
    mended since, a table that is new with a release: of all these the next load makes good what is
    still open.

    Args:
        work: Where.
        before: Days before it are to be closed.

    Returns:
        The first thing that is found, and what to run; None where nothing is to be made.
    """
    found = next(_missing(work, before), None)
    if found is None:
        return None
    return f"{found}: run `{work.deployment.settings.command('run --steps etl')}`"


def _missing(work: Workspace, before: date) -> Iterator[str]:
    lakehouse, sources = work.lakehouse, work.deployment.sources
    bronze = [f"bronze/{table}" for source in sources for table in source.tables]
    made = [CUSTOMERS, HISTORY, TRANSACTIONS, CUSTOMER_DAYS]
    if any(source.has_lines for source in sources):
        made.append(ORDER_LINES)
    for table in (*bronze, *made):
        if not lakehouse.exists(table):
            yield f"{table} is not made yet"
            return
    # A load is over when the customers' days are made of it.
    finished = consumed_version(lakehouse, CUSTOMER_DAYS)
    noted = note_of(work.tables)
    if finished is None or noted is None:
        yield f"{CUSTOMER_DAYS} was made by an older release"
        return
    for table, until in ((CUSTOMERS, None), (HISTORY, None), (TRANSACTIONS, finished)):
        anew = sorted(defined_anew(work, table, until=until))
        if anew:
            yield f"{table} is made of {anew[0]} by another definition than it has now"
        seen = consumed_bronze(lakehouse, table, until=until)
        for name in bronze:
            # What takes rows away by their age, or puts files together, names no days.
            came = changed_days(lakehouse, name, seen.get(name), lakehouse.version(name))
            if came and (table == TRANSACTIONS or _names_somebody(work, table, min(came))):
                yield f"{table} is not made yet of what {name} has of {min(came)}"
    closed = closed_before(work.tables, BRONZE)
    for source in sources:
        table = source.transactions_table
        rows = work.tables.ask(
            f"""
            SELECT DISTINCT _event_date FROM rows WHERE _event_date IS NOT NULL
            AND {past_sql(work, source, table, before)} ORDER BY 1
            """,
            rows=f"bronze/{table}",
        )
        for (day,) in rows:
            # What comes late for a closed day is counted, and never made.
            if (closed is None or day >= closed) and not noted.has_made(day):
                yield f"{TRANSACTIONS} is not made yet of {day}, of which bronze/{table} has rows"


def _names_somebody(work: Workspace, table: str, came: date) -> bool:
    """Whether ``table`` would change; a load that names nobody writes no profile, nor a note."""
    rows = profile_rows(work, DayRange(came, came), table, bronze_versions(work))
    return rows.concerned is None or not rows.concerned.isEmpty()
