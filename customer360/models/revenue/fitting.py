"""Learning from labelled rows: the mean, a line and two kinds of trees.

Money is fitted in units of its own mean, so that the same penalties suit pounds and yen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from customer360.models.churn.fitting import threads_for
from customer360.models.notes import Note
from customer360.models.revenue.features import (
    CATEGORICAL_FEATURES,
    NUMERIC_FEATURES,
    typed_features,
)
from customer360.models.revenue.model import RevenueModel
from customer360.models.revenue.rules import RULES, year_days_of
from customer360.models.sampling import every_nth

Floats = NDArray[np.float64]

MINIMUM_ROWS = 200
MINIMUM_BUYERS = 20

UNKNOWN = "unknown"
"""Category of a missing text."""

RAREST_SHARE = 0.01
"""A category of a smaller share of the rows is "infrequent", and so is one never seen."""

SMALLEST_AMOUNT = 0.01
"""Gamma wants positive amounts: a buyer whose refunds ate everything counts as this share of the
mean."""

MOST_TREES = 600
PATIENCE = 30
DEPTHS = (3, 5)
TUNING_ROWS = 100_000
"""The depths are compared on at most so many rows of each side; the final trees grow on all."""

TREES: dict[str, Any] = {
    "tree_method": "hist",
    "learning_rate": 0.05,
    "min_child_weight": 20,
    "colsample_bytree": 0.8,
    "reg_lambda": 2.0,
}
"""What is not tuned."""

OBJECTIVES: dict[str, dict[str, Any]] = {
    "purchase": {"objective": "binary:logistic", "eval_metric": "logloss"},
    # Both have a logarithmic link and estimate the mean itself; a regression of logarithms
    # would estimate the median, and expected revenue is a mean.
    "amount": {"objective": "reg:gamma", "eval_metric": "gamma-nloglik", "base_score": 1.0},
    "tweedie": {
        "objective": "reg:tweedie",
        "tweedie_variance_power": 1.5,
        "eval_metric": "tweedie-nloglik@1.5",
        "base_score": 1.0,
    },
}
"""The three kinds of trees: who buys, how much a buyer brings, how much anybody brings."""


def preprocessing() -> ColumnTransformer:
    """From features to the matrix that all candidates see.

    Numbers: the median for what is missing, a column that says so, scaled. Texts: a column for
    each frequent value, one for all rare and unseen ones.
    """
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    categories = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=UNKNOWN, keep_empty_features=True),
        OneHotEncoder(
            handle_unknown="infrequent_if_exist", min_frequency=RAREST_SHARE, sparse_output=False
        ),
    )
    return ColumnTransformer(
        [
            ("numbers", numbers, list(NUMERIC_FEATURES)),
            ("categories", categories, list(CATEGORICAL_FEATURES)),
        ],
        verbose_feature_names_out=False,
    )


def labels_of(rows: pd.DataFrame, unit: float) -> dict[str, tuple[pd.DataFrame, Floats]]:
    """Rows and labels that each kind of trees learns from."""
    buyers = rows[rows["bought"] == 1]
    amounts = np.maximum(buyers["revenue"].to_numpy(dtype=float) / unit, SMALLEST_AMOUNT)
    anybody = np.maximum(rows["revenue"].to_numpy(dtype=float) / unit, 0.0)
    return {
        "purchase": (rows, rows["bought"].to_numpy(dtype=float)),
        "amount": (buyers, amounts),
        "tweedie": (rows, anybody),
    }


def tuned(
    kind: str, learn: pd.DataFrame, validate: pd.DataFrame, unit: float, seed: int, nthread: int
) -> dict[str, int]:
    """Depth and number of trees that the validation date likes best.

    Args:
        kind: Of `OBJECTIVES`.
        learn: Rows of the training dates.
        validate: Rows of the validation date.
        unit: Currency in a unit of amounts.
        seed: For the sampling of columns.
        nthread: Threads.
    """
    own, y = labels_of(every_nth(learn, TUNING_ROWS), unit)[kind]
    unseen, y_unseen = labels_of(every_nth(validate, TUNING_ROWS), unit)[kind]
    prepare = preprocessing().fit(typed_features(own))
    matrix, matrix_unseen = (prepare.transform(typed_features(rows)) for rows in (own, unseen))
    tried = []
    for depth in DEPTHS:
        trees = estimator(kind, {"max_depth": depth, "n_estimators": MOST_TREES}, seed, nthread)
        trees.set_params(early_stopping_rounds=PATIENCE)
        trees.fit(matrix, y, eval_set=[(matrix_unseen, y_unseen)], verbose=False)
        tried.append((float(trees.best_score), depth, int(trees.best_iteration) + 1))
    _, depth, count = min(tried)
    return {"max_depth": depth, "n_estimators": count}


def estimator(
    kind: str, settings: Mapping[str, Any], seed: int, nthread: int
) -> XGBClassifier | XGBRegressor:
    """Trees of a kind of `OBJECTIVES`, not fitted."""
    trees = XGBClassifier if kind == "purchase" else XGBRegressor
    return trees(**TREES, **OBJECTIVES[kind], **settings, random_state=seed, n_jobs=nthread)


def fitted_trees(
    kind: str, rows: pd.DataFrame, unit: float, settings: Mapping[str, Any], seed: int, nthread: int
) -> Pipeline:
    """Preprocessing and trees of a kind of `OBJECTIVES`, fitted to ``rows``."""
    own, y = labels_of(rows, unit)[kind]
    pipeline = Pipeline(
        [("prepare", preprocessing()), ("trees", estimator(kind, settings, seed, nthread))]
    ).fit(typed_features(own), y)
    # Workers that score have a core each, and a few rows are quicker on one.
    pipeline[-1].set_params(n_jobs=1)
    return pipeline


def fitted_linear(rows: pd.DataFrame, unit: float) -> Pipeline:
    """Preprocessing and ridge regression of anybody's revenue.

    Centred before the regression: then coefficient x value is a column's contribution against
    the average customer.
    """
    pipeline = Pipeline(
        [
            ("prepare", preprocessing()),
            ("centre", StandardScaler(with_std=False)),
            ("line", Ridge(alpha=1.0)),
        ]
    )
    return pipeline.fit(typed_features(rows), rows["revenue"].to_numpy(dtype=float) / unit)


@dataclass(frozen=True)
class Candidates:
    """Models of every kind that learnt from the same rows.

    Attributes:
        models: By kind.
        settings: Depth and number of trees by kind of `OBJECTIVES`.
    """

    models: dict[str, RevenueModel]
    settings: dict[str, dict[str, int]]

    def parameters(self) -> dict[str, int]:
        """The settings as flat parameters to log."""
        return {
            f"{kind}_{name}": value
            for kind, settings in self.settings.items()
            for name, value in settings.items()
        }


def fit_candidates(
    rows: pd.DataFrame,
    horizon_days: int,
    settings: Mapping[str, dict[str, int]],
    *,
    seed: int = 0,
    nthread: int | None = None,
) -> Candidates:
    """Fit every kind of model to ``rows``.

    Args:
        rows: Labelled rows: features, ``revenue``, ``bought``.
        horizon_days: What the labels look ahead.
        settings: From `tuned`, by kind of `OBJECTIVES`.
        seed: For the sampling of columns.
        nthread: Threads, at most.
    """
    threads = threads_for(len(rows), nthread)
    unit = unit_of(rows)
    purchase, amount, tweedie = (
        fitted_trees(kind, rows, unit, settings[kind], seed, threads) for kind in OBJECTIVES
    )
    mean = replace(fit_mean(rows, horizon_days), unit=unit, purchase=purchase)
    return Candidates(
        {
            **by_rules(mean),
            "linear": replace(mean, kind="linear", amount=fitted_linear(rows, unit)),
            "two_stage": replace(mean, kind="two_stage", amount=amount),
            "tweedie": replace(mean, kind="tweedie", amount=tweedie),
        },
        {kind: dict(chosen) for kind, chosen in settings.items()},
    )


def fit_mean(rows: pd.DataFrame, horizon_days: int) -> RevenueModel:
    """The mean of ``rows`` for everybody; "none" when there are no rows."""
    if not len(rows):
        return RevenueModel("none", horizon_days)
    return RevenueModel(
        "mean",
        horizon_days,
        mean_revenue=float(rows["revenue"].mean()),
        purchase_rate=float(rows["bought"].mean()),
        year_days=year_days_of(rows),
    )


def by_rules(mean: RevenueModel) -> dict[str, RevenueModel]:
    """The mean and each rule of thumb, by kind; rules learn nothing."""
    return {mean.kind: mean} | {rule: replace(mean, kind=rule) for rule in RULES}


def unit_of(rows: pd.DataFrame) -> float:
    """Mean revenue of those who bought: amounts are fitted as multiples of it."""
    mean = float(rows.loc[rows["bought"] == 1, "revenue"].mean())
    return mean if np.isfinite(mean) and mean > 0 else 1.0


def why_not(learn: pd.DataFrame, validate: pd.DataFrame) -> Note | None:
    """Why these rows cannot teach; ``None`` if they can."""
    if len(learn) < MINIMUM_ROWS:
        return Note("too_few_rows", {"rows": len(learn), "needed": MINIMUM_ROWS})
    for rows, dates in ((learn, "training"), (validate, "validation")):
        buyers = int(rows["bought"].sum())
        if min(buyers, len(rows) - buyers) < MINIMUM_BUYERS:
            return Note(
                "too_few_buyers",
                {"buyers": buyers, "rows": len(rows), "dates": dates, "needed": MINIMUM_BUYERS},
            )
    return None
