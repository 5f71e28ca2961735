"""A weighted mean of several predictions: its weights.

Sources: Breiman 1996, "Stacked Regressions", Machine Learning 24 (weights of at least 0); Bates and
Granger 1969, "The Combination of Forecasts", Operational Research Quarterly 20.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Floats = NDArray[np.float64]

SMALLEST_WEIGHT = 0.005
"""A part with less is left out of a blend: each is asked for every customer."""

_FIRMLY = 1e4
"""Weight of the equation by which the weights add up to 1, beside one a customer."""


def weights_of(predictions: Floats, actual: Floats) -> Floats:
    """Weights, at least 0 and 1 together, with the least squared error.

    Args:
        predictions: A row a customer, a column a model.
        actual: What came.
    """
    unit = max(float(np.sqrt(np.mean(actual**2) * len(actual))), 1e-12)
    found, _ = nnls(
        np.vstack([predictions / unit, np.full(predictions.shape[1], _FIRMLY)]),
        np.append(actual / unit, _FIRMLY),
    )
    return np.asarray(found / found.sum())


def kept(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights that are worth their part, 1 together again.

    Args:
        weights: By name, 1 together.
    """
    large = {name: weight for name, weight in weights.items() if weight >= SMALLEST_WEIGHT}
    whole = sum(large.values())
    return {name: weight / whole for name, weight in large.items()}
