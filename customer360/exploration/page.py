"""The exploration as one HTML page with its plots inside, and its main figures for Dagster."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from customer360.exploration import charts
from customer360.exploration.aggregates import CORRELATION_ROWS, Exploration
from customer360.plotting import AnyChart, png
from customer360.report import Section, page

_REPEAT_TITLES = {
    "category": "Who comes back, by first category?",
    "channel": "Who comes back, by first channel?",
    "state": "Who comes back, by state?",
}


def charts_of(found: Exploration, currency: str) -> dict[str, bytes]:
    """The plots that the data has something for, as PNG by name."""
    made: dict[str, AnyChart] = {}
    if len(found.order_values):
        made["order_values"] = charts.order_values(found.order_values, currency)
    if len(found.purchases):
        made["purchases"] = charts.purchases(found.purchases)
    if len(found.gaps):
        made["gaps"] = charts.gaps(found.gaps)
    if found.top_shares:
        made["lorenz"] = charts.lorenz(found.lorenz, found.gini, found.top_shares)
    for split, title in _REPEAT_TITLES.items():
        rows = found.repeat_rates[found.repeat_rates["split"] == split]
        if len(rows):
            made[f"repeat_by_{split}"] = charts.repeat_rates(rows, title, found.repeat_days)
    if len(found.cohorts):
        made["cohorts"] = charts.cohorts(found.cohorts)
    if len(found.correlations):
        made["correlations"] = charts.correlations(found.correlations)
    if (found.missing["share"] > 0).any():
        made["missing"] = charts.missing(found.missing)
    return {name: png(chart) for name, chart in made.items()}


def main_figures(found: Exploration) -> dict[str, str]:
    """The figures that a reader wants first, by name."""
    figures = dict(found.period)
    for share, revenue in found.top_shares.items():
        figures[f"Revenue of the top {share:.0%} of customers"] = f"{revenue:.1%}"
    if found.top_shares:
        figures["Gini coefficient of revenue"] = f"{found.gini:.3f}"
    return figures


def html_page(found: Exploration, pictures: Mapping[str, bytes], name: str) -> str:
    """One page that needs no other file.

    Args:
        found: The figures.
        pictures: Plots by name, as `charts_of` makes them.
        name: What was explored: the sources.
    """
    figures = pd.DataFrame(main_figures(found).items(), columns=["figure", "value"])
    return page(
        f"Exploration of {name}, up to {found.as_of}",
        [
            Section("The period", tables={"": figures}),
            Section(
                "Pictures",
                [
                    f"Correlations are Spearman's, on {CORRELATION_ROWS:,} customers at most. "
                    "Customers whom refunds left below zero count as zero in the concentration of "
                    "revenue."
                ],
                pictures=pictures,
            ),
            _repeat_rates(found),
            Section(
                "Missing values",
                tables={
                    "": pd.DataFrame(
                        {
                            "column": found.missing["table"] + "." + found.missing["column"],
                            "rows without a value": found.missing["share"].map("{:.1%}".format),
                        }
                    ).loc[found.missing["share"].sort_values(ascending=False).index]
                },
            ),
        ],
    )


def _repeat_rates(found: Exploration) -> Section:
    rates = found.repeat_rates
    said = [
        f"Of the customers whose first purchase was at least {found.repeat_days} days before "
        f"{found.as_of}, those who bought again within {found.repeat_days} days. Intervals are "
        "Wilson's, 90 %. The largest groups are shown."
    ]
    absent = [split for split in _REPEAT_TITLES if split not in set(rates["split"])]
    if absent:
        said.append(f"Not known in this data: {', '.join(absent)}.")
    shown = pd.DataFrame(
        {
            "by": rates["split"],
            "value": rates["value"],
            "customers": rates["customers"].map("{:,}".format),
            "repeat rate": rates["rate"].map("{:.1%}".format),
            "90 % interval": [
                f"{low:.1%} to {high:.1%}"
                for low, high in zip(rates["low"], rates["high"], strict=True)
            ],
        }
    )
    return Section("Repeat rates", said, {"": shown} if len(rates) else {})
