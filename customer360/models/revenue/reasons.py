"""Why more or less is expected of a customer than of the average one.

SHAP values by topic, as for churn: features that tell one story are one topic, their contributions
are added, and the reason states the customer's own figures. For the trees they are shares of the
expected revenue on the logarithmic scale: that of the amount, and for a two-stage model that of
the probability p, whose log-odds move log p by (1 - p) times as much. For the linear model, the
rules of thumb and a blend they are currency: shares of the trees in a blend become currency by the
logarithmic mean of what they expect of the customer and of the average one (Ang 2004,
"Decomposition analysis for policymaking in energy", Energy Policy 32).

Source: Lundberg, Erion and Lee 2018, "Consistent Individualized Feature Attribution for Tree
Ensembles", arXiv:1802.03888; exact values, by XGBoost's ``pred_contribs``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.pipeline import Pipeline

from customer360.models.baselines import LAST_YEAR, PAST_AVERAGE
from customer360.models.churn import reasons as churn
from customer360.models.reasons import Case, Topics, rounded, strongest, whole
from customer360.models.revenue.features import (
    CATEGORICAL_FEATURES,
    FEATURES,
    NUMERIC_FEATURES,
    typed_features,
)
from customer360.models.revenue.model import RevenueModel

Floats = NDArray[np.float64]

SMALLEST_SHARE = 0.05
"""A topic that moves the expected revenue by less than this share of it, or of the mean where
contributions are currency, is no reason."""

_CARRIED_ON = {PAST_AVERAGE: "net_revenue", LAST_YEAR: "net_revenue_365d"}
"""The feature that a rule of thumb goes by."""


def first_order(rows: pd.DataFrame) -> Sequence[Case]:
    """The first order: its amount in currency, its pieces, and the share that was freight."""
    no_items, no_freight = rows["first_order_items"].isna(), rows["first_freight_share"].isna()
    amount = {"amount": rounded(rows["first_order_amount"])}
    items = {"items": whole(rows["first_order_items"])}
    freight = {"freight": rounded(rows["first_freight_share"], 4)}
    return (
        Case("first_order_unknown", rows["first_order_amount"].isna()),
        Case("first_order", no_items & no_freight, amount),
        Case("first_order_freight", no_items, amount | freight),
        Case("first_order_items", no_freight, amount | items),
        Case("first_order_items_freight", True, amount | items | freight),
    )


def payment(rows: pd.DataFrame) -> Sequence[Case]:
    """How the first order was paid, and in how many instalments."""
    means, instalments = rows["first_payment_type"], rows["first_installments"]
    split, times = instalments.round() > 1, {"instalments": whole(instalments)}
    return (
        Case("payment_unknown_instalments", means.isna() & split, times),
        Case("payment_unknown", means.isna()),
        Case("payment_instalments", split, {"payment_type": means} | times),
        Case("payment", True, {"payment_type": means}),
    )


def experience(rows: pd.DataFrame) -> Sequence[Case]:
    """How long the first order took, and how the customer reviewed it, of 5."""
    late, silent = rows["first_delivery_days"].isna(), rows["first_review_score"].isna()
    days = {"days": whole(rows["first_delivery_days"])}
    score = {"score": whole(rows["first_review_score"])}
    return (
        Case("delivery_unknown", late & silent),
        Case("delivery_unknown_reviewed", late, score),
        Case("delivered", silent, days),
        Case("delivered_reviewed", True, days | score),
    )


def first_category(rows: pd.DataFrame) -> Sequence[Case]:
    """Category of the first order."""
    return churn.known("first_category", rows["first_category"], "category")


def first_channel(rows: pd.DataFrame) -> Sequence[Case]:
    """Channel of the first order."""
    return churn.known("first_channel", rows["first_channel"], "channel")


def home(rows: pd.DataFrame) -> Sequence[Case]:
    """Where the customer lives."""
    state, country = ({name: rows[name]} for name in ("state", "country"))
    no_state, no_country = rows["state"].isna(), rows["country"].isna()
    return (
        Case("home_unknown", no_state & no_country),
        Case("home_country", no_state, country),
        Case("home_state", no_country, state),
        Case("home", True, state | country),
    )


TOPICS: Topics = {
    **churn.TOPICS,
    "first_order": (
        ("first_order_amount", "first_order_items", "first_freight", "first_freight_share"),
        first_order,
    ),
    "payment": (("first_payment_type", "first_installments"), payment),
    "experience": (("first_delivered", "first_delivery_days", "first_review_score"), experience),
    "first_category": (("first_category",), first_category),
    "first_channel": (("first_channel",), first_channel),
    "home": (("state", "country"), home),
}


def features_of(pipeline: Pipeline) -> list[str]:
    """The feature that each column of the pipeline's matrix is made from."""
    numbers, categories = (
        pipeline[0].named_transformers_[name] for name in ("numbers", "categories")
    )
    missing = numbers[0].indicator_.features_
    made = [*NUMERIC_FEATURES, *(NUMERIC_FEATURES[n] for n in missing)]
    encoder = categories[-1]
    for name, values, rare in zip(
        CATEGORICAL_FEATURES, encoder.categories_, encoder.infrequent_categories_, strict=True
    ):
        # The rare values share one column.
        made += [name] * (len(values) if rare is None else len(values) - len(rare) + 1)
    return made


def by_feature(model: RevenueModel, frame: pd.DataFrame) -> Floats:
    """Contributions to the expected revenue: a row a customer, a column a feature of `FEATURES`.

    On the logarithmic scale for trees alone, else in currency; zero for the mean.
    """
    contributions = np.zeros((len(frame), len(FEATURES)))
    if not model.looks or not len(frame):
        return contributions
    rows = typed_features(frame)
    if model.kind in _CARRIED_ON:
        column = FEATURES.index(_CARRIED_ON[model.kind])
        contributions[:, column] = model.predict(frame) - model.mean_revenue
        return contributions
    if model.parts:
        for weight, part in model.parts:
            contributions += weight * _currency(part, frame)
        return contributions
    assert model.amount is not None
    if model.kind == "linear":
        matrix = model.amount[:-1].transform(rows)
        return _added(matrix * model.amount[-1].coef_ * model.unit, model.amount)
    if model.kind == "two_stage" and model.purchase is not None:
        values = _shap(model.purchase, rows)
        doubt = 1 - expit(values.sum(axis=1))
        contributions += doubt[:, None] * _added(values[:, :-1], model.purchase)
    return contributions + _added(_shap(model.amount, rows)[:, :-1], model.amount)


def _currency(model: RevenueModel, frame: pd.DataFrame) -> Floats:
    """`by_feature` in currency, whatever the model."""
    values = by_feature(model, frame)
    if in_currency(model):
        return values
    expected, log_share = model.predict(frame), values.sum(axis=1)
    small = np.abs(log_share) < 1e-9
    # Of the amount and of what it would be without any contribution, the logarithmic mean.
    mean = -np.expm1(-log_share) / np.where(small, 1.0, log_share)
    return values * (expected * np.where(small, 1.0, mean))[:, None]


def in_currency(model: RevenueModel) -> bool:
    """Whether `by_feature` is currency, and not a share on the logarithmic scale."""
    return model.kind not in ("two_stage", "tweedie")


def _shap(pipeline: Pipeline, rows: pd.DataFrame) -> Floats:
    """SHAP values of the trees' margin by column, the average's margin last."""
    matrix = xgb.DMatrix(pipeline[0].transform(rows), nthread=1)
    return np.asarray(pipeline[-1].get_booster().predict(matrix, pred_contribs=True), dtype=float)


def _added(values: Floats, pipeline: Pipeline) -> Floats:
    made_from = features_of(pipeline)
    belongs = np.array([[made == name for name in FEATURES] for made in made_from], dtype=float)
    return np.asarray(values @ belongs)


def reasons(model: RevenueModel, frame: pd.DataFrame) -> pd.DataFrame:
    """The topics that move the expected revenue most: see `customer360.models.reasons.strongest`.

    Args:
        model: That expects it.
        frame: At least the model's features.

    Returns:
        Reasons with the frame's index; of the values, ``effect`` says whether "more" or "less" is
        expected than of the average customer.

    Raises:
        RevenueModelError: The frame's features differ from the model's.
    """
    model.check_features(frame.columns)
    belongs = np.array(
        [[name in features for features, _ in TOPICS.values()] for name in FEATURES], dtype=float
    )
    rows = typed_features(frame)
    topics = by_feature(model, rows) @ belongs
    smallest = SMALLEST_SHARE * (abs(model.mean_revenue) if in_currency(model) else 1.0)
    return strongest(
        rows,
        np.abs(topics),
        TOPICS,
        smallest=max(smallest, 1e-12),
        shared={"effect": np.where(topics > 0, "more", "less")},
    )
