"""How the warehouse is read: at one moment, as the reader, and what is said when it cannot be."""

from __future__ import annotations

import psycopg
import pytest

from customer360.dashboard.connection import NotMadeError, PublishedMeanwhileError, Reader
from customer360.dashboard.queries import overview, segments
from customer360.dashboard.source import Source
from customer360.serving.warehouse import Login, WarehouseError, open_warehouse
from customer360_tests.dashboard.shop import AS_OF


def test_nothing_can_be_written(reader) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), reader.reading() as reading:
        reading.frame("CREATE TABLE marts.mine (a int)")
    # The connection is as good as before.
    assert reader.ask(segments.sizes, AS_OF)["customers"].sum() == 5


def test_a_table_that_is_not_there_is_named(reader) -> None:
    with pytest.raises(NotMadeError, match="nowhere"), reader.reading() as reading:
        reading.frame("SELECT * FROM marts.nowhere")


def test_one_moment(reader, shop_home) -> None:
    """What is published while a page reads is not in what it reads."""
    owner = open_warehouse(shop_home).owner
    with reader.reading() as reading:
        before = segments.sizes(reading, AS_OF)["customers"].sum()
        with owner.connect() as connection:
            connection.execute("UPDATE marts.segment_summary SET customers = customers + 1")
        try:
            assert segments.sizes(reading, AS_OF)["customers"].sum() == before
        finally:
            with owner.connect() as connection:
                connection.execute("UPDATE marts.segment_summary SET customers = customers - 1")


def test_answers_are_kept_until_something_is_published(reader, shop_home) -> None:
    with reader.reading() as reading:
        version = reading.version()
    source = Source(reader, "test", version)
    assert source.ask(overview.first_day) == source.ask(overview.first_day)
    with open_warehouse(shop_home).owner.connect() as connection:
        connection.execute(
            "INSERT INTO serving.publications (table_name, published_at) VALUES ('x', now())"
        )
    try:
        # Kept, so not asked again; what was not asked before must not mix two publications.
        source.ask(overview.first_day)
        with pytest.raises(PublishedMeanwhileError):
            source.ask(segments.sizes, AS_OF)
    finally:
        with open_warehouse(shop_home).owner.connect() as connection:
            connection.execute("DELETE FROM serving.publications WHERE table_name = 'x'")


def test_a_server_that_went_away_and_came_back(reader, shop_home) -> None:
    """Connections that it forgot are not used again."""
    with reader.reading() as reading:
        pid = reading.frame("SELECT pg_backend_pid() AS pid")["pid"].iat[0]
    with open_warehouse(shop_home).owner.connect() as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", [int(pid)])
    assert reader.ask(segments.sizes, AS_OF)["customers"].sum() == 5


def test_no_server_is_one_line_without_the_password() -> None:
    login = Login({"host": "127.0.0.1", "port": "1", "user": "u", "password": "hush-hush"})
    with pytest.raises(WarehouseError, match="warehouse status") as caught:
        Reader(login).ask(overview.first_day)
    assert "hush-hush" not in str(caught.value)
