"""Small staged frames written as text, and rows read back as text: no local time zone in either."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from customer360.silver import transactions as silver
from customer360.sources.staged import CUSTOMER_COLUMNS

SECRET = b"a secret of the tests"

TRANSACTION = {
    "order_id": ("string", "o1"),
    "line_key": ("string", ""),
    "source_customer_id": ("string", "c1"),
    "kind": ("string", "sale"),
    "occurred_at": ("timestamp", "2024-03-01 10:00:00"),
    "amount": ("decimal(18,2)", "10.00"),
    "currency": ("string", "EUR"),
    "items": ("int", "1"),
    "channel": ("string", "web"),
    "payment_type": ("string", "card"),
    "installments": ("int", None),
    "freight": ("decimal(18,2)", None),
    "category": ("string", "Books"),
    "product_id": ("string", None),
    "related_order_id": ("string", None),
    "delivered_on": ("date", None),
    "review_score": ("int", None),
    "reviewed_on": ("date", None),
    "changed_at": ("timestamp", None),
    "excluded_because": ("string", None),
    "_delivered_on": ("date", "2024-03-01"),
    "_row_hash": ("bigint", "1"),
}
_CUSTOMER_DEFAULTS = {
    "source_customer_id": "c1",
    "updated_at": "2024-03-01 00:00:00",
    "_delivered_on": "2024-03-01",
    "_row_hash": "1",
}
CUSTOMER = {name: (kind, _CUSTOMER_DEFAULTS.get(name)) for name, kind in CUSTOMER_COLUMNS.items()}


def frame(
    spark: SparkSession, columns: dict[str, tuple[str, str | None]], *rows: Mapping[str, str | None]
) -> DataFrame:
    """Rows of ``columns``; what a row does not state has the column's default.

    By way of Arrow: they live in the JVM, where a list would need a Python worker a job.
    """
    values = [
        {name: row.get(name, default) for name, (_, default) in columns.items()} for row in rows
    ]
    unknown = {name for row in rows for name in row} - set(columns)
    assert not unknown, f"no such columns: {unknown}"
    schema = pa.schema([(name, pa.string()) for name in columns])
    texts = spark.createDataFrame(pa.Table.from_pylist(values, schema=schema))
    return texts.select(*(F.col(n).cast(kind).alias(n) for n, (kind, _) in columns.items()))


def transactions(spark: SparkSession, *rows: Mapping[str, str | None]) -> DataFrame:
    return frame(spark, TRANSACTION, *rows)


def customers(spark: SparkSession, *rows: Mapping[str, str | None]) -> DataFrame:
    return frame(spark, CUSTOMER, *rows)


def deduplicated(
    rows: DataFrame, *, observation: Observation | None = None, **choices: Any
) -> DataFrame:
    """Each order, line or refund of prepared rows once, as a run keeps them."""
    settled = silver.settled(rows, **choices)
    if observation is not None:
        settled = settled.observe(observation, *silver.settled_counts())
    return silver.kept(settled)


def shown(rows: DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """The rows in order, every value as Spark prints it."""
    texts = rows.select(*(F.col(name).cast("string") for name in columns or rows.columns))
    return sorted((tuple(r) for r in texts.collect()), key=lambda r: [str(v) for v in r])


def exchanges(rows: DataFrame) -> int:
    """How many times the plan moves all rows between tasks (broadcasts are not counted)."""
    with redirect_stdout(StringIO()) as plan:
        rows.explain()
    return len(re.findall(r"\bExchange ", plan.getvalue()))
