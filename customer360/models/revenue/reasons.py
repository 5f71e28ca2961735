"""Why more or less is expected of a customer than of the average one, in words.

SHAP values by topic, as for churn: features that tell one story are one topic, their contributions
are added, and one sentence says the customer's own figures. For the trees they are shares of the
expected revenue on the logarithmic scale: that of the amount, and for a two-stage model that of
the probability p, whose log-odds move log p by (1 - p) times as much. For the linear model they
are currency.

Source: Lundberg, Erion and Lee 2018, "Consistent Individualized Feature Attribution for Tree
Ensembles", arXiv:1802.03888; exact values, by XGBoost's ``pred_contribs``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.pipeline import Pipeline

from customer360.models.churn import reasons as churn
from customer360.models.revenue.features import (
    CATEGORICAL_FEATURES,
    FEATURES,
    NUMERIC_FEATURES,
    typed_features,
)
from customer360.models.revenue.model import RevenueModel
from customer360.models.sentences import Sentences, Texts

Floats = NDArray[np.float64]

SMALLEST_SHARE = 0.05
"""A topic that moves the expected revenue by less than this share of it, or of the mean for the
linear model, is no reason."""


SENTENCES = Sentences(
    {
        **churn.SENTENCES.texts,
        "more": "more: {reason}",
        "less": "less: {reason}",
        "first_order": "first order {amount:.2f}",
        "first_order_items": "first order {amount:.2f} for {items:item|items}",
        "first_order_freight": "first order {amount:.2f}, {freight:%} of it freight",
        "first_order_items_freight": (
            "first order {amount:.2f} for {items:item|items}, {freight:%} of it freight"
        ),
        "first_order_unknown": "amount of the first order unknown",
        "payment": "first paid by {payment_type}",
        "payment_instalments": "first paid by {payment_type} in {instalments:d} instalments",
        "payment_unknown": "first paid by unknown means",
        "payment_unknown_instalments": "first paid by unknown means in {instalments:d} instalments",
        "delivered": "first order delivered after {days:day|days}",
        "delivered_reviewed": (
            "first order delivered after {days:day|days} and reviewed with {score:d} of 5"
        ),
        "delivery_unknown": "first order not known to be delivered",
        "delivery_unknown_reviewed": (
            "first order not known to be delivered and reviewed with {score:d} of 5"
        ),
        "first_category": "first bought in {category}",
        "first_category_unknown": "category of the first order unknown",
        "first_channel": "first bought over {channel}",
        "first_channel_unknown": "channel of the first order unknown",
        "home": "lives in {place}",
        "home_unknown": "home unknown",
    }
)
"""All that is said of a topic, in English; "more" or "less" stands before each."""


def first_order(rows: pd.DataFrame) -> Texts:
    """``first order 80.00 for 2 items, 20 % of it freight``."""
    amount, items, freight = (
        rows[name] for name in ("first_order_amount", "first_order_items", "first_freight_share")
    )
    return SENTENCES.say(
        {
            "first_order_unknown": amount.isna(),
            "first_order": items.isna() & freight.isna(),
            "first_order_freight": items.isna(),
            "first_order_items": freight.isna(),
            "first_order_items_freight": True,
        },
        amount=amount,
        items=items,
        freight=freight,
    )


def payment(rows: pd.DataFrame) -> Texts:
    """``first paid by credit_card in 3 instalments``."""
    means, instalments = rows["first_payment_type"], rows["first_installments"]
    split = instalments.round() > 1
    return SENTENCES.say(
        {
            "payment_unknown_instalments": means.isna() & split,
            "payment_unknown": means.isna(),
            "payment_instalments": split,
            "payment": True,
        },
        payment_type=means,
        instalments=instalments,
    )


def experience(rows: pd.DataFrame) -> Texts:
    """``first order delivered after 7 days and reviewed with 4 of 5``."""
    days, score = rows["first_delivery_days"], rows["first_review_score"]
    return SENTENCES.say(
        {
            "delivery_unknown": days.isna() & score.isna(),
            "delivery_unknown_reviewed": days.isna(),
            "delivered": score.isna(),
            "delivered_reviewed": True,
        },
        days=days,
        score=score,
    )


def first_category(rows: pd.DataFrame) -> Texts:
    """``first bought in Books``."""
    values = rows["first_category"]
    return SENTENCES.say(
        {"first_category_unknown": values.isna(), "first_category": True}, category=values
    )


def first_channel(rows: pd.DataFrame) -> Texts:
    """``first bought over web``."""
    values = rows["first_channel"]
    return SENTENCES.say(
        {"first_channel_unknown": values.isna(), "first_channel": True}, channel=values
    )


def home(rows: pd.DataFrame) -> Texts:
    """``lives in SP, BR``."""
    state, country = rows["state"].notna(), rows["country"].notna()
    comma = np.where(state & country, ", ", "").astype(object)
    place = rows["state"].where(state, "") + comma + rows["country"].where(country, "")
    return SENTENCES.say({"home": state | country, "home_unknown": True}, place=place)


_CHURN = {
    topic: churn.TOPICS[topic]
    for topic in ("silence", "recent spend", "recent purchases", "history", "order value",
                  "refunds", "variety", "last category", "last channel")
}  # fmt: skip

TOPICS: Mapping[str, tuple[Sequence[str], Callable[[pd.DataFrame], Texts]]] = {
    **_CHURN,
    "first order": (
        ("first_order_amount", "first_order_items", "first_freight", "first_freight_share"),
        first_order,
    ),
    "payment": (("first_payment_type", "first_installments"), payment),
    "experience": (("first_delivered", "first_delivery_days", "first_review_score"), experience),
    "first category": (
        ("first_category",),
        first_category,
    ),
    "first channel": (
        ("first_channel",),
        first_channel,
    ),
    "home": (("state", "country"), home),
}
"""By topic: its features, and what is said of them."""


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

    On the logarithmic scale for trees, in currency for the linear model; zero for the mean.
    """
    found = np.zeros((len(frame), len(FEATURES)))
    if model.amount is None or not len(frame):
        return found
    rows = typed_features(frame)
    if model.kind == "linear":
        matrix = model.amount[:-1].transform(rows)
        return _added(matrix * model.amount[-1].coef_ * model.unit, model.amount)
    if model.kind == "two_stage" and model.purchase is not None:
        values = _shap(model.purchase, rows)
        doubt = 1 - expit(values.sum(axis=1))
        found += doubt[:, None] * _added(values[:, :-1], model.purchase)
    return found + _added(_shap(model.amount, rows)[:, :-1], model.amount)


def _shap(pipeline: Pipeline, rows: pd.DataFrame) -> Floats:
    """SHAP values of the trees' margin by column, the average's margin last."""
    matrix = xgb.DMatrix(pipeline[0].transform(rows), nthread=1)
    return np.asarray(pipeline[-1].get_booster().predict(matrix, pred_contribs=True), dtype=float)


def _added(values: Floats, pipeline: Pipeline) -> Floats:
    made_from = features_of(pipeline)
    belongs = np.array([[made == name for name in FEATURES] for made in made_from], dtype=float)
    return np.asarray(values @ belongs)


def reasons(model: RevenueModel, frame: pd.DataFrame, top: int = 3) -> pd.DataFrame:
    """The topics that move the expected revenue most, in words.

    Args:
        model: That expects it.
        frame: At least the model's features.
        top: How many reasons.

    Returns:
        ``reason_1`` to ``reason_<top>`` with the frame's index, the strongest first: "more: …" or
        "less: …" than of the average customer; ``None`` where there are fewer.

    Raises:
        RevenueModelError: The frame's features differ from the model's.
    """
    model.check_features(frame.columns)
    names = [f"reason_{n}" for n in range(1, top + 1)]
    belongs = np.array(
        [[name in features for features, _ in TOPICS.values()] for name in FEATURES], dtype=float
    )
    rows = typed_features(frame)
    topics = by_feature(model, rows) @ belongs
    smallest = SMALLEST_SHARE * (abs(model.mean_revenue) if model.kind == "linear" else 1.0)
    order = np.argsort(-np.abs(topics), axis=1, kind="stable")[:, :top]
    order[np.abs(np.take_along_axis(topics, order, axis=1)) < max(smallest, 1e-12)] = -1
    said = np.full(order.shape, None, dtype=object)
    for number, (_, words) in enumerate(TOPICS.values()):
        # A topic is a reason once at most in a row, so rows and places come in the same order.
        places = order == number
        if places.any():
            chosen = places.any(axis=1)
            ways = {"more": topics[chosen, number] > 0, "less": True}
            said[places] = SENTENCES.say(ways, reason=words(rows[chosen]))
    return pd.DataFrame(said, columns=names, index=frame.index)
