"""Learning from labelled rows: XGBoost where they suffice, a stated fallback where not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from customer360.models.baselines import fit_hiatus_rule, smoothed_rate
from customer360.models.calibration import Calibrator, fit_calibrator
from customer360.models.churn.features import MONOTONE_FEATURES, design_matrix, frequent_categories
from customer360.models.churn.model import ChurnModel
from customer360.models.comparison import PROBABILITY_LOSSES
from customer360.models.notes import Note
from customer360.models.paired import Losses
from customer360.models.sampling import every_nth, halves

MINIMUM_TRAINING_ROWS = 200
MINIMUM_OF_A_CLASS = 20
MOST_ROUNDS = 600
PATIENCE = 30

XGBOOST_PARAMETERS: dict[str, float | int | str] = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "colsample_bytree": 0.8,
    "lambda": 2.0,
}
"""What is not tuned. No class weights: they would rank as well but spoil the probabilities."""

TUNING_GRID: dict[str, tuple[float | int, ...]] = {
    "max_depth": (3, 5),
    "min_child_weight": (10, 50),
    "learning_rate": (0.05, 0.1),
}
"""Eight candidates, the simplest first: a small grid, tried whole, gives the same model whenever
it is tried, and leaves the validation date little room to flatter one of them by chance."""

TUNING_ROWS = 100_000
"""The candidates are compared on at most so many rows of each side; the winner learns on all."""


def default_threads() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Trial:
    """One candidate of the search.

    Attributes:
        parameters: Its own parameters.
        trees: As many as the validation date liked best.
        log_loss: Log loss on the validation date.
    """

    parameters: dict[str, float | int | str]
    trees: int
    log_loss: float

    def describe(self) -> str:
        """One line for the log."""
        given = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        return f"{given}: log loss {self.log_loss:.5f} with {self.trees} trees"


@dataclass(frozen=True)
class XgboostFit:
    """Trees that have learnt, and what their scores mean.

    Attributes:
        booster: As many trees as the validation date liked best.
        categories: The values of each categorical feature that have a column of their own.
        calibrator: From the trees' scores to probabilities.
        scores: Of the validation rows, by trees that have not seen the row.
        trees: Their number.
        log_loss: Log loss of the trees' scores on the validation date.
        parameters: XGBoost's parameters, those of the best trial included.
        trials: What was tried; empty when all of the grid's parameters were given.
        trainer: Who grew the trees: "local", this process, or "spark".
    """

    booster: xgb.Booster
    categories: dict[str, tuple[str, ...]]
    calibrator: Calibrator
    scores: NDArray[np.float64]
    trees: int
    log_loss: float
    parameters: dict[str, float | int | str]
    trials: tuple[Trial, ...]
    trainer: str

    def metrics(self) -> dict[str, float]:
        """Flat figures to log."""
        return {
            "trees": float(self.trees),
            "validation_log_loss": self.log_loss,
            **{f"trial_{n}_log_loss": trial.log_loss for n, trial in enumerate(self.trials, 1)},
        }

    def facts(self) -> dict[str, float | int | str]:
        """Flat parameters to log."""
        return {
            "calibration": self.calibrator.kind,
            "trainer": self.trainer,
            **{f"xgboost_{name}": value for name, value in self.parameters.items()},
            **{f"trial_{n}": trial.describe() for n, trial in enumerate(self.trials, 1)},
        }


def candidates(
    parameters: Mapping[str, float | int | str] | None = None,
) -> tuple[dict[str, float | int | str], ...]:
    """The grid's combinations, the simplest first; a parameter that is given is not varied."""
    free = {name: values for name, values in TUNING_GRID.items() if name not in (parameters or {})}
    return tuple(dict(zip(free, values, strict=True)) for values in product(*free.values()))


ROWS_A_THREAD = 50_000
"""Rows to learn from that make a further thread worth its waiting."""


def threads_for(rows: int, most: int | None = None) -> int:
    """Threads that so many rows keep busy; at most ``most``, or all cores.

    Few rows are quicker on one: XGBoost's threads wait for one another, spinning, at every level
    of every tree, and on a busy machine that takes many times longer than the work (the search over
    1,800 rows beside two other processes: 37 s on two threads, 1.4 s on one).
    """
    return max(1, min(most or default_threads(), rows // ROWS_A_THREAD))


Grown = tuple[xgb.Booster, int, float]
"""Trees cut to the number that the validation date liked best, that number, their log loss."""

Grow = Callable[[Mapping[str, Any], Mapping[str, Sequence[str]]], Grown]
"""Grows the final trees elsewhere, from XGBoost's parameters and the categories."""


def grown(settings: Mapping[str, Any], own: xgb.DMatrix, unseen: xgb.DMatrix) -> Grown:
    """Trees grown on ``own`` until ``unseen`` likes no more of them, their number and log loss."""
    trained = xgb.train(
        dict(settings),
        own,
        num_boost_round=MOST_ROUNDS,
        evals=[(unseen, "validation")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    trees = int(trained.best_iteration) + 1
    return trained[:trees], trees, float(trained.best_score)


def tune(
    settings: Mapping[str, Any],
    tried: Sequence[dict[str, float | int | str]],
    learn: pd.DataFrame,
    validate: pd.DataFrame,
    categories: Mapping[str, Sequence[str]],
) -> tuple[Trial, ...]:
    """Try the candidates on the validation date, on every n-th row when there are many.

    Args:
        settings: XGBoost's other parameters.
        tried: The candidates.
        learn: Rows to learn from.
        validate: Rows to compare on.
        categories: From `frequent_categories`.
    """
    own, unseen = (matrix(every_nth(rows, TUNING_ROWS), categories) for rows in (learn, validate))
    trials = []
    for candidate in tried:
        _, trees, loss = grown({**settings, **candidate}, own, unseen)
        trials.append(Trial(candidate, trees, loss))
    return tuple(trials)


def matrix(rows: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> xgb.DMatrix:
    """Labelled rows as XGBoost wants them."""
    return xgb.DMatrix(design_matrix(rows, categories), rows["churned"].to_numpy())


def monotone_constraints(names: Sequence[str]) -> tuple[int, ...]:
    """The sign of each column of the design matrix; 0 where it is free."""
    return tuple(MONOTONE_FEATURES.get(name, 0) for name in names)


def fit_xgboost(
    learn: pd.DataFrame,
    validate: pd.DataFrame,
    *,
    parameters: Mapping[str, float | int | str] | None = None,
    seed: int = 0,
    nthread: int | None = None,
    grow: Grow | None = None,
) -> XgboostFit:
    """Learn on the older dates, tune and stop early on the validation date, learn on all of them.

    So the newest labelled date counts too. The calibrator needs scores of rows that the trees have
    not seen: each half of the validation date is scored by trees that have learnt from the other.
    That the same rows choose among eight candidates and then calibrate flatters the validation
    figures a little; the reported ones are of the test date, which takes no part.

    Args:
        learn: Rows of the training dates, with ``churned``.
        validate: Rows of the validation date.
        parameters: Override `XGBOOST_PARAMETERS`; one of `TUNING_GRID` is then not tuned.
        seed: For the sampling of columns.
        nthread: Threads, at most; see `threads_for`.
        grow: Grows the final trees elsewhere, on more rows than these, of the older dates; here
            when not given.
    """
    categories = frequent_categories(learn)
    fixed = {**XGBOOST_PARAMETERS, **(parameters or {})}
    names = design_matrix(learn.head(0), categories).columns
    settings: dict[str, Any] = {
        **fixed,
        "monotone_constraints": monotone_constraints(list(names)),
        "seed": seed,
        "nthread": threads_for(len(learn), nthread),
    }
    tried = candidates(parameters)
    trials = tune(settings, tried, learn, validate, categories) if len(tried) > 1 else ()
    best = min(trials, key=lambda trial: trial.log_loss).parameters if trials else tried[0]
    unseen = matrix(validate, categories)
    chosen = {**settings, **best}
    booster, trees, log_loss = (
        grow(chosen, categories) if grow else grown(chosen, matrix(learn, categories), unseen)
    )
    if grow:
        scores = booster.predict(unseen)
    else:
        booster, scores = _on_all(chosen, trees, learn, validate, categories)
    return XgboostFit(
        booster,
        categories,
        fit_calibrator(validate["churned"], scores),
        np.asarray(scores, dtype=float),
        trees,
        log_loss,
        {**fixed, **best},
        trials,
        # Told from what was done, so that no note can claim a trainer that never ran.
        "spark" if grow else "local",
    )


def _on_all(
    settings: Mapping[str, Any],
    trees: int,
    learn: pd.DataFrame,
    validate: pd.DataFrame,
    categories: Mapping[str, Sequence[str]],
) -> tuple[xgb.Booster, NDArray[np.float64]]:
    """So many trees of all rows, and scores of ``validate`` by trees that have not seen it."""

    def grow_on(further: pd.DataFrame) -> xgb.Booster:
        rows = pd.concat([learn, further], ignore_index=True)
        return xgb.train(dict(settings), matrix(rows, categories), num_boost_round=trees)

    scores = np.empty(len(validate))
    for judged in halves(validate):
        unseen = matrix(validate[judged], categories)
        scores[judged] = grow_on(validate[~judged]).predict(unseen)
    return grow_on(validate), scores


def importance_by_gain(booster: xgb.Booster) -> dict[str, float]:
    """Share of the trees' total gain by feature."""
    names = booster.feature_names or []
    gains = {
        name: float(gain if isinstance(gain, float | int) else sum(gain))
        for name, gain in booster.get_score(importance_type="total_gain").items()
    }
    total = sum(gains.values())
    return {name: gains.get(name, 0.0) / total if total else 0.0 for name in names}


def why_not(learn: pd.DataFrame, validate: pd.DataFrame) -> Note | None:
    """Why these rows cannot teach XGBoost; ``None`` if they can."""
    if len(learn) < MINIMUM_TRAINING_ROWS:
        return Note("too_few_rows", {"rows": len(learn), "needed": MINIMUM_TRAINING_ROWS})
    for rows, dates in ((learn, "training"), (validate, "validation")):
        smaller = int(min(rows["churned"].sum(), (1 - rows["churned"]).sum()))
        if smaller < MINIMUM_OF_A_CLASS:
            return Note(
                "smaller_class",
                {
                    "smaller": smaller,
                    "rows": len(rows),
                    "dates": dates,
                    "needed": MINIMUM_OF_A_CLASS,
                },
            )
    return None


def fallback(
    model: ChurnModel,
    teaching: pd.DataFrame,
    learn: pd.DataFrame | None = None,
    validate: pd.DataFrame | None = None,
) -> tuple[ChurnModel, Note]:
    """The best that these rows can teach short of XGBoost, and which that is.

    Args:
        model: The model without anything learnt.
        teaching: All rows to learn from.
        learn: Those of the training dates; with ``validate`` they judge the hiatus rule beside the
            base rate.
        validate: Those of the validation date.
    """
    if not len(teaching):
        return replace(model, kind="none"), Note("no_score_is_published")
    model = replace(model, base_rate=smoothed_rate(teaching["churned"]))
    smaller = int(min(teaching["churned"].sum(), (1 - teaching["churned"]).sum()))
    if smaller < MINIMUM_OF_A_CLASS // 4:
        return replace(model, kind="base_rate"), Note("base_rate_is_used")
    if learn is not None and validate is not None and not _rule_tells(learn, validate):
        return replace(model, kind="base_rate"), Note("base_rate_is_used")
    hiatus = fit_hiatus_rule(teaching["days_since_last_purchase"], teaching["churned"])
    return replace(model, kind="hiatus_rule", hiatus=hiatus), Note("hiatus_rule_is_used")


def _rule_tells(learn: pd.DataFrame, validate: pd.DataFrame) -> bool:
    """Whether the hiatus rule was nearer than the base rate on a later date, beyond chance."""
    if learn["churned"].nunique() < 2 or not len(validate):
        return True
    silence = "days_since_last_purchase"
    rule = fit_hiatus_rule(learn[silence], learn["churned"]).probabilities(validate[silence])
    rate = np.full(len(validate), smoothed_rate(learn["churned"]))
    losses = Losses.of(
        {"base_rate": rate, "hiatus_rule": rule}, validate["churned"], PROBABILITY_LOSSES
    )
    return losses.choice(("base_rate", "hiatus_rule")) == "hiatus_rule"
