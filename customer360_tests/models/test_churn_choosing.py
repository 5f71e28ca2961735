"""Who tells of churn is chosen by what the customers do, and simply where that is enough."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from customer360.models.baselines import fit_hiatus_rule, smoothed_rate
from customer360.models.churn.choosing import KINDS, Choice, choose
from customer360.models.churn.fitting import fit_xgboost
from customer360.models.churn.model import ChurnModel
from customer360.models.sampling import DatedRows, halves
from customer360_tests.models.churn_rows import GRID, WINDOWS, churn_probability, dated

EMPTY = ChurnModel("none", WINDOWS.horizon_days, WINDOWS.activity_days)
SILENT_DAYS = 60


def chosen(rows: pd.DataFrame) -> Choice:
    dates = DatedRows.of(rows, GRID)
    fit = fit_xgboost(dates.learn, dates.validate, parameters={"max_depth": 2}, nthread=1)
    return choose(dates, fit, EMPTY)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return dated(1_500)


def with_chances(rows: pd.DataFrame, chances: np.ndarray) -> pd.DataFrame:
    drawn = np.random.default_rng(2).random(len(rows))
    return rows.assign(churned=(drawn < chances).astype(int))


def test_who_leaves_by_many_signs_is_told_by_line_and_trees(rows: pd.DataFrame) -> None:
    found = chosen(with_chances(rows, churn_probability(rows)))
    assert found.kind == "blend"
    assert set(found.models) == set(KINDS)
    assert found.metrics()["validation_blend_brier"] < found.metrics()["validation_base_rate_brier"]


def test_who_leaves_by_chance_gets_the_base_rate(rows: pd.DataFrame) -> None:
    found = chosen(with_chances(rows, np.full(len(rows), 0.6)))
    assert found.kind == "base_rate"
    assert np.unique(found.model.probabilities(rows)).tolist() == [found.model.base_rate]


def test_who_leaves_by_silence_alone_gets_the_hiatus_rule(rows: pd.DataFrame) -> None:
    silent = (rows["days_since_last_purchase"] > SILENT_DAYS).to_numpy()
    found = chosen(with_chances(rows, np.where(silent, 0.8, 0.2)))
    assert found.kind == "hiatus_rule"
    assert found.model.hiatus is not None
    assert abs(found.model.hiatus.threshold_days - SILENT_DAYS) < 5


def test_each_has_learnt_from_all_teaching_rows(rows: pd.DataFrame) -> None:
    teaching = rows[rows["as_of"] != GRID.test]
    model = chosen(rows).models["blend"]
    assert model.base_rate == smoothed_rate(teaching["churned"])
    assert model.hiatus == fit_hiatus_rule(
        teaching["days_since_last_purchase"], teaching["churned"]
    )
    assert model.line is not None
    assert model.booster


def test_halves_are_every_other_row_and_the_rest() -> None:
    first, second = halves(pd.DataFrame({"x": range(5)}))
    assert first.tolist() == [True, False, True, False, True]
    assert (first ^ second).all()
