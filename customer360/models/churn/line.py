"""A logistic regression of churn as plain numbers: readable, explained by its own terms.

Columns with a long tail (money, counts) enter as sign(x) log(1 + abs(x)), without which a few heavy
buyers set the slope. Missing values become the median, with a term that says so. It is regularised
as scikit-learn does by default (C = 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Term:
    """What one column adds to the log-odds, in the scale described above.

    Attributes:
        column: Of the design matrix.
        median: Stands in for a missing value.
        mean: Of the rows it was fitted to, missing ones filled.
        slope: Log-odds a unit.
        missing_share: Share of the rows whose value is missing.
        missing_slope: Log-odds of a missing value.
    """

    column: str
    median: float
    mean: float
    slope: float
    missing_share: float = 0.0
    missing_slope: float = 0.0


@dataclass(frozen=True)
class Line:
    """A fitted logistic regression.

    Attributes:
        average: Log-odds of the average row.
        terms: What each column adds to it.
    """

    average: float
    terms: tuple[Term, ...]

    def contributions(self, matrix: pd.DataFrame) -> Floats:
        """Log-odds against the average row: a row a customer, a column a column of ``matrix``.

        Of a line these are its SHAP values where columns do not depend on each other (Lundberg and
        Lee 2017, "A Unified Approach to Interpreting Model Predictions", section 4.1).
        """
        terms = {term.column: term for term in self.terms}
        columns = []
        for name in matrix.columns:
            x, term = _signed_log(matrix[name]), terms.get(str(name))
            if term is None:  # never filled where it was fitted: it has nothing to say
                columns.append(np.zeros(len(x)))
                continue
            missing = np.isnan(x)
            filled = np.where(missing, term.median, x)
            columns.append(
                term.slope * (filled - term.mean)
                + term.missing_slope * (missing - term.missing_share)
            )
        return np.column_stack(columns)

    def log_odds(self, matrix: pd.DataFrame) -> Floats:
        """Of churning, a value a row."""
        return np.asarray(self.average + self.contributions(matrix).sum(axis=1))

    def probabilities(self, matrix: pd.DataFrame) -> Floats:
        """Of churning, a value a row."""
        return np.asarray(expit(self.log_odds(matrix)))

    @classmethod
    def from_dict(cls, given: dict[str, Any] | None) -> Self | None:
        """From ``dataclasses.asdict``'s dictionary, as JSON gives it back."""
        if given is None:
            return None
        return cls(given["average"], tuple(Term(**term) for term in given["terms"]))


def fit_line(matrix: pd.DataFrame, labels: ArrayLike) -> Line:
    """Fit a logistic regression.

    Args:
        matrix: Numbers, one row a customer and as-of date.
        labels: 1 = churned, for each row; both classes must be present.
    """
    from sklearn.linear_model import LogisticRegression

    seen = [name for name in matrix.columns if matrix[name].notna().any()]
    x = np.column_stack([_signed_log(matrix[name]) for name in seen])
    missing = np.isnan(x)
    median = np.nanmedian(x, axis=0)
    filled = np.where(missing, median, x)
    somewhere = missing.any(axis=0)
    wide = np.column_stack([filled, missing[:, somewhere]]).astype(float)
    mean, spread = wide.mean(axis=0), wide.std(axis=0)
    spread[spread < 1e-12] = 1.0  # a constant column has nothing to say
    fitted = LogisticRegression(max_iter=1_000).fit((wide - mean) / spread, np.asarray(labels, int))
    slopes = fitted.coef_[0] / spread
    own = len(seen)
    share, missing_slope = np.zeros(own), np.zeros(own)
    share[somewhere], missing_slope[somewhere] = mean[own:], slopes[own:]
    return Line(
        float(fitted.intercept_[0]),
        tuple(
            Term(str(name), *map(float, values))
            for name, *values in zip(
                seen, median, mean[:own], slopes[:own], share, missing_slope, strict=True
            )
        ),
    )


def _signed_log(values: pd.Series) -> Floats:
    x = values.to_numpy(dtype=float)
    return np.asarray(np.sign(x) * np.log1p(np.abs(x)))
