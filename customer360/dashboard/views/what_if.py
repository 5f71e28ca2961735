"""Try the revenue model: what would it expect of a new customer?"""

from __future__ import annotations

import math
from pathlib import Path

import streamlit as st

from customer360.dashboard.first_order import Answer, FirstOrder, answer, known_values, load
from customer360.dashboard.markdown import plain, without_formulas
from customer360.dashboard.page import Page
from customer360.dashboard.queries import models
from customer360.models.revenue.model import RevenueModel, RevenueModelError
from customer360.models.revenue.rules import RULES
from customer360.models.sealed import SECRET

ICON, PLACE = "science", 80
REVENUE = "revenue"
"""The model that is tried, as the registry calls it."""
ABOUT = 0.1
"""An answer that differs from the average by no more of itself is about the average."""


def render(page: Page) -> None:
    """A form for a first order, and the model's answer with its explanation."""
    t = page.t
    page.heading("what_if")
    try:
        model = _model(page)
    except RevenueModelError as error:
        st.warning(t("what_if.unreadable", problem=str(error)), icon=":material/model_training:")
        return
    if model is None:
        version = page.source.ask(models.champion, REVENUE)
        if version is None:
            page.nothing("what_if.no_model")
        else:
            page.nothing("what_if.elsewhere", version=version)
        return
    if model.kind == "none":
        page.nothing("what_if.untrained")
        return
    _say_kind(page, model)
    order = _form(page, model)
    if order is not None:
        _answer(page, model, order)


def _model(page: Page) -> RevenueModel | None:
    pickle = page.settings.revenue_pickle
    if not pickle.exists():
        return None
    return _loaded(str(pickle), pickle.stat().st_mtime_ns, page.settings.known_secret(SECRET))


@st.cache_resource(show_spinner=False, max_entries=4)
def _loaded(pickle: str, modified: int, _secret: bytes | None) -> RevenueModel | None:
    return load(Path(pickle), _secret)


def _say_kind(page: Page, model: RevenueModel) -> None:
    """Say so where the model looks at nothing, or at little, of what the form asks."""
    t = page.t
    if not model.looks:
        page.nothing("what_if.only_mean", mean=without_formulas(t.money(model.mean_revenue, 2)))
    elif model.kind in RULES:
        page.nothing("what_if.only_rule", rule=t.named("rival", model.kind))


def _form(page: Page, model: RevenueModel) -> FirstOrder | None:
    t = page.t
    values = known_values(model)

    def choose(place: st.delta_generator.DeltaGenerator, name: str) -> str | None:
        known = values[name]
        if not known:
            return None
        return place.selectbox(
            t(f"what_if.{name}"),
            known,
            index=None,
            format_func=lambda value: t.named(name.removeprefix("first_"), value),
            placeholder=t("what_if.unknown"),
            key=f"try-{name}",
        )

    with st.form("first-order"):
        first, second, third = st.columns(3)
        amount = first.number_input(
            t("what_if.amount", currency=t.currency), 0.0, 1e7, 80.0, step=5.0, key="try-amount"
        )
        items = second.number_input(
            t("what_if.items"), 1, 1000, None, placeholder=t("what_if.unknown"), key="try-items"
        )
        days_ago = third.number_input(t("what_if.days_ago"), 0, 3650, 7, key="try-days")
        category = choose(first, "first_category")
        channel = choose(second, "first_channel")
        payment = choose(third, "first_payment_type")
        with st.expander(t("what_if.more")):
            left, middle, right = st.columns(3)
            freight = left.number_input(
                t("what_if.freight", currency=t.currency),
                0.0,
                None,
                None,
                placeholder=t("what_if.unknown"),
                key="try-freight",
            )
            installments = middle.number_input(
                t("what_if.installments"),
                1,
                99,
                None,
                placeholder=t("what_if.unknown"),
                key="try-installments",
            )
            delivery_days = right.number_input(
                t("what_if.delivery_days"),
                0,
                None,
                None,
                placeholder=t("what_if.not_delivered"),
                key="try-delivery",
            )
            review = left.selectbox(
                t("what_if.review"),
                (1, 2, 3, 4, 5),
                index=None,
                placeholder=t("what_if.unknown"),
                key="try-review",
            )
            state = choose(middle, "state")
            country = choose(right, "country")
        asked = st.form_submit_button(t("what_if.ask"), type="primary")
    if not asked:
        return None
    if freight is not None and freight > amount:
        st.warning(t("what_if.freight_too_large"), icon=":material/warning:")
        return None
    return FirstOrder(
        amount=amount,
        days_ago=days_ago,
        items=items,
        freight=freight,
        installments=installments,
        delivery_days=delivery_days,
        review_score=review,
        category=category,
        channel=channel,
        payment_type=payment,
        state=state,
        country=country,
    )


def _answer(page: Page, model: RevenueModel, order: FirstOrder) -> None:
    t = page.t
    prediction = answer(model, order)
    first, second, third = st.columns(3)
    first.metric(
        t("what_if.expected", days=prediction.horizon_days),
        t.money(prediction.expected_revenue, 2),
        border=True,
    )
    second.metric(
        t("what_if.probability"),
        t.percent(prediction.purchase_probability, 0),
        help=None if model.purchase is not None else t("what_if.base_rate"),
        border=True,
    )
    third.metric(
        t("what_if.average"),
        t.money(prediction.average_revenue, 2),
        help=t("what_if.average_help"),
        border=True,
    )
    explained = ["what_if.most_buy_nothing" if _rarely(prediction) else "what_if.expectation"]
    if model.purchase is None:
        explained.append("what_if.base_rate")
    if model.looks:
        st.markdown(f"## {t('what_if.why')}")
        if prediction.reasons:
            why = (plain(t.reason(*reason)) for reason in prediction.reasons)
            st.markdown("\n".join(f"{n}. {text}" for n, text in enumerate(why, 1)))
            explained.append("what_if.reasons_compare")
        else:
            near = math.isclose(
                prediction.expected_revenue, prediction.average_revenue, rel_tol=ABOUT
            )
            st.markdown(t("what_if.no_reasons" if near else "what_if.no_reasons_given"))
    st.caption(" ".join(t(key, days=prediction.horizon_days) for key in explained))


def _rarely(prediction: Answer) -> bool:
    """Whether most customers of this kind buy nothing in the time that is predicted."""
    return prediction.purchase_probability < 0.5
