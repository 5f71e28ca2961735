"""The warehouse made anew from the lakehouse, so that nothing is left of what it held.

What is in it alone (`customer360.serving.kept_tables`) is set aside meanwhile, in files of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from customer360.privacy import journal
from customer360.privacy.known import KEY
from customer360.serving import kept_tables, marts, warehouse
from customer360.serving.publishing import PUBLICATIONS, publications
from customer360.settings import Settings, write_whole

_CLEARS_STATISTICS = 180000
"""Version of PostgreSQL from which a function forgets what the planner knows of a column."""


def publish_anew(
    settings: Settings, publish: Callable[[], None], gone: Collection[str] | None
) -> None:
    """Publish everything again, and leave no row, page or log of what was published before.

    Our own server is made anew. On another's, all tables are published and written again: its
    write-ahead log and its backups are its owner's. What is there and was not published again,
    because there is no snapshot yet, or by an older release, loses the rows of who is ``gone``.
    Nobody is marked as contacted, and no view is saved, meanwhile.

    Args:
        settings: The deployment's.
        publish: Brings the warehouse up to date.
        gone: Customer keys of before that must not be there; None: all of them, but for those of
            the contacts, which have the new keys by then.

    Raises:
        WarehouseError: The warehouse cannot be reached, or not all of it be deleted.
        psycopg.Error: The server refuses a statement, or has gone meanwhile.
        OSError: What is set aside cannot be written or read.
        Exception: What ``publish`` raises. After any of these writing stays held off, and another
            call ends what this one began.
    """
    if settings.warehouse_url is None:
        if not warehouse.is_made(settings):
            return
        stays = warehouse.is_to_stay(settings)
        _set_aside(settings, gone or ())
        warehouse.remove(settings)
        if stays:
            warehouse.stay_up(settings)
        _put_back(settings)
        publish()
        kept_tables.release(warehouse.open_warehouse(settings).owner)
        return
    owner = warehouse.open_warehouse(settings).owner
    kept_tables.hold(owner)
    with owner.connect(autocommit=True) as connection, suppress(psycopg.errors.UndefinedTable):
        connection.execute(f"DELETE FROM {PUBLICATIONS}")
    publish()
    again = _published_again(owner)
    with owner.connect(autocommit=True) as connection:
        for schema, table in _tables_of_customers(connection):
            name = sql.Identifier(schema, table)
            if schema == warehouse.LOADING:  # a publish that was killed left it
                connection.execute(sql.SQL("DROP TABLE {}").format(name))
            elif f"{schema}.{table}" == kept_tables.CONTACTS:
                _take_out(connection, name, gone or ())
            elif (schema, table) not in again:
                _take_out(connection, name, gone)
        for schema, table in connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s)",
            [list(warehouse.READABLE)],
        ).fetchall():
            name = sql.Identifier(schema, table)
            connection.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(name))
            _forget_statistics_of_nothing(connection, schema, table)
        # What the planner knew of columns before is a dead row, too. Who may not, is told so only.
        connection.execute("VACUUM FULL pg_catalog.pg_statistic")
        with suppress(psycopg.errors.InsufficientPrivilege):  # then the server makes one itself
            connection.execute("CHECKPOINT")
    kept_tables.release(owner)


def _set_aside(settings: Settings, gone: Collection[str]) -> None:
    """Keep what the warehouse alone has, but of who is ``gone``, in files that outlive the server.

    What a process that was killed has left there is kept too.
    """
    owner = None
    if (settings.warehouse_dir / "PG_VERSION").exists():
        owner = warehouse.open_warehouse(settings).owner
        kept_tables.hold(owner)
    for table in kept_tables.KEPT:
        file = journal.aside_file(settings, table.name)
        rows = _rows_in(file) if file.exists() else []
        if owner is not None:
            rows += kept_tables.rows_of(owner, table.name)
        left = (json.dumps(row) for row in rows if row.get(KEY) not in gone)
        write_whole(file, "".join(f"{line}\n" for line in left))


def _put_back(settings: Settings) -> None:
    """Restore it in the new server, where nobody may write before what is listed is published."""
    owner = warehouse.open_warehouse(settings).owner
    kept_tables.hold(owner)
    for table in kept_tables.KEPT:
        file = journal.aside_file(settings, table.name)
        kept_tables.put_back(owner, table.name, _rows_in(file))
        file.unlink()


def _rows_in(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _published_again(owner: warehouse.Login) -> set[tuple[str, str]]:
    """Schema and name of the tables that were made since publications were forgotten."""
    again = set()
    for each in publications(owner):
        schema, _, table = each.table.partition("/")
        again.add((schema, table))
    if again:
        nodes = marts.manifest()["nodes"].values()
        again |= {
            (node["schema"], node["name"]) for node in nodes if node["resource_type"] == "model"
        }
    return again


def _tables_of_customers(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Schema and name of the tables of ours with a row a customer, those on their way in too."""
    found = connection.execute(
        "SELECT c.table_schema, c.table_name FROM information_schema.columns c "
        "JOIN pg_tables t ON t.schemaname = c.table_schema AND t.tablename = c.table_name "
        "WHERE c.table_schema = ANY(%s) AND c.column_name = %s",
        [[*warehouse.READABLE, warehouse.LOADING], KEY],
    )
    yield from found.fetchall()


def _take_out(
    connection: psycopg.Connection[Any], table: sql.Identifier, gone: Collection[str] | None
) -> None:
    if gone is None:
        connection.execute(sql.SQL("TRUNCATE {}").format(table))
        return
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE {} = ANY(%s)").format(table, sql.Identifier(KEY)),
        [sorted(gone)],
    )


def _forget_statistics_of_nothing(
    connection: psycopg.Connection[Any], schema: str, table: str
) -> None:
    """What was known of the values of a table that is empty now: ANALYZE leaves it as it was."""
    if connection.info.server_version < _CLEARS_STATISTICS:
        return
    row = connection.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(schema, table))
    ).fetchone()
    if row != (True,):
        connection.execute(
            "SELECT pg_clear_attribute_stats(schemaname, tablename, attname, inherited) "
            "FROM pg_stats WHERE schemaname = %s AND tablename = %s",
            [schema, table],
        )
