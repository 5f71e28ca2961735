"""What a customer is expected to bring, and why, for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from customer360.models.churn.reasons import REASONS
from customer360.models.explanation import Explanation, short


def explanation(scores: Mapping[str, Any]) -> Explanation:
    """A row of ``gold/revenue_predictions``; its reasons, the strongest first."""
    headline = (
        f"{short(scores['expected_revenue'])} expected in the next {scores['horizon_days']} days, "
        f"a purchase with probability {scores['purchase_probability']:.1%} "
        f"(model v{scores['model_version']})"
    )
    reasons = [scores[name] for name in REASONS if scores.get(name)]
    return Explanation(scores, headline, lines=[f"  {reason}" for reason in reasons])
