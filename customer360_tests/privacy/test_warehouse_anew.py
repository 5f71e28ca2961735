"""On a server of others nothing stays of who is gone, also where nothing is published again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from customer360.privacy.warehouse_anew import publish_anew
from customer360.serving.publishing import Origin, PublishedTable, publish_rows
from customer360.serving.warehouse import Login, open_warehouse
from customer360.settings import Settings, load_settings
from customer360_tests.shop_database import Shop

ANN, BOB, MAIL = "a" * 64, "b" * 64, "ann.canary@example.com"
CUSTOMERS = PublishedTable(
    "silver.customers", {"customer_key": "text", "email": "text"}, ("customer_key",)
)
LEFT = ("silver.customers", "silver.customer_days", "gold.of_older_release", "marts.customer_360")
"""Tables that nothing is published to again."""


@pytest.fixture
def settings(shop: Shop, tmp_path: Path) -> Settings:
    """A deployment that publishes to a server of others, which has Ann's rows and Bob's."""
    given = load_settings(tmp_path, warehouse_url=shop.url, warehouse_reader_url=shop.url)
    owner = open_warehouse(given).owner
    publish_rows(owner, CUSTOMERS, [(ANN, MAIL), (BOB, "bob@example.com")], Origin("a run"))
    shop.run(
        *(
            f"CREATE TABLE {table} AS TABLE silver.customers"
            for table in (*LEFT[1:], 'loading."gold.left"')
        ),
        f"DELETE FROM silver.customer_days WHERE customer_key = '{BOB}'",
        "CREATE TABLE public.customers AS TABLE silver.customers",
        "ANALYZE",
    )
    return given


def published(owner: Login, *rows: tuple[str, str]) -> None:
    publish_rows(owner, CUSTOMERS, rows, Origin("another run"))


def keys(shop: Shop, table: str) -> list[str]:
    found = shop.connection.execute(f"SELECT customer_key FROM {table} ORDER BY 1".encode())
    return [str(key) for (key,) in found]


def statistics(shop: Shop) -> str:
    found: list[tuple[Any, ...]] = shop.connection.execute(
        "SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats "
        "WHERE schemaname IN ('silver', 'gold', 'marts', 'serving', 'loading')"
    ).fetchall()
    return str(found)


def test_who_is_forgotten_goes_where_there_is_no_snapshot_to_publish(
    shop: Shop, settings: Settings
) -> None:
    assert MAIL in statistics(shop)
    publish_anew(settings, lambda: None, {ANN})
    assert {table: keys(shop, table) for table in LEFT} == {
        table: [] if table == "silver.customer_days" else [BOB] for table in LEFT
    }
    with pytest.raises(psycopg.errors.UndefinedTable):
        keys(shop, 'loading."gold.left"')
    assert MAIL not in statistics(shop)
    assert ANN not in statistics(shop)
    # What is no table of the deployment's is not touched.
    assert keys(shop, "public.customers") == [ANN, BOB]


def test_what_is_published_again_is_as_it_was_published(shop: Shop, settings: Settings) -> None:
    """Where a key is another one, no row with one of before stays."""
    owner = open_warehouse(settings).owner
    publish_anew(settings, lambda: published(owner, ("c" * 64, "bob@example.com")), gone=None)
    assert {table: keys(shop, table) for table in LEFT} == {
        "silver.customers": ["c" * 64],
        "silver.customer_days": [],
        "gold.of_older_release": [],
        # Made again with what was published.
        "marts.customer_360": [ANN, BOB],
    }
