"""A habit is the customer's own, and disagreeing figures are explained as they disagree."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from customer360.dashboard.rhythm import Rhythm, agreement, rhythm
from customer360.language import LANGUAGES, texts


def row(**more: Any) -> dict[str, Any]:
    return {
        "purchase_days": 3,
        "mean_days_between_purchases": 10.0,
        "expected_gap_days": 193.0,
        **more,
    }


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (row(), Rhythm(10, own=True)),
        (row(mean_days_between_purchases=None), Rhythm(193, own=False)),
        # Two purchases ten days apart are no habit.
        (row(purchase_days=2), Rhythm(193, own=False)),
        (row(purchase_days=2, expected_gap_days=None), None),
        (row(purchase_days=1), None),
        (row(purchase_days=float("nan")), None),
    ],
)
def test_a_habit_takes_two_gaps(given: dict[str, Any], found: Rhythm | None) -> None:
    assert rhythm(given) == found


def test_a_rhythm_is_of_whole_days() -> None:
    assert [Rhythm(days, own=True).whole_days for days in (0.2, 31.4)] == [1, 31]


@pytest.mark.parametrize(
    ("churn", "left", "overdue", "said"),
    [
        (0.49, 0.49, 0.89, "stays"),
        (0.5, 0.5, 0.9, "leaves"),
        (0.8, 0.1, 0.3, "soon"),
        (0.1, 0.6, 0.3, "left"),
        (0.8, 0.1, 0.95, "soon_overdue"),
        (None, 0.6, 0.95, None),
        (0.8, float("nan"), 0.95, None),
    ],
)
def test_three_figures_agree_or_not(
    churn: float | None, left: float, overdue: float, said: str | None
) -> None:
    given = {"churn_probability": churn, "has_left": left, "overdue": overdue}
    assert agreement(given) == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_way_to_disagree_has_a_sentence(language: str) -> None:
    names = {
        agreement({"churn_probability": churn, "has_left": left, "overdue": overdue})
        for churn, left, overdue in product((0.0, 1.0), repeat=3)
    }
    assert len(names) == 8
    assert {f"customer.agreement.{name}" for name in names} <= set(texts(language))
