"""Tables of the warehouse that are made from nothing else, so that no publish touches them.

They are the ones that the reader writes to, through the dashboard. Whoever makes the warehouse anew
takes their rows out first and puts them back (`rows_of`, `put_back`), and holds writing off
meanwhile (`hold`, `release`), as the dashboard may be on another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from customer360.short_keys import SHORT

if TYPE_CHECKING:
    import psycopg

    from customer360.serving.warehouse import Login

_HELD = "serving.writing_held"
"""A table that is there while nobody may write."""

HELD_OFF = (
    "people are being forgotten or customers get other keys just now; do it again when that has "
    "ended"
)
"""Why nothing is written where `takes_turn` is false, and what to do."""


@dataclass(frozen=True)
class KeptTable:
    """A table that the warehouse alone has.

    Attributes:
        name: With its schema.
        columns: Columns and constraints, as of ``CREATE TABLE``; the first ones are its key.
        reader_may: What the reader may do beside reading, as of ``GRANT``.
    """

    name: str
    columns: str
    reader_may: str


CONTACTS = "serving.contacts"
"""Who was contacted from which campaign list, and who was kept back as control.

The reader may add rows, and neither change nor remove them. When is the server's to say."""

SAVED_VIEWS = "serving.saved_views"
"""Views of the dashboard that its users have named: a page with its filters, for all of them.

No view is of one customer: neither name nor filters may hold a key, be it shortened."""

VIEW_NAME_LENGTH = 60
"""Most characters of a view's name."""

OF_ONE_CUSTOMER = ("customer", "search")
"""Parameters of a page's address that name a customer; none of a view."""

KEY_PATTERN = f"[0-9a-f]{{{SHORT}}}"
"""A regular expression, for either case, of what may be a customer key or how one begins."""

KEPT = (
    KeptTable(
        CONTACTS,
        "customer_key text NOT NULL, list text NOT NULL, "
        "contacted_at timestamptz NOT NULL DEFAULT now(), as_of date NOT NULL, "
        "in_control boolean NOT NULL, PRIMARY KEY (customer_key, list, contacted_at)",
        "INSERT (customer_key, list, as_of, in_control)",
    ),
    KeptTable(
        SAVED_VIEWS,
        f"name text PRIMARY KEY CHECK (char_length(name) BETWEEN 1 AND {VIEW_NAME_LENGTH}), "
        "page text NOT NULL, parameters jsonb NOT NULL, "
        "saved_at timestamptz NOT NULL DEFAULT now(), "
        f"CHECK (NOT parameters ?| '{{{','.join(OF_ONE_CUSTOMER)}}}'), "
        f"CHECK (concat_ws(' ', name, page, parameters::text) !~* '{KEY_PATTERN}')",
        "INSERT (name, page, parameters), DELETE",
    ),
)


def takes_turn(connection: psycopg.Connection[Any]) -> bool:
    """Wait until nobody else writes, till the transaction ends; False while writing is held off.

    Raises:
        psycopg.Error: The server has gone, or the role may not look.
    """
    _one_at_a_time(connection)
    return connection.execute("SELECT to_regclass(%s)", [_HELD]).fetchone() == (None,)


def hold(owner: Login) -> None:
    """Let nobody write until `release`, and wait for who is writing.

    For who reads all rows, changes them and puts them back: a row written meanwhile would be lost,
    or keep a key that is no customer's any more. It holds however the process ends.

    Raises:
        WarehouseError: No server answers, or it does not let this role in.
        psycopg.Error: The role is not the owner, or the server has gone.
    """
    with owner.connect() as connection:
        _one_at_a_time(connection)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_HELD} ()")


def release(owner: Login) -> None:
    """Let rows be written again after `hold`.

    Raises:
        WarehouseError: As for `hold`.
        psycopg.Error: As for `hold`.
    """
    with owner.connect() as connection:
        connection.execute(f"DROP TABLE IF EXISTS {_HELD}")


def rows_of(owner: Login, table: str) -> list[dict[str, Any]]:
    """All rows of a table of `KEPT`, as JSON has them; none where there is no such table.

    Raises:
        WarehouseError: As for `hold`.
        psycopg.Error: The role may not read the table, or the server has gone.
    """
    with owner.connect() as connection:
        if connection.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
            return []
        rows = connection.execute(f"SELECT to_jsonb(kept) FROM {table} AS kept ORDER BY kept")
        return [row for (row,) in rows.fetchall()]


def put_back(owner: Login, table: str, rows: Iterable[dict[str, Any]]) -> None:
    """Put rows of `rows_of` back; those that are there already stay as they are.

    All of them or none.

    Raises:
        WarehouseError: As for `hold`.
        psycopg.Error: The table is not there or refuses a row, the role may not write to it, or the
            server has gone.
    """
    as_json: Sequence[tuple[Jsonb]] = [(Jsonb(row),) for row in rows]
    with owner.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s) "
            "ON CONFLICT DO NOTHING",
            as_json,
        )


def _one_at_a_time(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [_HELD])
