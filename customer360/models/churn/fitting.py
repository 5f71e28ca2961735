"""Learning from labelled rows: XGBoost where they suffice, a stated fallback where not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd
import xgboost as xgb

from customer360.models.baselines import fit_hiatus_rule, smoothed_rate
from customer360.models.calibration import Calibrator, fit_calibrator
from customer360.models.churn.features import design_matrix, frequent_categories
from customer360.models.churn.model import ChurnModel

MINIMUM_TRAINING_ROWS = 200
MINIMUM_OF_A_CLASS = 20
MOST_ROUNDS = 600
PATIENCE = 30

XGBOOST_PARAMETERS: dict[str, float | int | str] = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "learning_rate": 0.05,
    "max_depth": 4,
    "min_child_weight": 10,
    "colsample_bytree": 0.8,
    "lambda": 2.0,
}
"""Small trees, no class weights: weights would rank as well but spoil the probabilities."""


def default_threads() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class XgboostFit:
    """Trees that have learnt, and what their scores mean.

    Attributes:
        booster: As many trees as the validation date liked best.
        categories: The values of each categorical feature that have a column of their own.
        calibrator: From the trees' scores to probabilities.
        trees: Their number.
        log_loss: Log loss of the trees' scores on the validation date.
    """

    booster: xgb.Booster
    categories: dict[str, tuple[str, ...]]
    calibrator: Calibrator
    trees: int
    log_loss: float

    def metrics(self) -> dict[str, float]:
        """Flat figures to log."""
        return {"trees": float(self.trees), "validation_log_loss": self.log_loss}


def fit_xgboost(
    learn: pd.DataFrame,
    validate: pd.DataFrame,
    *,
    parameters: Mapping[str, float | int | str] | None = None,
    seed: int = 0,
    nthread: int | None = None,
) -> XgboostFit:
    """Learn on the older dates; stop early and calibrate on the validation date.

    There is no refit on both: the calibrator needs scores of rows that the trees have not seen,
    and through it the newest labelled date still sets the level of the probabilities.

    Args:
        learn: Rows of the training dates, with ``churned``.
        validate: Rows of the validation date.
        parameters: Override `XGBOOST_PARAMETERS`.
        seed: For the sampling of columns.
        nthread: Threads; all cores when not given.
    """
    settings = {
        **XGBOOST_PARAMETERS,
        **(parameters or {}),
        "seed": seed,
        "nthread": nthread or default_threads(),
    }
    categories = frequent_categories(learn)
    own, unseen = (
        xgb.DMatrix(design_matrix(rows, categories), rows["churned"].to_numpy())
        for rows in (learn, validate)
    )
    trained = xgb.train(
        settings,
        own,
        num_boost_round=MOST_ROUNDS,
        evals=[(unseen, "validation")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    trees = int(trained.best_iteration) + 1
    booster = trained[:trees]
    return XgboostFit(
        booster,
        categories,
        fit_calibrator(validate["churned"], booster.predict(unseen)),
        trees,
        float(trained.best_score),
    )


def importance_by_gain(booster: xgb.Booster) -> dict[str, float]:
    """Share of the trees' total gain by feature."""
    names = booster.feature_names or []
    gains = {
        name: float(gain if isinstance(gain, float | int) else sum(gain))
        for name, gain in booster.get_score(importance_type="total_gain").items()
    }
    total = sum(gains.values())
    return {name: gains.get(name, 0.0) / total if total else 0.0 for name in names}


def why_not(learn: pd.DataFrame, validate: pd.DataFrame) -> str | None:
    """Why these rows cannot teach XGBoost; ``None`` if they can."""
    if len(learn) < MINIMUM_TRAINING_ROWS:
        return f"{len(learn)} training rows where {MINIMUM_TRAINING_ROWS} are needed"
    for rows, dates in ((learn, "training"), (validate, "validation")):
        smaller = int(min(rows["churned"].sum(), (1 - rows["churned"]).sum()))
        if smaller < MINIMUM_OF_A_CLASS:
            return (
                f"only {smaller} of {len(rows)} customers on the {dates} dates are of the "
                f"smaller class where {MINIMUM_OF_A_CLASS} are needed"
            )
    return None


def fallback(model: ChurnModel, teaching: pd.DataFrame) -> tuple[ChurnModel, str]:
    """The best that these rows can teach short of XGBoost, and its name in words."""
    if not len(teaching):
        return replace(model, kind="none"), "no score is published"
    model = replace(model, base_rate=smoothed_rate(teaching["churned"]))
    smaller = int(min(teaching["churned"].sum(), (1 - teaching["churned"]).sum()))
    if smaller < MINIMUM_OF_A_CLASS // 4:
        return replace(model, kind="base_rate"), "the base rate is used instead"
    hiatus = fit_hiatus_rule(teaching["days_since_last_purchase"], teaching["churned"])
    return replace(model, kind="hiatus_rule", hiatus=hiatus), "the hiatus rule is used instead"
