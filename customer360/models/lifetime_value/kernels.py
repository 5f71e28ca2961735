"""The loops over cells, compiled by numba; importing this module imports numba (a second).

Only what differs from cell to cell is here. Gamma-function terms depend on the frequency only and
logarithms of ages on whole days only, so the callers in `likelihoods` hand both over as tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_UNIT_NODES, _UNIT_WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2
_MOST_PANELS = 40
"""A day over which the integrand falls by more than exp(-40) has no second half that counts."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function``, cached on disk where any place for it is writable.

    numba caches beside the module, else in the user's cache folder, else it raises: an installed
    package in a container may have neither, and compiles anew in each process then.
    """
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:
        return numba.njit(function)


@compiled
def beta_geometric_deaths(
    frequency: Integers,
    recency: Integers,
    T: Integers,
    weight: Floats,
    r: float,
    log_age: Floats,
    inverse_age: Floats,
    log_odds: Floats,
    inverse_odds: Floats,
) -> tuple[float, Floats, Floats]:
    """Sums over cells of log(1 + e^q), q the log-odds of having left, and their derivatives.

    q = (r + x) (log(alpha + T) - log(alpha + t_x)) + log a - log(b + survived - 1).

    Args:
        frequency: x of each cell that may have left.
        recency: t_x in days.
        T: In days.
        weight: Customers.
        r: Parameter.
        log_age: log(1 + day / alpha) by day.
        inverse_age: 1 / (alpha + day) by day.
        log_odds: log a - log(b + survived - 1) by x.
        inverse_odds: 1 / (b + survived - 1) by x.

    Returns:
        Value; derivatives by q's (r, alpha, log a, b); second derivatives, 4 x 4.
    """
    value = 0.0
    g_r = g_alpha = g_a = g_b = 0.0
    h_rr = h_ra = h_r1 = h_rb = h_aa = h_a1 = h_ab = h_11 = h_1b = h_bb = 0.0
    for i in range(len(frequency)):
        x, t, last, w = frequency[i], T[i], recency[i], weight[i]
        by_r = log_age[t] - log_age[last]
        by_inverse = inverse_age[t] - inverse_age[last]
        q = (r + x) * by_r + log_odds[x]
        if q > 0:
            e = np.exp(-q)
            left = 1 / (1 + e)
            value += w * (q + np.log1p(e))
        else:
            e = np.exp(q)
            left = e / (1 + e)
            value += w * np.log1p(e)
        by_alpha = (r + x) * by_inverse
        by_b = -inverse_odds[x]
        first = w * left
        second = first * (1 - left)
        g_r += first * by_r
        g_alpha += first * by_alpha
        g_a += first
        g_b += first * by_b
        h_rr += second * by_r * by_r
        h_ra += second * by_r * by_alpha + first * by_inverse
        h_r1 += second * by_r
        h_rb += second * by_r * by_b
        h_aa += second * by_alpha * by_alpha - first * by_alpha * (
            inverse_age[t] + inverse_age[last]
        )
        h_a1 += second * by_alpha
        h_ab += second * by_alpha * by_b
        h_11 += second
        h_1b += second * by_b
        h_bb += (second + first) * by_b * by_b
    gradient = np.array([g_r, g_alpha, g_a, g_b])
    hessian = np.array(
        [
            [h_rr, h_ra, h_r1, h_rb],
            [h_ra, h_aa, h_a1, h_ab],
            [h_r1, h_a1, h_11, h_1b],
            [h_rb, h_ab, h_1b, h_bb],
        ]
    )
    return value, gradient, hessian


@compiled
def gamma_gamma_sums(
    row: Integers, spent: Floats, weight: Floats, v: float, rows: int
) -> tuple[Floats, Floats, Floats]:
    """Sums of log, reciprocal and squared reciprocal of (spent + v) by frequency.

    Args:
        row: Which frequency, as its place among the distinct ones.
        spent: Frequency times mean spend.
        weight: Customers.
        v: Parameter.
        rows: Number of distinct frequencies.
    """
    logs, reciprocals, squares = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    for i in range(len(row)):
        total = spent[i] + v
        inverse = weight[i] / total
        logs[row[i]] += weight[i] * np.log(total)
        reciprocals[row[i]] += inverse
        squares[row[i]] += inverse / total
    return logs, reciprocals, squares


@compiled
def pareto_nbd_table(
    frequencies: Floats, days: int, unit: float, r: float, alpha: float, s: float, beta: float
) -> Floats:
    """Likelihood of leaving between a day and the last day, and its derivatives, for each x.

    The integral over t of s/(beta+t) (1+t/alpha)^-(r+x) (1+t/beta)^-s, divided by the two powers
    at the day it starts, so that nothing over- or underflows; built backwards day by day by
    5-point Gauss-Legendre, in several panels where the integrand is steep. Ages are relative to
    alpha and beta, which may be huge together with r and s.

    Args:
        frequencies: Distinct x.
        days: Largest T in days.
        unit: Days in a unit of model time.
        r: Parameter.
        alpha: Parameter.
        s: Parameter.
        beta: Parameter.

    Returns:
        Distinct x, by day, by (integral, its derivatives by log r, log alpha, log s, log beta).
    """
    nodes = len(_UNIT_NODES)
    table = np.zeros((len(frequencies), days + 1, 5))
    log_a, log_b = np.empty((days, nodes)), np.empty((days, nodes))
    for day in range(days):
        for k in range(nodes):
            t = (day + _UNIT_NODES[k]) / unit
            log_a[day, k] = np.log1p(t / alpha)
            log_b[day, k] = np.log1p(t / beta)
    for i in range(len(frequencies)):
        n = r + frequencies[i]
        for day in range(days - 1, -1, -1):
            start, end = day / unit, (day + 1) / unit
            steepness = (n / (alpha + start) + (s + 1) / (beta + start)) / unit
            panels = int(min(max(np.ceil(steepness), 1.0), _MOST_PANELS))
            base_a, base_b = np.log1p(start / alpha), np.log1p(start / beta)
            total = by_r = by_alpha = by_s = by_beta = 0.0
            width = (end - start) / panels
            for panel in range(panels):
                for k in range(nodes):
                    t = start + width * (panel + _UNIT_NODES[k])
                    if panels == 1:
                        la, lb = log_a[day, k], log_b[day, k]
                    else:
                        la, lb = np.log1p(t / alpha), np.log1p(t / beta)
                    term = np.exp(-n * (la - base_a) - s * (lb - base_b))
                    term *= s * width * _UNIT_WEIGHTS[k] / (beta + t)
                    total += term
                    by_r -= term * r * la
                    by_alpha += term * n * t / (alpha + t)
                    by_s += term * (1 - s * lb)
                    by_beta += term * (s * t - beta) / (beta + t)
            fall = n * (np.log1p(end / alpha) - base_a) + s * (np.log1p(end / beta) - base_b)
            kept = np.exp(-fall)
            table[i, day, 0] = total + kept * table[i, day + 1, 0]
            table[i, day, 1] = by_r + kept * table[i, day + 1, 1]
            table[i, day, 2] = by_alpha + kept * table[i, day + 1, 2]
            table[i, day, 3] = by_s + kept * table[i, day + 1, 3]
            table[i, day, 4] = by_beta + kept * table[i, day + 1, 4]
    return table


@compiled
def pareto_nbd_sums(
    row: Integers,
    frequencies: Floats,
    recency: Integers,
    T: Integers,
    weight: Floats,
    parameters: Floats,
    log_alpha_age: Floats,
    log_beta_age: Floats,
    table: Floats,
    unit: float,
) -> tuple[float, Floats]:
    """Sum over cells of the log-likelihood without its Gamma terms and without -x log(alpha).

    Args:
        row: Which frequency, as its place in ``frequencies``.
        frequencies: Distinct x.
        recency: In days.
        T: In days.
        weight: Customers.
        parameters: r, alpha, s, beta.
        log_alpha_age: log(1 + day / alpha) by day.
        log_beta_age: log(1 + day / beta) by day.
        table: Of `pareto_nbd_table`.
        unit: Days in a unit of model time.

    Returns:
        Value, and its derivatives by the log-parameters.
    """
    r, alpha, s, beta = parameters
    value = 0.0
    gradient = np.zeros(4)
    for i in range(len(row)):
        k, last, t, w = row[i], recency[i], T[i], weight[i]
        n, age = r + frequencies[k], t / unit
        la, lb = log_alpha_age[t], log_beta_age[t]
        alive = np.exp(-n * (la - log_alpha_age[last]) - s * (lb - log_beta_age[last]))
        all_ = alive * (1 - table[k, t, 0]) + table[k, last, 0]
        value += w * (np.log(all_) - n * log_alpha_age[last] - s * log_beta_age[last])
        share = w / all_
        gradient[0] += share * (alive * (-r * la - table[k, t, 1]) + table[k, last, 1])
        gradient[1] += share * (
            alive * (n * age / (alpha + age) - table[k, t, 2]) + table[k, last, 2]
        )
        gradient[2] += share * (alive * (-s * lb - table[k, t, 3]) + table[k, last, 3])
        gradient[3] += share * (
            alive * (s * age / (beta + age) - table[k, t, 4]) + table[k, last, 4]
        )
    return value, gradient
