"""What a customer is worth, for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from customer360.models.explanation import Explanation
from customer360.models.lifetime_value.scoring import FIGURES


def explanation(scores: Mapping[str, Any]) -> Explanation:
    """The figures of a row of ``gold/lifetime_value``, each with its interval."""
    figures = [
        {
            "figure": name,
            "value": scores[name],
            "low": scores[f"{name}_low"],
            "high": scores[f"{name}_high"],
        }
        for name in FIGURES
        if f"{name}_low" in scores
    ]
    return Explanation(scores, "with 90 % intervals", figures)
