"""Leaks that are planted are found, and clean data passes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from customer360.models.churn.features import design_matrix
from customer360.models.leakage import (
    LeakReport,
    auc_error,
    check_leaks,
    explained_entropy,
    separation_auc,
    suspects,
)
from customer360.models.notes import in_english
from customer360_tests.models.churn_rows import GRID, dated


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return dated(2_000)


def checked(rows: pd.DataFrame, features: pd.DataFrame) -> LeakReport:
    return check_leaks(
        features, rows["churned"], rows["as_of"] == GRID.training[0], rows["as_of"] == GRID.test
    )


def matrix(rows: pd.DataFrame) -> pd.DataFrame:
    return design_matrix(rows, {"last_channel": ("store", "web")})


def test_clean_data_passes(rows: pd.DataFrame) -> None:
    found = checked(rows, matrix(rows))
    assert found.passed
    assert found.suspects == ()
    assert found.notes() == ()
    assert found.rows == len(rows)
    assert found.metrics()["leak_suspects"] == 0
    assert found.same_day_auc == pytest.approx(found.later_day_auc, abs=0.05)


def test_a_planted_copy_of_the_label_is_named(rows: pd.DataFrame) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, len(rows))
    found = checked(rows, matrix(rows).assign(days_until_next_order=-rows["churned"] + noise))
    assert not found.passed
    assert [one.feature for one in found.suspects] == ["days_until_next_order"]
    assert found.suspects[0].auc > 0.999
    assert "days_until_next_order alone tells churned from kept" in in_english(found.notes())
    assert found.metrics()["leak_suspects"] == 1


def test_a_column_missing_for_one_class_is_named(rows: pd.DataFrame) -> None:
    """A date of leaving, say: the values mean nothing, that there is one means everything."""
    left = np.where(rows["churned"] == 1, np.random.default_rng(2).random(len(rows)), np.nan)
    found = suspects(matrix(rows).assign(left_on=left), rows["churned"])
    assert [one.feature for one in found] == ["left_on"]


def test_a_leak_without_an_order_is_named(rows: pd.DataFrame) -> None:
    """Churned in the middle, kept at both ends: no ranking sees it, mutual information does."""
    random = np.random.default_rng(3)
    ends = np.where(random.random(len(rows)) < 0.5, 0.0, 2.0)
    code = np.where(rows["churned"] == 1, 1.0, ends)
    found = suspects(matrix(rows).assign(code=code), rows["churned"])
    assert [one.feature for one in found] == ["code"]
    assert found[0].auc < 0.9
    assert found[0].information == pytest.approx(1)


def test_a_column_filled_in_afterwards_collapses(rows: pd.DataFrame) -> None:
    """Right for three in four on old days, empty on the newest: no suspect alone, but a collapse.

    The rest of the features is noise here, so the model lives on the column alone.
    """
    random = np.random.default_rng(4)
    right = random.random(len(rows)) < 0.85
    told = np.where(right, rows["churned"], 1 - rows["churned"]).astype(float)
    filled = np.where(rows["as_of"] == GRID.test, 0.0, told)
    features = pd.DataFrame({"closed": filled, "noise": random.random(len(rows))})
    found = checked(rows, features)
    assert found.suspects == ()
    assert found.collapsed
    assert not found.passed
    assert found.same_day_auc is not None
    assert found.later_day_auc is not None
    assert found.same_day_auc > 0.8 > 0.6 > found.later_day_auc
    assert "falls from" in in_english(found.notes())
    assert found.metrics()["leak_collapsed"] == 1


def test_too_few_rows_say_nothing() -> None:
    """Nineteen churned: a perfect separation may be chance."""
    y = np.array([1] * 19 + [0] * 40)
    features = pd.DataFrame({"copy": y.astype(float)})
    days = np.arange(len(y)) % 2 == 0
    found = check_leaks(features, y, days, ~days)
    assert found.passed
    assert found.same_day_auc is None
    assert found.metrics() == {"leak_suspects": 0.0, "leak_collapsed": 0.0}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=4, max_size=60))
def test_separation_is_the_auc_the_better_way_round(pairs: list[tuple[bool, int]]) -> None:
    y, x = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs], dtype=float)
    if y.all() or not y.any():
        return
    auc = roc_auc_score(y, x)
    assert separation_auc(y, x) == pytest.approx(max(auc, 1 - auc))


def test_explained_entropy_by_hand() -> None:
    assert explained_entropy([0, 0, 1, 1], [5, 5, 7, 7]) == pytest.approx(1)
    assert explained_entropy([0, 1, 0, 1], [5, 5, 7, 7]) == pytest.approx(0, abs=1e-12)
    # Knowing x, half the rows are certain and half a coin toss. H(3/4) = .811278 bits, of which
    # .811278 - .5 = .311278 are taken away.
    assert explained_entropy([1, 1, 0, 1], [5, 5, 7, 7]) == pytest.approx(0.311278 / 0.811278)
    assert explained_entropy([0, 0, 1, 1], [np.nan] * 4) == pytest.approx(0, abs=1e-12)


def test_auc_error_without_skill_is_that_of_mann_and_whitney() -> None:
    """At .5 it must be the exact (m + n + 1) / (12 m n) of U / (m n) under no difference."""
    assert auc_error(0.5, 51, 58) == pytest.approx(np.sqrt(110 / (12 * 51 * 58)))
    assert auc_error(1.0, 51, 58) == 0
