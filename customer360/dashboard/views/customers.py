"""Customers: find some, or read everything about one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from customer360.contracts.attributes import customer_attributes
from customer360.dashboard import address, charts, masks, tables
from customer360.dashboard.markdown import plain
from customer360.dashboard.page import Page
from customer360.dashboard.queries import customers, segments
from customer360.dashboard.rhythm import agreement, rhythm
from customer360.gold.terms import RISK_FROM
from customer360.language import CODED, Language
from customer360.models.reasons import Reason, reasons_in
from customer360.short_keys import short_key

ICON, PLACE = "groups", 20
PAGE_SIZES = (25, 50, 100)
OF_DAYS = {"category": "category", "channel": "channel"}
RISKS = (*RISK_FROM, customers.GONE)
SCORES = (5, 4, 3, 2, 1)
ORDERS = ("descending", "ascending")


def render(page: Page) -> None:
    """The list, or the customer whom the address names."""
    key = st.query_params.get("customer", "")
    if key:
        _one(page, key)
    else:
        _list(page)


def _list(page: Page) -> None:
    t = page.t
    page.heading("customers")
    filters = _filters(page)
    count = page.source.ask(customers.count, page.as_of, filters)
    if not count:
        page.nothing("customers.nobody")
        return
    size_at, number_at, count_at = st.columns([1, 1, 3], vertical_alignment="bottom")
    size = size_at.selectbox(
        t("customers.rows"), PAGE_SIZES, **address.one("rows", PAGE_SIZES, forgets=[address.PAGE])
    )
    pages = -(-count // size)
    number = number_at.number_input(
        t("customers.page", pages=t.number(pages)),
        1,
        pages,
        **address.number(address.PAGE, 1, pages, 1),
    )
    count_at.markdown(t("customers.found", count=count))
    rows = page.with_names(
        page.source.ask(customers.rows, page.as_of, filters, size, (number - 1) * size)
    )
    tables.show(
        rows,
        "customers",
        t,
        words=CODED,
        all_rows=lambda: page.source.ask(
            customers.rows, page.as_of, filters, customers.MOST_EXPORTED
        ),
        on_open=page.open_row,
    )
    page.customer_chooser(rows, "customers")
    limits = {risk: t.percent(RISK_FROM[risk], 0) for risk in ("high", "medium")}
    page.about_actions(t("customers.explained", **limits))


def _month(text: str) -> date:
    """The first day of a month, as the address has it.

    Raises:
        ValueError: It is none.
    """
    day = date.fromisoformat(text)
    if day.day != 1:
        raise ValueError(text)
    return day


def _filters(page: Page) -> customers.Filters:
    t, allowed = page.t, page.settings.dashboard_personal_data
    segment_names = address.offered(
        "segments", segments.names(page.source.ask(segments.sizes, page.as_of))
    )
    region_names = address.offered("regions", page.source.ask(customers.regions, page.as_of))
    months = address.offered("cohort", page.source.ask(customers.cohorts, page.as_of), _month)
    first_of_page = (address.PAGE,)
    search = st.text_input(
        t("customers.search"),
        help=t("customers.search_personal" if allowed else "customers.search_key"),
        max_chars=200,
        **address.text("search", customers.is_key, forgets=first_of_page),
    )
    if search and not allowed and not customers.is_key(search):
        st.warning(t("customers.not_a_key"), icon=":material/search_off:")
    with st.expander(t("customers.filter"), icon=":material/filter_list:", expanded=True):
        first, second, third = st.columns(3)
        wanted = first.multiselect(
            t("column.segment"),
            segment_names,
            format_func=lambda name: t.named("segment", name),
            placeholder=t("common.all"),
            **address.many("segments", segment_names, forgets=first_of_page),
        )
        regions = second.multiselect(
            t("column.region"),
            region_names,
            placeholder=t("common.all"),
            **address.many("regions", region_names, forgets=first_of_page),
        )
        risks = third.multiselect(
            t("column.churn_risk"),
            RISKS,
            format_func=lambda name: t.named("risk", name),
            placeholder=t("common.all"),
            **address.many("risks", RISKS, forgets=first_of_page),
        )
        recency = first.multiselect(
            t("customers.recency"),
            SCORES,
            placeholder=t("common.all"),
            **address.many("recency", SCORES, forgets=first_of_page),
        )
        frequency = second.multiselect(
            t("customers.frequency"),
            SCORES,
            placeholder=t("common.all"),
            **address.many("frequency", SCORES, forgets=first_of_page),
        )
        cohort = third.selectbox(
            t("customers.cohort"),
            months,
            format_func=t.month,
            placeholder=t("common.all"),
            **address.one("cohort", months, required=False, forgets=first_of_page),
        )
        least = first.number_input(
            t("customers.least_value", currency=t.currency),
            0.0,
            step=50.0,
            **address.number("least", 0.0, None, 0.0, forgets=first_of_page),
        )
        sort = second.selectbox(
            t("customers.sort"),
            customers.SORTABLE,
            format_func=lambda name: t(f"column.{name}"),
            **address.one("sort", customers.SORTABLE, forgets=first_of_page),
        )
        earlier, compared = page.earlier_dates, "before" in st.query_params
        gone = compared and st.query_params.get("since", "") not in ("", *map(str, earlier))
        since, before = None, []
        if earlier:
            # Where the date of the address is gone, another one is not chosen silently.
            since = second.selectbox(
                t("customers.since"),
                earlier,
                format_func=t.day,
                **address.one(
                    "since",
                    earlier,
                    required=not gone,
                    stated=compared and not gone,
                    forgets=first_of_page,
                ),
            )
        if since is not None:
            sizes = page.source.ask(segments.sizes, since)
            then = address.offered("before", [*segments.names(sizes), segments.NOBODY])
            before = first.multiselect(
                t("customers.segment_before"),
                then,
                format_func=lambda name: t.named("segment", name),
                placeholder=t("common.all"),
                **address.many(
                    "before", then, brings={"since": [str(since)]}, forgets=first_of_page
                ),
            )
        way = third.selectbox(
            t("customers.order"),
            ORDERS,
            format_func=lambda each: t(f"customers.{each}"),
            **address.one("order", ORDERS, forgets=first_of_page),
        )
    if gone:
        st.warning(
            t("customers.since_gone", day=plain(st.query_params["since"])),
            icon=":material/event_busy:",
        )
    return customers.Filters(
        search=search,
        segments=tuple(wanted),
        regions=tuple(regions),
        risks=tuple(risks),
        recency=tuple(recency),
        frequency=tuple(frequency),
        cohort=cohort,
        before=tuple(before),
        since=since,
        least_value=least,
        sort=sort,
        descending=way == ORDERS[0],
        personal=allowed,
    )


def _one(page: Page, key: str) -> None:
    t = page.t
    if st.button(t("customer.back"), icon=":material/arrow_back:"):
        page.open_page("customers", address.changed({"customer": None}))
    customer = page.source.ask(customers.customer, page.as_of, key)
    if customer is None:
        page.nothing("customer.unknown", as_of=t.day(page.as_of))
        return
    key = str(customer.summary["customer_key"])
    allowed = page.settings.dashboard_personal_data
    profile = masks.masked(customer.profile, allowed=allowed)
    name = profile["name"].iat[0] if len(profile) and "name" in profile else None
    st.title(plain(str(name)) if name else t("customer.title", short=short_key(key)))
    st.caption(t("customer.key", customer_key=key, as_of=t.day(page.as_of)))
    _cards(page, customer)
    reasons, action = st.columns(2)
    with reasons:
        _reasons(page, customer)
    with action:
        st.markdown(f"## {t('customer.action')}")
        st.success(t.named("action", customer.summary["next_best_action"]), icon=":material/flag:")
        page.about_actions(t("customer.action_explained"))
        _rfm(page, customer.summary)
    _timeline(page, customer.days)
    _profile(page, profile, allowed=allowed)


def _cards(page: Page, customer: customers.Customer) -> None:
    t, row = page.t, customer.summary
    first, second, third, fourth = st.columns(4)
    with first.container(border=True, height="stretch"):
        st.metric(t("column.segment"), t.named("segment", row["segment"]))
        st.caption(t.named("segment_means", row["segment"]))
    with second.container(border=True, height="stretch"):
        st.metric(
            t("customer.churn"),
            t.percent(row["churn_probability"], 0),
            help=t("customer.churn_help", days=t.number(row["churn_horizon_days"])),
        )
    with third.container(border=True, height="stretch"):
        st.metric(
            t("customer.value"),
            t.money(row["expected_revenue_365d"]),
            help=t("customer.value_help"),
        )
        low, high = row["expected_revenue_365d_low"], row["expected_revenue_365d_high"]
        if pd.notna(low):
            st.caption(t("customer.between", low=t.money(low), high=t.money(high)))
    with fourth.container(border=True, height="stretch"):
        st.metric(
            t("column.has_left"),
            t.percent(row["has_left"], 0),
            help=t("customer.has_left_help"),
        )
        st.caption(t.named("risk", _risk(row)))
        found, when = rhythm(row), t.ago(row["days_since_last_purchase"])
        if found:
            said = "customer.rhythm" if found.own else "customer.expected_rhythm"
            st.caption(t(said, gap=t.days(found.whole_days), when=when))
        if pd.notna(row["overdue"]):
            st.caption(t("customer.overdue", share=t.percent(row["overdue"], 0)))
    stand = agreement(row)
    if stand:
        days = t.days(int(row["churn_horizon_days"]))
        st.markdown(t(f"customer.agreement.{stand}", days=days))


def _risk(row: dict[str, Any]) -> str:
    return customers.GONE if pd.isna(row["churn_risk"]) else str(row["churn_risk"])


def _reasons(page: Page, customer: customers.Customer) -> None:
    t, row = page.t, customer.summary
    st.markdown(f"## {t('customer.why_churn')}")
    why = reasons_in(row, "churn_")
    if why:
        st.markdown(_numbered(t, why))
    else:
        gone = pd.isna(row["churn_probability"])
        st.markdown(t("customer.no_churn_gone" if gone else "customer.no_churn_reasons"))
    if pd.notna(row["expected_revenue"]):
        st.markdown(
            "## "
            + t(
                "customer.why_value",
                days=t.number(row["revenue_horizon_days"]),
                value=t.money(row["expected_revenue"]),
            )
        )
        if customer.reasons:
            st.markdown(_numbered(t, customer.reasons))
    st.caption(t("customer.reasons_explained"))


def _numbered(t: Language, reasons: Sequence[Reason]) -> str:
    return "\n".join(f"{n}. {plain(t.reason(*each))}" for n, each in enumerate(reasons, 1))


def _rfm(page: Page, row: dict[str, Any]) -> None:
    t = page.t
    st.markdown(f"## {t('customer.rfm', score=row['rfm_score'])}")
    measures = {
        "recency": t.ago(row["days_since_last_purchase"]),
        "frequency": t("customer.purchase_days", days=row["purchase_days"]),
        "money": t.money(row["net_revenue"]),
    }
    scores = {"recency": "r_score", "frequency": "f_score", "money": "m_score"}
    st.markdown(
        "\n".join(
            f"- {t(f'customer.{part}', score=row[scores[part]], value=plain(value))}"
            for part, value in measures.items()
        )
    )
    st.caption(t("customer.rfm_explained"))


def _timeline(page: Page, days: pd.DataFrame) -> None:
    t = page.t
    if days.empty:
        page.nothing("customer.no_days")
        return
    page.chart(
        charts.timeline(
            tables.named(days, t, OF_DAYS),
            (t("customer.purchase"), t("customer.refund")),
            {name: t(f"column.{name}") for name in OF_DAYS},
            x=t("axis.day"),
            y=t("axis.net_revenue", currency=t.currency),
        ),
        "customer.timeline",
    )
    tables.show(days, "customer-days", t, words=OF_DAYS)


def _profile(page: Page, profile: pd.DataFrame, *, allowed: bool) -> None:
    t = page.t
    st.markdown(f"## {t('customer.profile')}")
    if profile.empty:
        page.nothing("customer.no_profile")
        return
    rows = pd.DataFrame(
        {
            "field": [t.worded("column", str(name)) for name in profile.columns],
            "value": [_known(t, str(name), value) for name, value in profile.iloc[0].items()],
        }
    )
    tables.show(rows[rows["value"] != ""], "customer-profile", t)
    if not allowed:
        st.caption(t("customer.masked"))


def _known(t: Language, name: str, value: Any) -> str:
    """A value of a profile's column as people read it; nothing where it is not known."""
    if pd.isna(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return t("common.affirmed" if value else "common.denied")
    if isinstance(value, date):
        return t.day(value)
    if isinstance(value, int | float | np.number):
        return t.number(float(value), 0 if float(value).is_integer() else 2)
    attribute = customer_attributes().get(name)
    if attribute is None or attribute.is_personal:
        return str(value)
    return t.worded(name, str(value))
