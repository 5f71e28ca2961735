"""Tables as no step of ours would write them: with rows that break the contract, or few columns."""

from __future__ import annotations

from pyspark.sql import DataFrame

from customer360.lakehouse.tables import Lakehouse


def put(lakehouse: Lakehouse, table: str, frame: DataFrame, *, note: str | None = None) -> None:
    """Make ``frame`` the whole of ``table``, whatever its contract says."""
    writer = frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    if note is not None:
        writer = writer.option("userMetadata", note)
    writer.save(lakehouse.path(table))
