"""The naive rules, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from customer360.models.baselines import (
    HiatusRule,
    fit_hiatus_rule,
    past_average_purchases,
    smoothed_rate,
)


def test_past_average_goes_on_at_the_customers_own_rate() -> None:
    """Two repeats in 100 days are 3.65 every 182.5 days; none stays none."""
    assert past_average_purchases([2, 0], [100, 100], 182.5) == pytest.approx([3.65, 0])


def test_past_average_of_a_newcomer_is_not_absurd() -> None:
    """One repeat on the second day counts as one in thirty days, not one a day."""
    assert past_average_purchases([1], [1], 365) == pytest.approx([365 / 30])


def test_hiatus_threshold_separates_best() -> None:
    """Up to 20 days nobody left, beyond everybody did."""
    rule = fit_hiatus_rule([5, 10, 20, 30, 40], [0, 0, 0, 1, 1])
    assert rule.threshold_days == 20
    assert rule.flags([20, 21]).tolist() == [False, True]
    # One churned and one kept customer are added to each side: 1 of 5, and 3 of 4.
    assert rule.probabilities([1, 99]) == pytest.approx([1 / 5, 3 / 4])


def test_hiatus_threshold_does_not_depend_on_how_many_churn() -> None:
    days = np.array([5, 10, 20, 30, 40, 15])
    left = np.array([0, 0, 0, 1, 1, 1])
    many = np.concatenate([days, np.tile(days[left == 1], 50)])
    labels = np.concatenate([left, np.ones(150, dtype=int)])
    alone = fit_hiatus_rule(days, left).threshold_days
    assert fit_hiatus_rule(many, labels).threshold_days == alone


def test_smoothed_rate_is_never_certain() -> None:
    assert smoothed_rate([]) == 0.5
    assert smoothed_rate([1, 1, 1]) == pytest.approx(0.8)
    assert HiatusRule(10, 0.2, 0.7).probabilities([10, 11]).tolist() == [0.2, 0.7]
