"""Fitting to cells: published parameters, and the guards against what cannot be fitted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.fitting import (
    Fit,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_pareto_nbd,
)
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.likelihoods import (
    BetaGeometricLikelihood,
    GammaGammaLikelihood,
    Likelihood,
    ParetoNbdLikelihood,
    PurchaseCells,
)
from customer360.models.lifetime_value.maximise import NotFittedError
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.notes import in_english
from customer360_tests.models.data import cdnow_calibration
from customer360_tests.models.simulated import simulated

FITS: tuple[Callable[..., Fit[Any]], ...] = (fit_bg_nbd, fit_mbg_nbd, fit_pareto_nbd)


def counted(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return frame.groupby(list(columns)).size().rename("customers").reset_index()


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    return counted(cdnow_calibration(), "frequency", "recency", "T")


@pytest.fixture(scope="module")
def spend() -> pd.DataFrame:
    frame = cdnow_calibration()
    return frame[frame["frequency"] > 0].assign(customers=1)


def test_mbg_nbd_finds_the_published_parameters(cells: pd.DataFrame) -> None:
    """lifetimes' tests: r .524843, alpha 6.183085, a .891359, b 1.614002; LL recomputed."""
    fit = fit_mbg_nbd(cells)
    assert fit.model.r == pytest.approx(0.524843, abs=5e-7)
    assert fit.model.alpha == pytest.approx(6.183085, abs=5e-7)
    assert fit.model.a == pytest.approx(0.891359, abs=5e-7)
    assert fit.model.b == pytest.approx(1.614002, abs=5e-7)
    assert fit.log_likelihood == pytest.approx(-9582.136, abs=5e-4)
    assert fit.status == "fitted"


def test_pareto_nbd_finds_the_published_parameters(cells: pd.DataFrame) -> None:
    """BTYD vignette: r .553277, alpha 10.57768, s .60624, beta 11.66873, LL -9594.976."""
    fit = fit_pareto_nbd(cells)
    assert fit.model.r == pytest.approx(0.553277, abs=5e-7)
    assert fit.model.alpha == pytest.approx(10.57768, abs=5e-6)
    assert fit.model.s == pytest.approx(0.60624, abs=5e-6)
    # Stated as 11.66873; the gradient vanishes at 11.668735, of which the last digit was cut.
    assert fit.model.beta == pytest.approx(11.668735, abs=5e-7)
    assert fit.log_likelihood == pytest.approx(-9594.976, abs=5e-4)
    assert set(fit.standard_errors) == {"r", "alpha", "s", "beta"}


@pytest.mark.parametrize("fit", FITS)
def test_the_fit_states_the_likelihood_of_its_parameters(
    fit: Callable[..., Fit[Any]], cells: pd.DataFrame
) -> None:
    """Sum over customers by the model's own formula, which is not the one that was maximised."""
    found = fit(cells)
    one_by_one = found.model.log_likelihood(
        cells["frequency"], cells["recency"] / 7, cells["T"] / 7
    )
    assert found.log_likelihood == pytest.approx(
        float((cells["customers"] * one_by_one).sum()), rel=1e-12
    )


def test_gamma_gamma_states_the_likelihood_of_its_parameters(spend: pd.DataFrame) -> None:
    found = fit_gamma_gamma(spend)
    one_by_one = found.model.log_likelihood(spend["frequency"], spend["monetary_value"])
    assert found.log_likelihood == pytest.approx(float(one_by_one.sum()), rel=1e-12)


@pytest.mark.parametrize("fit", FITS)
def test_the_unit_of_time_scales_times_and_nothing_else(
    fit: Callable[..., Fit[Any]], cells: pd.DataFrame
) -> None:
    weekly, daily = fit(cells, 7), fit(cells, 1)
    names = weekly.model.names()
    wanted = [
        getattr(weekly.model, name) * (7 if name in weekly.model.time_parameters else 1)
        for name in names
    ]
    assert [getattr(daily.model, name) for name in names] == pytest.approx(wanted, rel=1e-6)
    assert weekly.covariance is not None
    assert daily.covariance == pytest.approx(weekly.covariance, rel=1e-3, abs=1e-6)


def likelihoods(cells: pd.DataFrame, spend: pd.DataFrame) -> list[tuple[Likelihood, list[float]]]:
    some = PurchaseCells.of(cells)
    names = ("frequency", "monetary_value", "customers")
    frequency, value, customers = (spend[name].to_numpy(dtype=float) for name in names)
    return [
        (BetaGeometricLikelihood(some, BgNbd, 7), [0.3, 4.0, 0.9, 2.0]),
        (BetaGeometricLikelihood(some, MbgNbd, 7), [0.5, 7.0, 1.1, 1.5]),
        (ParetoNbdLikelihood(some, 7), [0.5, 9.0, 0.7, 14.0]),
        (ParetoNbdLikelihood(some, 7), [1.5, 20.0, 2.0, 9.0]),
        (GammaGammaLikelihood(frequency, value, customers), [6.0, 4.0, 15.0]),
    ]


@pytest.mark.parametrize("which", range(5))
def test_gradients_and_hessians_are_the_differences(
    which: int, cells: pd.DataFrame, spend: pd.DataFrame
) -> None:
    likelihood, parameters = likelihoods(cells, spend)[which]
    here, step = np.log(parameters), 1e-5
    point = likelihood.at(here)
    units = step * np.eye(len(here))
    ahead, behind = ([likelihood.at(here + sign * u) for u in units] for sign in (1, -1))
    gradient = [(a.value - b.value) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    hessian = [(a.gradient - b.gradient) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    assert point.gradient == pytest.approx(np.array(gradient), abs=2e-9)
    assert point.hessian == pytest.approx(np.array(hessian), abs=2e-8)


def test_the_covariance_is_the_inverse_curvature_of_the_total(cells: pd.DataFrame) -> None:
    """Of the total by log-parameters, by second differences of the model's own formula."""
    fit = fit_bg_nbd(cells)
    history = (cells["frequency"], cells["recency"] / 7, cells["T"] / 7)

    def total(log_parameters: np.ndarray) -> float:
        model = BgNbd.of_log_parameters(log_parameters)
        return float((cells["customers"] * model.log_likelihood(*history)).sum())

    here, h = fit.model.log_parameters, 1e-3
    information = np.empty((4, 4))
    for i, u in enumerate(h * np.eye(4)):
        for j, v in enumerate(h * np.eye(4)):
            corners = total(here + u + v) - total(here + u - v) - total(here - u + v)
            information[i, j] = -(corners + total(here - u - v)) / (4 * h * h)
    assert fit.covariance is not None
    assert fit.covariance @ information == pytest.approx(np.eye(4), abs=5e-3)


@pytest.mark.parametrize("fit", FITS)
def test_too_few_repeat_buyers_is_said_not_fitted(fit: Callable[..., Fit[Any]]) -> None:
    rare = pd.DataFrame(
        {"frequency": [0, 1], "recency": [0, 30], "T": [100, 100], "customers": [5000, 49]}
    )
    with pytest.raises(NotFittedError, match="NBD needs 50 customers who came back, there are 49"):
        fit(rare)


@pytest.mark.parametrize("fit", FITS)
def test_customers_who_never_leave_are_noted(fit: Callable[..., Fit[Any]]) -> None:
    """Nobody's last purchase is long ago: the models run to their boundary and say so."""
    random = np.random.default_rng(5)
    age = 360
    x = random.poisson(random.gamma(1.5, 1 / 60, 4000) * age)
    recency = np.where(x > 0, np.round(age * (1 - 0.3 / (x + 1))), 0).astype(int)
    immortal = pd.DataFrame({"frequency": x, "recency": recency, "T": age})
    found = fit(counted(immortal, "frequency", "recency", "T"))
    assert found.status == "boundary"
    assert "finds no leaving" in in_english(found.notes)
    assert found.model.probability_alive(3, 200 / 7, 360 / 7) == pytest.approx(1, abs=1e-2)


def test_values_that_are_not_positive_are_left_out_and_counted(spend: pd.DataFrame) -> None:
    free = spend.head(3).assign(monetary_value=[0.0, -5.0, 0.0], customers=[2, 1, 1])
    with_free, without = fit_gamma_gamma(pd.concat([spend, free])), fit_gamma_gamma(spend)
    assert with_free.model == without.model
    assert "leaves out 4 repeat buyers" in in_english(with_free.notes)


def test_spend_that_depends_on_frequency_breaks_the_assumption() -> None:
    random = np.random.default_rng(11)
    x = random.integers(1, 20, 2000)
    value = random.gamma(6, 1 / random.gamma(4, 1 / 15, 2000)) * x
    found = fit_gamma_gamma(pd.DataFrame({"frequency": x, "monetary_value": value, "customers": 1}))
    assert found.status == "assumption"
    assert "does not depend on frequency; here they correlate" in in_english(found.notes)


def assert_recovered(truth: Any, fit: Fit[Any]) -> None:
    """Every parameter within three of its standard errors."""
    for name in truth.names():
        gap = getattr(fit.model, name) - getattr(truth, name)
        assert abs(gap) < 3 * fit.standard_errors[name], name


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_bg_nbd_recovers_what_made_the_data(seed: int) -> None:
    """Within three standard errors; no purchases merged into one, which would bias alpha."""
    truth = BgNbd(0.243, 4.414, 0.793, 2.426)
    # A grid of minutes: the model's unit is a week of them.
    data = simulated(truth, 20_000, seed, ticks=10_080, youngest=13 * 10_080, oldest=39 * 10_080)
    assert_recovered(truth, fit_bg_nbd(data.cells, time_unit_days=10_080))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mbg_nbd_recovers_what_made_the_data(seed: int) -> None:
    truth = MbgNbd(0.525, 6.183, 0.891, 1.614)
    data = simulated(truth, 20_000, seed, ticks=10_080, youngest=13 * 10_080, oldest=39 * 10_080)
    assert_recovered(truth, fit_mbg_nbd(data.cells, time_unit_days=10_080))


@pytest.mark.parametrize("seed", [1, 2])
def test_pareto_nbd_recovers_what_made_the_data(seed: int) -> None:
    truth = ParetoNbd(0.55, 10.6, 0.61, 11.7)
    # A grid of hours.
    data = simulated(truth, 20_000, seed, ticks=168, youngest=13 * 168, oldest=39 * 168)
    assert_recovered(truth, fit_pareto_nbd(data.cells, time_unit_days=168))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_gamma_gamma_recovers_what_made_the_data(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, n = GammaGamma(6.25, 3.74, 15.44), 20_000
    x = random.geometric(0.3, n)
    value = random.gamma(truth.p * x) / random.gamma(truth.q, 1 / truth.v, n) / x
    rows = pd.DataFrame({"frequency": x, "monetary_value": value, "customers": 1})
    assert_recovered(truth, fit_gamma_gamma(rows))


@pytest.mark.parametrize("seed", range(24))
def test_small_shops_of_any_kind_are_fitted(seed: int) -> None:
    """Two hundred customers are often at a boundary: beta, alpha or b huge or tiny. No model may
    fail there, or stop below what the truth itself explains; and a fit that knows nothing says so.
    """
    random = np.random.default_rng(seed)
    truth = BgNbd(*np.exp(random.normal([-0.7, 1.5, -0.3, 0.8], [0.7, 0.8, 0.8, 0.8])).tolist())
    oldest = int(random.choice([120, 400, 900]))
    data = simulated(truth, 300, seed, ticks=7, youngest=10, oldest=oldest)
    history = (data.cells["frequency"], data.cells["recency"] / 7, data.cells["T"] / 7)
    repeat_buyers = (data.features["frequency"] > 0).sum()
    for fit in FITS:
        if repeat_buyers < 50:
            with pytest.raises(NotFittedError, match="needs 50 customers"):
                fit(data.cells)
            continue
        found = fit(data.cells)
        assert (found.covariance is None) == (found.standard_errors == {})
        assert found.status == "fitted" or found.notes
        if fit is fit_bg_nbd:
            of_truth = (data.cells["customers"] * truth.log_likelihood(*history)).sum()
            assert found.log_likelihood >= of_truth


def test_the_maximum_inside_is_preferred_to_a_lower_boundary() -> None:
    """A shop whose MBG/NBD rises towards a, b = infinity from one start, and has a maximum.

    lifetimes' fitter finds r 2.08, alpha 29.0, a .456, b .643 there, .65 higher.
    """
    truth = BgNbd(0.453856, 13.372104, 0.43511, 2.948239)
    cells = simulated(truth, 200, 4, ticks=7, youngest=10, oldest=400).cells
    found, inside = fit_mbg_nbd(cells), MbgNbd(2.080931, 28.973594, 0.455690, 0.643004)
    each = inside.log_likelihood(cells["frequency"], cells["recency"] / 7, cells["T"] / 7)
    assert found.log_likelihood >= (cells["customers"] * each).sum() - 1e-6
    assert found.model.a == pytest.approx(0.456, abs=0.01)


def test_importing_the_package_does_not_import_numba() -> None:
    """Dagster's definitions and Spark's workers import it; they fit nothing."""
    code = "import sys, customer360.models.lifetime_value; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_kernels_compile_where_nothing_can_be_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba raises when neither the module's folder nor the user's cache can be written."""
    import numba

    from customer360.models.lifetime_value import kernels

    whole = numba.njit

    def nowhere(*given: Any, cache: bool = False) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return whole(*given)

    monkeypatch.setattr(numba, "njit", nowhere)
    twice = kernels.compiled(lambda x: 2 * x)
    assert twice(21) == 42
