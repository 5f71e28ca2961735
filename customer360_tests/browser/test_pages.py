"""Pages as people keep, send, read and leave them: addresses, languages, phones, dark screens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from customer360.dashboard.tables import HEADING, ROW
from customer360.language import Language
from customer360.serving.saved_views import SavedView, all_views, remove, save
from customer360.serving.warehouse import open_warehouse
from customer360.settings import Settings
from customer360.short_keys import short_key
from customer360_tests.browser.dashboard import (
    PAGES,
    downloaded_text,
    go,
    metrics,
    nothing_failed,
    settle,
    violations,
)
from customer360_tests.browser.lineage import CHROMIUM, page
from customer360_tests.browser.tasks import (
    asked,
    from_a_chart_to_its_customers,
    keep_a_view,
    saved_views,
)
from customer360_tests.browser.walk import DESKTOP, PHONE
from customer360_tests.dashboard.shop import AS_OF, BEFORE, key

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.whole,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
LANGUAGES = ("en", "pt")


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with page(**DESKTOP) as found:
        found.set_default_timeout(30_000)
        yield found


@pytest.fixture
def opened(browser_page: Page) -> Iterator[Page]:
    """A page on a desktop's bright screen."""
    yield browser_page
    browser_page.set_viewport_size(DESKTOP)
    browser_page.emulate_media(color_scheme="light")


def choose(opened: Page, name: str, option: str) -> None:
    """Choose an option of the select box ``name``."""
    opened.locator(f".st-key-{name} input").first.click()
    opened.get_by_role("option", name=option, exact=True).click()
    opened.keyboard.press("Escape")
    settle(opened)


@pytest.mark.parametrize("language", LANGUAGES)
def test_filters_stand_in_the_address(address: str, opened: Page, language: str) -> None:
    t = Language(language)
    go(opened, address, "customers", lang=language)
    choose(opened, "segments", t("segment.champions"))
    choose(opened, "sort", t("column.churn_probability"))
    assert asked(opened) == {"segments": ["champions"], "sort": ["churn_probability"]}
    opened.reload()
    settle(opened)
    assert opened.get_by_text(t("customers.found", count=1).strip("*"), exact=True).count() == 1
    opened.go_back()
    settle(opened)
    assert asked(opened) == {"segments": ["champions"]}
    opened.go_back()
    settle(opened)
    assert asked(opened) == {}
    assert opened.get_by_text(t("customers.found", count=5).strip("*"), exact=True).count() == 1


def test_a_link_shows_the_same_in_another_tab_and_language(address: str, opened: Page) -> None:
    go(opened, address, "customers", lang="en", regions="RJ", order="ascending", rows="50")
    other = opened.context.new_page()
    try:
        other.goto(opened.url.replace("lang=en", "lang=pt"))
        settle(other)
        assert other.get_by_text("2 clientes", exact=True).count() == 1
        assert asked(other) == {"regions": ["RJ"], "order": ["ascending"], "rows": ["50"]}
    finally:
        other.close()
    opened.get_by_text("Link to this view").click()
    link = opened.locator('[data-testid="stPopoverBody"] code').inner_text()
    assert link.replace("\n", "") == opened.url


def test_the_period_stands_in_the_address(address: str, opened: Page) -> None:
    go(opened, address, "", lang="en", period="30")
    assert metrics(opened)["Net revenue"] == "R$680"


@pytest.mark.parametrize("by_row", [False, True])
def test_a_customer_leads_back_to_the_list_as_it_was(
    address: str, opened: Page, by_row: bool
) -> None:
    go(opened, address, "customers", lang="en", regions="RJ")
    if by_row:
        # The box before the first row.
        opened.locator(".st-key-tall-customers").click(position={"x": 16, "y": HEADING + ROW / 2})
    else:
        opened.locator(".st-key-open-customers input").focus()
        opened.keyboard.type(key(3)[:8])
        opened.keyboard.press("Enter")
    opened.get_by_text("Next best action").first.wait_for()
    settle(opened)
    assert asked(opened) == {"regions": ["RJ"], "customer": [key(3)]}
    opened.get_by_role("button", name="Back to the list").click()
    opened.get_by_role("heading", level=1, name="Customers", exact=True).wait_for()
    settle(opened)
    opened.wait_for_timeout(1_000)
    assert asked(opened) == {"regions": ["RJ"]}
    assert opened.locator("h1").inner_text() == "Customers"


@pytest.mark.parametrize("shown", [key(3), short_key(key(3)), f"{short_key(key(3))}…"])
def test_a_short_key_is_enough(address: str, opened: Page, shown: str) -> None:
    go(opened, address, "customers", lang="en", customer=shown)
    assert opened.locator("h1").inner_text() == f"Customer {short_key(key(3))}"
    go(opened, address, "customers", lang="en", search=shown)
    assert opened.get_by_text("1 customer", exact=True).count() == 1
    nothing_failed(opened)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_chart_leads_to_its_customers(address: str, opened: Page, language: str) -> None:
    assert from_a_chart_to_its_customers(opened, address, language) == 1
    assert f"as_of={AS_OF}" in opened.url


def test_of_a_months_bars_those_of_new_customers_lead_to_them(address: str, opened: Page) -> None:
    t = Language("en")
    go(opened, address, "", lang="en")
    chart = opened.locator(".st-key-chart-overview-customers :is(canvas, svg)").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None

    def bar(part: str) -> tuple[float, float]:
        """Where a bar is, by what is said of it under the mouse."""
        for x in range(60, int(box["width"]) - 10, 20):
            for y in range(20, int(box["height"]) - 30, 20):
                opened.mouse.move(box["x"] + x, box["y"] + y)
                said = opened.locator("#vg-tooltip-element.visible")
                if said.count() and part in said.inner_text():
                    return box["x"] + x, box["y"] + y
        raise AssertionError(f"there is no bar of {part}")

    before = opened.url
    opened.mouse.click(*bar(t("overview.returning")))
    settle(opened)
    assert opened.url == before
    opened.mouse.click(*bar(t("overview.new")))
    opened.get_by_role("heading", level=1, name=t("customers.title")).wait_for()
    settle(opened)
    assert list(asked(opened)) == ["cohort"]
    nothing_failed(opened)


def test_a_move_between_segments_leads_to_its_customers(address: str, opened: Page) -> None:
    go(opened, address, "segments", lang="en")
    # The box before the first row: loyal customers who are champions now.
    table = opened.locator(".st-key-tall-segment-moves")
    table.click(position={"x": 16, "y": HEADING + ROW / 2})
    opened.get_by_role("heading", level=1, name="Customers").wait_for()
    settle(opened)
    assert asked(opened) == {
        "segments": ["champions"], "before": ["loyal_customers"], "since": [str(BEFORE)],
    }  # fmt: skip
    assert opened.get_by_text("1 customer", exact=True).count() == 1
    nothing_failed(opened)


def test_a_risk_leads_to_its_customers(address: str, opened: Page) -> None:
    go(opened, address, "retention", lang="en")
    opened.locator(".st-key-customers-high button").click()
    opened.get_by_role("heading", level=1, name="Customers").wait_for()
    settle(opened)
    assert asked(opened) == {"risks": ["high"], "sort": ["value_at_stake"]}
    assert opened.get_by_text("2 customers", exact=True).count() == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_views_are_saved_opened_and_removed(
    address: str, opened: Page, settings: Settings, language: str
) -> None:
    login = open_warehouse(settings).owner
    # Before it in the list.
    save(login, SavedView("A view of others", "customers", {"regions": ["RJ"]}))
    try:
        keep_a_view(opened, address, language, login)
        assert [view.name for view in all_views(login)] == ["A view of others"]
    finally:
        remove(login, "A view of others")


@pytest.mark.parametrize("name", [{"customer": key(1)}, {"search": key(1)[:12]}])
def test_one_customer_is_no_view(address: str, opened: Page, name: dict[str, str]) -> None:
    t = Language("en")
    go(opened, address, "customers", lang="en", **name)
    popover = saved_views(opened, "en")
    assert popover.get_by_text(t("views.of_one")[:40]).count() == 1
    assert popover.get_by_label(t("views.name")).count() == 0


def test_on_a_phone_the_menu_closes_after_a_view(
    address: str, opened: Page, settings: Settings
) -> None:
    login = open_warehouse(settings).owner
    save(login, SavedView("Rio", "customers", {"regions": ["RJ"]}))
    opened.set_viewport_size(PHONE)
    try:
        go(opened, address, "", lang="pt")
        opened.locator('[data-testid="stExpandSidebarButton"]').first.click()
        popover = saved_views(opened, "pt")
        assert violations(opened) == []
        popover.get_by_role("button", name="Rio · Clientes").click()
        opened.get_by_role("heading", level=1, name="Clientes", exact=True).wait_for()
        settle(opened)
        assert asked(opened) == {"regions": ["RJ"]}
        menu = opened.locator('[data-testid="stSidebar"]')
        assert menu.get_attribute("data-collapsed") == "true"
    finally:
        remove(login, "Rio")


def test_the_first_page_has_a_name_too(address: str, opened: Page) -> None:
    go(opened, address, "overview", lang="en", period="30")
    opened.get_by_role("heading", level=1, name="Overview").wait_for()
    settle(opened)
    assert opened.get_by_role("dialog").count() == 0
    assert asked(opened) == {"period": ["30"]}


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("pt", "pt-BR")])
def test_the_browser_knows_the_language(
    address: str, opened: Page, language: str, tag: str
) -> None:
    go(opened, address, "health", lang=language)
    assert opened.evaluate("document.documentElement.lang") == tag


def test_csv_is_what_a_spreadsheet_of_the_language_reads(address: str, opened: Page) -> None:
    columns = (
        "customer_key", "segment", "region", "churn_risk", "churn_probability",
        "expected_revenue_365d", "value_at_stake",
    )  # fmt: skip
    go(opened, address, "customers", lang="pt", sort="value_at_stake")
    header, first, *_ = downloaded_text(opened, "customers").splitlines()
    assert header.startswith(";".join(columns))
    assert first.startswith(f"{key(4)};new_customers;PT;medium;0,5;200,0;100,0;")
    go(opened, address, "customers", lang="en", sort="value_at_stake")
    header, first, *_ = downloaded_text(opened, "customers").splitlines()
    assert header.startswith(",".join(columns))
    assert first.startswith(f"{key(4)},new_customers,PT,medium,0.5,200.0,100.0,")


DRAWN = """
window.drawn = new Set();
const fill = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
  window.drawn.add(String(text));
  return fill.call(this, text, ...more);
};
"""
"""Notes what is drawn on canvases: tables are, and what stands beside them are the bare values."""


@pytest.mark.parametrize(
    ("language", "cells"), [("en", {"200.00", "50.0%"}), ("pt", {"200,00", "50,0%"})]
)
def test_tables_write_numbers_by_the_language(
    address: str, opened: Page, language: str, cells: set[str]
) -> None:
    """Whatever the browser's own language is; keys are short and whole."""
    other = opened.context.new_page()
    try:
        other.add_init_script(DRAWN)
        go(other, address, "customers", lang=language)
        drawn = set(other.evaluate("[...window.drawn]"))
    finally:
        other.close()
    assert {short_key(key(4)), *cells} <= drawn
    assert key(4) not in drawn


LEGENDS = {
    "": ("overview.new", "overview.returning", "overview.forecast_past", "overview.forecast_today",
         "overview.forecast_new", "overview.forecast_band"),
    "segments": ("column.customer_share", "column.revenue_share"),
    "retention": ("retention.expected_profit", "retention.best"),
    "models": ("shift.stable", "shift.moderate", "shift.shifted"),
    "health": ("column.accepted", "column.quarantined"),
    f"customers?customer={key(1)}": ("customer.purchase", "customer.refund"),
}  # fmt: skip
"""What the legends of each page say."""

PLACES = """(text) => [
  ...document.querySelectorAll('[data-testid="stVegaLiteChart"] svg text')
].filter((each) => each.textContent === text).map((each) => {
  const its = each.getBoundingClientRect();
  const chart = each.closest('[data-testid="stVegaLiteChart"]').getBoundingClientRect();
  return {
    left: its.left, right: its.right, top: its.top, bottom: its.bottom,
    least: Math.max(chart.left, 0), most: Math.min(chart.right, window.innerWidth),
    over: chart.top, under: chart.bottom,
  };
})"""
"""Where a text stands in charts, and what it must not leave; a shortened one is another text."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LEGENDS)
def test_on_a_phone_legends_are_whole(address: str, opened: Page, name: str, language: str) -> None:
    """Every entry is drawn, not shortened, and within its chart and the screen."""
    t = Language(language)
    path, _, customer = name.partition("?customer=")
    opened.set_viewport_size(PHONE)
    go(opened, address, path, lang=language, **({"customer": customer} if customer else {}))
    for key_of_text in LEGENDS[name]:
        # Charts are drawn after the page.
        opened.wait_for_function(f"(text) => ({PLACES})(text).length", arg=t(key_of_text))
        for place in opened.evaluate(PLACES, t(key_of_text)):
            assert place["least"] - 0.5 <= place["left"] < place["right"], (key_of_text, place)
            assert place["right"] <= place["most"] + 0.5, (key_of_text, place)
            assert place["over"] - 0.5 <= place["top"] < place["bottom"], (key_of_text, place)
            assert place["bottom"] <= place["under"] + 0.5, (key_of_text, place)


@pytest.mark.parametrize(
    ("name", "table"),
    [("customers", "customers"), ("call_list", "calls"), ("models", "figures")],
)
def test_a_table_is_no_taller_than_the_screen(
    address: str, opened: Page, name: str, table: str
) -> None:
    opened.set_viewport_size({"width": 1280, "height": 420})
    go(opened, address, name, lang="en")
    box = opened.locator(f".st-key-tall-{table}").bounding_box()
    assert box is not None
    assert box["height"] < 420


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_a_phone_the_menu_closes_after_a_choice(
    address: str, opened: Page, language: str
) -> None:
    opened.set_viewport_size(PHONE)
    go(opened, address, "", lang=language)
    opened.locator('[data-testid="stExpandSidebarButton"]').first.click()
    title = Language(language)("segments.title")
    opened.locator('[data-testid="stSidebarNavLink"]', has_text=title).click()
    opened.get_by_role("heading", level=1, name=title).wait_for()
    settle(opened)
    menu = opened.locator('[data-testid="stSidebar"]')
    assert menu.get_attribute("data-collapsed") == "true"


@pytest.mark.parametrize(
    ("width", "language"),
    [
        (1280, "en"),
        (390, "pt"),
        pytest.param(1280, "pt", marks=pytest.mark.slow),
        pytest.param(390, "en", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", PAGES)
def test_no_figure_is_clipped(
    address: str, opened: Page, name: str, width: int, language: str
) -> None:
    opened.set_viewport_size({"width": width, "height": 900})
    go(opened, address, name, lang=language)
    clipped = opened.evaluate(
        "() => [...document.querySelectorAll("
        '\'[data-testid="stMetricValue"] *, [data-testid="stMetricLabel"] p\')]'
        ".filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display != 'inline'"
        " && getComputedStyle(e).overflow != 'visible').map(e => e.textContent)"
    )
    assert clipped == []
    text = opened.locator('[data-testid="stMain"]').inner_text()
    assert not [bad for bad in ("-0%", "-0.0%", "-0,0%", "+0%", "+0.0%") if bad in text.split()]


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (390, "dark"),
        pytest.param(1280, "dark", marks=pytest.mark.slow),
        pytest.param(390, "light", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", [*PAGES, f"customers?customer={key(1)}"])
def test_everybody_can_read_every_page(
    address: str, opened: Page, name: str, width: int, scheme: str
) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    opened.set_viewport_size({"width": width, "height": 900})
    opened.emulate_media(color_scheme=cast(Any, scheme))
    path, _, customer = name.partition("?customer=")
    go(opened, address, path, lang="pt", **({"customer": customer} if customer else {}))
    nothing_failed(opened)
    assert violations(opened) == []


def test_a_dark_screen_has_a_dark_page(address: str, opened: Page) -> None:
    brightness = (
        "() => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]'))"
        ".backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    for scheme, dark in (("light", False), ("dark", True)):
        opened.emulate_media(color_scheme=cast(Any, scheme))
        go(opened, address, "segments", lang="en")
        assert (max(opened.evaluate(brightness)) < 64) is dark


@pytest.mark.parametrize(
    ("language", "only_mean", "average"),
    [
        ("en", "The model in use is only the mean of all customers", "about the average"),
        ("pt", "O modelo em uso é apenas a média de todos os clientes", "próximo da média"),
    ],
)
def test_trying_it_says_when_the_model_is_only_a_mean(
    address: str, opened: Page, language: str, only_mean: str, average: str
) -> None:
    t = Language(language)
    go(opened, address, "what_if", lang=language)
    assert only_mean in opened.locator('[data-testid="stAlert"]').inner_text()
    opened.get_by_role("button", name=t("what_if.ask")).click()
    opened.get_by_text(t("what_if.probability")).wait_for()
    settle(opened)
    text = opened.locator('[data-testid="stMain"]').inner_text()
    assert t("what_if.base_rate") in text
    # A mean has no reasons, and nothing of this order could stand out.
    assert average not in text
    assert t("what_if.why") not in text.split("\n")
    nothing_failed(opened)
