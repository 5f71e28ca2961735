"""The plots of the exploration page, each from one bounded frame."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter

from customer360.models.plot_style import BASELINE, MODEL, OTHER, new_figure, png, thousands


def order_values(histogram: pd.DataFrame, currency: str) -> bytes:
    """Histogram of what an order was sold for."""
    figure, axes = new_figure(
        "What is an order worth?", "Sales by amount, before refunds; up to the 99th percentile"
    )
    widths = histogram["to"] - histogram["from"]
    axes.bar(histogram["from"], histogram["orders"], widths, align="edge", color=MODEL)
    axes.set_xlabel(f"Amount of the order ({currency})")
    axes.set_ylabel("Orders")
    axes.yaxis.set_major_formatter(thousands)
    axes.grid(axis="x", visible=False)
    return png(figure)


def purchases(table: pd.DataFrame) -> bytes:
    """Customers by how many days they have bought on."""
    figure, axes = new_figure(
        "How often do customers buy?", "Customers by days with a purchase; the last bar is or more"
    )
    axes.bar(table["purchases"], table["customers"], color=MODEL)
    axes.set_xlabel("Purchase days")
    axes.set_ylabel("Customers")
    axes.yaxis.set_major_formatter(thousands)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="x", visible=False)
    return png(figure)


def gaps(table: pd.DataFrame) -> bytes:
    """How many of all gaps between purchases are over after so many days."""
    figure, axes = new_figure(
        "How long do customers wait?", "Share of the gaps between purchases that end within so long"
    )
    share = table["times"].cumsum() / table["times"].sum()
    axes.plot(table["gap_days"], share, color=MODEL, linewidth=1.8, drawstyle="steps-post")
    for part in (0.5, 0.9):
        day = int(table["gap_days"][share >= part].iloc[0])
        axes.axvline(day, color=BASELINE, linestyle="--", linewidth=1)
        axes.annotate(f" {part:.0%} within {day} days", (day, part), color=BASELINE, va="top")
    axes.set_ylim(0, 1)
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("Days between two purchase days of a customer")
    axes.set_ylabel("Share of gaps")
    return png(figure)


def missing(table: pd.DataFrame) -> bytes:
    """Columns with missing values, by share."""
    some = table[table["share"] > 0].sort_values("share")
    figure, axes = new_figure(
        "What is not known?",
        "Share of rows without a value; columns that are always filled are left out",
        (7.5, 0.26 * len(some) + 1.6),
    )
    axes.barh(some["table"] + "." + some["column"], some["share"], color=MODEL)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("Share of rows")
    axes.grid(axis="y", visible=False)
    return png(figure)


def correlations(table: pd.DataFrame) -> bytes:
    """Heat map of rank correlations; purple and orange are told apart by the colour-blind."""
    figure, axes = new_figure(
        "Which features say the same?",
        "Spearman's rank correlation between features of the customers",
        (8.5, 7.5),
    )
    picture = axes.imshow(table.to_numpy(), cmap="PuOr", vmin=-1, vmax=1)
    places = np.arange(len(table))
    axes.set_xticks(places, list(table.columns), rotation=90, fontsize=8)
    axes.set_yticks(places, list(table.columns), fontsize=8)
    axes.grid(visible=False)
    figure.colorbar(picture, ax=axes, shrink=0.7, label="Rank correlation")
    return png(figure)


def lorenz(curve: pd.DataFrame, gini: float, top: Mapping[float, float]) -> bytes:
    """Lorenz curve of net revenue over customers."""
    figure, axes = new_figure(
        "How concentrated is revenue?",
        f"Lorenz curve; Gini {gini:.2f}, the top 20 % bring {top[0.20]:.0%} of net revenue",
        (5.6, 5.2),
    )
    axes.plot([0, 1], [0, 1], color=OTHER, linestyle="--", linewidth=1, label="All bring the same")
    axes.plot(curve["customers"], curve["revenue"], color=MODEL, linewidth=1.8, label="Customers")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("Share of customers, the smallest first")
    axes.set_ylabel("Share of net revenue")
    axes.legend(loc="upper left")
    return png(figure)


def repeat_rates(table: pd.DataFrame, title: str, days: int) -> bytes:
    """Repeat rates with their intervals, the largest group on top."""
    rows = table.iloc[::-1]
    figure, axes = new_figure(
        title,
        f"Customers who bought again within {days} days, with 90 % Wilson intervals",
        (7.5, 0.3 * len(rows) + 1.6),
    )
    names = [f"{row.value} (n = {row.customers:,})" for row in rows.itertuples()]
    # Rounding can leave an end on the wrong side of the rate by a hair.
    gaps_to_ends = np.array([rows["rate"] - rows["low"], rows["high"] - rows["rate"]]).clip(min=0)
    axes.errorbar(
        rows["rate"].to_numpy(),
        names,
        xerr=gaps_to_ends,
        fmt="o",
        color=MODEL,
        ecolor=OTHER,
        capsize=3,
    )
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("Repeat rate")
    return png(figure)


def cohorts(table: pd.DataFrame) -> bytes:
    """New customers by month of their first purchase."""
    figure, axes = new_figure(
        "How many customers are won?", "Customers by month of their first purchase"
    )
    places = np.arange(len(table))
    axes.bar(places, table["customers"], color=MODEL)
    step = max(len(table) // 12, 1)
    months = [f"{month:%Y-%m}" for month in table["month"]]
    axes.set_xticks(places[::step], months[::step], rotation=45, ha="right")
    axes.set_xlabel("Month")
    axes.set_ylabel("New customers")
    axes.yaxis.set_major_formatter(thousands)
    axes.grid(axis="x", visible=False)
    return png(figure)
