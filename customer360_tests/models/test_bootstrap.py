"""Bootstrap intervals: the figures are evaluation's, the widths are the known ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.models.bootstrap import (
    Interval,
    ScoreGroups,
    bootstrap_intervals,
    interval_metrics,
)
from customer360.models.evaluation import lift_at, probability_metrics, ranking_metrics
from customer360.models.leakage import auc_error


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.beta(1.5, 2, count)
    return (random.random(count) < truth).astype(int), truth


@given(
    st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.35, 0.5, 0.9])), min_size=5)
)
def test_from_counts_come_the_same_figures_as_from_rows(pairs: list[tuple[int, float]]) -> None:
    y, p = (np.array(column) for column in zip(*pairs, strict=True))
    if y.min() == y.max():
        return
    groups = ScoreGroups.of(y, p)
    found = {
        name: value[0]
        for name, value in groups.figures(groups.kept[None, :], groups.churned[None, :]).items()
    }
    by_rows = {**ranking_metrics(y, p), **probability_metrics(y, p)}
    for name in ("roc_auc", "pr_auc", "brier", "calibration_error"):
        assert found[name] == pytest.approx(by_rows[name]), name
    for share in (0.05, 0.1, 0.2):
        assert found[f"lift_{share * 100:.0f}"] == pytest.approx(lift_at(y, p, share))


def test_many_distinct_scores_are_grouped_with_little_loss() -> None:
    y, p = drawn(30_000, seed=0)
    found = bootstrap_intervals(y, p, resamples=2)
    by_rows = {**ranking_metrics(y, p), **probability_metrics(y, p)}
    assert len(ScoreGroups.of(y, p).score) <= 2_000
    for name in ("roc_auc", "pr_auc", "brier", "calibration_error"):
        assert found[name].value == pytest.approx(by_rows[name], abs=1e-3), name


def test_the_width_of_an_auc_interval_is_that_of_its_standard_error() -> None:
    """90 % of a normal distribution lie within 1.645 standard errors, here Hanley and McNeil's."""
    y, p = drawn(2_000, seed=1)
    found = bootstrap_intervals(y, p)["roc_auc"]
    error = auc_error(found.value, int(y.sum()), int((1 - y).sum()))
    assert found.low < found.value < found.high
    assert (found.high - found.low) / 2 == pytest.approx(1.645 * error, rel=0.2)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """The truth is the figure of half a million customers; 90 % of 200 intervals are 180 +- 13."""
    reference = {
        name: interval.value
        for name, interval in bootstrap_intervals(*drawn(500_000, seed=2), resamples=2).items()
    }
    covered = dict.fromkeys(("roc_auc", "pr_auc", "lift_10", "brier"), 0)
    for seed in range(200):
        found = bootstrap_intervals(*drawn(1_000, seed=100 + seed), seed=seed)
        for name in covered:
            covered[name] += found[name].low <= reference[name] <= found[name].high
    assert all(165 <= count <= 195 for count in covered.values()), covered


def test_the_interval_narrows_with_the_root_of_the_customers() -> None:
    few, many = (bootstrap_intervals(*drawn(count, seed=3)) for count in (1_000, 100_000))
    for name in ("roc_auc", "pr_auc", "lift_20", "brier"):
        width = [found[name].high - found[name].low for found in (few, many)]
        assert width[0] / width[1] == pytest.approx(10, rel=0.35), name


def test_the_same_seed_gives_the_same_interval() -> None:
    y, p = drawn(500, seed=4)
    assert bootstrap_intervals(y, p, seed=1) == bootstrap_intervals(y, p, seed=1)
    assert bootstrap_intervals(y, p, seed=1) != bootstrap_intervals(y, p, seed=2)


def test_one_class_has_no_figures() -> None:
    assert bootstrap_intervals([], []) == {}
    assert bootstrap_intervals([1, 1], [0.2, 0.4]) == {}


def test_bounds_have_the_figures_names() -> None:
    found = interval_metrics({"roc_auc": Interval(0.7, 0.65, 0.75)})
    assert found == {"roc_auc_low": 0.65, "roc_auc_high": 0.75}
