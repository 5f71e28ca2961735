"""The few customers who matter most."""

from __future__ import annotations

import math

import streamlit as st

from customer360.dashboard import address, charts, tables
from customer360.dashboard.page import Page
from customer360.dashboard.queries import overview, whales
from customer360.language import CODED
from customer360.serving.campaigns import WHALE_SHARE

ICON, PLACE = "diamond", 50
SIZES = (25, 50, 100)


def render(page: Page) -> None:
    """Those of the highest expected value, and how concentrated it is."""
    t = page.t
    page.heading("whales")
    spread = page.source.ask(overview.concentration, page.as_of, "expected_revenue_365d")
    if spread.empty:
        page.nothing("whales.no_values")
        return
    first, second, third = st.columns(3)
    for column, percent in zip((first, second, third), (1, 5, 10), strict=True):
        top = spread[spread["percent"] <= percent]
        column.metric(
            t("whales.top", percent=percent),
            t.percent(overview.share_of_top(spread, percent), 0),
            help=t("whales.top_help", customers=t.number(top["customers"].sum())),
            border=True,
        )
        if len(top) and column.button(
            t("whales.top_customers", percent=percent),
            icon=":material/arrow_forward:",
            type="tertiary",
            key=f"customers-top-{percent}",
        ):
            # In whole cents, so that nobody is left out by a rounded bound.
            page.open_customers(least=math.floor(top["least"].min() * 100) / 100)
    size = st.segmented_control(
        t("whales.how_many"), SIZES, required=True, **address.one("whales", SIZES)
    )
    rows = page.with_names(
        page.source.ask(whales.largest, page.as_of, size or SIZES[0], page.economics())
    )
    st.markdown(f"## {t('whales.list_title', customers=len(rows))}")
    tables.show(rows, "whales", t, words=CODED, on_open=page.open_row)
    page.customer_chooser(rows, "whales")
    page.about_actions(t("whales.list_explained", share=WHALE_SHARE))
    page.chart(
        charts.concentration(spread, x=t("axis.customers_share"), y=t("axis.value_share")),
        "whales.concentration",
    )
    tables.download(spread, "value-concentration", t)
    if st.button(t("call_list.open"), icon=":material/call:"):
        page.open_page("call_list", {})
