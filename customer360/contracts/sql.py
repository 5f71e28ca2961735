"""SQL text, for expressions that would take a thousand calls to build from objects."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A column name that Spark takes literally, whatever a user's file calls its columns."""
    return "`" + name.replace("`", "``") + "`"


def literal(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
