"""What the churn model sees of a customer: columns of ``gold/customer_features`` as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

NUMERIC_FEATURES = (
    "frequency",
    "recency",
    "T",
    "monetary_value",
    "days_since_last_purchase",
    "orders",
    "items",
    "refunds",
    "net_revenue",
    "refunded",
    "refund_rate",
    "average_order_value",
    "purchase_days_30d",
    "purchase_days_90d",
    "purchase_days_180d",
    "purchase_days_365d",
    "net_revenue_30d",
    "net_revenue_90d",
    "net_revenue_180d",
    "net_revenue_365d",
    "mean_days_between_purchases",
    "overdue_ratio",
    "distinct_categories",
    "distinct_channels",
)
"""Columns of ``gold/customer_features`` that are used as they are; nulls stay missing."""

CATEGORICAL_FEATURES = ("last_category", "last_channel")
"""Columns turned into yes/no columns of their most frequent values."""

FEATURES = (*NUMERIC_FEATURES, *CATEGORICAL_FEATURES)
"""All columns of ``gold/customer_features`` that the model reads."""

MONOTONE_FEATURES: dict[str, int] = {
    # The longer the silence, all else equal, the fewer of those who were silent so long come back:
    # nobody becomes likelier to return by not returning.
    "days_since_last_purchase": 1,
    # The same against the customer's own rhythm: three missed purchases are worse than one.
    "overdue_ratio": 1,
    # Days with a purchase lately are the best known sign of a living habit.
    "purchase_days_30d": -1,
    "purchase_days_90d": -1,
    "purchase_days_180d": -1,
    "purchase_days_365d": -1,
}
"""Features whose effect on churn has a known sign: 1 = more of it, more churn; -1 = less.

Trees may only follow that sign, so that chance in a thin corner of the data cannot tell marketing
that silence is good. Money, frequency over a lifetime, refunds and variety are left free: each can
go either way. Of two customers silent for as long, the one who bought more often is likelier gone
(the "increasing frequency paradox" of Fader, Hardie and Lee 2005, "RFM and CLV", Journal of
Marketing Research 42(4)).
"""

MOST_CATEGORIES = 12


def design_matrix(features: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The numbers XGBoost sees: numeric features, then a yes/no column for each known category.

    A category that training never saw is "no" everywhere, which is what "another one" is.
    """
    columns: dict[str, Any] = {
        name: features[name].to_numpy(dtype="float64", na_value=np.nan) for name in NUMERIC_FEATURES
    }
    for name, values in categories.items():
        for value in values:
            columns[column_name(name, value)] = (features[name] == value).to_numpy(
                dtype="float64", na_value=0.0
            )
    return pd.DataFrame(columns, index=features.index)


def column_name(name: str, value: str) -> str:
    """Name of the yes/no column of a category's value."""
    # XGBoost refuses [, ] and < in a feature's name.
    return f"{name}={value}".translate(str.maketrans("[]<", "()_"))


def frequent_categories(rows: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """The most frequent values of each categorical feature, ties in alphabetical order."""
    frequent: dict[str, tuple[str, ...]] = {}
    for name in CATEGORICAL_FEATURES:
        counts = rows[name].dropna().value_counts()
        ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
        # Two values may share a column name after cleaning; the first keeps it.
        by_column = {
            column_name(name, str(value)): str(value)
            for value, _ in reversed(ranked[:MOST_CATEGORIES])
        }
        frequent[name] = tuple(sorted(by_column.values()))
    return frequent
