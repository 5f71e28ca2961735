"""Training, judging and scoring lifetime value through Spark, on CDNOW and on very little data."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from customer360.gold.customer_features import customer_features
from customer360.models.baselines import NaiveRules
from customer360.models.examples import made_up_customers
from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.blend import Blend
from customer360.models.lifetime_value.cells import value_cells
from customer360.models.lifetime_value.fitting import fit_gamma_gamma
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.scores_table import score
from customer360.models.lifetime_value.scoring import (
    MODEL_FEATURES,
    KnownScores,
    LifetimeValueModel,
    frozen,
)
from customer360.models.lifetime_value.training import LifetimeValueTraining, train
from customer360.models.notes import Note, in_english
from customer360_tests.gold.frames import bought, customer_days, returned
from customer360_tests.models.data import (
    CALIBRATION_END,
    HOLDOUT_END,
    cdnow_calibration,
    cdnow_customer_days,
    cdnow_days,
)

MODEL = LifetimeValueModel(
    time_unit_days=7,
    purchases=BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426),
    values=GammaGamma(p=6.25, q=3.74, v=15.44),
    mean_order_value=35.0,
    purchases_covariance=frozen(np.diag([0.0027, 0.0073, 0.055, 0.085])),
    values_covariance=frozen(np.diag([0.01, 0.006, 0.03])),
)
FALLBACK = LifetimeValueModel(7, None, None, mean_order_value=35.0)
HISTORIES = pd.DataFrame(
    {
        "frequency": [0, 2, 400, 10_000],
        "recency": [0, 213, 700, 18_000],
        "T": [0, 272, 729, 18_250],
        "monetary_value": [0.0, 20.0, 35.5, 1.0],
    }
)


@pytest.fixture(scope="module")
def cdnow(spark: SparkSession) -> LifetimeValueTraining:
    """As published: calibrated on the first 39 weeks, held out the next 39."""
    return train(
        cdnow_customer_days(spark),
        HOLDOUT_END,
        model="bg_nbd",
        holdout_days=273,
    )


def test_training_on_cdnow_gives_the_published_parameters(cdnow: LifetimeValueTraining) -> None:
    """Fader, Hardie and Lee 2005; Hardie note 025; through Spark's cells."""
    assert cdnow.status == "trained"
    assert cdnow.calibration_as_of == date(1997, 9, 30)
    published = {
        "calibration_r": 0.242595,
        "calibration_alpha": 4.413602,
        "calibration_a": 0.792922,
        "calibration_b": 2.425907,
        "calibration_p": 6.249572,
        "calibration_q": 3.744225,
        "calibration_v": 15.443524,
    }
    found = {name: cdnow.parameters[name] for name in published}
    assert found == pytest.approx(published, rel=2e-5)
    assert cdnow.metrics["calibration_bg_nbd_log_likelihood"] == pytest.approx(-9582.429, abs=1e-3)
    assert cdnow.metrics["calibration_customers"] == 2357
    assert cdnow.metrics["calibration_repeat_buyers"] == 946


def test_the_published_model_is_refitted_to_everything(cdnow: LifetimeValueTraining) -> None:
    assert cdnow.calibration_model is not None
    assert cdnow.model.purchases != cdnow.calibration_model.purchases
    assert cdnow.parameters["r"] != cdnow.parameters["calibration_r"]
    assert cdnow.metrics["repeat_buyers"] > 946


def test_the_model_is_chosen_before_the_holdout(
    spark: SparkSession, cdnow: LifetimeValueTraining
) -> None:
    """Purchase models alone and rules are judged beside it on the same customers, pair by pair."""
    found = train(cdnow_customer_days(spark), HOLDOUT_END)
    # The last quarter of the 273 days before the holdout.
    assert found.parameters["validation_as_of"] == "1997-07-24"
    assert found.parameters["validation_days"] == 68
    assert found.calibration_model is not None
    chosen = found.calibration_model.purchases
    assert chosen is not None
    assert found.model.purchases is not None
    assert found.model.purchases.kind == chosen.kind
    assert found.metrics["purchases_rmse"] < 1.61
    own = found.metrics.get("candidate_bg_nbd_purchases_rmse", cdnow.metrics["purchases_rmse"])
    assert own == pytest.approx(cdnow.metrics["purchases_rmse"])
    # Nothing is better beyond the interval, in what it was chosen by.
    for other in ("past_average", "population_average", "last_year", "hiatus_rule"):
        for figure in ("rmse", "normalized_gini"):
            for amount in ("purchases", "revenue"):
                assert found.metrics[f"paired_{other}_{amount}_{figure}_low"] <= 0, other
    assert 0.85 < found.metrics["purchases_coverage"] <= 1
    assert 0.85 < found.metrics["revenue_coverage"] <= 1
    # What is expected by the published model, with or without rules, is in the registry's example.
    assert found.sample.columns.tolist() == list(found.model.features)
    # Published: Pareto/NBD in the BTYD vignette, MBG/NBD in the tests of lifetimes.
    for name, value in {
        "pareto_nbd_r": 0.553277,
        "pareto_nbd_alpha": 10.57768,
        "pareto_nbd_s": 0.60624,
        "pareto_nbd_beta": 11.66873,
        "mbg_nbd_r": 0.524843,
        "mbg_nbd_alpha": 6.183085,
        "mbg_nbd_a": 0.891359,
        "mbg_nbd_b": 1.614002,
    }.items():
        assert found.parameters[f"calibration_{name}"] == pytest.approx(value, rel=2e-3), name


def test_holdout_figures_are_the_recomputed_ones(cdnow: LifetimeValueTraining) -> None:
    """1,653.4 against 1,882; MAE .7855, RMSE 1.608, correlation .6256: recomputed independently."""
    found = cdnow.metrics
    assert found["purchases_total_expected"] == pytest.approx(1653.4, abs=0.1)
    assert found["purchases_total_actual"] == 1882
    assert found["purchases_mae"] == pytest.approx(0.7855, abs=1e-4)
    assert found["purchases_rmse"] == pytest.approx(1.608, abs=1e-3)
    assert found["purchases_correlation"] == pytest.approx(0.6256, abs=1e-4)


def test_holdout_by_frequency_is_the_published_table(cdnow: LifetimeValueTraining) -> None:
    table = cdnow.tables["purchases_by_frequency"]
    assert table["frequency"].tolist() == list(range(8))
    assert table["customers"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    actual = [0.2367, 0.6970, 1.3925, 1.56, 2.5323, 2.9474, 3.8621, 6.3594]
    model = [0.2251, 0.5231, 1.0441, 1.5203, 2.1638, 2.6538, 3.5040, 6.1570]
    assert table["actual"].tolist() == pytest.approx(actual, abs=1e-4)
    assert table["model"].tolist() == pytest.approx(model, rel=2e-4)


def test_baselines_stand_beside_the_model(cdnow: LifetimeValueTraining) -> None:
    for amount in ("purchases", "revenue"):
        assert 0 < cdnow.metrics[f"{amount}_spearman"] < 1
        assert 0 < cdnow.metrics[f"{amount}_normalized_gini"] < 1
        assert 0.1 < cdnow.metrics[f"{amount}_top_decile_capture"] < 1
        for figure in ("mae", "rmse", "bias", "total_expected"):
            assert f"{amount}_{figure}" in cdnow.metrics
            for baseline in ("past_average", "population_average", "last_year", "hiatus_rule"):
                assert f"baseline_{baseline}_{amount}_{figure}" in cdnow.metrics
    # A known result on this data: the past average is far too high.
    ratio = cdnow.metrics["baseline_past_average_purchases_total_ratio"]
    assert ratio > 1.5 > cdnow.metrics["purchases_total_ratio"]


def test_naive_rules_on_cdnow_are_those_of_pandas(cdnow: LifetimeValueTraining) -> None:
    """By hand from the raw rows: gaps, silence, and purchases of the 273 days there are."""
    days, rows = cdnow_days(), cdnow_calibration()
    seen = days[days["on"] <= CALIBRATION_END].sort_values(["id", "on"])
    gaps = seen["on"].map(date.toordinal).groupby(seen["id"]).diff().dropna()
    threshold = float(np.quantile(gaps, 0.9, method="inverted_cdf"))
    assert cdnow.parameters["baseline_hiatus_rule_days"] == threshold == 128
    past = rows["frequency"] / rows["T"].clip(lower=30) * 273
    active = rows["T"] - rows["recency"] <= threshold
    # The history is 272 days: the purchases of the last year are all there are.
    for name, expected in {
        "hiatus_rule": past.where(active, 0.0),
        "last_year": (rows["frequency"] + 1) * 273 / 272,
    }.items():
        error = expected - rows["holdout"]
        found = {
            figure: cdnow.metrics[f"baseline_{name}_purchases_{figure}"]
            for figure in ("mae", "rmse", "bias")
        }
        wanted = {
            "mae": error.abs().mean(),
            "rmse": float(np.sqrt((error**2).mean())),
            "bias": error.mean(),
        }
        assert found == pytest.approx(wanted)
    # Neither is as good as BG/NBD here, and last year's purchases are far too many.
    assert cdnow.metrics["purchases_mae"] < 0.8 < found["mae"]


def test_tracking_ends_at_the_published_totals(cdnow: LifetimeValueTraining) -> None:
    """2,457 and 4,339 actual (BTYD vignette), 2,494.0 and 4,160.6 by BG/NBD (recomputed)."""
    found = {
        name: cdnow.metrics[f"tracking_{name}"]
        for name in (
            "calibration_actual",
            "calibration_expected",
            "holdout_actual",
            "holdout_expected",
        )
    }
    assert found["calibration_actual"] == 2457
    assert found["holdout_actual"] == 4339
    assert found["calibration_expected"] == pytest.approx(2494.0, abs=0.05)
    assert found["holdout_expected"] == pytest.approx(4160.6, abs=0.05)
    weeks = cdnow.tables["tracking"].set_index("week")
    assert weeks.index.tolist() == list(range(1, 79))
    assert weeks.loc[[39, 52, 78], "cumulative_actual"].tolist() == [2457, 3183, 4339]
    assert weeks.loc[[39, 40], "holdout"].tolist() == [False, True]


def test_every_plot_an_analyst_expects_is_drawn(cdnow: LifetimeValueTraining) -> None:
    assert set(cdnow.plots) == {
        "tracking_weekly",
        "tracking_cumulative",
        "purchases_by_frequency",
        "purchases_by_recency",
        "frequency_histogram",
        "buyers_by_probability_alive",
        "revenue_by_decile",
        "probability_alive",
    }
    assert all(png.startswith(b"\x89PNG") for png in cdnow.plots.values())
    # What is drawn adds up to the holdout: 1,882 purchases of 2,357 customers.
    for name in ("purchases_by_frequency", "purchases_by_recency"):
        table = cdnow.tables[name]
        assert table["customers"].sum() == 2357
        assert table["actual"] @ table["customers"] == pytest.approx(1882)
        assert table["model"] @ table["customers"] == pytest.approx(1653.4, abs=0.1)
    # Under BG/NBD all 1,411 one-time buyers are alive for certain; 193 of them came back.
    certain = cdnow.tables["buyers_by_probability_alive"].iloc[-1]
    assert (certain["customers"], certain["probability_alive"]) == (1411, 1)
    rows = cdnow_calibration()
    once = rows[rows["frequency"] == 0]
    assert certain["bought"] == pytest.approx((once["holdout"] > 0).mean())
    assert 0 < cdnow.metrics["buyers_calibration_error"] < 0.1


def test_what_happens_after_the_as_of_date_changes_nothing(spark: SparkSession) -> None:
    days = cdnow_customer_days(spark)
    later = customer_days(spark, [bought("4", "1998-04-15", 999), bought("9", "1998-06-30", 1)])
    as_of = date(1998, 3, 31)
    before = days.where(days["business_date"] <= as_of)
    alone = train(before, as_of)
    with_future = train(before.unionByName(later), as_of)
    assert with_future.model == alone.model
    assert with_future.metrics == alone.metrics
    shortened = "holdout shortened from 273 to 227 days: half of the history"
    assert shortened in in_english(alone.notes)


def test_spend_that_depends_on_frequency_falls_back(spark: SparkSession) -> None:
    """Who buys ten times pays ten times as much: Gamma-Gamma would publish nonsense."""
    start, random = date(2024, 1, 1), np.random.default_rng(11)
    scale = 1 / random.gamma(4, 1 / 15, 400)
    rows = [
        bought(
            f"c{c}",
            start + timedelta(days=c % 40 + 11 * k),
            str(round(random.gamma(6) * scale[c] * (1 + c % 10), 2)),
        )
        for c in range(400)
        for k in range(1 + c % 10)
    ]
    found = train(customer_days(spark, rows), date(2024, 12, 31))
    assert found.model.values is None
    assert "Gamma-Gamma assumes that spend does not depend on frequency" in in_english(
        found.because
    )
    assert "each customer's mean order value is used instead" in in_english(found.because)
    assert not found.trained


def test_customers_who_never_leave_fall_back_to_what_can_be_fitted(spark: SparkSession) -> None:
    """Every purchase model runs to its boundary: the rules that were nearest are stated instead."""
    start = date(2024, 1, 1)
    rows = [
        bought(f"c{c}", (start + timedelta(days=int(day))).isoformat(), 20 + c % 9)
        for c in range(300)
        for day in np.unique(np.concatenate([[0], np.arange(c % 9 + 4, 360, 8 + c % 30)]))
    ]
    found = train(customer_days(spark, rows), start + timedelta(days=360))
    assert found.model.purchases is None
    assert found.status == "fallback"
    assert any(each in in_english(found.because) for each in ("boundary", "no leaving"))
    assert found.model.blend
    for weights in (found.model.blend.purchases, found.model.blend.revenue):
        assert sum(weights.values()) == pytest.approx(1)
        assert weights["past_average"] > 0.8
    assert re.search("expected purchases: .*“Own past average”.* alone", in_english(found.notes))
    assert "is carried on instead" not in in_english(found.because)


def test_steps_of_spend_give_the_parameters_of_every_spend(spark: SparkSession) -> None:
    random = np.random.default_rng(8)
    x = random.geometric(0.3, 30_000)
    spend = random.gamma(6.25 * x) / random.gamma(3.74, 1 / 15.44, len(x)) / x
    frame = pd.DataFrame({"frequency": x, "monetary_value": spend.round(2)}).assign(
        as_of=HOLDOUT_END
    )
    features = spark.createDataFrame(frame)
    exact, steps = (
        value_cells(features, exact=each).toArrow().to_pandas() for each in (True, False)
    )
    assert exact["customers"].sum() == steps["customers"].sum() == len(x)
    assert len(steps) < 0.6 * len(exact)
    one, other = fit_gamma_gamma(exact), fit_gamma_gamma(steps)
    assert other.model.log_parameters == pytest.approx(one.model.log_parameters, abs=1e-5)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-6)


def test_scores_of_every_history_are_bounded() -> None:
    found = MODEL.predict(HISTORIES)
    assert np.isfinite(found.to_numpy()).all()
    assert found["probability_alive"].between(0, 1).all()
    assert (found >= 0).all(axis=None)
    # One-time buyers are alive by BG/NBD's definition, and expected to spend the population mean.
    assert found["probability_alive"][0] == 1
    assert found["expected_order_value"][0] == pytest.approx(6.25 * 15.44 / 2.74)
    revenue = found["expected_purchases_365d"] * found["expected_order_value"]
    assert found["expected_revenue_365d"].tolist() == pytest.approx(revenue.tolist())


def test_discounting_is_by_month_at_the_stated_rate() -> None:
    free = LifetimeValueModel(
        7, MODEL.purchases, MODEL.values, mean_order_value=35.0, annual_discount_rate=0.0
    ).predict(HISTORIES)
    assert free["discounted_value_12m"].tolist() == pytest.approx(
        free["expected_revenue_365d"].tolist()
    )
    dear = MODEL.predict(HISTORIES)
    share = dear["discounted_value_12m"] / dear["expected_revenue_365d"]
    # All of it at the end of the first month at best, at the end of the year at worst.
    assert share.between(1.10**-1, 1.10 ** (-1 / 12)).all()
    # A constant rate, a twelfth each month: the mean of the twelve discount factors.
    steady = FALLBACK.predict(HISTORIES.iloc[[1]])
    factor = np.mean([1.10 ** (-month / 12) for month in range(1, 13)])
    assert steady["discounted_value_12m"].item() == pytest.approx(2 / 272 * 365 * 20 * factor)


def test_reused_expectations_are_the_same_as_fresh_ones() -> None:
    assert MODEL.purchases is not None
    known = KnownScores(MODEL)
    for batch in (HISTORIES.iloc[:2], HISTORIES.iloc[::-1], HISTORIES):
        pd.testing.assert_frame_equal(MODEL.predict(batch, known), MODEL.predict(batch))


@pytest.mark.parametrize("model", [MODEL, FALLBACK])
def test_json_keeps_the_model_exactly(model: LifetimeValueModel) -> None:
    assert LifetimeValueModel.from_json(model.to_json()) == model


def test_score_gives_every_customer_a_row(spark: SparkSession) -> None:
    """In Spark the same figures as in memory; the fallback's unknown probability is null."""
    days = customer_days(
        spark,
        [
            bought("once", "2024-01-01", 10),
            bought("twice", "2024-01-01", 10),
            bought("twice", "2024-02-01", "30.50"),
        ],
    )
    features = customer_features(days, [date(2024, 3, 1)])
    scores = score(features, MODEL, "the_model", "3").toPandas().set_index("customer_key")
    inputs = features.toPandas().set_index("customer_key").loc[scores.index]
    expected = MODEL.predict(inputs)
    for column in expected:
        assert scores[column].tolist() == pytest.approx(expected[column].tolist())
    assert set(scores.index) == {"once", "twice"}
    assert set(scores["as_of"]) == {date(2024, 3, 1)}
    assert set(scores["model_version"]) == {"3"}

    alone = score(features, MODEL, "the_model", "3", intervals=False)
    for row in alone.collect():
        for column in expected.columns:
            known = scores.loc[row["customer_key"], column]
            assert row[column] == (None if column.endswith(("_low", "_high")) else known)

    rough = {
        row["customer_key"]: row for row in score(features, FALLBACK, "the_model", "4").collect()
    }
    assert rough["once"]["probability_alive"] is None
    assert rough["once"]["expected_purchases_365d"] == 0
    assert rough["once"]["expected_order_value"] == 35
    assert rough["twice"]["expected_order_value"] == 30.5
    assert rough["twice"]["expected_revenue_365d"] == pytest.approx(365 / 60 * 30.5)


def test_rules_are_scored_by_what_the_business_is_old_by_then(spark: SparkSession) -> None:
    """Made when it was 30 days old, asked when it is 60: its 60 days are the last year."""
    days = customer_days(
        spark, [bought("twice", "2024-01-01", 10), bought("twice", "2024-02-01", "30.50")]
    )
    features = customer_features(days, [date(2024, 3, 1)])
    rules = NaiveRules(1, 30, 0.01, 30.0, 100)
    model = replace(MODEL, blend=Blend.of({"last_year": 0.5}, {"last_year": 1.0}, rules))
    (row,) = score(features, model, "the_model", "3").collect()
    (alone,) = score(features, MODEL, "the_model", "3").collect()
    assert row["expected_revenue_365d"] == pytest.approx(40.5 / 60 * 365)
    assert row["expected_purchases_365d"] == pytest.approx(
        alone["expected_purchases_365d"] / 2 + 2 / 60 * 365 / 2
    )
    assert row["probability_alive"] == alone["probability_alive"]


def test_too_little_data_falls_back_and_says_so(spark: SparkSession) -> None:
    start = date(2024, 1, 1)
    rows = [bought(f"c{n}", start + timedelta(days=n), 20) for n in range(30)]
    rows += [bought("c1", "2024-03-01", 40), returned("c2", "2024-03-02", 20)]
    found = train(customer_days(spark, rows), date(2024, 3, 31))
    assert in_english(found.because).startswith(
        "BG/NBD needs 50 customers who came back, there are 1"
    )
    assert "past average" in in_english(found.because)
    assert "mean order value" in in_english(found.because)
    assert not found.trained
    assert found.model.kind == "past_average+mean_order_value"
    # 30 sales of 20 and one of 40, less a refund of 20, over 31 purchase days.
    assert found.model.mean_order_value == pytest.approx(620 / 31)
    assert found.metrics["purchases_total_actual"] == 1
    assert found.sample.equals(made_up_customers(MODEL_FEATURES))  # and nobody's row


def test_no_data_at_all_is_a_fallback_too(spark: SparkSession) -> None:
    found = train(customer_days(spark, []), date(2024, 3, 31))
    assert found.status == "fallback"
    assert found.calibration_as_of is None
    assert Note("not_validated", {"history": 0}) in found.notes
    assert found.metrics["customers"] == 0
