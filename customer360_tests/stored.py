"""Tables as no step of ours would write them: with rows that break the contract, or few columns."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame

from customer360.lakehouse.tables import Lakehouse


def put(
    lakehouse: Lakehouse,
    table: str,
    frame: DataFrame,
    *,
    partition_by: Sequence[str] = (),
    note: str | None = None,
) -> None:
    """Make ``frame`` the whole of ``table``, whatever its contract says."""
    writer = frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    writer = writer.partitionBy(*partition_by)
    if note is not None:
        writer = writer.option("userMetadata", note)
    writer.save(lakehouse.path(table))
