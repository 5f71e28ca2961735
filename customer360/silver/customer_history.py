"""silver/customer_history: every profile a customer had, and from when to when (SCD type 2).

A version lasts from the first instant its profile was observed to the first instant a different
one was (``valid_from`` included, ``valid_to`` not). Each version keeps the observations it was
made of: with them, a profile row that arrives late and lies inside a version splits it exactly
where it would have been, had it come in time. So the table depends on what was delivered, never
on the order of deliveries.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

PROFILE = ("city", "state", "country", "loyalty_tier", "marketing_consent")
COLUMNS = (
    "customer_key",
    *PROFILE,
    "valid_from",
    "valid_to",
    "is_current",
    "observations",
)


def history(changes: DataFrame, existing: DataFrame | None = None) -> DataFrame:
    """All versions of every customer that ``changes`` is about, made anew.

    Of two profiles observed at the same instant the one delivered last counts, then the one of
    ``changes`` (its day was delivered again), then the greater row hash, as in ``customers``.

    Args:
        changes: Profile rows as ``customers.prepared`` gives them: many a customer, any order,
            repeats allowed.
        existing: ``silver/customer_history`` so far, None when there is none. Other customers'
            rows are ignored.

    Returns:
        The columns of ``silver/customer_history``. Consecutive equal profiles are one version;
        exactly one version a customer is current. ``observations`` is an array of
        (``updated_at``, ``delivered_on``, ``row_hash``) in order of time.
    """
    profile = F.struct(*PROFILE).alias("profile")
    observed = changes.select(
        "customer_key",
        profile,
        "updated_at",
        F.col("_delivered_on").alias("delivered_on"),
        F.col("_row_hash").alias("row_hash"),
        F.lit(True).alias("redelivered"),
    )
    if existing is not None:
        touched = changes.select("customer_key").distinct()
        earlier = (
            existing.join(touched, "customer_key", "left_semi")
            .select("customer_key", profile, F.explode("observations").alias("o"))
            .select("customer_key", "profile", "o.updated_at", "o.delivered_on", "o.row_hash")
        )
        observed = observed.unionByName(earlier.withColumn("redelivered", F.lit(False)))

    # Everything below works customer by customer, on this one shuffle.
    observed = observed.repartition("customer_key")
    customer = Window.partitionBy("customer_key")
    in_time = customer.orderBy("updated_at")

    # A customer known by transactions only was first seen at the first of them; later ones say
    # nothing new and would make the observations depend on how days were batched.
    no_profile = F.col("row_hash").isNull()
    first_seen = F.min(F.when(no_profile, F.col("updated_at"))).over(customer)
    at = F.when(no_profile, first_seen).otherwise(F.col("updated_at"))
    moments = (
        observed.withColumn("updated_at", at)
        .groupBy("customer_key", "updated_at")
        .agg(
            F.max_by(
                F.struct("profile", "delivered_on", "row_hash"),
                # The profile itself last: two rows alike in all else must not make it a lottery.
                F.struct("delivered_on", "redelivered", "row_hash", "profile"),
            ).alias("o")
        )
        .select("customer_key", "updated_at", "o.profile", "o.delivered_on", "o.row_hash")
    )
    before = F.lag("profile").over(in_time)
    # A version begins at the customer's first profile, or at one unlike the one before.
    changed = before.isNull() | ~F.col("profile").eqNullSafe(before)
    versions = (
        moments.withColumn("_changed", changed)
        .withColumn("_version", F.sum(F.col("_changed").cast("int")).over(in_time))
        .groupBy("customer_key", "_version")
        .agg(
            F.first("profile").alias("profile"),
            F.min("updated_at").alias("valid_from"),
            F.array_sort(F.collect_list(F.struct("updated_at", "delivered_on", "row_hash"))).alias(
                "observations"
            ),
        )
        .withColumn("valid_to", F.lead("valid_from").over(customer.orderBy("valid_from")))
    )
    return versions.select(
        "customer_key",
        *(F.col(f"profile.{name}").alias(name) for name in PROFILE),
        "valid_from",
        "valid_to",
        F.col("valid_to").isNull().alias("is_current"),
        "observations",
    )
