"""What the revenue model sees of a customer: the buying so far and the first order."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from customer360.models.churn.features import NUMERIC_FEATURES as BUYING_FEATURES

FIRST_ORDER_FEATURES = (
    "first_order_amount",
    "first_order_items",
    "first_installments",
    "first_freight",
    "first_freight_share",
    "first_delivered",
    "first_delivery_days",
    "first_review_score",
)
"""Numeric columns of ``gold/first_orders``."""

NUMERIC_FEATURES = (*BUYING_FEATURES, *FIRST_ORDER_FEATURES)
"""Numbers, of ``gold/customer_features`` (those of the churn model) and ``gold/first_orders``."""

CATEGORICAL_FEATURES = (
    "first_category",
    "first_channel",
    "first_payment_type",
    "state",
    "country",
    "last_category",
    "last_channel",
)
"""Texts of the two tables."""

FEATURES = (*NUMERIC_FEATURES, *CATEGORICAL_FEATURES)
"""All columns that the model reads, in order."""


def revenue_features(customer_features: DataFrame, first_orders: DataFrame) -> DataFrame:
    """The model's features of each customer and as-of date.

    Args:
        customer_features: ``gold/customer_features``.
        first_orders: ``gold/first_orders`` of the same dates.

    Returns:
        ``as_of``, ``customer_key`` and `FEATURES`; customers whom only one table knows are left
        out, but both know whoever has bought.
    """
    keys = ["as_of", "customer_key"]
    own = [name for name in FEATURES if name in first_orders.columns]
    bought = [name for name in FEATURES if name not in own]
    first = first_orders.select(*keys, *own)
    return customer_features.select(*keys, *bought).join(first, keys).select(*keys, *FEATURES)


def typed_features(frame: pd.DataFrame) -> pd.DataFrame:
    """`FEATURES` of ``frame`` as scikit-learn wants them: doubles, and texts with NaN for null."""
    columns = {
        name: frame[name].to_numpy(dtype="float64", na_value=np.nan) for name in NUMERIC_FEATURES
    } | {
        name: frame[name].astype(object).where(frame[name].notna(), np.nan)
        for name in CATEGORICAL_FEATURES
    }
    return pd.DataFrame(columns, index=frame.index)
