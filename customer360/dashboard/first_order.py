"""A customer who has ordered once, as the revenue model sees it: for trying the model out.

The features are those that `customer360.gold.customer_features` and
`customer360.gold.first_orders` make of such a customer; no Spark is needed for one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from customer360.models.reasons import Reason, reasons_in
from customer360.models.revenue.features import CATEGORICAL_FEATURES, FEATURES
from customer360.models.revenue.fitting import UNKNOWN
from customer360.models.revenue.model import RevenueModel, RevenueModelError
from customer360.models.revenue.scoring import predictions

WINDOWS = (30, 90, 180, 365)


@dataclass(frozen=True)
class FirstOrder:
    """A customer's first and only order so far.

    Attributes:
        amount: What was sold, in the model's currency, freight included.
        days_ago: Days from the order to the day of the prediction.
        items: Pieces; None when not known, as all below.
        freight: Shipping charged, a part of the amount.
        installments: Payments it was split into.
        delivery_days: Days until it was delivered; None when it has not been.
        review_score: The customer's review, 1 to 5.
        category: Of the goods.
        channel: Over which it was sold.
        payment_type: How it was paid.
        state: Where the customer lives.
        country: Country of the customer; None where it is not known.
    """

    amount: float
    days_ago: int = 0
    items: int | None = None
    freight: float | None = None
    installments: int | None = None
    delivery_days: int | None = None
    review_score: int | None = None
    category: str | None = None
    channel: str | None = None
    payment_type: str | None = None
    state: str | None = None
    country: str | None = None

    def features(self) -> pd.DataFrame:
        """One row with `FEATURES`."""
        delivered = self.delivery_days is not None and self.delivery_days <= self.days_ago
        values: dict[str, object] = {
            "frequency": 0,
            "recency": 0,
            "T": self.days_ago,
            "monetary_value": 0.0,
            "days_since_last_purchase": self.days_ago,
            "orders": 1,
            "items": self.items or 0,
            "refunds": 0,
            "net_revenue": self.amount,
            "refunded": 0.0,
            "refund_rate": 0.0,
            "average_order_value": self.amount,
            "mean_days_between_purchases": np.nan,
            "overdue_ratio": np.nan,
            "distinct_categories": int(self.category is not None),
            "distinct_channels": int(self.channel is not None),
            "first_order_amount": self.amount,
            "first_order_items": self.items,
            "first_installments": self.installments,
            "first_freight": self.freight,
            "first_freight_share": (
                None if self.freight is None or not self.amount else self.freight / self.amount
            ),
            "first_delivered": delivered,
            "first_delivery_days": self.delivery_days if delivered else None,
            "first_review_score": self.review_score,
            "first_category": self.category,
            "first_channel": self.channel,
            "first_payment_type": self.payment_type,
            "last_category": self.category,
            "last_channel": self.channel,
            "state": self.state,
            "country": self.country,
        }
        for days in WINDOWS:
            inside = self.days_ago < days
            values[f"purchase_days_{days}d"] = int(inside)
            values[f"net_revenue_{days}d"] = self.amount if inside else 0.0
        row = pd.DataFrame([{name: values[name] for name in FEATURES}])
        return row.astype(dict.fromkeys(CATEGORICAL_FEATURES, object))


@dataclass(frozen=True)
class Answer:
    """What the revenue model says.

    Attributes:
        expected_revenue: Net revenue of the ``horizon_days`` ahead, in currency.
        purchase_probability: Of at least one more purchase in them.
        reasons: Why it is more or less than of the average customer.
        average_revenue: Mean revenue of the customers it has learnt from.
        horizon_days: Days ahead.
    """

    expected_revenue: float
    purchase_probability: float
    reasons: tuple[Reason, ...]
    average_revenue: float
    horizon_days: int


def answer(model: RevenueModel, order: FirstOrder) -> Answer:
    """What ``model`` expects of a customer who has ordered once.

    Raises:
        RevenueModelError: The model was trained on other features, or has learnt nothing.
    """
    if model.kind == "none":
        raise RevenueModelError(
            "the revenue model has learnt nothing yet: train it on more history"
        )
    prediction = predictions(order.features(), model).iloc[0].to_dict()
    return Answer(
        float(prediction["expected_revenue"]),
        float(prediction["purchase_probability"]),
        reasons_in(prediction),
        model.mean_revenue,
        model.horizon_days,
    )


def known_values(model: RevenueModel) -> dict[str, tuple[str, ...]]:
    """Values of each categorical feature that the model has met; none where it reads none."""
    # The parts of a blend have learnt from the same rows, and so know the same values.
    pipelines = [each.amount for each in (model, *(part for _, part in model.parts))]
    learnt = next((pipeline for pipeline in pipelines if pipeline is not None), None)
    if learnt is None:
        return dict.fromkeys(CATEGORICAL_FEATURES, ())
    encoder = learnt[0].named_transformers_["categories"][-1]
    return {
        name: tuple(sorted(str(value) for value in values if value not in (None, UNKNOWN)))
        for name, values in zip(CATEGORICAL_FEATURES, encoder.categories_, strict=True)
    }


def load(pickle: Path, secret: bytes | None) -> RevenueModel | None:
    """The deployment's revenue model; None when none has been trained.

    Args:
        pickle: Where it is.
        secret: Behind its seal, see `RevenueModel.load`.

    Raises:
        RevenueModelError: The deployment did not write it, or with other versions of its libraries.
    """
    return RevenueModel.load(pickle, secret) if pickle.exists() else None
