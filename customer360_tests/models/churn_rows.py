"""Customers made directly as feature rows, whose chance to churn is a known function of them."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from customer360.models.windows import AsOfGrid, ChurnWindows

WINDOWS = ChurnWindows(91, 182, 1_000, 5_000, (20.0, 45.0, 90.0), "settings")
AS_OF = date(2025, 6, 30)
GRID = AsOfGrid(
    (AS_OF - timedelta(days=273), AS_OF - timedelta(days=303)),
    AS_OF - timedelta(days=182),
    AS_OF - timedelta(days=91),
)


def customers(count: int, seed: int = 0) -> pd.DataFrame:
    """Active customers with the columns of gold/customer_features, consistent within a row."""
    random = np.random.default_rng(seed)
    silence = random.integers(0, WINDOWS.activity_days, count)
    recency = np.where(random.random(count) < 0.25, 0, random.integers(1, 800, count))
    gap = np.maximum(random.gamma(4, 12, count), 2)
    frequency = np.where(recency > 0, np.maximum((recency / gap).astype(int), 1), 0)
    gap = np.where(frequency > 0, recency / np.maximum(frequency, 1), np.nan)
    days = {365: 1 + random.binomial(frequency, np.minimum(365 / (recency + 1), 1))}
    for shorter, longer in ((180, 365), (90, 180), (30, 90)):
        within = silence < shorter
        further = random.binomial(np.maximum(days[longer] - 1, 0), 0.5)
        days[shorter] = np.where(within, 1 + further, 0)
    amount = np.round(random.gamma(4, 10, count), 2)
    sold = amount * (frequency + 1)
    refunds = random.binomial(1, 0.1, count)
    rows = pd.DataFrame(
        {
            "frequency": frequency,
            "recency": recency,
            "T": recency + silence,
            "monetary_value": np.where(frequency > 0, amount, 0.0),
            "days_since_last_purchase": silence,
            "orders": frequency + 1,
            "items": (frequency + 1) * 2,
            "refunds": refunds,
            "net_revenue": sold - refunds * amount * 0.5,
            "refunded": refunds * amount * 0.5,
            "refund_rate": refunds * amount * 0.5 / sold,
            "average_order_value": amount,
            **{f"purchase_days_{n}d": days[n] for n in (30, 90, 180, 365)},
            **{f"net_revenue_{n}d": days[n] * amount for n in (30, 90, 180, 365)},
            "mean_days_between_purchases": gap,
            "overdue_ratio": silence / gap,
            "distinct_categories": random.integers(1, 5, count),
            "distinct_channels": random.integers(1, 3, count),
            "last_category": random.choice(np.array(["Books", "Games", "Garden"]), count),
            "last_channel": random.choice(np.array(["store", "web"]), count),
        }
    )
    number = rows.columns.difference(["last_category", "last_channel"])
    return rows.astype(dict.fromkeys(number, "float64"))


def churn_probability(rows: pd.DataFrame) -> np.ndarray:
    """The truth: silence, lateness and a web habit drive customers away, recent days keep them."""
    late = np.tanh(rows["overdue_ratio"].fillna(1.0) - 1.0)
    logit = 0.012 * (rows["days_since_last_purchase"] - 40) + 0.9 * late
    logit += -0.25 * rows["purchase_days_90d"].clip(upper=6)
    logit += np.where(rows["last_channel"] == "web", 0.4, -0.2)
    return np.asarray(1 / (1 + np.exp(-logit)))


def labelled(count: int, seed: int = 0) -> pd.DataFrame:
    """`customers` with ``churned`` drawn by the truth."""
    rows = customers(count, seed)
    drawn = np.random.default_rng(seed + 1_000).random(count)
    return rows.assign(churned=(drawn < churn_probability(rows)).astype(int))


def dated(count: int, seed: int = 0) -> pd.DataFrame:
    """`labelled` rows for every date of `GRID`, ``count`` on each."""
    return pd.concat(
        [labelled(count, seed + n).assign(as_of=day) for n, day in enumerate(GRID.dates)],
        ignore_index=True,
    )
