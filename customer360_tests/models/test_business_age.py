"""What carries last year on is read by how old the business was on each date, not at training."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.models.baselines import NaiveRules
from customer360.models.business_age import scored_at_each_age
from customer360.models.examples import made_up_customers
from customer360.models.lifetime_value import scores_table
from customer360.models.lifetime_value.blend import Blend
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scoring import LifetimeValueModel
from customer360.models.revenue import scoring
from customer360.models.revenue.features import FEATURES
from customer360.models.revenue.model import RevenueModel

YOUNG, OLD = date(2024, 4, 11), date(2025, 7, 1)
"""The business is 100 days old, and 546."""


def customers(spark: SparkSession, names: tuple[str, ...]) -> DataFrame:
    """Two customers on each date, the oldest and one of 73 days: 73.00 in the last year each."""
    rows = [
        {"as_of": on, "customer_key": f"{age} days", **example, "T": float(age)}
        for on, ages in ((YOUNG, (100, 73)), (OLD, (546, 73)))
        for age, example in zip(ages, example_rows(names), strict=True)
    ]
    return spark.createDataFrame(pd.DataFrame(rows))


def example_rows(names: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = made_up_customers(names).assign(net_revenue=73.0, net_revenue_365d=73.0)
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def told(scores: DataFrame, amount: str) -> dict[tuple[date, str], Any]:
    return {
        (row["as_of"], row["customer_key"]): pytest.approx(row[amount])
        for row in scores.select("as_of", "customer_key", amount).collect()
    }


@pytest.mark.parametrize("trained_at", [50, 365])
def test_revenue_of_the_next_73_days(spark: SparkSession, trained_at: int) -> None:
    """Of 100 days 73 are 73 %; of a year a fifth: whatever the age when it was trained."""
    rule = RevenueModel("last_year", 73, year_days=trained_at)
    for model in (rule, RevenueModel("blend", 73, parts=((1.0, rule),), year_days=trained_at)):
        scores = scoring.score(customers(spark, FEATURES), model, "m", "1", with_reasons=False)
        assert told(scores, "expected_revenue") == {
            (YOUNG, "100 days"): 53.29,
            (YOUNG, "73 days"): 53.29,
            (OLD, "546 days"): 14.6,
            (OLD, "73 days"): 14.6,
        }


@pytest.mark.parametrize("trained_at", [50, 800])
def test_revenue_of_the_next_year(spark: SparkSession, trained_at: int) -> None:
    rules = NaiveRules(73, trained_at, 0.01, 30.0, float("inf"))
    blend = Blend.of({}, {"last_year": 1.0}, rules)
    model = LifetimeValueModel(7, ParetoNbd(1.0, 50.0, 1.0, 50.0), None, 10.0, blend=blend)
    rows = customers(spark, model.features)
    scores = scores_table.score(rows, model, "m", "1", intervals=False)
    assert told(scores, "expected_revenue_365d") == {
        (YOUNG, "100 days"): 266.45,
        (YOUNG, "73 days"): 266.45,
        (OLD, "546 days"): 73.0,
        (OLD, "73 days"): 73.0,
    }


def test_dates_of_one_age_are_scored_together(spark: SparkSession) -> None:
    """A job a date would be as many passes over the features."""
    rows = spark.createDataFrame(
        [(date(2024, 1, 1), 10), (date(2024, 2, 1), 20), (YOUNG, 100), (OLD, 546)],
        "as_of date, T int",
    )
    seen: list[int] = []

    def score(part: DataFrame, days: int) -> DataFrame:
        seen.append(days)
        return part.withColumn("days", F.lit(days))

    scored = scored_at_each_age(rows, score)
    assert sorted((row["T"], row["days"]) for row in scored.collect()) == [
        (10, 30),
        (20, 30),
        (100, 100),
        (546, 365),
    ]
    assert seen == [30, 100, 365]
    assert scored_at_each_age(rows.limit(0), score).count() == 0
