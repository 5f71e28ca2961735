"""Who was contacted from a campaign list, and who was kept back: what marking writes and keeps.

Of those who are marked a random share is kept back: nobody contacts them, so that what they do is
what the others would have done anyway. Compared with them, a campaign's success is measured and not
assumed (`customer360.models.uplift`). Who they are is drawn by a hash of the customer's key, anew
every quarter of a year, so that whoever makes a file before marking leaves the same people out, on
every list.

The table is `customer360.serving.kept_tables.CONTACTS`: ``customer_key``, ``list``,
``contacted_at``, ``as_of`` (of the list) and ``in_control`` (true: kept back).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from customer360.errors import first_line
from customer360.serving.kept_tables import CONTACTS, HELD_OFF, takes_turn
from customer360.serving.warehouse import Login, WarehouseError

COLUMNS = ("customer_key", "list", "contacted_at", "as_of", "in_control")
"""Columns of the table, in order."""

DESCRIPTION = (
    "Who was marked as contacted on the dashboard's call list, when, from which list of which day; "
    "in_control: kept back at random, and not contacted."
)
"""What the table is, for who asks what is held about them."""


MARKED_LATELY = (
    "contacted_at > now() - make_interval(days => CASE WHEN in_control THEN %(control_days)s "
    "ELSE %(pause_days)s END)"
)
"""SQL that is true for rows of the table that keep their customer off the call list.

Its placeholders are the days for which who was kept back, and who was contacted, stays off it.
"""

DRAWN = (
    "(get_byte(sha256(convert_to(customer_key || %(drawn_in)s::text, 'UTF8')), 0) * 65536 "
    "+ get_byte(sha256(convert_to(customer_key || %(drawn_in)s::text, 'UTF8')), 1) * 256 "
    "+ get_byte(sha256(convert_to(customer_key || %(drawn_in)s::text, 'UTF8')), 2)) "
    "< %(control_share)s * 16777216"
)
"""SQL that is true for rows of any table whose ``customer_key`` marking keeps back: see `draw`.

A key is a keyed hash itself, so nobody can tell from outside who is drawn.
"""


def draw(as_of: date, share: float) -> dict[str, Any]:
    """Values of the placeholders of `DRAWN`.

    Args:
        as_of: Day of the list; others are drawn in every quarter of a year.
        share: Of all customers that is drawn, 0 to 1; of few, on average.
    """
    quarter = f"{as_of.year}Q{(as_of.month + 2) // 3}"
    return {"drawn_in": quarter, "control_share": float(share)}


@dataclass(frozen=True)
class Marked:
    """What marking did.

    Attributes:
        contacted: Keys of those to contact.
        control: Keys of those who are kept back: not to be contacted.
        already: How many were left as they are, marked lately by somebody else.
    """

    contacted: tuple[str, ...]
    control: tuple[str, ...]
    already: int = 0


def mark(
    login: Login,
    campaign: str,
    as_of: date,
    keys: Sequence[str],
    *,
    control_share: float,
    pause_days: int,
    control_days: int,
) -> Marked:
    """Note that customers are contacted now, but for a random share that is kept back.

    Args:
        login: Of the reader.
        campaign: Name of the list.
        as_of: Day of the list.
        keys: Customer keys, each once.
        control_share: Share that is kept back.
        pause_days: Who was contacted in the last so many days is not marked again.
        control_days: Nor is who was kept back in the last so many days.

    Raises:
        WarehouseError: The table is not there, the role may not add to it, no server answers, or
            writing is held off (`customer360.serving.kept_tables.hold`).
    """
    try:
        with login.connect() as connection:
            # Of two who mark the same customers at once, one comes first.
            if not takes_turn(connection):
                raise WarehouseError(f"contacts are not marked: {HELD_OFF}")
            known = connection.execute(
                f"SELECT DISTINCT customer_key FROM {CONTACTS} "
                f"WHERE customer_key = ANY(%(keys)s) AND {MARKED_LATELY}",
                {"keys": list(keys), "pause_days": pause_days, "control_days": control_days},
            ).fetchall()
            before = {key for (key,) in known}
            fresh = [key for key in keys if key not in before]
            drawn = connection.execute(
                "SELECT customer_key FROM unnest(%(keys)s::text[]) AS fresh (customer_key) "
                f"WHERE {DRAWN}",
                {"keys": fresh, **draw(as_of, control_share)},
            ).fetchall()
            kept_back = {key for (key,) in drawn}
            contacted = tuple(key for key in fresh if key not in kept_back)
            control = tuple(key for key in fresh if key in kept_back)
            with connection.cursor() as cursor:
                cursor.executemany(
                    f"INSERT INTO {CONTACTS} (customer_key, list, as_of, in_control) "
                    "VALUES (%s, %s, %s, %s)",
                    [
                        (key, campaign, as_of, in_control)
                        for in_control, some in ((False, contacted), (True, control))
                        for key in some
                    ],
                )
    except psycopg.Error as error:
        raise WarehouseError(
            f"contacts are not marked: {first_line(error)}; `customer360 warehouse up` makes the "
            f"table {CONTACTS} and lets the dashboard's role add to it"
        ) from None
    return Marked(contacted, control, len(before))


def all_contacts(owner: Login, customer_key: str | None = None) -> list[tuple[Any, ...]]:
    """All rows, of `COLUMNS`, or those of one customer; none where there is no such table."""
    with owner.connect() as connection:
        if connection.execute("SELECT to_regclass(%s)", [CONTACTS]).fetchone() == (None,):
            return []
        return connection.execute(
            f"SELECT {', '.join(COLUMNS)} FROM {CONTACTS} "
            "WHERE %(key)s::text IS NULL OR customer_key = %(key)s "
            f"ORDER BY {', '.join(COLUMNS)}",
            {"key": customer_key},
        ).fetchall()


def rename(owner: Login, keys: Mapping[str, str]) -> None:
    """Give every customer another key; who is not among ``keys`` is nobody, and goes.

    Args:
        owner: Login that may write.
        keys: The new key by the old one. A key that is a new one already stays.
    """
    new = set(keys.values())
    known = [key for key in keys if key not in new]
    with owner.connect() as connection:
        connection.execute(
            f"UPDATE {CONTACTS} SET customer_key = renamed.new "
            "FROM unnest(%s::text[], %s::text[]) AS renamed (old, new) WHERE customer_key = old",
            [known, [keys[key] for key in known]],
        )
        connection.execute(f"DELETE FROM {CONTACTS} WHERE customer_key <> ALL(%s)", [list(new)])
