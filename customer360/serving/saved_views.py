"""Views of the dashboard that its users have named: a page and what is chosen on it.

They are shared by all who use the dashboard of a deployment. A view is of no day, so it shows the
newest one, and of no customer: the table `customer360.serving.kept_tables.SAVED_VIEWS` holds no
key, so neither erasing a person nor rotating the keys has anything to do in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from customer360.errors import first_line
from customer360.serving.kept_tables import HELD_OFF, KEY_PATTERN, SAVED_VIEWS, takes_turn
from customer360.serving.warehouse import Login, WarehouseError

_KEY = re.compile(KEY_PATTERN, re.IGNORECASE)
_REMEDY = (
    f"`customer360 warehouse up` makes the table {SAVED_VIEWS} and lets the dashboard's role "
    "change it"
)


@dataclass(frozen=True)
class SavedView:
    """A named view.

    Attributes:
        name: As its users wrote it.
        page: Name of the page.
        parameters: What is chosen on the page, as its address has it: values by name.
    """

    name: str
    page: str
    parameters: Mapping[str, list[str]]


def tidied(name: str) -> str:
    """A name as it is kept: one line, without blanks around it and without what is not seen."""
    seen = "".join(letter for letter in " ".join(name.split()) if letter.isprintable())
    return seen.strip()


def may_name_a_customer(*texts: str) -> bool:
    """Whether one of ``texts`` holds what may be a customer key, or the beginning of one."""
    return any(_KEY.search(text) for text in texts)


def all_views(reader: Login) -> list[SavedView]:
    """All views, by name.

    Raises:
        WarehouseError: The table is not there, or no server answers.
    """
    try:
        with reader.connect() as connection:
            rows = connection.execute(
                f"SELECT name, page, parameters FROM {SAVED_VIEWS} ORDER BY lower(name), name"
            ).fetchall()
    except psycopg.Error as error:
        raise WarehouseError(
            f"saved views cannot be read: {first_line(error)}; {_REMEDY}"
        ) from None
    return [SavedView(*row) for row in rows]


def save(reader: Login, view: SavedView, *, replace: bool = False) -> bool:
    """Keep a view; False where there is one of its name, which stays as it is.

    Args:
        reader: Login of the role that keeps views.
        view: What to keep.
        replace: Whether a view of its name gives way to it: at once, and only if this one is kept.

    Raises:
        WarehouseError: The table is not there or refuses the view (no name, one that is too long,
            a customer's key), the role may not add to it, no server answers, or writing is held
            off.
    """
    try:
        with reader.connect() as connection:
            if not takes_turn(connection):
                raise WarehouseError(f"the view is not saved: {HELD_OFF}")
            if replace:
                _delete(connection, view.name)
            added = connection.execute(
                f"INSERT INTO {SAVED_VIEWS} (name, page, parameters) VALUES (%s, %s, %s) "
                "ON CONFLICT DO NOTHING",
                [view.name, view.page, Jsonb(dict(view.parameters))],
            )
            return added.rowcount == 1
    except psycopg.errors.CheckViolation as error:
        raise WarehouseError(
            f"the view is not saved: {first_line(error)}; give it a name without a customer's key, "
            "and filters that are of no one customer"
        ) from None
    except psycopg.Error as error:
        raise WarehouseError(f"the view is not saved: {first_line(error)}; {_REMEDY}") from None


def remove(reader: Login, name: str) -> None:
    """Take a view away, for all; nothing happens where there is none of the name.

    Raises:
        WarehouseError: As for `save`.
    """
    try:
        with reader.connect() as connection:
            if not takes_turn(connection):
                raise WarehouseError(f"the view is not removed: {HELD_OFF}")
            _delete(connection, name)
    except psycopg.Error as error:
        raise WarehouseError(f"the view is not removed: {first_line(error)}; {_REMEDY}") from None


def _delete(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(f"DELETE FROM {SAVED_VIEWS} WHERE name = %s", [name])
