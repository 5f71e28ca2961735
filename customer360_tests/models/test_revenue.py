"""The revenue model on customers whose expected revenue is known; no Spark."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from customer360.language import Language
from customer360.models.bootstrap import amount_intervals
from customer360.models.evaluation import normalized_gini
from customer360.models.notes import Note, in_english
from customer360.models.promotion import decide
from customer360.models.reasons import REASON_COLUMNS, reasons_in
from customer360.models.revenue import training as revenue_training
from customer360.models.revenue.choosing import KINDS, blended
from customer360.models.revenue.features import FEATURES, typed_features
from customer360.models.revenue.fitting import fit_mean, preprocessing
from customer360.models.revenue.model import RevenueModel, RevenueModelError
from customer360.models.revenue.reasons import TOPICS, by_feature, features_of, reasons
from customer360.models.revenue.rules import RULES, last_year, past_average, year_days_of
from customer360.models.revenue.spec import REVENUE
from customer360.models.revenue.training import (
    HorizonError,
    RevenueTraining,
    horizon_for,
    train_on_rows,
)
from customer360.models.sampling import DatedRows
from customer360.models.stacking import weights_of
from customer360_tests.models.revenue_rows import (
    AS_OF,
    GRID,
    HORIZON_DAYS,
    chance,
    customers,
    dated,
    expected,
    labelled,
)


@cache
def training() -> RevenueTraining:
    return train_on_rows(DatedRows.of(dated(1_500), GRID), HORIZON_DAYS, AS_OF, nthread=1)


@pytest.fixture(scope="module")
def trained() -> RevenueTraining:
    return training()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings without what is only to look at, which takes most of their time."""
    monkeypatch.setattr(revenue_training, "importance", lambda *_: ({}, {}))
    monkeypatch.setattr(revenue_training, "pictures", lambda *_: {})


def test_a_model_is_chosen_on_the_validation_date_and_beats_the_naive(
    trained: RevenueTraining,
) -> None:
    figures = trained.metrics
    assert trained.trained
    errors = {kind: figures[f"validation_{kind}_rmse"] for kind in KINDS}
    assert trained.model.kind == "blend"
    assert errors["blend"] < min(errors.values()) * 1.02
    for naive in ("mean", "past_average", "last_year"):
        assert figures["test_rmse"] < figures[f"baseline_{naive}_rmse"]
        assert figures[f"paired_{naive}_rmse_high"] < 0
    lost = [name for name in ("two_stage", "tweedie") if name != trained.model.kind]
    for name in lost:
        assert figures[f"candidate_{name}_rmse"] > 0
    assert f"candidate_{trained.model.kind}_rmse" not in figures
    assert figures["test_rmse_low"] < figures["test_rmse"] < figures["test_rmse_high"]
    assert figures["test_rows"] == 1_500
    assert decide(figures, REVENUE.gate("rmse", 0.0), None).beats_baseline
    assert decide(figures, REVENUE.gate("normalized_gini", 0.0), None).promoted


def test_what_is_expected_is_near_the_truth(trained: RevenueTraining) -> None:
    """The best any model can do is the truth itself: it explains most of what is explainable."""
    rows = customers(4_000, seed=99)
    truth, found = expected(rows), trained.model.predict(rows)
    assert np.corrcoef(truth, found)[0, 1] > 0.9
    assert found.mean() == pytest.approx(truth.mean(), rel=0.1)
    probability = trained.model.purchase_probability(rows)
    assert np.abs(probability - chance(rows)).mean() < 0.06
    assert ((probability > 0) & (probability < 1)).all()


def test_what_the_truth_rests_on_is_what_the_model_cannot_do_without(
    trained: RevenueTraining,
) -> None:
    ranked = sorted(trained.importance, key=lambda name: -trained.importance[name])
    assert set(ranked[:3]) == {"first_order_amount", "days_since_last_purchase", "first_category"}
    assert {
        "revenue_by_decile",
        "predicted_and_actual",
        "shap_importance",
        "permutation_importance",
    } == set(trained.plots)
    assert all(png.startswith(b"\x89PNG") for png in trained.plots.values())


@pytest.mark.usefixtures("quick")
def test_the_same_rows_and_seed_make_the_same_model(trained: RevenueTraining) -> None:
    once, again = (
        train_on_rows(DatedRows.of(dated(300), GRID), HORIZON_DAYS, AS_OF, nthread=1)
        for _ in range(2)
    )
    assert again.model.fingerprint() == once.model.fingerprint()
    assert again.metrics == once.metrics
    others = (trained.model, replace(once.model, horizon_days=28), fit_mean(dated(10), 91))
    assert len({model.fingerprint() for model in (once.model, *others)}) == 4


def test_a_pickled_model_predicts_the_same(trained: RevenueTraining) -> None:
    rows = customers(50, seed=5)
    loaded = RevenueModel.loads(trained.model.dumps())
    assert loaded.fingerprint() == trained.model.fingerprint()
    assert (loaded.predict(rows) == trained.model.predict(rows)).all()
    assert reasons(loaded, rows).equals(reasons(trained.model, rows))


def test_a_pickle_that_cannot_be_used_is_refused_in_a_line(trained: RevenueTraining) -> None:
    for data, said in (
        (b"not a pickle", "no readable revenue model"),
        (pickle.dumps({"a": 1}), "a pickled dict, not a revenue model"),
        (
            replace(trained.model, versions={"scikit-learn": "0.1", "xgboost": "3.2"}).dumps(),
            r"made with scikit-learn 0\.1, here is .*: train it again",
        ),
    ):
        with pytest.raises(RevenueModelError, match=said):
            RevenueModel.loads(data)


def test_other_features_are_refused_by_name(trained: RevenueTraining) -> None:
    rows = customers(3)
    with pytest.raises(RevenueModelError, match="these lack state, country; train it again"):
        trained.model.predict(rows.drop(columns=["state", "country"]))
    older = replace(trained.model, features=(*FEATURES[1:], "loyalty_tier"))
    with pytest.raises(RevenueModelError, match="lack loyalty_tier and have the new frequency"):
        older.check_features()
    assert len(trained.model.predict(rows.assign(further=1))) == 3


def test_unseen_rare_and_missing_values_are_no_failure(trained: RevenueTraining) -> None:
    rows = customers(4, seed=3)
    empty = rows.copy()
    for name in FEATURES:
        empty[name] = None
    unseen = rows.assign(first_category="Never sold before", state="XX", country=None)
    for frame in (empty, unseen, rows.head(0)):
        found = trained.model.predict(frame)
        assert len(found) == len(frame)
        assert np.isfinite(found).all()
        assert (found >= 0).all()
        assert len(reasons(trained.model, frame)) == len(frame)


def test_columns_that_are_never_filled_can_be_learnt_from() -> None:
    rows = labelled(300).assign(first_payment_type=None, state=None, first_installments=np.nan)
    prepare = preprocessing().fit(typed_features(rows))
    matrix = prepare.transform(typed_features(rows))
    assert np.isfinite(matrix).all()
    assert matrix.shape[1] == len(prepare.get_feature_names_out())


def test_rare_categories_share_a_column() -> None:
    rows = labelled(1_000)
    rows["state"] = ["SP"] * 990 + ["AC", "RO", "RR", "AP", "TO"] * 2
    prepare = preprocessing().fit(typed_features(rows))
    names = [name for name in prepare.get_feature_names_out() if name.startswith("state_")]
    assert names == ["state_SP", "state_infrequent_sklearn"]


def test_reasons_say_the_customers_own_figures_and_which_way_they_speak(
    trained: RevenueTraining,
) -> None:
    rows = customers(2_000, seed=11)
    rows.loc[0, "first_order_amount"], rows.loc[1, "first_order_amount"] = 400.0, 3.5
    rows.loc[0, "first_order_items"], rows.loc[1, "first_order_items"] = 1.0, 2.0
    rows.loc[0, "first_freight_share"], rows.loc[1, "first_freight_share"] = 0.05, np.nan
    rows.loc[0, "first_category"], rows.loc[0, "days_since_last_purchase"] = "Games", 2.0
    found = reasons(trained.model, rows)
    assert tuple(found.columns) == REASON_COLUMNS
    said = [
        [Language().reason(*each) for each in reasons_in(row)] for row in found.to_dict("records")
    ]
    assert said[0][0] == "more: first order 400.00 for 1 item, 5% of it freight"
    assert "more: first bought in Games" in said[0]
    assert said[1][0] == "less: first order 3.50 for 2 items"
    assert all(re.match(r"(more|less): \S", each) for row in said for each in row)


def test_every_feature_belongs_to_one_topic_and_every_column_to_a_feature(
    trained: RevenueTraining,
) -> None:
    told = [name for names, _ in TOPICS.values() for name in names]
    assert sorted(told) == sorted(FEATURES)
    pipeline = trained.model.purchase
    assert pipeline is not None
    columns = pipeline[0].get_feature_names_out()
    for column, feature in zip(columns, features_of(pipeline), strict=True):
        assert column.removeprefix("missingindicator_").startswith(feature)


def test_contributions_of_the_line_add_up_to_the_prediction() -> None:
    from customer360.models.revenue.fitting import fitted_linear

    rows = labelled(500)
    model = RevenueModel("linear", 91, unit=10.0, amount=fitted_linear(rows, 10.0))
    raw = rows["revenue"].mean() + by_feature(model, rows).sum(axis=1)
    assert np.maximum(raw, 0) == pytest.approx(model.predict(rows))


def test_too_few_buyers_leave_the_mean_and_say_so() -> None:
    rows = dated(300)
    rows.loc[rows["as_of"] != GRID.test, ["bought", "revenue"]] = [0, 0.0]
    found = train_on_rows(DatedRows.of(rows, GRID), HORIZON_DAYS, AS_OF)
    assert in_english(found.because) == (
        "0 of 600 customers on the training dates bought again where at least 20 must "
        "have and as many must not; everybody's prediction is the mean"
    )
    assert not found.trained
    assert found.model.predict(customers(2)).tolist() == [0.0, 0.0]
    assert reasons(found.model, customers(2)).isna().all().all()
    assert found.metrics["test_mae"] == found.metrics["baseline_mean_mae"]
    nobody = train_on_rows(DatedRows.of(rows.head(0), GRID), HORIZON_DAYS, AS_OF)
    assert (nobody.model.kind, nobody.metrics, nobody.plots) == ("none", {}, {})


@pytest.mark.usefixtures("quick")
def test_a_shop_where_everybody_stays_is_told_by_a_rule_that_is_nearer_than_the_mean() -> None:
    """Subscribers, each at a price of their own: nobody leaves, so nothing can learn who does."""
    rows = dated(300)
    price = np.arange(len(rows)) % 9 * 10.0 + 5
    rows = rows.assign(
        bought=1, revenue=price * 3, frequency=11, T=365, net_revenue=price * 12,
        net_revenue_365d=price * 12 + 0.5,
    )  # fmt: skip
    found = train_on_rows(DatedRows.of(rows, GRID), HORIZON_DAYS, AS_OF)
    assert in_english(found.because) == (
        "600 of 600 customers on the training dates bought again where at least 20 must have and "
        "as many must not; everybody's prediction is by the rule “Same as last year”"
    )
    assert (found.model.kind, found.status) == ("last_year", "fallback")
    assert found.metrics["test_rmse"] < 0.1 * found.metrics["baseline_mean_rmse"]
    assert found.metrics["validation_last_year_rmse"] < found.metrics["validation_mean_rmse"]
    assert found.model.purchase_probability(rows.head(2)).tolist() == [1.0, 1.0]
    assert not reasons(found.model, rows.head(2)).empty


@pytest.mark.usefixtures("quick")
def test_the_mean_wins_where_what_was_learnt_does_not_last() -> None:
    """Buyers of Games come back, until on the validation date all the others do."""
    rows = dated(600)
    random = np.random.default_rng(0)
    games = rows["first_category"] == "Games"
    rule_holds = rows["as_of"] != GRID.validation
    rows["bought"] = ((games == rule_holds) ^ (random.random(len(rows)) < 0.1)).astype(int)
    rows["revenue"] = rows["bought"] * 10.0
    found = train_on_rows(DatedRows.of(rows, GRID), HORIZON_DAYS, AS_OF, nthread=1)
    assert (found.model.kind, found.status) == ("mean", "trained")
    assert Note("mean_is_nearest") in found.notes
    taught = rows[rows["as_of"] != GRID.test]["revenue"].mean()
    assert found.model.predict(customers(2)).tolist() == pytest.approx([taught, taught])
    assert found.metrics["test_rmse"] == found.metrics["baseline_mean_rmse"]
    # The mean is no worse than any rule, and takes the place of a champion that is.
    gate = REVENUE.gate("rmse", 0.0)
    own = found.metrics["test_rmse"]
    for champion, promoted in ((own * 0.9, False), (own * 1.1, True)):
        verdict = decide(found.metrics | {"champion_rmse": champion}, gate, "3")
        assert verdict.promoted is promoted


@pytest.mark.usefixtures("quick")
def test_a_column_that_knows_the_label_is_named() -> None:
    rows = dated(600)
    rows["first_review_score"] = rows["bought"] * 4 + 1.0
    found = train_on_rows(DatedRows.of(rows, GRID), HORIZON_DAYS, AS_OF, nthread=1)
    assert not found.leaks.passed
    said = "first_review_score alone tells who will buy from who will not"
    assert said in in_english(found.notes)


@pytest.mark.usefixtures("quick")
def test_the_champion_is_judged_on_the_same_rows(trained: RevenueTraining) -> None:
    rows = dated(400, seed=50)
    champion = trained.model
    found = train_on_rows(
        DatedRows.of(rows, GRID), HORIZON_DAYS, AS_OF, nthread=1, champion=champion
    )
    test = rows[rows["as_of"] == GRID.test]
    error = champion.predict(test) - test["revenue"].to_numpy()
    assert found.metrics["champion_rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    other = replace(champion, horizon_days=28)
    unlike = train_on_rows(DatedRows.of(rows, GRID), HORIZON_DAYS, AS_OF, nthread=1, champion=other)
    assert "champion_rmse" not in unlike.metrics
    assert Note("champion_predicts_something_else") in unlike.notes


@pytest.mark.parametrize(
    ("history", "wanted", "horizon"),
    [(1_000, 91, 91), (364, 91, 91), (363, 91, 84), (89, 91, 21), (20, 91, 7), (20, 3, 3)],
)
def test_a_short_history_has_a_short_horizon(history: int, wanted: int, horizon: int) -> None:
    assert horizon_for(history, wanted) == horizon


def test_a_horizon_of_no_day_is_refused() -> None:
    with pytest.raises(HorizonError, match="revenue horizon is 0 days; give at least 1"):
        horizon_for(100, 0)


def test_last_year_is_carried_on_for_the_days_ahead() -> None:
    """A year that brought 365 brings 91 in 91 days; of a business of 182 days, twice that."""
    rows = pd.DataFrame({"net_revenue_365d": [365.0, -10.0], "T": [182, 3]})
    assert last_year(rows, 91).tolist() == [91.0, 0.0]
    assert last_year(rows, 91, year_days_of(rows)).tolist() == [182.5, 0.0]
    assert (year_days_of(rows.assign(T=9)), year_days_of(rows.assign(T=999))) == (30, 365)


def test_weights_are_those_of_the_mean_that_was_mixed() -> None:
    """Three parts of one and one of another; a third that only adds noise gets nothing."""
    random = np.random.default_rng(4)
    first, second = random.gamma(2, 30, 5_000), random.gamma(2, 30, 5_000)
    noise = random.gamma(2, 30, 5_000)
    found = weights_of(np.column_stack([first, second, noise]), 0.75 * first + 0.25 * second)
    assert found == pytest.approx([0.75, 0.25, 0.0], abs=1e-3)
    # Nobody brings more than the dearest part says: the level is theirs, not the season's.
    assert weights_of(np.column_stack([first, second]), 3 * first).sum() == pytest.approx(1)


def test_a_blend_is_the_mean_of_its_parts_and_so_are_its_reasons() -> None:
    rows = customers(40, seed=8)
    mean = RevenueModel("mean", 91, mean_revenue=20.0)
    parts = {"mean": mean, **{name: replace(mean, kind=name) for name in RULES}}
    blend = blended(parts, {"mean": 0.5, "past_average": 0.3, "last_year": 0.199, "linear": 0.001})
    assert [weight for weight, _ in blend.parts] == pytest.approx(np.array([500, 300, 199]) / 999)
    expected_of = sum(weight * part.predict(rows) for weight, part in blend.parts)
    assert blend.predict(rows) == pytest.approx(expected_of)
    contributions = by_feature(blend, rows)
    assert 20.0 + contributions.sum(axis=1) == pytest.approx(blend.predict(rows))
    assert np.flatnonzero(contributions.any(axis=0)).tolist() == sorted(
        [FEATURES.index("net_revenue"), FEATURES.index("net_revenue_365d")]
    )
    half = blend.at(182)
    assert half.parts[2][1].predict(rows) == pytest.approx(
        parts["last_year"].predict(rows) * 365 / 182
    )


def test_contributions_of_trees_in_a_blend_are_currency(trained: RevenueTraining) -> None:
    """What is expected, less what would be without any contribution, is what they add up to."""
    rows = customers(60, seed=9)
    trees = [part for _, part in trained.model.parts if part.kind in ("two_stage", "tweedie")]
    for part in trees:
        alone = replace(trained.model, parts=((1.0, part),))
        log_share = by_feature(part, rows).sum(axis=1)
        expected_of = part.predict(rows)
        added = expected_of - expected_of / np.exp(log_share)
        assert by_feature(alone, rows).sum(axis=1) == pytest.approx(added)
    assert trees


def test_the_past_average_carries_everybodys_own_rate_and_spend_on() -> None:
    """4 repeat purchases in 200 days at 30 each: 0.02 x 91 x 30. A new customer's age is 30."""
    rows = pd.DataFrame({"frequency": [4, 0, 1], "T": [200, 10, 10], "net_revenue": [150, 9, 40]})
    assert past_average(rows, 91).tolist() == pytest.approx([54.6, 0.0, 91 / 30 * 20])


def test_intervals_of_amounts_are_about_the_figures_of_the_rows() -> None:
    """Of 100 or 0 with an error of 10 either way, the mean error has a known standard error."""
    random = np.random.default_rng(0)
    actual = random.gamma(1, 50, 2_000)
    predicted = actual + random.normal(2, 10, 2_000)
    found = amount_intervals(predicted, actual)
    error = predicted - actual
    assert found["mae"].value == pytest.approx(np.abs(error).mean())
    assert found["rmse"].value == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found["normalized_gini"].value == pytest.approx(normalized_gini(predicted, actual))
    width = found["bias"].high - found["bias"].low
    # 90 % of a normal distribution lie within 1.645 standard errors.
    assert width == pytest.approx(2 * 1.645 * error.std() / np.sqrt(2_000), rel=0.2)
    tied = np.round(predicted, -2)
    assert amount_intervals(tied, actual)["normalized_gini"].value == pytest.approx(
        normalized_gini(tied, actual)
    )
    assert amount_intervals([], []) == {}
