"""What every model of how often a customer comes back can answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import astuple, dataclass, fields
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def as_floats(*values: ArrayLike) -> tuple[Floats, ...]:
    """Arrays of floats of one common shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in values)))


@dataclass(frozen=True)
class PurchaseModel(ABC):
    """A model of purchases while alive and of leaving, with known parameters.

    A history is ``frequency`` (repeat purchases x), ``recency`` (time of the last one since the
    first purchase, t_x) and ``T`` (time since the first purchase). All times are in the unit of
    the parameters. All arguments broadcast.

    Attributes:
        kind: Short name, as parameters files state it.
        time_parameters: Names of the parameters that have the unit of time.
    """

    kind: ClassVar[str]
    time_parameters: ClassVar[tuple[str, ...]]

    r: float
    alpha: float

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the parameters, in their order."""
        return tuple(field.name for field in fields(cls))

    @property
    def log_parameters(self) -> Floats:
        """Logarithms of the parameters, in their order: the scale on which they are fitted."""
        return np.log(np.array(astuple(self), dtype=float))

    @classmethod
    def of_log_parameters(cls, log_parameters: ArrayLike) -> Self:
        """The model with these logarithms of parameters."""
        return cls(*np.exp(np.asarray(log_parameters, dtype=float)).tolist())

    @abstractmethod
    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Log-likelihood of each history."""

    @abstractmethod
    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Probability that the customer has not left by ``T``."""

    @abstractmethod
    def expected_purchases_if_alive(
        self, t: ArrayLike, frequency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """Expected purchases in the next ``t`` of a customer who has not left by ``T``."""

    @abstractmethod
    def discounted_purchases_if_alive(
        self, rate: float, frequency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """Expected discounted purchases over the whole remaining life of one who is alive."""

    @abstractmethod
    def survival_if_alive(
        self, purchases: ArrayLike, t: ArrayLike, frequency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(at least ``purchases`` in the next ``t``) of a customer who has not left by ``T``."""

    def expected_purchases(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """Expected purchases in the next ``t`` given a history."""
        alive = self.probability_alive(frequency, recency, T)
        return np.asarray(alive * self.expected_purchases_if_alive(t, frequency, T))

    def expected_purchases_of_new(self, t: ArrayLike) -> Floats:
        """E[X(t)]: expected repeat purchases in the first ``t`` after a first purchase."""
        return self.expected_purchases(t, 0.0, 0.0, 0.0)

    def survival_of_new(self, purchases: ArrayLike, t: ArrayLike) -> Floats:
        """P(X(t) >= ``purchases``): that many repeat purchases in ``t`` after a first purchase."""
        alive = self.probability_alive(0.0, 0.0, 0.0)
        wanted = np.asarray(purchases, dtype=float)
        return np.where(wanted > 0, alive * self.survival_if_alive(wanted, t, 0.0, 0.0), 1.0)

    def discounted_residual_purchases(
        self, rate: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """Expected discounted purchases over the whole remaining life (DERT).

        Args:
            rate: Continuous discount rate a unit of time, positive: log(1.10) / 52 for 10 % a
                year in weeks.
            frequency: Repeat purchases.
            recency: Time of the last one.
            T: Time since the first purchase.
        """
        alive = self.probability_alive(frequency, recency, T)
        return np.asarray(alive * self.discounted_purchases_if_alive(rate, frequency, T))
