"""The exploration as one HTML page with its plots inside, and its main figures for Dagster."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from customer360.exploration import charts
from customer360.exploration.aggregates import CORRELATION_ROWS, Exploration

_REPEAT_TITLES = {
    "category": "Who comes back, by first category?",
    "channel": "Who comes back, by first channel?",
    "state": "Who comes back, by state?",
}


def charts_of(found: Exploration, currency: str) -> dict[str, bytes]:
    """The plots that the data has something for, as PNG by name."""
    made: dict[str, bytes] = {}
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
    return made


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
    environment = Environment(
        loader=PackageLoader("customer360", "exploration"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        name=name,
        found=found,
        figures=main_figures(found),
        correlation_rows=CORRELATION_ROWS,
        pictures={key: base64.b64encode(png).decode() for key, png in pictures.items()},
        absent=[split for split in _REPEAT_TITLES if split not in set(found.repeat_rates["split"])],
        repeat_rates=found.repeat_rates.to_dict("records"),
        missing=found.missing.sort_values("share", ascending=False).to_dict("records"),
    )
