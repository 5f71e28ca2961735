"""How often a customer buys, and whether what is known of their leaving agrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from customer360.gold.terms import RISK_FROM

OWN_GAPS = 2
"""Gaps between purchases from which their mean is a habit; one may be anything."""

OVERDUE_FROM = 0.9
"""Share of a customer's gaps that are shorter than the silence, from which they are overdue."""

MORE_LIKELY = 0.5
"""Probability from which no purchase in the horizon is more likely than one."""


@dataclass(frozen=True)
class Rhythm:
    """Days between two purchases of a customer.

    Attributes:
        days: So many.
        own: It is the mean of the customer's own gaps; else what their rate lets expect.
    """

    days: float
    own: bool

    @property
    def whole_days(self) -> int:
        """As people read it."""
        return max(1, round(self.days))


def rhythm(row: dict[Any, Any]) -> Rhythm | None:
    """Of who came back; None where nothing is known.

    Args:
        row: ``purchase_days``, ``mean_days_between_purchases`` and ``expected_gap_days`` of
            ``marts.customer_360``.
    """
    if pd.isna(row["purchase_days"]) or row["purchase_days"] < 2:
        return None
    if row["purchase_days"] > OWN_GAPS and pd.notna(row["mean_days_between_purchases"]):
        return Rhythm(float(row["mean_days_between_purchases"]), own=True)
    if pd.notna(row["expected_gap_days"]):
        return Rhythm(float(row["expected_gap_days"]), own=False)
    return None


def agreement(row: dict[Any, Any]) -> str | None:
    """How the three figures of leaving stand to each other, by the name of its sentence.

    They are no purchase in the horizon, has left, and overdue: a name has those that speak for
    leaving, as ``soon_left``. ``stays`` is none of them, ``leaves`` all three; None where one is
    not known.

    Args:
        row: ``churn_probability``, ``has_left`` and ``overdue`` of ``marts.customer_360``.
    """
    limits = {
        "soon": ("churn_probability", MORE_LIKELY),
        "left": ("has_left", RISK_FROM["high"]),
        "overdue": ("overdue", OVERDUE_FROM),
    }
    if any(pd.isna(row[column]) for column, _ in limits.values()):
        return None
    speak = [name for name, (column, least) in limits.items() if row[column] >= least]
    if len(speak) == len(limits):
        return "leaves"
    return "_".join(speak) or "stays"
