"""Making scores mean what they say: of the customers scored 0.3, three in ten should churn.

Trees that stop early and learn on older dates rank well and are still off: too timid at the ends,
and at the level of the dates they learnt on. A curve fitted on newer rows that the trees have not
seen puts that right without changing the ranking.

Sources: Platt 1999, "Probabilistic outputs for support vector machines"; Zadrozny and Elkan 2002,
"Transforming classifier scores into accurate multiclass probability estimates"; Oron and Flournoy
2017, "Centered isotonic regression", Statistics in Biopharmaceutical Research 9(3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ISOTONIC_FROM = 1_000
"""Rows of the smaller class from which isotonic regression is used: it draws any rising curve and
follows chance with fewer; Platt's curve has two parameters and needs little."""

_SMALLEST = 1e-6
_LARGEST_LOGIT = float(np.log((1 - _SMALLEST) / _SMALLEST))
"""Nobody's churn is certain: scores and probabilities stay this far from 0 and 1."""


@dataclass(frozen=True)
class Calibrator:
    """A rising curve from scores to probabilities, as plain numbers.

    Attributes:
        kind: "isotonic", "platt", or "none", which changes nothing.
        scores: Isotonic: the curve's knots, rising.
        probabilities: Isotonic: the probability at each knot, rising; straight lines between.
        slope: Platt: of the logit; positive.
        intercept: Platt: added to it.
    """

    kind: str = "none"
    scores: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, scores: ArrayLike) -> Floats:
        """The probability for each score in [0, 1]."""
        s = np.asarray(scores, dtype=float)
        if self.kind == "isotonic":
            return np.interp(s, self.scores, self.probabilities)
        if self.kind == "platt":
            logit = self.slope * _logit(s) + self.intercept
            return np.asarray(1 / (1 + np.exp(-np.clip(logit, -_LARGEST_LOGIT, _LARGEST_LOGIT))))
        return s

    @classmethod
    def from_dict(cls, given: dict[str, Any] | None) -> Self:
        """From ``dataclasses.asdict``'s dictionary, as JSON gives it back; ``None``: "none"."""
        values = given or {}
        knots = {k: tuple(v) for k, v in values.items() if k in ("scores", "probabilities")}
        return cls(**{**values, **knots})


def _logit(p: Floats) -> Floats:
    clipped = np.clip(p, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def fit_calibrator(labels: ArrayLike, scores: ArrayLike) -> Calibrator:
    """Isotonic with `ISOTONIC_FROM` rows or more of the smaller class, else Platt.

    "none" when one class is missing, or when the scores rank these rows no better than at
    random: there is no rising curve to find.

    Args:
        labels: 1 = churned.
        scores: In [0, 1], of a model that was not fitted to these rows.
    """
    y, s = np.asarray(labels, dtype=float), np.asarray(scores, dtype=float)
    smaller = int(min(y.sum(), len(y) - y.sum()))
    if not smaller:
        return Calibrator()
    return fit_isotonic(y, s) if smaller >= ISOTONIC_FROM else fit_platt(y, s)


def fit_platt(labels: ArrayLike, scores: ArrayLike) -> Calibrator:
    """The logistic curve through the scores' logits, with Platt's smoothed targets.

    The targets (N+ + 1) / (N+ + 2) and 1 / (N- + 2) keep the curve finite where scores separate
    the classes.
    """
    from scipy.optimize import minimize

    y, x = np.asarray(labels, dtype=float), _logit(np.asarray(scores, dtype=float))
    positives, negatives = y.sum(), len(y) - y.sum()
    target = np.where(y > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        z = parameters[0] * x + parameters[1]
        error = 1 / (1 + np.exp(-z)) - target
        value = float(np.mean(np.logaddexp(0, z) - target * z))
        return value, np.array([np.mean(error * x), np.mean(error)])

    slope, intercept = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    if not slope > 0:
        return Calibrator()
    return Calibrator("platt", slope=float(slope), intercept=float(intercept))


def fit_isotonic(labels: ArrayLike, scores: ArrayLike) -> Calibrator:
    """Centred isotonic regression: steps drawn as a line through the middle of each.

    Plain isotonic regression gives all customers of a step one probability and so loses their
    order; the line keeps it. It ends in the corners (0, 0) and (1, 1), but for 1 / (n + 2), so
    that no score is certain.
    """
    from scipy.optimize import isotonic_regression

    y, s = np.asarray(labels, dtype=float), np.asarray(scores, dtype=float)
    distinct, where, counts = np.unique(s, return_inverse=True, return_counts=True)
    means = np.bincount(where, weights=y) / counts
    fitted = isotonic_regression(means, weights=counts)
    starts = fitted.blocks[:-1]
    sizes = np.add.reduceat(counts, starts)
    centres = np.add.reduceat(distinct * counts, starts) / sizes
    least = 1 / (len(y) + 2)
    levels = np.clip(fitted.x[starts], least, 1 - least)
    if len(starts) == 1:
        return Calibrator()
    # Nearer to a corner, the line to it would be too steep to be drawn in doubles.
    inside = (centres > _SMALLEST) & (centres < 1 - _SMALLEST)
    return Calibrator(
        "isotonic",
        scores=(0.0, *centres[inside].tolist(), 1.0),
        probabilities=(
            float(min(least, levels[0])),
            *levels[inside].tolist(),
            float(max(1 - least, levels[-1])),
        ),
    )
