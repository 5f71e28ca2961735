"""Churn from labelled rows on, without Spark: customers whose chance to churn is known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from customer360.models.baselines import AliveBaseline
from customer360.models.campaign import Campaign
from customer360.models.churn.features import design_matrix
from customer360.models.churn.fitting import matrix
from customer360.models.churn.model import ChurnModel, blended
from customer360.models.churn.training import (
    ChurnOptions,
    ChurnTraining,
    fitted_alive,
    train_on_rows,
)
from customer360.models.evaluation import probability_metrics
from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.notes import in_english
from customer360.models.profit import profit_curve
from customer360.models.sampling import DatedRows
from customer360_tests.models.churn_rows import (
    AS_OF,
    GRID,
    WINDOWS,
    churn_probability,
    dated,
    labelled,
)

CAMPAIGN = Campaign(contact_cost=3.0, success_rate=0.1, margin=0.3)


def trained_on(rows: pd.DataFrame) -> ChurnTraining:
    alive = AliveBaseline(BgNbd(0.243, 4.414, 0.793, 2.426))
    return train_on_rows(
        DatedRows.of(rows, GRID),
        WINDOWS,
        AS_OF,
        ChurnOptions(campaign=CAMPAIGN, nthread=1),
        alive=alive,
    )


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return dated(3_200)


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
    assert "leak suspected: refunded" in in_english(leaking.notes)


def test_the_probabilities_are_calibrated_and_come_back_from_json(
    rows: pd.DataFrame, trained: ChurnTraining
) -> None:
    """Some 1,100 of the validation rows are kept: enough for isotonic."""
    model = trained.model
    assert model.calibrator.kind == trained.parameters["calibration"] == "isotonic"
    again = ChurnModel.from_json(model.to_json(), model.booster)
    assert again == model
    found = again.probabilities(rows)
    assert found.tolist() == model.probabilities(rows).tolist()
    seen = design_matrix(rows, model.categories)
    by_trees = model.calibrator.apply(model.load_booster().predict(xgb.DMatrix(seen)))
    assert model.kind == "blend"
    assert model.line is not None
    assert found == pytest.approx(blended([by_trees, model.line.probabilities(seen)]))
    assert trained.metrics["test_calibration_error"] < 0.04
    assert np.abs(found - churn_probability(rows)).mean() < 0.05


def test_the_probabilities_mean_what_they_say_for_customers_never_seen(
    trained: ChurnTraining,
) -> None:
    """Taught by 3,200 customers a date; `test_known_truth` does it with many more."""
    fresh = labelled(50_000, seed=77)
    figures = probability_metrics(fresh["churned"], trained.model.probabilities(fresh))
    assert figures["calibration_error"] < 0.02


def test_a_model_stored_before_there_was_calibration_still_loads() -> None:
    text = ChurnModel("base_rate", 28, 56, 0.4).to_json()
    older = {name: value for name, value in json.loads(text).items() if name != "calibrator"}
    assert ChurnModel.from_json(json.dumps(older)) == ChurnModel("base_rate", 28, 56, 0.4)


def test_figures_have_intervals_and_keep_their_names(trained: ChurnTraining) -> None:
    found = trained.metrics
    names = ("roc_auc", "pr_auc", "lift_5", "lift_10", "lift_20", "brier", "calibration_error")
    for name in names:
        assert found[f"test_{name}_low"] <= found[f"test_{name}"] <= found[f"test_{name}_high"]
        assert found[f"test_{name}_low"] < found[f"test_{name}_high"]
    assert found["test_lift_5"] >= found["test_lift_20"] > 1


def test_trees_that_grow_elsewhere_are_the_ones_that_are_judged(rows: pd.DataFrame) -> None:
    """One stump, grown by a stand-in for Spark: it is among the candidates, and says little."""
    asked = []

    def stump(settings, categories):
        asked.append(settings)
        one = matrix(rows, categories)
        return xgb.train({"max_depth": 1, "objective": "binary:logistic"}, one, 1), 1, 0.6

    found = train_on_rows(
        DatedRows.of(rows, GRID), WINDOWS, AS_OF, ChurnOptions(nthread=1), grow=stump
    )
    assert len(asked) == 1
    worse = found.metrics["candidate_xgboost_brier"]
    assert worse > found.metrics["baseline_logistic_regression_brier"] + 0.01
    assert (found.metrics["trees"], found.metrics["validation_log_loss"]) == (1, 0.6)
    assert found.parameters["trainer"] == "spark"


def test_trees_that_grow_here_say_so(trained: ChurnTraining) -> None:
    assert trained.parameters["trainer"] == "local"


def test_all_baselines_are_judged_on_the_same_rows(trained: ChurnTraining) -> None:
    found = trained.metrics
    for name in ("logistic_regression", "hiatus_rule", "recency_ranking", "probability_alive"):
        assert 0.4 < found[f"baseline_{name}_roc_auc"] < found["test_roc_auc"] + 0.01
    assert found["test_brier"] < found["baseline_probability_alive_brier"]
    assert found["test_brier"] < found["baseline_logistic_regression_brier"] + 0.005
    assert found["baseline_logistic_regression_brier"] < found["baseline_base_rate_brier"]


def test_too_few_histories_for_a_buying_model_are_a_note() -> None:
    cells = pd.DataFrame({"frequency": [0, 1], "recency": [0, 5], "T": [9, 9], "customers": [5, 5]})
    alive, notes = fitted_alive(cells)
    assert alive is None
    assert in_english(notes) == (
        "the probability alive is not among the baselines: BG/NBD needs 50 customers who came "
        "back, there are 5"
    )


def test_the_campaign_is_judged_on_the_test_rows(
    rows: pd.DataFrame, trained: ChurnTraining
) -> None:
    """The profit that the model promises is the one that the true probabilities promise."""
    test = rows[rows["as_of"] == GRID.test]
    value = test["net_revenue_365d"].clip(lower=0)
    truth = profit_curve(churn_probability(test) * value, CAMPAIGN)
    found = trained.metrics
    assert 0.05 < found["profit_best_share"] < 0.95
    assert found["profit_best_per_1000"] == pytest.approx(
        truth.metrics()["profit_best_per_1000"], rel=0.1
    )
    # Probabilities that mean what they say foretell the profit.
    assert found["profit_observed_per_1000"] == pytest.approx(
        found["profit_best_per_1000"], rel=0.15
    )
    assert found["profit_best_per_1000"] >= found["profit_everybody_per_1000"]
    assert trained.parameters["churn_contact_cost"] == CAMPAIGN.contact_cost
    assert {"profit", "gains", "calibration", "shap_importance"} <= set(trained.plots)
