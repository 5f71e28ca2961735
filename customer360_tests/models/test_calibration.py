"""Calibration: distorted scores become probabilities again, and nobody changes places."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from customer360.models.calibration import (
    ISOTONIC_FROM,
    Calibrator,
    fit_calibrator,
    fit_isotonic,
    fit_platt,
)
from customer360.models.evaluation import probability_metrics


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and the probabilities they were drawn with."""
    random = np.random.default_rng(seed)
    truth = random.beta(1.2, 2.5, count)
    return (random.random(count) < truth).astype(int), truth


def too_sure(truth: np.ndarray) -> np.ndarray:
    """Logits twice as large and moved: a curve that Platt's can undo exactly."""
    logit = np.log(truth / (1 - truth))
    return 1 / (1 + np.exp(-(2 * logit - 1)))


def test_the_smaller_class_chooses_the_kind() -> None:
    few = np.array([1] * (ISOTONIC_FROM - 1) + [0] * 3_000)
    enough = np.append(few, 1)
    scores = np.linspace(0.9, 0.1, len(enough))
    assert fit_calibrator(few, scores[:-1]).kind == "platt"
    assert fit_calibrator(enough, scores).kind == "isotonic"
    assert fit_calibrator(np.zeros(9), np.linspace(0, 1, 9)) == Calibrator()


@pytest.mark.parametrize("fit", [fit_platt, fit_isotonic])
def test_miscalibrated_scores_become_calibrated(fit) -> None:
    y, truth = drawn(40_000)
    calibrator = fit(y, too_sure(truth))
    unseen, unseen_truth = drawn(40_000, seed=1)
    scores = too_sure(unseen_truth)
    before, after = (probability_metrics(unseen, p) for p in (scores, calibrator.apply(scores)))
    assert before["calibration_error"] > 0.1
    assert after["calibration_error"] < 0.01
    assert after["brier"] < before["brier"]
    assert np.abs(calibrator.apply(scores) - unseen_truth).mean() < 0.012


def test_platt_finds_the_curve_that_was_bent() -> None:
    """Scores are sigmoid(2 l - 1), so l = 0.5 score's logit + 0.5."""
    y, truth = drawn(200_000)
    found = fit_platt(y, too_sure(truth))
    assert found.slope == pytest.approx(0.5, abs=0.01)
    assert found.intercept == pytest.approx(0.5, abs=0.02)


def test_isotonic_by_hand() -> None:
    """Blocks {.1, .2} with mean 0, {.4, .6} pooled with mean 1/2, {.8, .9} with mean 1.

    Knots at the blocks' centres .15, .5, .85; six rows, so 0 and 1 become 1/8 and 7/8.
    """
    found = fit_isotonic([0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.4, 0.6, 0.8, 0.9])
    assert found.scores == pytest.approx((0, 0.15, 0.5, 0.85, 1))
    assert found.probabilities == pytest.approx((1 / 8, 1 / 8, 1 / 2, 7 / 8, 7 / 8))
    assert found.apply([0.325])[0] == pytest.approx((1 / 8 + 1 / 2) / 2)


def test_equal_scores_are_one_point() -> None:
    found = fit_isotonic([0, 1, 1, 1, 0, 1], [0.3, 0.3, 0.3, 0.3, 0.2, 0.4])
    assert found.scores == pytest.approx((0, 0.2, 0.3, 0.4, 1))
    assert found.probabilities == pytest.approx((1 / 8, 1 / 8, 3 / 4, 7 / 8, 7 / 8))


def test_scores_that_rank_backwards_are_left_alone() -> None:
    y = np.array([1] * 50 + [0] * 50)
    scores = np.linspace(0.1, 0.9, 100)
    assert fit_platt(y, scores).kind == "none"
    assert fit_isotonic(y, scores).kind == "none"
    assert Calibrator().apply(scores).tolist() == scores.tolist()


def test_perfect_separation_stays_finite() -> None:
    y = np.array([0] * 30 + [1] * 30)
    scores = np.linspace(0.01, 0.99, 60)
    for fit in (fit_platt, fit_isotonic):
        found = fit(y, scores).apply([0.0, 0.5, 1.0])
        assert (found > 0).all()
        assert (found < 1).all()


rows = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=10, max_size=80)


@given(rows, st.lists(st.floats(0, 1), min_size=2, max_size=20))
@example([(0, 0.0)] * 9 + [(1, 2.2250738585e-313)], [0.0, 2.2250738585e-313])
def test_the_curve_never_falls_and_stays_between_0_and_1(
    pairs: list[tuple[int, float]], asked: list[float]
) -> None:
    y, scores = (np.array(column) for column in zip(*pairs, strict=True))
    for fit in (fit_platt, fit_isotonic):
        if y.all() or not y.any():
            continue
        found = fit(y, scores).apply(sorted(asked))
        assert (np.diff(found) >= -1e-12).all()
        assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("fit", [fit_platt, fit_isotonic])
def test_json_keeps_it_exactly(fit) -> None:
    y, truth = drawn(3_000)
    found = fit(y, too_sure(truth))
    assert Calibrator.from_dict(json.loads(json.dumps(asdict(found)))) == found
    assert Calibrator.from_dict(None) == Calibrator()


def test_isotonic_changes_no_places_within_its_knots() -> None:
    y, truth = drawn(20_000)
    scores = too_sure(truth)
    found = fit_isotonic(y, scores)
    inside = np.sort(scores[(scores > found.scores[1]) & (scores < found.scores[-2])])
    assert (np.diff(found.apply(inside)) > 0).all()
