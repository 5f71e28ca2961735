"""How a PostgreSQL server is named in a setting."""

from __future__ import annotations

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from customer360.errors import SettingsError


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
