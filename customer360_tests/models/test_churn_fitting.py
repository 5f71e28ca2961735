"""The search, the signs that trees must follow, and probabilities that are the truth's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from customer360.models.churn import fitting
from customer360.models.churn.features import MONOTONE_FEATURES, NUMERIC_FEATURES
from customer360.models.churn.fitting import (
    TUNING_GRID,
    XgboostFit,
    candidates,
    fallback,
    fit_xgboost,
    threads_for,
    tune,
)
from customer360.models.churn.model import ChurnModel
from customer360.models.evaluation import probability_metrics, ranking_metrics
from customer360.models.notes import Note
from customer360_tests.models.churn_rows import churn_probability, customers, labelled


def model_of(fit: XgboostFit) -> ChurnModel:
    return ChurnModel(
        "xgboost",
        91,
        182,
        categories=fit.categories,
        booster=bytes(fit.booster.save_raw("ubj")),
        calibrator=fit.calibrator,
    )


@pytest.fixture(scope="module")
def fit() -> XgboostFit:
    return fit_xgboost(labelled(4_000, 1), labelled(3_500, 2), nthread=1)


def test_eight_candidates_the_simplest_first() -> None:
    found = candidates()
    assert len(found) == 8
    assert found[0] == {"max_depth": 3, "min_child_weight": 10, "learning_rate": 0.05}
    assert found[-1] == {"max_depth": 5, "min_child_weight": 50, "learning_rate": 0.1}
    assert {one["max_depth"] for one in candidates({"learning_rate": 0.3})} == {3, 5}
    assert all("learning_rate" not in one for one in candidates({"learning_rate": 0.3}))
    assert candidates(dict.fromkeys(TUNING_GRID, 1)) == ({},)


def test_the_best_trial_wins_and_all_are_logged(fit: XgboostFit) -> None:
    assert len(fit.trials) == 8
    best = min(fit.trials, key=lambda trial: trial.log_loss)
    assert fit.parameters.items() >= best.parameters.items()
    # Few rows are tried whole, so the winner is grown once more, the same.
    assert (fit.log_loss, fit.trees) == (best.log_loss, best.trees)
    assert fit.metrics()["trial_8_log_loss"] == fit.trials[7].log_loss
    assert fit.facts()["trial_1"] == fit.trials[0].describe()
    assert fit.trials[0].describe().startswith("max_depth 3, min_child_weight 10, learning_rate")
    assert fit.booster.num_boosted_rounds() == fit.trees


def test_a_parameter_that_is_given_is_not_tuned() -> None:
    found = fit_xgboost(
        labelled(600, 1),
        labelled(600, 2),
        parameters={"max_depth": 2, "min_child_weight": 5, "learning_rate": 0.2},
        nthread=1,
    )
    assert found.trials == ()
    assert found.facts()["xgboost_max_depth"] == 2


def test_candidates_are_compared_on_a_sample_of_many_rows(monkeypatch) -> None:
    seen = []

    def counted(settings, own, unseen):
        seen.append(own.num_row())
        return None, 1, 0.5

    monkeypatch.setattr(fitting, "TUNING_ROWS", 300)
    monkeypatch.setattr(fitting, "grown", counted)
    tune({}, candidates(), labelled(1_000, 1), labelled(200, 2), {})
    # Every fourth of 1,000.
    assert seen == [250] * 8


def test_the_same_rows_and_seed_give_the_same_model() -> None:
    learn, validate = labelled(800, 1), labelled(800, 2)
    first, again, other = (fit_xgboost(learn, validate, seed=seed, nthread=1) for seed in (0, 0, 1))
    assert model_of(first) == model_of(again)
    assert model_of(first) != model_of(other)


@pytest.mark.parametrize("name", list(MONOTONE_FEATURES))
def test_probabilities_follow_the_known_signs(fit: XgboostFit, name: str) -> None:
    """Each feature moved alone over its range: churn never moves against the sign."""
    model, some = model_of(fit), customers(200, 5)
    values = np.quantile(customers(2_000, 6)[name].dropna(), np.linspace(0, 1, 21))
    found = np.array([model.probabilities(some.assign(**{name: value})) for value in values])
    steps = np.diff(found, axis=0) * MONOTONE_FEATURES[name]
    assert (steps >= -1e-7).all()


def test_some_feature_without_a_sign_moves_both_ways(fit: XgboostFit) -> None:
    """So the test above can fail: free features do not keep to a direction."""
    assert set(MONOTONE_FEATURES) < set(NUMERIC_FEATURES)
    model, some = model_of(fit), customers(200, 5)
    both = []
    for name in ("T", "frequency", "recency", "mean_days_between_purchases"):
        values = np.quantile(customers(2_000, 6)[name].dropna(), np.linspace(0, 1, 21))
        found = np.array([model.probabilities(some.assign(**{name: value})) for value in values])
        steps = np.diff(found, axis=0)
        both.append(bool((steps > 1e-4).any() and (steps < -1e-4).any()))
    assert any(both)


def test_no_sign_is_learnt_against_the_rule() -> None:
    """Rows in which silence keeps customers: the trees do not believe it."""
    rows = labelled(1_500, 1)
    fresh = rows["days_since_last_purchase"] < 60
    upside_down = rows.assign(churned=fresh.astype(int))
    found = fit_xgboost(upside_down, upside_down, nthread=1)
    assert found.booster.get_score(importance_type="weight").get("days_since_last_purchase", 0) == 0


def test_probabilities_are_the_truth_on_many_customers() -> None:
    """200,000 customers with known chances to churn: calibrated to 0.01 (0.02 is promised)."""
    learn, validate, test = labelled(60_000, 1), labelled(40_000, 2), labelled(100_000, 3)
    parameters = {"max_depth": 4, "min_child_weight": 50, "learning_rate": 0.15}
    model = model_of(fit_xgboost(learn, validate, parameters=parameters))
    found, truth = model.probabilities(test), churn_probability(test)
    assert model.calibrator.kind == "isotonic"
    judged = probability_metrics(test["churned"], found)
    assert judged["calibration_error"] < 0.01
    assert np.abs(found - truth).mean() < 0.02
    # No model can rank better than the chances themselves.
    best = ranking_metrics(test["churned"], truth)["roc_auc"]
    assert best - 0.005 < ranking_metrics(test["churned"], found)["roc_auc"] <= best + 0.001


def test_few_rows_take_one_thread() -> None:
    assert threads_for(0) == threads_for(99_999, 8) == 1
    assert threads_for(150_000, 8) == 3
    assert threads_for(10_000_000, 8) == 8


def test_rare_churn_keeps_its_level() -> None:
    """Some 3 % churn: without class weights the probabilities stay at that level."""
    random = np.random.default_rng(0)

    def rare(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
        rows = customers(20_000, seed)
        chance = churn_probability(rows) ** 6 * 0.15
        return rows.assign(churned=(random.random(len(rows)) < chance).astype(int)), chance

    (learn, _), (validate, _), (test, chance) = (rare(seed) for seed in (1, 2, 3))
    assert 0.02 < chance.mean() < 0.04
    parameters = {"max_depth": 3, "min_child_weight": 10, "learning_rate": 0.1}
    found = model_of(fit_xgboost(learn, validate, parameters=parameters)).probabilities(test)
    assert found.mean() == pytest.approx(chance.mean(), rel=0.1)
    assert probability_metrics(test["churned"], found)["calibration_error"] < 0.01


@pytest.mark.parametrize(("silence_of_the_gone", "kind"), [(60, "hiatus_rule"), (5, "base_rate")])
def test_too_few_rows_leave_the_rule_that_was_nearer_later(
    silence_of_the_gone: int, kind: str
) -> None:
    """Learnt: who is silent for 60 days is gone. It goes on like that, or turns round."""

    def rows(gone_after: int) -> pd.DataFrame:
        churned = np.arange(120) % 3 == 0
        other = {60: 5, 5: 60}[gone_after]
        silence = np.where(churned, gone_after, other)
        return pd.DataFrame({"days_since_last_purchase": silence, "churned": churned.astype(int)})

    learn, validate = rows(60), rows(silence_of_the_gone)
    empty = ChurnModel("none", 30, 90)
    model, note = fallback(empty, pd.concat([learn, validate]), learn, validate)
    assert (model.kind, note) == (kind, Note(f"{kind}_is_used"))
    # Without a later date there is nothing to say against it.
    assert fallback(empty, learn)[0].kind == "hiatus_rule"
