"""Reasons: the model's own SHAP values, said in the customer's own figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from customer360.language import Language
from customer360.models.baselines import HiatusRule
from customer360.models.churn.features import CATEGORICAL_FEATURES, NUMERIC_FEATURES, design_matrix
from customer360.models.churn.fitting import fit_xgboost
from customer360.models.churn.model import ChurnModel
from customer360.models.churn.reasons import (
    TOPICS,
    by_topic,
    contributions,
    mean_contributions,
    strongest_reasons,
)
from customer360.models.reasons import REASON_COLUMNS, no_reasons, stated
from customer360_tests.models.churn_rows import churn_probability, customers, labelled


@pytest.fixture(scope="module")
def model() -> ChurnModel:
    parameters = {"max_depth": 4, "min_child_weight": 10, "learning_rate": 0.1}
    fit = fit_xgboost(labelled(5_000, 1), labelled(4_000, 2), parameters=parameters, nthread=1)
    return ChurnModel(
        "xgboost",
        91,
        182,
        0.6,
        categories=fit.categories,
        booster=bytes(fit.booster.save_raw("ubj")),
        calibrator=fit.calibrator,
    )


def test_every_feature_belongs_to_one_topic() -> None:
    named = [name for names, _ in TOPICS.values() for name in names]
    assert sorted(named) == sorted([*NUMERIC_FEATURES, *CATEGORICAL_FEATURES])


def english(reasons: pd.DataFrame) -> list[str]:
    return [Language().reason(*each) for each in reasons[["code", "values"]].to_numpy().tolist()]


def row(**given: Any) -> pd.DataFrame:
    return customers(1).astype(object).assign(**given)


@pytest.mark.parametrize(
    ("topic", "given", "said"),
    [
        (
            "silence",
            {"days_since_last_purchase": 143, "mean_days_between_purchases": 30.6},
            "last purchase 143 days ago, so far one every 31 days",
        ),
        (
            "silence",
            {"days_since_last_purchase": 1, "mean_days_between_purchases": 1.2},
            "last purchase 1 day ago, so far one every day",
        ),
        (
            "silence",
            {"days_since_last_purchase": 60, "mean_days_between_purchases": None},
            "last purchase 60 days ago",
        ),
        (
            "recent_spend",
            {"net_revenue_90d": 40.2, "net_revenue_180d": 250.0},
            "spend fell from 210 to 40 in 90 days",
        ),
        (
            "recent_spend",
            {"net_revenue_90d": 40.2, "net_revenue_180d": 60.0},
            "spent 40 in the last 90 days",
        ),
        (
            "recent_purchases",
            {"purchase_days_90d": 1, "purchase_days_180d": 5},
            "bought on 1 day in the last 90, on 4 in the 90 before",
        ),
        (
            "recent_purchases",
            {"purchase_days_90d": 3, "purchase_days_180d": 5},
            "bought on 3 days in the last 90",
        ),
        (
            "history",
            {"frequency": 4, "T": 400},
            "bought on 5 days in all, the first 400 days ago",
        ),
        ("order_value", {"average_order_value": 12.5}, "spends 12.50 an order on average"),
        ("refunds", {"refund_rate": 0.21}, "21% of the money was refunded"),
        ("refunds", {"refund_rate": 0.0}, "never had a refund"),
        (
            "variety",
            {"distinct_categories": 1, "distinct_channels": 2},
            "bought in 1 category, over 2 channels",
        ),
        ("last_category", {"last_category": "Books"}, "last bought in Books"),
        ("last_category", {"last_category": None}, "category of the last purchase unknown"),
        ("last_channel", {"last_channel": "web"}, "last bought over web"),
    ],
)
def test_what_is_said(topic: str, given: dict[str, object], said: str) -> None:
    rows = row(**given)
    assert english(stated(rows, TOPICS[topic][1](rows))) == [said]


def test_the_three_strongest_are_said_and_weak_ones_are_not() -> None:
    rows = pd.concat([row(last_channel="web", last_category="Books", T=10)] * 3, ignore_index=True)
    rows["frequency"] = 0.0
    topics = np.zeros((3, len(TOPICS)))
    at = list(TOPICS).index
    topics[0, [at("history"), at("last_channel"), at("last_category"), at("silence")]] = (
        0.3,
        0.9,
        0.5,
        0.2,
    )
    topics[1, at("last_category")] = 0.06
    topics[2] = -1.0
    channel = ["last_channel", '{"channel":"web"}']
    category = ["last_category", '{"category":"Books"}']
    assert strongest_reasons(rows, topics).to_numpy().tolist() == [
        [*channel, *category, "history", '{"purchases":1,"age":10}'],
        [*category, *[None] * 4],
        [None] * 6,
    ]


def test_contributions_add_up_to_the_score(model: ChurnModel) -> None:
    """SHAP values and the average are the log-odds; topics only add them up."""
    rows = customers(200, 5)
    seen, booster = design_matrix(rows, model.categories), model.load_booster()
    values = contributions(booster, seen)
    margin = booster.predict(xgb.DMatrix(seen), output_margin=True)
    average = margin - values.sum(axis=1)
    assert average == pytest.approx(np.full(200, average[0]), abs=1e-4)
    assert by_topic(values, list(seen.columns)).sum(axis=1) == pytest.approx(values.sum(axis=1))


def test_the_reasons_are_the_truths(model: ChurnModel) -> None:
    """By construction silence drives customers away; so it is the first reason of most."""
    rows = customers(2_000, 5)
    probabilities = model.probabilities(rows)
    found = model.reasons(rows, probabilities)
    likely = churn_probability(rows) > 0.8
    first = found.loc[likely, "reason_1"]
    assert first.str.startswith(("last_purchase", "purchases", "history")).mean() > 0.95
    assert first.str.startswith("last_purchase").mean() > 0.6
    assert tuple(found.columns) == REASON_COLUMNS


def test_reasons_are_for_those_above_the_average(model: ChurnModel) -> None:
    """Base rate .6, medium risk from .4: below .4 nothing, from .4 on nearly always something."""
    rows = customers(1_000, 6)
    probabilities = model.probabilities(rows)
    found = model.reasons(rows, probabilities)
    assert found[probabilities < 0.4].isna().all(axis=None)
    assert found.loc[probabilities > 0.7, "reason_1"].notna().all()
    # No gaps: a second reason never comes without a first.
    assert not (found["reason_1"].isna() & found["reason_2"].notna()).any()
    assert not (found["reason_2"].isna() & found["reason_3"].notna()).any()


def test_a_row_is_explained_alike_alone_and_among_others(model: ChurnModel) -> None:
    rows = customers(50, 7).set_index(np.arange(1_000, 1_050))
    together = model.reasons(rows, model.probabilities(rows))
    alone = pd.concat(
        [
            model.reasons(one, model.probabilities(one))
            for one in (rows.iloc[n : n + 1] for n in range(50))
        ]
    )
    pd.testing.assert_frame_equal(together, alone)
    assert together.index.tolist() == rows.index.tolist()


def test_fallbacks_say_what_they_know() -> None:
    rows = pd.concat(
        [
            row(days_since_last_purchase=20, mean_days_between_purchases=5.0),
            row(days_since_last_purchase=21, mean_days_between_purchases=5.0),
        ],
        ignore_index=True,
    )
    rule = ChurnModel("hiatus_rule", 30, 60, 0.4, HiatusRule(20, 0.1, 0.8))
    assert rule.reasons(rows, rule.probabilities(rows)).to_numpy().tolist() == [
        [None] * 6,
        ["last_purchase_usual", '{"ago":21,"gap":5}', *[None] * 4],
    ]
    base = ChurnModel("base_rate", 30, 60, 0.9)
    assert base.reasons(rows, base.probabilities(rows)).isna().all(axis=None)


def test_the_means_say_what_moves_the_scores(model: ChurnModel) -> None:
    seen = design_matrix(customers(500), model.categories)
    found = mean_contributions(model.contributions(seen), seen)
    strongest = max(found, key=lambda name: found[name])
    assert strongest in {"days_since_last_purchase", "overdue_ratio", "purchase_days_90d"}
    assert found["days_since_last_purchase"] > 10 * found["average_order_value"]


def test_no_rows_have_no_reasons(model: ChurnModel) -> None:
    nobody = customers(3).head(0)
    assert len(model.reasons(nobody, model.probabilities(nobody))) == 0
    assert no_reasons(nobody).columns.tolist() == list(REASON_COLUMNS)
