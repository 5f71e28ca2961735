"""Small frames of silver tables, and gold read back as plain rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

CUSTOMER_DAYS = (
    "customer_key string, business_date date, orders int, refunds int, items int, "
    "gross_revenue decimal(18,2), refunded decimal(18,2), net_revenue decimal(18,2), "
    "channel string, category string, review_score double"
)


def day(text: str) -> date:
    return date.fromisoformat(text)


def bought(
    customer: str,
    on: str | date,
    amount: str | int,
    *,
    refunded: str | int = 0,
    orders: int = 1,
    items: int = 1,
    channel: str | None = "web",
    category: str | None = "Books",
    review: float | None = None,
) -> tuple[Any, ...]:
    """A day with sales of ``amount``, of which ``refunded`` came back the same day."""
    sold, back = Decimal(amount), Decimal(refunded)
    when = day(on) if isinstance(on, str) else on
    given_back = int(back > 0)
    return (
        *(customer, when, orders, given_back, items, sold, back, sold - back),
        *(channel, category, review),
    )


def returned(customer: str, on: str | date, amount: str | int) -> tuple[Any, ...]:
    """A day of nothing but a refund."""
    return bought(customer, on, 0, refunded=amount, orders=0, items=0, channel=None, category=None)


def table(spark: SparkSession, schema: str, rows: Iterable[tuple[Any, ...]]) -> DataFrame:
    """Rows by way of Arrow: they live in the JVM, where a list would need a Python worker a job."""
    types = to_arrow_schema(cast(StructType, StructType.fromDDL(schema)))
    named = [dict(zip(types.names, row, strict=True)) for row in rows]
    return spark.createDataFrame(pa.Table.from_pylist(named, schema=types))


def customer_days(spark: SparkSession, rows: Iterable[tuple[Any, ...]]) -> DataFrame:
    return table(spark, CUSTOMER_DAYS, rows)


def rows_of(frame: DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """All rows in order of all columns, as tuples of ``columns`` (all by default)."""
    chosen = frame.select(*columns) if columns else frame
    return sorted((tuple(row) for row in chosen.collect()), key=str)


def timestamps(frame: DataFrame, *columns: str) -> DataFrame:
    """Text columns as UTC timestamps."""
    return frame.withColumns({name: F.col(name).cast("timestamp") for name in columns})
