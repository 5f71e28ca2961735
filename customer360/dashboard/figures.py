"""A model's figures beside those of others, as people read them in their language."""

from __future__ import annotations

from typing import Any

import pandas as pd

from customer360.dashboard.language import Language
from customer360.models.comparison import MODEL

PARTS = ("purchases", "revenue", "new_customers")
"""What a figure may be of, by the beginning of its name."""


def readable(table: pd.DataFrame, t: Language) -> pd.DataFrame:
    """The table of `customer360.models.comparison.comparison` as text.

    Returns:
        The figures, the model, its interval in one column, then the others; the best of each row
        has a star.
    """
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    others = [
        name
        for name in map(str, table.columns)
        if name not in ("figure", MODEL, "low", "high", "best")
    ]
    return pd.DataFrame(
        {
            t("models.figure"): [named(row["figure"], t) for row in rows],
            t("models.which"): [_value(row, MODEL, t) for row in rows],
            t("models.interval"): [_interval(row, t) for row in rows],
            **{t.named("rival", name): [_value(row, name, t) for row in rows] for name in others},
        }
    )


def named(figure: str, t: Language) -> str:
    """What a figure is called: ``purchases_mae`` is ``mae`` of the purchases."""
    for part in PARTS:
        if figure.startswith(f"{part}_"):
            return t(f"figure_of.{part}", figure=named(figure.removeprefix(f"{part}_"), t))
    return t.named("figure", figure)


def _value(row: dict[str, Any], name: str, t: Language) -> str:
    if pd.isna(row[name]):
        return ""
    return t.significant(row[name]) + ("*" if row["best"] == name else "")


def _interval(row: dict[str, Any], t: Language) -> str:
    if pd.isna(row["low"]):
        return ""
    return t("models.from_to", low=t.significant(row["low"]), high=t.significant(row["high"]))
