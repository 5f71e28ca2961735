"""Figures on examples small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.models.evaluation import (
    AmountSums,
    calibration_table,
    lift_at,
    prefixed,
    probability_metrics,
    ranking_metrics,
    rule_metrics,
)


def test_lift_of_a_perfect_and_a_useless_ranking() -> None:
    churned = [1, 1] + [0] * 18
    assert lift_at(churned, range(20, 0, -1), 0.1) == pytest.approx(10)
    assert lift_at(churned, range(20), 0.1) == 0
    assert lift_at(churned, [7] * 20, 0.1) == pytest.approx(1)


def test_lift_does_not_depend_on_the_order_of_ties() -> None:
    """Two of the four riskiest are contacted; one in four of them churned: lift (1/4) / (1/20)."""
    scores = [9] * 4 + [1] * 16
    for place in range(4):
        churned = [0] * 20
        churned[place] = 1
        assert lift_at(churned, scores, 0.1) == pytest.approx(5)


def test_ranking_metrics_by_hand() -> None:
    """Pairs (churned, kept) in the right order: 3 of 4."""
    found = ranking_metrics([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    assert found["roc_auc"] == pytest.approx(0.75)
    assert found["pr_auc"] == pytest.approx((1 + 2 / 3) / 2)


def test_one_class_has_no_ranking() -> None:
    assert ranking_metrics([1, 1], [0.2, 0.3]) == {}
    assert ranking_metrics([], []) == {}


def test_probability_metrics_by_hand() -> None:
    found = probability_metrics([1, 0], [0.8, 0.4])
    assert found["brier"] == pytest.approx((0.04 + 0.16) / 2)
    assert found["log_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    assert np.isfinite(probability_metrics([1], [0.0])["log_loss"])
    assert probability_metrics([], []) == {}


def test_calibration_table_groups_by_risk_and_keeps_ties_together() -> None:
    table = calibration_table([0, 0, 1, 0, 1, 1], [0.1, 0.1, 0.1, 0.6, 0.9, 0.9], groups=3)
    assert table["customers"].tolist() == [3, 1, 2]
    assert table["predicted"].tolist() == pytest.approx([0.1, 0.6, 0.9])
    assert table["observed"].tolist() == pytest.approx([1 / 3, 0, 1])
    assert table["group"].tolist() == [1, 2, 3]


def test_rule_metrics_by_hand() -> None:
    found = rule_metrics([1, 1, 1, 0], [1, 0, 0, 1])
    assert found == pytest.approx({"precision": 1 / 2, "recall": 1 / 3, "f1": 0.4})
    assert rule_metrics([0, 0], [0, 0]) == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50).map(float)), min_size=2, max_size=50)
)
def test_sums_give_the_same_figures_as_rows(pairs: list[tuple[float, float]]) -> None:
    expected, actual = (np.array(column) for column in zip(*pairs, strict=True))
    error = expected - actual
    found = AmountSums(
        customers=len(pairs),
        expected=expected.sum(),
        actual=actual.sum(),
        absolute_error=np.abs(error).sum(),
        squared_error=(error**2).sum(),
        expected_squared=(expected**2).sum(),
        actual_squared=(actual**2).sum(),
        product=(expected * actual).sum(),
    ).metrics()
    assert found["mae"] == pytest.approx(np.abs(error).mean())
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert found["bias"] == pytest.approx(error.mean(), abs=1e-9)
    if "correlation" in found and expected.std() > 0.1 and actual.std() > 0.1:
        assert found["correlation"] == pytest.approx(np.corrcoef(expected, actual)[0, 1], abs=1e-6)


def test_a_constant_forecast_has_no_correlation() -> None:
    assert "correlation" not in AmountSums(3, 0.3, 6, 5.7, 20, 0.03, 14, 0.6).metrics()


def test_prefixed_leaves_out_what_is_not_a_number() -> None:
    assert prefixed("test", {"a": 1.0, "b": float("nan")}) == {"test_a": 1.0}
