"""The warehouse made anew from the lakehouse, so that nothing is left of what it held.

What is in it alone, who was contacted, is set aside meanwhile, in a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from customer360.privacy import journal
from customer360.privacy.known import KEY
from customer360.serving import contact_log, marts, warehouse
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
    Nobody is marked as contacted meanwhile.

    Args:
        settings: The deployment's.
        publish: Brings the warehouse up to date.
        gone: Customer keys of before that must not be there; None: all of them, but for those of
            the contacts, which have the new keys by then.

    Raises:
        WarehouseError: The warehouse cannot be reached, or not all of it be deleted.
    """
    if settings.warehouse_url is None:
        if not warehouse.is_made(settings):
            return
        stays = warehouse.is_to_stay(settings)
        _set_contacts_aside(settings, gone or ())
        warehouse.remove(settings)
        if stays:
            warehouse.stay_up(settings)
        _put_contacts_back(settings)
        publish()
        contact_log.release(warehouse.open_warehouse(settings).owner)
        return
    owner = warehouse.open_warehouse(settings).owner
    contact_log.hold(owner)
    with owner.connect(autocommit=True) as connection, suppress(psycopg.errors.UndefinedTable):
        connection.execute(f"DELETE FROM {PUBLICATIONS}")
    publish()
    again = _published_again(owner)
    with owner.connect(autocommit=True) as connection:
        for schema, table in _tables_of_customers(connection):
            name = sql.Identifier(schema, table)
            if schema == warehouse.LOADING:  # a publish that was killed left it
                connection.execute(sql.SQL("DROP TABLE {}").format(name))
            elif f"{schema}.{table}" == warehouse.CONTACTS:
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
    contact_log.release(owner)


def _set_contacts_aside(settings: Settings, gone: Collection[str]) -> None:
    """Keep who was contacted, but for who is ``gone``, in a file that outlives the server.

    One that a process that was killed has left is kept too.
    """
    file = journal.contacts_file(settings)
    rows = contact_log.of_text(file.read_text(encoding="utf-8")) if file.exists() else []
    if (settings.warehouse_dir / "PG_VERSION").exists():
        owner = warehouse.open_warehouse(settings).owner
        contact_log.hold(owner)
        rows += contact_log.all_contacts(owner)
    write_whole(file, contact_log.as_text(rows, without=gone))


def _put_contacts_back(settings: Settings) -> None:
    """Restore them in the new server, where nobody may mark before what is listed is published."""
    file = journal.contacts_file(settings)
    owner = warehouse.open_warehouse(settings).owner
    contact_log.hold(owner)
    contact_log.restore(owner, contact_log.of_text(file.read_text(encoding="utf-8")))
    file.unlink()


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
