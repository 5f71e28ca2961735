"""CDNOW as the published papers cut it, and a made-up shop whose customers' fate is known."""

from __future__ import annotations

import importlib.util
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from customer360_tests.gold.frames import CUSTOMER_DAYS, bought

CALIBRATION_END = date(1997, 9, 30)
HOLDOUT_END = date(1998, 6, 30)


@cache
def cdnow_days() -> pd.DataFrame:
    """The CDNOW sample, one row a customer and day: columns id, on, dollars."""
    package = importlib.util.find_spec("lifetimes")
    assert package is not None
    assert package.origin is not None
    file = Path(package.origin).parent / "datasets" / "CDNOW_sample.txt"
    rows = pd.read_csv(file, sep=r"\s+", names=["master", "id", "on", "cds", "dollars"])
    rows["on"] = pd.to_datetime(rows["on"].astype(str)).dt.date
    return rows.groupby(["id", "on"])["dollars"].sum().reset_index()


@cache
def cdnow_calibration() -> pd.DataFrame:
    """One row a customer: frequency, recency, T (days), monetary_value, and holdout purchases."""
    days = cdnow_days()
    seen = days[days["on"] <= CALIBRATION_END]
    first = seen.groupby("id")["on"].min()
    last = seen.groupby("id")["on"].max()
    repeats = seen[seen["on"] > seen["id"].map(first)]
    frame = pd.DataFrame(
        {
            "frequency": seen.groupby("id").size() - 1,
            "recency": [(b - a).days for a, b in zip(first, last, strict=True)],
            "T": [(CALIBRATION_END - a).days for a in first],
        }
    )
    frame["monetary_value"] = repeats.groupby("id")["dollars"].mean().reindex(frame.index)
    frame["monetary_value"] = frame["monetary_value"].fillna(0.0)
    later = days[days["on"] > CALIBRATION_END].groupby("id").size()
    frame["holdout"] = later.reindex(frame.index).fillna(0).astype(int)
    return frame


def cdnow_customer_days(spark: SparkSession) -> DataFrame:
    """The CDNOW sample as silver/customer_days."""
    days = cdnow_days()
    rows = [
        bought(str(customer), on, str(Decimal(str(dollars)).quantize(Decimal("0.01"))))
        for customer, on, dollars in zip(days["id"], days["on"], days["dollars"], strict=True)
    ]
    return spark.createDataFrame(rows, CUSTOMER_DAYS)


SHOP_START, SHOP_END = date(2024, 1, 1), date(2025, 6, 30)


@cache
def shop_rows(customers: int = 900, seed: int = 7) -> tuple[tuple[object, ...], ...]:
    """Regulars who buy every 20 days until some leave for good, and rare buyers (every 90 days).

    Who left is visible in their rhythm: three missed purchases. A model can beat the rule that
    looks at silence alone, because the same silence means nothing for a rare buyer.
    """
    random = np.random.default_rng(seed)
    length = (SHOP_END - SHOP_START).days
    rows = []
    for customer in range(customers):
        regular = customer % 2 == 0
        rhythm = 20 if regular else 90
        day = float(random.uniform(0, 120))
        leaves = float(random.uniform(150, 1.6 * length)) if regular else np.inf
        while day <= length and day < leaves:
            rows.append(
                bought(
                    f"c{customer}",
                    SHOP_START + timedelta(days=int(day)),
                    str(round(float(random.gamma(4, 10)), 2)),
                    channel="web" if regular else "store",
                )
            )
            day += float(random.gamma(8, rhythm / 8)) + 1
    return tuple(rows)


def shop(spark: SparkSession) -> DataFrame:
    """The made-up shop as silver/customer_days."""
    return spark.createDataFrame(list(shop_rows()), CUSTOMER_DAYS)
