"""silver/customer_history: every profile a customer had, and from when to when (SCD type 2).

A version lasts from the first instant its profile was true to the first instant a different one was
(``valid_from`` included, ``valid_to`` not). What is true at an instant is merged attribute by
attribute as in ``customers``: a blank says nothing, so what was known before stays. A customer's
versions are made anew from all that was ever delivered of them: a row that arrives late lies where
it would have been, had it come in time.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customer360.contracts.attributes import attributes_of
from customer360.table_names import HISTORY


def history(profiles: DataFrame) -> DataFrame:
    """All versions of every customer that ``profiles`` is about.

    Args:
        profiles: All that was said of these customers, as ``customers.prepared`` gives it: many a
            customer, any order, repeats allowed.

    Returns:
        The columns of ``silver/customer_history``. Consecutive equal profiles are one version;
        exactly one version a customer is current.
    """
    attributes = attributes_of(HISTORY)
    # Everything below works customer by customer, on this one shuffle.
    observed = profiles.select(
        "customer_key", *attributes, "updated_at", "_delivered_on", "_row_hash"
    ).repartition("customer_key")
    customer = Window.partitionBy("customer_key")
    in_time = customer.orderBy("updated_at")

    # A customer known by transactions only was first seen at the first of them; later ones say
    # nothing new.
    no_profile = F.col("_row_hash").isNull()
    first_seen = F.min(F.when(no_profile, F.col("updated_at"))).over(customer)
    at = F.when(no_profile, first_seen).otherwise(F.col("updated_at"))

    def stated(name: str) -> Column:
        if name == "marketing_consent":  # of a yes and a no of one instant, the no
            return F.min(name).alias(name)
        order = F.struct("_delivered_on", "_row_hash", name)
        return F.max_by(name, F.when(F.col(name).isNotNull(), order)).alias(name)

    moments = (
        observed.withColumn("updated_at", at)
        .groupBy("customer_key", "updated_at")
        .agg(*(stated(name) for name in attributes))
    )
    # What is blank is as it was.
    known = moments.select(
        "customer_key",
        F.col("updated_at").alias("valid_from"),
        *(F.last(name, ignorenulls=True).over(in_time).alias(name) for name in attributes),
    )
    in_versions = customer.orderBy("valid_from")
    profile = F.struct(*attributes)
    before = F.lag(profile).over(in_versions)
    # A version begins at the customer's first profile, or at one unlike the one before.
    begins = before.isNull() | ~profile.eqNullSafe(before)
    versions = known.withColumn("_begins", begins).where("_begins")
    valid_to = F.lead("valid_from").over(in_versions)
    return versions.withColumn("valid_to", valid_to).select(
        "customer_key",
        *attributes,
        "valid_from",
        "valid_to",
        F.col("valid_to").isNull().alias("is_current"),
    )


def as_profiles(versions: DataFrame) -> DataFrame:
    """Versions as the profiles that `history` would make them of: of rows that are kept no more.

    Args:
        versions: Rows of ``silver/customer_history``.

    Returns:
        The columns of a profile that `history` reads. What a row says of the same instant counts
        before them.
    """
    return versions.select(
        "customer_key",
        *attributes_of(HISTORY),
        F.col("valid_from").alias("updated_at"),
        F.lit("1970-01-01").cast("date").alias("_delivered_on"),
        F.lit(0).cast("bigint").alias("_row_hash"),
    )


def lasts_until(day: date) -> Column:
    """Whether a version was true at the beginning of ``day`` (UTC) or later."""
    ends = F.col("valid_to")
    return ends.isNull() | (ends >= F.lit(day).cast("timestamp"))
