"""Who was contacted is noted once, a share is kept back, and no publish takes it away."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pyspark.sql import SparkSession

from customer360.deployment import Deployment
from customer360.errors import SettingsError
from customer360.lakehouse.tables import Lakehouse
from customer360.pipeline.expire import expire_in_warehouse
from customer360.pipeline.workspace import Workspace
from customer360.privacy.warehouse_anew import publish_anew
from customer360.serving import kept_tables
from customer360.serving import warehouse as serving_warehouse
from customer360.serving.contact_log import Marked, all_contacts, mark, rename
from customer360.serving.kept_tables import CONTACTS
from customer360.serving.publishing import Origin, PublishedTable, publish_rows
from customer360.serving.warehouse import Login, Warehouse, WarehouseError, open_warehouse
from customer360.settings import Settings, load_settings
from customer360_tests.serving.published import change
from customer360_tests.shop_database import Shop

DAY = date(2024, 6, 30)
ANN, BOB, EVE = "a" * 64, "b" * 64, "e" * 64
CUSTOMERS = PublishedTable("silver.customers", {"customer_key": "text"}, ("customer_key",))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path)


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    """A warehouse of its own, in which nobody was contacted yet."""
    return open_warehouse(settings)


def marked(
    login: Login,
    *keys: str,
    share: float = 0.0,
    pause_days: int = 30,
    as_of: date = DAY,
    campaign: str = "whales",
) -> Marked:
    return mark(
        login, campaign, as_of, keys,
        control_share=share, pause_days=pause_days, control_days=91,
    )  # fmt: skip


def rows(owner: Login) -> list[tuple[Any, ...]]:
    return [(key, name, as_of, back) for key, name, _, as_of, back in all_contacts(owner)]


def test_a_share_is_kept_back_at_random_and_nobody_is_lost(warehouse: Warehouse) -> None:
    keys = [f"{n:064x}" for n in range(1_000)]
    parted = marked(warehouse.reader, *keys, share=0.1)
    assert 70 < len(parted.control) < 130
    assert sorted(parted.contacted + parted.control) == keys
    change(warehouse.owner, f"TRUNCATE {CONTACTS}")
    # Alone, from another list and on another day of the quarter it is the same ones.
    again = marked(
        warehouse.reader, *keys[:100], share=0.1, as_of=date(2024, 4, 1), campaign="win_back"
    )
    assert again.control == tuple(key for key in parted.control if key in keys[:100])
    change(warehouse.owner, f"TRUNCATE {CONTACTS}")
    later = marked(warehouse.reader, *keys, share=0.1, as_of=date(2024, 7, 1))
    assert len(set(later.control) & set(parted.control)) < 30
    change(warehouse.owner, f"TRUNCATE {CONTACTS}")
    assert marked(warehouse.reader, *keys).control == ()


def test_who_is_kept_back_is_not_contacted_before_it_is_known_what_they_bought(
    warehouse: Warehouse,
) -> None:
    assert marked(warehouse.reader, ANN, share=0.999).control == (ANN,)
    assert marked(warehouse.reader, BOB).contacted == (BOB,)
    for days, ann, bob in ((29, 1, 1), (31, 1, 0), (90, 1, 0), (92, 0, 0)):
        change(
            warehouse.owner, f"UPDATE {CONTACTS} SET contacted_at = now() - interval '{days} days'"
        )
        assert marked(warehouse.reader, ANN).already == ann
        assert marked(warehouse.reader, BOB).already == bob
        change(
            warehouse.owner,
            f"DELETE FROM {CONTACTS} WHERE contacted_at > now() - interval '1 hour'",
        )


def test_marking_notes_who_when_and_from_which_list(warehouse: Warehouse) -> None:
    assert marked(warehouse.reader, ANN, BOB) == Marked((ANN, BOB), ())
    assert marked(warehouse.reader, EVE, share=0.999).control == (EVE,)
    assert rows(warehouse.owner) == [
        (ANN, "whales", DAY, False),
        (BOB, "whales", DAY, False),
        (EVE, "whales", DAY, True),
    ]
    # Within the pause nobody is marked again, whoever asks.
    assert marked(warehouse.reader, ANN) == Marked((), (), 1)
    assert marked(warehouse.reader, ANN, pause_days=0) == Marked((ANN,), ())


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {CONTACTS} SET in_control = true",
        f"DELETE FROM {CONTACTS}",
        f"TRUNCATE {CONTACTS}",
        # When is the server's to say.
        f"INSERT INTO {CONTACTS} VALUES ('x', 'whales', '2020-01-01', '2020-01-01', false)",
        "INSERT INTO silver.customers VALUES ('x')",
        "CREATE TABLE serving.more (n integer)",
    ],
)
def test_the_reader_may_add_contacts_and_nothing_else(warehouse: Warehouse, statement: str) -> None:
    publish_rows(warehouse.owner, CUSTOMERS, [(ANN,)], Origin("a run"))
    marked(warehouse.reader, ANN)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        change(warehouse.reader, statement)
    assert rows(warehouse.owner) == [(ANN, "whales", DAY, False)]


def test_where_the_table_is_missing_the_remedy_is_named(warehouse: Warehouse) -> None:
    change(warehouse.owner, f"DROP TABLE {CONTACTS}")
    with pytest.raises(
        WarehouseError, match=r"contacts are not marked: .*customer360 warehouse up"
    ):
        marked(warehouse.reader, ANN)
    assert all_contacts(warehouse.owner) == []


def test_contacts_go_when_they_are_as_old_as_the_settings_let_them_be(
    spark: SparkSession, tmp_path: Path
) -> None:
    settings = load_settings(tmp_path, retention_days={"contacts": 100})
    warehouse = open_warehouse(settings)
    marked(warehouse.reader, ANN, BOB)
    change(
        warehouse.owner,
        f"UPDATE {CONTACTS} SET contacted_at = now() - interval '101 days' "
        f"WHERE customer_key = '{ANN}'",
    )
    deployment = Deployment(settings, ())
    work = Workspace(Lakehouse(spark, settings.lakehouse_root), deployment, "test")
    assert expire_in_warehouse(work) == 1
    assert rows(warehouse.owner) == [(BOB, "whales", DAY, False)]
    assert expire_in_warehouse(work) == 0
    with pytest.raises(SettingsError, match=r"contacts: 30 days are not more than contact_pause"):
        load_settings(tmp_path, retention_days={"contacts": 30})


def test_contacts_are_kept_till_it_is_known_what_came_of_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"contacts: 91 days are not more than revenue_horizon"):
        load_settings(tmp_path, retention_days={"contacts": 91})
    assert load_settings(tmp_path, retention_days={"contacts": 92}).contact_control_days == 91
    longer = load_settings(tmp_path, contact_pause_days=180)
    assert longer.contact_control_days == 180


def test_publishing_and_opening_again_leave_contacts_as_they_are(
    settings: Settings, warehouse: Warehouse
) -> None:
    marked(warehouse.reader, ANN)
    publish_rows(warehouse.owner, CUSTOMERS, [(BOB,)], Origin("a run"))
    assert rows(open_warehouse(settings).owner) == [(ANN, "whales", DAY, False)]


def test_who_is_forgotten_was_never_contacted_and_the_others_were(
    settings: Settings, warehouse: Warehouse
) -> None:
    marked(warehouse.reader, ANN, BOB)
    before = all_contacts(warehouse.owner)
    publish_anew(settings, lambda: None, {ANN})
    # To the moment, in a server that has been made anew.
    assert all_contacts(open_warehouse(settings).owner) == before[1:]
    assert not [file for file in (settings.home / "privacy").rglob("*") if file.is_file()]


def test_an_erasure_that_was_killed_loses_no_contact(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked(warehouse.reader, ANN, BOB)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(kept_tables, "put_back", killed)
        with pytest.raises(KeyboardInterrupt):
            publish_anew(settings, lambda: None, {ANN})
    assert all_contacts(open_warehouse(settings).owner) == []
    publish_anew(settings, lambda: None, {ANN})
    assert rows(open_warehouse(settings).owner) == [(BOB, "whales", DAY, False)]


def test_on_a_server_of_others_contacts_of_who_is_forgotten_go(shop: Shop, tmp_path: Path) -> None:
    settings = load_settings(tmp_path, warehouse_url=shop.url, warehouse_reader_url=shop.url)
    owner = open_warehouse(settings).owner
    marked(owner, ANN, BOB)
    publish_anew(settings, lambda: None, {ANN})
    assert rows(owner) == [(BOB, "whales", DAY, False)]

    def marks_too_soon() -> None:
        with pytest.raises(WarehouseError, match="do it again when that has ended"):
            marked(owner, EVE)

    # A rotation has given them their new keys by then.
    publish_anew(settings, marks_too_soon, None)
    assert marked(owner, BOB) == Marked((), (), 1)
    assert rows(owner) == [(BOB, "whales", DAY, False)]


def test_nobody_is_marked_while_the_warehouse_is_made_anew(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From when contacts are read until what is listed is published; also if it was killed."""
    marked(warehouse.reader, ANN, BOB)
    refused: list[str] = []

    def tried() -> None:
        with pytest.raises(WarehouseError) as caught:
            marked(open_warehouse(settings).reader, EVE)
        refused.append(str(caught.value))

    take_down = serving_warehouse.take_down

    def once_more(settings: Settings) -> bool:
        tried()
        return take_down(settings)

    monkeypatch.setattr(serving_warehouse, "take_down", once_more)

    def killed() -> None:
        tried()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish_anew(settings, killed, {ANN})
    tried()
    publish_anew(settings, tried, {ANN})
    assert set(refused) == {
        "contacts are not marked: people are being forgotten or customers get other keys just now; "
        "do it again when that has ended"
    }
    assert len(refused) == 5
    reopened = open_warehouse(settings)
    assert marked(reopened.reader, EVE).contacted == (EVE,)
    assert [row[0] for row in rows(reopened.owner)] == [BOB, EVE]


def test_contacts_get_the_new_keys_once(warehouse: Warehouse) -> None:
    marked(warehouse.reader, ANN, BOB, EVE)
    keys = {ANN: "1" * 64, BOB: "2" * 64}
    rename(warehouse.owner, keys)
    rename(warehouse.owner, keys | {"1" * 64: "1" * 64, "2" * 64: "2" * 64})
    # Eve is no customer any more.
    assert [row[0] for row in rows(warehouse.owner)] == ["1" * 64, "2" * 64]
