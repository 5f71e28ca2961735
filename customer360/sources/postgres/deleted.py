"""Which rows a soft-delete column marks, in every notation that databases have for it.

A boolean, a number (0 is not deleted: PostgreSQL's own 0 and 1, or the second of the deletion), a
time (or null), or a word. Words that say neither are never guessed: the mapping names those that
mark a row (``equals``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

KEPT = ("false", "f", "no", "n", "off", "none", "null", "active")
"""Words of a row that is not deleted; blank is one too."""
MARKED = ("true", "t", "yes", "y", "on", "x", "deleted", "removed")
"""Words of a row that is."""
NEVER = r"^(-?infinityz?|9999-12-31.*|0001-01-01.*|0000-00-00.*)$"
"""Times that stand for never; instants are read with a Z behind them."""
_NUMBER = r"^[+-]?[0-9]+([.][0-9]+)?$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}.*$"

PLAIN = (
    "boolean",
    "smallint",
    "integer",
    "bigint",
    "numeric",
    "real",
    "double precision",
    "date",
    "timestamp with time zone",
    "timestamp without time zone",
)
"""Types whose values always say which."""


def is_deleted(text: Column, equals: list[str] | None) -> Column:
    """Whether a row with this text in its soft-delete column is deleted; never null.

    Args:
        text: The column as bronze has it.
        equals: The values that mark a row, case aside, where the mapping names them.
    """
    from pyspark.sql import functions as F

    word = F.lower(F.trim(text.cast("string")))
    if equals is not None:
        return F.coalesce(word.isin([value.strip().lower() for value in equals]), F.lit(False))
    nothing = word.isNull() | (word == "") | word.isin(list(KEPT)) | word.rlike(NEVER)
    zero = F.coalesce(word.try_cast("decimal(38,6)") == 0, F.lit(False))
    return ~(nothing | zero)


def says_neither(text: str) -> str:
    """SQL of PostgreSQL that is true of a ``text`` that is no known notation."""
    word = f"lower(btrim({text}))"
    words = ", ".join(f"'{word}'" for word in ("", *KEPT, *MARKED))
    return (
        f"({word} NOT IN ({words}) AND {word} !~ '{NEVER}' AND {word} !~ '{_NUMBER}' "
        f"AND {word} !~ '{_TIME}')"
    )
