"""On a server of others nothing stays of who is gone, also where nothing is published again."""

from __future__ import annotations

import errno
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from customer360.privacy.warehouse_anew import publish_anew
from customer360.serving import warehouse
from customer360.serving.contact_log import all_contacts, mark
from customer360.serving.publishing import Origin, PublishedTable, publish_rows
from customer360.serving.warehouse import Login, WarehouseError, open_warehouse
from customer360.settings import Settings, load_settings
from customer360_tests.shop_database import Shop

DAY = date(2024, 6, 30)
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


def test_what_cannot_be_deleted_is_said_and_goes_when_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what a server writes that was started again meanwhile, and what a kill has left."""
    own = load_settings(tmp_path)
    data = own.warehouse_dir
    mark(
        open_warehouse(own).reader,
        "whales",
        DAY,
        [ANN, BOB],
        control_share=0,
        pause_days=30,
        control_days=91,
    )
    removed = shutil.rmtree

    def refused(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder / "base"))

    def killed(folder: Path) -> None:
        removed(folder / "base")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", refused)
        patched.setattr(warehouse, "take_down", lambda _: False)  # it is up again at once
        with pytest.raises(WarehouseError) as caught:
            publish_anew(own, lambda: None, {ANN})
    aside = data.with_name("warehouse.removed")
    assert str(caught.value) == (
        f"{aside}: not all of the warehouse of before can be deleted (Permission denied: "
        f"{aside / 'base'}): mend that, and go on by the same command with --resume"
    )
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            publish_anew(own, lambda: None, {ANN})
    assert (aside / "PG_VERSION").exists()

    publish_anew(own, lambda: None, {ANN})

    assert not aside.exists()
    assert [row[0] for row in all_contacts(open_warehouse(own).owner)] == [BOB]
    warehouse.take_down(own)
