"""Why a customer is likely to leave, in words: SHAP values by topic, the strongest three.

Features that tell one story (the days since the last purchase, and the same against the customer's
own rhythm) are one topic: their contributions are added, and one sentence is said once. What is
said are the customer's own figures; that they speak for leaving is the model's doing.

Source: Lundberg, Erion and Lee 2018, "Consistent Individualized Feature Attribution for Tree
Ensembles", arXiv:1802.03888; exact values, by XGBoost's ``pred_contribs``, in log-odds against the
average customer that the trees have learnt from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from customer360.models.churn.features import CATEGORICAL_FEATURES
from customer360.models.sentences import Sentences, Texts

Floats = NDArray[np.float64]

REASONS = ("reason_1", "reason_2", "reason_3")
"""Columns of the reasons, the strongest first."""

SMALLEST_CONTRIBUTION = 0.05
"""Log-odds below which a topic is no reason: about one point of probability."""


SENTENCES = Sentences(
    {
        "last_purchase": "last purchase {ago:day|days} ago",
        "last_purchase_daily": "last purchase {ago:day|days} ago, usually buys every day",
        "last_purchase_usual": (
            "last purchase {ago:day|days} ago, usually buys every {gap:day|days}"
        ),
        "spend": "spent {now:d} in the last 90 days",
        "spend_fell": "spend fell from {before:d} to {now:d} in 90 days",
        "purchases": "bought on {now:day|days} in the last 90",
        "purchases_fell": (
            "bought on {now:day|days} in the last 90, on {before:d} in the 90 before"
        ),
        "history": "bought on {purchases:day|days} in all, the first {age:day|days} ago",
        "order_value": "spends {value:.2f} an order on average",
        "refunds": "{share:%} of the money was refunded",
        "refunds_none": "never had a refund",
        "variety": "bought in {categories:category|categories}, over {channels:channel|channels}",
        "last_category": "last bought in {category}",
        "last_category_unknown": "category of the last purchase unknown",
        "last_channel": "last bought over {channel}",
        "last_channel_unknown": "channel of the last purchase unknown",
    }
)
"""All that is said of a topic, in English."""


def silence(rows: pd.DataFrame) -> Texts:
    """``last purchase 143 days ago, usually buys every 31 days``."""
    gap = rows["mean_days_between_purchases"].to_numpy(dtype=float)
    return SENTENCES.say(
        {
            "last_purchase": np.isnan(gap),
            "last_purchase_daily": np.round(gap) <= 1,
            "last_purchase_usual": True,
        },
        ago=rows["days_since_last_purchase"],
        gap=gap,
    )


def recent_spend(rows: pd.DataFrame) -> Texts:
    """``spend fell from 210 to 40 in 90 days``: the last 90 days against the 90 before."""
    now = np.round(rows["net_revenue_90d"].to_numpy(dtype=float))
    before = np.round(rows["net_revenue_180d"].to_numpy(dtype=float)) - now
    return SENTENCES.say({"spend_fell": now < before, "spend": True}, now=now, before=before)


def recent_purchases(rows: pd.DataFrame) -> Texts:
    """``bought on 1 day in the last 90, on 4 in the 90 before``."""
    now = rows["purchase_days_90d"].to_numpy(dtype=float)
    before = rows["purchase_days_180d"].to_numpy(dtype=float) - now
    return SENTENCES.say(
        {"purchases_fell": now < before, "purchases": True}, now=now, before=before
    )


def history(rows: pd.DataFrame) -> Texts:
    """``bought on 5 days in all, the first 400 days ago``."""
    purchases = rows["frequency"].to_numpy(dtype=float) + 1
    return SENTENCES.say({"history": True}, purchases=purchases, age=rows["T"])


def order_value(rows: pd.DataFrame) -> Texts:
    """``spends 12.50 an order on average``."""
    value = rows["average_order_value"].to_numpy(dtype=float)
    return SENTENCES.say({"order_value": True}, value=value)


def refunds(rows: pd.DataFrame) -> Texts:
    """``21 % of the money was refunded``."""
    share = rows["refund_rate"].to_numpy(dtype=float)
    return SENTENCES.say({"refunds": share > 0, "refunds_none": True}, share=share)


def variety(rows: pd.DataFrame) -> Texts:
    """``bought in 1 category, over 2 channels``."""
    return SENTENCES.say(
        {"variety": True},
        categories=rows["distinct_categories"],
        channels=rows["distinct_channels"],
    )


def last_category(rows: pd.DataFrame) -> Texts:
    """``last bought in Books``."""
    values = rows["last_category"]
    return SENTENCES.say(
        {"last_category_unknown": values.isna(), "last_category": True}, category=values
    )


def last_channel(rows: pd.DataFrame) -> Texts:
    """``last bought over web``."""
    values = rows["last_channel"]
    return SENTENCES.say(
        {"last_channel_unknown": values.isna(), "last_channel": True}, channel=values
    )


TOPICS: Mapping[str, tuple[Sequence[str], Callable[[pd.DataFrame], Texts]]] = {
    "silence": (
        ("days_since_last_purchase", "overdue_ratio", "mean_days_between_purchases"),
        silence,
    ),
    "recent spend": (tuple(f"net_revenue_{n}d" for n in (30, 90, 180, 365)), recent_spend),
    "recent purchases": (
        tuple(f"purchase_days_{n}d" for n in (30, 90, 180, 365)),
        recent_purchases,
    ),
    "history": (("frequency", "recency", "T", "orders", "items", "net_revenue"), history),
    "order value": (("monetary_value", "average_order_value"), order_value),
    "refunds": (("refunds", "refunded", "refund_rate"), refunds),
    "variety": (("distinct_categories", "distinct_channels"), variety),
    "last category": (("last_category",), last_category),
    "last channel": (("last_channel",), last_channel),
}
"""By topic: its features, and what is said of them."""


def feature_of(column: str) -> str:
    """The feature that a column of the design matrix is made from."""
    name = column.split("=", 1)[0]
    return name if name in CATEGORICAL_FEATURES else column


def contributions(booster: xgb.Booster, matrix: pd.DataFrame) -> Floats:
    """SHAP values in log-odds: one row a customer, one column a column of ``matrix``."""
    found = booster.predict(xgb.DMatrix(matrix), pred_contribs=True)
    return np.asarray(found[:, :-1], dtype=float)


def by_topic(values: Floats, columns: Sequence[str]) -> Floats:
    """Contributions added up by topic, in the order of `TOPICS`."""
    belongs = np.array(
        [[feature_of(column) in names for names, _ in TOPICS.values()] for column in columns]
    )
    return np.asarray(values @ belongs.astype(float))


def strongest_reasons(rows: pd.DataFrame, topics: Floats) -> pd.DataFrame:
    """The three topics that speak loudest for leaving, in words; ``None`` where fewer do.

    Args:
        rows: Features as in ``gold/customer_features``.
        topics: From `by_topic`, a row for each of ``rows``.

    Returns:
        The columns of `REASONS`, with the index of ``rows``.
    """
    order = np.argsort(-topics, axis=1, kind="stable")[:, : len(REASONS)]
    order[np.take_along_axis(topics, order, axis=1) < SMALLEST_CONTRIBUTION] = -1
    said = np.full(order.shape, None, dtype=object)
    for number, (_, words) in enumerate(TOPICS.values()):
        # A topic is a reason once at most in a row, so rows and places come in the same order.
        places = order == number
        if places.any():
            said[places] = words(rows[places.any(axis=1)])
    return pd.DataFrame(said, columns=list(REASONS), index=rows.index)


def topics_of(rows: pd.DataFrame, topics: Floats) -> pd.DataFrame:
    """Every topic of every row, whichever way it speaks.

    Args:
        rows: Features as in ``gold/customer_features``.
        topics: From `by_topic`, a row for each of ``rows``.

    Returns:
        Columns ``topic``, ``log_odds`` (positive = towards leaving), ``words``, indexed as
        ``rows``; the strongest of each row first.
    """
    found = [
        pd.DataFrame({"topic": name, "log_odds": topics[:, n], "words": words(rows)}, rows.index)
        for n, (name, (_, words)) in enumerate(TOPICS.items())
    ]
    everything = pd.concat(found)
    order = np.lexsort((-everything["log_odds"].abs(), everything.index))
    return everything.iloc[order]


def no_reasons(rows: pd.DataFrame) -> pd.DataFrame:
    """Nothing to say of any of ``rows``."""
    empty = np.full((len(rows), len(REASONS)), None, dtype=object)
    return pd.DataFrame(empty, columns=list(REASONS), index=rows.index)


def mean_contributions(booster: xgb.Booster, matrix: pd.DataFrame) -> dict[str, float]:
    """Mean |SHAP value| in log-odds by column of ``matrix``: what moves the scores at all."""
    means = np.abs(contributions(booster, matrix)).mean(axis=0)
    return dict(zip(map(str, matrix.columns), means.tolist(), strict=True))
