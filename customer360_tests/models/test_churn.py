"""Churn: the definition, labels that cannot leak, training on a shop whose rhythm is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.gold.customer_features import customer_features
from customer360.models.baselines import HiatusRule
from customer360.models.churn.features import (
    CATEGORICAL_FEATURES,
    FEATURES,
    NUMERIC_FEATURES,
    design_matrix,
    frequent_categories,
)
from customer360.models.churn.model import ChurnModel, ChurnModelError
from customer360.models.churn.rows import labelled_rows
from customer360.models.churn.scoring import score
from customer360.models.churn.training import ChurnOptions, ChurnTraining, train
from customer360.models.examples import made_up_customers
from customer360.models.notes import Note, in_english
from customer360.models.reasons import REASON_COLUMNS
from customer360.models.windows import ChurnWindows
from customer360_tests.gold.frames import bought, customer_days, returned
from customer360_tests.models.data import SHOP_END, shop

D = date(2024, 6, 1)
WINDOWS = ChurnWindows(30, 60, 300, 0, (), "settings")


def day(offset: int) -> date:
    return D + timedelta(days=offset)


@pytest.fixture(scope="module")
def shop_days(spark: SparkSession) -> Iterator[DataFrame]:
    days = shop(spark).persist()
    yield days
    days.unpersist()


@pytest.fixture(scope="module")
def trained(shop_days: DataFrame) -> ChurnTraining:
    return train(shop_days, SHOP_END, ChurnOptions(nthread=2))


def test_active_and_churned_at_the_edges_of_the_windows(spark: SparkSession) -> None:
    """Active: a purchase in (D-60, D]. Kept: a purchase in (D, D+30]."""
    days = customer_days(
        spark,
        [
            bought("edge_active", day(-59), 5),
            bought("not_active", day(-60), 5),
            bought("not_active", day(1), 5),
            bought("on_the_day", D, 5),
            bought("returns_first_day", D, 5),
            bought("returns_first_day", day(1), 5),
            bought("returns_last_day", D, 5),
            bought("returns_last_day", day(30), 5),
            bought("returns_too_late", D, 5),
            bought("returns_too_late", day(31), 5),
            bought("only_refunded", D, 5),
            returned("only_refunded", day(3), 5),
            bought("new_later", day(2), 5),
        ],
    )
    rows = labelled_rows(days, [D], WINDOWS).collect()
    assert {row["customer_key"]: row["churned"] for row in rows} == {
        "edge_active": 1,
        "on_the_day": 1,
        "returns_first_day": 0,
        "returns_last_day": 0,
        "returns_too_late": 1,
        "only_refunded": 1,
    }


def test_labels_and_features_use_only_their_own_side_of_the_date(spark: SparkSession) -> None:
    """The horizon changes no feature; what comes after the horizon changes nothing at all."""
    past = [bought("a", day(-40), 5), bought("a", day(-10), 7), bought("b", day(-5), 9)]
    horizon = [bought("a", day(10), 100), returned("b", day(20), 9)]
    after = [bought("b", day(31), 50), bought("c", day(40), 1)]
    features = sorted(set(NUMERIC_FEATURES) | set(CATEGORICAL_FEATURES))

    def rows(*parts: list[tuple[object, ...]]) -> pd.DataFrame:
        days = customer_days(spark, [row for part in parts for row in part])
        found = labelled_rows(days, [D], WINDOWS).toPandas()
        return found.sort_values("customer_key", ignore_index=True)

    only_past, with_horizon, with_all = rows(past), rows(past, horizon), rows(past, horizon, after)
    pd.testing.assert_frame_equal(only_past[features], with_horizon[features])
    pd.testing.assert_frame_equal(with_horizon, with_all)
    assert only_past["churned"].tolist() == [1, 1]
    assert with_horizon["churned"].tolist() == [0, 1]


def test_several_dates_at_once_are_the_dates_one_by_one(shop_days: DataFrame) -> None:
    days = shop_days
    dates = [date(2024, 9, 1), date(2024, 12, 1)]
    together = labelled_rows(days, dates, WINDOWS).groupBy("as_of", "churned").count()
    apart = [
        labelled_rows(days, [one], WINDOWS).groupBy("as_of", "churned").count() for one in dates
    ]
    assert sorted(map(tuple, together.collect())) == sorted(
        tuple(row) for frame in apart for row in frame.collect()
    )


def test_a_model_beats_the_baselines_where_rhythm_tells(trained: ChurnTraining) -> None:
    assert trained.status == "trained"
    found = trained.metrics
    for figure in ("roc_auc", "pr_auc", "lift_10"):
        assert found[f"test_{figure}"] > found[f"baseline_recency_ranking_{figure}"]
        assert found[f"test_{figure}"] > found[f"baseline_hiatus_rule_{figure}"]
    for figure in ("brier", "log_loss"):
        assert found[f"test_{figure}"] < found[f"baseline_hiatus_rule_{figure}"]
        assert found[f"test_{figure}"] < found[f"baseline_base_rate_{figure}"]
    assert found["test_roc_auc"] > 0.8
    assert found["test_calibration_error"] < 0.1


def test_the_result_carries_its_definition_and_its_dates(trained: ChurnTraining) -> None:
    assert trained.grid is not None
    facts = trained.parameters
    assert facts["horizon_days"] == trained.windows.horizon_days == trained.model.horizon_days
    assert facts["test_as_of"] == str(SHOP_END - timedelta(days=trained.windows.horizon_days))
    assert max(trained.grid.training) <= SHOP_END - 2 * timedelta(days=trained.windows.horizon_days)
    assert set(trained.plots) == {
        "calibration",
        "gains",
        "profit",
        "feature_importance",
        "shap_importance",
    }
    assert sum(trained.feature_importance.values()) == pytest.approx(1)
    assert trained.calibration["customers"].sum() == trained.metrics["test_rows"]
    assert all(isinstance(value, float) for value in trained.metrics.values())
    assert trained.sample.equals(made_up_customers(FEATURES))  # and nobody's row


def test_same_data_same_model_whatever_the_order_and_the_keys(
    shop_days: DataFrame, trained: ChurnTraining
) -> None:
    """Rows in another order, and customers under the keys another secret would give them."""
    renamed = (
        shop_days.withColumn("customer_key", F.sha2(F.concat("customer_key", F.lit("salt")), 256))
        .orderBy(F.rand(3))
        .repartition(3)
    )
    again = train(renamed, SHOP_END, ChurnOptions(nthread=2))
    assert again.metrics == trained.metrics
    assert again.model == trained.model


def test_sampling_keeps_within_the_limit_and_says_so(shop_days: DataFrame) -> None:
    found = train(
        shop_days, SHOP_END, ChurnOptions(max_training_rows=600, nthread=2, trainer="local")
    )
    used = found.parameters
    assert int(used["training_rows"]) + int(used["validation_rows"]) <= 600
    assert int(used["test_rows"]) <= 600
    assert "were sampled" in in_english(found.notes)


def test_more_rows_than_the_driver_holds_train_on_spark(
    shop_days: DataFrame, trained: ChurnTraining
) -> None:
    """The trees learn on all rows, the sample tunes, calibrates and judges."""
    found = train(
        shop_days, SHOP_END, ChurnOptions(max_training_rows=600, nthread=2, trainer="spark")
    )
    assert found.status == "trained"
    assert found.parameters["trainer"] == "spark"
    assert trained.parameters["trainer"] == "local"
    everything = int(trained.parameters["training_rows"]) + int(
        trained.parameters["validation_rows"]
    )
    assert Note("trees_by_spark", {"rows": everything}) in found.notes
    # Said and done: not the trees that grow here on the same sample.
    sampled = train(
        shop_days, SHOP_END, ChurnOptions(max_training_rows=600, nthread=2, trainer="local")
    )
    assert sampled.parameters["training_rows"] == found.parameters["training_rows"]
    assert found.model.booster != sampled.model.booster
    assert "xgboost.spark" not in in_english(sampled.notes)
    assert found.metrics["test_roc_auc"] == pytest.approx(trained.metrics["test_roc_auc"], abs=0.04)


def test_scores_are_probabilities_of_active_customers_only(
    shop_days: DataFrame, trained: ChurnTraining
) -> None:
    features = customer_features(shop_days, [SHOP_END])
    scores = score(features, trained.model, "the_model", "5").toPandas()
    inputs = features.toPandas().set_index("customer_key")
    active = inputs[inputs["days_since_last_purchase"] < trained.model.activity_days]
    assert set(scores["customer_key"]) == set(active.index)
    assert scores["churn_probability"].between(0, 1).all()
    expected = trained.model.probabilities(active.loc[scores["customer_key"]])
    assert scores["churn_probability"].tolist() == pytest.approx(expected.tolist())
    why = trained.model.reasons(active.loc[scores["customer_key"]], expected)
    assert scores[list(why.columns)].isna().to_numpy().tolist() == why.isna().to_numpy().tolist()
    assert scores["reason_1"].dropna().tolist() == why["reason_1"].dropna().tolist()
    assert scores.loc[scores["risk"] != "low", "reason_1"].notna().mean() > 0.9
    risk = np.select(
        [scores["churn_probability"] >= 0.7, scores["churn_probability"] >= 0.4],
        ["high", "medium"],
        "low",
    )
    assert scores["risk"].tolist() == risk.tolist()
    assert set(scores["horizon_days"]) == {trained.model.horizon_days}
    assert set(scores["model_version"]) == {"5"}
    assert set(scores["as_of"]) == {SHOP_END}


def test_without_reasons_the_scores_are_the_same(
    shop_days: DataFrame, trained: ChurnTraining
) -> None:
    features = customer_features(shop_days, [SHOP_END])
    told, untold = (
        score(features, trained.model, "the_model", "5", with_reasons=why)
        .toPandas()
        .sort_values("customer_key", ignore_index=True)
        for why in (True, False)
    )
    assert told["reason_1"].notna().any()
    why = list(REASON_COLUMNS)
    assert untold[why].isna().all(axis=None)
    pd.testing.assert_frame_equal(told.drop(columns=why), untold.drop(columns=why))


def test_a_category_never_seen_is_scored_as_another_one(trained: ChurnTraining) -> None:
    row = {name: [1.0] for name in NUMERIC_FEATURES}
    matrix = design_matrix(
        pd.DataFrame({**row, "last_category": [None], "last_channel": ["carrier pigeon"]}),
        trained.model.categories,
    )
    assert (matrix.filter(like="=") == 0).all(axis=None)


def test_frequent_categories_are_the_most_frequent_and_fit_for_xgboost() -> None:
    rows = pd.DataFrame(
        {
            "last_category": ["a<b"] * 3 + [f"c{n:02}" for n in range(20)],
            "last_channel": [None] * 23,
        }
    )
    found = frequent_categories(rows)
    assert found["last_category"] == ("a<b", *(f"c{n:02}" for n in range(11)))
    assert found["last_channel"] == ()
    frame = rows.assign(**dict.fromkeys(NUMERIC_FEATURES, 0.0))
    assert "last_category=a_b" in design_matrix(frame, found)


def test_short_history_falls_back_and_says_so(spark: SparkSession) -> None:
    rows = [bought(f"c{n}", date(2024, 1, 1) + timedelta(days=n % 20), 5) for n in range(60)]
    found = train(customer_days(spark, rows), date(2024, 1, 28))
    assert in_english(found.because).startswith("27 days of history are too short")
    assert found.model.kind == "base_rate"
    assert found.grid is None
    assert found.metrics == {}
    # Windows of a week: of the 18 active on 21 January nobody came back, (18 + 1) / (18 + 2).
    assert found.model.base_rate == pytest.approx(19 / 20)


def test_one_class_falls_back_to_the_base_rate(spark: SparkSession) -> None:
    """Everybody buys every week: nobody ever churns."""
    rows = [
        bought(f"c{n}", date(2024, 1, 1) + timedelta(days=7 * week + n % 7), 5)
        for n in range(60)
        for week in range(52)
    ]
    found = train(customer_days(spark, rows), date(2024, 12, 29))
    assert "only 0 of" in in_english(found.because)
    assert "base rate" in in_english(found.because)
    assert found.model.kind == "base_rate"
    assert found.metrics["test_churn_rate"] == 0
    assert found.metrics["test_brier"] < 0.001


def test_nothing_bought_scores_nobody(spark: SparkSession) -> None:
    nothing = customer_days(spark, [])
    found = train(nothing, D)
    assert found.model.kind == "none"
    assert in_english(found.because).endswith("no score is published")
    some = customer_features(customer_days(spark, [bought("a", D, 5)]), [D])
    assert score(some, found.model, "the_model", "1").count() == 0


def test_the_hiatus_rule_scores_by_silence(spark: SparkSession) -> None:
    rule = ChurnModel("hiatus_rule", 30, 60, base_rate=0.4, hiatus=HiatusRule(20, 0.1, 0.8))
    features = customer_features(
        customer_days(spark, [bought("fresh", day(-20), 5), bought("silent", day(-21), 5)]), [D]
    )
    rows = {row["customer_key"]: row for row in score(features, rule, "the_model", "2").collect()}
    assert (rows["fresh"]["churn_probability"], rows["fresh"]["risk"]) == (0.1, "low")
    assert (rows["silent"]["churn_probability"], rows["silent"]["risk"]) == (0.8, "high")
    assert (rows["fresh"]["reason_1"], rows["silent"]["reason_2"]) == (None, None)
    assert (rows["silent"]["reason_1"], rows["silent"]["reason_1_values"]) == (
        "last_purchase",
        '{"ago":21}',
    )


def test_json_keeps_the_model_exactly(trained: ChurnTraining) -> None:
    model = trained.model
    assert ChurnModel.from_json(model.to_json(), model.booster) == model
    with pytest.raises(ChurnModelError, match="has no trees"):
        ChurnModel.from_json(model.to_json())
    with pytest.raises(ChurnModelError, match="base_rate: it has no trees"):
        replace(model, kind="base_rate", booster=b"").load_booster()
