"""The exploration as one HTML page with its plots inside, and its main figures for Dagster."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from customer360.exploration import charts
from customer360.exploration.aggregates import CORRELATION_ROWS, Exploration
from customer360.report import Section, page

_REPEAT_TITLES = {
    "category": "Who comes back, by first category?",
    "channel": "Who comes back, by first channel?",
    "state": "Who comes back, by state?",
}


def charts_of(exploration: Exploration, currency: str) -> dict[str, bytes]:
    """The plots that the data has something for, as PNG by name."""
    made: dict[str, bytes] = {}
    if len(exploration.order_values):
        made["order_values"] = charts.order_values(exploration.order_values, currency)
    if len(exploration.purchases):
        made["purchases"] = charts.purchases(exploration.purchases)
    if len(exploration.gaps):
        made["gaps"] = charts.gaps(exploration.gaps)
    if exploration.top_shares:
        made["lorenz"] = charts.lorenz(exploration.lorenz, exploration.gini, exploration.top_shares)
    for split, title in _REPEAT_TITLES.items():
        rows = exploration.repeat_rates[exploration.repeat_rates["split"] == split]
        if len(rows):
            made[f"repeat_by_{split}"] = charts.repeat_rates(rows, title, exploration.repeat_days)
    if len(exploration.cohorts):
        made["cohorts"] = charts.cohorts(exploration.cohorts)
    if len(exploration.correlations):
        made["correlations"] = charts.correlations(exploration.correlations)
    if (exploration.missing["share"] > 0).any():
        made["missing"] = charts.missing(exploration.missing)
    return made


def main_figures(exploration: Exploration) -> dict[str, str]:
    """The figures that a reader wants first, by name."""
    figures = dict(exploration.period)
    for share, revenue in exploration.top_shares.items():
        figures[f"Revenue of the top {share:.0%} of customers"] = f"{revenue:.1%}"
    if exploration.top_shares:
        figures["Gini coefficient of revenue"] = f"{exploration.gini:.3f}"
    return figures


def html_page(exploration: Exploration, pictures: Mapping[str, bytes], name: str) -> str:
    """One page that needs no other file.

    Args:
        exploration: The figures.
        pictures: Plots by name, as `charts_of` makes them.
        name: What was explored: the sources.
    """
    figures = pd.DataFrame(main_figures(exploration).items(), columns=["figure", "value"])
    missing = exploration.missing.sort_values("share", ascending=False)
    return page(
        f"Exploration of {name}, up to {exploration.as_of}",
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
            _repeat_rates(exploration),
            Section(
                "Missing values",
                tables={
                    "": pd.DataFrame(
                        {
                            "column": missing["table"] + "." + missing["column"],
                            "rows without a value": missing["share"].map("{:.1%}".format),
                        }
                    )
                },
            ),
        ],
    )


def _repeat_rates(exploration: Exploration) -> Section:
    rates, days = exploration.repeat_rates, exploration.repeat_days
    notes = [
        f"Of the customers whose first purchase was at least {days} days before "
        f"{exploration.as_of}, those who bought again within {days} days. Intervals are "
        "Wilson's, 90 %. The largest groups are shown."
    ]
    absent = [split for split in _REPEAT_TITLES if split not in set(rates["split"])]
    if absent:
        notes.append(f"Not known in this data: {', '.join(absent)}.")
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
    return Section("Repeat rates", notes, {"": shown} if len(rates) else {})
