"""Scoring without Spark: every figure with its bounds, the same in any batch."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from customer360.models.lifetime_value.age_table import AgeTable
from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.fitting import fit_bg_nbd, fit_gamma_gamma
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scores_table import gathered
from customer360.models.lifetime_value.scoring import (
    HORIZONS,
    LEAVING_FIGURES,
    KnownScores,
    LifetimeValueModel,
    frozen,
    predictive_intervals,
)
from customer360_tests.models.data import cdnow_calibration
from customer360_tests.models.simulated import SPEND

FIGURES = [
    "probability_alive",
    *(f"expected_purchases_{days}d" for days in HORIZONS),
    *(f"expected_revenue_{days}d" for days in HORIZONS),
    "expected_order_value",
    "discounted_value_12m",
    "discounted_residual_value",
]
BG_NBD = BgNbd(0.243, 4.414, 0.793, 2.426)
MODELS: list[BgNbd | MbgNbd | ParetoNbd] = [
    BG_NBD,
    MbgNbd(0.525, 6.183, 0.891, 1.614),
    ParetoNbd(0.553, 10.578, 0.606, 11.669),
]
HISTORIES = pd.DataFrame(
    {
        "frequency": [0, 0, 2, 7, 400, 10_000],
        "recency": [0, 0, 213, 20, 700, 18_000],
        "T": [0, 300, 272, 400, 729, 18_250],
        "monetary_value": [0.0, 0.0, 20.0, 99.0, 35.5, 1.0],
    }
)


@pytest.fixture(scope="module")
def cdnow() -> LifetimeValueModel:
    frame = cdnow_calibration().assign(customers=1)
    often, much = fit_bg_nbd(frame), fit_gamma_gamma(frame)
    return LifetimeValueModel(
        7, often.model, much.model, 35.0, 0.1, frozen(often.covariance), frozen(much.covariance)
    )


def covered(model: BgNbd | MbgNbd | ParetoNbd) -> LifetimeValueModel:
    """With standard errors of 5 % on every parameter."""
    return LifetimeValueModel(
        7, model, SPEND, 35.0, 0.1, frozen(np.eye(4) * 0.0025), frozen(np.eye(3) * 0.0025)
    )


@pytest.mark.parametrize("model", MODELS)
def test_estimates_lie_within_their_bounds_and_bounds_are_in_order(
    model: BgNbd | MbgNbd | ParetoNbd,
) -> None:
    found = covered(model).predict(HISTORIES)
    bounded = [f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high")]
    assert list(found) == [*bounded, *LEAVING_FIGURES]
    assert np.isfinite(found.to_numpy()).all()
    assert (found >= 0).all(axis=None)
    for name in ("probability_alive", "expected_order_value"):
        assert (found[f"{name}_low"] <= found[name]).all()
        assert (found[name] <= found[f"{name}_high"]).all()
    # Where a customer's own figure lies need not hold its mean: most may buy nothing at all.
    for name in FIGURES:
        assert (found[f"{name}_low"] <= found[f"{name}_high"]).all(), name
    assert found["probability_alive_high"].max() <= 1


@pytest.mark.parametrize("model", MODELS)
def test_figures_are_the_models_own(model: BgNbd | MbgNbd | ParetoNbd) -> None:
    """Interpolated over T, they agree with the formulas to nine digits."""
    found = covered(model).predict(HISTORIES)
    history = (HISTORIES["frequency"], HISTORIES["recency"] / 7, HISTORIES["T"] / 7)
    value = SPEND.expected_order_value(HISTORIES["frequency"], HISTORIES["monetary_value"])
    for days in HORIZONS:
        expected = model.expected_purchases(days / 7, *history)
        assert found[f"expected_purchases_{days}d"].tolist() == pytest.approx(expected, rel=1e-9)
        assert found[f"expected_revenue_{days}d"].tolist() == pytest.approx(
            expected * value, rel=1e-9
        )
    rate = np.log(1.10) / 365 * 7
    residual = model.discounted_residual_purchases(rate, *history)
    assert found["discounted_residual_value"].tolist() == pytest.approx(residual * value, rel=1e-9)
    # The rest of a life is worth more than its next year, month ends or not.
    assert (found["discounted_residual_value"] >= found["discounted_value_12m"]).all()


def test_a_customer_of_cdnow(cdnow: LifetimeValueModel) -> None:
    """x 2, t_x 30.43, T 38.86 weeks: alive .72662 (recomputed independently); bounds by draws."""
    row = pd.DataFrame({"frequency": [2], "recency": [213], "T": [272], "monetary_value": [20.0]})
    found = cdnow.predict(row).iloc[0]
    assert found["probability_alive"] == pytest.approx(0.72662, abs=1e-4)
    assert cdnow.purchases is not None
    random = np.random.default_rng(0)
    draws = random.multivariate_normal(
        cdnow.purchases.log_parameters, np.asarray(cdnow.purchases_covariance), 4000
    )
    models = [BgNbd.of_log_parameters(draw) for draw in draws]
    alive = [float(one.probability_alive(2, 213 / 7, 272 / 7)) for one in models]
    low, high = np.quantile(alive, [0.05, 0.95])
    assert found["probability_alive_low"] == pytest.approx(low, abs=0.005)
    assert found["probability_alive_high"] == pytest.approx(high, abs=0.005)


def test_what_is_certain_stays_certain(cdnow: LifetimeValueModel) -> None:
    """BG/NBD's one-time buyers are alive by definition, whatever the parameters."""
    found = cdnow.predict(HISTORIES.iloc[[1]]).iloc[0]
    assert found["probability_alive"] == 1
    assert found["probability_alive_low"] == 1
    assert found["probability_alive_high"] == 1


def test_bounds_by_hand() -> None:
    """A customer alive for sure with a known rate of one in 365 days: Poisson.

    P(0) = .368, P(<= 1) = .736, P(<= 2) = .920: nothing lies below 0, and 2 leaves 8 % above.
    """
    poisson = ParetoNbd(r=1e9, alpha=1e9 * 365 / 7, s=1e-12, beta=1e12)
    row = pd.DataFrame({"frequency": [0], "recency": [0], "T": [10], "monetary_value": [0.0]})
    found = LifetimeValueModel(7, poisson, None, mean_order_value=10.0).predict(row).iloc[0]
    assert found["expected_purchases_365d"] == pytest.approx(1, rel=1e-6)
    assert found["expected_purchases_365d_low"] == 0
    assert found["expected_purchases_365d_high"] == 2
    assert found["expected_revenue_365d_high"] == 20
    # Twenty a year: 12 at least with 97.9 %, 13 with 96.1 %, 14 with 93.4 %; below 13 lie 3.9 %,
    # and above 26 7.8 % would be too many: 27 leaves 5.2 %.
    poisson = ParetoNbd(r=1e9, alpha=1e9 * 365 / 7 / 20, s=1e-12, beta=1e12)
    found = LifetimeValueModel(7, poisson, None, mean_order_value=10.0).predict(row).iloc[0]
    assert found["expected_purchases_365d_low"] == 13
    assert found["expected_purchases_365d_high"] == 27


def test_batches_do_not_change_a_figure(cdnow: LifetimeValueModel) -> None:
    frame = cdnow_calibration().reset_index(drop=True)
    whole, known = cdnow.predict(frame), KnownScores(cdnow)
    batches = [cdnow.predict(frame.iloc[i : i + 700], known) for i in (1400, 0, 2100, 700)]
    pd.testing.assert_frame_equal(pd.concat(batches).sort_index(), whole, check_exact=True)


def test_without_a_covariance_estimates_have_no_bounds_but_outcomes_do() -> None:
    found = LifetimeValueModel(7, BG_NBD, SPEND, 35.0).predict(HISTORIES)
    assert found["probability_alive_low"].isna().all()
    assert found["expected_order_value_high"].isna().all()
    for outcome in ("expected_purchases_365d", "discounted_value_12m", "discounted_residual_value"):
        assert found[f"{outcome}_high"].notna().all(), outcome


def test_the_fallback_knows_no_bounds() -> None:
    found = LifetimeValueModel(7, None, None, 35.0).predict(HISTORIES)
    assert found["probability_alive"].isna().all()
    assert found["expected_purchases_365d"].iloc[2] == pytest.approx(2 / 272 * 365)
    assert found.filter(regex="_(low|high)$").isna().all(axis=None)
    assert found["discounted_residual_value"].isna().all()


def test_residual_value_without_discounting_is_unknown() -> None:
    """With a below 1 the expected number of purchases of a life is infinite."""
    free = LifetimeValueModel(7, BG_NBD, SPEND, 35.0, annual_discount_rate=0.0)
    found = free.predict(HISTORIES)
    assert found.filter(like="discounted_residual_value").isna().all(axis=None)
    year, revenue = (
        found[f"{name}_high"] for name in ("discounted_value_12m", "expected_revenue_365d")
    )
    assert year.tolist() == pytest.approx(revenue.tolist())


@pytest.mark.parametrize("model", MODELS)
def test_json_keeps_kind_and_covariance(model: BgNbd | MbgNbd | ParetoNbd) -> None:
    whole = covered(model)
    restored = LifetimeValueModel.from_json(whole.to_json())
    assert restored == whole
    assert type(restored.purchases) is type(model)
    assert json.loads(whole.to_json())["purchases"]["kind"] == model.kind


def test_json_of_before_there_were_kinds_is_bg_nbd() -> None:
    """As versions up to 0.1.0 wrote it."""
    text = json.dumps(
        {
            "time_unit_days": 7,
            "purchases": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
            "values": {"p": 6.25, "q": 3.74, "v": 15.44},
            "mean_order_value": 35.0,
            "annual_discount_rate": 0.1,
        }
    )
    assert LifetimeValueModel.from_json(text) == LifetimeValueModel(
        7, BG_NBD, GammaGamma(6.25, 3.74, 15.44), 35.0
    )


@pytest.mark.parametrize("x", [0, 3, 50])
def test_interpolation_over_age_is_exact_to_nine_digits(x: int) -> None:
    model, ages = BG_NBD, np.array([0, 1, 13, 29, 30, 31, 365, 2000])

    def function(frequency: np.ndarray, age_days: np.ndarray) -> np.ndarray:
        return model.expected_purchases_if_alive(52, frequency, age_days / 7)[:, None]

    table = AgeTable(function, 7 * model.alpha)
    frequency = np.full(len(ages), x)
    assert table.at(frequency, ages) == pytest.approx(
        function(frequency.astype(float), ages.astype(float)), rel=1e-10
    )


def test_intervals_of_any_horizon_are_those_of_predict(cdnow: LifetimeValueModel) -> None:
    found, predicted = predictive_intervals(cdnow, HISTORIES, 90), cdnow.predict(HISTORIES)
    for name in ("purchases", "revenue"):
        for end in ("low", "high"):
            assert found[f"{name}_{end}"].tolist() == pytest.approx(
                predicted[f"expected_{name}_90d_{end}"].tolist()
            )
    shorter = predictive_intervals(cdnow, HISTORIES, 45)
    assert (shorter["purchases_high"] <= found["purchases_high"]).all()


@pytest.mark.parametrize("purchases", [*MODELS, None])
def test_without_intervals_the_figures_are_the_same(
    purchases: BgNbd | MbgNbd | ParetoNbd | None,
) -> None:
    model = covered(purchases) if purchases else LifetimeValueModel(7, None, None, 35.0)
    whole = model.predict(HISTORIES)
    figures = model.figures(HISTORIES, KnownScores(model, intervals=False))
    assert list(figures) == [name for name in whole.columns if not name.endswith(("_low", "_high"))]
    for name, values in figures.items():
        np.testing.assert_array_equal(values, whole[name].to_numpy(), err_msg=name)


def test_batches_are_gathered_until_they_are_large_enough() -> None:
    sizes = (3, 4, 1, 5, 2)
    rows = [pa.RecordBatch.from_pydict({"n": list(range(size))}) for size in sizes]
    found = list(gathered(iter(rows), 5))
    assert [batch.num_rows for batch in found] == [7, 6, 2]
    assert [n for batch in found for n in batch["n"].to_pylist()] == [
        n for size in sizes for n in range(size)
    ]
