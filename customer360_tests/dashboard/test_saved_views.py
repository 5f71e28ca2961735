"""Saved views: what is shown under a name, for everybody, and never one customer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from customer360.serving.kept_tables import SAVED_VIEWS
from customer360.serving.saved_views import SavedView, all_views, save
from customer360.serving.warehouse import Login, open_warehouse
from customer360.settings import Settings
from customer360_tests.dashboard.pages import said
from customer360_tests.dashboard.shop import AS_OF, BEFORE, key

Shown = Callable[..., AppTest]


@pytest.fixture
def owner(shop_home: Settings) -> Iterator[Login]:
    """The shop's warehouse, which has no views before and after."""
    login = open_warehouse(shop_home).owner
    yield login
    with login.connect() as connection:
        connection.execute(f"TRUNCATE {SAVED_VIEWS}")


def with_menu(test: AppTest) -> AppTest:
    """The page with the popover open."""
    test.session_state["saved-views"] = True
    return test.run()


def saved_as(test: AppTest, name: str) -> AppTest:
    test.text_input(key="view-name").set_value(name)
    test.button(key="FormSubmitter:save-view-Save this view").click()
    return test.run()


def labels(test: AppTest) -> list[str]:
    return [each.label for each in test.button if str(each.key).startswith("open-view-")]


def test_what_is_shown_is_saved_without_day_language_and_page(shown: Shown, owner: Login) -> None:
    address = {"segments": "need_attention", "sort": "net_revenue", "rows": "50", "page": "1"}
    junk = {"regions": "Ana", "what": "Ana"}
    test = with_menu(shown("customers", as_of=BEFORE.isoformat(), **address, **junk))
    assert "No view is saved yet." in said(test)
    saved_as(test, "  Needy, by\n revenue ")
    assert "Saved: Needy, by revenue" in said(test)
    assert labels(test) == ["Needy, by revenue · Customers"]
    chosen = {"segments": ["need_attention"], "sort": ["net_revenue"], "rows": ["50"]}
    assert all_views(owner) == [SavedView("Needy, by revenue", "customers", chosen)]


def test_a_view_is_opened_by_a_click_and_is_of_the_newest_day(shown: Shown, owner: Login) -> None:
    save(owner, SavedView("Rio", "customers", {"regions": ["RJ"], "sort": ["net_revenue"]}))
    test = with_menu(shown("segments", as_of=BEFORE.isoformat()))
    test.button(key="open-view-0").click().run()
    assert not test.exception
    assert test.title[0].value == "Customers"
    assert list(test.dataframe[0].value["customer_key"]) == [key(5), key(3)]
    assert dict(test.query_params) == {
        "lang": "en", "as_of": AS_OF.isoformat(), "regions": "RJ", "sort": "net_revenue",
    }  # fmt: skip
    # The list of views is out of the way.
    assert labels(test) == []


def test_what_was_typed_does_not_narrow_a_view(
    shown: Shown, owner: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTOMER360_DASHBOARD_PERSONAL_DATA", "true")
    save(owner, SavedView("Rio", "customers", {"regions": ["RJ"]}))
    test = shown("customers")
    test.text_input(key="search").set_value("Souza").run()
    with_menu(test)
    assert "was searched for, and is not saved" in said(test)
    test.button(key="open-view-0").click().run()
    assert test.text_input(key="search").value == ""
    assert list(test.dataframe[0].value["customer_key"]) == [key(3), key(5)]


@pytest.mark.parametrize(
    "address", [{"customer": key(1)}, {"search": key(1)[:12]}, {"search": "1"}]
)
def test_one_customer_is_no_view(shown: Shown, owner: Login, address: dict[str, str]) -> None:
    test = with_menu(shown("customers", **address))
    assert "is of one customer, or was searched for, and is not saved" in said(test)
    assert [each.key for each in test.text_input if each.key == "view-name"] == []
    portuguese = with_menu(shown("customers", "pt", **address))
    assert "O que aparece aqui é de um só cliente, ou foi buscado" in said(portuguese)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (" \n ", "Give the view a name first."),
        (f"like {key(4)[:12].upper()}", "A name may hold no customer key."),
        ("Taken", "There is a view of this name already: Taken."),
    ],
)
def test_a_name_that_will_not_do_is_refused(
    shown: Shown, owner: Login, name: str, answer: str
) -> None:
    before = SavedView("Taken", "whales", {"whales": ["50"]})
    assert save(owner, before)
    test = saved_as(with_menu(shown("segments")), name)
    assert answer in said(test)
    assert all_views(owner) == [before]


def test_a_view_is_removed_after_a_question(shown: Shown, owner: Login) -> None:
    save(owner, SavedView("One", "whales", {}))
    save(owner, SavedView("Two", "segments", {}))
    test = with_menu(shown("overview"))
    assert labels(test) == ["One · Whales", "Two · Segments"]
    test.button(key="remove-view-0").click().run()
    assert "Remove One for everybody?" in said(test)
    assert len(all_views(owner)) == 2
    test.button(key="view-remove-now").click().run()
    assert [view.name for view in all_views(owner)] == ["Two"]
    assert labels(test) == ["Two · Segments"]


def test_a_name_is_never_markup(shown: Shown, owner: Login) -> None:
    save(owner, SavedView("<b>x</b> [y](http://y) :red[z]", "whales", {}))
    (label,) = labels(with_menu(shown("overview")))
    assert label.startswith(r"\<b\>x\</b\> \[y\]\(http\://y\) \:red\[z\]")


def test_what_is_not_there_any_more_is_opened_as_far_as_it_can(shown: Shown, owner: Login) -> None:
    save(owner, SavedView("A page of before", "churn", {}))
    save(owner, SavedView("Elsewhere", "customers", {"regions": ["Mars", "SP"], "sort": ["luck"]}))
    test = with_menu(shown("overview"))
    assert labels(test)[0] == "A page of before · a page that is no more"
    assert test.button(key="open-view-0").disabled
    test.button(key="open-view-1").click().run()
    assert not test.exception
    assert list(test.dataframe[0].value["customer_key"]) == [key(1), key(2)]


def test_a_warehouse_of_before_says_what_to_do(shown: Shown, shop_home: Settings) -> None:
    login = open_warehouse(shop_home).owner
    with login.connect() as connection:
        connection.execute(f"DROP TABLE {SAVED_VIEWS}")
    try:
        test = with_menu(shown("segments"))
        assert not test.exception
        assert "saved views cannot be read" in said(test).replace("\\", "")
        assert "customer360 warehouse up" in said(test)
    finally:
        open_warehouse(shop_home)
