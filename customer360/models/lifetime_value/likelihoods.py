"""Log-likelihoods of counted cells with gradient and Hessian by the log-parameters.

Every class takes the cells once, keeps their sums, and is then a function of log-parameters:
``at(log_parameters)`` gives the mean log-likelihood a customer, its gradient and its Hessian.
Sums of digamma-like terms over whole frequencies are running sums, exact for any parameter size:
log Gamma(r + x) - log Gamma(r) is the sum of log(r + j) over j < x.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, polygamma

from customer360.models.lifetime_value.beta_geometric import _BetaGeometric
from customer360.models.lifetime_value.purchase_model import Floats

Integers = NDArray[np.int64]


class Point(NamedTuple):
    """A likelihood at one place: mean a customer, by log-parameters."""

    value: float
    gradient: Floats
    hessian: Floats


class Likelihood(Protocol):
    """A function of log-parameters."""

    def at(self, log_parameters: Floats) -> Point:
        """Mean log-likelihood a customer with its derivatives."""


class PurchaseCells(NamedTuple):
    """Cells as arrays: whole purchases and days, and customers."""

    frequency: Integers
    recency: Integers
    T: Integers
    customers: Floats

    @classmethod
    def of(cls, cells: pd.DataFrame) -> PurchaseCells:
        """From columns ``frequency``, ``recency``, ``T`` (days) and ``customers``.

        A customer whose first purchase is today has no time to say anything about, and is left
        out. The last purchase cannot be after T.
        """
        whole = (cells[name].to_numpy().astype(np.int64) for name in ("frequency", "recency", "T"))
        frequency, recency, T = whole
        seen = T > 0
        return cls(
            frequency[seen],
            recency[seen],
            T[seen],
            cells["customers"].to_numpy(dtype=float)[seen],
        )

    def only(self, which: slice | NDArray[np.bool_]) -> PurchaseCells:
        """The chosen cells, contiguous in memory."""
        frequency, recency, T, customers = self
        return PurchaseCells(
            np.ascontiguousarray(frequency[which]),
            np.ascontiguousarray(recency[which]),
            np.ascontiguousarray(T[which]),
            np.ascontiguousarray(customers[which]),
        )

    def sample(self, size: int) -> PurchaseCells:
        """Every n-th cell, so that about ``size`` are left: for a first guess."""
        return self.only(slice(None, None, max(1, len(self.frequency) // size)))


def on_log_scale(parameters: Floats, gradient: Floats, hessian: Floats) -> tuple[Floats, Floats]:
    """Derivatives by log-parameters from those by parameters."""
    by_log = gradient * parameters
    return by_log, hessian * np.outer(parameters, parameters) + np.diag(by_log)


def _rising(start: float, steps: int) -> tuple[Floats, Floats, Floats]:
    """Logarithm of Gamma(start + k) / Gamma(start) for k = 0..steps, and its two derivatives."""
    terms = start + np.arange(steps)
    return (
        np.concatenate([[0.0], np.cumsum(np.log(terms))]),
        np.concatenate([[0.0], np.cumsum(1 / terms)]),
        np.concatenate([[0.0], np.cumsum(-1 / terms**2)]),
    )


class BetaGeometricLikelihood:
    """Of `BgNbd` or `MbgNbd`: [BG] eq. 3 split into sums by x, sums by T, and a loop."""

    def __init__(
        self, cells: PurchaseCells, model: type[_BetaGeometric], time_unit_days: float
    ) -> None:
        self._offset = model.first_purchase_counts
        self._unit = time_unit_days
        self._total = float(cells.customers.sum())
        self._days = int(cells.T.max())
        self._most = int(cells.frequency.max())
        self._by_x = np.bincount(cells.frequency, cells.customers)
        self._by_age = np.bincount(cells.T, cells.customers)
        self._purchases_by_age = np.bincount(cells.T, cells.customers * cells.frequency)
        # Who cannot have left has nothing but those sums.
        self._mortal = cells.only(cells.frequency + self._offset > 0)

    def at(self, log_parameters: Floats) -> Point:
        """Mean log-likelihood a customer with its derivatives."""
        from customer360.models.lifetime_value import kernels

        r, alpha, a, b = parameters = np.exp(log_parameters)
        # Relative to alpha, which may be huge together with r: log(1 + T/alpha) keeps its digits
        # where the difference of two logarithms loses them.
        day = np.arange(self._days + 1) / self._unit
        log_age, inverse_age = np.log1p(day / alpha), 1 / (alpha + day)
        share = day * inverse_age / alpha
        x = np.arange(self._most + 1)
        survived = x + self._offset
        before = b + (np.maximum(survived, 1) - 1)  # b + 1 - 1 would lose a tiny b
        value, first, second = kernels.beta_geometric_deaths(
            *self._mortal, r, log_age, inverse_age, log_parameters[2] - np.log(before), 1 / before
        )
        # The kernel differentiates by log a.
        chain = np.array([1, 1, 1 / a, 1])
        gradient, hessian = first * chain, second * np.outer(chain, chain)
        hessian[2, 2] -= first[2] / a**2

        # -x log(alpha) - (r + x) log(1 + T/alpha)
        n, purchases = self._by_age, self._purchases_by_age
        exponent, total = r * n + purchases, float(purchases.sum())
        value -= total * log_parameters[1] + exponent @ log_age
        gradient[0] -= n @ log_age
        gradient[1] += exponent @ share - total / alpha
        hessian[0, 1] += n @ share
        hessian[1, 0] = hessian[0, 1]
        hessian[1, 1] += total / alpha**2 - exponent @ (share * (1 / alpha + inverse_age))

        steps = self._most + self._offset
        gamma_r = _rising(r, self._most)
        gamma_b, gamma_ab = _rising(b, steps), _rising(a + b, steps)
        for sign, table, where in (
            (1.0, gamma_r, (0,)),
            (1.0, tuple(t[self._offset :] for t in gamma_b), (3,)),
            (-1.0, tuple(t[self._offset :] for t in gamma_ab), (2, 3)),
        ):
            at_x, slope, curve = (sign * float(self._by_x @ column) for column in table)
            value += at_x
            for i in where:
                gradient[i] += slope
                for j in where:
                    hessian[i, j] += curve
        by_log, by_logs = on_log_scale(parameters, gradient, hessian)
        return Point(value / self._total, by_log / self._total, by_logs / self._total)


class ParetoNbdLikelihood:
    """Of `ParetoNbd`, its hypergeometric terms as integrals over the time of leaving."""

    def __init__(self, cells: PurchaseCells, time_unit_days: float) -> None:
        self._unit = float(time_unit_days)
        self._total = float(cells.customers.sum())
        self._cells = cells
        self._days = int(cells.T.max())
        self._by_x = np.bincount(cells.frequency, cells.customers)
        distinct, row = np.unique(cells.frequency, return_inverse=True)
        self._frequencies, self._row = distinct.astype(float), row.astype(np.int64)

    def value_and_gradient(self, log_parameters: Floats) -> tuple[float, Floats]:
        """Mean log-likelihood a customer and its gradient by the log-parameters."""
        from customer360.models.lifetime_value import kernels

        r, alpha, s, beta = parameters = np.exp(log_parameters)
        day = np.arange(self._days + 1) / self._unit
        table = kernels.pareto_nbd_table(
            self._frequencies, self._days, self._unit, r, alpha, s, beta
        )
        value, gradient = kernels.pareto_nbd_sums(
            self._row,
            self._frequencies,
            self._cells.recency,
            self._cells.T,
            self._cells.customers,
            parameters,
            np.log1p(day / alpha),
            np.log1p(day / beta),
            table,
            self._unit,
        )
        at_x, slope, _ = _rising(r, len(self._by_x) - 1)
        purchases = float(self._cells.customers @ self._cells.frequency)
        value += float(self._by_x @ at_x) - purchases * log_parameters[1]
        gradient[0] += float(self._by_x @ slope) * r
        gradient[1] -= purchases
        return value / self._total, gradient / self._total

    def at(self, log_parameters: Floats) -> Point:
        """Mean log-likelihood a customer; the Hessian by central differences of the gradient."""
        value, gradient = self.value_and_gradient(log_parameters)
        step = 1e-4
        columns = [
            (
                self.value_and_gradient(log_parameters + step * unit)[1]
                - self.value_and_gradient(log_parameters - step * unit)[1]
            )
            / (2 * step)
            for unit in np.eye(4)
        ]
        hessian = np.array(columns)
        return Point(value, gradient, (hessian + hessian.T) / 2)


class GammaGammaLikelihood:
    """Of `GammaGamma`: [GG] eq. 1a split into sums by frequency and one loop."""

    def __init__(self, frequency: Floats, monetary_value: Floats, customers: Floats) -> None:
        x, row = np.unique(frequency, return_inverse=True)
        self._x, self._row = x, row.astype(np.int64)
        self._weight = customers
        self._spent = frequency * monetary_value
        self._total = float(customers.sum())
        self._by_x = np.bincount(row, customers)
        # (p x - 1) log m + p x log x = p x log(x m) - log m
        self._log_spent = np.bincount(row, customers * np.log(self._spent))
        self._log_values = float(customers @ np.log(monetary_value))

    def at(self, log_parameters: Floats) -> Point:
        """Mean log-likelihood a customer with its derivatives."""
        from customer360.models.lifetime_value import kernels

        p, q, v = parameters = np.exp(log_parameters)
        logs, reciprocals, squares = kernels.gamma_gamma_sums(
            self._row, self._spent, self._weight, v, len(self._x)
        )
        n, x, total = self._by_x, self._x, self._total
        px, pxq = p * x, p * x + q
        value = n @ (gammaln(pxq) - gammaln(px)) + total * (q * log_parameters[2] - gammaln(q))
        value += px @ self._log_spent - self._log_values - pxq @ logs
        rises = digamma(pxq)
        gradient = np.array(
            [
                (n * x) @ (rises - digamma(px)) + x @ self._log_spent - x @ logs,
                n @ rises + total * (log_parameters[2] - digamma(q)) - logs.sum(),
                total * q / v - pxq @ reciprocals,
            ]
        )
        curve = polygamma(1, pxq)
        pp = (n * x**2) @ (curve - polygamma(1, px))
        pq, pv = (n * x) @ curve, -(x @ reciprocals)
        qq, qv = n @ curve - total * float(polygamma(1, q)), total / v - reciprocals.sum()
        vv = pxq @ squares - total * q / v**2
        hessian = np.array([[pp, pq, pv], [pq, qq, qv], [pv, qv, vv]])
        by_log, by_logs = on_log_scale(parameters, gradient, hessian)
        return Point(float(value) / total, by_log / total, by_logs / total)
