"""The whole customer base: totals are sums over customers, and weeks lie within their bounds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.customer_base import forecast
from customer360.models.lifetime_value.fitting import fit_bg_nbd, fit_gamma_gamma
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.maximise import NotFittedError
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scoring import LifetimeValueModel, frozen
from customer360_tests.models.data import cdnow_calibration


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return cdnow_calibration().assign(customers=1)


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> LifetimeValueModel:
    often, much = fit_bg_nbd(rows), fit_gamma_gamma(rows)
    return LifetimeValueModel(
        7, often.model, much.model, 36.0, 0.1, frozen(often.covariance), frozen(much.covariance)
    )


def test_the_total_of_cdnow_is_the_published_one(
    model: LifetimeValueModel, rows: pd.DataFrame
) -> None:
    """1,653.4 purchases in the 39 weeks of the holdout (recomputed); the curve falls."""
    weeks = forecast(model, rows, weeks=39).weeks
    assert weeks["purchases"].sum() == pytest.approx(1653.4, abs=0.1)
    assert weeks["purchases"].is_monotonic_decreasing
    assert weeks["week"].tolist() == list(range(1, 40))


def test_totals_are_sums_over_customers(model: LifetimeValueModel, rows: pd.DataFrame) -> None:
    scores, found = model.predict(rows), forecast(model, rows, weeks=52)
    value = scores["expected_order_value"]
    by_customer = model.expected_purchases(rows, (364.0,))[:, 0]
    assert found.weeks["purchases"].sum() == pytest.approx(by_customer.sum(), rel=1e-9)
    assert found.weeks["revenue"].sum() == pytest.approx((by_customer * value).sum(), rel=1e-9)
    assert found.equity == pytest.approx(scores["discounted_residual_value"].sum(), rel=1e-9)
    assert found.equity_low < found.equity < found.equity_high


def test_cells_of_customers_are_as_good_as_customers(
    model: LifetimeValueModel, rows: pd.DataFrame
) -> None:
    """Expected spend is linear in a customer's mean, so the cell's mean will do."""
    cells = rows.groupby(["frequency", "recency", "T"], as_index=False).agg(
        customers=("customers", "sum"), monetary_value=("monetary_value", "mean")
    )
    one, other = forecast(model, rows), forecast(model, cells)
    assert len(cells) == 1016
    for name in ("purchases", "purchases_high", "revenue"):
        assert other.weeks[name].tolist() == pytest.approx(one.weeks[name].tolist(), rel=1e-9)
    assert other.equity == pytest.approx(one.equity, rel=1e-9)


@pytest.mark.parametrize(
    "truth", [BgNbd(0.6, 5.0, 0.8, 2.5), ParetoNbd(0.553, 10.578, 0.606, 11.669)]
)
def test_weeks_lie_within_their_bounds(truth: BgNbd | ParetoNbd) -> None:
    """Futures drawn many times for the same customers, parameters known: 90 % of the weeks."""
    random, spend = np.random.default_rng(8), GammaGamma(6.25, 3.74, 15.44)
    histories = pd.DataFrame(
        {
            "frequency": [0, 1, 3, 6, 12],
            "recency": [0, 40, 150, 190, 200],
            "T": [100, 120, 200, 200, 210],
            "customers": [150, 60, 40, 30, 20],
            "monetary_value": [0.0, 30.0, 40.0, 25.0, 50.0],
        }
    )
    found = forecast(LifetimeValueModel(7, truth, spend, 35.0), histories, weeks=12).weeks
    each = histories.loc[histories.index.repeat(histories["customers"])].reset_index(drop=True)
    x, age = each["frequency"].to_numpy(), each["T"].to_numpy() / 7
    alive = truth.probability_alive(x, each["recency"].to_numpy() / 7, age)
    n, held, paid, draws = len(each), 0.0, 0.0, 300
    for _ in range(draws):
        rate = random.gamma(truth.r + x, 1 / (truth.alpha + age))
        if isinstance(truth, ParetoNbd):
            leaves = random.exponential(1 / random.gamma(truth.s, 1 / (truth.beta + age)))
            dropout = np.zeros(n)
        else:
            leaves, dropout = np.full(n, np.inf), random.beta(truth.a, truth.b + x)
        scale = random.gamma(
            spend.q + spend.p * x, 1 / (spend.v + x * each["monetary_value"].to_numpy())
        )
        living, clock = random.random(n) < alive, np.zeros(n)
        purchases, revenue = np.zeros(12), np.zeros(12)
        while living.any():
            clock[living] += random.exponential(1 / rate[living])
            living &= (clock < 12) & (clock < leaves)
            week = clock[living].astype(int)
            purchases += np.bincount(week, minlength=12)
            revenue += np.bincount(week, random.gamma(spend.p, 1 / scale[living]), minlength=12)
            living &= random.random(n) >= dropout
        inside = (found["purchases_low"] <= purchases) & (purchases <= found["purchases_high"])
        held += inside.mean() / draws
        inside = (found["revenue_low"] <= revenue) & (revenue <= found["revenue_high"])
        paid += inside.mean() / draws
    # Weeks of one draw are not independent: the noise is that of some 300 draws.
    assert 0.87 <= held <= 0.95
    assert 0.87 <= paid <= 0.95


def test_errors_of_parameters_widen_the_bounds(
    model: LifetimeValueModel, rows: pd.DataFrame
) -> None:
    known = LifetimeValueModel(7, model.purchases, model.values, 36.0)
    sure, unsure = (forecast(one, rows).weeks for one in (known, model))
    for name in ("purchases", "revenue"):
        assert sure[name].tolist() == unsure[name].tolist()
        widths = [week[f"{name}_high"] - week[f"{name}_low"] for week in (sure, unsure)]
        assert (widths[1] > widths[0]).all()
    assert np.isnan(forecast(known, rows).equity_low)


def test_new_customers_by_hand(rows: pd.DataFrame) -> None:
    """Ten in the first week only: ten first purchases, then E[X] by half weeks."""
    purchases = BgNbd(0.243, 4.414, 0.793, 2.426)
    model = LifetimeValueModel(7, purchases, None, mean_order_value=20.0)
    found = forecast(model, rows, new_customers=[10.0, 0.0, 0.0], weeks=3).weeks
    half = purchases.expected_purchases_of_new([0.5, 1.5, 2.5])
    wanted = [10 + 10 * half[0], 10 * (half[1] - half[0]), 10 * (half[2] - half[1])]
    assert found["new_purchases"].tolist() == pytest.approx(wanted)
    assert found["new_revenue"].tolist() == pytest.approx([20 * w for w in wanted])
    steady = forecast(model, rows, new_customers=10, weeks=3).weeks["new_purchases"]
    assert steady.tolist() == pytest.approx(np.cumsum(wanted).tolist())
    with pytest.raises(ValueError, match="has 2 weeks, the forecast 3"):
        forecast(model, rows, new_customers=[1.0, 2.0], weeks=3)


def test_the_fallback_has_no_forecast(rows: pd.DataFrame) -> None:
    with pytest.raises(NotFittedError, match="needs a fitted model of purchases"):
        forecast(LifetimeValueModel(7, None, None, 36.0), rows)
