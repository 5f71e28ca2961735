"""Customers that nobody is, as input examples of models.

MLflow keeps an input example beside a model, and whoever may see the model may read it. A row of
the training would be somebody's, and stay there when that person is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

_BOUGHT_ONCE: dict[str, Any] = {
    "frequency": 0,
    "recency": 0,
    "T": 100,
    "monetary_value": 0,
    "days_since_last_purchase": 100,
    "orders": 1,
    "items": 1,
    "refunds": 0,
    "net_revenue": 50,
    "refunded": 0,
    "refund_rate": 0,
    "average_order_value": 50,
    "purchase_days_30d": 0,
    "purchase_days_90d": 0,
    "purchase_days_180d": 1,
    "purchase_days_365d": 1,
    "net_revenue_30d": 0,
    "net_revenue_90d": 0,
    "net_revenue_180d": 50,
    "net_revenue_365d": 50,
    "mean_days_between_purchases": float("nan"),
    "overdue_ratio": float("nan"),
    "distinct_categories": 1,
    "distinct_channels": 1,
    "first_order_amount": 50,
    "first_order_items": 1,
    "first_installments": 1,
    "first_freight": 5,
    "first_freight_share": 0.1,
    "first_delivered": 1,
    "first_delivery_days": 5,
    "first_review_score": 3,
    "first_category": "other",
    "first_channel": "other",
    "first_payment_type": "other",
    "last_category": "other",
    "last_channel": "other",
    "state": "other",
    "country": "other",
}

_COMES_BACK: dict[str, Any] = _BOUGHT_ONCE | {
    "frequency": 4,
    "recency": 80,
    "monetary_value": 40,
    "days_since_last_purchase": 20,
    "orders": 5,
    "items": 10,
    "net_revenue": 200,
    "average_order_value": 40,
    "purchase_days_30d": 1,
    "purchase_days_90d": 4,
    "purchase_days_180d": 5,
    "purchase_days_365d": 5,
    "net_revenue_30d": 40,
    "net_revenue_90d": 160,
    "net_revenue_180d": 200,
    "net_revenue_365d": 200,
    "mean_days_between_purchases": 20,
    "overdue_ratio": 1,
    "distinct_categories": 2,
    "first_order_amount": 40,
    "first_freight": 4,
    "first_review_score": 5,
}


def made_up_customers(features: Sequence[str]) -> pd.DataFrame:
    """Two rows of ``features``: one who bought once, and one who comes back; amounts are currency.

    Args:
        features: Columns of ``gold/customer_features`` and ``gold/first_orders``.

    Raises:
        KeyError: A feature has no made-up value here yet.
    """
    customers = (_BOUGHT_ONCE, _COMES_BACK)
    columns = {name: [customer[name] for customer in customers] for name in features}
    texts = {name for name, values in columns.items() if isinstance(values[0], str)}
    kinds = {name: "object" if name in texts else "float64" for name in features}
    return pd.DataFrame(columns).astype(kinds)
