"""BG/NBD and Gamma-Gamma: their mathematics, and fitting them to counted cells with `lifetimes`.

Fitting is `lifetimes`' own; evaluating a fitted model is numpy here, in log space, because
lifetimes' expectation overflows for customers with hundreds of purchases. Time is in model units
wherever a docstring does not say days.

Sources: [BG] Fader, Hardie and Lee 2005, "Counting Your Customers the Easy Way", Marketing
Science 24(2), 275-284. [GG] Fader and Hardie 2013, "The Gamma-Gamma Model of Monetary Value",
brucehardie.com/notes/025. [PA] Fader and Hardie, "Computing P(alive) Using the BG/NBD Model",
brucehardie.com/notes/021.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, expit, gammaln, hyp2f1

from customer360.errors import Customer360Error

Floats = NDArray[np.float64]

MINIMUM_REPEAT_BUYERS = 50
"""With fewer customers who came back, four parameters are guesswork."""

CORRELATION_LIMIT = 0.3
"""Gamma-Gamma assumes that spend does not depend on frequency; above this a note says so."""

LARGEST_LOG_PARAMETER = 12.0
"""Log-parameters beyond this (a ratio of e^12) sit on a boundary of the likelihood."""

SMALLEST_DROPOUT = 1e-4
"""Mean probability to leave after a purchase below which the model has found no leaving."""


class NotFittedError(Customer360Error):
    """A model cannot be fitted to this data; the message says why."""


def _expected_while_alive(
    r: float, alpha: float, a: float, b: float, t: Floats, x: Floats, age: Floats
) -> Floats:
    """Expected purchases in ``t`` of a customer who is alive now: [BG] eq. 10's numerator.

    Euler's transformation turns the published (1-z)^(r+x) 2F1(r+x, b+x; a+b+x-1; z), whose two
    factors over- and underflow for large x, into (1-z)^(a-1) 2F1(a+b-1-r, a-1; a+b+x-1; z).
    """
    # Removable poles at a = 1 and (for x = 0) a + b = 1: step beside them; the function is smooth.
    if abs(a - 1) < 1e-5:
        a = 1 + 1e-5
    if abs(a + b - 1) < 1e-6:
        b = b + 2e-6
    n, c, z = r + x, a + b + x - 1, t / (alpha + age + t)
    with np.errstate(all="ignore"):
        expected = c / (a - 1) * (1 - (1 - z) ** (a - 1) * hyp2f1(a + b - 1 - r, a - 1, c, z))
    # Nobody buys more than they would with no death at all.
    most = n * t / (alpha + age)
    doubtful = ~np.isfinite(expected) | (expected < 0) | (expected > most * (1 + 1e-9))
    if max(a, b) > 50:
        doubtful[:] = True  # 2F1 cancels for large a, b, where the integral is smooth and safe
    if doubtful.any():
        u = np.broadcast_to(t / (alpha + age), expected.shape)[doubtful]
        tries, purchases = (np.broadcast_to(v, expected.shape)[doubtful] for v in (n, x))
        expected[doubtful] = _expected_by_quadrature(a, b, u, tries, purchases)
    return np.asarray(np.clip(expected, 0, most))


def _expected_by_quadrature(a: float, b: float, u: Floats, n: Floats, x: Floats) -> Floats:
    """The same expectation as the mean of (1 - (1 + p u)^-n) / p over p ~ Beta(a, b + x).

    Gauss-Legendre over the quantiles of p; pairs that share an x share their quantiles.
    """
    nodes, node_weights = np.polynomial.legendre.leggauss(64)
    distinct, where = np.unique(x, return_inverse=True)
    quantiles = betaincinv(a, b + distinct[:, None], (nodes[None, :] + 1) / 2)
    p = np.maximum(quantiles[where], 1e-300)
    inner = -np.expm1(-n[:, None] * np.log1p(p * u[:, None])) / p
    return np.asarray(inner @ (node_weights / 2))


@dataclass(frozen=True)
class BgNbd:
    """A BG/NBD with known parameters; time is in model units (weeks by default).

    Attributes:
        r: Shape of the purchase rates' Gamma.
        alpha: Their scale, in time units.
        a: First parameter of the drop-out probabilities' Beta.
        b: Second parameter.
    """

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """Log-likelihood of each history: [BG] eq. 3, in log space.

        Args:
            frequency: Repeat purchases x.
            recency: Time of the last one t_x, since the first purchase.
            age: Time since the first purchase T.
        """
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        x, t_x, big_t = (np.asarray(v, dtype=float) for v in (frequency, recency, age))
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        common += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        alive = -(r + x) * np.log(alpha + big_t)
        left = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x)
        return np.asarray(common + np.logaddexp(alive, np.where(x > 0, left, -np.inf)))

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """Probability that the customer has not left: [PA]; exactly 1 without a repeat purchase."""
        x, t_x, big_t = (np.asarray(v, dtype=float) for v in (frequency, recency, age))
        log_odds_of_death = (self.r + x) * np.log((self.alpha + big_t) / (self.alpha + t_x))
        log_odds_of_death += np.log(self.a) - np.log(self.b + np.maximum(x, 1) - 1)
        return np.where(x > 0, expit(-log_odds_of_death), 1.0)

    def expected_purchases_if_alive(
        self, t: ArrayLike, frequency: ArrayLike, age: ArrayLike
    ) -> Floats:
        """Expected purchases in the next ``t`` of a customer who has not left by ``age``."""
        t_, x, big_t = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(v, dtype=float)) for v in (t, frequency, age))
        )
        return _expected_while_alive(self.r, self.alpha, self.a, self.b, t_, x, big_t)

    def expected_purchases(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike
    ) -> Floats:
        """Expected purchases in the next ``t`` given a history: [BG] eq. 10."""
        alive = self.probability_alive(frequency, recency, age)
        return np.asarray(alive * self.expected_purchases_if_alive(t, frequency, age))

    def expected_purchases_of_new(self, t: ArrayLike) -> Floats:
        """E[X(t)]: expected repeat purchases in the first ``t`` of a new customer: [BG] eq. 9."""
        return self.expected_purchases_if_alive(t, 0.0, 0.0)

    def as_fitter(self) -> Any:
        """A ``lifetimes.BetaGeoFitter`` with these parameters, ``predict`` included."""
        from lifetimes import BetaGeoFitter

        fitter = BetaGeoFitter()
        fitter.params_ = pd.Series(asdict(self))
        fitter.predict = fitter.conditional_expected_number_of_purchases_up_to_time
        return fitter


@dataclass(frozen=True)
class GammaGamma:
    """A Gamma-Gamma with known parameters; ``v`` is in the currency.

    Attributes:
        p: Shape of the spend a purchase.
        q: Shape of its scale's Gamma over customers; the population mean exists for q > 1.
        v: Scale of that Gamma.
    """

    p: float
    q: float
    v: float

    @property
    def population_mean(self) -> float:
        """Mean spend a purchase over all customers: p v / (q - 1)."""
        return self.p * self.v / (self.q - 1)

    def log_likelihood(self, frequency: ArrayLike, monetary_value: ArrayLike) -> Floats:
        """Log-likelihood of each mean spend over ``frequency`` purchases: [GG] eq. 1a."""
        x, m = np.asarray(frequency, dtype=float), np.asarray(monetary_value, dtype=float)
        p, q, v = self.p, self.q, self.v
        found = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
        found += (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(x * m + v)
        return np.asarray(found)

    def expected_order_value(self, frequency: ArrayLike, monetary_value: ArrayLike) -> Floats:
        """Expected spend a purchase: own and population mean, weighed by evidence, [GG] eq. 5.

        A customer without repeat purchases gets the population mean.
        """
        x, m = np.asarray(frequency, dtype=float), np.asarray(monetary_value, dtype=float)
        weight = self.p * x / (self.p * x + self.q - 1)
        return np.asarray((1 - weight) * self.population_mean + weight * np.where(x > 0, m, 0.0))

    def as_fitter(self) -> Any:
        """A ``lifetimes.GammaGammaFitter`` with these parameters."""
        from lifetimes import GammaGammaFitter

        fitter = GammaGammaFitter()
        fitter.params_ = pd.Series(asdict(self))
        return fitter


Model = TypeVar("Model", BgNbd, GammaGamma)


@dataclass(frozen=True)
class Fit(Generic[Model]):
    """A fitted model with what is known about the fit.

    Attributes:
        model: The parameters.
        standard_errors: By parameter name (from the diagonal of lifetimes' covariance, which is
            right; its off-diagonal is not).
        log_likelihood: Sum over all customers.
        customers: Customers that were fitted.
        notes: What a reader must know (a parameter on a boundary, for instance).
    """

    model: Model
    standard_errors: dict[str, float]
    log_likelihood: float
    customers: int
    notes: tuple[str, ...] = ()


def _quietly_fitted(new: Callable[[], Any], starts: Sequence[Any], **data: Any) -> Any:
    """Fit with lifetimes from several starts and tolerances until the optimiser says converged.

    lifetimes prints the optimiser's state to stdout and raises when BFGS stops for want of
    floating-point precision, which happens close to the maximum too; the looser tolerances are
    still a gradient of 1e-5 of the mean log-likelihood.
    """
    reason = ""
    for start in starts:
        for tolerance in (1e-7, 1e-6, 1e-5):
            try:
                with (
                    contextlib.redirect_stdout(io.StringIO()),
                    warnings.catch_warnings(),
                    np.errstate(all="ignore"),
                ):
                    # The line search of BFGS probes far points on its way; the result is checked.
                    warnings.simplefilter("ignore", RuntimeWarning)
                    fitter = new().fit(initial_params=start, tol=tolerance, **data)
            except Exception as error:  # noqa: BLE001 - its own, numpy's and scipy's errors
                reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
                continue
            if np.isfinite(fitter.params_).all():
                return fitter
            reason = "the parameters are not finite"
    raise NotFittedError(reason)


def _polished(fitter: Any, log_parameters: Floats, *data: Any) -> Floats:
    """Newton steps from where BFGS stopped, with lifetimes' own likelihood and Hessian.

    BFGS stops at a gradient of 1e-7, which on Gamma-Gamma's flat ridge still leaves the fourth
    digit to the starting point; two steps later the parameters are the maximum's.

    Args:
        fitter: Just fitted.
        log_parameters: Where it stopped, on the scale it was fitted on.
        data: Arguments of lifetimes' likelihood after the parameters.
    """
    from autograd import value_and_grad  # type: ignore[import-untyped]

    objective = value_and_grad(fitter._negative_log_likelihood)
    best, found = np.inf, log_parameters
    here = log_parameters
    for _ in range(3):
        with np.errstate(all="ignore"):
            loss, gradient = objective(here, *data)
        # Two near-maxima differ by rounding alone: that much "worse" is accepted.
        if not np.isfinite(loss) or loss > best + 1e-12:
            break
        best, found = min(best, float(loss)), here
        try:
            here = here - np.linalg.solve(fitter._hessian_, gradient)
        except np.linalg.LinAlgError:
            break
    return found


def _boundary_notes(name: str, parameters: dict[str, float], unit: float) -> tuple[str, ...]:
    far = [
        f"{key}={value:.3g}"
        for key, value in parameters.items()
        if abs(np.log(value / unit if key in ("alpha", "v") else value)) > LARGEST_LOG_PARAMETER
    ]
    return (f"{name} on a boundary of its likelihood ({', '.join(far)})",) if far else ()


def _deviations(fitter: Any) -> dict[str, float]:
    with np.errstate(all="ignore"):
        diagonal = np.sqrt(np.diag(np.asarray(fitter.variance_matrix_, dtype=float)))
    return {
        name: float(value)
        for name, value in zip(fitter.params_.index, diagonal, strict=True)
        if np.isfinite(value)
    }


def fit_bg_nbd(cells: pd.DataFrame, time_unit_days: int = 7) -> Fit[BgNbd]:
    """Fit BG/NBD to counted cells, without penalty (lifetimes' penalty does not fade with n).

    Args:
        cells: Columns ``frequency``, ``recency`` (days), ``T`` (days), ``customers`` (count).
        time_unit_days: Days in one unit of model time.

    Raises:
        NotFittedError: Too few repeat buyers, no convergence, or parameters that do not
            reproduce the purchases they were fitted to.
    """
    # A customer whose first purchase is today has no time to say anything about.
    seen = cells[cells["T"] > 0]
    weights = seen["customers"].to_numpy(dtype=float)
    x = seen["frequency"].to_numpy(dtype=float)
    repeat_buyers = int(weights[x > 0].sum())
    if repeat_buyers < MINIMUM_REPEAT_BUYERS:
        raise NotFittedError(
            f"BG/NBD needs {MINIMUM_REPEAT_BUYERS} customers who came back, there are "
            f"{repeat_buyers}"
        )
    t_x = seen["recency"].to_numpy(dtype=float) / time_unit_days
    age = seen["T"].to_numpy(dtype=float) / time_unit_days
    from lifetimes import BetaGeoFitter

    try:
        fitter = _quietly_fitted(
            BetaGeoFitter,
            # lifetimes scales time to a longest T of 10 and starts all log-parameters at 0.1;
            # the others are few purchases with hardly a death, and with many.
            (None, np.log([0.3, 3.0, 0.5, 5.0]), np.log([0.1, 0.5, 1.0, 1.0])),
            frequency=x.astype(int),
            recency=t_x,
            T=age,
            weights=weights,
        )
    except NotFittedError as error:
        raise NotFittedError(f"BG/NBD did not converge ({error})") from None
    scale = float(fitter._scale)
    start = np.log(fitter.params_.to_numpy() * [1, scale, 1, 1])
    polished = np.exp(_polished(fitter, start, x, t_x * scale, age * scale, weights, 0.0))
    polished[1] /= scale
    parameters = dict(zip(("r", "alpha", "a", "b"), polished.tolist(), strict=True))
    model = BgNbd(**parameters)

    actual = float((weights * x).sum())
    ages, where = np.unique(age, return_inverse=True)
    expected = float((weights * model.expected_purchases_of_new(ages)[where]).sum())
    if not 0.5 < expected / actual < 2:
        raise NotFittedError(
            f"BG/NBD expects {expected:,.0f} repeat purchases where {actual:,.0f} were made"
        )
    notes = _boundary_notes("BG/NBD", parameters, float(age.max()))
    if model.a / (model.a + model.b) < SMALLEST_DROPOUT:
        notes += (
            "BG/NBD finds no leaving in this history: everybody's probability alive is 1 "
            "and says nothing here",
        )
    return Fit(
        model,
        _deviations(fitter),
        float((weights * model.log_likelihood(x, t_x, age)).sum()),
        int(weights.sum()),
        notes,
    )


def fit_gamma_gamma(cells: pd.DataFrame) -> Fit[GammaGamma]:
    """Fit Gamma-Gamma to counted cells of repeat buyers, without penalty.

    Args:
        cells: Columns ``frequency``, ``monetary_value``, ``customers``; rows
            with a value of 0 or less (all repeat purchases free) cannot be used and are left out.

    Raises:
        NotFittedError: Too few repeat buyers, no convergence, or q of 1 or less (the mean spend
            of the population does not exist).
    """
    usable = cells[(cells["frequency"] > 0) & (cells["monetary_value"] > 0)]
    weights = usable["customers"].to_numpy(dtype=float)
    if weights.sum() < MINIMUM_REPEAT_BUYERS:
        raise NotFittedError(
            f"Gamma-Gamma needs {MINIMUM_REPEAT_BUYERS} customers who came back, there are "
            f"{weights.sum():.0f}"
        )
    x = usable["frequency"].to_numpy(dtype=float)
    m = usable["monetary_value"].to_numpy(dtype=float)
    from lifetimes import GammaGammaFitter

    # Fitted on values of mean 1, so that the start suits pennies and millions alike; only v has a
    # unit, and it scales back.
    scale = float((weights * m).sum() / weights.sum())
    try:
        fitter = _quietly_fitted(
            GammaGammaFitter,
            (np.log([2.0, 3.0, 1.0]), np.log([6.0, 4.0, 0.5]), None),
            frequency=x,
            monetary_value=m / scale,
            weights=weights,
        )
    except NotFittedError as error:
        raise NotFittedError(f"Gamma-Gamma did not converge ({error})") from None
    polished = np.exp(
        _polished(fitter, np.log(fitter.params_.to_numpy()), x, m / scale, weights, 0.0)
    )
    parameters = dict(zip(("p", "q", "v"), polished.tolist(), strict=True))
    parameters["v"] *= scale
    if parameters["q"] <= 1:
        raise NotFittedError(
            f"Gamma-Gamma gives q = {parameters['q']:.2f}, with which a mean spend does not exist"
        )
    model = GammaGamma(**parameters)
    deviations = _deviations(fitter)
    if "v" in deviations:
        deviations["v"] *= scale
    notes = _boundary_notes("Gamma-Gamma", parameters, scale)
    correlation = frequency_value_correlation(usable)
    if abs(correlation) > CORRELATION_LIMIT:
        notes += (
            f"Gamma-Gamma assumes that spend does not depend on frequency; here they correlate "
            f"at {correlation:.2f}",
        )
    return Fit(
        model,
        deviations,
        float((weights * model.log_likelihood(x, m)).sum()),
        int(weights.sum()),
        notes,
    )


def frequency_value_correlation(cells: pd.DataFrame) -> float:
    """Correlation of frequency and mean spend over repeat buyers; 0 when either never varies."""
    repeat = cells[(cells["frequency"] > 0) & (cells["monetary_value"] > 0)]
    weights = repeat["customers"].to_numpy(dtype=float)
    if weights.sum() < 2:
        return 0.0
    x = repeat["frequency"].to_numpy(dtype=float)
    m = repeat["monetary_value"].to_numpy(dtype=float)
    x, m = (v - np.average(v, weights=weights) for v in (x, m))
    scale = np.sqrt((weights * x**2).sum() * (weights * m**2).sum())
    return float((weights * x * m).sum() / scale) if scale > 0 else 0.0
