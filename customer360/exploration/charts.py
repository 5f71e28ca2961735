"""The plots of the exploration page, each from one bounded frame."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from customer360 import plotting
from customer360.plotting import BASELINE, MODEL, OTHER, AnyChart, Series, diagonal, figure, strokes


def order_values(histogram: pd.DataFrame, currency: str) -> AnyChart:
    """Histogram of what an order was sold for."""
    return figure(
        plotting.histogram(histogram, "orders", x=f"Amount of the order ({currency})", y="Orders"),
        "What is an order worth?",
        "Sales by amount, before refunds; up to the 99th percentile",
    )


def purchases(table: pd.DataFrame) -> AnyChart:
    """Customers by how many days they have bought on."""
    edges = table.assign(**{"from": table["purchases"] - 0.5, "to": table["purchases"] + 0.5})
    return figure(
        plotting.histogram(edges, "customers", x="Purchase days", y="Customers", whole=True),
        "How often do customers buy?",
        "Customers by days with a purchase; the last bar is or more",
    )


def gaps(table: pd.DataFrame) -> AnyChart:
    """How many of all gaps between purchases are over after so many days."""
    share = table["times"].cumsum() / table["times"].sum()
    curve = (
        alt.Chart(table.assign(share=share))
        .mark_line(color=MODEL, strokeWidth=1.8, interpolate="step-after")
        .encode(
            alt.X(
                "gap_days:Q",
                title="Days between two purchase days of a customer",
                scale=alt.Scale(domainMin=0),
            ),
            alt.Y(**plotting.share_axis("share", "Share of gaps")),
        )
    )
    days = {part: int(table["gap_days"][share >= part].iloc[0]) for part in (0.5, 0.9)}
    marks = alt.Chart(
        pd.DataFrame(
            {
                "gap_days": days.values(),
                "share": days.keys(),
                "words": [f"{part:.0%} within {day} days" for part, day in days.items()],
            }
        )
    ).encode(alt.X("gap_days:Q"))
    rules = marks.mark_rule(color=BASELINE, strokeDash=[5, 4])
    words = marks.mark_text(color=BASELINE, align="left", baseline="top", dx=5, dy=3).encode(
        alt.Y("share:Q"), alt.Text("words:N")
    )
    return figure(
        alt.layer(curve, rules, words),
        "How long do customers wait?",
        "Share of the gaps between purchases that end within so long",
    )


def missing(table: pd.DataFrame) -> AnyChart:
    """Columns with missing values, by share."""
    some = table[table["share"] > 0].sort_values("share", ascending=False)
    some = some.assign(name=some["table"] + "." + some["column"])
    bars = plotting.ranked_bars(some, "name", "share", x="Share of rows", number_format="%")
    return figure(
        bars.encode(alt.X(**plotting.share_axis("share", "Share of rows"))),
        "What is not known?",
        "Share of rows without a value; columns that are always filled are left out",
        (600, 21 * len(some) + 130),
    )


def correlations(table: pd.DataFrame) -> AnyChart:
    """Heat map of rank correlations; purple and orange are told apart by the colour-blind."""
    names = list(table.columns)
    long = table.rename_axis("down").reset_index().melt(["down"], names, "across", "correlation")
    cells = (
        alt.Chart(long)
        .mark_rect()
        .encode(
            alt.X("across:N", title=None, sort=names, axis=alt.Axis(labelAngle=-90)),
            alt.Y("down:N", title=None, sort=names),
            alt.Color(
                "correlation:Q",
                scale=alt.Scale(scheme="purpleorange", domain=[-1, 1], reverse=True),
                legend=alt.Legend(orient="right", title="Rank correlation"),
            ),
        )
    )
    return figure(
        cells,
        "Which features say the same?",
        "Spearman's rank correlation between features of the customers",
        (680, 600),
    )


def lorenz(curve: pd.DataFrame, gini: float, top: Mapping[float, float]) -> AnyChart:
    """Lorenz curve of net revenue over customers."""
    equal, customers = (
        Series("All bring the same", OTHER, dashed=True),
        Series("Customers", MODEL),
    )
    line = (
        alt.Chart(curve.assign(series=customers.name))
        .mark_line()
        .encode(
            alt.X(**plotting.share_axis("customers", "Share of customers, the smallest first")),
            alt.Y(**plotting.share_axis("revenue", "Share of net revenue")),
            *strokes([equal, customers]),
        )
    )
    return figure(
        alt.layer(diagonal(1.0, "customers", "revenue", equal, [equal, customers]), line),
        "How concentrated is revenue?",
        f"Lorenz curve; Gini {gini:.2f}, the top 20 % bring {top[0.20]:.0%} of net revenue",
        (450, 420),
    )


def repeat_rates(table: pd.DataFrame, title: str, days: int) -> AnyChart:
    """Repeat rates with their intervals, the largest group on top."""
    names = [f"{row.value} (n = {row.customers:,})" for row in table.itertuples()]
    base = alt.Chart(table.assign(name=names)).encode(alt.Y("name:N", title=None, sort=None))
    intervals = base.mark_errorbar(ticks=True, color=OTHER).encode(
        alt.X("low:Q", title="Repeat rate", axis=alt.Axis(format="%")), alt.X2("high:Q")
    )
    rates = base.mark_circle(color=MODEL, size=60, opacity=1).encode(alt.X("rate:Q"))
    return figure(
        alt.layer(intervals, rates),
        title,
        f"Customers who bought again within {days} days, with 90 % Wilson intervals",
        (600, 24 * len(table) + 130),
    )


def cohorts(table: pd.DataFrame) -> AnyChart:
    """New customers by month of their first purchase."""
    return figure(
        plotting.bars_over_time(
            table, "month", "customers", x="Month", y="New customers", months=True
        ),
        "How many customers are won?",
        "Customers by month of their first purchase",
    )
