"""Expectations over Gamma and Beta variables that stay exact where the textbook forms overflow.

Every hypergeometric term of the purchase models is the mean of a simple function of a Beta or
Gamma variable. On the logistic or logarithmic scale such a mean is an integral over the whole
line of a bell-shaped analytic function, which the trapezoidal rule finds to rounding error with
some hundred points (Trefethen and Weideman 2014, "The exponentially convergent trapezoidal
rule", SIAM Review 56(3)). All terms are positive, so nothing cancels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln

Floats = NDArray[np.float64]

TAIL = 38.0
"""Mass beyond exp(-38) of the largest term is below rounding."""

SMALL_SHAPE = 0.3
"""Below this shape a lower tail is too long for direct quadrature, and is split off."""

_AT_ONCE = 2_000_000
"""Numbers held by one intermediate array: 16 MB."""


def beta_rule(a: float, b: float) -> tuple[Floats, Floats]:
    """Nodes and weights for means over Beta(a, b): ``f(p) @ weights``.

    Args:
        a: First shape; the lower tail is long below 0.3.
        b: Second shape; the upper tail is long below 0.3.
    """
    centre = np.log(a) - np.log(b)
    width = np.sqrt(1 / a + 1 / b)
    # The integrands are analytic to pi/2 off the real line; narrow bells need finer steps.
    step = min(0.3, 0.6 * width)
    below, above = TAIL / a + 9 * width, TAIL / b + 9 * width
    y = centre + step * np.arange(-np.ceil(below / step), np.ceil(above / step) + 1)
    # log p = -log(1 + e^-y), log(1 - p) = -log(1 + e^y)
    log_weight = -a * np.logaddexp(0, -y) - b * np.logaddexp(0, y) - betaln(a, b)
    weight = np.exp(log_weight)
    kept = weight > weight.max() * 1e-18
    p, weight = np.exp(-np.logaddexp(0, -y[kept])), weight[kept]
    # The rule's own sum is 1 to rounding; dividing also removes betaln's error for large shapes.
    return p, weight / weight.sum()


def gamma_rule(shape: float) -> tuple[Floats, Floats]:
    """Nodes and weights for means over Gamma(shape, 1): ``f(g) @ weights``."""
    width = 1 / np.sqrt(shape)
    step = min(0.25, 0.6 * width)
    below, above = TAIL / shape + 9 * width, np.log1p(TAIL / shape) + 9 * width
    y = np.log(shape) + step * np.arange(-np.ceil(below / step), np.ceil(above / step) + 1)
    y = y[y < 700]
    log_weight = shape * y - np.exp(y) - gammaln(shape)
    weight = np.exp(log_weight - log_weight.max())
    kept = weight > 1e-18
    return np.exp(y[kept]), weight[kept] / weight[kept].sum()


def _in_chunks(points: Floats, width: int, mean: Callable[[Floats], Floats]) -> Floats:
    """``mean`` over rows of ``points``, few enough at once that memory stays bounded."""
    size = max(1, _AT_ONCE // max(width, 1))
    parts = [mean(points[i : i + size]) for i in range(0, len(points), size)]
    return np.concatenate(parts) if parts else np.empty(0)


def _mean_reciprocal(z: Floats, a: float, b: float) -> Floats:
    """`mean_reciprocal_beta` for one pair of shapes."""
    if b < 1:
        # 1/(1 + z p) = 1/(1 + z) + (1 - p) z/((1 + z)(1 + z p)); the factor 1 - p makes the Beta
        # one with b + 1, whose upper tail is short.
        return 1 / (1 + z) + z / (1 + z) * (b / (a + b)) * _mean_reciprocal(z, a, b + 1)
    if a < SMALL_SHAPE:
        # 1 - z p/(1 + z p): the factor p makes it one with a + 1, whose lower tail is short. What
        # is left is of order z^-a, so the difference loses next to nothing.
        return 1 - z * (a / (a + b)) * _mean_reciprocal(z, a + 1, b)
    p, weights = beta_rule(a, b)
    return _in_chunks(z, len(p), lambda some: (1 / (1 + some[:, None] * p)) @ weights)


def mean_reciprocal_beta(z: ArrayLike, a: ArrayLike, b: ArrayLike) -> Floats:
    """E[1 / (1 + z p)] for p ~ Beta(a, b), which is 2F1(1, a; a + b; -z), for z >= 0.

    Args:
        z: Not negative, any size.
        a: First shape, positive.
        b: Second shape, positive. Each distinct pair of shapes costs one set of nodes.
    """
    z_, a_, b_ = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (z, a, b)))
    flat, means = z_.ravel(), np.empty(z_.size)
    # A complex number a pair: numpy sorts those many times faster than rows.
    pairs, where = np.unique(a_.ravel() + 1j * b_.ravel(), return_inverse=True)
    order = np.argsort(where, kind="stable")
    ends = np.searchsorted(where[order], np.arange(len(pairs) + 1))
    for pair, start, end in zip(pairs, ends[:-1], ends[1:], strict=True):
        rows = order[start:end]
        means[rows] = _mean_reciprocal(flat[rows], float(pair.real), float(pair.imag))
    return means.reshape(z_.shape)


def mean_reciprocal_gamma(c: ArrayLike, shape: float) -> Floats:
    """E[1 / (c + g)] for g ~ Gamma(shape, 1) and c > 0: c^(s-1) U(s, s, c) of Tricomi's U."""
    c_ = np.asarray(c, dtype=float)
    flat = np.ascontiguousarray(c_).ravel()
    if shape >= SMALL_SHAPE:
        g, w = gamma_rule(shape)
        means = _in_chunks(flat, len(g), lambda v: (1 / (v[:, None] + g)) @ w)
    else:
        g, w = gamma_rule(shape + 1)
        means = _in_chunks(flat, len(g), lambda v: (1 - shape * (1 / (v[:, None] + g)) @ w) / v)
    return means.reshape(c_.shape)


def discounted_purchases_while_alive(n: float, a: float, b: float, rate: ArrayLike) -> Floats:
    """E[g / (rate + p g)] for g ~ Gamma(n, 1) and p ~ Beta(a, b) independent.

    The expected discounted number of purchases of a customer who is alive: given its rate g and
    its probability p to leave after a purchase it buys at intensity g exp(-p g t), and discounting
    at ``rate`` integrates that to g / (rate + p g). Time is in units of the Gamma's scale.
    """
    # A factor g taken out of the mean turns Gamma(n) into Gamma(n + 1), with a short lower tail.
    g, w = gamma_rule(n + 1)
    rates = np.asarray(rate, dtype=float)
    flat = rates.ravel()
    inner = mean_reciprocal_beta(g[None, :] / flat[:, None], a, b)
    return np.asarray((n / flat * (inner @ w)).reshape(rates.shape))
