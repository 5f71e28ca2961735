from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from itertools import product

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.gold import rfm_segments as rfm
from customer360.gold.rfm_segments import rfm_segments, segment_of
from customer360.table_names import RFM
from customer360_tests.gold.frames import day, rows_of, table

AS_OF = day("2024-03-10")
BEST_FIRST = Contract.load(RFM).column("segment").allowed_values
Customer = tuple[int, int, float]


def features(spark: SparkSession, *snapshots: list[Customer]) -> DataFrame:
    """Customers "c0", "c1"... of (days since last purchase, purchase days, net revenue)."""
    rows = [
        (AS_OF + timedelta(days=n), f"c{i}", *customer)
        for n, customers in enumerate(snapshots)
        for i, customer in enumerate(customers)
    ]
    schema = (
        "as_of date, customer_key string, days_since_last_purchase int, purchase_days int, "
        "net_revenue double"
    )
    return table(spark, schema, rows)


def scores(spark: SparkSession, customers: list[Customer]) -> list[str]:
    rows = rows_of(rfm_segments(features(spark, customers)), "customer_key", "rfm_score")
    return [score for _, score in rows]


def test_five_distinct_customers_are_five_fifths(spark: SparkSession) -> None:
    customers = [
        (1, 9, 50.0),
        (40, 7, 10.5),
        (90, 5, 900.0),
        (200, 3, 20.0),
        (400, 2, -3.0),
    ]
    segments = rfm_segments(features(spark, customers))
    assert tuple(segments.columns) == Contract.load("gold/rfm_segments").column_names
    assert rows_of(segments) == [
        (AS_OF, "c0", 1, 9, 50.0, 5, 5, 4, "554", "champions"),
        (AS_OF, "c1", 40, 7, 10.5, 4, 4, 2, "442", "potential_loyalists"),
        (AS_OF, "c2", 90, 5, 900.0, 3, 3, 5, "335", "loyal_customers"),
        (AS_OF, "c3", 200, 3, 20.0, 2, 2, 3, "223", "hibernating"),
        (AS_OF, "c4", 400, 2, -3.0, 1, 1, 1, "111", "lost"),
    ]


def test_tiny_populations_score_around_the_middle(spark: SparkSession) -> None:
    assert scores(spark, []) == []
    assert scores(spark, [(10, 4, 25.0)]) == ["333"]
    assert scores(spark, [(10, 4, 25.0), (10, 4, 25.0)]) == ["333", "333"]
    assert scores(spark, [(1, 2, 5.0), (2, 3, 6.0), (3, 4, 7.0)]) == ["511", "333", "155"]
    assert scores(spark, [(0, 2, 0.0)] * 7) == ["333"] * 7


def test_ties_share_the_score_of_their_middle(spark: SparkSession) -> None:
    # Ten customers; recency: four share the lowest days (ranks .6 to 1, middle .8: the fifth
    # fifth), six the highest (middle .3: the second).
    customers = [(5, 2, 10.0)] * 4 + [(50, 2, 10.0)] * 6
    assert scores(spark, customers) == ["533"] * 4 + ["233"] * 6


def test_who_came_once_is_not_frequent(spark: SparkSession) -> None:
    """97 % of Olist's customers bought once; the middle of so many would be 3."""
    customers = [(10, 1, 10.0)] * 97 + [(10, 2, 10.0)] * 3
    assert set(scores(spark, customers[:97])) == {"313"}
    assert sorted(set(scores(spark, customers))) == ["313", "353"]


def test_each_snapshot_is_ranked_by_itself(spark: SparkSession) -> None:
    first = [(1, 2, 5.0), (2, 3, 6.0), (3, 4, 7.0)]
    second = [(3, 4, 7.0)]
    both = rfm_segments(features(spark, first, second))
    assert rows_of(both.where(F.col("as_of") == F.lit(AS_OF))) == rows_of(
        rfm_segments(features(spark, first))
    )
    assert rows_of(both.where(F.col("as_of") > F.lit(AS_OF)), "rfm_score") == [("333",)]


def test_every_combination_of_scores_has_one_segment(spark: SparkSession) -> None:
    combinations = list(product(range(1, 6), repeat=3))
    frame = table(spark, "r_score int, f_score int, m_score int", combinations)
    in_spark = {
        tuple(row)[:3]: row["segment"]
        for row in frame.withColumn("segment", rfm._segment()).collect()
    }
    assert len(in_spark) == 125
    assert in_spark == {scores: segment_of(*scores) for scores in combinations}
    assert set(in_spark.values()) == set(BEST_FIRST)
    assert len(BEST_FIRST) == 11


def test_segments_mean_what_marketing_expects() -> None:
    assert segment_of(5, 5, 5) == "champions"
    assert segment_of(5, 1, 1) == "new_customers"
    assert segment_of(4, 1, 1) == "promising"
    assert segment_of(4, 2, 3) == "potential_loyalists"
    assert segment_of(4, 5, 4) == "loyal_customers"
    assert segment_of(3, 3, 3) == "need_attention"
    assert segment_of(3, 1, 2) == "about_to_sleep"
    assert segment_of(2, 3, 4) == "at_risk"
    assert segment_of(1, 5, 4) == "cant_lose_them"
    assert segment_of(2, 1, 3) == "hibernating"
    assert segment_of(1, 1, 1) == "lost"
    # More of anything is never worse than less of it: the grid has no holes to fall through.
    order = {name: rank for rank, name in enumerate(BEST_FIRST)}
    for f, m in product(range(1, 6), repeat=2):
        assert order[segment_of(5, f, m)] <= order[segment_of(1, f, m)]


def middle_fifth(values: list[float]) -> list[int]:
    """The rule of the module's docstring, customer by customer."""
    ranks = [
        (sum(v < value for v in values) + Fraction(sum(v == value for v in values), 2))
        / len(values)
        for value in values
    ]
    return [1 + int(rank * 5) for rank in ranks]


CUSTOMER = st.tuples(
    st.integers(0, 12),
    st.integers(1, 6),
    # Near each other, far apart, negative and zero: several of one bucket and many buckets.
    st.one_of(
        st.sampled_from([-20.0, 0.0, 10.0, 1e7]),
        st.integers(100_000, 100_050).map(lambda c: c / 100),
    ),
)


@given(st.lists(st.lists(CUSTOMER, min_size=1, max_size=40), min_size=1, max_size=25))
@settings(max_examples=6, suppress_health_check=list(HealthCheck))
def test_scores_are_the_fifth_of_the_middle_rank_and_equal_for_equals(
    spark: SparkSession, populations: list[list[Customer]]
) -> None:
    found: dict[date, dict[str, tuple[int, int, int]]] = {}
    columns = ("as_of", "customer_key", "r_score", "f_score", "m_score")
    for at, key, *three in rows_of(rfm_segments(features(spark, *populations)), *columns):
        found.setdefault(at, {})[key] = (three[0], three[1], three[2])
    for n, customers in enumerate(populations):
        recency, frequency, money = (list(values) for values in zip(*customers, strict=True))
        expected = zip(
            middle_fifth([-d for d in recency]),
            [1 if p == 1 else s for p, s in zip(frequency, middle_fifth(frequency), strict=True)],
            middle_fifth(money),
            strict=True,
        )
        scored = found[AS_OF + timedelta(days=n)]
        assert [scored[f"c{i}"] for i in range(len(customers))] == list(expected)
        for measure in range(3):
            by_value: dict[float, set[int]] = {}
            for i, customer in enumerate(customers):
                by_value.setdefault(customer[measure], set()).add(scored[f"c{i}"][measure])
            assert all(len(different) == 1 for different in by_value.values())
