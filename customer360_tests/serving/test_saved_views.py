"""Views are kept for everybody, under one name each, outlive the warehouse, and hold no key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
import pytest

from customer360.privacy.journal import aside_file
from customer360.privacy.warehouse_anew import publish_anew
from customer360.serving import kept_tables
from customer360.serving.contact_log import all_contacts
from customer360.serving.kept_tables import CONTACTS, SAVED_VIEWS, hold, release
from customer360.serving.saved_views import SavedView, all_views, remove, save, tidied
from customer360.serving.warehouse import Login, Warehouse, WarehouseError, open_warehouse
from customer360.settings import Settings, load_settings
from customer360_tests.serving.published import change

ANN, BOB = "a1" * 32, "b2" * 32
CONTACTED = (
    f"INSERT INTO {CONTACTS} (customer_key, list, as_of, in_control) "
    f"VALUES ('{BOB}', 'whales', '2024-06-30', false)"
)
RIO = SavedView("Rio", "customers", {"regions": ["RJ"], "segments": ["lost", "at_risk"]})
WHALES = SavedView("50 baleias · São Paulo", "whales", {})


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(tmp_path_factory.mktemp("views"))


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    found = open_warehouse(settings)
    change(found.owner, f"TRUNCATE {SAVED_VIEWS}")
    return found


def test_a_view_is_kept_once_under_its_name_and_removed(warehouse: Warehouse) -> None:
    assert save(warehouse.reader, RIO)
    assert save(warehouse.reader, WHALES)
    assert not save(warehouse.reader, SavedView("Rio", "segments", {}))
    assert all_views(warehouse.reader) == [WHALES, RIO]
    remove(warehouse.reader, "Rio")
    remove(warehouse.reader, "never there")
    assert all_views(warehouse.reader) == [WHALES]


def test_a_view_gives_way_only_to_one_that_is_kept(warehouse: Warehouse) -> None:
    save(warehouse.reader, RIO)
    with pytest.raises(WarehouseError, match="the view is not saved"):
        save(warehouse.reader, SavedView("Rio", f"whales?customer={ANN}", {}), replace=True)
    assert all_views(warehouse.reader) == [RIO]
    another = SavedView("Rio", "whales", {"whales": ["50"]})
    assert save(warehouse.reader, another, replace=True)
    assert all_views(warehouse.reader) == [another]
    assert save(warehouse.reader, WHALES, replace=True)


@pytest.mark.parametrize(
    "view",
    [
        SavedView("x", "customers", {"customer": ["a"]}),
        SavedView("x", "customers", {"search": ["Ana"]}),
        SavedView("x", "customers", {"regions": [ANN]}),
        SavedView("x", "customers", {"regions": [ANN[:12].upper()]}),
        SavedView(f"{ANN[:12]}…", "customers", {}),
        SavedView("x", f"customers?customer={ANN}", {}),
        SavedView("", "customers", {}),
        SavedView("x" * 61, "customers", {}),
    ],
)
def test_no_key_and_no_endless_name_can_stand_there(warehouse: Warehouse, view: SavedView) -> None:
    """Whoever writes it, also without the page."""
    with pytest.raises(WarehouseError, match=r"the view is not saved: .*without a customer's key"):
        save(warehouse.reader, view)
    with pytest.raises(WarehouseError):
        save(warehouse.owner, view)
    assert all_views(warehouse.owner) == []


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {SAVED_VIEWS} SET page = 'whales'",
        f"TRUNCATE {SAVED_VIEWS}",
        # When is the server's to say.
        f"INSERT INTO {SAVED_VIEWS} VALUES ('x', 'whales', '{{}}', '2020-01-01')",
    ],
)
def test_the_reader_may_add_and_remove_and_nothing_else(
    warehouse: Warehouse, statement: str
) -> None:
    save(warehouse.reader, RIO)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        change(warehouse.reader, statement)
    assert all_views(warehouse.owner) == [RIO]


def test_a_role_that_may_not_write_is_told_what_to_do(warehouse: Warehouse) -> None:
    role = warehouse.reader.parameters["user"]
    change(warehouse.owner, f"REVOKE INSERT (name, page, parameters) ON {SAVED_VIEWS} FROM {role}")
    change(warehouse.owner, f"REVOKE DELETE ON {SAVED_VIEWS} FROM {role}")
    for attempt in (lambda: save(warehouse.reader, RIO), lambda: remove(warehouse.reader, "Rio")):
        with pytest.raises(
            WarehouseError, match=r"the view is not (saved|removed): .*`customer360 warehouse up`"
        ):
            attempt()
    change(warehouse.owner, f"DROP TABLE {SAVED_VIEWS}")
    with pytest.raises(WarehouseError, match=r"cannot be read: .*`customer360 warehouse up`"):
        all_views(warehouse.reader)


def test_views_outlive_a_warehouse_that_is_made_anew(
    settings: Settings, warehouse: Warehouse
) -> None:
    save(warehouse.reader, RIO)
    save(warehouse.reader, WHALES)
    publish_anew(settings, lambda: None, {ANN})
    assert all_views(open_warehouse(settings).reader) == [WHALES, RIO]
    assert not [file for file in (settings.home / "privacy").rglob("*") if file.is_file()]


def test_views_are_put_back_where_that_was_killed_after_the_contacts(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(warehouse.owner, f"TRUNCATE {CONTACTS}")
    change(warehouse.owner, CONTACTED)
    save(warehouse.reader, RIO)
    save(warehouse.reader, WHALES)
    put_back = kept_tables.put_back

    def killed(owner: Login, table: str, rows: Iterable[dict[str, Any]]) -> None:
        if table == SAVED_VIEWS:
            raise KeyboardInterrupt
        put_back(owner, table, rows)

    with monkeypatch.context() as patched:
        patched.setattr(kept_tables, "put_back", killed)
        with pytest.raises(KeyboardInterrupt):
            publish_anew(settings, lambda: None, {ANN})
    between = open_warehouse(settings)
    assert [row[0] for row in all_contacts(between.owner)] == [BOB]
    assert all_views(between.reader) == []
    assert not aside_file(settings, CONTACTS).exists()
    assert aside_file(settings, SAVED_VIEWS).exists()
    publish_anew(settings, lambda: None, {ANN})
    resumed = open_warehouse(settings)
    assert all_views(resumed.reader) == [WHALES, RIO]
    assert [row[0] for row in all_contacts(resumed.owner)] == [BOB]
    assert not [file for file in (settings.home / "privacy").rglob("*") if file.is_file()]
    # And writing is not held off any more.
    remove(resumed.reader, "Rio")


def test_nothing_is_saved_while_people_are_forgotten(warehouse: Warehouse) -> None:
    save(warehouse.reader, RIO)
    hold(warehouse.owner)
    try:
        with pytest.raises(WarehouseError, match="not saved: people are being forgotten"):
            save(warehouse.reader, WHALES)
        with pytest.raises(WarehouseError, match="not removed: people are being forgotten"):
            remove(warehouse.reader, "Rio")
    finally:
        release(warehouse.owner)
    assert all_views(warehouse.reader) == [RIO]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  São  Paulo\n\tnow ", "São Paulo now"),
        ("a\u202eb\u200bc\x07", "abc"),
        ("\u200b \n", ""),
    ],
)
def test_a_name_is_one_line_of_what_is_seen(typed: str, kept: str) -> None:
    assert tidied(typed) == kept
