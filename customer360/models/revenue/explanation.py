"""What a customer is expected to bring, and why, for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from customer360.language import Language
from customer360.models.explanation import Explanation, short
from customer360.models.reasons import reasons_in


def explanation(scores: Mapping[str, Any]) -> Explanation:
    """A row of ``gold/revenue_predictions``; its reasons, the strongest first."""
    headline = (
        f"{short(scores['expected_revenue'])} expected in the next {scores['horizon_days']} days, "
        f"a purchase with probability {scores['purchase_probability']:.1%} "
        f"(model v{scores['model_version']})"
    )
    english = Language("en")
    lines = [f"  {english.reason(*reason)}" for reason in reasons_in(scores)]
    return Explanation(scores, headline, lines=lines)
