"""Figures on examples small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.models.evaluation import (
    AmountSums,
    calibration_table,
    decile_table,
    lift_at,
    normalized_gini,
    order_metrics,
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


def test_deciles_are_ordered_by_what_was_expected() -> None:
    expected = np.arange(20, 0, -1.0)
    actual = np.where(expected > 18, 5.0, 0.0)
    table = decile_table(expected, actual)
    assert table["decile"].tolist() == list(range(1, 11))
    assert table["customers"].tolist() == [2] * 10
    assert table["expected"].tolist()[:2] == [19.5, 17.5]
    assert table["actual"].tolist() == [5.0] + [0.0] * 9
    assert table["captured"].tolist() == [1.0] * 10
    # All alike: one group, for no order of rows may count.
    assert decile_table(np.ones(30), np.arange(30))["customers"].tolist() == [30]


def test_normalized_gini_of_known_orders() -> None:
    actual = np.array([3.0, 1.0, 0.0])
    assert normalized_gini(actual, actual) == pytest.approx(1)
    assert normalized_gini(-actual, actual) == pytest.approx(-1)
    assert normalized_gini(np.ones(3), actual) == pytest.approx(0)
    # [1, 3, 0]: Lorenz 1/4, 1, 1 against 3/4, 1, 1 of the perfect order; chance is 2.
    assert normalized_gini(np.array([2, 3, 1]), actual) == pytest.approx(0.25 / 0.75)
    assert np.isnan(normalized_gini(actual, np.zeros(3)))


def test_order_metrics_of_a_perfect_and_of_no_order() -> None:
    amounts = np.arange(1.0, 101.0)
    perfect = order_metrics(amounts, amounts)
    assert perfect["spearman"] == pytest.approx(1)
    assert perfect["normalized_gini"] == pytest.approx(1)
    assert perfect["decile_mape"] == pytest.approx(0)
    assert perfect["top_decile_capture"] == pytest.approx(np.arange(91, 101).sum() / 5050)
    none = order_metrics(np.ones(100), amounts)
    assert none["top_decile_capture"] == pytest.approx(0.1)
    assert none["normalized_gini"] == pytest.approx(0)
    assert "spearman" not in none
    assert order_metrics(amounts, np.zeros(100)) == {}


def test_sums_of_rows_are_those_of_their_sums() -> None:
    expected, actual = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0])
    assert AmountSums.of_rows(expected, actual) == AmountSums(
        customers=3.0,
        expected=7.0,
        actual=6.0,
        absolute_error=3.0,
        squared_error=5.0,
        expected_squared=21.0,
        actual_squared=14.0,
        product=15.0,
    )
