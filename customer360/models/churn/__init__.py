"""Churn: of the customers active on a day, who will buy nothing in the days that follow.

The definition (non-contractual): a customer with a purchase in ``(D - activity, D]`` is active at
D, and has churned if there is none in ``(D, D + horizon]``. Features are those of
``gold/customer_features`` at D, labels only what came after D, and every date a model learns from
has a horizon that ended before the test date's features were taken (see `windows.as_of_grid`).

The model is XGBoost, in process on a bounded sample or on Spark on all rows; where the history
cannot teach one, a stated fallback takes its place: the hiatus rule, or the base rate.

Here belongs what is only about churn, one module a step: rows, features, fitting, judging, model,
scoring, and the training that calls them in order.
"""

from customer360.models.churn.distributed import TrainerError
from customer360.models.churn.features import (
    CATEGORICAL_FEATURES,
    FEATURES,
    MONOTONE_FEATURES,
    NUMERIC_FEATURES,
    design_matrix,
    frequent_categories,
)
from customer360.models.churn.fitting import TUNING_GRID, XGBOOST_PARAMETERS, fit_xgboost
from customer360.models.churn.model import ChurnModel, ChurnModelError
from customer360.models.churn.rows import active, labelled_rows, labels
from customer360.models.churn.scoring import SCORE_SCHEMA, score
from customer360.models.churn.training import ChurnTraining, train

__all__ = [
    "CATEGORICAL_FEATURES",
    "FEATURES",
    "MONOTONE_FEATURES",
    "NUMERIC_FEATURES",
    "SCORE_SCHEMA",
    "TUNING_GRID",
    "XGBOOST_PARAMETERS",
    "ChurnModel",
    "ChurnModelError",
    "ChurnTraining",
    "TrainerError",
    "active",
    "design_matrix",
    "fit_xgboost",
    "frequent_categories",
    "labelled_rows",
    "labels",
    "score",
    "train",
]
