"""Rows by way of a scratch folder."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.lakehouse.stream import materialised, ordered_batches


def test_the_order_holds_across_files_and_batches(spark: SparkSession, tmp_path: Path) -> None:
    # Twelve sorted partitions, as a large orderBy makes them: file 10 must not come before 2.
    frame = spark.range(120_000).repartitionByRange(12, "id").sortWithinPartitions("id")
    scratch = tmp_path / "rows"
    found = [
        value for batch in ordered_batches(frame, scratch) for value in batch["id"].to_pylist()
    ]
    assert len(list(scratch.glob("part-*.parquet"))) == 12
    assert found == list(range(120_000))


def test_what_is_materialised_is_not_computed_again(spark: SparkSession, tmp_path: Path) -> None:
    frame = materialised(spark.range(3).withColumn("drawn", F.rand()), tmp_path / "kept")
    assert frame.orderBy("id").collect() == frame.orderBy("id").collect()
