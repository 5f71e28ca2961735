"""Why a customer is likely to leave: SHAP values by topic, the strongest three as reasons.

Features that tell one story (the days since the last purchase, and the same against the customer's
own rhythm) are one topic: their contributions are added. What is stated are the customer's own
figures; that they speak for leaving is the model's doing.

Source: Lundberg, Erion and Lee 2018, "Consistent Individualized Feature Attribution for Tree
Ensembles", arXiv:1802.03888; exact values, by XGBoost's ``pred_contribs``, in log-odds against the
average customer that the trees have learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from customer360.models.churn.features import CATEGORICAL_FEATURES
from customer360.models.reasons import Case, Topics, rounded, stated, strongest, whole

Floats = NDArray[np.float64]

SMALLEST_CONTRIBUTION = 0.05
"""Log-odds below which a topic is no reason: about one point of probability."""


def silence(rows: pd.DataFrame) -> Sequence[Case]:
    """Days since the last purchase, ``ago``, against the usual ``gap``."""
    ago = whole(rows["days_since_last_purchase"])
    gap = rows["mean_days_between_purchases"].to_numpy(dtype=float)
    return (
        Case("last_purchase", np.isnan(gap), {"ago": ago}),
        Case("last_purchase_daily", np.round(gap) <= 1, {"ago": ago}),
        Case("last_purchase_usual", True, {"ago": ago, "gap": whole(gap)}),
    )


def recent_spend(rows: pd.DataFrame) -> Sequence[Case]:
    """Net revenue of the last 90 days against the 90 before."""
    now = whole(rows["net_revenue_90d"])
    before = whole(rows["net_revenue_180d"].to_numpy(dtype=float) - now)
    return (
        Case("spend_fell", now < before, {"before": before, "now": now}),
        Case("spend", True, {"now": now}),
    )


def recent_purchases(rows: pd.DataFrame) -> Sequence[Case]:
    """Purchase days of the last 90 days against the 90 before."""
    now = whole(rows["purchase_days_90d"])
    before = whole(rows["purchase_days_180d"]) - now
    return (
        Case("purchases_fell", now < before, {"now": now, "before": before}),
        Case("purchases", True, {"now": now}),
    )


def history(rows: pd.DataFrame) -> Sequence[Case]:
    """Purchase days in all, and for how many days."""
    purchases, age = whole(rows["frequency"]) + 1, whole(rows["T"])
    return (Case("history", True, {"purchases": purchases, "age": age}),)


def order_value(rows: pd.DataFrame) -> Sequence[Case]:
    """The average order, in currency."""
    return (Case("order_value", True, {"value": rounded(rows["average_order_value"])}),)


def refunds(rows: pd.DataFrame) -> Sequence[Case]:
    """Share of the money that was refunded."""
    share = rows["refund_rate"].to_numpy(dtype=float)
    return (Case("refunds", share > 0, {"share": rounded(share, 4)}), Case("refunds_none", True))


def variety(rows: pd.DataFrame) -> Sequence[Case]:
    """In how many categories, and over how many channels, was bought."""
    values = {name: whole(rows[f"distinct_{name}"]) for name in ("categories", "channels")}
    return (Case("variety", True, values),)


def last_category(rows: pd.DataFrame) -> Sequence[Case]:
    """Category of the last purchase."""
    return known("last_category", rows["last_category"], "category")


def last_channel(rows: pd.DataFrame) -> Sequence[Case]:
    """Channel of the last purchase."""
    return known("last_channel", rows["last_channel"], "channel")


def known(code: str, values: pd.Series, field: str) -> Sequence[Case]:
    """A text of the customer's, and another code where it is not known."""
    return (Case(f"{code}_unknown", values.isna()), Case(code, True, {field: values}))


TOPICS: Topics = {
    "silence": (
        ("days_since_last_purchase", "overdue_ratio", "mean_days_between_purchases"),
        silence,
    ),
    "recent_spend": (tuple(f"net_revenue_{n}d" for n in (30, 90, 180, 365)), recent_spend),
    "recent_purchases": (
        tuple(f"purchase_days_{n}d" for n in (30, 90, 180, 365)),
        recent_purchases,
    ),
    "history": (("frequency", "recency", "T", "orders", "items", "net_revenue"), history),
    "order_value": (("monetary_value", "average_order_value"), order_value),
    "refunds": (("refunds", "refunded", "refund_rate"), refunds),
    "variety": (("distinct_categories", "distinct_channels"), variety),
    "last_category": (("last_category",), last_category),
    "last_channel": (("last_channel",), last_channel),
}


def feature_of(column: str) -> str:
    """The feature that a column of the design matrix is made from."""
    name = column.split("=", 1)[0]
    return name if name in CATEGORICAL_FEATURES else column


def contributions(booster: xgb.Booster, matrix: pd.DataFrame) -> Floats:
    """SHAP values in log-odds: one row a customer, one column a column of ``matrix``."""
    shap_values = booster.predict(xgb.DMatrix(matrix), pred_contribs=True)
    return np.asarray(shap_values[:, :-1], dtype=float)


def by_topic(values: Floats, columns: Sequence[str]) -> Floats:
    """Contributions added up by topic, in the order of `TOPICS`."""
    belongs = np.array(
        [[feature_of(column) in names for names, _ in TOPICS.values()] for column in columns]
    )
    return np.asarray(values @ belongs.astype(float))


def strongest_reasons(rows: pd.DataFrame, topics: Floats) -> pd.DataFrame:
    """The three topics that speak loudest for leaving: see `customer360.models.reasons.strongest`.

    Args:
        rows: Features as in ``gold/customer_features``.
        topics: From `by_topic`, a row for each of ``rows``.
    """
    return strongest(rows, topics, TOPICS, smallest=SMALLEST_CONTRIBUTION)


def topics_of(rows: pd.DataFrame, topics: Floats) -> pd.DataFrame:
    """Every topic of every row, whichever way it speaks.

    Args:
        rows: Features as in ``gold/customer_features``.
        topics: From `by_topic`, a row for each of ``rows``.

    Returns:
        Columns ``topic``, ``log_odds`` (positive = towards leaving), ``code`` and ``values`` as of
        a reason, indexed as ``rows``; the strongest of each row first.
    """
    by_topic_rows = [
        stated(rows, cases(rows)).assign(topic=name, log_odds=topics[:, n])
        for n, (name, (_, cases)) in enumerate(TOPICS.items())
    ]
    everything = pd.concat(by_topic_rows)[["topic", "log_odds", "code", "values"]]
    order = np.lexsort((-everything["log_odds"].abs(), everything.index))
    return everything.iloc[order]


def mean_contributions(values: Floats, matrix: pd.DataFrame) -> dict[str, float]:
    """Mean |SHAP value| in log-odds by column of ``matrix``: what moves the scores at all."""
    means = np.abs(values).mean(axis=0)
    return dict(zip(map(str, matrix.columns), means.tolist(), strict=True))
