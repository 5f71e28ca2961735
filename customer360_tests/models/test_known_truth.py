"""Proofs by data whose truth is known, large enough to be sharp: `make prove` runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from customer360.models.churn.training import train_on_rows
from customer360.models.evaluation import probability_metrics
from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.fitting import (
    Fit,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_pareto_nbd,
)
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scoring import LifetimeValueModel, frozen
from customer360.models.sampling import DatedRows
from customer360_tests.models.churn_rows import AS_OF, GRID, WINDOWS, dated, labelled
from customer360_tests.models.simulated import SPEND, simulated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3_600)]

TRUTHS: list[tuple[BgNbd | MbgNbd | ParetoNbd, Callable[..., Fit[Any]]]] = [
    (BgNbd(0.243, 4.414, 0.793, 2.426), fit_bg_nbd),
    (MbgNbd(0.525, 6.183, 0.891, 1.614), fit_mbg_nbd),
    (ParetoNbd(0.553, 10.578, 0.606, 11.669), fit_pareto_nbd),
]
SEEDS = range(20)


def assert_errors_are_standard(truth: Any, fits: list[Fit[Any]]) -> None:
    """Errors over standard errors: all below 4, mean near 0, spread near 1.

    Of twenty normal ones the mean is within 0.75 and the spread within 0.5 and 1.6, but once in a
    thousand; one in 16,000 is beyond 4.
    """
    for name in truth.names():
        z = np.array(
            [
                (getattr(f.model, name) - getattr(truth, name)) / f.standard_errors[name]
                for f in fits
            ]
        )
        assert np.abs(z).max() < 4, (name, z)
        assert np.mean(np.abs(z) < 3) >= 0.95, (name, z)
        assert abs(z.mean()) < 0.75, (name, z)
        assert 0.5 < z.std() < 1.6, (name, z)


@pytest.mark.parametrize(("truth", "fit"), TRUTHS, ids=lambda one: getattr(one, "kind", ""))
def test_parameters_are_found_again(
    truth: BgNbd | MbgNbd | ParetoNbd, fit: Callable[..., Fit[Any]]
) -> None:
    """Times of purchases to the hour: on a grid of days purchases merge, which biases alpha."""
    made = [
        simulated(truth, 20_000, seed, ticks=168, youngest=13 * 168, oldest=52 * 168).cells
        for seed in SEEDS
    ]
    assert_errors_are_standard(truth, [fit(cells, time_unit_days=168) for cells in made])


def test_spend_is_found_again() -> None:
    truth, fits = GammaGamma(6.25, 3.74, 15.44), []
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        x = random.geometric(0.3, 20_000)
        value = random.gamma(truth.p * x) / random.gamma(truth.q, 1 / truth.v, len(x)) / x
        fits.append(
            fit_gamma_gamma(pd.DataFrame({"frequency": x, "monetary_value": value, "customers": 1}))
        )
    assert_errors_are_standard(truth, fits)


@pytest.mark.parametrize(("truth", "fit"), TRUTHS, ids=lambda one: getattr(one, "kind", ""))
def test_intervals_of_fitted_models_hold_90_percent(
    truth: BgNbd | MbgNbd | ParetoNbd, fit: Callable[..., Fit[Any]]
) -> None:
    """Forty shops of 1,000 customers: purchases and revenue of the next year, 85 to 95 %.

    Of all customers, and of those of whom a purchase or more is expected: the many of whom nearly
    nothing is expected do not hide the others.
    """
    held: dict[str, list[float]] = {}
    for seed in range(40):
        data = simulated(truth, 1_000, seed, ticks=7, youngest=100, oldest=365, horizon=365)
        often = fit(data.cells)
        much = fit_gamma_gamma(data.features.query("frequency > 0").assign(customers=1))
        model = LifetimeValueModel(
            7,
            often.model,
            much.model,
            SPEND.population_mean,
            0.1,
            frozen(often.covariance),
            frozen(much.covariance),
        )
        found = model.predict(data.features)
        active = found["expected_purchases_365d"] > 1
        for name, came in (("purchases", data.purchases), ("revenue", data.revenue)):
            low, high = (found[f"expected_{name}_365d_{end}"] for end in ("low", "high"))
            inside = (low <= came) & (came <= high)
            held.setdefault(name, []).append(inside.mean())
            held.setdefault(f"{name} of active customers", []).append(inside[active].mean())
    for name, shares in held.items():
        assert 0.85 <= np.mean(shares) <= 0.95, name


def test_churn_probabilities_of_200_000_customers_are_calibrated() -> None:
    """Taught by 50,000 customers a date, judged on 200,000 others drawn by the same truth."""
    trained = train_on_rows(DatedRows.of(dated(50_000, seed=1), GRID), WINDOWS, AS_OF)
    assert trained.status == "trained"
    assert trained.metrics["test_calibration_error"] < 0.02
    fresh = labelled(200_000, seed=99)
    figures = probability_metrics(fresh["churned"], trained.model.probabilities(fresh))
    assert figures["calibration_error"] < 0.02
