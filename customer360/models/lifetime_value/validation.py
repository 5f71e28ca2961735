"""Judging models on days they have not seen, beside the naive rules, by Spark.

Customers are judged where they are; only sums, counted cells and a bounded sample leave Spark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customer360.gold.purchases import is_purchase
from customer360.models.baselines import NAIVE_RULES, NaiveRules
from customer360.models.evaluation import AmountSums, decile_table, order_metrics, prefixed
from customer360.models.lifetime_value.blend import RULE_FEATURES
from customer360.models.lifetime_value.cells import Cells
from customer360.models.lifetime_value.scoring import (
    MODEL_FEATURES,
    KnownExpectations,
    LifetimeValueModel,
)
from customer360.models.windows import gap_counts, weighted_quantile

HOLDOUT_FEATURES = (*MODEL_FEATURES, *RULE_FEATURES)
"""Columns of gold/customer_features that a validation reads."""

ORDER_ROWS = 200_000
"""Holdout customers whose order is judged, at most: a share, by a hash of their key."""

HIATUS_SHARE = 0.9
"""Share of the gaps between a customer's purchases that the hiatus rule calls no hiatus."""

_PARTS = 1_000_000
_AMOUNTS = ("purchases", "revenue")


@dataclass(frozen=True)
class HoldoutResult:
    """What the holdout said of each model and naive rule, by name.

    Attributes:
        metrics: Figures ``purchases_*`` and ``revenue_*``.
        cells: Customers counted by ``frequency``, ``recency`` and ``T`` (days): ``customers``,
            ``purchases`` (sum in the holdout), ``buyers`` (who bought at least once), and the mean
            of their ``purchase_days_365d``.
        deciles: Revenue by tenth of what was expected; see `decile_table`.
        sample: Customers drawn by `drawn`: `HOLDOUT_FEATURES`, ``actual_purchases``,
            ``actual_revenue`` and what each expected, ``<name>_purchases`` and ``<name>_revenue``;
            in an order that rests on these alone.
    """

    metrics: dict[str, dict[str, float]]
    cells: pd.DataFrame
    deciles: dict[str, pd.DataFrame]
    sample: pd.DataFrame


def hiatus_days(customer_days: DataFrame, as_of: date) -> float:
    """Silence in days within which nine of ten of the returns until ``as_of`` happened.

    Infinite where nobody returned: no silence means anything then.
    """
    gaps = gap_counts(customer_days, as_of)
    if not len(gaps.days):
        return float("inf")
    return weighted_quantile(gaps.days, gaps.times, HIATUS_SHARE)


def naive_rules(cells: Cells, customer_days: DataFrame, as_of: date, days: int) -> NaiveRules:
    """The naive rules over the ``days`` after ``as_of``, by what was known on it.

    Args:
        cells: The customers of that day.
        customer_days: ``silver/customer_days``.
        as_of: Last day that the rules know.
        days: Days ahead.
    """
    return NaiveRules(
        days,
        cells.history_days,
        cells.mean_rate,
        cells.mean_order_value,
        hiatus_days(customer_days, as_of),
    )


def repeat_purchase_counts(
    customer_days: DataFrame, calibration_as_of: date, until: date
) -> pd.DataFrame:
    """Repeat purchases on each day, of customers whose first purchase is in the calibration.

    Returns:
        Columns ``day`` (days since ``calibration_as_of``, negative before it) and ``purchases``,
        ascending; days without any are left out.
    """
    day, own = F.col("business_date"), Window.partitionBy("customer_key")
    counts = (
        customer_days.where(is_purchase() & (day <= F.lit(until)))
        .select("business_date", F.min("business_date").over(own).alias("first"))
        .where((F.col("first") <= F.lit(calibration_as_of)) & (day > F.col("first")))
        .groupBy(F.date_diff("business_date", F.lit(calibration_as_of)).alias("day"))
        .agg(F.count("*").alias("purchases"))
        .orderBy("day")
    )
    return counts.toArrow().to_pandas()


def _outcomes(customer_days: DataFrame, after: date, until: date) -> DataFrame:
    """Purchases and net revenue (refunds deducted) a customer in (after, until]."""
    day = F.col("business_date")
    return (
        customer_days.where((day > F.lit(after)) & (day <= F.lit(until)))
        .groupBy("customer_key")
        .agg(
            F.count_if(is_purchase()).alias("actual_purchases"),
            F.sum(F.col("net_revenue").cast("double")).alias("actual_revenue"),
        )
    )


def holdout_rows(
    features: DataFrame, customer_days: DataFrame, calibration_as_of: date, holdout_days: int
) -> DataFrame:
    """The calibration's customers, each with what they did in the holdout.

    Args:
        features: ``gold/customer_features``: ``as_of``, ``customer_key``, `HOLDOUT_FEATURES`.
        customer_days: ``silver/customer_days``.
        calibration_as_of: Last day of the calibration.
        holdout_days: Days after it.

    Returns:
        `HOLDOUT_FEATURES`, ``actual_purchases``, ``actual_revenue`` (refunds deducted), and
        ``drawn``, by which `drawn` takes a sample.
    """
    until = calibration_as_of + timedelta(days=holdout_days)
    outcomes = _outcomes(customer_days, calibration_as_of, until)
    bought = F.col("actual_purchases").cast("double")
    return (
        features.where(F.col("as_of") == F.lit(calibration_as_of))
        .select("customer_key", *HOLDOUT_FEATURES)
        .join(outcomes, "customer_key", "left")
        .select(
            *HOLDOUT_FEATURES,
            F.coalesce(bought, F.lit(0.0)).alias("actual_purchases"),
            F.coalesce("actual_revenue", F.lit(0.0)).alias("actual_revenue"),
            F.pmod(F.hash("customer_key"), F.lit(_PARTS)).alias("drawn"),
        )
    )


def drawn(customers: int, most: int = ORDER_ROWS) -> Column:
    """Whether a row of `holdout_rows` is in a sample of ``most``, of so many customers."""
    return F.col("drawn") < min(_PARTS, _PARTS * most // max(customers, 1))


def sampled(rows: DataFrame, customers: int, most: int) -> pd.DataFrame:
    """Bring a bounded sample of `holdout_rows` to the driver, in an order of its own.

    Args:
        rows: From `holdout_rows`.
        customers: How many they are of.
        most: Rows to bring, give or take what a hash does.
    """
    return _ordered(rows.where(drawn(customers, most)).drop("drawn").toArrow().to_pandas())


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """By what the rows say: what is drawn again and halved must not depend on Spark's order."""
    by = [*HOLDOUT_FEATURES, *(f"actual_{amount}" for amount in _AMOUNTS)]
    return rows.sort_values(by, ignore_index=True)


def _error_sums(name: str, amount: str) -> Column:
    e, a = F.col(f"{name}_{amount}"), F.col(f"actual_{amount}")
    return F.struct(
        F.count("*").alias("customers"),
        F.sum(e).alias("expected"),
        F.sum(a).alias("actual"),
        F.sum(F.abs(e - a)).alias("absolute_error"),
        F.sum((e - a) * (e - a)).alias("squared_error"),
        F.sum(e * e).alias("expected_squared"),
        F.sum(a * a).alias("actual_squared"),
        F.sum(e * a).alias("product"),
    ).alias(f"{name}_{amount}")


def evaluate(
    features: DataFrame,
    customer_days: DataFrame,
    models: Mapping[str, LifetimeValueModel],
    calibration_as_of: date,
    rules: NaiveRules,
) -> HoldoutResult:
    """Judge models on the days after their calibration, beside the naive rules, in one pass.

    Purchases are those of `customer360.gold.purchases`; actual revenue has refunds deducted.
    Customers whose first purchase is in the holdout belong to neither side. Order and tenths are
    those of `ORDER_ROWS` customers at most.

    Args:
        features: ``gold/customer_features`` at ``calibration_as_of``: `HOLDOUT_FEATURES`.
        customer_days: ``silver/customer_days``.
        models: By name, each fitted to the data up to ``calibration_as_of`` only.
        calibration_as_of: Last day the models saw.
        rules: The naive rules over the holdout's days, by the calibration period.
    """
    holdout_days = rules.days
    names = (*models, *NAIVE_RULES)
    columns = [(name, amount) for name in names for amount in _AMOUNTS]
    kept = {"frequency": "int", "recency": "int", "T": "int", "purchase_days_365d": "int"}
    kept |= {name: "double" for name in HOLDOUT_FEATURES if name not in kept}
    kept |= {f"actual_{amount}": "double" for amount in _AMOUNTS} | {"drawn": "int"}
    schema = ", ".join(
        f"{name} {kind}"
        for name, kind in (kept | {f"{n}_{amount}": "double" for n, amount in columns}).items()
    )

    def expected(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        ahead = (float(holdout_days),)
        known = {
            name: KnownExpectations(model.purchases, model.time_unit_days, ahead)
            for name, model in models.items()
            if model.purchases
        }
        for batch in batches:
            columns = {name: batch[name].to_numpy() for name in kept}
            for name, model in models.items():
                amounts = model.expectations(batch, ahead, known.get(name))
                for amount, values in zip(_AMOUNTS, amounts, strict=True):
                    columns[f"{name}_{amount}"] = values[:, 0]
            for name, amounts in rules.expectations(batch).items():
                for amount, values in zip(_AMOUNTS, amounts, strict=True):
                    columns[f"{name}_{amount}"] = values
            yield pd.DataFrame(columns)

    joined = holdout_rows(features, customer_days, calibration_as_of, holdout_days)
    judged = joined.mapInPandas(expected, schema).persist()
    try:
        totals = judged.agg(*(_error_sums(name, amount) for name, amount in columns)).first()
        cells = outcome_cells(judged)
        sample = sampled(judged, int(cells["customers"].sum()), ORDER_ROWS)
    finally:
        judged.unpersist()
    metrics: dict[str, dict[str, float]] = {name: {} for name in names}
    for name, amount in columns:
        if totals is not None and len(cells):
            sums = AmountSums.of(totals[f"{name}_{amount}"].asDict())
            metrics[name] |= prefixed(amount, sums.metrics())
        came = sample[f"actual_{amount}"]
        metrics[name] |= prefixed(amount, order_metrics(sample[f"{name}_{amount}"], came))
    deciles = {
        name: decile_table(sample[f"{name}_revenue"], sample["actual_revenue"]) for name in names
    }
    return HoldoutResult(metrics, cells, deciles, sample)


def outcome_cells(judged: DataFrame) -> pd.DataFrame:
    """The judged customers counted by history; sorted, so that sums do not depend on chance."""
    bought = F.col("actual_purchases")
    cells = judged.groupBy("frequency", "recency", "T").agg(
        F.count("*").alias("customers"),
        F.sum(bought).alias("purchases"),
        F.count_if(bought > 0).alias("buyers"),
        F.avg("purchase_days_365d").alias("purchase_days_365d"),
    )
    counted = cells.toArrow().to_pandas().sort_values(["frequency", "recency", "T"])
    return counted.reset_index(drop=True)
