"""Whether the data can be trusted: how runs went, when data came, what was kept out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from customer360 import plotting
from customer360.dashboard import charts, tables
from customer360.dashboard.markdown import plain
from customer360.dashboard.page import Page
from customer360.dashboard.queries import health
from customer360.language import Language

ICON, PLACE = "health_and_safety", 70
REASONS_SHOWN = 15


def render(page: Page) -> None:
    """Last run, last publication, freshness, quarantine, row accounting."""
    page.heading("health")
    _runs(page)
    published = page.source.ask(health.publications)
    if published.empty:
        page.nothing("health.nothing_published")
    else:
        _freshness(page, published)
    _accounting(page)
    _quarantine(page)


def _runs(page: Page) -> None:
    t = page.t
    st.markdown(f"## {t('health.last_run_title')}")
    rows = page.source.ask_now(health.runs)
    runs = page.source.ask_now(health.newest_ended_runs)
    if runs.empty:
        page.nothing("health.no_runs")
    for run in runs.itertuples():
        _outcome(page, run)
    if len(runs) and set(runs["status"]) != {"success"}:
        st.markdown(t("health.again"))
        # All that any run does; what was done already is done once more, at no harm.
        st.code(page.settings.command("run"), language="shell")
    if rows.empty:
        return
    st.markdown(f"## {t('health.runs_title')}")
    tables.show(rows, "runs", t, words={"job": "health.job", "status": "health.outcome"})
    st.caption(t("health.runs_explained", zone=t.zone))


def _outcome(page: Page, run: Any) -> None:
    t = page.t
    values = {
        "job": t.named("health.job", run.job),
        "at": t.moment(run.ended_at),
        "took": _took(run.seconds),
    }
    if run.status == "success":
        st.success(t("health.succeeded", **values), icon=":material/check_circle:")
        return
    if run.status == "canceled":
        st.warning(t("health.stopped", **values), icon=":material/cancel:")
    else:
        step = t("health.no_step") if pd.isna(run.failed_step) else plain(run.failed_step)
        why = t("health.why", step=step, reason=plain(run.error))
        st.error(f"{t('health.failed', **values)}\n\n{why}", icon=":material/error:")


def _took(seconds: float) -> str:
    """How long a run took, as a watch would say it in either language."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _freshness(page: Page, published: pd.DataFrame) -> None:
    t = page.t
    newest = published["published_at"].max()
    last = page.source.ask(health.newest_day)
    first, second, third = st.columns(3)
    first.metric(t("health.published"), t.day(newest), help=t.moment(newest), border=True)
    second.metric(t("health.last_day"), t.day(last), help=t("health.last_day_help"), border=True)
    third.metric(t("health.rows"), t.number(published["rows"].sum()), border=True)
    closed = page.settings.end_date is not None  # no newer day will ever come
    if last is not None and not closed:
        age = (datetime.now(UTC).date() - last).days
        if age > page.settings.freshness_days:
            st.warning(t("health.stale", days=t.days(age)), icon=":material/schedule:")
        else:
            st.success(t("health.fresh"), icon=":material/check_circle:")
    st.markdown(f"## {t('health.tables_title')}")
    tables.show(published, "publications", t)
    st.caption(t("health.tables_explained"))


def _accounting(page: Page) -> None:
    t = page.t
    rows = page.source.ask(health.accounting)
    st.markdown(f"## {t('health.accounting_title')}")
    if rows.empty:
        page.nothing("health.no_accounting")
        return
    tables.show(rows, "row-accounting", t)
    st.caption(t("health.accounting_explained"))
    months = page.source.ask(health.received_by_month)
    if len(months):
        fates = {name: t(f"column.{name}") for name in ("accepted", "quarantined")}
        page.chart(
            charts.stacked_over_time(
                months,
                "month",
                fates,
                x=t("axis.month"),
                y=t("axis.rows"),
                short=t.short_forms,
            ),
            "health.received",
        )


def _quarantine(page: Page) -> None:
    t = page.t
    rows = page.source.ask(health.quarantine)
    if rows.empty:
        page.nothing("health.no_quarantine")
        return
    rows = rows.assign(rule=[broken_rule(reason, t) for reason in rows["reason"]])
    top = rows.groupby("rule")["rows"].sum().reset_index()
    top = top.sort_values("rows", ascending=False).head(REASONS_SHOWN)
    page.chart(
        plotting.ranked_bars(top, "rule", "rows", x=t("axis.rows"), short=t.short_forms),
        "health.quarantine",
    )
    tables.show(rows, "quarantine", t)


def broken_rule(reason: str, t: Language) -> str:
    """``amount: it is too small`` for ``amount:minimum``; itself where nobody named the rule."""
    column, _, rule = reason.rpartition(":")
    named = t.named("health.rule", rule)
    return f"{column}: {named}" if column else named
