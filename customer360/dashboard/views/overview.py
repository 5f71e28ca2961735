"""The business at a glance, and the year to come."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

import pandas as pd
import streamlit as st

from customer360 import plotting
from customer360.dashboard import address, charts, headlines, outlook, periods, tables
from customer360.dashboard.connection import NotMadeError
from customer360.dashboard.markdown import without_formulas
from customer360.dashboard.page import Page
from customer360.dashboard.periods import Grain, Span
from customer360.dashboard.queries import overview

ICON, PLACE = "monitoring", 10
PERIODS: dict[str, int | None] = {"30": 30, "90": 90, "365": 365, "all": None, "own": None}
"""Periods by name and their days; ``own`` is two dates."""

MONTHS_BEFORE = 12
"""Months that were, beside those to come."""


def render(page: Page) -> None:
    """Sentences, periods compared, figures of a period, over time, forecast, concentration."""
    t = page.t
    page.heading("overview")
    first_day = page.source.ask(overview.first_day)
    if first_day is None:
        raise NotMadeError("there is no business date yet")
    days = page.source.ask(overview.days, page.as_of)
    coming = outlook.by_month(page.source.ask(overview.forecast, page.as_of))
    foreseen = outlook.compared(
        page.source.ask(overview.earlier_forecasts, page.as_of), days, page.as_of
    )
    _headlines(page, days, coming, foreseen)
    _comparisons(page, days, first_day)
    span = _period(page, first_day)
    grain = _grain(span)
    months = page.source.ask(overview.customers_by_month, page.as_of, span.first, span.last)
    rows = periods.by_grain(days, span, grain)
    _metric_cards(page, first_day, span, _sparklines(rows, months, grain))
    _revenue(page, rows, grain)
    if months.empty:
        page.nothing("overview.no_customers")
    else:
        page.chart(
            charts.stacked_over_time(
                months.assign(link=[page.customers_link(cohort=day) for day in months["month"]]),
                "month",
                {
                    "new_customers": t("overview.new"),
                    "returning_customers": t("overview.returning"),
                },
                x=t("axis.month"),
                y=t("axis.customers"),
                partial="is_partial",
                opens="new_customers",
                short=t.short_forms,
            ),
            "overview.customers",
        )
        tables.download(months, "customers-by-month", t)
    _forecast(page, days, coming, foreseen)
    _concentration(page)


def _headlines(
    page: Page, days: pd.DataFrame, coming: pd.DataFrame, foreseen: pd.DataFrame
) -> None:
    """What the figures say, in sentences, and what their words mean."""
    t = page.t
    said = headlines.headlines(
        days,
        page.as_of,
        page.source.ask(overview.regulars, page.as_of),
        outlook.expected_next(coming, days) if len(coming) else None,
        outlook.past_error(foreseen),
        lately_days=overview.LATELY_DAYS,
    )
    with st.container(border=True, key="headlines"):
        for sentences in said:
            st.markdown(f"- {without_formulas(headlines.worded(sentences, t))}")
    meanings = [
        t(
            "overview.regular_means",
            purchases=overview.REGULAR_PURCHASE_DAYS,
            gaps=overview.QUIET_GAPS,
            days=overview.QUIET_DAYS,
        )
    ]
    active = page.source.ask(overview.active, page.as_of)
    if active is not None:
        window, customers = active
        meanings.append(t("overview.active_means", customers=customers, days=window))
    st.caption(" ".join(meanings))


def _comparisons(page: Page, days: pd.DataFrame, first_day: date) -> None:
    """This month, quarter and year beside those before, and which days these are."""
    t = page.t
    st.markdown(f"## {t('overview.compare.title')}")
    found = periods.comparisons(page.as_of, first_day)
    rows = []
    for column, each in zip(st.columns(len(found)), found, strict=True):
        now = periods.totals(days, each.now)
        name = headlines.capitalised(headlines.period_name(each.kind, each.begin, t))
        label = name if each.whole else t("overview.compare.so_far", period=name)
        lines = [t("overview.compare.days", days=_days(page, each.now))]
        if each.now.first > each.begin:
            lines.append(t("overview.compare.data_begin", day=each.now.first.isoformat()))
        rows.append(_row(label, each.now, now))
        for earlier in (each.before, each.year_before):
            if earlier is None:
                continue
            then = periods.totals(days, earlier)
            rows.append(_row(_named_days(page, each, earlier), earlier, then))
            changed = periods.change(now["net_revenue"], then["net_revenue"])
            lines.append(
                t(
                    "overview.compare.against" if changed is not None else "overview.compare.was",
                    change="" if changed is None else headlines.changed(changed, t),
                    revenue=t.short_money(then["net_revenue"]),
                    days=_days(page, earlier),
                )
            )
        if each.before is None:
            lines.append(t("overview.compare.nothing_before"))
        with column.container(border=True, height="stretch"):
            st.metric(label, t.short_money(now["net_revenue"]))
            st.caption("  \n".join(without_formulas(line) for line in lines))
    with st.expander(t("overview.compare.table")):
        tables.show(pd.DataFrame(rows), "periods", t)


def _row(period: str, span: Span, sums: dict[str, float]) -> dict[str, object]:
    return {
        "period": period,
        "from_day": span.first,
        "to_day": span.last,
        "net_revenue": sums["net_revenue"],
        "refunded": sums["refunded"],
        "refund_rate": sums["refund_rate"],
        "orders": int(sums["orders"]),
        "new_customers": int(sums["new_customers"]),
    }


def _named_days(page: Page, compared: periods.Comparison, span: Span) -> str:
    name = headlines.capitalised(headlines.period_name(compared.kind, span.first, page.t))
    return name if compared.whole else page.t("overview.compare.same_days", period=name)


def _days(page: Page, span: Span) -> str:
    return page.t("overview.range", first=page.t.day(span.first), last=page.t.day(span.last))


def _period(page: Page, first_day: date) -> Span:
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
            return Span(*chosen)
        return Span(least, page.as_of)
    days = PERIODS[name or "365"]
    first = first_day if days is None else page.as_of - timedelta(days=days - 1)
    return Span(max(first, first_day), page.as_of)


def _grain(span: Span) -> Grain:
    return "day" if span.days <= 45 else "week" if span.days <= 200 else "month"


def _metric_cards(
    page: Page, first_day: date, span: Span, lines: Mapping[str, Sequence[float]]
) -> None:
    t = page.t
    now = page.source.ask(overview.figures, page.as_of, span.first, span.last)
    before_first = span.first - timedelta(days=span.days)
    before = (
        page.source.ask(overview.figures, page.as_of, before_first, span.first - timedelta(days=1))
        if before_first >= first_day
        else None
    )
    spread = page.source.ask(overview.concentration, page.as_of, "net_revenue_365d")
    compared = t("overview.compared", first=t.day(before_first), days=span.days) if before else None
    shown: dict[str, Callable[[float], str]] = {
        "net_revenue": t.short_money,
        "refunded": t.short_money,
        "refund_rate": t.percent,
        "orders": t.number,
        "average_order_value": t.money,
        "buyers": t.number,
        "new_customers": t.number,
        "returning_customers": t.number,
    }
    st.caption(t("overview.range", first=t.day(span.first), last=t.day(span.last)))
    columns = [column for _ in range(3) for column in st.columns(3)]
    for column, (name, write) in zip(columns, shown.items(), strict=False):
        column.metric(
            t(f"overview.{name}"),
            write(now[name]),
            _change(page, name, now[name], before[name]) if before else None,
            delta_color="inverse" if name in ("refund_rate", "refunded") else "normal",
            help=" ".join(filter(None, [t(f"overview.{name}_help"), compared])),
            border=True,
            height="stretch",
            chart_data=lines.get(name),
        )
    columns[-1].metric(
        t("overview.concentration_card"),
        t.percent(overview.share_of_top(spread, 10), 0),
        help=t("overview.concentration_help"),
        border=True,
        height="stretch",
    )


def _sparklines(
    rows: pd.DataFrame, months: pd.DataFrame, grain: Grain
) -> dict[str, Sequence[float]]:
    """Figures of the cards in each whole day, week or month of the period, where there are two.

    Customers who bought in a week are no sum of its days: without months there is no line of them.
    """
    whole = rows[~rows["is_partial"]]
    sold, orders = whole["gross_revenue"].where(whole["gross_revenue"] > 0), whole["orders"]
    known = {
        "net_revenue": whole["net_revenue"],
        "refunded": whole["refunded"],
        "refund_rate": whole["refunded"] / sold,
        "orders": orders,
        "average_order_value": sold / orders.where(orders > 0),
        "new_customers": whole["new_customers"],
    }
    if grain == "month":
        over = months[~months["is_partial"].astype(bool)]
        known["returning_customers"] = over["returning_customers"]
        known["buyers"] = over["new_customers"] + over["returning_customers"]
    lines = {name: [float(value) for value in line.dropna()] for name, line in known.items()}
    return {name: line for name, line in lines.items() if len(line) > 1}


def _change(page: Page, name: str, now: float, before: float) -> str | None:
    if math.isnan(now) or math.isnan(before):
        return None
    if name == "refund_rate":
        points = round((now - before) * 100, 1)
        sign = "+" if points > 0 else ""
        return f"{sign}{page.t.number(points, 1)} {page.t('overview.points')}"
    changed = periods.change(now, before)
    return None if changed is None else page.t.change(changed)


def _revenue(page: Page, rows: pd.DataFrame, grain: Grain) -> None:
    t = page.t
    page.chart(
        plotting.bars_over_time(
            rows,
            "period",
            "net_revenue",
            x=t(f"axis.{grain}"),
            y=t("axis.net_revenue", currency=t.currency),
            months=grain == "month",
            partial="is_partial",
            short=t.short_forms,
        ),
        "overview.revenue",
        grain=t(f"overview.by_{grain}"),
    )
    tables.download(rows, "revenue", t)


def _forecast(page: Page, days: pd.DataFrame, coming: pd.DataFrame, foreseen: pd.DataFrame) -> None:
    t = page.t
    if coming.empty:
        page.nothing("overview.no_forecast")
        return
    this_month = Span(page.as_of.replace(day=1), page.as_of)
    begin = this_month.months_earlier(MONTHS_BEFORE).first
    span = Span(max(begin, days["business_date"].min()), page.as_of)
    came = periods.by_grain(outlook.known_revenue(days), span, "month").rename(
        columns={"period": "month"}
    )
    parts = ("past", "today", "new", "band", "earlier")
    page.chart(
        charts.forecast(
            came,
            coming,
            foreseen,
            [t(f"overview.forecast_{part}") for part in parts],
            x=t("axis.month"),
            y=t("axis.net_revenue", currency=t.currency),
            short=t.short_forms,
        ),
        "overview.forecast",
        first=t.day(coming["first_day"].min()),
        last=t.day(coming["last_day"].max()),
        total=without_formulas(
            t.short_money(coming["revenue"].sum() + coming["new_revenue"].sum())
        ),
        today=without_formulas(t.short_money(coming["revenue"].sum())),
        new=without_formulas(t.short_money(coming["new_revenue"].sum())),
    )
    st.caption(without_formulas(" ".join(_past_errors(page, foreseen))))
    with st.container(horizontal=True):
        tables.download(coming, "forecast", t)
        if len(foreseen):
            tables.download(foreseen, "forecast-error", t)


def _past_errors(page: Page, foreseen: pd.DataFrame) -> list[str]:
    """How far forecasts were off: those of earlier dates, and what the training held back."""
    t, said = page.t, []
    error = outlook.past_error(foreseen)
    if error is None:
        said.append(t("overview.error.none"))
    else:
        said.append(t("overview.error.months", months=error.months, error=error.mean))
        if round(error.bias * 100):
            code = "high" if error.bias > 0 else "low"
            said.append(t(f"overview.error.{code}", bias=abs(error.bias)))
    held_back = page.source.ask(overview.held_back, page.as_of)
    if held_back is not None:
        expected, came = held_back
        said.append(
            t(
                "overview.error.held_back",
                expected=t.short_money(expected),
                came=t.short_money(came),
                error=abs(expected / came - 1),
            )
        )
    return said


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
