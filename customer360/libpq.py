"""How a PostgreSQL server is named in a setting."""

from __future__ import annotations

import re
from typing import Any

from psycopg import Connection, ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from customer360.errors import SettingsError

_POSTGRES = re.compile(r"postgres(ql)?(\+\w+)?://")


def is_postgres(url: str) -> bool:
    """Whether a URL is a PostgreSQL's, a driver of SQLAlchemy's named or not."""
    return _POSTGRES.match(url) is not None


def without_driver(url: str) -> str:
    """A URL of SQLAlchemy's, which may name a driver, as libpq reads it."""
    return _POSTGRES.sub("postgresql://", url, count=1)


def parameters_of(url: str, setting: str) -> dict[str, str]:
    """Libpq's parameters (``host``, ``user``, ...) that a URL or connection string gives.

    Args:
        url: As libpq reads it.
        setting: Where it came from, for the message.

    Raises:
        SettingsError: It is neither; the text is not repeated, as it may hold a password.
    """
    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError:
        raise SettingsError(
            f"setting {setting} is not a PostgreSQL URL like postgresql://user@host:5432/database"
        ) from None


def parameters_as_reached(connection: Connection[Any]) -> dict[str, str]:
    """Libpq's parameters by which another machine comes to where ``connection`` is.

    Those that its URL gave, and what it found elsewhere on this machine: in variables (``PGHOST``,
    ``PGPASSWORD``, ...), a service file or a password file.
    """
    found = {
        option.keyword.decode(): option.val.decode()
        for option in connection.pgconn.info
        if option.val and option.val != option.compiled
    }
    for of_this_machine in ("service", "passfile"):
        found.pop(of_this_machine, None)
    info = connection.info
    reached = {"host": info.host, "port": str(info.port), "user": info.user, "dbname": info.dbname}
    return found | {k: v for k, v in (reached | {"password": info.password}).items() if v}
