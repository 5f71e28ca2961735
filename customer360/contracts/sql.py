"""SQL text, for expressions that would take a thousand calls to build from objects.

Spark's names and texts are `quoted` and `literal`; the standard's, which DuckDB reads, `sql_name`
and `sql_text`.
"""

from __future__ import annotations


def quoted(name: str) -> str:
    """A column name that Spark takes literally, whatever a user's file calls its columns."""
    return "`" + name.replace("`", "``") + "`"


def literal(value: str) -> str:
    """A string literal of Spark, in which a backslash escapes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def sql_name(name: str) -> str:
    """A column name that DuckDB takes literally."""
    return '"' + name.replace('"', '""') + '"'


def sql_text(value: str | None) -> str:
    """A text as DuckDB reads it, in which a backslash is one."""
    return "NULL::VARCHAR" if value is None else "'" + value.replace("'", "''") + "'"
