"""How a PostgreSQL server is named in a setting."""

from __future__ import annotations

import re

from psycopg import ProgrammingError
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
