"""Functions of (frequency, T) that are dear to compute, interpolated over T.

What is expected of a customer who is alive depends on the whole number x and smoothly on T: on
the logarithm of scale + T it is analytic in a wide strip, so that a dozen Chebyshev points for
each doubling of scale + T give it to some ten digits. Where the points lie depends on the scale
only, never on which customers are asked for: the same customer gets the same figure in any batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from customer360.models.lifetime_value.purchase_model import Floats

Integers = NDArray[np.int64]

_COUNT = 12
_ANGLES = (2 * np.arange(_COUNT) + 1) * np.pi / (2 * _COUNT)
_POINTS, _BARYCENTRIC = np.cos(_ANGLES), (-1.0) ** np.arange(_COUNT) * np.sin(_ANGLES)
_PANEL_BITS = 8


class AgeTable:
    """Remembers a function at Chebyshev points, and interpolates between them.

    Args:
        function: Of x and T in days (arrays of one length), giving a row of results for each.
        scale_days: Smallest scale of the model in days.
    """

    def __init__(self, function: Callable[[Floats, Floats], Floats], scale_days: float) -> None:
        self._function = function
        self._scale = scale_days
        self._known: dict[int, Floats] = {}

    def at(self, frequency: Integers, T: Integers) -> Floats:
        """A row of results for each (frequency, T), T in days."""
        doublings = np.log2(1 + T / self._scale)
        panel = np.floor(doublings).astype(np.int64)
        keys = (frequency << _PANEL_BITS) | panel
        order = np.argsort(keys, kind="stable")
        distinct, starts = np.unique(keys[order], return_index=True)
        self._learn([int(key) for key in distinct if int(key) not in self._known])
        weights = _lagrange(np.asarray(2 * (doublings - panel) - 1, dtype=float))
        ends = np.append(starts[1:], len(order))
        width = next(iter(self._known.values())).shape[1] if self._known else 0
        interpolated = np.zeros((len(order), width))
        for key, start, end in zip(distinct, starts, ends, strict=True):
            rows = order[start:end]
            # Added up in a fixed order: a matrix product rounds by how many rows there are.
            for j, values in enumerate(self._known[int(key)]):
                interpolated[rows] += weights[rows, j, None] * values
        return interpolated

    def _learn(self, keys: list[int]) -> None:
        if not keys:
            return
        codes = np.array(keys)
        panel = (codes & ((1 << _PANEL_BITS) - 1))[:, None]
        T = self._scale * np.expm1((panel + (_POINTS + 1) / 2) * np.log(2))
        x = np.broadcast_to((codes >> _PANEL_BITS)[:, None], T.shape)
        values = self._function(x.ravel().astype(float), np.maximum(T, 0.0).ravel())
        self._known |= dict(zip(keys, values.reshape(len(keys), _COUNT, -1), strict=True))


def _lagrange(position: Floats) -> Floats:
    """Weights of the points' values for each position in [-1, 1]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = _BARYCENTRIC / (position[:, None] - _POINTS)
        weights = terms / terms.sum(axis=1, keepdims=True)
    hit = ~np.isfinite(terms).all(axis=1)
    if hit.any():
        weights[hit] = (position[hit, None] == _POINTS).astype(float)
    return np.asarray(weights)
