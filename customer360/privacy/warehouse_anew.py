"""The warehouse made anew from the lakehouse, so that nothing is left of what it held."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress

import psycopg
from psycopg import sql

from customer360.serving import warehouse
from customer360.serving.publishing import PUBLICATIONS
from customer360.settings import Settings


def publish_anew(settings: Settings, publish: Callable[[], None]) -> None:
    """Publish everything again, and leave no row, page or log of what was published before.

    Our own server is made anew. On another's, all tables are published and written again: its
    write-ahead log and its backups are its owner's.

    Args:
        settings: The deployment's.
        publish: Brings the warehouse up to date.
    """
    if settings.warehouse_url is None:
        # Its owner's password outlives the server's folder, which one that was stopped had deleted.
        if not (settings.home / "secrets" / "warehouse_owner").exists():
            return
        stays = warehouse.is_to_stay(settings)
        warehouse.take_down(settings)
        shutil.rmtree(settings.warehouse_dir, ignore_errors=True)
        if stays:
            warehouse.stay_up(settings)
        publish()
        return
    owner = warehouse.open_warehouse(settings).owner
    with owner.connect(autocommit=True) as connection, suppress(psycopg.errors.UndefinedTable):
        connection.execute(f"DELETE FROM {PUBLICATIONS}")
    publish()
    with owner.connect(autocommit=True) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s)",
            [list(warehouse.READABLE)],
        ).fetchall()
        for schema, table in tables:
            connection.execute(sql.SQL("VACUUM FULL {}").format(sql.Identifier(schema, table)))
        with suppress(psycopg.errors.InsufficientPrivilege):  # then the server makes one itself
            connection.execute("CHECKPOINT")
