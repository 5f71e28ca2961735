"""Figures of the dashboard beside those of SQL that is written anew, not the pages' own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer360.language import Language
from customer360.models.campaign import Campaign
from customer360.serving.warehouse import reader_login
from customer360.settings import Settings
from customer360_tests.browser.dashboard import go, metrics

if TYPE_CHECKING:
    from playwright.sync_api import Page

Written = Callable[[Language, float], str]

_BOUGHT = "orders > 0 AND (net_revenue > 0 OR refunded = 0)"
_DAYS = "FROM gold.business_health WHERE business_date > {day} - 365 AND business_date <= {day}"
_SNAPSHOT = "FROM marts.customer_360 WHERE as_of = {day}"
PROFIT = "value_at_stake * {success} * {margin} - {cost}"
LISTED = f"{_SNAPSHOT} AND {PROFIT} > 0 AND {{may}}"
"""Whom it pays to contact."""
TO_CONTACT = f"{LISTED} AND NOT {{kept_back}}"
"""Of these, without whom marking keeps back."""
_EARLIER = (
    "SELECT customer_key FROM silver.customer_days "
    f"WHERE {_BOUGHT} AND business_date <= {{day}} - 365"
)
_BUYERS = (
    "SELECT count(DISTINCT customer_key) FROM silver.customer_days "
    f"WHERE {_BOUGHT} AND business_date > {{day}} - 365 AND business_date <= {{day}}"
)


def _whole_percent(t: Language, value: float) -> str:
    return t.percent(value, 0)


def _top(value: str, share: float) -> str:
    """Share of ``value`` that the largest ``share`` of its owners have."""
    return (
        f"SELECT sum(v) FILTER (WHERE place <= floor(n * {share})) / sum(v) FROM (SELECT {value} "
        f"AS v, row_number() OVER (ORDER BY {value} DESC) AS place, count(*) OVER () AS n "
        f"{_SNAPSHOT} AND {value} > 0) AS ranked"
    )


@dataclass(frozen=True)
class Shown:
    """A card of a page.

    Attributes:
        page: Its address.
        label: Key of its label among the texts.
        query: SQL of the figure; ``{day}`` is the newest as-of date.
        written: As the card writes it.
        values: What the label names.
    """

    page: str
    label: str
    query: str
    written: Written
    values: tuple[tuple[str, object], ...] = ()


SHOWN = (
    Shown("", "overview.net_revenue", f"SELECT sum(net_revenue) {_DAYS}", Language.short_money),
    Shown("", "overview.refunded", f"SELECT sum(refunded) {_DAYS}", Language.short_money),
    Shown(
        "",
        "overview.refund_rate",
        f"SELECT sum(refunded) / sum(gross_revenue) {_DAYS}",
        Language.percent,
    ),
    Shown("", "overview.orders", f"SELECT sum(orders) {_DAYS}", Language.number),
    Shown(
        "",
        "overview.average_order_value",
        f"SELECT sum(gross_revenue) / sum(orders) {_DAYS}",
        Language.money,
    ),
    Shown("", "overview.buyers", _BUYERS, Language.number),
    Shown(
        "",
        "overview.new_customers",
        f"{_BUYERS} AND customer_key NOT IN ({_EARLIER})",
        Language.number,
    ),
    Shown(
        "",
        "overview.returning_customers",
        f"{_BUYERS} AND customer_key IN ({_EARLIER})",
        Language.number,
    ),
    Shown("", "overview.concentration_card", _top("net_revenue_365d", 0.1), _whole_percent),
    *(
        Shown(
            "retention",
            f"risk.{risk}",
            f"SELECT count(*) {_SNAPSHOT} AND churn_probability IS NOT NULL "
            f"AND churn_risk = '{risk}'",
            Language.number,
        )
        for risk in ("high", "medium", "low")
    ),
    Shown("call_list", "call_list.customers", f"SELECT count(*) {TO_CONTACT}", Language.number),
    Shown(
        "call_list",
        "column.value_at_stake",
        f"SELECT sum(value_at_stake) {TO_CONTACT}",
        Language.short_money,
    ),
    Shown(
        "call_list",
        "column.expected_profit",
        f"SELECT sum({PROFIT}) {TO_CONTACT}",
        Language.short_money,
    ),
    *(
        Shown(
            "whales",
            "whales.top",
            _top("expected_revenue_365d", percent / 100),
            _whole_percent,
            (("percent", percent),),
        )
        for percent in (1, 5, 10)
    ),
)


def terms_of(settings: Settings) -> dict[str, object]:
    """What queries of this module leave open, as the deployment has it."""
    economics = Campaign.of(settings)
    day = "(SELECT max(as_of) FROM marts.customer_360)"
    drawn_by = f"""sha256((customer_key || to_char({day}, 'YYYY"Q"Q'))::bytea)"""
    chance = f"('x' || left(encode({drawn_by}, 'hex'), 6))::bit(24)::int / 16777216.0"
    return {
        "day": day,
        "kept_back": f"({chance} < {settings.contact_control_share})",
        "success": economics.success_rate,
        "margin": economics.margin,
        "cost": economics.contact_cost,
        "may": "may_contact IS NOT FALSE" if settings.export_never_asked else "may_contact",
    }


def differing(
    opened: Page, address: str, settings: Settings, language: str, *, without: str | None = None
) -> dict[str, tuple[str | None, str]]:
    """Cards that do not show what SQL says: by label, what is shown and what is right.

    Args:
        opened: A browser's page.
        address: Of the dashboard.
        settings: The deployment's, published.
        language: To read the pages in.
        without: A page that has no figures of this deployment.
    """
    login = reader_login(settings)
    assert login is not None
    terms = terms_of(settings)
    wrong = {}
    with login.connect() as reader:
        (currency,) = reader.execute(
            "SELECT value FROM serving.deployment WHERE name = 'currency'"
        ).fetchone() or ("",)
        t = Language(language, currency)
        cards: dict[str, dict[str, str]] = {}
        for each in SHOWN:
            if each.page == without:
                continue
            if each.page not in cards:
                go(opened, address, each.page, lang=language)
                cards[each.page] = metrics(opened)
            row = reader.execute(each.query.format(**terms).encode()).fetchone()
            assert row is not None
            label = t(each.label, **dict(each.values))
            shown, right = cards[each.page].get(label), each.written(t, float(row[0] or 0))
            if shown is None or _plain(shown) != _plain(right):
                wrong[label] = (shown, right)
    return wrong


def _plain(text: str) -> str:
    """Without the spaces that do not break, which a browser may give as ordinary ones."""
    return text.replace("\xa0", " ").replace("\u202f", " ")
