"""Revenue, the supervised lifetime value: what a customer will bring in the days ahead.

Learnt from a customer's first order (category, payment, instalments, freight, delivery, review,
channel, state) and the buying since, as they were known at an as-of date D; the target is the net
revenue in ``(D, D + horizon]``, refunds deducted. Where the lifetime-value models assume how
customers buy, this one assumes nothing and must see enough of them; it is chosen among a mean, a
line and two kinds of trees on a date that none has learnt from, and the mean may win.

Here belongs what is only about predicting revenue, one module a step: features, rows, fitting,
judging, model, reasons, scoring, the prediction of a user's own file, and the training that calls
them in order.
"""

from customer360.models.revenue.features import (
    CATEGORICAL_FEATURES,
    FEATURES,
    NUMERIC_FEATURES,
    revenue_features,
)
from customer360.models.revenue.model import RevenueModel, RevenueModelError
from customer360.models.revenue.scoring import SCORE_SCHEMA, score
from customer360.models.revenue.training import (
    DEFAULT_HORIZON_DAYS,
    DEFAULT_MAX_ROWS,
    HorizonError,
    RevenueTraining,
    train,
    train_on_rows,
    training_dates,
)

__all__ = [
    "CATEGORICAL_FEATURES",
    "DEFAULT_HORIZON_DAYS",
    "DEFAULT_MAX_ROWS",
    "FEATURES",
    "NUMERIC_FEATURES",
    "SCORE_SCHEMA",
    "HorizonError",
    "RevenueModel",
    "RevenueModelError",
    "RevenueTraining",
    "revenue_features",
    "score",
    "train",
    "train_on_rows",
    "training_dates",
]
