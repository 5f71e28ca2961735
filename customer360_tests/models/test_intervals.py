"""Do 90 % intervals hold 90 %? Simulated customers, their past known, their future drawn."""

from __future__ import annotations

import numpy as np
import pytest

from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.fitting import fit_bg_nbd, fit_gamma_gamma
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.intervals import (
    cubature_models,
    grid_of_purchases,
    spend_models,
)
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scoring import LifetimeValueModel, frozen
from customer360_tests.models.simulated import SPEND, futures, simulated

MODELS = [
    BgNbd(0.243, 4.414, 0.793, 2.426),
    BgNbd(2.0, 6.0, 0.5, 4.0),
    MbgNbd(0.525, 6.183, 0.891, 1.614),
    ParetoNbd(0.553, 10.578, 0.606, 11.669),
]


@pytest.mark.parametrize("days", [90, 365])
@pytest.mark.parametrize("model", MODELS)
def test_intervals_hold_what_they_promise(model: BgNbd | MbgNbd | ParetoNbd, days: int) -> None:
    """Purchases: 90 % at least for every single customer by the model's own probabilities, and
    the simulated customers do as those say. Revenue: about 90 %, for its lognormal is not exact.
    Both among all customers and among those who are expected to buy.
    """
    data = simulated(model, 20_000, 3, ticks=7, youngest=1, oldest=730, horizon=days)
    features, t = data.features, days / 7
    found = LifetimeValueModel(7, model, SPEND, 35.0).predict(features)
    alive = found["probability_alive"].to_numpy()
    x, age = features["frequency"].to_numpy(), features["T"].to_numpy() / 7

    def at_least(purchases: np.ndarray) -> np.ndarray:
        chance = alive * model.survival_if_alive(purchases, t, x, age)
        return np.where(purchases > 0, chance, 1.0)

    low, high = (found[f"expected_purchases_{days}d_{end}"].to_numpy() for end in ("low", "high"))
    exact = at_least(low) - at_least(high + 1)
    assert exact.min() >= 0.90 - 1e-9
    active = found[f"expected_purchases_{days}d"].to_numpy() > 1
    inside = (low <= data.purchases) & (data.purchases <= high)
    low, high = (found[f"expected_revenue_{days}d_{end}"].to_numpy() for end in ("low", "high"))
    paid = (low <= data.revenue) & (data.revenue <= high)
    for chosen in (np.full(len(found), True), active):
        # 3.5 standard errors of a share of so many customers, to either side.
        promised = exact[chosen].mean()
        noise = 3.5 * np.sqrt(promised * (1 - promised) / chosen.sum())
        assert inside[chosen].mean() == pytest.approx(promised, abs=noise)
        assert 0.885 - noise <= paid[chosen].mean() <= 0.95 + noise


def test_intervals_of_a_small_shop_allow_for_its_estimates() -> None:
    """Fitted to 300 customers, twenty times: 90 % on average over the fits, no less."""
    truth, held, paid, narrow = BgNbd(0.6, 5.0, 0.8, 2.5), [], [], []
    for seed in range(20):
        data = simulated(truth, 300, seed, ticks=7, youngest=100, oldest=365, horizon=365)
        repeat = data.features.query("frequency > 0").assign(customers=1)
        often, much = fit_bg_nbd(data.cells), fit_gamma_gamma(repeat)
        model = LifetimeValueModel(
            7,
            often.model,
            much.model,
            35.0,
            0.1,
            frozen(often.covariance),
            frozen(much.covariance),
        )
        found = model.predict(data.features)
        low, high = (found[f"expected_purchases_365d_{end}"] for end in ("low", "high"))
        held.append(((low <= data.purchases) & (data.purchases <= high)).mean())
        least, most = (found[f"expected_revenue_365d_{end}"] for end in ("low", "high"))
        paid.append(((least <= data.revenue) & (data.revenue <= most)).mean())
        alone = LifetimeValueModel(7, often.model, much.model, 35.0).predict(data.features)
        narrow.append((high >= alone["expected_purchases_365d_high"]).mean())
    assert 0.90 <= np.mean(held) <= 0.96
    assert 0.88 <= np.mean(paid) <= 0.95
    # What is not known of the parameters widens the intervals of nearly everybody, if at all.
    assert np.mean(narrow) > 0.9


@pytest.mark.parametrize(
    "truth",
    [
        BgNbd(0.243, 4.414, 0.793, 2.426),
        MbgNbd(0.525, 6.183, 0.891, 1.614),
        ParetoNbd(0.553, 10.578, 0.606, 11.669),
    ],
)
@pytest.mark.parametrize("rate", [0.05, 0.20])
def test_discounted_values_come_to_lie_within_their_bounds(
    truth: BgNbd | MbgNbd | ParetoNbd, rate: float
) -> None:
    """Nine in ten, of all customers and of those who came back often; eighty years are a life."""
    data = futures(truth, 6_000, 3, age=365, years=80, annual_discount_rate=rate)
    found = LifetimeValueModel(7, truth, SPEND, 35.0, rate).predict(data.features)
    often = (data.features["frequency"] >= 2).to_numpy()
    for name, came in (
        ("discounted_value_12m", data.year),
        ("discounted_residual_value", data.life),
    ):
        low, high = (found[f"{name}_{end}"].to_numpy() for end in ("low", "high"))
        inside = (low <= came) & (came <= high)
        assert 0.87 <= inside.mean() <= 0.95, name
        assert 0.85 <= inside[often].mean() <= 0.95, name


def test_cubature_has_the_mean_and_the_covariance() -> None:
    random = np.random.default_rng(4)
    root = random.normal(size=(4, 4)) * 0.1
    model, covariance = BgNbd(0.243, 4.414, 0.793, 2.426), root @ root.T
    points = np.array([one.log_parameters for one in cubature_models(model, covariance)])
    assert len(points) == 8
    assert points.mean(axis=0) == pytest.approx(model.log_parameters, abs=1e-12)
    assert np.cov(points.T, bias=True) == pytest.approx(covariance, abs=1e-12)


def test_cubature_leaves_out_spend_without_a_mean() -> None:
    """q = 1.2 give or take a half: points below 1 would have a negative population mean."""
    models = spend_models(GammaGamma(6, 1.2, 15), np.diag([0.01, 0.16, 0.01]))
    assert all(one.q > 1 for one in models)
    assert len(models) == 5


def test_the_grid_is_every_number_and_then_five_percent_apart() -> None:
    grid = grid_of_purchases(np.arange(200))
    assert grid[:64].tolist() == list(range(1, 65))
    assert (np.diff(grid) > 0).all()
    assert (grid[65:] / grid[64:-1] <= 1.05 + 1 / grid[64:-1]).all()
