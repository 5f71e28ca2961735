"""The logistic regression of churn as plain numbers."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from customer360.models.churn.line import Line, Term, fit_line


def test_logistic_regression_finds_a_straight_line() -> None:
    """Logit = 1.5 log(1 + x) - 2, with a column of noise; missing x churn at one half."""
    random = np.random.default_rng(0)

    def drawn(count: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        x = np.where(random.random(count) < 0.2, np.nan, random.gamma(2, 2, count))
        chance = np.where(np.isnan(x), 0.5, 1 / (1 + np.exp(2 - 1.5 * np.log1p(x))))
        frame = pd.DataFrame({"x": x, "noise": random.normal(size=count), "never": np.nan})
        return frame, (random.random(count) < chance).astype(int), chance

    learn, y, _ = drawn(20_000)
    judged, _, chance = drawn(2_000)
    line = fit_line(learn, y)
    assert np.abs(line.probabilities(judged) - chance).max() < 0.04


def test_terms_by_hand() -> None:
    """Log-odds: -1 on average, 2 a unit of log(1 + x) above its mean of 1, 3 for a missing y."""
    line = Line(-1.0, (Term("x", 0.0, 1.0, 2.0), Term("y", 5.0, 5.0, 0.5, 0.25, 3.0)))
    e = np.e
    rows = pd.DataFrame({"x": [e - 1, 0.0, 1 - e], "y": [np.expm1(5.0), np.nan, np.expm1(7.0)]})
    assert line.contributions(rows) == pytest.approx(
        np.array([[0.0, -0.75], [-2.0, 2.25], [-4.0, 0.25]])
    )
    assert line.log_odds(rows) == pytest.approx([-1.75, -0.75, -4.75])
    # A column that it was not fitted to says nothing.
    further = rows.assign(z=9.0)
    assert line.log_odds(further) == pytest.approx(line.log_odds(rows))


def test_contributions_are_against_the_average_row() -> None:
    random = np.random.default_rng(3)
    rows = pd.DataFrame(
        {"x": random.gamma(2, 2, 500), "y": np.where(random.random(500) < 0.3, np.nan, 1.0)}
    )
    line = fit_line(rows, random.random(500) < 0.4)
    assert line.contributions(rows).mean(axis=0) == pytest.approx([0, 0], abs=1e-12)


def test_json_keeps_the_line_exactly() -> None:
    rows = pd.DataFrame({"x": [1.0, 2.0, np.nan, 4.0], "never": np.nan})
    line = fit_line(rows, [0, 1, 1, 0])
    assert Line.from_dict(json.loads(json.dumps(asdict(line)))) == line
    assert Line.from_dict(None) is None
