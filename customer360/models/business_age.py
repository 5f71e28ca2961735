"""Rules of thumb at each as-of date: last year's spend is scaled by the history there was then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.models.baselines import YEAR_DAYS, year_days


def scored_at_each_age(
    features: DataFrame, score: Callable[[DataFrame, int], DataFrame]
) -> DataFrame:
    """Score the customers of each as-of date as of a business that was as old as it was then.

    Takes a pass over two columns, as a model may be older or younger than what it scores.

    Args:
        features: Columns ``as_of`` and ``T`` (days), all customers of each date.
        score: Scores customers, given the days of the last 365 that there is a history of.
    """
    oldest = features.groupBy("as_of").agg(F.max("T").alias("oldest")).collect()  # a row a date
    dates: dict[int, list[date]] = defaultdict(list)
    for row in oldest:
        dates[year_days(row["oldest"])].append(row["as_of"])
    if len(dates) < 2:
        return score(features, next(iter(dates), YEAR_DAYS))
    scored = (
        score(features.where(F.col("as_of").isin(dates[days])), days) for days in sorted(dates)
    )
    return reduce(DataFrame.unionByName, scored)
