"""gold/rfm_segments: recency, frequency and monetary scores, and the segment they make.

**Scores.** Each of days since the last purchase, purchase days and net revenue is ranked among
all customers of the same as-of date, best last. A customer's rank is the middle of those who
share the value: (customers with a lower value + half of those with the same) / all customers.
The score is the fifth of 0...1 that this rank falls in, 1 to 5. So equal values always have equal
scores, distinct values come in equal fifths, a single customer or customers all alike score 3,
and neither the order of rows nor the customers' keys play a part. One exception: a customer with
one purchase day has frequency score 1 however many such customers there are (often more than
half, whose middle would be 2 or 3): who came once is not frequent.

**Segments.** The names, and segments by recency against the mean of the frequency and the monetary
score, are Putler's ("RFM analysis for successful customer segmentation"), whose ranges overlap. The
5 x 5 grid in common use settles the overlaps, with ten of the eleven names; its "Hibernating"
corner is split by recency so that Lost has a place. A mean of two scores that falls between two
columns goes away from the middle (1.5 is 1, 4.5 is 5), which treats both ends alike.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.gold.snapshots import Inputs
from customer360.table_names import FEATURES, RFM

CHAMPIONS = "champions"
LOYAL = "loyal_customers"
POTENTIAL = "potential_loyalists"
NEW = "new_customers"
PROMISING = "promising"
ATTENTION = "need_attention"
SLEEPY = "about_to_sleep"
AT_RISK = "at_risk"
CANT_LOSE = "cant_lose_them"
HIBERNATING = "hibernating"
LOST = "lost"

SEGMENT_GRID: dict[int, tuple[str, str, str, str, str]] = {
    # recency score: segment by mean of frequency and monetary score, 1 to 5
    5: (NEW, POTENTIAL, POTENTIAL, CHAMPIONS, CHAMPIONS),
    4: (PROMISING, POTENTIAL, POTENTIAL, LOYAL, LOYAL),
    3: (SLEEPY, SLEEPY, ATTENTION, LOYAL, LOYAL),
    2: (HIBERNATING, HIBERNATING, AT_RISK, AT_RISK, CANT_LOSE),
    1: (LOST, LOST, AT_RISK, AT_RISK, CANT_LOSE),
}
"""Segment of every recency score (rows) and mean of frequency and monetary score (columns)."""

VALUE_OF_SUM = (1, 1, 2, 2, 3, 4, 4, 5, 5)
"""Mean of frequency and monetary score for their sum of 2 to 10, halves away from the middle."""

_MEASURES = ("r", "f", "m")


def _value(measure: str) -> Column:
    """What is ranked, greater is better; doubles, so that all three share one histogram."""
    column = {"r": "days_since_last_purchase", "f": "purchase_days", "m": "net_revenue"}[measure]
    value = F.col(column).cast("double")
    return -value if measure == "r" else value


def segment_of(r_score: int, f_score: int, m_score: int) -> str:
    """Segment of one combination of scores of 1 to 5: the definition, for people and tests."""
    return SEGMENT_GRID[r_score][VALUE_OF_SUM[f_score + m_score - 2] - 1]


def snapshot(given: Inputs) -> DataFrame:
    """``gold/rfm_segments`` of the dates asked for."""
    return rfm_segments(given[FEATURES])


def rfm_segments(customer_features: DataFrame) -> DataFrame:
    """Scores and segment of every customer, among the customers of the same as-of date.

    Args:
        customer_features: ``gold/customer_features`` of one or more as-of dates.

    Returns:
        One row an ``as_of`` and ``customer_key``: the three measures (days, days, currency),
        ``r_score``, ``f_score`` and ``m_score`` (1 to 5, 5 best), ``rfm_score`` (the three as
        text, "543") and ``segment``: see the module.
    """
    scored = customer_features.join(
        F.broadcast(_lowest_values(customer_features)), "as_of", "left"
    ).withColumns({f"{measure}_score": _score(measure) for measure in _MEASURES})
    return scored.withColumns(
        {
            "rfm_score": F.concat(
                *(F.col(f"{measure}_score").cast("string") for measure in _MEASURES)
            ),
            "segment": _segment(),
        }
    ).select(*Contract.load(RFM).column_names)


def _score(measure: str) -> Column:
    """Score of a row: 1, and one more for each lowest value of a higher score that it reaches."""
    value = _value(measure)
    score = F.lit(1)
    for higher in range(2, 6):
        score += F.coalesce((value >= F.col(f"{measure}{higher}")).cast("int"), F.lit(0))
    if measure == "f":
        return F.when(F.col("purchase_days") == 1, F.lit(1)).otherwise(score)
    return score


def _segment() -> Column:
    means = F.array(*map(F.lit, VALUE_OF_SUM))
    value = F.element_at(means, F.col("f_score") + F.col("m_score") - 1)
    rows = F.array(*(F.array(*map(F.lit, SEGMENT_GRID[r])) for r in sorted(SEGMENT_GRID)))
    return F.element_at(F.element_at(rows, F.col("r_score")), value)


def _lowest_values(customer_features: DataFrame) -> DataFrame:
    """The lowest value that earns each score: one row an as-of date, columns r2...r5, f2..., m5.

    Exact ranks without a sort of all customers in one task: values are counted, gathered into
    ordered buckets about 1 % wide (so there are at most some thousand, however many customers),
    and ranked inside their bucket, all buckets in parallel.
    """
    measured = customer_features.select(
        "as_of",
        F.inline(
            F.array(
                *(
                    F.struct(F.lit(measure).alias("measure"), _value(measure).alias("value"))
                    for measure in _MEASURES
                )
            )
        ),
    )
    bucket = F.floor(F.signum("value") * F.log1p(F.abs("value")) * 100)
    values = (
        measured.groupBy("as_of", "measure", "value")
        .agg(F.count("*").alias("alike"))
        .withColumn("bucket", bucket)
    )
    measure = Window.partitionBy("as_of", "measure")
    inside = Window.partitionBy("as_of", "measure", "bucket")
    before = (Window.unboundedPreceding, -1)
    buckets = (
        values.groupBy("as_of", "measure", "bucket")
        .agg(F.sum("alike").alias("customers"))
        .select(
            "as_of",
            "measure",
            "bucket",
            F.sum("customers").over(measure).alias("all"),
            _count("customers", measure.orderBy("bucket").rowsBetween(*before)).alias("in_lower"),
        )
    )
    # Twice the middle rank is a whole number: no rounding decides a score.
    lower = F.col("in_lower") + _count("alike", inside.orderBy("value").rowsBetween(*before))
    fifth = F.floor((2 * lower + F.col("alike")) * 5 / (2 * F.col("all")))
    scores = values.join(F.broadcast(buckets), ["as_of", "measure", "bucket"]).select(
        "as_of", "measure", "value", (fifth + 1).alias("score")
    )
    return scores.groupBy("as_of").agg(
        *(
            F.min(
                F.when((F.col("measure") == name) & (F.col("score") >= score), F.col("value"))
            ).alias(f"{name}{score}")
            for name in _MEASURES
            for score in range(2, 6)
        )
    )


def _count(column: str, window: WindowSpec) -> Column:
    return F.coalesce(F.sum(column).over(window), F.lit(0))
