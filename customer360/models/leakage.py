"""Does a feature know the label? Two checks on labelled rows, before anybody trusts a figure.

A feature that alone tells the two classes apart almost perfectly was written after the fact, more
often than it is a discovery. And a model that is much better on unseen rows of its own day than on
a later day has learnt something that is not there when it is used: a column that is filled in
afterwards, or a business that has changed.

Source: Kaufman, Rosset, Perlich and Stitelman 2012, "Leakage in Data Mining: Formulation,
Detection, and Avoidance", ACM TKDD 6(4), sections 3 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import ArrayLike, NDArray

from customer360.models.notes import Note

Floats = NDArray[np.float64]

SUSPICIOUS_AUC = 0.99
"""A single feature that ranks the label this well (either way round) is suspected."""

SUSPICIOUS_INFORMATION = 0.9
"""So is one that takes away this share of the label's entropy, however it is ordered."""

COLLAPSE = 0.1
"""ROC AUC lost from a model's own day to a later one that is reported ..."""

COLLAPSE_ERRORS = 3.0
"""... if it is also so many standard errors: small samples differ by chance."""

SMALLEST_CLASS = 20
"""With fewer rows of the smaller class a perfect separation may be chance: nothing is judged."""

MOST_BINS = 20

_QUICK_TREES = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 4,
    "learning_rate": 0.15,
    "min_child_weight": 10,
}
_QUICK_ROUNDS = 40


@dataclass(frozen=True)
class Suspect:
    """A feature that separates the label almost perfectly on its own.

    Attributes:
        feature: Name of the column.
        auc: ROC AUC of the feature alone, the better way round.
        information: Share of the label's entropy that knowing the feature takes away.
    """

    feature: str
    auc: float
    information: float


@dataclass(frozen=True)
class LeakReport:
    """What the leak check found.

    Attributes:
        suspects: Features under suspicion, the worst first.
        same_day_auc: ROC AUC of a quick model on unseen rows of its own day; ``None`` when there
            were too few rows to tell.
        later_day_auc: ROC AUC of the same model on the test day.
        collapsed: True when the second is so much lower that chance does not explain it.
        rows: Rows that were looked at.
        classes: What the label tells apart, a code of the group ``classes``.
    """

    suspects: tuple[Suspect, ...] = ()
    same_day_auc: float | None = None
    later_day_auc: float | None = None
    collapsed: bool = False
    rows: int = 0
    classes: str = "churned_from_kept"

    @property
    def passed(self) -> bool:
        """True when nothing is suspected; for an asset check."""
        return not self.suspects and not self.collapsed

    def notes(self) -> tuple[Note, ...]:
        """What was found, a note each; empty when nothing was."""
        notes = tuple(
            Note(
                "leak_suspected",
                {
                    "feature": one.feature,
                    "classes": self.classes,
                    "auc": one.auc,
                    "information": one.information,
                },
            )
            for one in self.suspects
        )
        if self.collapsed:
            aucs = {"before": self.same_day_auc, "after": self.later_day_auc}
            notes += (Note("leak_or_drift", aucs),)
        return notes

    def metrics(self) -> dict[str, float]:
        """The findings as flat figures to log."""
        metrics = {
            "leak_suspects": float(len(self.suspects)),
            "leak_collapsed": float(self.collapsed),
        }
        if self.same_day_auc is not None and self.later_day_auc is not None:
            metrics["leak_same_day_roc_auc"] = self.same_day_auc
            metrics["leak_later_day_roc_auc"] = self.later_day_auc
        return metrics


def separation_auc(labels: ArrayLike, values: ArrayLike) -> float:
    """ROC AUC of one column alone, the better way round; at least 0.5.

    Missing values are tried as the lowest and as the highest: a column that is missing for one
    class only is found too.
    """
    from scipy.stats import rankdata

    y, x = np.asarray(labels, dtype=bool), np.asarray(values, dtype=float)
    positives, negatives = int(y.sum()), int((~y).sum())
    best = 0.5
    for missing in (-np.inf, np.inf):
        ranks = rankdata(np.where(np.isnan(x), missing, x))
        auc = (ranks[y].sum() - positives * (positives + 1) / 2) / (positives * negatives)
        best = max(best, auc, 1 - auc)
    return float(best)


def explained_entropy(labels: ArrayLike, values: ArrayLike) -> float:
    """Share of the label's entropy that one column takes away: mutual information / entropy.

    The column is cut into at most `MOST_BINS` groups of equal size; missing values are one more.
    """
    y, x = np.asarray(labels, dtype=int), np.asarray(values, dtype=float)
    known = ~np.isnan(x)
    edges = np.unique(np.quantile(x[known], np.linspace(0, 1, MOST_BINS + 1))) if known.any() else x
    groups = np.where(known, np.searchsorted(edges, x, side="right"), 0)
    counts = np.bincount(groups * 2 + y, minlength=2 * (len(edges) + 2)).reshape(-1, 2)
    joint = counts / len(y)
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    information = float((joint[filled] * np.log(joint[filled] / expected[filled])).sum())
    by_label = joint.sum(axis=0)
    return information / float(-(by_label * np.log(by_label)).sum())


def suspects(features: pd.DataFrame, labels: ArrayLike) -> tuple[Suspect, ...]:
    """Columns that separate the label almost perfectly on their own, the worst first.

    Args:
        features: Numbers, one row a customer and as-of date.
        labels: 1 = churned.
    """
    y = np.asarray(labels, dtype=int)
    if min(y.sum(), len(y) - y.sum()) < SMALLEST_CLASS:
        return ()
    judged = (
        Suspect(
            str(name),
            separation_auc(y, column.to_numpy()),
            explained_entropy(y, column.to_numpy()),
        )
        for name, column in features.items()
    )
    suspected = [
        one
        for one in judged
        if one.auc > SUSPICIOUS_AUC or one.information > SUSPICIOUS_INFORMATION
    ]
    return tuple(sorted(suspected, key=lambda one: (-max(one.auc, one.information), one.feature)))


def auc_error(auc: float, positives: int, negatives: int) -> float:
    """Standard error of a ROC AUC: Hanley and McNeil 1982, Radiology 143(1), equation 2."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return float(np.sqrt(variance / (positives * negatives)))


def _collapse(
    features: pd.DataFrame,
    y: NDArray[np.int_],
    own: NDArray[np.bool_],
    later: NDArray[np.bool_],
    seed: int,
    nthread: int,
) -> tuple[float, float, bool] | None:
    """ROC AUC on the own and on the later day, and whether it collapsed; ``None``: too few."""
    from sklearn.metrics import roc_auc_score

    # Within one day, so that no customer is on both sides: several rows of one customer on
    # different days share much of their future and would flatter the random split.
    halves = np.random.default_rng(seed).random(len(y)) < 0.5
    parts = (own & halves, own & ~halves, later)
    if any(min(y[rows].sum(), (1 - y[rows]).sum()) < SMALLEST_CLASS for rows in parts):
        return None
    trees = xgb.train(
        {**_QUICK_TREES, "seed": seed, "nthread": nthread},
        xgb.DMatrix(features[parts[0]], y[parts[0]]),
        _QUICK_ROUNDS,
    )
    aucs, errors = [], []
    for rows in parts[1:]:
        auc = float(roc_auc_score(y[rows], trees.predict(xgb.DMatrix(features[rows]))))
        aucs.append(auc)
        errors.append(auc_error(auc, int(y[rows].sum()), int((1 - y[rows]).sum())))
    lost, error = aucs[0] - aucs[1], float(np.hypot(errors[0], errors[1]))
    return aucs[0], aucs[1], bool(lost > COLLAPSE and lost > COLLAPSE_ERRORS * error)


def check_leaks(
    features: pd.DataFrame,
    labels: ArrayLike,
    own_day: ArrayLike,
    later_day: ArrayLike,
    *,
    seed: int = 0,
    nthread: int = 1,
    classes: str = "churned_from_kept",
) -> LeakReport:
    """Look for features that know the label, and for a model that does not last.

    Args:
        features: Numbers a model may learn from, one row a customer and as-of date.
        labels: 1 or 0.
        own_day: True for rows of the day to learn on (one as-of date).
        later_day: True for rows of the day the model is tested on.
        seed: For the random halves.
        nthread: Threads of the quick model.
        classes: What the label tells apart, a code of the group ``classes``.
    """
    y = np.asarray(labels).astype(int)
    own, later = (np.asarray(rows).astype(bool) for rows in (own_day, later_day))
    leaking = suspects(features, y)
    aucs = _collapse(features, y, own, later, seed, nthread)
    if aucs is None:
        return LeakReport(leaking, rows=len(features), classes=classes)
    return LeakReport(leaking, *aucs, rows=len(features), classes=classes)
