"""Snapshots that the lakehouse keeps no more, and old contacts, leave the warehouse to the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import psycopg
from psycopg import sql

from customer360.errors import first_line
from customer360.serving.kept_tables import CONTACTS
from customer360.serving.warehouse import Login, WarehouseError
from customer360.table_names import AS_OF

_OF_SNAPSHOTS = """
    SELECT c.table_schema, c.table_name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.column_name = %s AND t.table_type = 'BASE TABLE' AND c.table_schema = ANY(%s)
    ORDER BY 1, 2
"""
_PUBLISHED, _MARTS = "gold", "marts"


def remove_older(owner: Login, first: Mapping[str, date], first_joined: date | None) -> int:
    """Take snapshots away from the copies of gold and from the marts that are made of them.

    Tables that lose rows are written anew, so that no page holds what has gone; what the server's
    write-ahead log holds is over with its next turns.

    Args:
        owner: Who may write.
        first: The first as-of date that each table of gold keeps, by its name in the warehouse.
        first_joined: That of the customers' joined row, which marts are made of; None: all stay.

    Returns:
        How many rows went.

    Raises:
        WarehouseError: The database refuses.
    """
    count = 0
    try:
        with owner.connect(autocommit=True) as connection:
            tables = connection.execute(_OF_SNAPSHOTS, [AS_OF, [_PUBLISHED, _MARTS]]).fetchall()
            for schema, name in tables:
                keep_from = first_joined if schema == _MARTS else first.get(f"{schema}.{name}")
                if keep_from is None:
                    continue
                table = sql.Identifier(schema, name)
                gone = connection.execute(
                    sql.SQL("DELETE FROM {} WHERE {} < %s").format(table, sql.Identifier(AS_OF)),
                    [keep_from],
                ).rowcount
                if gone:
                    connection.execute(sql.SQL("VACUUM FULL {}").format(table))
                    count += gone
    except psycopg.Error as error:
        raise WarehouseError(
            f"taking old snapshots away from {owner.shown}: {first_line(error)}; the next upkeep "
            "does it again"
        ) from error
    return count


def remove_older_contacts(owner: Login, days: int) -> int:
    """Take away who was marked as contacted more than ``days`` days ago; how many rows went.

    Raises:
        WarehouseError: The database refuses.
    """
    try:
        with owner.connect(autocommit=True) as connection:
            if connection.execute("SELECT to_regclass(%s)", [CONTACTS]).fetchone() == (None,):
                return 0
            gone = connection.execute(
                f"DELETE FROM {CONTACTS} WHERE contacted_at < now() - make_interval(days => %s)",
                [days],
            ).rowcount
            if gone:
                connection.execute(f"VACUUM FULL {CONTACTS}")
            return gone
    except psycopg.Error as error:
        raise WarehouseError(
            f"taking old contacts away from {owner.shown}: {first_line(error)}; the next upkeep "
            "does it again"
        ) from error
