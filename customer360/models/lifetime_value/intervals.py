"""How far the figures may be off: by chance, and because parameters are estimates.

*Estimates* (probability alive, order value) get intervals for what is not known of the
parameters: standard error times 1.645 on the logit or log scale.

*Outcomes* (purchases and revenue over a horizon) get predictive intervals: with probability 90 %
or more the customer's own figure lies within. The number of purchases has an exact survival
function (`PurchaseModel.survival_if_alive`), mixed with the probability of having left. The lower
bound is its 5 % quantile; the upper bound leaves above it what of the 10 % is not below: most
customers may well buy nothing, nothing lies below that, and [0, high] holds 90 %. Whole numbers
make it more than 90 %, never less. Revenue given at
least one purchase is taken as lognormal with the exact mean and variance of its logarithm (a
mixture of beta-prime distributions: Gamma spend on y purchases at a Gamma-distributed scale).
Discounted values get the bounds of the revenue they discount, times its mean discount: of a year
its own, of the whole life that of `scoring.LIFE_DAYS`.

Parameters enter by cubature: the mean of a smooth function over their normal distribution is the
mean over 2d points at sqrt(d) standard deviations, exact for polynomials of degree three
(Arasaratnam and Haykin 2009, "Cubature Kalman Filters", IEEE Transactions on Automatic Control
54(6)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtri, polygamma, psi

from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.purchase_model import Floats, PurchaseModel

LEVEL = 0.90
"""Probability that an interval promises."""

TAIL = (1 - LEVEL) / 2
"""Probability to lie below, where lying below is possible."""

Z = 1.6448536269514722
"""Standard errors to either side of an estimate that hold 90 %."""

LARGEST_DEVIATION = 1.0
"""Standard deviation of a direction of log-parameters beyond which the normal is no help."""

NEGLIGIBLE_DEVIATION = 0.02
"""Standard error of every log-parameter below which chance alone makes the outcome.

It changes an expectation by some 2 %; one customer's chance is twenty times that and more, and
variances add up.
"""

_EXACT_PURCHASES = 64
_GROWTH = 1.05

Integers = NDArray[np.int64]


class _Parametric(Protocol):
    @property
    def log_parameters(self) -> Floats: ...

    @classmethod
    def of_log_parameters(cls, log_parameters: ArrayLike) -> Self: ...


Model = TypeVar("Model", bound=_Parametric)


def cubature_models(model: Model, covariance: ArrayLike | None) -> list[Model]:
    """Models at the cubature points of the parameters' distribution, of equal weight.

    Args:
        model: At the estimate.
        covariance: Of the log-parameters; ``None`` = not known.

    Returns:
        2d models; just ``model`` without a covariance.
    """
    if covariance is None:
        return [model]
    variances, directions = np.linalg.eigh(np.asarray(covariance, dtype=float))
    deviations = np.minimum(np.sqrt(np.maximum(variances, 0.0)), LARGEST_DEVIATION)
    steps = np.sqrt(len(deviations)) * deviations * directions
    center = model.log_parameters
    return [
        type(model).of_log_parameters(center + sign * step) for step in steps.T for sign in (1, -1)
    ]


def spend_models(model: GammaGamma, covariance: ArrayLike | None) -> list[GammaGamma]:
    """`cubature_models` of spend, but for those without a population mean, beyond any fit."""
    usable = [one for one in cubature_models(model, covariance) if one.q > 1]
    return usable or [model]


def deviation(values: Floats) -> Floats:
    """Standard deviation over the last axis, one value a cubature point."""
    return np.asarray(values.std(axis=-1))


def probability_bounds(estimate: Floats, deviations: Floats) -> tuple[Floats, Floats]:
    """Bounds of a probability whose logit has these standard deviations; certainty stays."""
    centre = logit(np.clip(estimate, 1e-300, 1 - 1e-16))
    certain = estimate >= 1
    low = np.where(certain, 1.0, expit(centre - Z * deviations))
    high = np.where(certain, 1.0, expit(centre + Z * deviations))
    return np.minimum(low, estimate), np.maximum(high, estimate)


def log_odds(probability: Floats) -> Floats:
    """Logit, finite for certainties."""
    return np.asarray(logit(np.clip(probability, 1e-300, 1 - 1e-16)))


def grid_of_purchases(index: ArrayLike) -> Integers:
    """Numbers of purchases at which survival is known: all up to 64, then 5 % apart."""
    k = np.asarray(index)
    far = np.maximum(k - _EXACT_PURCHASES, 0)
    return np.where(
        k < _EXACT_PURCHASES, k + 1, np.floor((_EXACT_PURCHASES + 1) * _GROWTH**far)
    ).astype(np.int64)


def _grid_length(most: Floats) -> Integers:
    """Steps of `grid_of_purchases` that reach ``most``."""
    beyond = np.log(np.maximum(most, 1) / (_EXACT_PURCHASES + 1)) / np.log(_GROWTH)
    exact = np.ceil(np.maximum(most, 1))
    return np.where(most <= _EXACT_PURCHASES, exact, _EXACT_PURCHASES + np.ceil(beyond) + 1).astype(
        np.int64
    )


@dataclass(frozen=True)
class Outlook:
    """What the next ``days`` may bring customers with these (frequency, T), were they alive.

    Attributes:
        start: Where each pair's survival probabilities begin, and their end.
        key: 2 x pair + 1 - P(at least y purchases), ascending over all pairs.
        any_purchase: P(at least one purchase) of each pair.
        log_mean: Mean of log(revenue / own spend scale) given a purchase; empty without spend.
        log_deviation: Its standard deviation.
    """

    start: Integers
    key: Floats
    any_purchase: Floats
    log_mean: Floats
    log_deviation: Floats

    def purchases(self, pair: Integers, alive: Floats) -> tuple[Floats, Floats]:
        """Bounds of the number of purchases.

        Args:
            pair: Index of each customer's (frequency, T).
            alive: Probability that the customer is alive.
        """
        # How many y have alive x survival at 95 % or above: so many are made at least.
        with np.errstate(divide="ignore"):
            sure = np.minimum((1 - TAIL) / alive, 1.5)
        at = np.searchsorted(self.key, 2 * pair + 1 - sure, side="right")
        steps = np.maximum(at - self.start[pair], 0)
        low = np.where(steps > 0, grid_of_purchases(np.maximum(steps - 1, 0)), 0)
        survival = 2 * pair + 1 - self.key[np.maximum(at - 1, 0)]
        below = np.where(steps > 0, 1 - alive * survival, 0.0)
        with np.errstate(divide="ignore"):
            rare = np.minimum((1 - LEVEL - below) / alive, 1.5)
        at = np.searchsorted(self.key, 2 * pair + 1 - rare, side="left")
        # Between two numbers of the grid the outer one is taken: the promise is "at least".
        high = grid_of_purchases(np.maximum(at - self.start[pair], 0)) - 1
        return low.astype(float), np.maximum(high, low).astype(float)

    def revenue(self, pair: Integers, alive: Floats) -> tuple[Floats, Floats]:
        """Bounds of revenue over the customer's own spend scale v + x m."""
        buys = alive * self.any_purchase[pair]
        mean, spread = self.log_mean[pair], self.log_deviation[pair]

        def beyond(share: float | Floats) -> Floats:
            """What is exceeded with this probability."""
            with np.errstate(divide="ignore", invalid="ignore"):
                given = share / buys
                normal = ndtri(1 - np.minimum(given, 1.0))
                return np.where(given < 1, np.exp(mean + spread * normal), 0.0)

        low = beyond(1 - TAIL)
        return low, beyond(np.where(low > 0, TAIL, 1 - LEVEL))


def outlook(
    models: list[PurchaseModel],
    spend: GammaGamma | None,
    spend_deviation: Floats,
    t: float,
    frequency: Floats,
    T: Floats,
) -> Outlook:
    """What the next ``t`` may bring, for each (frequency, T).

    Args:
        models: Equally likely models: the estimate alone, or `cubature_models`.
        spend: How much is spent; ``None`` when not modelled.
        spend_deviation: What is not known of log mean spend, for each pair.
        t: Horizon in model time.
        frequency: Of each pair.
        T: In model time, of each pair.
    """
    # The largest number to look at: by Cantelli's inequality no more than 5 % lie beyond.
    most = np.zeros(len(frequency))
    for model in models:
        shape = model.r + frequency
        mean = shape * t / (model.alpha + T)
        most = np.maximum(most, mean + 4.4 * np.sqrt(mean * (1 + mean / shape)))
    length = _grid_length(most)
    start = np.concatenate([[0], np.cumsum(length)])
    pair = np.repeat(np.arange(len(length)), length)
    step = np.arange(start[-1]) - start[pair]
    grid = grid_of_purchases(np.arange(length.max(initial=0))).astype(float)
    purchases = grid[step]
    chances = [model.survival_if_alive(purchases, t, frequency[pair], T[pair]) for model in models]
    survival = np.clip(np.mean(chances, axis=0), 0.0, 1.0)
    first = start[:-1]
    any_purchase = survival[first] if len(first) else np.empty(0)
    log_mean = log_deviation = np.empty(0)
    if spend is not None and len(first):
        following = np.append(survival[1:], 0.0)
        following[start[1:] - 1] = 0.0
        chance = np.maximum(survival - following, 0.0) / np.maximum(any_purchase[pair], 1e-300)
        centre = psi(spend.p * grid)
        square = (polygamma(1, spend.p * grid) + centre**2)[step]
        centre = centre[step]
        own = spend.q + spend.p * frequency
        mean_log = np.add.reduceat(chance * centre, first)
        variance = np.add.reduceat(chance * square, first) - mean_log**2 + polygamma(1, own)
        log_mean = mean_log - psi(own)
        log_deviation = np.sqrt(np.maximum(variance, 0.0) + spend_deviation**2)
    return Outlook(start, 2.0 * pair + (1 - survival), any_purchase, log_mean, log_deviation)


def joined(first: Outlook, second: Outlook) -> Outlook:
    """The pairs of ``first``, then those of ``second``."""
    pairs = len(first.start) - 1
    return Outlook(
        np.concatenate([first.start, first.start[-1] + second.start[1:]]),
        np.concatenate([first.key, second.key + 2 * pairs]),
        np.concatenate([first.any_purchase, second.any_purchase]),
        np.concatenate([first.log_mean, second.log_mean]),
        np.concatenate([first.log_deviation, second.log_deviation]),
    )
