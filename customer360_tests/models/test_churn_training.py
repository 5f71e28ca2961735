"""Churn from labelled rows on, without Spark: customers whose chance to churn is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from customer360.models.churn import ChurnTraining
from customer360.models.churn.training import train_on_rows
from customer360_tests.models.churn_rows import AS_OF, GRID, WINDOWS, dated


def trained_on(rows: pd.DataFrame) -> ChurnTraining:
    return train_on_rows(rows, GRID, WINDOWS, AS_OF, nthread=1)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return dated(2_500)


@pytest.fixture(scope="module")
def trained(rows: pd.DataFrame) -> ChurnTraining:
    return trained_on(rows)


def test_clean_rows_leave_no_note(trained: ChurnTraining) -> None:
    assert trained.status == "trained"
    assert trained.notes == ()
    assert trained.leaks.passed
    assert trained.metrics["leak_suspects"] == 0


def test_a_leak_is_in_the_notes_and_figures(rows: pd.DataFrame) -> None:
    """What is refunded is made to tell who churned."""
    noise = np.random.default_rng(0).random(len(rows))
    leaking = trained_on(rows.assign(refunded=rows["churned"] * 10 + noise))
    assert [one.feature for one in leaking.leaks.suspects] == ["refunded"]
    assert leaking.metrics["leak_suspects"] == 1
    assert any(note.startswith("leak suspected: refunded") for note in leaking.notes)
