"""Realised performance: past scores beside what has happened since, by tenth of the score.

A score of as-of date D about a horizon of h days can be judged when day D + h is over. Everything
is counted in Spark; ten rows a model, date and prediction come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.gold.purchases import is_purchase
from customer360.models.churn.rows import labels
from customer360.models.notes import Note

TENTHS = 10

FIGURE_COLUMNS = [
    "as_of",
    "prediction",
    "horizon_days",
    "model_version",
    "customers",
    "predicted",
    "actual",
    "calibration_error",
    "calibration_error_by_chance",
    "mae",
    "mse",
    "roc_auc",
]
"""Columns of `realised_figures`."""

_RUN = ["as_of", "prediction", "horizon_days", "model_version"]


def churn_outcomes(
    scores: DataFrame, customer_days: DataFrame, as_of: Sequence[date], horizon_days: int
) -> DataFrame:
    """Scored customers with ``actual``: 1 for who bought nothing in the horizon, else 0.

    Args:
        scores: ``gold/churn_scores`` of the dates and the horizon.
        customer_days: ``silver/customer_days``.
        as_of: The dates; their horizon has passed.
        horizon_days: Horizon of the scores.
    """
    bought = labels(customer_days, as_of, horizon_days).withColumn("actual", F.lit(0.0))
    return scores.join(bought, ["as_of", "customer_key"], "left").fillna(1.0, ["actual"])


def purchase_outcomes(
    scores: DataFrame, customer_days: DataFrame, as_of: Sequence[date], horizon_days: int
) -> DataFrame:
    """Scored customers with what came in (as_of, as_of + horizon].

    Args:
        scores: Scores of the dates, one row a customer and date.
        customer_days: ``silver/customer_days``.
        as_of: The dates; their horizon has passed.
        horizon_days: Horizon of the scores.

    Returns:
        The scores with ``actual_purchases`` (purchase days) and ``actual_revenue`` (currency, net:
        refunds of the time deducted, whenever their sale was), 0 where nothing came.
    """
    ahead = F.date_diff("business_date", "as_of")
    came = (
        customer_days.where(F.col("business_date") > F.lit(min(as_of)))
        .withColumn("as_of", F.explode(F.array(*map(F.lit, as_of))))
        .where((ahead > 0) & (ahead <= horizon_days))
        .groupBy("as_of", "customer_key")
        .agg(
            F.count_if(is_purchase()).cast("double").alias("actual_purchases"),
            F.sum("net_revenue").cast("double").alias("actual_revenue"),
        )
    )
    return scores.join(came, ["as_of", "customer_key"], "left").fillna(
        0.0, ["actual_purchases", "actual_revenue"]
    )


def performance_by_decile(outcomes: DataFrame, predicted: str, actual: str) -> DataFrame:
    """Predicted and actual by tenth of what was predicted.

    Args:
        outcomes: Columns ``as_of``, ``horizon_days``, ``model_version``, and the two below; one
            row a customer and date. Rows without a prediction are left out.
        predicted: Column of the prediction.
        actual: Column of what came of it.

    Returns:
        The columns of ``gold/model_performance`` but the model's name: ``prediction`` is the name
        of the predicted column; ``decile`` 1 holds the highest predictions, and customers of whom
        the same was predicted share one, so some may be missing; ``predicted`` and ``actual`` are
        means a customer.
    """
    rows = outcomes.select(
        "as_of",
        F.lit(predicted).alias("prediction"),
        F.col("horizon_days").cast("int").alias("horizon_days"),
        "model_version",
        F.col(predicted).cast("double").alias("predicted"),
        F.col(actual).cast("double").alias("actual"),
    ).where("predicted IS NOT NULL")
    cuts = [tenth / TENTHS for tenth in range(1, TENTHS)]
    edges = rows.groupBy(*_RUN).agg(F.percentile_approx("predicted", cuts).alias("edges"))
    # Quantiles of values, not ranks of rows: no sort of all customers, and ties stay together.
    below = F.size(F.filter("edges", lambda edge: edge < F.col("predicted")))
    error = F.col("predicted") - F.col("actual")
    return (
        rows.join(F.broadcast(edges), _RUN)
        .withColumn("decile", (TENTHS - below).cast("int"))
        .groupBy(*_RUN, "decile")
        .agg(
            F.count("*").alias("customers"),
            F.avg("predicted").alias("predicted"),
            F.avg("actual").alias("actual"),
            F.avg(F.abs(error)).alias("mean_absolute_error"),
            F.avg(error * error).alias("mean_squared_error"),
        )
    )


def realised_figures(deciles: pd.DataFrame) -> pd.DataFrame:
    """One row of figures for each as-of date, prediction, horizon and model version.

    Args:
        deciles: Rows of `performance_by_decile`.

    Returns:
        Beside these four, ``customers``, the means ``predicted`` and ``actual``, and:
        ``calibration_error``, the mean gap between predicted and actual over the tenths, weighted
        by their customers; ``calibration_error_by_chance``, what that gap would be if every
        tenth's prediction were right and only chance kept it from coming true; ``mae`` and
        ``mse`` a customer (the Brier score, where a probability was predicted); and, of a
        probability, ``roc_auc`` as far as tenths tell (customers of a tenth count as tied, which
        takes a little off), NaN where only one class came.
    """
    rows = []
    for key, table in deciles.groupby(_RUN):
        n = table["customers"].to_numpy(dtype=float)
        predicted, actual = table["predicted"].to_numpy(), table["actual"].to_numpy()
        squared = table["mean_squared_error"].to_numpy()
        # The mean of n outcomes is off by a normal error, whose mean size is this.
        by_chance = np.sqrt(2 / np.pi * squared / n)
        rows.append(
            dict(zip(_RUN, key, strict=True))
            | {
                "customers": int(n.sum()),
                "predicted": float(np.average(predicted, weights=n)),
                "actual": float(np.average(actual, weights=n)),
                "calibration_error": float(np.average(np.abs(predicted - actual), weights=n)),
                "calibration_error_by_chance": float(np.average(by_chance, weights=n)),
                "mae": float(np.average(table["mean_absolute_error"], weights=n)),
                "mse": float(np.average(squared, weights=n)),
                "roc_auc": _roc_auc(n, actual) if is_probability(str(key[1])) else float("nan"),
            }
        )
    return pd.DataFrame(rows, columns=FIGURE_COLUMNS)


def is_probability(prediction: str) -> bool:
    """Whether a prediction is judged in points of probability, not in shares of what came."""
    return prediction.endswith("_probability")


def _roc_auc(customers: np.ndarray, share: np.ndarray) -> float:
    """Chance that one who did it was in a higher tenth than one who did not; a tie is half."""
    did, did_not = customers * share, customers * (1 - share)
    if not did.sum() or not did_not.sum():
        return float("nan")
    lower = did_not.sum() - np.cumsum(did_not)
    return float((did * (lower + did_not / 2)).sum() / (did.sum() * did_not.sum()))


@dataclass(frozen=True)
class Judgement:
    """One row of `realised_figures` held against its limit: what came, and whether it missed."""

    came: Note
    missed: bool


def judge(
    figures: pd.DataFrame, calibration_limit: float, forecast_limit: float
) -> list[Judgement]:
    """Hold realised figures against their limits.

    What chance alone would give is taken off the calibration error first: a hundred customers do
    not come true to the point.

    Args:
        figures: Rows of `realised_figures`.
        calibration_limit: Largest calibration error of a probability.
        forecast_limit: Largest calibration error of an amount, as a share of the mean that came.
    """
    judgements = []
    for row in figures.to_dict("records"):
        amount = not is_probability(row["prediction"])
        limit = forecast_limit * abs(row["actual"]) if amount else calibration_limit
        error = row["calibration_error"]
        came = Note(
            "realised",
            {
                "column": row["prediction"],
                "as_of": str(row["as_of"]),
                "version": row["model_version"],
                "horizon": row["horizon_days"],
                "predicted": row["predicted"],
                "actual": row["actual"],
                "error": error,
                "limit": limit,
            },
        )
        judgements.append(Judgement(came, error - row["calibration_error_by_chance"] > limit))
    return judgements
