"""Who stays, who is about to leave, and what it would earn to keep them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from customer360 import plotting
from customer360.dashboard import address, charts, tables
from customer360.dashboard.page import Page
from customer360.dashboard.queries import customers, retention
from customer360.language import CODED
from customer360.models.profit import Campaign, profit_curve

ICON, PLACE = "event_repeat", 40
PERIODS = (12, 24, 36)
PAGE_SIZE = 25


def render(page: Page) -> None:
    """Cohorts, the list by expected loss, the profit curve."""
    page.heading("retention")
    _cohorts(page)
    risks = page.source.ask(retention.risks, page.as_of)
    if risks.empty:
        page.nothing("retention.no_scores")
        return
    _leaving(page, risks)
    _profit(page)


def _cohorts(page: Page) -> None:
    t = page.t
    months = st.segmented_control(
        t("retention.cohorts_shown"),
        PERIODS,
        format_func=lambda n: t("retention.months", months=n),
        required=True,
        **address.one("cohorts", PERIODS),
    )
    rows = page.source.ask(retention.cohorts, page.as_of, months or PERIODS[0])
    later = rows[rows["months_since_first"] > 0]
    if later.empty:
        page.nothing("retention.no_cohorts")
        return
    cells = later.assign(
        month=[t.month(day) for day in later["cohort"]],
        link=[page.customers_link(cohort=day) for day in later["cohort"]],
    )
    page.chart(
        charts.opening(
            charts.heat_map(
                cells,
                ("months_since_first", "month", "retention"),
                titles=(t("axis.months_since_first"), t("axis.cohort"), t("axis.retention")),
                percent=True,
                height=max(220, 26 * cells["month"].nunique() + 70),
            )
        ),
        "retention.cohort",
        opens=True,
    )
    tables.download(rows, "cohorts", t)


def _leaving(page: Page, risks: pd.DataFrame) -> None:
    t = page.t
    st.markdown(f"## {t('retention.list_title')}")
    days = page.source.ask(retention.horizon_days, page.as_of)
    columns = st.columns(3)
    for column, risk in zip(columns, ("high", "medium", "low"), strict=True):
        of = risks[risks["churn_risk"] == risk]
        column.metric(
            t.named("risk", risk),
            t.number(of["customers"].sum()),
            help=t("retention.risk_help", days=t.number(days)),
            border=True,
        )
        if column.button(
            t("retention.risk_customers", risk=t.named("risk", risk)),
            icon=":material/arrow_forward:",
            type="tertiary",
            key=f"customers-{risk}",
        ):
            page.open_customers(risks=risk, sort="expected_loss")
    st.markdown(
        t(
            "retention.loss",
            loss=_escaped(t.short_money(risks["expected_loss"].sum())),
            customers=t.number(risks["customers"].sum()),
        )
    )
    filters = customers.Filters(sort="expected_loss", risks=("high", "medium", "low"))
    count = page.source.ask(customers.count, page.as_of, filters)
    pages = max(1, -(-count // PAGE_SIZE))
    number = st.number_input(
        t("customers.page", pages=t.number(pages)),
        1,
        pages,
        width=200,
        **address.number("page", 1, pages, 1),
    )
    rows = page.source.ask(customers.rows, page.as_of, filters, PAGE_SIZE, (number - 1) * PAGE_SIZE)
    rows = page.with_names(
        rows[
            [
                "customer_key",
                "expected_loss",
                "churn_probability",
                "churn_risk",
                "expected_revenue_365d",
                "segment",
                "last_purchase_on",
                "next_best_action",
            ]
        ]
    )
    tables.show(
        rows,
        "churn-list",
        t,
        words=CODED,
        all_rows=lambda: page.source.ask(
            customers.rows, page.as_of, filters, customers.MOST_EXPORTED
        ),
        on_open=page.open_customer,
    )
    page.customer_chooser(rows, "churn-list")
    page.about_actions(t("retention.list_explained", days=t.number(days)))


def _campaign(page: Page) -> Campaign:
    """What the sliders say that a contact costs and brings; at first what the settings say."""
    t = page.t
    usual = Campaign(
        page.fact("churn_contact_cost", page.settings.churn_contact_cost),
        page.fact("churn_success_rate", page.settings.churn_success_rate),
        page.fact("churn_margin", page.settings.churn_margin),
    )
    first, second, third = st.columns(3)
    return Campaign(
        first.slider(
            t("retention.cost", currency=t.currency),
            0.0,
            max(20.0, 4 * usual.contact_cost),
            usual.contact_cost,
            step=0.1,
            key="cost",
        ),
        second.slider(
            t("retention.success"), 0, 100, round(usual.success_rate * 100), format="%d%%",
            key="success",
        )
        / 100,
        third.slider(
            t("retention.margin"), 0, 100, round(usual.margin * 100), format="%d%%", key="margin"
        )
        / 100,
    )  # fmt: skip


def _profit(page: Page) -> None:
    t = page.t
    st.divider()
    campaign = _campaign(page)
    groups = page.source.ask(retention.campaign_groups, page.as_of)
    curve = profit_curve(
        groups["churn_probability"],
        groups["value"],
        campaign,
        customers=groups["customers"],
    )
    page.chart(
        plotting.profit(
            curve.table,
            curve.best_share,
            (t("retention.expected_profit"), t("retention.best")),
            x=t("axis.contacted"),
            y=t("axis.profit", currency=t.currency),
        ),
        "retention.profit",
    )
    if curve.best_share > 0:
        people = float(groups["customers"].sum())
        advice = t(
            "retention.advice",
            share=t.percent(curve.best_share, 0),
            customers=t.number(curve.best_share * people),
            threshold=t.percent(
                groups.loc[
                    groups["churn_probability"] >= curve.best_threshold, "least_probability"
                ].min(),
                0,
            ),
            profit=_escaped(t.short_money(curve.best_expected)),
            everybody=_escaped(t.short_money(curve.everybody)),
        )
        st.success(advice, icon=":material/campaign:")
    else:
        st.warning(t("retention.no_profit"), icon=":material/block:")
    with st.expander(t("retention.assumes_title")):
        st.markdown(t("retention.assumes"))
    tables.download(curve.table[["share", "customers", "expected"]], "profit-curve", t)


def _escaped(text: str) -> str:
    """A dollar sign that Markdown does not take for a formula."""
    return text.replace("$", "\\$")
