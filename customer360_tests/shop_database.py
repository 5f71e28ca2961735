"""An operational database for tests, on the server that all tests share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from customer360.sources.postgres import PostgresSource
from customer360.sources.postgres.database import Database
from customer360.sources.postgres.mapping import parse_mapping

_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Shop:
    """An operational database, as its own application sees it."""

    url: str
    connection: psycopg.Connection[Any]

    @property
    def as_url(self) -> str:
        """Its address as SQLAlchemy reads it, which knows no other form."""
        given = conninfo_to_dict(self.url)
        return f"postgresql+psycopg2://{given['user']}:@/{given['dbname']}?host={given['host']}"

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.connection.execute(statement.encode())

    def source(self, mapping: str, url: str | None = None) -> PostgresSource:
        return PostgresSource(
            parse_mapping(mapping, where="shop.yaml"), Database.of_url(url or self.url)
        )


@contextmanager
def shop_on(server: str) -> Iterator[Shop]:
    """A new, empty database on ``server``."""
    name = f"shop_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_conninfo(server, dbname=name)
    with psycopg.connect(url, autocommit=True) as connection:
        yield Shop(url, connection)
