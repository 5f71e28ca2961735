"""Newton's method for likelihoods with a handful of parameters on the log scale."""

from __future__ import annotations

import numpy as np

from customer360.errors import Customer360Error
from customer360.models.lifetime_value.likelihoods import Likelihood, Point
from customer360.models.lifetime_value.purchase_model import Floats
from customer360.models.notes import Note, in_english

LARGEST_STEP = 2.0
"""No step moves the log-parameters further: a quadratic says nothing about far places."""

SMALLEST_GAIN = 1e-14
"""Mean log-likelihood a customer that a last Newton step may still promise."""

FLAT = 1e-9
"""Gradient (mean a customer) that is as good as none: towards a boundary it never vanishes."""

FARTHEST = 25.0
"""Log-parameters beyond this have left for a boundary, where nothing changes any more."""


class NotFittedError(Customer360Error):
    """A model cannot be fitted to this data.

    Args:
        note: Why.
    """

    def __init__(self, note: Note) -> None:
        self.note = note
        super().__init__(in_english([note]))


def _is_finite(point: Point) -> bool:
    return bool(
        np.isfinite(point.value)
        and np.isfinite(point.gradient).all()
        and np.isfinite(point.hessian).all()
    )


def _uphill(point: Point) -> Floats:
    """Newton's step, with curvatures of the wrong sign turned round so that it goes uphill."""
    curvature, directions = np.linalg.eigh(-point.hessian)
    curvature = np.maximum(np.abs(curvature), 1e-8 * np.abs(curvature).max() + 1e-300)
    step = directions @ (directions.T @ point.gradient / curvature)
    return step * min(1.0, LARGEST_STEP / max(float(np.linalg.norm(step)), 1e-300))


def maximise(likelihood: Likelihood, start: Floats, most_steps: int = 200) -> tuple[Floats, Point]:
    """The log-parameters of a maximum, and the likelihood there.

    Each step is halved until it gains; a likelihood that rises for ever towards a boundary is
    followed until nothing is gained any more.

    Args:
        likelihood: What to maximise.
        start: Log-parameters to start from.
        most_steps: Steps after which it is given up.

    Raises:
        NotFittedError: Not finite at the start, or no maximum within ``most_steps``.
    """
    with np.errstate(all="ignore"):
        parameters, point = start, likelihood.at(start)
        if not _is_finite(point):
            raise NotFittedError(Note("not_finite_at_the_start"))
        for _ in range(most_steps):
            step = _uphill(point)
            # One more step is taken from here: Newton's doubles the digits.
            last = point.gradient @ step < SMALLEST_GAIN or np.abs(point.gradient).max() < FLAT
            share, better = 1.0, None
            # Rounding of the value itself is no loss.
            slack = 1e-15 * abs(point.value)
            while share > 1e-6:
                proposed = np.clip(parameters + share * step, -FARTHEST, FARTHEST)
                candidate = likelihood.at(proposed)
                if _is_finite(candidate) and candidate.value >= point.value - slack:
                    better = candidate
                    break
                share /= 4
            if better is None:
                if last:
                    return parameters, point
                raise NotFittedError(Note("no_step_gains"))
            parameters, point = proposed, better
            if last:
                return parameters, point
    raise NotFittedError(Note("no_maximum", {"steps": most_steps}))
