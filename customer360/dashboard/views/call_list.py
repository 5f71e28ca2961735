"""Whom to call today, why, and what was done about it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pandas as pd
import streamlit as st

from customer360.dashboard import address, contact_columns, tables
from customer360.dashboard.markdown import without_formulas
from customer360.dashboard.page import Page
from customer360.dashboard.queries import call_list, segments
from customer360.dashboard.queries.call_list import Summary, Wanted
from customer360.dashboard.rhythm import rhythm
from customer360.language import CODED, Language
from customer360.models.reasons import reasons_in
from customer360.serving import contact_log
from customer360.serving.campaigns import CAMPAIGN_LISTS, campaign_list
from customer360.serving.contact_log import Marked
from customer360.serving.options import Contacts

ICON, PLACE = "call", 15
LISTS = tuple(campaign.name for campaign in CAMPAIGN_LISTS)
BY_PROFIT = "at_risk_valuable"
"""The list of whom it pays to contact."""
_MARKED = "marked"
_KEPT_FOR_WORDS = (
    "days_since_last_purchase",
    "mean_days_between_purchases",
    "expected_gap_days",
    "purchase_days",
    "churn_reason_1",
    "churn_reason_1_values",
)
_WORDS = {name: CODED[name] for name in ("segment", "churn_risk", "next_best_action")}


def render(page: Page) -> None:
    """The chosen list with reasons and contacts; its file; marking who was contacted."""
    page.heading("call_list", whom=page.t(f"call_list.whom.{_consent(page)}"))
    if not page.published.suppression_known:
        page.nothing("common.suppression_unknown")
        return
    wanted = _wanted(page)
    known = page.source.ask_now(call_list.marks)
    summary = page.source.ask(call_list.summary, page.as_of, wanted, known)
    _marked(page, wanted)
    rows = page.source.ask(call_list.rows, page.as_of, wanted, known)
    if _listed(rows).empty:
        _nobody(page, wanted, summary)
        return
    _numbers(page, wanted, summary)
    _table(page, wanted, summary, rows, known)


def _consent(page: Page) -> str:
    """Which text says whose consent is asked for."""
    return "never_asked" if page.settings.export_never_asked else "agree"


def _wanted(page: Page) -> Wanted:
    t = page.t
    chosen = st.segmented_control(
        t("call_list.which"),
        LISTS,
        format_func=lambda name: t(f"call_list.of.{name}"),
        required=True,
        **address.one("list", LISTS),
    )
    name = chosen or LISTS[0]
    st.caption(t(f"call_list.means.{name}", **_terms(page)))
    first, second = st.columns([3, 2], vertical_alignment="bottom")
    sizes = page.source.ask(segments.sizes, page.as_of)
    names = address.offered("segments", segments.names(sizes))
    some = first.multiselect(
        t("column.segment"),
        names,
        format_func=lambda segment: t.named("segment", segment),
        placeholder=t("common.all"),
        **address.many("segments", names),
    )
    contacted = second.toggle(
        t("call_list.with_contacted"),
        **address.switch("contacted"),
    )
    return page.wanted(name, segments=tuple(some), contacted=contacted)


def _terms(page: Page) -> dict[str, str]:
    """What a contact costs and brings, for a sentence."""
    t, economics = page.t, page.economics()
    return {
        "cost": without_formulas(t.money(economics.contact_cost)),
        "success": t.percent(economics.success_rate, 0),
        "margin": t.percent(economics.margin, 0),
    }


def _nobody(page: Page, wanted: Wanted, summary: Summary) -> None:
    t = page.t
    marked = summary.contacted + summary.kept_back
    if summary.to_keep_back:
        left = t.number(summary.to_keep_back)
        page.nothing("call_list.only_control", customers=left, marked=t.number(marked))
    elif marked:
        page.nothing("call_list.all_contacted", customers=t.number(marked))
    elif summary.never_asked:
        page.nothing("call_list.never_asked", customers=t.number(summary.never_asked))
    elif not page.source.ask(call_list.is_known, page.as_of, wanted):
        page.nothing("call_list.nobody_known")
    elif wanted.segments:
        page.nothing("call_list.nobody_chosen")
    elif wanted.campaign == BY_PROFIT and not summary.refused:
        page.nothing("call_list.nobody_pays")
    else:
        page.nothing("call_list.nobody")


def _numbers(page: Page, wanted: Wanted, summary: Summary) -> None:
    t = page.t
    first, second, third = st.columns(3)
    first.metric(t("call_list.customers"), t.number(summary.customers), border=True)
    second.metric(
        t("column.value_at_stake"),
        t.short_money(summary.value_at_stake),
        help=t("call_list.value_at_stake_help"),
        border=True,
    )
    third.metric(
        t("column.expected_profit"),
        t.short_money(summary.expected_profit),
        help=f"{t('call_list.expected_profit_help', **_terms(page))} {page.success_rate_is()}",
        border=True,
    )
    left = [
        t(f"call_list.left_out.{name}", customers=t.number(getattr(summary, name)))
        for name in ("contacted", "kept_back", "never_asked", "refused")
        if getattr(summary, name) and not (wanted.contacted and name in ("contacted", "kept_back"))
    ]
    if left:
        st.caption(t("call_list.left_out.not_on_it", reasons="; ".join(left)))
    if summary.to_keep_back:
        st.caption(t("call_list.to_keep_back", customers=t.number(summary.to_keep_back)))


def _table(
    page: Page, wanted: Wanted, summary: Summary, rows: pd.DataFrame, known: call_list.Marks
) -> None:
    t, allowed = page.t, page.settings.dashboard_personal_data
    # Who is to be kept back is shown to nobody who might contact them.
    listed = _listed(rows)
    keys = tuple(listed["customer_key"])
    profiles = page.source.ask(call_list.profiles, keys)
    shown = _shown(listed, wanted, t)
    if len(profiles):
        shown = contact_columns.with_shown(shown, profiles, allowed=allowed)
    st.caption(t("call_list.select_hint"))
    with tables.tall("calls", len(shown)):
        chosen: Any = st.dataframe(
            tables.written(shown, t, _WORDS),
            hide_index=True,
            width="stretch",
            height="stretch",
            column_config=tables.headings(shown, t),
            key=f"table-calls-{_who(page, wanted, keys)}",
            on_select="rerun",
            selection_mode="multi-row",
        )
    selected = [keys[place] for place in chosen.selection.rows if place < len(keys)]

    of_these = _with_control(rows, selected)

    def everybody() -> pd.DataFrame:
        if selected:
            return of_these
        if len(rows) < call_list.MOST_SHOWN:
            return rows
        return page.source.ask(
            call_list.rows, page.as_of, wanted, known, limit=call_list.MOST_LISTED
        )

    if selected:
        to_contact = _to_contact(of_these)
        in_file, to_mark = len(to_contact), int(to_contact["contacted_at"].isna().sum())
    else:
        marked = summary.contacted if wanted.contacted else 0
        in_file = min(summary.customers + marked, call_list.MOST_LISTED)
        to_mark = min(summary.customers, call_list.MOST_LISTED)

    with st.container(horizontal=True, vertical_alignment="bottom"):
        contact = _kind_of_file(page, profiles, "call-contacts")
        tables.save_button(
            t("call_list.download", customers=t.number(in_file)),
            lambda: _file(page, wanted, _to_contact(everybody()), contact),
            file=f"call-list-{wanted.campaign}-{page.as_of}",
            key="download-call-list",
        )
        if to_mark:
            _mark(page, wanted, everybody, to_mark, contact)
        if len(selected) == 1 and st.button(t("call_list.open_customer"), icon=":material/person:"):
            page.open_customer(selected[0])
    if not allowed and len(profiles):
        st.caption(t("customer.masked"))
    page.about_actions(
        " ".join(
            [
                t("call_list.explained", **_terms(page)),
                page.success_rate_is(),
                t("call_list.no_proof"),
            ]
        )
    )


def _who(page: Page, wanted: Wanted, keys: tuple[str, ...]) -> str:
    """Whom the table shows, in few characters.

    Streamlit keeps ticks by place: with other rows they would be other customers' ticks.
    """
    shown = "\n".join((wanted.campaign, page.as_of.isoformat(), *keys))
    return sha256(shown.encode()).hexdigest()[:16]


def _shown(rows: pd.DataFrame, wanted: Wanted, t: Language) -> pd.DataFrame:
    """The columns that help to call, the reason in words."""
    value = campaign_list(wanted.campaign).priority
    columns = [value, "why", "next_best_action", "value_at_stake", "segment", "last_purchase_on"]
    if wanted.contacted:
        columns += ["contacted_at", "in_control"]
    columns.append("customer_key")
    said = rows.assign(why=[why(row, t) for row in rows.to_dict("records")])
    return said[list(dict.fromkeys(columns))]


def why(row: dict[Any, Any], t: Language) -> str:
    """Why to call: the customer's own rhythm where it is broken, else what the model says.

    Args:
        row: Of `customer360.dashboard.queries.call_list.rows`.
        t: The language.
    """
    silence, found = row["days_since_last_purchase"], rhythm(row)
    if found and silence > found.days:
        said = "call_list.why.overdue" if found.own else "call_list.why.expected"
        return t(said, gap=t.days(found.whole_days), silence=t.days(silence))
    if pd.notna(row["purchase_days"]) and row["purchase_days"] == 1:
        return t("call_list.why.once", when=t.ago(silence))
    reasons = reasons_in(row, "churn_")
    if reasons:
        said = t.reason(*reasons[0])
        return said[:1].upper() + said[1:]
    return t("call_list.why.silent", when=t.ago(silence))


def _kind_of_file(
    page: Page, profiles: pd.DataFrame, key: str, usual: Contacts | None = None
) -> Contacts:
    """What a file says of how to reach people: as chosen where there is a choice, else the best.

    Args:
        page: The page.
        profiles: Of its customers.
        key: Of the widget.
        usual: What is chosen at first, if there is that.
    """
    t = page.t
    kinds = contact_columns.kinds(profiles, allowed=page.settings.dashboard_personal_data)
    if len(kinds) == 1:
        return kinds[0]
    return st.selectbox(
        t("call_list.contacts"),
        kinds,
        index=kinds.index(usual) if usual in kinds else 0,
        format_func=lambda kind: t(f"call_list.contacts_are.{kind}"),
        key=key,
        width=260,
    )


def _listed(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` without whom marking keeps back."""
    return rows[~rows["to_keep_back"].astype(bool)]


def _with_control(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The ``rows`` of ``keys``, and with each who stands below it and is to be kept back.

    So whoever is marked, all of a list or some that were ticked, the group that is kept back is
    like them: neighbours in the list differ by nothing but the draw.

    Args:
        rows: Of the list, in its order.
        keys: Of some whom `_listed` leaves.
    """
    back = rows["to_keep_back"].astype(bool)
    waiting = rows["customer_key"].where(~back & rows["contacted_at"].isna())
    beside = waiting.ffill().bfill()
    return rows[rows["customer_key"].isin(keys) | (back & beside.isin(keys))]


def _to_contact(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` without whom marking keeps back, and without who was kept back."""
    kept_back = rows["to_keep_back"] | rows["in_control"].eq(True)
    return rows[~kept_back.astype(bool)]


def _file(page: Page, wanted: Wanted, rows: pd.DataFrame, contact: Contacts) -> bytes:
    """The list as CSV: how to reach its members first, figures in the warehouse's words."""
    t = page.t
    said = rows.assign(why=[why(row, t) for row in rows.to_dict("records")])
    said = said.drop(columns=[*_KEPT_FOR_WORDS, "in_control", "to_keep_back"])
    if not wanted.contacted:
        said = said.drop(columns="contacted_at")
    if contact is not Contacts.NONE:
        profiles = page.source.ask(call_list.profiles, tuple(rows["customer_key"]))
        said = contact_columns.with_exported(said, profiles, contact, page.settings.default_country)
    said.insert(0, "rank", range(1, len(said) + 1))
    return tables.as_csv(said, page.t)


def _mark(page: Page, wanted: Wanted, everybody: Any, count: int, contact: Contacts) -> None:
    """Note that these are contacted now, after a question: it cannot be taken back."""
    t, settings = page.t, page.settings
    with st.popover(t("call_list.mark", customers=t.number(count)), icon=":material/check:"):
        st.markdown(t("call_list.mark_explained", days=t.days(settings.contact_pause_days)))
        if settings.contact_control_share:
            share = t.percent(settings.contact_control_share, 0)
            days = t.days(settings.contact_control_days)
            st.markdown(t("call_list.control_explained", share=share, days=days))
        if st.button(t("call_list.mark_now"), type="primary", key="mark-now"):
            rows = everybody()
            done = contact_log.mark(
                page.source.reader.login,
                wanted.campaign,
                page.as_of,
                list(rows.loc[rows["contacted_at"].isna(), "customer_key"]),
                control_share=settings.contact_control_share,
                pause_days=settings.contact_pause_days,
                control_days=settings.contact_control_days,
            )
            st.session_state[_MARKED] = (done, rows, contact)
            st.rerun()


def _marked(page: Page, wanted: Wanted) -> None:
    """What the last marking did, with the file of those to contact."""
    if _MARKED not in st.session_state:
        return
    t = page.t
    done: Marked = st.session_state[_MARKED][0]
    rows: pd.DataFrame = st.session_state[_MARKED][1]
    chosen: Contacts = st.session_state[_MARKED][2]
    with st.container(border=True):
        st.success(
            t("call_list.marked", customers=t.number(len(done.contacted))),
            icon=":material/check_circle:",
        )
        if done.control:
            st.markdown(t("call_list.kept_back", customers=t.number(len(done.control))))
        if done.already:
            st.markdown(t("call_list.already", customers=t.number(done.already)))
        of_these = rows[rows["customer_key"].isin(done.contacted)]
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if len(of_these):
                profiles = page.source.ask(call_list.profiles, tuple(of_these["customer_key"]))
                contact = _kind_of_file(page, profiles, "marked-contacts", chosen)
                tables.save_button(
                    t("call_list.download_marked"),
                    lambda: _file(page, wanted, of_these, contact),
                    file=f"contact-now-{page.as_of}",
                    key="download-marked",
                )
            if st.button(t("call_list.done"), key="marked-done"):
                del st.session_state[_MARKED]
                st.rerun()
