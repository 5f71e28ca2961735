"""Figures that say how good a model is, for probabilities and for amounts.

Probabilities are judged on a bounded test frame in memory; amounts from sums that Spark has
already aggregated, so no customer's row is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LIFT_SHARES = (0.05, 0.1, 0.2)
"""Shares of the customers, riskiest first, whose lift is reported."""

SMALLEST_PROBABILITY = 1e-6
"""Log loss clips probabilities here: one certain and wrong score must not be infinite."""


def lift_at(labels: ArrayLike, scores: ArrayLike, share: float = 0.1) -> float:
    """How many times the average churn rate the riskiest ``share`` of customers has.

    Customers tied at the cut count with their tie's average, so a rule with two values gets what
    it would get on average, not what the row order happens to give.

    Returns:
        The lift; NaN when nobody churned.
    """
    y = np.asarray(labels, dtype=float)
    s = np.asarray(scores, dtype=float)
    targeted = share * len(y)
    if not y.sum():
        return float("nan")
    order = np.argsort(-s, kind="stable")
    cut = s[order[min(int(np.ceil(targeted)), len(y)) - 1]]
    above, tied = s > cut, s == cut
    caught = y[above].sum() + y[tied].mean() * (targeted - above.sum())
    return float(caught / targeted / y.mean())


def lift_name(share: float) -> str:
    """Name of the lift at a share: ``lift_5`` at 0.05."""
    return f"lift_{share * 100:.0f}"


def ranking_metrics(labels: ArrayLike, scores: ArrayLike) -> dict[str, float]:
    """ROC AUC, PR AUC (average precision) and lifts; higher score = riskier.

    ``lift_5``, ``lift_10`` and ``lift_20`` are of the riskiest 5, 10 and 20 %.

    Empty when only one class is present: none of them exists then.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score  # slow; not for workers

    y = np.asarray(labels, dtype=int)
    if not len(y) or y.min() == y.max():
        return {}
    return {
        "roc_auc": float(roc_auc_score(y, scores)),
        "pr_auc": float(average_precision_score(y, scores)),
        **{lift_name(share): lift_at(y, scores, share) for share in LIFT_SHARES},
    }


def probability_metrics(labels: ArrayLike, probabilities: ArrayLike) -> dict[str, float]:
    """Brier score and log loss (both: lower is better) and the calibration error, if any rows.

    The calibration error is the mean gap between predicted and observed rate over ten groups of
    equal size, weighted by their size.
    """
    y = np.asarray(labels, dtype=float)
    p = np.asarray(probabilities, dtype=float)
    if not len(y):
        return {}
    clipped = np.clip(p, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    table = calibration_table(y, p)
    gap = (table["predicted"] - table["observed"]).abs()
    return {
        "brier": float(np.mean((p - y) ** 2)),
        "log_loss": float(-np.mean(y * np.log(clipped) + (1 - y) * np.log1p(-clipped))),
        "calibration_error": float((gap * table["customers"]).sum() / len(y)),
    }


def calibration_table(
    labels: ArrayLike, probabilities: ArrayLike, groups: int = 10
) -> pd.DataFrame:
    """Predicted against observed churn rate by tenth of the predicted probability.

    Equal probabilities stay in one group, so there may be fewer groups than asked for.

    Returns:
        Columns ``group`` (1 = least at risk), ``customers``, ``predicted``, ``observed``.
    """
    frame = pd.DataFrame(
        {"p": np.asarray(probabilities, dtype=float), "y": np.asarray(labels, dtype=float)}
    )
    # Ranks of the distinct values, not of the rows: ties must not be split over groups.
    share = frame["p"].rank(method="average", pct=True)
    frame["bin"] = np.minimum(np.ceil(share * groups - 1e-9), groups)
    table = (
        frame.groupby("bin")
        .agg(customers=("p", "size"), predicted=("p", "mean"), observed=("y", "mean"))
        .reset_index(drop=True)
    )
    table.insert(0, "group", np.arange(1, len(table) + 1))
    return table


def rule_metrics(labels: ArrayLike, flagged: ArrayLike) -> dict[str, float]:
    """Precision, recall and F1 of a yes/no flag (0 where a denominator is 0)."""
    y = np.asarray(labels, dtype=bool)
    f = np.asarray(flagged, dtype=bool)
    hits = float((y & f).sum())
    precision = hits / f.sum() if f.any() else 0.0
    recall = hits / y.sum() if y.any() else 0.0
    total = precision + recall
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(2 * precision * recall / total) if total else 0.0,
    }


@dataclass(frozen=True)
class AmountSums:
    """Sums over customers of one expected and one actual amount, enough for every figure below.

    Attributes:
        customers: Number of customers.
        expected: Sum of what was expected.
        actual: Sum of what came.
        absolute_error: Sum of |expected - actual|.
        squared_error: Sum of squared differences.
        expected_squared: Sum of squares of what was expected.
        actual_squared: Sum of squares of what came.
        product: Sum of expected x actual.
    """

    customers: float
    expected: float
    actual: float
    absolute_error: float
    squared_error: float
    expected_squared: float
    actual_squared: float
    product: float

    @classmethod
    def of(cls, sums: Mapping[str, float]) -> AmountSums:
        """From a mapping with the attributes' names."""
        return cls(**{name: float(sums[name]) for name in cls.__dataclass_fields__})

    @classmethod
    def of_rows(cls, expected: Floats, actual: Floats) -> AmountSums:
        """From one expected and one actual amount a customer."""
        error = expected - actual
        return cls(
            customers=float(len(actual)),
            expected=float(expected.sum()),
            actual=float(actual.sum()),
            absolute_error=float(np.abs(error).sum()),
            squared_error=float(error @ error),
            expected_squared=float(expected @ expected),
            actual_squared=float(actual @ actual),
            product=float(expected @ actual),
        )

    def metrics(self) -> dict[str, float]:
        """Totals, bias, MAE, RMSE a customer, and the correlation where it exists.

        ``bias`` is mean expected minus mean actual; ``total_ratio`` expected / actual total.
        """
        n = self.customers
        if not n:
            return {}
        metrics = {
            "total_expected": self.expected,
            "total_actual": self.actual,
            "bias": (self.expected - self.actual) / n,
            "mae": self.absolute_error / n,
            "rmse": float(np.sqrt(self.squared_error / n)),
        }
        if self.actual:
            metrics["total_ratio"] = self.expected / self.actual
        spread_expected = self.expected_squared - self.expected**2 / n
        spread_actual = self.actual_squared - self.actual**2 / n
        # A constant forecast leaves rounding noise, not spread: it has no correlation.
        if (
            spread_expected > 1e-9 * self.expected_squared
            and spread_actual > 1e-9 * self.actual_squared
        ):
            metrics["correlation"] = (self.product - self.expected * self.actual / n) / float(
                np.sqrt(spread_expected * spread_actual)
            )
        return metrics


def amount_metrics(expected: ArrayLike, actual: ArrayLike) -> dict[str, float]:
    """All figures of amounts that are in memory: those of their sums, and of their order.

    Args:
        expected: One amount a customer.
        actual: What came of each, in the same order; empty for no figures.
    """
    e, a = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    return AmountSums.of_rows(e, a).metrics() | order_metrics(e, a) if len(a) else {}


def decile_table(expected: ArrayLike, actual: ArrayLike, groups: int = 10) -> pd.DataFrame:
    """Customers in ten groups of equal size by what was expected of them, the best first.

    Customers of whom the same was expected stay in one group, so there may be fewer groups.

    Returns:
        Columns ``decile`` (1 = most expected), ``customers``, ``expected``, ``actual`` (means a
        customer) and ``captured`` (share of all that came, up to and including the group).
    """
    frame = pd.DataFrame(
        {"expected": np.asarray(expected, dtype=float), "actual": np.asarray(actual, dtype=float)}
    )
    share = frame["expected"].rank(method="average", pct=True, ascending=False)
    frame["decile"] = np.ceil(share * groups - 1e-9).astype(int)
    table = (
        frame.groupby("decile")
        .agg(
            customers=("expected", "size"),
            expected=("expected", "mean"),
            actual=("actual", "mean"),
            total=("actual", "sum"),
        )
        .reset_index()
    )
    whole = table["total"].sum()
    table["captured"] = table["total"].cumsum() / whole if whole else np.nan
    return table.drop(columns="total")


def normalized_gini(expected: ArrayLike, actual: ArrayLike) -> float:
    """Gini of the customers ordered by what was expected, over that of the perfect order.

    1: the order of what came; 0: no better than chance; negative: worse. NaN when nothing came.
    Where the same was expected of several, each gets their mean: no order of rows counts.
    """
    e, a = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)

    def gini(order_by: Floats) -> float:
        _, group = np.unique(-order_by, return_inverse=True)
        means = np.bincount(group, weights=a) / np.bincount(group)
        ranked = np.sort(group)
        lorenz = np.cumsum(means[ranked]) / a.sum()
        return float(lorenz.sum() / len(a) - (len(a) + 1) / (2 * len(a)))

    if not len(a) or a.sum() <= 0 or a.min() == a.max():
        return float("nan")
    return gini(e) / gini(a)


def order_metrics(expected: ArrayLike, actual: ArrayLike) -> dict[str, float]:
    """How well amounts are ordered and how true each tenth is, where these figures exist.

    Returns:
        ``spearman`` (rank correlation), ``normalized_gini``, ``top_decile_capture`` (share of all
        that came, from the tenth of whom most was expected; ties at the cut count in part),
        ``decile_mape`` (mean over the tenths of abs(expected - actual) / actual).
    """
    e, a = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    if len(a) < 10 or a.sum() <= 0:
        return {}
    ranks = pd.DataFrame({"e": e, "a": a}).rank()
    table = decile_table(e, a)
    came = table[table["actual"] > 0]
    # A forecast that is the same for everybody has no order, and numpy would warn.
    ordered = e.min() < e.max() and a.min() < a.max()
    metrics = {
        "spearman": float(ranks["e"].corr(ranks["a"])) if ordered else float("nan"),
        "normalized_gini": normalized_gini(e, a),
        # The lift of the top tenth, times the tenth.
        "top_decile_capture": lift_at(a, e, 0.1) * 0.1,
        "decile_mape": float(((came["expected"] - came["actual"]).abs() / came["actual"]).mean()),
    }
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def prefixed(prefix: str, metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics with ``prefix_`` before each name, without those that are not finite."""
    return {f"{prefix}_{name}": value for name, value in metrics.items() if np.isfinite(value)}
