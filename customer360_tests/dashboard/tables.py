"""The warehouse's published tables, as publishing makes them: empty, or with rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from customer360.serving import tables

PUBLICATIONS = """
CREATE TABLE serving.publications (
    table_name text, rows bigint, delta_version bigint, first_slice date, last_slice date,
    run_id text, published_at timestamptz
)
"""


def create(connection: psycopg.Connection[Any], *, personal: bool = False) -> None:
    """Make every published table, without rows."""
    published = [
        *(tables.copy_of(name, personal_data=personal) for name in tables.published_tables()),
        tables.revenue_examples(),
        tables.MODELS,
        tables.MODEL_FIGURES,
        tables.MODEL_PLOTS,
        tables.QUARANTINE,
        tables.ROW_ACCOUNTING,
        tables.SUPPRESSED_CUSTOMERS,
        tables.DEPLOYMENT,
        tables.RUNS,
    ]
    for table in published:
        connection.execute(
            sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}))").format(
                table.identifier,
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
                    for name, kind in table.columns.items()
                ),
                sql.SQL(", ").join(map(sql.Identifier, table.key)),
            )
        )
    connection.execute(PUBLICATIONS)


def insert(
    connection: psycopg.Connection[Any],
    table: str,
    rows: Iterable[Mapping[str, Any]],
    **common: Any,
) -> None:
    """Put rows into ``schema.table``; what a required column lacks gets ``common``'s value."""
    there = _columns_of(connection, table)
    target = sql.Identifier(*table.split("."))
    for row in rows:
        given = {k: v for k, v in (common | dict(row)).items() if k in there}
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                target,
                sql.SQL(", ").join(map(sql.Identifier, given)),
                sql.SQL(", ").join([sql.Placeholder()] * len(given)),
            ),
            list(given.values()),
        )


def stated(connection: psycopg.Connection[Any], facts: Mapping[str, str]) -> None:
    """Put these facts about the deployment there, in place of all others."""
    connection.execute("DELETE FROM serving.deployment")
    insert(connection, "serving.deployment", [{"name": n, "value": v} for n, v in facts.items()])


def _columns_of(connection: psycopg.Connection[Any], table: str) -> Sequence[str]:
    found = connection.execute(f"SELECT * FROM {table} LIMIT 0").description
    return [column.name for column in found or ()]
