"""From history to labelled rows: what was known of a customer on a day, and what came after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
from pyspark.sql import DataFrame

from customer360.gold.customer_features import customer_features
from customer360.gold.first_orders import first_orders
from customer360.gold.rare_values import SMALLEST_GROUP
from customer360.models import sampling
from customer360.models.outcomes import outcomes
from customer360.models.revenue.features import (
    CATEGORICAL_FEATURES,
    NUMERIC_FEATURES,
    revenue_features,
)
from customer360.models.windows import AsOfGrid

LABELS = ("revenue", "bought")


@dataclass(frozen=True)
class BuyingHistory:
    """What the rows are made of.

    Attributes:
        customer_days: ``silver/customer_days``.
        transactions: ``silver/transactions``.
        customer_history: ``silver/customer_history``.
        time_zone: Where the business's days begin and end.
    """

    customer_days: DataFrame
    transactions: DataFrame
    customer_history: DataFrame
    time_zone: str = "UTC"


def labelled_rows(history: BuyingHistory, as_of: Sequence[date], horizon_days: int) -> DataFrame:
    """Features of everybody who had bought by each as-of date, with ``revenue`` and ``bought``.

    Args:
        history: What everybody did.
        as_of: As-of dates whose horizon has fully passed.
        horizon_days: Days ahead.
    """
    features = revenue_features(
        customer_features(history.customer_days, as_of),
        first_orders(
            history.transactions, history.customer_history, as_of, time_zone=history.time_zone
        ),
    )
    came = outcomes(history.customer_days, as_of, horizon_days)
    return features.join(came, ["as_of", "customer_key"], "left").fillna(
        {"revenue": 0.0, "bought": 0}
    )


def sampled_rows(
    rows: DataFrame, grid: AsOfGrid, max_rows: int, smallest_group: int = SMALLEST_GROUP
) -> tuple[pd.DataFrame, dict[date, int]]:
    """A bounded sample for the driver, with how many rows each date has: see `models.sampling`."""
    return sampling.sampled_rows(
        rows,
        grid,
        max_rows,
        numbers=NUMERIC_FEATURES,
        texts=CATEGORICAL_FEATURES,
        labels=LABELS,
        smallest_group=smallest_group,
    )
