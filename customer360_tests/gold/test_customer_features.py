from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.gold.customer_features import customer_features
from customer360_tests.gold.frames import bought, customer_days, day, returned, rows_of

AS_OF = day("2024-03-10")


def history() -> list[tuple[Any, ...]]:
    return [
        bought("ana", "2024-01-10", 100, items=2, review=5.0),
        # On the edge: 30 days before the as-of date is outside the last 30 days.
        bought(
            "ana", "2024-02-09", 60, refunded=10, orders=2, items=3, channel="shop", category="Toys"
        ),
        returned("ana", "2024-03-01", 20),
        bought("ana", "2024-03-10", 40, category=None, review=4.0),
        bought("ben", "2024-03-05", 0, channel="shop"),
        bought("all came back", "2024-03-01", 30, refunded=30),
        returned("only a refund", "2024-03-01", 30),
        bought("too late", "2024-03-11", 7),
    ]


def test_every_feature_of_a_small_history(spark: SparkSession) -> None:
    features = customer_features(customer_days(spark, history()), [AS_OF])
    assert tuple(features.columns) == Contract.load("gold/customer_features").column_names
    ana, ben = (row.asDict() for row in features.orderBy("customer_key").collect())
    assert ana == {
        "as_of": AS_OF,
        "customer_key": "ana",
        "first_purchase_on": day("2024-01-10"),
        "last_purchase_on": AS_OF,
        "frequency": 2,
        "recency": 60,
        "T": 60,
        "monetary_value": 45.0,  # (50 + 40) / 2: not the first day, not the day of the refund
        "days_since_last_purchase": 0,
        "purchase_days": 3,
        "orders": 4,
        "items": 6,
        "refunds": 2,
        "net_revenue": 170.0,
        "refunded": 30.0,
        "refund_rate": 0.15,
        "average_order_value": 50.0,
        "purchase_days_30d": 1,
        "purchase_days_90d": 3,
        "purchase_days_180d": 3,
        "purchase_days_365d": 3,
        "net_revenue_30d": 20.0,
        "net_revenue_90d": 170.0,
        "net_revenue_180d": 170.0,
        "net_revenue_365d": 170.0,
        "mean_days_between_purchases": 30.0,
        "overdue_ratio": 0.0,
        "distinct_categories": 2,
        "distinct_channels": 2,
        "last_category": "Toys",  # the last one known
        "last_channel": "web",
    }
    assert ben == {
        "as_of": AS_OF,
        "customer_key": "ben",
        "first_purchase_on": day("2024-03-05"),
        "last_purchase_on": day("2024-03-05"),
        "frequency": 0,
        "recency": 0,
        "T": 5,
        "monetary_value": 0.0,
        "days_since_last_purchase": 5,
        "purchase_days": 1,
        "orders": 1,
        "items": 1,
        "refunds": 0,
        "net_revenue": 0.0,
        "refunded": 0.0,
        "refund_rate": 0.0,
        "average_order_value": 0.0,
        **{f"purchase_days_{n}d": 1 for n in (30, 90, 180, 365)},
        **{f"net_revenue_{n}d": 0.0 for n in (30, 90, 180, 365)},
        "mean_days_between_purchases": None,
        "overdue_ratio": None,
        "distinct_categories": 1,
        "distinct_channels": 1,
        "last_category": "Books",
        "last_channel": "shop",
    }


def test_being_overdue_is_silence_over_the_usual_gap(spark: SparkSession) -> None:
    days = customer_days(spark, [bought("c", f"2024-01-{n}", 5) for n in ("01", "05", "11")])
    (row,) = customer_features(days, [day("2024-01-26")]).collect()
    assert (row["mean_days_between_purchases"], row["overdue_ratio"]) == (5.0, 3.0)


def test_windows_leave_out_their_first_day(spark: SparkSession) -> None:
    ages = (0, 29, 30, 89, 90, 179, 180, 364, 365)
    days = customer_days(spark, [bought("c", AS_OF - timedelta(days=n), 1 + n) for n in ages])
    (row,) = customer_features(days, [AS_OF]).collect()
    assert [row[f"purchase_days_{n}d"] for n in (30, 90, 180, 365)] == [2, 4, 6, 8]
    assert [row[f"net_revenue_{n}d"] for n in (30, 90, 180, 365)] == [31, 152, 423, 969]


def test_several_dates_at_once_are_the_single_dates_together(spark: SparkSession) -> None:
    dates = [day("2024-01-09"), day("2024-01-10"), day("2024-03-05"), AS_OF, day("2025-12-31")]
    days = customer_days(spark, history())
    one_by_one = [row for at in dates for row in rows_of(customer_features(days, [at]))]
    assert rows_of(customer_features(days, [*reversed(dates), AS_OF])) == sorted(
        one_by_one, key=str
    )
    assert [row[1] for row in one_by_one].count("ana") == 4


def test_one_shuffle_makes_all_features(
    spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    days = customer_days(spark, history())
    for dates in ([AS_OF], [AS_OF, day("2024-02-01"), day("2024-01-15")]):
        customer_features(days, dates).explain()
        assert capsys.readouterr().out.count("Exchange ") == 1


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["ana", "ben", "cy"]),
        st.integers(-400, 60),
        st.integers(0, 50),
        st.integers(0, 60),
        st.sampled_from(["web", "shop", None]),
        st.one_of(st.none(), st.integers(1, 5)),
    ),
    max_size=12,
    unique_by=lambda row: (row[0], row[1]),
)


def _days(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [
        returned(who, AS_OF + timedelta(days=after), back + 1)
        if back > sold
        else bought(
            who, AS_OF + timedelta(days=after), sold, refunded=back, channel=channel, review=score
        )
        for who, after, sold, back, channel, score in rows
    ]


def _until(rows: list[tuple[Any, ...]], last: date) -> list[tuple[Any, ...]]:
    return [row for row in rows if row[1] <= last]


@given(CHANGES, CHANGES)
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_features_do_not_change_when_what_comes_after_changes(
    spark: SparkSession, then: list[tuple[Any, ...]], instead: list[tuple[Any, ...]]
) -> None:
    known = _until(_days(then), AS_OF)
    future = [row for row in _days(then) if row[1] > AS_OF]
    other_future = [row for row in _days(instead) if row[1] > AS_OF]
    earlier = AS_OF - timedelta(days=200)

    at_the_time = rows_of(customer_features(customer_days(spark, known), [AS_OF]))
    for later_history in (known + future, other_future + known[::-1]):
        days = customer_days(spark, later_history)
        seen_later = customer_features(days, [AS_OF, earlier, AS_OF + timedelta(days=60)])
        assert rows_of(seen_later.where(F.col("as_of") == F.lit(AS_OF))) == at_the_time
