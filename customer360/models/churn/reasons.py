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
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from customer360.models.churn.features import CATEGORICAL_FEATURES

Floats = NDArray[np.float64]
Texts = NDArray[np.object_]

REASONS = ("reason_1", "reason_2", "reason_3")
"""Columns of the reasons, the strongest first."""

SMALLEST_CONTRIBUTION = 0.05
"""Log-odds below which a topic is no reason: about one point of probability."""


def _whole(values: Any) -> Texts:
    """Whole numbers as text."""
    rounded = np.round(np.nan_to_num(np.asarray(values, dtype=float)))
    return rounded.astype(np.int64).astype(str).astype(object)


def _counted(values: Any, one: str, many: str) -> Texts:
    """``1 day``, ``2 days``."""
    whole = np.round(np.nan_to_num(np.asarray(values, dtype=float)))
    return np.asarray(_whole(values) + np.where(whole == 1, f" {one}", f" {many}").astype(object))


def _days(values: Any) -> Texts:
    return _counted(values, "day", "days")


def _chosen(condition: Any, texts: Any, otherwise: Any) -> Texts:
    return np.asarray(np.where(np.asarray(condition, dtype=bool), texts, otherwise), dtype=object)


def silence(rows: pd.DataFrame) -> Texts:
    """``last purchase 143 days ago, usually buys every 31 days``."""
    gap = rows["mean_days_between_purchases"].to_numpy(dtype=float)
    every = _chosen(np.round(gap) <= 1, "day", _days(gap))
    usual = _chosen(np.isnan(gap), "", ", usually buys every " + every)
    return np.asarray("last purchase " + _days(rows["days_since_last_purchase"]) + " ago" + usual)


def recent_spend(rows: pd.DataFrame) -> Texts:
    """``spend fell from 210 to 40 in 90 days``: the last 90 days against the 90 before."""
    now = np.round(rows["net_revenue_90d"].to_numpy(dtype=float))
    before = np.round(rows["net_revenue_180d"].to_numpy(dtype=float)) - now
    fell = "spend fell from " + _whole(before) + " to " + _whole(now) + " in 90 days"
    return _chosen(now < before, fell, "spent " + _whole(now) + " in the last 90 days")


def recent_purchases(rows: pd.DataFrame) -> Texts:
    """``bought on 1 day in the last 90, on 4 in the 90 before``."""
    now = rows["purchase_days_90d"].to_numpy(dtype=float)
    before = rows["purchase_days_180d"].to_numpy(dtype=float) - now
    bought = "bought on " + _days(now) + " in the last 90"
    return _chosen(now < before, bought + ", on " + _whole(before) + " in the 90 before", bought)


def history(rows: pd.DataFrame) -> Texts:
    """``bought on 5 days in all, the first 400 days ago``."""
    purchases = rows["frequency"].to_numpy(dtype=float) + 1
    return np.asarray(
        "bought on " + _days(purchases) + " in all, the first " + _days(rows["T"]) + " ago"
    )


def order_value(rows: pd.DataFrame) -> Texts:
    """``spends 12.50 an order on average``."""
    value = np.nan_to_num(rows["average_order_value"].to_numpy(dtype=float))
    return np.asarray(
        "spends " + np.char.mod("%.2f", value).astype(object) + " an order on average"
    )


def refunds(rows: pd.DataFrame) -> Texts:
    """``21 % of the money was refunded``."""
    share = rows["refund_rate"].to_numpy(dtype=float)
    return _chosen(
        share > 0, _whole(share * 100) + " % of the money was refunded", "never had a refund"
    )


def variety(rows: pd.DataFrame) -> Texts:
    """``bought in 1 category, over 2 channels``."""
    categories = _counted(rows["distinct_categories"], "category", "categories")
    channels = _counted(rows["distinct_channels"], "channel", "channels")
    return np.asarray("bought in " + categories + ", over " + channels)


def _last(name: str, words: str, kind: str) -> Callable[[pd.DataFrame], Texts]:
    def said(rows: pd.DataFrame) -> Texts:
        known = rows[name].notna()
        texts = rows[name].astype(object).where(known, "").to_numpy()
        return _chosen(known, f"{words} " + texts, f"{kind} of the last purchase unknown")

    return said


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
    "last category": (("last_category",), _last("last_category", "last bought in", "category")),
    "last channel": (("last_channel",), _last("last_channel", "last bought over", "channel")),
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
