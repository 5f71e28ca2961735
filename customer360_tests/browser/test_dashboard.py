"""The dashboard in Chromium, as people use it: every page, figures, downloads, both languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from customer360.dashboard.tables import HEADING, ROW
from customer360.serving.warehouse import Login, open_warehouse, reader_login
from customer360.settings import Settings
from customer360_tests.browser.dashboard import (
    PAGES,
    downloaded,
    go,
    metrics,
    nothing_failed,
    settle,
)
from customer360_tests.browser.lineage import CHROMIUM, page
from customer360_tests.dashboard.shop import AS_OF, key

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.whole,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def login(settings: Settings) -> Login:
    found = reader_login(settings)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def opened() -> Iterator[Page]:
    with page(width=1280, height=1000) as found:
        found.set_default_timeout(30_000)
        yield found


def _value(login: Login, query: str) -> float:
    with login.connect() as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return float(row[0])


def test_every_page_is_reached_by_the_menu(address: str, opened: Page) -> None:
    go(opened, address, "", lang="en")
    links = opened.locator('[data-testid="stSidebarNavLink"]')
    assert links.count() == len(PAGES)
    for number in range(len(PAGES)):
        name = links.nth(number).inner_text().split("\n")[-1].strip()
        links.nth(number).click()
        opened.get_by_role("heading", level=1, name=name).wait_for()
        settle(opened)
        nothing_failed(opened)


def test_figures_are_those_of_the_warehouse(address: str, opened: Page, login: Login) -> None:
    go(opened, address, "", lang="en")
    found = metrics(opened)
    net = _value(login, "SELECT sum(net_revenue) FROM marts.revenue_kpis")
    orders = _value(login, "SELECT sum(orders) FROM marts.revenue_kpis")
    assert found["Net revenue"] == f"R${net:,.0f}" == "R$1,230"
    assert found["Orders"] == f"{orders:.0f}"
    # The top tenth of five customers is half of the largest: 600 of 1,230, and 500 of 770.
    assert found["Top 10% bring"] == "24%"
    go(opened, address, "whales", lang="en")
    largest = _value(
        login,
        "SELECT max(expected_revenue_365d) / sum(expected_revenue_365d) "
        f"FROM marts.customer_360 WHERE as_of = '{AS_OF}'",
    )
    assert metrics(opened)["Expected revenue of the top 10%"] == f"{largest / 2:.0%}" == "32%"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_overview_says_what_changed(
    address: str, opened: Page, login: Login, width: int
) -> None:
    """Sentences and compared months are those of SQL, in both languages, on a phone too."""

    def net(first: str, last: str) -> float:
        days = f"business_date BETWEEN '{first}' AND '{last}'"
        return _value(login, f"SELECT sum(net_revenue) FROM gold.business_health WHERE {days}")

    february, march = net("2024-02-01", "2024-02-29"), net("2024-03-01", "2024-03-31")
    change = f"{march / february - 1:+.0%}"
    opened.set_viewport_size({"width": width, "height": 1000})
    try:
        go(opened, address, "", lang="en")
        sentences = opened.locator(".st-key-headlines li").all_inner_texts()
        assert sentences[0] == (
            f"Net revenue in March 2024 was R${march:,.0f}: {change} on February 2024."
        )
        assert sentences[1] == "No regular went quiet in the last 30 days; 1 keeps buying."
        assert sentences[2] == "April to June 2024: R$1,950 expected."
        found = metrics(opened)
        assert found["March 2024"] == f"R${march:,.0f}"
        refunds = _value(login, "SELECT sum(refunded) FROM gold.business_health")
        assert found["Refunds"] == f"R${refunds:.2f}" == "R$30.00"
        stated = f"{change} on 1 Feb 2024 to 29 Feb 2024 (R${february:,.0f})"
        assert opened.get_by_text(stated).is_visible()
        go(opened, address, "", lang="pt")
        assert opened.locator(".st-key-headlines li").first.inner_text().replace("\xa0", " ") == (
            f"A receita líquida de março de 2024 foi de R$ {march:.0f}: {change} em relação a "
            "fevereiro de 2024."
        )
        nothing_failed(opened)
    finally:
        opened.set_viewport_size({"width": 1280, "height": 1000})


def test_whom_do_i_call_is_two_clicks_from_the_overview(
    address: str, opened: Page, login: Login
) -> None:
    """The menu, and the file: those of the mart, in its order."""
    go(opened, address, "", lang="en")
    opened.get_by_role("link", name="Call list").click()
    opened.get_by_role("heading", level=1, name="Call list").wait_for()
    settle(opened)
    rows = downloaded(opened, "call-list")
    with login.connect() as connection:
        expected = connection.execute(
            "SELECT customer_key, round(value::numeric, 2) FROM marts.campaign_lists "
            "WHERE campaign = 'at_risk_valuable' ORDER BY rank"
        ).fetchall()
    assert [(row["customer_key"], float(row["expected_profit"])) for row in rows] == [
        (who, float(profit)) for who, profit in expected
    ]
    assert [row["why"] for row in rows] == ["Bought once, 26 days ago", "Bought once, 76 days ago"]
    nothing_failed(opened)


@pytest.mark.parametrize(
    ("language", "mark", "confirm", "marked"),
    [
        ("en", "Mark 2 as contacted", "Mark them", "Marked: contact these"),
        ("pt", "Marcar 2 como contatados", "Marcar", "Marcados: contate agora"),
    ],
)
def test_who_is_marked_leaves_the_list(
    address: str,
    opened: Page,
    settings: Settings,
    language: str,
    mark: str,
    confirm: str,
    marked: str,
) -> None:
    try:
        go(opened, address, "call_list", lang=language)
        opened.get_by_role("button", name=mark).click()
        opened.get_by_role("button", name=confirm, exact=True).click()
        opened.get_by_text(marked).wait_for()
        settle(opened)
        nothing_failed(opened)
        assert opened.locator('[data-testid="stDataFrame"]').count() == 0
    finally:
        with open_warehouse(settings).owner.connect() as owner:
            owner.execute("TRUNCATE serving.contacts")


def test_ticks_do_not_pass_to_the_customers_that_move_up(
    address: str, opened: Page, settings: Settings
) -> None:
    """One of two is ticked and marked: the other takes its place, without its tick."""
    try:
        go(opened, address, "call_list", lang="en")
        table = opened.locator('[data-testid="stDataFrame"]')
        # The boxes are drawn on a canvas: the first is below the heading's.
        table.click(position={"x": 16, "y": HEADING + ROW / 2})
        opened.get_by_role("button", name="Mark 1 as contacted").click()
        opened.get_by_role("button", name="Mark them", exact=True).click()
        opened.get_by_text("Marked: contact these").wait_for()
        settle(opened)
        assert table.count() == 1
        # One is left, and all are meant again; with a tick it could be opened.
        opened.get_by_role("button", name="Mark 1 as contacted").wait_for()
        assert opened.get_by_role("button", name="Open this customer").count() == 0
        nothing_failed(opened)
    finally:
        with open_warehouse(settings).owner.connect() as owner:
            owner.execute("TRUNCATE serving.contacts")


def test_a_customer_is_opened_from_a_list(address: str, opened: Page) -> None:
    """By keyboard alone."""
    go(opened, address, "whales", lang="en")
    opened.locator(".st-key-open-whales input").focus()
    opened.keyboard.type(key(1)[:8])
    opened.keyboard.press("Enter")
    opened.get_by_text("Next best action").first.wait_for()
    settle(opened)
    assert f"customer={key(1)}" in opened.url
    assert opened.get_by_text("Do not contact", exact=True).count() == 1
    nothing_failed(opened)
    opened.get_by_role("button", name="Back to the list").click()
    opened.get_by_role("heading", level=1, name="Customers").wait_for()


def test_the_language_stays_from_page_to_page(address: str, opened: Page) -> None:
    go(opened, address, "", lang="en")
    opened.get_by_role("radio", name="Português").click()
    opened.get_by_role("heading", level=1, name="Visão geral").wait_for()
    settle(opened)
    assert "lang=pt" in opened.url
    assert metrics(opened)["Receita líquida"].replace("\xa0", " ") == "R$ 1.230"
    opened.locator('[data-testid="stSidebarNavLink"]').nth(1).click()
    opened.get_by_role("heading", level=1, name="Lista de contatos").wait_for()
    settle(opened)
    assert "lang=pt" in opened.url


@pytest.mark.parametrize("name", PAGES)
def test_a_narrow_screen_needs_no_sideways_scrolling(address: str, opened: Page, name: str) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    try:
        go(opened, address, name, lang="pt")
        nothing_failed(opened)
        wide = opened.evaluate(
            "() => { const main = document.querySelector('[data-testid=\"stMain\"]');"
            " return main.scrollWidth - main.clientWidth; }"
        )
        assert wide <= 1
    finally:
        opened.set_viewport_size({"width": 1280, "height": 1000})


def test_the_model_answers(address: str, opened: Page) -> None:
    go(opened, address, "what_if", lang="en")
    opened.get_by_role("button", name="Ask the model").click()
    opened.get_by_text("Buys again in that time").wait_for()
    settle(opened)
    assert metrics(opened)["Expected in the next 91 days"] == "R$80.00"
    nothing_failed(opened)
