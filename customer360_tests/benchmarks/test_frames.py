"""What pandas and Polars are measured on is what the pipeline makes: every column, exactly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from benchmarks.frames import READ, pandas_features, polars_features
from customer360.contracts import Contract
from customer360.gold.customer_features import customer_features
from customer360_tests.gold.frames import bought, customer_days, day, returned

AS_OF = day("2024-06-30")

HISTORY = [
    # Several orders, a refund the same day, one later, a last day without a category.
    bought("ana", "2023-05-01", "100.10", items=2, channel="shop"),
    bought("ana", "2024-02-09", "60.30", refunded="10.20", orders=2, items=3, category="Toys"),
    returned("ana", "2024-03-01", "20.07"),
    bought("ana", "2024-06-30", 40, channel=None, category=None),
    # Days on the edges of every window, out of order.
    *(
        bought("ben", AS_OF - timedelta(days=n), f"{n + 1}.99", category=f"c{n % 4}")
        for n in (365, 29, 30, 89, 0, 90, 179, 180, 364)
    ),
    bought("free", "2024-06-05", 0, channel=None, category=None),
    # No purchases: all came back, a refund only, not yet.
    bought("back", "2024-06-01", 30, refunded=30),
    returned("refund", "2024-06-01", 30),
    bought("later", "2024-07-01", 7),
    # What is not a purchase has no say in what was bought first or last.
    bought("cy", "2024-01-01", 9, refunded=9, channel="first", category="first"),
    bought("cy", "2024-02-01", "5.55"),
    bought("cy", "2024-02-04", "7.15", channel="shop"),
    bought("cy", "2024-03-01", 9, refunded=10, channel="last", category="last"),
    bought("cy", "2024-07-01", 100, channel="later", category="later"),
]


def by_pandas(days: pa.Table, as_of: date) -> pa.Table:
    return pa.Table.from_pandas(pandas_features(days.to_pandas(types_mapper=pd.ArrowDtype), as_of))


def by_polars(days: pa.Table, as_of: date) -> pa.Table:
    frame = pl.from_arrow(days)
    assert isinstance(frame, pl.DataFrame)
    return polars_features(frame.lazy(), as_of).collect().to_arrow()


@pytest.mark.parametrize("features", [by_pandas, by_polars])
def test_the_features_are_the_pipeline_s(
    spark: SparkSession, features: Callable[[pa.Table, date], pa.Table]
) -> None:
    days = customer_days(spark, HISTORY)
    expected = customer_features(days, [AS_OF]).orderBy("customer_key").collect()
    found = features(days.toArrow().select(READ), AS_OF).sort_by("customer_key")
    assert tuple(found.column_names) == Contract.load("gold/customer_features").column_names
    rows: list[dict[str, Any]] = found.to_pylist()
    assert rows == [row.asDict() for row in expected]
    assert [row["customer_key"] for row in rows] == ["ana", "ben", "cy", "free"]
