"""The business at a glance, and the year to come."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta

import streamlit as st

from customer360 import plotting
from customer360.dashboard import address, charts, tables
from customer360.dashboard.connection import NotMadeError
from customer360.dashboard.page import Page
from customer360.dashboard.queries import overview

ICON, PLACE = "monitoring", 10
PERIODS: dict[str, int | None] = {"30": 30, "90": 90, "365": 365, "all": None, "own": None}
"""Periods by name and their days; ``own`` is two dates."""

MOST_GROWTH = 10
"""A figure that is more than so many times what it was is shown without its change."""


def render(page: Page) -> None:
    """Figures of a period, revenue and customers over time, forecast, concentration."""
    t = page.t
    page.heading("overview")
    first_day = page.source.ask(overview.first_day)
    if first_day is None:
        raise NotMadeError("there is no business date yet")
    first, last = _period(page, first_day)
    _metric_cards(page, first_day, first, last)
    _revenue(page, first, last)
    months = page.source.ask(overview.customers_by_month, page.as_of, first, last)
    if months.empty:
        page.nothing("overview.no_customers")
    else:
        page.chart(
            charts.stacked_over_time(
                months,
                "month",
                {
                    "new_customers": t("overview.new"),
                    "returning_customers": t("overview.returning"),
                },
                x=t("axis.month"),
                y=t("axis.customers"),
            ),
            "overview.customers",
        )
        tables.download(months, "customers-by-month", t)
    _forecast(page)
    _concentration(page)


def _period(page: Page, first_day: date) -> tuple[date, date]:
    t = page.t
    name: str | None = st.segmented_control(
        t("overview.period"),
        list(PERIODS),
        format_func=lambda each: t(f"overview.period_{each}"),
        required=True,
        **address.one("period", list(PERIODS), "365"),
    )
    if name == "own":
        least = max(first_day, page.as_of - timedelta(days=364))
        chosen = st.date_input(
            t("overview.dates"),
            min_value=first_day,
            max_value=page.as_of,
            format="DD/MM/YYYY" if t.code == "pt" else "YYYY-MM-DD",
            **address.days("dates", (least, page.as_of), first_day, page.as_of),
        )
        # While the second date is not chosen yet there is only one.
        if len(chosen) == 2:
            return chosen
        return least, page.as_of
    days = PERIODS[name or "365"]
    first = first_day if days is None else page.as_of - timedelta(days=days - 1)
    return max(first, first_day), page.as_of


def _metric_cards(page: Page, first_day: date, first: date, last: date) -> None:
    t = page.t
    now = page.source.ask(overview.figures, page.as_of, first, last)
    length = (last - first).days + 1
    before_first = first - timedelta(days=length)
    before = (
        page.source.ask(overview.figures, page.as_of, before_first, first - timedelta(days=1))
        if before_first >= first_day
        else None
    )
    spread = page.source.ask(overview.concentration, page.as_of, "net_revenue_365d")
    compared = t("overview.compared", first=t.day(before_first), days=length) if before else None
    shown: dict[str, Callable[[float], str]] = {
        "net_revenue": t.short_money,
        "orders": t.number,
        "average_order_value": t.money,
        "refund_rate": t.percent,
        "active_customers": t.number,
        "new_customers": t.number,
        "returning_customers": t.number,
    }
    st.caption(t("overview.range", first=t.day(first), last=t.day(last)))
    columns = [column for _ in range(2) for column in st.columns(4)]
    for column, (name, write) in zip(columns, shown.items(), strict=False):
        column.metric(
            t(f"overview.{name}"),
            write(now[name]),
            _change(page, name, now[name], before[name]) if before else None,
            delta_color="inverse" if name == "refund_rate" else "normal",
            help=" ".join(filter(None, [t(f"overview.{name}_help"), compared])),
            border=True,
            height="stretch",
        )
    columns[-1].metric(
        t("overview.concentration_card"),
        t.percent(overview.share_of_top(spread, 10), 0),
        help=t("overview.concentration_help"),
        border=True,
        height="stretch",
    )


def _change(page: Page, name: str, now: float, before: float) -> str | None:
    if math.isnan(now) or math.isnan(before):
        return None
    if name == "refund_rate":
        points = round((now - before) * 100, 1)
        sign = "+" if points > 0 else ""
        return f"{sign}{page.t.number(points, 1)} {page.t('overview.points')}"
    # From next to nothing a percentage says nothing.
    if before < now / MOST_GROWTH:
        return None
    return page.t.change(now / before - 1)


def _revenue(page: Page, first: date, last: date) -> None:
    t = page.t
    length = (last - first).days + 1
    grain: overview.Grain = "day" if length <= 45 else "week" if length <= 200 else "month"
    rows = page.source.ask(overview.revenue, first, last, grain)
    page.chart(
        plotting.bars_over_time(
            rows,
            "period",
            "net_revenue",
            x=t(f"axis.{grain}"),
            y=t("axis.net_revenue", currency=t.currency),
            months=grain == "month",
        ),
        "overview.revenue",
        grain=t(f"overview.by_{grain}"),
    )
    tables.download(rows, "revenue", t)


def _forecast(page: Page) -> None:
    t = page.t
    coming = page.source.ask(overview.forecast, page.as_of)
    if coming.empty:
        page.nothing("overview.no_forecast")
        return
    names = [t(f"overview.forecast_{part}") for part in ("past", "today", "band", "everybody")]
    page.chart(
        charts.forecast(
            page.source.ask(overview.weeks_before, page.as_of),
            coming,
            names,
            x=t("axis.week"),
            y=t("axis.revenue_week", currency=t.currency),
        ),
        "overview.forecast",
        total=t.short_money(coming["revenue"].sum() + coming["new_revenue"].sum()),
        today=t.short_money(coming["revenue"].sum()),
        new=t.short_money(coming["new_revenue"].sum()),
    )
    tables.download(coming, "forecast", t)


def _concentration(page: Page) -> None:
    t = page.t
    spread = page.source.ask(overview.concentration, page.as_of, "net_revenue_365d")
    if spread.empty:
        page.nothing("overview.no_concentration")
        return
    page.chart(
        charts.concentration(spread, x=t("axis.customers_share"), y=t("axis.revenue_share")),
        "overview.concentration",
        share=t.percent(overview.share_of_top(spread, 10), 0),
        customers=t.number(spread["customers"].sum()),
    )
    tables.download(spread, "concentration", t)
