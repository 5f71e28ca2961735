"""Saved views: what is shown under a name, for everybody, and never one customer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import pytest
from streamlit.testing.v1 import AppTest

from customer360.dashboard.queries import customers
from customer360.serving import saved_views
from customer360.serving.kept_tables import SAVED_VIEWS
from customer360.serving.saved_views import SavedView, all_views, save
from customer360.serving.warehouse import Login, WarehouseError, open_warehouse
from customer360.settings import Settings
from customer360_tests.dashboard.pages import said
from customer360_tests.dashboard.shop import AS_OF, BEFORE, key

Shown = Callable[..., AppTest]

MARCH = ["2024-03-01", "2024-03-15"]


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
    junk = {"what": "Ana", "risks": "Ana"}
    test = with_menu(shown("customers", as_of=BEFORE.isoformat(), **address, **junk))
    assert "No view is saved yet." in said(test)
    saved_as(test, "  Needy, by\n revenue ")
    assert "Saved: Needy, by revenue" in said(test)
    assert labels(test) == ["Needy, by revenue · Customers"]
    chosen = {"segments": ["need_attention"], "sort": ["net_revenue"], "rows": ["50"]}
    assert all_views(owner) == [SavedView("Needy, by revenue", "customers", chosen)]


def test_what_somebody_wrote_into_the_address_is_not_saved(shown: Shown, owner: Login) -> None:
    """It filters, as a region of another day may; but nobody knows what it names."""
    test = with_menu(shown("customers", regions="Ana"))
    assert "nobody's on this date, so it cannot be saved" in said(test)
    assert "view-name" not in [each.key for each in test.text_input]
    # A segment is one, also where nobody is in it.
    test = with_menu(shown("customers", segments="loyal_customers"))
    saved_as(test, "Loyal")
    assert all_views(owner) == [SavedView("Loyal", "customers", {"segments": ["loyal_customers"]})]


def test_the_sliders_are_saved(shown: Shown, owner: Login) -> None:
    test = with_menu(shown("retention", cost="2.5", success="0.125"))
    saved_as(test, "Half as dear")
    assert all_views(owner) == [
        SavedView("Half as dear", "retention", {"cost": ["2.5"], "success": ["0.125"]})
    ]


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


def test_a_segment_of_before_is_saved_with_its_date(shown: Shown, owner: Login) -> None:
    """The page's own choice is another date later."""
    saved_as(with_menu(shown("customers", before="need_attention")), "Moved")
    (view,) = all_views(owner)
    assert view.parameters == {"before": ["need_attention"], "since": [BEFORE.isoformat()]}


def test_a_half_chosen_period_is_neither_saved_nor_kept(shown: Shown, owner: Login) -> None:
    save(owner, SavedView("March", "overview", {"period": ["own"], "dates": MARCH}))
    test = shown("overview", period="own")
    test.date_input(key="dates").set_value((AS_OF,)).run()
    with_menu(test)
    assert "Choose the second day of the period first." in said(test)
    assert [each.key for each in test.text_input if each.key == "view-name"] == []
    test.button(key="open-view-0").click().run()
    assert not test.exception
    assert test.date_input(key="dates").value == tuple(map(date.fromisoformat, MARCH))


def test_a_page_that_failed_is_not_saved(
    shown: Shown, owner: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(owner, SavedView("Rio", "customers", {"regions": ["RJ"]}))

    def fails(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(customers, "count", fails)
    test = with_menu(shown("customers", regions="RJ"))
    assert "could not be shown whole, so it cannot be saved" in said(test)
    assert [each.key for each in test.text_input if each.key == "view-name"] == []
    # Another view may be opened all the same.
    assert labels(test) == ["Rio · Customers"]


def test_views_are_listed_where_saving_fails(
    shown: Shown, owner: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(owner, SavedView("Rio", "customers", {}))

    def fails(*_: object, **__: object) -> bool:
        raise WarehouseError("the view is not saved: it may not be")

    monkeypatch.setattr(saved_views, "save", fails)
    test = saved_as(with_menu(shown("segments")), "Mine")
    assert "the view is not saved: it may not be" in said(test).replace("\\", "")
    assert labels(test) == ["Rio · Customers"]


@pytest.mark.parametrize(
    "address", [{"customer": key(1)}, {"search": key(1)[:12]}, {"search": "1"}]
)
def test_one_customer_is_no_view(shown: Shown, owner: Login, address: dict[str, str]) -> None:
    test = with_menu(shown("customers", **address))
    assert "is of one customer, or was searched for, and is not saved" in said(test)
    assert [each.key for each in test.text_input if each.key == "view-name"] == []
    portuguese = with_menu(shown("customers", "pt", **address))
    assert "O que aparece aqui é de um só cliente, ou foi buscado, e não pode ser salvo" in said(
        portuguese
    )


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (" \n ", "Give the view a name first."),
        (f"like {key(4)[:12].upper()}", "nor 12 digits or letters a–f in a row."),
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


def test_a_view_gives_way_to_another_of_its_name_after_a_question(
    shown: Shown, owner: Login
) -> None:
    before = SavedView("Taken", "whales", {"whales": ["50"]})
    save(owner, before)
    test = saved_as(with_menu(shown("customers", regions="RJ")), "Taken")
    test.button(key="view-replace-cancel").click().run()
    assert all_views(owner) == [before]
    assert "of this name already" not in said(test)
    saved_as(test, "Taken")
    test.button(key="view-replace-now").click().run()
    assert "Saved: Taken" in said(test)
    assert "of this name already" not in said(test)
    assert labels(test) == ["Taken · Customers"]
    assert all_views(owner) == [SavedView("Taken", "customers", {"regions": ["RJ"]})]


def test_a_view_is_removed_after_a_question(shown: Shown, owner: Login) -> None:
    save(owner, SavedView("One", "whales", {}))
    save(owner, SavedView("Two", "segments", {}))
    test = with_menu(shown("overview"))
    assert labels(test) == ["One · Whales", "Two · Segments"]
    test.button(key="remove-view-0").click().run()
    assert "Remove One for everybody?" in said(test)
    test.button(key="view-remove-cancel").click().run()
    assert "for everybody?" not in said(test)
    test.button(key="remove-view-0").click().run()
    # Whoever closes the list has not said yes.
    test.session_state["saved-views"] = False
    with_menu(test.run())
    assert "for everybody?" not in said(test)
    test.button(key="remove-view-0").click().run()
    assert len(all_views(owner)) == 2
    test.button(key="view-remove-now").click().run()
    assert [view.name for view in all_views(owner)] == ["Two"]
    assert labels(test) == ["Two · Segments"]


@pytest.mark.parametrize(
    ("name", "inert"),
    [
        ("<b>x</b> [y](z) :red[z]", r"\<b\>x\</b\> \[y\]\(z\) \:{joiner}red\[z\]"),
        ("1. VIPs", r"1\. VIPs"),
        ("www.evil.com", r"www{joiner}\.evil\.com"),
        ("a@b.c", r"a{joiner}@b\.c"),
    ],
)
def test_a_name_is_never_markup(shown: Shown, owner: Login, name: str, inert: str) -> None:
    save(owner, SavedView(name, "whales", {}))
    (label,) = labels(with_menu(shown("overview")))
    assert label == inert.format(joiner="\u2060") + " · Whales"


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
