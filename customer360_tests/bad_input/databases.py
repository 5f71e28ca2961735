"""Databases that do not answer, or do not have what a mapping names."""

from __future__ import annotations

from pathlib import Path

from customer360.orchestration.instance import instance_settings, open_instance
from customer360.settings import load_settings
from customer360_tests.bad_input.case import MAPPING, Case, Group

TABLE = "CREATE TABLE orders (id integer, placed_at timestamp, buyer text, total numeric(10, 2))"
"""Of the operational database that the cases are met with."""

ORDERS = """
name: shop
table: orders
time_zone: Europe/London
currency: GBP
grain: orders
columns: {order_id: id, customer_id: buyer, occurred_at: placed_at, amount: total}
"""
URL = "CUSTOMER360_POSTGRES_URL"


def asked(id: str, wrong: str, says: str, *change: str, url: str | None = None) -> Case:
    """A database that `customer360 run` reads, by the mapping with a change."""
    command = ("run", "--source", "postgres", "--mapping", MAPPING)
    files = {MAPPING: ORDERS.replace(change[0], change[1]) if change else ORDERS}
    if url is None:
        return Case(id, wrong, says, command, files, needs=("shop",))
    return Case(id, wrong, says, command, files, {URL: url})


DAGSTER_URL = "DAGSTER_POSTGRES_URL"


def kept_in(id: str, wrong: str, says: str, *, postgres: bool, url: str | None = None) -> Case:
    """Where Dagster is to keep runs: what its ``dagster.yaml`` says, and the variable."""

    def opened(folder: Path) -> object:
        return open_instance(load_settings(folder / "data"))

    return Case(
        id,
        wrong,
        says,
        files={"data/dagster/dagster.yaml": instance_settings(postgres=postgres)},
        environment={} if url is None else {DAGSTER_URL: url},
        function=opened,
    )


GROUPS = (
    Group(
        "The source `postgres`",
        "",
        (
            asked(
                "database_unreachable",
                "nothing listens there",
                "database 127.0.0.1/shop: connection failed: connection to server at "
                '"127.0.0.1", port 1 failed: Connection refused; check that the server runs '
                "and what CUSTOMER360_POSTGRES_URL (or PGPASSWORD, ~/.pgpass) says",
                url="postgresql://reader@127.0.0.1:1/shop",
            ),
            asked(
                "database_url",
                "no URL; what it holds is not repeated, as it may be a password",
                "setting postgres_url is not a PostgreSQL URL like "
                "postgresql://user@host:5432/database",
                url="shop.example/orders reader hush-hush",
            ),
            asked(
                "database_table",
                "a table that is not there",
                'database …/shop: ordres of shop cannot be read: relation "ordres" does not '
                "exist; check the mapping",
                "table: orders",
                "table: ordres",
            ),
            asked(
                "database_column",
                "a column that is not there",
                "database …/shop: orders of shop has no column price, only id, placed_at, "
                "buyer, total; check the mapping",
                "amount: total",
                "amount: price",
            ),
            asked(
                "database_case",
                "a column that differs in case",
                "database …/shop: orders of shop has no column Total, only id, placed_at, "
                "buyer, total; total differs in case: write it so",
                "amount: total",
                "amount: Total",
            ),
            asked(
                "database_type",
                "a column of times that holds text",
                "database …/shop: orders of shop has buyer (occurred_at) as text, which is "
                "no time; cast it in a `query`",
                "occurred_at: placed_at",
                "occurred_at: buyer",
            ),
            asked(
                "database_delete",
                "a query that deletes",
                "database …/shop: the query of shop cannot be read: syntax error at or near "
                '"FROM"; check the mapping',
                "table: orders",
                "query: DELETE FROM orders",
            ),
            asked(
                "database_twice",
                "a query that names two columns alike",
                "database …/shop: the query of shop has id more than once; give each its own name",
                "table: orders",
                "query: SELECT 1 AS id, 2 AS id",
            ),
            asked(
                "database_both",
                "a table and a query",
                "mapping shop.yaml: name either a table or a query",
                "table: orders",
                "table: orders\nquery: SELECT 1",
            ),
            asked(
                "database_empty",
                "a table without a row",
                "database …/shop: orders of shop has no row with a time in placed_at; check "
                "the mapping",
            ),
        ),
        by="run --source postgres --mapping shop.yaml",
    ),
    Group(
        "Dagster's",
        "",
        (
            kept_in(
                "dagster_unreachable",
                "nothing listens at `DAGSTER_POSTGRES_URL`; the password is not repeated",
                "DAGSTER_POSTGRES_URL, 127.0.0.1/dagster: connection failed: connection to server "
                'at "127.0.0.1", port 1 failed: Connection refused',
                postgres=True,
                url="postgresql+psycopg2://dagster:hush-hush@127.0.0.1:1/dagster",
            ),
            kept_in(
                "dagster_elsewhere",
                "`DAGSTER_POSTGRES_URL` is set, and `dagster.yaml` keeps runs in SQLite",
                "/…/data/dagster/dagster.yaml does not keep runs at DAGSTER_POSTGRES_URL, which is "
                "set: move that file away and a new one is written (runs so far stay where they "
                "are), or unset the variable",
                postgres=False,
                url="postgresql+psycopg2://dagster:hush-hush@127.0.0.1:1/dagster",
            ),
            kept_in(
                "dagster_driver",
                "a driver that Dagster does not work with, or none",
                "DAGSTER_POSTGRES_URL names no driver that dagster-postgres works with: write it "
                "as postgresql+psycopg2://user:password@host/database",
                postgres=True,
                url="postgresql://dagster:hush-hush@127.0.0.1:1/dagster",
            ),
            kept_in(
                "dagster_unset",
                "`dagster.yaml` keeps runs at `DAGSTER_POSTGRES_URL`, which is not set",
                "/…/data/dagster/dagster.yaml keeps runs at DAGSTER_POSTGRES_URL, which is not "
                "set: set it to postgresql+psycopg2://user:password@host/database",
                postgres=True,
            ),
        ),
        by="run",
    ),
)
