"""How sure are the figures of a test: bootstrap intervals for probabilities and for amounts.

Customers are drawn again with replacement; a test set has one row a customer, so rows are. For
probabilities, what is resampled are counts: scores are grouped into at most `MOST_GROUPS` groups of
equal size, and the number of churned and kept customers in each group of a resample is multinomial.
That is the bootstrap itself where no two distinct scores share a group, and costs the same for a
thousand customers as for ten million.

Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapters 10 and 13.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from customer360.models.evaluation import LIFT_SHARES, lift_name

Floats = NDArray[np.float64]

RESAMPLES = 200
LEVEL = 0.9
"""Share of resamples inside an interval."""

MOST_GROUPS = 2_000
"""Groups of scores; the AUC within a group counts as one half, an error below 1 / 2,000."""

TENTHS = 10

_UPPER_LIMITS = {"roc_auc": 1.0, "pr_auc": 1.0, "brier": 1.0, "calibration_error": 1.0}


@dataclass(frozen=True)
class ScoreGroups:
    """Scored customers counted by score, the riskiest group first.

    Attributes:
        kept: Kept customers by group.
        churned: Churned customers by group.
        score: Mean score by group.
        kept_loss: Mean squared error of a kept customer by group: of p squared.
        churned_loss: Mean squared error of a churned customer by group: of (1 - p) squared.
    """

    kept: Floats
    churned: Floats
    score: Floats
    kept_loss: Floats
    churned_loss: Floats

    @classmethod
    def of(
        cls, labels: ArrayLike, probabilities: ArrayLike, most: int = MOST_GROUPS
    ) -> ScoreGroups:
        """Group by distinct score, or by quantiles of the scores when there are more of them."""
        y, p = np.asarray(labels, dtype=int), np.asarray(probabilities, dtype=float)
        distinct, group = np.unique(-p, return_inverse=True)
        if len(distinct) > most:
            edges = np.unique(np.quantile(-p, np.arange(1, most) / most))
            _, group = np.unique(np.searchsorted(edges, -p), return_inverse=True)

        def total(weights: Floats) -> Floats:
            return np.asarray(np.bincount(group, weights=weights))

        kept, churned = total(y == 0), total(y == 1)
        return cls(
            kept,
            churned,
            total(p) / (kept + churned),
            total(p**2 * (y == 0)) / np.maximum(kept, 1),
            total((1 - p) ** 2 * (y == 1)) / np.maximum(churned, 1),
        )

    def resampled(self, resamples: int, seed: int) -> tuple[Floats, Floats]:
        """Counts of kept and churned customers by resample (rows) and group (columns)."""
        counts = np.concatenate([self.kept, self.churned])
        customers = int(counts.sum())
        random = np.random.default_rng(seed)
        drawn = random.multinomial(customers, counts / customers, size=resamples).astype(float)
        return drawn[:, : len(self.kept)], drawn[:, len(self.kept) :]

    def figures(self, kept: Floats, churned: Floats) -> dict[str, Floats]:
        """ROC AUC, PR AUC, lifts, Brier score and calibration error of each row of counts.

        The same figures as `evaluation`'s, from counts by group: shape (resamples, groups).
        NaN where a row has one class only.
        """
        everybody = kept + churned
        customers = everybody.sum(axis=1)
        all_churned, all_kept = churned.sum(axis=1), kept.sum(axis=1)
        caught, reached = churned.cumsum(axis=1), everybody.cumsum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            kept_below = all_kept[:, None] - kept.cumsum(axis=1)
            pairs = (churned * (kept_below + kept / 2)).sum(axis=1)
            precision = np.where(reached > 0, caught / np.maximum(reached, 1), 0.0)
            figures = {
                "roc_auc": pairs / (all_churned * all_kept),
                "pr_auc": (churned * precision).sum(axis=1) / all_churned,
            }
            for share in LIFT_SHARES:
                within = np.array(
                    [
                        np.interp(share * n, np.insert(r, 0, 0.0), np.insert(c, 0, 0.0))
                        for n, r, c in zip(customers, reached, caught, strict=True)
                    ]
                )
                figures[lift_name(share)] = within / (share * all_churned)
            loss = kept @ self.kept_loss + churned @ self.churned_loss
            figures["brier"] = loss / customers
            figures["calibration_error"] = self._calibration_error(churned, everybody)
        return figures

    def _calibration_error(self, churned: Floats, everybody: Floats) -> Floats:
        customers = everybody.sum(axis=1, keepdims=True)
        # The tenth of a group is that of its customers' mean rank, counted from the lowest score.
        above = everybody.cumsum(axis=1)
        rank = customers - above + (everybody + 1) / 2
        tenth = np.minimum(np.ceil(rank / customers * TENTHS - 1e-9), TENTHS)
        gap = everybody * self.score - churned
        by_tenth = [np.abs((gap * (tenth == n)).sum(axis=1)) for n in range(1, TENTHS + 1)]
        return np.asarray(np.sum(by_tenth, axis=0) / customers[:, 0])


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap interval."""

    value: float
    low: float
    high: float


def bootstrap_intervals(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Interval]:
    """Figures of scored customers with intervals; empty unless both classes are there.

    The interval is the resamples' percentiles less the resamples' bias (their mean minus the
    figure): a resample always looks worse calibrated than the sample it is drawn from.

    Args:
        labels: 1 = churned, one a customer.
        probabilities: Churn probabilities, one a customer.
        resamples: How often customers are drawn again.
        level: Share of resamples inside the interval.
        seed: Same seed, same intervals.

    Returns:
        ``roc_auc``, ``pr_auc``, ``lift_5``, ``lift_10``, ``lift_20``, ``brier`` and
        ``calibration_error``.
    """
    y = np.asarray(labels, dtype=int)
    if not len(y) or y.min() == y.max():
        return {}
    groups = ScoreGroups.of(y, probabilities)
    values = groups.figures(groups.kept[None, :], groups.churned[None, :])
    drawn = groups.figures(*groups.resampled(resamples, seed))
    intervals = {}
    for name, value in values.items():
        figures = drawn[name][np.isfinite(drawn[name])]
        if not len(figures):
            continue
        edges = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2])
        low, high = edges - (figures.mean() - value[0])
        intervals[name] = Interval(
            float(value[0]), max(float(low), 0.0), min(float(high), _UPPER_LIMITS.get(name, np.inf))
        )
    return intervals


def amount_intervals(
    expected: ArrayLike,
    actual: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Interval]:
    """MAE, RMSE, bias and normalized Gini of expected amounts with percentile intervals.

    Args:
        expected: Amounts that were expected, one a customer.
        actual: Amounts that came.
        resamples: How often customers are drawn again.
        level: Share of resamples inside the interval.
        seed: Same seed, same intervals.

    Returns:
        ``mae``, ``rmse``, ``bias`` and, where something came and was not the same for all,
        ``normalized_gini``; empty without customers.
    """
    e, a = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    if not len(a):
        return {}
    error = e - a
    by_expected, by_actual = (np.unique(-x, return_inverse=True)[1] for x in (e, a))

    def figures(times: Floats) -> tuple[float, ...]:
        n = times.sum()
        with np.errstate(invalid="ignore", divide="ignore"):
            gini = lorenz_area(by_expected, a, times) / lorenz_area(by_actual, a, times)
        return (
            float(times @ np.abs(error) / n),
            float(np.sqrt(times @ error**2 / n)),
            float(times @ error / n),
            float(gini),
        )

    random = np.random.default_rng(seed)
    values = figures(np.ones(len(a)))
    drawn = np.array(
        [
            figures(
                np.bincount(random.integers(len(a), size=len(a)), minlength=len(a)).astype(float)
            )
            for _ in range(resamples)
        ]
    )
    intervals = {}
    for name, value, of_resamples in zip(
        ("mae", "rmse", "bias", "normalized_gini"), values, drawn.T, strict=True
    ):
        finite = of_resamples[np.isfinite(of_resamples)]
        if np.isfinite(value) and len(finite):
            low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
            intervals[name] = Interval(value, float(low), float(high))
    return intervals


def lorenz_area(group: NDArray[np.intp], amounts: Floats, times: Floats) -> float:
    """Area between the Lorenz curve of groups in their order and the diagonal.

    The trapezoids draw a straight line within a group: each of it gets the group's mean, as in
    `evaluation.normalized_gini`. It is 0 where the amounts come to nothing: there is no order to
    find, and a resample may draw only those who spent nothing.
    """
    size, money = np.bincount(group, weights=times), np.bincount(group, weights=times * amounts)
    if not money.sum():
        return 0.0
    width, height = size / size.sum(), np.cumsum(money) / money.sum()
    return float((width * (height - money / money.sum() / 2)).sum() - 0.5)


def interval_metrics(intervals: Mapping[str, Interval]) -> dict[str, float]:
    """The bounds as flat figures: ``roc_auc_low``, ``roc_auc_high`` and so on."""
    return {
        f"{name}_{edge}": getattr(interval, edge)
        for name, interval in intervals.items()
        for edge in ("low", "high")
    }
