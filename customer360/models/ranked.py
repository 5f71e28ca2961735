"""Customers from the largest value to the smallest, and what adds up over the first of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """Customers by a value, those of equal value together.

    Attributes:
        order: Places of the customers, the largest value first.
        ends: Place in ``order`` of the last customer of each value.
    """

    order: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def by(cls, values: Floats) -> Self:
        """Ranked by ``values``; of equal ones the first given comes first."""
        order = np.argsort(-values, kind="stable")
        return cls(order, np.flatnonzero(np.append(np.diff(values[order]) != 0, True)))

    def summed(self, amounts: Floats) -> Floats:
        """Sum of ``amounts`` over nobody, then over the customers up to each of ``ends``."""
        return np.insert(np.cumsum(amounts[self.order])[self.ends], 0, 0.0)
