"""Snapshots made of days that are not any more what they were then.

A snapshot says what was known of the days up to its date. When an order comes late, is corrected
or is taken back, the snapshots that were made before go on saying what they said. Each snapshot of
gold/customer_features, the first of a run, and of tables that are made after it keeps a digest of
the silver days it was made of, in the note of its commit: where the days have another digest now,
it is stale, and so is what lies between. A run that ended between two of the tables is seen by the
ones that it did not come to, of which gold/rfm_segments is the last without scores and
gold/customer_360 the last of all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

from customer360.contracts import Contract
from customer360.contracts.sql import quoted
from customer360.errors import listed
from customer360.lakehouse.delta_log import TableLogs
from customer360.lakehouse.reading import Tables
from customer360.pipeline.workspace import days_note, newest_note
from customer360.settings import Settings
from customer360.table_names import (
    AS_OF,
    CUSTOMER_360,
    CUSTOMER_DAYS,
    FEATURES,
    FIRST_ORDERS,
    RFM,
)

NOTED = (FEATURES, FIRST_ORDERS, RFM, CUSTOMER_360)
"""Tables whose commits say what their snapshots were made of, in the order of a run."""

_MADE_OF = "made_of"
_NAMED = 5


def days_digests(tables: Tables, dates: Collection[date]) -> dict[date, str]:
    """What silver/customer_days says of the days up to each of ``dates``, in a few characters.

    Equal rows have an equal digest, in whatever order, files or commits they lie.
    """
    if not dates:
        return {}
    columns = ", ".join(
        f"coalesce({quoted(name)}::VARCHAR, '')"
        for name in Contract.load(CUSTOMER_DAYS).column_names
    )
    by_day = tables.ask(
        f"""
        SELECT business_date, count(*), sum(md5_number_lower(concat_ws('|', {columns})))
        FROM days WHERE business_date <= DATE '{max(dates)}' GROUP BY business_date
        """,
        days=CUSTOMER_DAYS,
    )
    digests = {}
    for day in dates:
        upto = [(rows, total) for business_date, rows, total in by_day if business_date <= day]
        rows, total = (sum(each) for each in zip(*upto, strict=True)) if upto else (0, 0)
        digests[day] = f"{rows}-{int(total) % 2**64:016x}"
    return digests


def digests_note(
    as_of: Collection[date], made_of: Mapping[date, str], digests: Mapping[date, str]
) -> str:
    """The note of a commit of one of `NOTED` that makes ``as_of``.

    Args:
        as_of: The snapshots made.
        made_of: As `digests_noted` gives them of the table: the others' are carried on, because
            Delta forgets old commits.
        digests: What ``as_of`` are made of; a date that is not there is not noted.
    """
    others = {day: of for day, of in made_of.items() if day not in as_of}
    carried = others | {day: digests[day] for day in as_of if day in digests}
    return days_note(as_of, **{_MADE_OF: {str(day): carried[day] for day in sorted(carried)}})


def note_without(tables: TableLogs, table: str, gone: Collection[date]) -> str:
    """The note of a commit that takes the snapshots of ``gone`` away from any snapshot table."""
    if table not in NOTED:
        return days_note(gone)
    return digests_note(gone, digests_noted(tables, table), {})


def digests_noted(tables: TableLogs, table: str) -> dict[date, str]:
    """Digest of the days that each snapshot was made of; not of those of an older release.

    Args:
        tables: The tables.
        table: One of `NOTED`.
    """
    existing = set(tables.partition_values(table, AS_OF))
    stated = (newest_note(tables, table, _MADE_OF) or {}).get(_MADE_OF, {})
    return {date.fromisoformat(day): of for day, of in stated.items() if day in existing}


def noted(tables: Tables, table: str, as_of: Sequence[date]) -> tuple[str | None, list[date]]:
    """The note of a commit that makes ``as_of`` of ``table``, and which others are stale.

    None, and none, of a table that is not one of `NOTED`. Only a look at the days tells what is
    stale, and the first table that is made of them takes it.
    """
    if table not in NOTED:
        return None, []
    made_of = digests_noted(tables, table)
    if table != FEATURES:  # made in the same run, of the same days
        return digests_note(as_of, made_of, digests_noted(tables, FEATURES)), []
    all_made_of = [digests_noted(tables, each) for each in NOTED]
    digests = days_digests(tables, {*as_of, *(day for days in all_made_of for day in days)})
    stale = {day for days in all_made_of for day in changed_since(days, digests)}
    return digests_note(as_of, made_of, digests), sorted(stale.difference(as_of))


Fresh = Mapping[str, Collection[date]]
"""By table of `NOTED`, the snapshots that are made of the days as they are."""


def fresh_snapshots(tables: Tables) -> Fresh:
    """The snapshots that are not stale, of the tables that note what theirs are made of."""
    fresh = {}
    for table in NOTED:
        made_of = digests_noted(tables, table)
        stale = changed_since(made_of, days_digests(tables, made_of))
        fresh[table] = set(made_of) - set(stale)
    return fresh


def note_as_fresh(tables: Tables, table: str, as_of: Sequence[date], fresh: Fresh) -> str:
    """The note of a commit of one of `NOTED` after which its snapshots are as fresh as before.

    For a change of the days and of the snapshots alike, which makes none of them another.

    Args:
        tables: The tables; the days are changed already.
        table: One of `NOTED`.
        as_of: The snapshots that the commit writes.
        fresh: As `fresh_snapshots` gave them before the days were changed.
    """
    made_of = digests_noted(tables, table)
    now = days_digests(tables, made_of)
    # Of a stale one, what it was made of: it stays stale.
    kept = {day: now[day] if day in fresh[table] else of for day, of in made_of.items()}
    return digests_note(as_of, kept, kept)


def changed_since(made_of: Mapping[date, str], digests: Mapping[date, str]) -> list[date]:
    """As-of dates of ``made_of`` whose days have another digest now, in order."""
    return sorted(day for day, of in made_of.items() if digests[day] != of)


def stale_snapshots(tables: Tables, noted: Sequence[str] = NOTED) -> list[date]:
    """As-of dates whose snapshots were made of days that have changed since, in order.

    Args:
        tables: The tables.
        noted: Of `NOTED`, whose snapshots are looked at.
    """
    made_of = [digests_noted(tables, table) for table in noted]
    digests = days_digests(tables, {day for days in made_of for day in days})
    return sorted({day for days in made_of for day in changed_since(days, digests)})


def in_window(stale: Collection[date], newest: date, trailing_days: int) -> list[date]:
    """Those of ``stale`` that a run makes again by itself, in order.

    Args:
        stale: As `stale_snapshots` gives them.
        newest: The newest snapshot there is or will be.
        trailing_days: As the setting of that name.
    """
    return sorted(day for day in stale if day >= newest - timedelta(days=trailing_days))


def remedy(stale: Sequence[date], settings: Settings) -> str:
    """What is stale and which command makes it again, in a line.

    The command makes snapshots and their scores only: it loads nothing, and trains nothing as of an
    old date.
    """
    named = stale[:_NAMED]
    dates = " ".join(f"--as-of {day}" for day in named)
    command = settings.command(f"run --steps snapshot {dates}")
    what = "1 snapshot was" if len(stale) == 1 else f"{len(stale):,} snapshots were"
    again = "it" if len(stale) == 1 else "them"
    if len(stale) > len(named):
        again = f"the first {len(named)} of them"
    return (
        f"{what} made of days that have changed since "
        f"({listed([str(day) for day in stale], _NAMED)}): `{command}` makes {again} again"
    )
