"""Customers made directly as feature rows, whose revenue is a known function of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from customer360.models.revenue.features import FEATURES
from customer360.models.windows import AsOfGrid
from customer360_tests.models import churn_rows

HORIZON_DAYS = 91
AS_OF = date(2025, 6, 30)
GRID = AsOfGrid(
    (AS_OF - timedelta(days=273), AS_OF - timedelta(days=303)),
    AS_OF - timedelta(days=182),
    AS_OF - timedelta(days=91),
)


def customers(count: int, seed: int = 0) -> pd.DataFrame:
    """The features of revenue models: the buying of `churn_rows`, and a first order."""
    random = np.random.default_rng(seed + 7)
    rows = churn_rows.customers(count, seed)
    amount = np.round(random.gamma(2, 30, count), 2)
    freight = np.round(random.uniform(0, 0.4, count) * amount, 2)
    delivered = random.random(count) < 0.7
    reviewed = delivered & (random.random(count) < 0.5)
    first: dict[str, Any] = {
        "first_order_amount": amount,
        "first_order_items": random.integers(1, 6, count).astype(float),
        "first_installments": random.choice([1.0, 2.0, 6.0, np.nan], count),
        "first_freight": freight,
        "first_freight_share": freight / np.maximum(amount, 0.01),
        "first_delivered": delivered.astype(float),
        "first_delivery_days": np.where(delivered, random.integers(2, 30, count), np.nan),
        "first_review_score": np.where(reviewed, random.integers(1, 6, count), np.nan),
        "first_category": random.choice(np.array(["Books", "Games", "Garden"]), count),
        "first_channel": random.choice(np.array(["store", "web"]), count),
        "first_payment_type": random.choice(np.array(["card", "boleto"]), count),
        "state": random.choice(np.array(["SP", "RJ", "MG", None]), count),
        "country": "BR",
    }
    return rows.assign(**first)[list(FEATURES)]


def chance(rows: pd.DataFrame) -> np.ndarray:
    """Probability of a purchase, the truth: silence lowers it, Games raises it."""
    logit = (
        0.3 - 0.02 * rows["days_since_last_purchase"] + 1.2 * (rows["first_category"] == "Games")
    )
    return np.asarray(1 / (1 + np.exp(-logit)))


def expected(rows: pd.DataFrame) -> np.ndarray:
    """Expected revenue, the truth: a buyer spends three times the first order."""
    return chance(rows) * 3 * rows["first_order_amount"].to_numpy()


def labelled(count: int, seed: int = 0) -> pd.DataFrame:
    """`customers` with ``bought`` and ``revenue`` drawn by the truth."""
    rows = customers(count, seed)
    random = np.random.default_rng(seed + 1_000)
    bought = random.random(count) < chance(rows)
    spent = random.gamma(4, 1 / 4, count) * 3 * rows["first_order_amount"].to_numpy()
    return rows.assign(bought=bought.astype(int), revenue=np.where(bought, spent, 0.0))


def dated(count: int, seed: int = 0) -> pd.DataFrame:
    """`labelled` rows for every date of `GRID`, ``count`` on each."""
    return pd.concat(
        [labelled(count, seed + n).assign(as_of=day) for n, day in enumerate(GRID.dates)],
        ignore_index=True,
    )
