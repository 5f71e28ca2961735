"""Every page of a dashboard, as people of both languages see it on a desktop and on a phone."""

from __future__ import annotations

from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customer360.language import Language
from customer360.serving.warehouse import reader_login
from customer360.settings import Settings
from customer360_tests.browser.dashboard import (
    PAGES,
    downloaded,
    go,
    nothing_failed,
    served,
    settle,
    violations,
)
from customer360_tests.browser.figures import LISTED, PROFIT, differing, terms_of
from customer360_tests.browser.lineage import page
from customer360_tests.browser.tasks import do_all, from_a_chart_to_its_customers, keep_a_view

if TYPE_CHECKING:
    from playwright.sync_api import Page

DESKTOP: Any = {"width": 1280, "height": 1000}
PHONE: Any = {"width": 390, "height": 844}
NEWEST = """
SELECT * FROM marts.customer_360 WHERE as_of = (SELECT max(as_of) FROM marts.customer_360)
"""


def walk(settings: Settings, log: Path, *, everything: bool, calls: bool = True) -> None:
    """Assert that nothing fails on any page, that figures and a file are SQL's, and tasks short.

    Args:
        settings: A deployment that ``customer360 run`` has run whole.
        log: Where the dashboard writes.
        everything: Each language on each screen, and the tasks; else English on a desktop and
            Portuguese on a phone.
        calls: There is somebody whom it pays to contact; else the page says that there is nobody.
    """
    views = [("en", DESKTOP), ("pt", PHONE)]
    if everything:
        views = list(product(("en", "pt"), (DESKTOP, PHONE)))
    with served(settings.home, log) as (_, address), page(**DESKTOP) as opened:
        opened.set_default_timeout(60_000)
        login = reader_login(settings)
        assert login is not None
        for language, screen in views:
            opened.set_viewport_size(screen)
            for name in PAGES:
                go(opened, address, name, lang=language)
                _is_well(opened, (language, screen["width"], name))
            go(opened, address, "customers", lang=language, customer=_largest(settings))
            _is_well(opened, (language, screen["width"], "customer"))
        opened.set_viewport_size(DESKTOP)
        if calls:
            _calls(opened, address, settings)
        else:
            go(opened, address, "call_list", lang="en")
            opened.get_by_text(Language("en")("call_list.nobody_pays")).wait_for()
        go(opened, address, "what_if", lang="en")
        opened.get_by_role("button", name="Ask the model").click()
        opened.get_by_text("Buys again in that time").wait_for()
        settle(opened)
        nothing_failed(opened)
        for language in ("en", "pt") if everything else ("en",):
            without = None if calls else "call_list"
            assert differing(opened, address, settings, language, without=without) == {}
            keep_a_view(opened, address, language, login)
            best = "r_score = 5 AND f_score = 5"
            (count,) = _keys(settings, f"SELECT count(*) FROM ({NEWEST}) AS newest WHERE {best}")
            if int(count):  # else another cell stands there
                assert from_a_chart_to_its_customers(opened, address, language) == int(count)
            if everything:
                do_all(opened, address, language, calls=calls)
    assert "Traceback" not in log.read_text()


def _is_well(opened: Page, where: object) -> None:
    nothing_failed(opened)
    assert violations(opened) == [], where
    wider = opened.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wider <= 0, where


def _largest(settings: Settings) -> str:
    """Key of the customer of whom most is expected."""
    (key,) = _keys(
        settings,
        "SELECT customer_key FROM marts.customer_360 "
        "ORDER BY as_of DESC, expected_revenue_365d DESC NULLS LAST LIMIT 1",
    )
    return key


def _calls(opened: Page, address: str, settings: Settings) -> None:
    """The file of the call list has whom it pays to contact, best first, without the control."""
    order = f"round(({PROFIT})::numeric, 2) DESC, customer_key"
    query = f"SELECT customer_key {LISTED} ORDER BY {order}"
    calls = _keys(settings, query.format(**terms_of(settings)))
    (newest,) = _keys(settings, "SELECT max(as_of)::text FROM marts.customer_360")
    year, month, _ = map(int, newest.split("-"))
    quarter, share = f"{year}Q{(month + 2) // 3}", settings.contact_control_share
    drawn_from = [key for key in calls if _chance(key + quarter) >= share]
    assert drawn_from
    go(opened, address, "call_list", lang="en")
    assert [row["customer_key"] for row in downloaded(opened, "call-list")] == drawn_from
    if not settings.export_never_asked:
        in_mart = "FROM marts.campaign_lists WHERE campaign = 'at_risk_valuable' ORDER BY rank"
        assert _keys(settings, f"SELECT customer_key {in_mart}") == calls


def _chance(text: str) -> float:
    """A number from 0 to 1 that hangs on ``text`` alone."""
    return int.from_bytes(sha256(text.encode()).digest()[:3], "big") / 2**24


def _keys(settings: Settings, query: str) -> list[str]:
    """Keys, or other texts, that the dashboard's role reads."""
    login = reader_login(settings)
    assert login is not None
    with login.connect() as reader:
        return [str(key) for (key,) in reader.execute(query.encode()).fetchall()]
