"""The naive rules, worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from customer360.models.baselines import (
    AliveBaseline,
    HiatusRule,
    NaiveRules,
    fit_hiatus_rule,
    past_average_purchases,
    smoothed_rate,
)
from customer360.models.lifetime_value.beta_geometric import BgNbd


def test_past_average_goes_on_at_the_customers_own_rate() -> None:
    """Two repeats in 100 days are 3.65 every 182.5 days; none stays none."""
    assert past_average_purchases([2, 0], [100, 100], 182.5) == pytest.approx([3.65, 0])


def test_past_average_of_a_newcomer_is_not_absurd() -> None:
    """One repeat on the second day counts as one in thirty days, not one a day."""
    assert past_average_purchases([1], [1], 365) == pytest.approx([365 / 30])


def test_naive_rules_by_hand() -> None:
    """73 days ahead, a fifth of a year: a regular, one silent for 101 days, one who took all back.

    Everybody buys 0.01 times a day and spends 30 on it; silence up to 100 days is no hiatus.
    """
    rows = pd.DataFrame(
        {
            "frequency": [4, 4, 0],
            "recency": [450, 399, 0],
            "T": [500, 500, 50],
            "purchase_days": [5, 5, 1],
            "net_revenue": [100.0, 50.0, -10.0],
            "purchase_days_365d": [3, 1, 1],
            "net_revenue_365d": [60.0, 5.0, -10.0],
        }
    )
    found = NaiveRules(73, 500, 0.01, 30.0, 100).expectations(rows)
    own = 4 / 500 * 73
    for name, (purchases, revenue) in {
        "past_average": ([own, own, 0], [own * 20, own * 10, 0]),
        "population_average": ([0.73] * 3, [21.9] * 3),
        "last_year": ([3 / 5, 1 / 5, 1 / 5], [12, 1, 0]),
        "hiatus_rule": ([own, 0, 0], [own * 20, 0, 0]),
    }.items():
        assert found[name][0] == pytest.approx(purchases), name
        assert found[name][1] == pytest.approx(revenue), name
    # A shop of 146 days has no last year: what it has is carried on, half of it in 73 days.
    young = NaiveRules(73, 146, 0.01, 30.0, float("inf")).expectations(rows)
    assert young["last_year"][0] == pytest.approx([1.5, 0.5, 0.5])
    assert young["hiatus_rule"][0] == pytest.approx([own, own, 0])


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


def test_one_minus_the_probability_alive() -> None:
    """BG/NBD on CDNOW, customer with x = 2, t_x = 30.43, T = 38.86 weeks: p(alive) = .72662.

    Recomputed from Fader, Hardie and Lee 2005; the rows are in days (213, 272).
    """
    rows = pd.DataFrame({"frequency": [2, 0], "recency": [213, 0], "T": [272, 272]})
    model = BgNbd(0.242595, 4.413602, 0.792922, 2.425907)
    assert AliveBaseline(model).scores(rows) == pytest.approx([1 - 0.72662, 0.0], abs=5e-6)
