"""Who stays, who is about to leave, and what it would earn to keep them."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from customer360 import plotting
from customer360.dashboard import address, charts, tables
from customer360.dashboard.markdown import without_formulas
from customer360.dashboard.page import Page
from customer360.dashboard.queries import call_list, retention
from customer360.dashboard.views.call_list import BY_PROFIT
from customer360.gold.terms import RISK_FROM
from customer360.models.campaign import Campaign
from customer360.models.profit import profit_curve

ICON, PLACE = "event_repeat", 40
PERIODS = (12, 24, 36)


def render(page: Page) -> None:
    """Cohorts, how many are about to leave, the profit curve."""
    page.heading("retention")
    _cohorts(page)
    risks = page.source.ask(retention.risks, page.as_of)
    if risks.empty:
        page.nothing("retention.no_scores")
        return
    _leaving(page, risks)
    if pd.to_numeric(risks["value_at_stake"]).notna().any():
        _profit(page)
    else:
        _measured(page)


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
    meaning = "risk_help" if risks["by_has_left"].any() else "risk_help_horizon"
    columns = st.columns(3)
    for column, risk in zip(columns, RISK_FROM, strict=True):
        of = risks[risks["churn_risk"] == risk]
        column.metric(
            t.named("risk", risk),
            t.number(of["customers"].sum()),
            help=t(f"retention.{meaning}", days=t.number(days)),
            border=True,
        )
        if column.button(
            t("retention.risk_customers", risk=t.named("risk", risk)),
            icon=":material/arrow_forward:",
            type="tertiary",
            key=f"customers-{risk}",
        ):
            page.open_customers(risks=risk, sort="value_at_stake")
    # Unknown is not nothing.
    loss = pd.to_numeric(risks["value_at_stake"]).sum(min_count=1)
    st.markdown(
        t(
            "retention.loss" if pd.notna(loss) else "retention.loss_unknown",
            loss=without_formulas(t.short_money(loss)),
            customers=t.number(risks["customers"].sum()),
        )
    )
    if st.button(t("call_list.open"), icon=":material/call:", type="primary"):
        page.open_page("call_list", {})
    page.about_actions(t("retention.list_explained"))


def _campaign(page: Page) -> Campaign:
    """What the sliders say that a contact costs and brings; at first what the settings say."""
    t = page.t
    usual = page.economics()
    first, second, third = st.columns(3)
    most = max(20.0, 4 * usual.contact_cost)

    def share(column: DeltaGenerator, name: str, default: float) -> float:
        # As exact as the setting, until it is moved.
        return column.slider(
            t(f"retention.{name}"),
            0.0,
            1.0,
            step=0.001,
            format="percent",
            **address.number(name, 0.0, 1.0, float(default)),
        )

    return Campaign(
        first.slider(
            t("retention.cost", currency=t.currency),
            0.0,
            most,
            step=0.1,
            **address.number("cost", 0.0, most, float(usual.contact_cost)),
        ),
        share(second, "success", usual.success_rate),
        share(third, "margin", usual.margin),
    )


def _profit(page: Page) -> None:
    t = page.t
    st.divider()
    campaign = _campaign(page)
    known = page.source.ask_now(call_list.marks)
    usual = page.wanted(BY_PROFIT)
    consent = "never_asked" if usual.never_asked else "agree"
    groups = page.source.ask(retention.campaign_groups, page.as_of, usual, known)
    if groups.empty:
        waiting = page.source.ask(retention.waiting, page.as_of, usual, known)
        if waiting:
            page.nothing("retention.all_waiting", customers=t.number(waiting))
        else:
            page.nothing(f"retention.nobody_to_contact.{consent}")
        return
    wanted = page.wanted(BY_PROFIT, economics=campaign)
    best = page.source.ask(retention.best_set, page.as_of, wanted, known)
    curve = profit_curve(groups["value_at_stake"], campaign, customers=groups["customers"])
    page.chart(
        plotting.profit(
            curve.table,
            best.customers,
            (t("retention.expected_profit"), t("retention.best")),
            by="customers",
            x=t("axis.contacted"),
            y=t("axis.profit", currency=t.currency),
            short=t.short_forms,
        ),
        "retention.profit",
        whom=t(f"retention.whom.{consent}"),
    )
    if best.customers:
        said = "retention.advice" if best.next_one is not None else "retention.advice_all"
        advice = t(
            said,
            customers=t.number(best.customers),
            profit=without_formulas(t.short_money(best.profit)),
            everybody=without_formulas(t.short_money(best.everybody)),
            all=t.number(best.all_customers),
        )
        st.success(advice, icon=":material/campaign:")
    else:
        st.warning(t("retention.no_profit"), icon=":material/block:")
    if campaign != page.economics():
        st.caption(t("retention.sliders_only"))
    _measured(page)
    with st.expander(t("retention.assumes_title")):
        st.markdown(f"{t('retention.assumes')} {page.success_rate_is()}")
    tables.download(curve.table[["customers", "share", "expected"]], "profit-curve", t)


def _measured(page: Page) -> None:
    """What a past campaign with a control group did; that the success rate is assumed, without."""
    t, found = page.t, page.measured_campaign()
    st.markdown(f"## {t('retention.uplift_title')}")
    if found is None:
        page.nothing("retention.no_uplift")
        return
    st.markdown(
        t(
            "retention.uplift",
            first=t.day(date.fromisoformat(found["first"])),
            last=t.day(date.fromisoformat(found["last"])),
            contacted=t.percent(found["bought_contacted"]),
            kept_back=t.percent(found["bought_kept_back"]),
            days=t.days(found["window_days"]),
            low=t.percent(found["effect_low"]),
            high=t.percent(found["effect_high"]),
            rate=t.percent(found["success_rate"]),
        )
    )
    st.caption(page.success_rate_is())
    page.chart(
        charts.qini(
            pd.DataFrame(found["curve"]),
            (t("retention.by_uplift"), t("retention.at_random")),
            x=t("axis.uplift_share"),
            y=t("axis.gained"),
        ),
        "retention.qini",
        qini=t.number(found["qini"], 4),
        low=t.number(found["qini_low"], 4),
        high=t.number(found["qini_high"], 4),
    )
