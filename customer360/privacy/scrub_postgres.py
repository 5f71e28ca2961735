"""Taking texts that name people out of tables of a PostgreSQL, and out of what it keeps of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from customer360.errors import first_line
from customer360.privacy.scrub import ScrubError, Words

_TEXTS = ("text", "character varying", "character", "json", "jsonb")
_WAITS = "30s"
_ROWS = 1_000


def scrub_postgres(
    title: str,
    conninfo: str,
    tables: Collection[str],
    words: Words,
) -> int:
    """Take ``words`` out of all texts of some tables, of their dead rows and of statistics.

    Write-ahead log and backups are the server's owner's. Other tables of the database are not
    looked at: they may be anybody's.

    Args:
        title: Whose database it is, for messages.
        conninfo: How it is reached.
        tables: Names, as a connection finds them; those that are not there are passed over.
        words: What is taken out.

    Returns:
        How many there were.

    Raises:
        ScrubError: The database is not reached, refuses, or others keep a table in use.
    """
    told: list[str] = []
    count = 0
    try:
        with psycopg.connect(conninfo, connect_timeout=10, autocommit=True) as connection:
            connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
            connection.execute(f"SET lock_timeout = '{_WAITS}'")
            names = list(_there(connection, tables))
            if not names:
                raise ScrubError(
                    f"{title}: none of its tables is found there: see that its address names the "
                    "right database and search_path, and go on by `customer360 privacy forget "
                    "--resume`"
                )
            for name in names:
                count += _scrub_table(connection, name, words)
            for name in names:
                connection.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(name))
            refused = list(told)
            # What the planner knew of columns before is a dead row, too.
            connection.execute("VACUUM FULL pg_catalog.pg_statistic")
            with suppress(psycopg.errors.InsufficientPrivilege):  # then the server makes one itself
                connection.execute("CHECKPOINT")
    except psycopg.Error as error:
        raise ScrubError(
            f"{title}: cannot be cleaned ({first_line(error)}): stop what else has it open, see "
            "that its role owns the tables, and go on by `customer360 privacy forget --resume`"
        ) from None
    if refused:  # PostgreSQL skips a table that is another's, and only says so
        raise ScrubError(
            f"{title}: cannot be cleaned ({refused[0]}): connect as the owner of the tables, and "
            "go on by `customer360 privacy forget --resume`"
        )
    return count


def _there(
    connection: psycopg.Connection[Any], tables: Collection[str]
) -> Iterator[sql.Identifier]:
    found = connection.execute(
        "SELECT n.nspname, c.relname FROM unnest(%s::text[]) AS wanted "
        "JOIN pg_class c ON c.oid = to_regclass(quote_ident(wanted)) AND c.relkind = 'r' "
        "JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2",
        [sorted(tables)],
    )
    for schema, name in found.fetchall():
        yield sql.Identifier(schema, name)


def _scrub_table(connection: psycopg.Connection[Any], table: sql.Identifier, words: Words) -> int:
    columns = _texts_of(connection, table)
    if not columns:
        return 0
    names = [sql.Identifier(name) for name in columns]
    asked = sql.SQL("SELECT ctid::text, {} FROM {}").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(name) for name in names), table
    )
    count = 0
    with connection.transaction(), connection.cursor("rows") as rows:
        # Else a row may have moved before it is written.
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table))
        rows.itersize = _ROWS
        changes: list[tuple[str, dict[str, str]]] = []
        for place, *values in rows.execute(asked):
            clean: dict[str, str] = {}
            for name, value in zip(columns, values, strict=True):
                if value is None:
                    continue
                text, number = words.taken_out(value)
                if number:
                    clean[name] = text[: columns[name]]
                    count += number
            if clean:
                changes.append((place, clean))
        for place, clean in changes:
            sets = sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), text)
                for name, text in clean.items()
            )
            connection.execute(
                sql.SQL("UPDATE {} SET {} WHERE ctid = {}::tid").format(table, sets, place)
            )
    return count


def _texts_of(connection: psycopg.Connection[Any], table: sql.Identifier) -> dict[str, int | None]:
    """Columns of text, and how long their values may be."""
    found = connection.execute(
        "SELECT column_name, character_maximum_length FROM information_schema.columns "
        "WHERE (quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass "
        "= %s::regclass AND data_type = ANY(%s) ORDER BY ordinal_position",
        [table.as_string(connection), list(_TEXTS)],
    )
    return dict(found.fetchall())
