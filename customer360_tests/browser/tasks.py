"""What four persons come to the dashboard for, each from the overview in three clicks at most.

And what all of them do there: keep views, and go from a chart to its customers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from customer360.dashboard.tables import HEADING, ROW
from customer360.language import Language
from customer360.serving.saved_views import remove
from customer360.serving.warehouse import Login
from customer360_tests.browser.dashboard import downloaded, go, nothing_failed, settle

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MOST_CLICKS = 3
FOUND = {"en": ("customer", "customers"), "pt": ("cliente", "clientes")}
"""What stands behind the number of customers that were found."""


class Visitor:
    """Somebody on the overview, whose clicks are counted.

    Attributes:
        opened: The browser's page.
        t: The texts of the language that they read.
    """

    def __init__(self, opened: Page, address: str, language: str) -> None:
        self.opened = opened
        self.t = Language(language)
        self.clicks = 0
        go(opened, address, "", lang=language)

    def click(self, what: Locator, x: float | None = None, y: float | None = None) -> None:
        """Click once, in the middle or at a place of it, and wait until the page stands still."""
        self.counted()
        what.click(position=None if x is None or y is None else {"x": x, "y": y})
        settle(self.opened)

    def counted(self) -> None:
        """Count a click that is made by other means."""
        self.clicks += 1
        assert self.clicks <= MOST_CLICKS

    def follow(self, page: str) -> None:
        """Go to a page by the menu, which a narrow screen opens first."""
        menu = self.opened.locator('[data-testid="stExpandSidebarButton"]').first
        if menu.is_visible():
            self.click(menu)
        title = self.t(f"{page}.title")
        self.click(self.opened.locator('[data-testid="stSidebarNavLink"]', has_text=title))
        self.opened.get_by_role("heading", level=1, name=title, exact=True).wait_for()
        settle(self.opened)


def whom_to_call(visitor: Visitor) -> list[dict[str, str]]:
    """The marketer: the list of whom to call, as a file.

    Returns:
        Its rows.
    """
    visitor.follow("call_list")
    visitor.counted()
    separator = ";" if visitor.t.code == "pt" else ","
    return downloaded(visitor.opened, "call-list", separator=separator)


def this_month_against_last(visitor: Visitor) -> list[str]:
    """The finance lead: what the newest month was, and against the one before.

    Returns:
        The sentences on top, and what stands below each compared period.
    """
    sentences = visitor.opened.locator(".st-key-headlines li").all_inner_texts()
    visitor.click(visitor.opened.get_by_text(visitor.t("overview.compare.table"), exact=True))
    assert visitor.opened.locator(".st-key-tall-periods").is_visible()
    return sentences


def can_i_believe_it(visitor: Visitor) -> list[str]:
    """The data scientist: is the model better than a rule of thumb, and who came back by risk.

    Returns:
        Headings of the model's page.
    """
    visitor.follow("models")
    name = visitor.t("model.lifetime_value")
    visitor.click(visitor.opened.get_by_text(name, exact=True).first)
    return visitor.opened.get_by_role("heading", level=2).all_inner_texts()


def what_do_i_do_today(visitor: Visitor) -> str:
    """The shop owner: the first customer to contact, why, and what to do.

    Returns:
        The page of that customer.
    """
    visitor.follow("call_list")
    table = visitor.opened.locator("[class*=st-key-table-calls-]")
    # The box before the first row.
    visitor.click(table, x=16, y=HEADING + ROW / 2)
    visitor.click(visitor.opened.get_by_role("button", name=visitor.t("call_list.open_customer")))
    visitor.opened.get_by_text(visitor.t("column.next_best_action")).first.wait_for()
    nothing_failed(visitor.opened)
    return visitor.opened.locator('[data-testid="stMain"]').inner_text()


def asked(opened: Page) -> dict[str, list[str]]:
    """What the address says beside language and date."""
    said = parse_qs(urlsplit(opened.url).query)
    return {name: values for name, values in said.items() if name not in ("lang", "as_of")}


def saved_views(opened: Page, language: str) -> Locator:
    """The popover of saved views, open."""
    t = Language(language)
    opened.get_by_role("button", name=t("views.title")).click()
    popover = opened.locator('[data-testid="stPopoverBody"]')
    popover.get_by_text(t("views.explained")[:40]).wait_for()
    settle(opened)
    return popover


def keep_a_view(opened: Page, address: str, language: str, login: Login) -> None:
    """Save what is shown, open it in a second tab from another page, and remove it there.

    Args:
        opened: A browser's page.
        address: Of the dashboard.
        language: To read the pages in.
        login: Of a role that keeps views, by which this one goes whatever happens.
    """
    t, name = Language(language), f"Best first ({language})"
    label = f"{name} · {t('customers.title')}"
    go(opened, address, "customers", lang=language, risks="high", sort="value_at_stake")
    other = opened.context.new_page()
    try:
        popover = saved_views(opened, language)
        popover.get_by_label(t("views.name")).fill(name)
        popover.get_by_role("button", name=t("views.save")).click()
        popover.get_by_text(t("views.saved", name=name)).wait_for()
        go(other, address, "", lang=language)
        saved_views(other, language).get_by_role("button", name=label).click()
        heading = t("customers.title")
        other.get_by_role("heading", level=1, name=heading, exact=True).wait_for()
        settle(other)
        nothing_failed(other)
        kept = {"risks": ["high"], "sort": ["value_at_stake"]}
        assert asked(other) == kept
        # Out of the way of what was chosen.
        assert other.locator('[data-testid="stPopoverBody"]').count() == 0
        popover = saved_views(other, language)
        number = popover.locator("[class*=st-key-open-view-]").all_inner_texts().index(label)
        # Its help is a button of its own.
        popover.locator(f".st-key-remove-view-{number} button").first.click()
        popover.locator(".st-key-view-remove-now button").click()
        popover.get_by_role("button", name=label).wait_for(state="detached")
        nothing_failed(other)
    finally:
        other.close()
        remove(login, name)


def from_a_chart_to_its_customers(opened: Page, address: str, language: str) -> int:
    """Click the cell of who bought lately and often.

    Returns:
        How many customers the page then says that it found.
    """
    t = Language(language)
    go(opened, address, "segments", lang=language)
    chart = opened.locator('[data-testid="stVegaLiteChart"] :is(canvas, svg)').nth(1)
    box = chart.bounding_box()
    assert box is not None
    # The cell in the top right corner.
    chart.click(position={"x": box["width"] - 30, "y": 25})
    opened.get_by_role("heading", level=1, name=t("customers.title")).wait_for()
    settle(opened)
    assert asked(opened) == {"recency": ["5"], "frequency": ["5"]}
    nothing_failed(opened)
    text = opened.locator('[data-testid="stMain"]').inner_text()
    (found,) = re.findall(rf"^([\d.,]+) (?:{'|'.join(FOUND[language])})$", text, re.MULTILINE)
    return int(re.sub(r"\D", "", found))


def do_all(opened: Page, address: str, language: str, *, calls: bool) -> None:
    """Every task; what is looked for is there, in at most `MOST_CLICKS` clicks.

    Args:
        opened: A browser's page.
        address: Of the dashboard.
        language: To read the pages in.
        calls: There is somebody whom it pays to contact: else two tasks have nothing to find.
    """
    sentences = this_month_against_last(Visitor(opened, address, language))
    assert 2 <= len(sentences) <= 3, sentences
    assert any(character.isdigit() for character in sentences[0]), sentences
    t = Language(language)
    headings = can_i_believe_it(Visitor(opened, address, language))
    assert t("models.figures_title") in headings, headings
    assert t("models.returned_title") in headings, headings
    if calls:
        assert whom_to_call(Visitor(opened, address, language))
        assert what_do_i_do_today(Visitor(opened, address, language))
