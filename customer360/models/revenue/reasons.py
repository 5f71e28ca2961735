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
from typing import Any

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

Floats = NDArray[np.float64]
Texts = NDArray[np.object_]

SMALLEST_SHARE = 0.05
"""A topic that moves the expected revenue by less than this share of it, or of the mean for the
linear model, is no reason."""


def _texts(rows: pd.DataFrame, say: Callable[[Any], str]) -> Texts:
    return np.array([say(row) for row in rows.itertuples()], dtype=object)


def _known(value: Any) -> bool:
    return bool(pd.notna(value))


def first_order(rows: pd.DataFrame) -> Texts:
    """``first order 80.00 for 2 items, 20 % of it freight``."""

    def say(row: Any) -> str:
        if not _known(row.first_order_amount):
            return "amount of the first order unknown"
        text = f"first order {row.first_order_amount:.2f}"
        if _known(row.first_order_items):
            items = round(row.first_order_items)
            text += f" for {items} item" + ("s" if items != 1 else "")
        if _known(row.first_freight_share):
            text += f", {row.first_freight_share:.0%} of it freight".replace("%", " %")
        return text

    return _texts(rows, say)


def payment(rows: pd.DataFrame) -> Texts:
    """``first paid by credit_card in 3 instalments``."""

    def say(row: Any) -> str:
        by = row.first_payment_type if _known(row.first_payment_type) else "unknown means"
        parts = round(row.first_installments) if _known(row.first_installments) else 0
        return f"first paid by {by}" + (f" in {parts} instalments" if parts > 1 else "")

    return _texts(rows, say)


def experience(rows: pd.DataFrame) -> Texts:
    """``first order delivered after 7 days and reviewed with 4 of 5``."""

    def say(row: Any) -> str:
        if _known(row.first_delivery_days):
            days = round(row.first_delivery_days)
            text = f"first order delivered after {days} day" + ("s" if days != 1 else "")
        else:
            text = "first order not known to be delivered"
        reviewed = _known(row.first_review_score)
        return text + (
            f" and reviewed with {round(row.first_review_score)} of 5" if reviewed else ""
        )

    return _texts(rows, say)


def home(rows: pd.DataFrame) -> Texts:
    """``lives in SP, BR``."""

    def say(row: Any) -> str:
        places = [place for place in (row.state, row.country) if _known(place)]
        return f"lives in {', '.join(places)}" if places else "home unknown"

    return _texts(rows, say)


def _said(name: str, words: str, what: str) -> Callable[[pd.DataFrame], Texts]:
    def said(rows: pd.DataFrame) -> Texts:
        return np.array(
            [f"{words} {value}" if _known(value) else f"{what} unknown" for value in rows[name]],
            dtype=object,
        )

    return said


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
        _said("first_category", "first bought in", "category of the first order"),
    ),
    "first channel": (
        ("first_channel",),
        _said("first_channel", "first bought over", "channel of the first order"),
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
    """
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
            ways = np.where(topics[chosen, number] > 0, "more: ", "less: ").astype(object)
            said[places] = ways + words(rows[chosen])
    return pd.DataFrame(said, columns=names, index=frame.index)
