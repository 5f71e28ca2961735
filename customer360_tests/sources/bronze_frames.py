"""Bronze frames written out by hand, for tests of what sources make of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.contracts import Contract


def bronze(
    spark: SparkSession,
    contract: Contract,
    rows: Sequence[dict[str, str | None]],
    delivered_on: Sequence[date | None] | None = None,
) -> DataFrame:
    """``rows`` (columns left out are null) as the bronze table of ``contract``."""
    names = contract.column_names
    days = delivered_on or [None] * len(rows)
    texts = [(*(row.get(name) for name in names), day) for row, day in zip(rows, days, strict=True)]
    for row in rows:
        assert set(row) <= set(names), f"not a column of {contract.table}: {set(row) - set(names)}"
    schema = ", ".join(f"`{name}` string" for name in names) + ", _delivered_on date"
    return (
        spark.createDataFrame(texts, schema)
        .withColumn("_source_file", F.lit("file.csv"))
        .withColumn("_row_hash", F.xxhash64(*(F.col(f"`{name}`") for name in names)))
    )
