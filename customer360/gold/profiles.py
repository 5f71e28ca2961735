"""A customer's profile as of a day, from ``silver/customer_history``."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def with_profile(
    rows: DataFrame,
    customer_history: DataFrame,
    profile: Sequence[str],
    *,
    time_zone: str = "UTC",
    earliest_counts_from_ever: bool = False,
) -> DataFrame:
    """``rows`` with the profile that was valid at the end of their as-of day.

    Args:
        rows: With ``as_of`` and ``customer_key``.
        customer_history: ``silver/customer_history``; versions must not overlap.
        profile: Columns of it to add; null where no version was valid.
        time_zone: Where the business's days begin and end.
        earliest_counts_from_ever: Before the first version the customer had its profile too: for
            people to read. Models must not learn from it, since on that day nobody knew it.
    """
    begins = F.col("valid_from")
    if earliest_counts_from_ever:
        earliest = F.min("valid_from").over(Window.partitionBy("customer_key"))
        begins = F.when(begins > earliest, begins)
    versions = customer_history.select(
        F.col("customer_key").alias("_version_of"),
        *profile,
        begins.alias("_from"),  # null: since ever
        F.col("valid_to").alias("_to"),
    )
    # Midnight after the day, as an instant: the first moment that no longer belongs to it.
    day_after = F.date_add("as_of", 1).cast("timestamp")
    with_end = rows.withColumn("_end", F.to_utc_timestamp(day_after, time_zone))
    valid = (F.col("_from").isNull() | (F.col("_from") < F.col("_end"))) & (
        F.col("_to").isNull() | (F.col("_to") >= F.col("_end"))
    )
    matched = with_end.join(
        versions, (F.col("customer_key") == F.col("_version_of")) & valid, "left"
    )
    return matched.drop("_version_of", "_from", "_to", "_end")
