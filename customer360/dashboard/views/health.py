"""Whether the data can be trusted: when they came, and what was kept out."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from customer360.dashboard import charts, tables
from customer360.dashboard.page import Page
from customer360.dashboard.queries import health

STALE_DAYS = 2
"""Days after the newest business date from which an open deployment's data are called old."""

REASONS_SHOWN = 15


def render(page: Page) -> None:
    """Last publication, freshness, quarantine, row accounting."""
    page.heading("health")
    published = page.source.ask(health.publications)
    if published.empty:
        page.nothing("health.nothing_published")
    else:
        _freshness(page, published)
    _accounting(page)
    _quarantine(page)


def _freshness(page: Page, published: pd.DataFrame) -> None:
    t = page.t
    newest = published["published_at"].max()
    last = page.source.ask(health.newest_day)
    first, second, third = st.columns(3)
    first.metric(
        t("health.published"), t.day(newest), help=f"{newest:%Y-%m-%d %H:%M %Z}", border=True
    )
    second.metric(t("health.last_day"), t.day(last), help=t("health.last_day_help"), border=True)
    third.metric(t("health.rows"), t.number(published["rows"].sum()), border=True)
    closed = page.settings.end_date is not None  # no newer day will ever come
    if last is not None and not closed:
        age = (datetime.now(UTC).date() - last).days
        if age > STALE_DAYS:
            st.warning(t("health.stale", days=t.number(age)), icon=":material/schedule:")
        else:
            st.success(t("health.fresh"), icon=":material/check_circle:")
    st.markdown(f"##### {t('health.tables_title')}")
    tables.show(published, "publications", t)
    st.caption(t("health.tables_explained"))


def _accounting(page: Page) -> None:
    t = page.t
    rows = page.source.ask(health.accounting)
    st.markdown(f"##### {t('health.accounting_title')}")
    if rows.empty:
        page.nothing("health.no_accounting")
        return
    tables.show(rows, "row-accounting", t)
    st.caption(t("health.accounting_explained"))
    months = page.source.ask(health.received_by_month)
    if len(months):
        fates = {name: t(f"column.{name}") for name in ("accepted", "quarantined")}
        page.chart(
            charts.stacked_over_time(months, "month", fates, x=t("axis.month"), y=t("axis.rows")),
            "health.received",
        )


def _quarantine(page: Page) -> None:
    t = page.t
    rows = page.source.ask(health.quarantine)
    if rows.empty:
        page.nothing("health.no_quarantine")
        return
    top = rows.groupby("reason")["rows"].sum().reset_index()
    top = top.sort_values("rows", ascending=False).head(REASONS_SHOWN)
    page.chart(
        charts.ranked_bars(top, "reason", "rows", x=t("axis.rows")),
        "health.quarantine",
    )
    tables.show(rows, "quarantine", t)
