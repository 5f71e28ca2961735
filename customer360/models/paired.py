"""Which of several predictions of the same customers is better, and when that may be chance.

All are judged on the same customers, who are drawn again with replacement: in each resample every
prediction meets the same customers, so what they have in common (a few heavy buyers, a quiet month)
does not blur the difference between two of them.

Sources: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapters 10 and 16; the rule
of taking the simplest whose error is within noise of the best: Hastie, Tibshirani and Friedman
2009, "The Elements of Statistical Learning", section 7.10 (there one standard error).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from customer360.models.bootstrap import LEVEL, RESAMPLES, Interval, lorenz_area
from customer360.models.comparison import PAIRED
from customer360.models.sampling import every_nth

_ROUNDING = 1e-10
"""Share of a loss within which two are the same."""

Floats = NDArray[np.float64]
Groups = NDArray[np.intp]

JUDGED_ROWS = 50_000
"""Customers that are drawn from, at most: more would tell of differences that nobody acts on."""


@dataclass(frozen=True)
class _Prediction:
    """One prediction of all judged customers, and the groups of those of whom it says the same."""

    values: Floats
    groups: Groups

    @classmethod
    def of(cls, values: ArrayLike) -> _Prediction:
        array = np.asarray(values, dtype=float)
        return cls(array, np.unique(array, return_inverse=True)[1])


Judge = Callable[[_Prediction, _Prediction, Floats], float]
"""A loss (less is better) of a prediction, given what came and how many times each customer is
there."""


def _mae(predicted: _Prediction, came: _Prediction, times: Floats) -> float:
    return float(times @ np.abs(predicted.values - came.values) / times.sum())


def _rmse(predicted: _Prediction, came: _Prediction, times: Floats) -> float:
    return float(np.sqrt(times @ (predicted.values - came.values) ** 2 / times.sum()))


def _brier(predicted: _Prediction, came: _Prediction, times: Floats) -> float:
    return float(times @ (predicted.values - came.values) ** 2 / times.sum())


def _no_order(predicted: _Prediction, came: _Prediction, times: Floats) -> float:
    """Minus the normalized Gini; 0 for one who says the same of everybody."""
    best = lorenz_area(came.groups, came.values, times)
    return -lorenz_area(predicted.groups, came.values, times) / best if best else 0.0


def _no_ranking(predicted: _Prediction, came: _Prediction, times: Floats) -> float:
    """Minus the area under the ROC curve; a half for one who says the same of everybody."""
    positive = np.bincount(predicted.groups, weights=times * came.values)
    negative = np.bincount(predicted.groups, weights=times * (1 - came.values))
    pairs = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative / 2
    return -float(positive @ below / pairs) if pairs > 0 else -0.5


_JUDGES: dict[str, Judge] = {
    "mae": _mae,
    "rmse": _rmse,
    "normalized_gini": _no_order,
    "brier": _brier,
    "roc_auc": _no_ranking,
}


@dataclass(frozen=True)
class Losses:
    """What each prediction loses by each figure, on the customers and on each resample of them.

    Attributes:
        by_figure: Columns: the predictions; first row: of the customers as they are, then one a
            resample. Less is better: of a correlation or an area it is minus the figure.
    """

    by_figure: Mapping[str, pd.DataFrame]

    @classmethod
    def of(
        cls,
        predictions: Mapping[str, ArrayLike],
        came: ArrayLike,
        figures: Sequence[str],
        *,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Losses:
        """Judge predictions of the same customers.

        Args:
            predictions: By name, a value a customer.
            came: What came of each, in the same order; of probabilities 1 or 0.
            figures: Of `AMOUNT_LOSSES` or `PROBABILITY_LOSSES` of `customer360.models.comparison`.
            resamples: How often customers are drawn again.
            seed: Same seed, same losses.
        """
        given = pd.DataFrame({name: np.asarray(v, float) for name, v in predictions.items()})
        given.insert(0, "", np.asarray(came, dtype=float), allow_duplicates=True)
        given = every_nth(given, JUDGED_ROWS)
        actual = _Prediction.of(given.iloc[:, 0])
        judged = {name: _Prediction.of(given[name]) for name in predictions}
        random, n = np.random.default_rng(seed), len(given)
        rows: dict[str, list[dict[str, float]]] = {figure: [] for figure in figures}
        for resample in range(resamples + 1):
            times = (
                np.bincount(random.integers(n, size=n), minlength=n).astype(float)
                if resample
                else np.ones(n)
            )
            for figure in figures:
                judge = _JUDGES[figure]
                rows[figure].append({k: judge(p, actual, times) for k, p in judged.items()})
        return cls({figure: pd.DataFrame(losses) for figure, losses in rows.items()})

    def difference(self, figure: str, own: str, other: str, level: float = LEVEL) -> Interval:
        """What ``own`` loses more than ``other``, with its interval: above 0, it is worse."""
        losses = self.by_figure[figure]
        more = (losses[own] - losses[other]).to_numpy()
        # Two ways to the same prediction differ in their last digits.
        more = np.where(np.abs(more) > _ROUNDING * losses[other].abs().to_numpy(), more, 0.0)
        low, high = np.quantile(more[1:], [(1 - level) / 2, (1 + level) / 2])
        return Interval(float(more[0]), float(low), float(high))

    def worse(self, own: str, other: str) -> tuple[str, ...]:
        """Figures by which ``own`` loses more than ``other`` beyond the interval."""
        return tuple(f for f in self.by_figure if self.difference(f, own, other).low > 0)

    def metrics(self, own: str) -> dict[str, float]:
        """How ``own`` differs from each of the others, as flat figures to log.

        Returns:
            ``paired_<other>_<figure>`` and the ends of its interval, ``…_low`` and ``…_high``: what
            ``own`` loses more than the other, below 0 where it is better.
        """
        found: dict[str, float] = {}
        for figure, losses in self.by_figure.items():
            for other in map(str, losses.columns):
                if other != own:
                    interval = self.difference(figure, own, other)
                    name = f"{PAIRED}{other}_{figure}"
                    found |= {
                        name: interval.value,
                        f"{name}_low": interval.low,
                        f"{name}_high": interval.high,
                    }
        return found

    def choice(self, preferred_first: Sequence[str]) -> str:
        """The first that is not worse than the best of any figure beyond the interval.

        Where each is worse than somebody, the one whose worst regret is the least, counted in
        widths of the interval.

        Args:
            preferred_first: The predictions that may be chosen.
        """
        best = {f: str(losses.iloc[0].idxmin()) for f, losses in self.by_figure.items()}

        def regret(name: str) -> float:
            """Of all figures the largest; above 0 beyond the interval."""
            found = [self.difference(f, name, other) for f, other in best.items()]
            return max(i.low / max(i.high - i.low, 1e-300) for i in found)

        regrets = {name: regret(name) for name in preferred_first}
        fine = [name for name in preferred_first if regrets[name] <= 0]
        return fine[0] if fine else min(regrets, key=lambda name: regrets[name])
