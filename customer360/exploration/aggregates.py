"""What exploration counts: distributions, gaps, correlations, concentration, repeat rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.stats import binomtest

from customer360.gold.purchases import is_purchase
from customer360.gold.rare_values import OTHER, SMALLEST_GROUP
from customer360.models.churn.features import NUMERIC_FEATURES
from customer360.models.windows import gap_counts

REPEAT_DAYS = 90
"""A customer repeats who buys again within so many days, or half of a shorter history."""

GROUPS = ("category", "channel", "state")
"""By what repeat rates are split: of the first purchase, and where the customer lives."""

LARGEST_GROUPS = 15
CONFIDENCE = 0.9
TOP_SHARES = (0.01, 0.05, 0.10, 0.20)
CORRELATION_ROWS = 50_000
"""Customers whose features are correlated, at most: a share, by a hash of their key."""

_HISTOGRAM_BINS = 40
_LAST_BUCKET = 15
"""Customers with so many purchases or more share a bar."""
_LORENZ_POINTS = 200
_PARTS = 1_000_000


@dataclass(frozen=True)
class Exploration:
    """All figures of one page.

    Attributes:
        as_of: Last day that was looked at.
        period: Counts and amounts by name, in words.
        missing: Columns ``table``, ``column``, ``share`` of rows without a value.
        order_values: Histogram of sales: ``from``, ``to`` (currency), ``orders``; up to the 99th
            percentile.
        purchases: Customers by purchase days: ``purchases`` (the last "or more"), ``customers``.
        gaps: ``gap_days`` between purchases and how many ``times`` each came.
        correlations: Spearman's rank correlations of the features, square; empty when too few.
        lorenz: ``customers`` and ``revenue``, cumulated shares, the smallest customers first.
        top_shares: Share of revenue by share of the customers who bring most.
        gini: Gini coefficient of revenue over customers; NaN without revenue.
        repeat_days: Window of the repeat rates, in days.
        repeat_rates: ``split``, ``value``, ``customers``, ``repeated``, ``rate``, ``low``,
            ``high`` (Wilson, 90 %).
        cohorts: ``month`` of the first purchase and ``customers``.
    """

    as_of: date
    period: Mapping[str, str]
    missing: pd.DataFrame
    order_values: pd.DataFrame
    purchases: pd.DataFrame
    gaps: pd.DataFrame
    correlations: pd.DataFrame
    lorenz: pd.DataFrame
    top_shares: Mapping[float, float]
    gini: float
    repeat_days: int
    repeat_rates: pd.DataFrame
    cohorts: pd.DataFrame


def explore(
    transactions: DataFrame,
    customers: DataFrame,
    customer_days: DataFrame,
    features: DataFrame,
    as_of: date,
    *,
    smallest_group: int = SMALLEST_GROUP,
) -> Exploration:
    """Count everything that the page shows, of what happened up to ``as_of``.

    Args:
        transactions: ``silver/transactions``.
        customers: ``silver/customers``: one row a customer, as known today.
        customer_days: ``silver/customer_days``.
        features: ``gold/customer_features`` of ``as_of``.
        as_of: Last day that is looked at.
        smallest_group: Customers that a group needs to be shown by its name.
    """
    until = F.col("business_date") <= F.lit(as_of)
    transactions, customer_days = transactions.where(until), customer_days.where(until)
    period, history_days = _period(transactions)
    repeat_days = max(min(REPEAT_DAYS, history_days // 2), 1)
    base = customer_base(customer_days, customers, as_of, repeat_days).persist()
    try:
        lorenz = lorenz_curve(base)
        gaps = gap_counts(customer_days, as_of)
        purchases = _purchases(base)
        period["Customers who bought"] = f"{purchases['customers'].sum():,}"
        return Exploration(
            as_of=as_of,
            period=period,
            missing=pd.concat(
                [
                    missingness(transactions, "silver/transactions"),
                    missingness(customers, "silver/customers"),
                ],
                ignore_index=True,
            ),
            order_values=histogram(transactions.where("kind = 'sale'"), "amount"),
            purchases=purchases,
            gaps=pd.DataFrame({"gap_days": gaps.days, "times": gaps.times}),
            correlations=correlations(features),
            lorenz=lorenz,
            top_shares=top_shares(lorenz),
            gini=gini(lorenz),
            repeat_days=repeat_days,
            repeat_rates=pd.concat(
                [repeat_rates(base, split, smallest_group=smallest_group) for split in GROUPS]
            ),
            cohorts=_cohorts(base),
        )
    finally:
        base.unpersist()


def _period(transactions: DataFrame) -> tuple[dict[str, str], int]:
    sale, refund = F.col("kind") == "sale", F.col("kind") == "refund"
    row = transactions.agg(
        F.min("business_date").alias("first"),
        F.max("business_date").alias("last"),
        F.count("*").alias("transactions"),
        F.count_if(sale).alias("sales"),
        F.count_if(refund).alias("refunds"),
        F.sum(F.when(sale, F.col("amount"))).alias("sold"),
        F.sum(F.when(refund, F.col("amount"))).alias("refunded"),
        F.count_if(F.col("customer_key").isNull()).alias("anonymous"),
    ).first()
    assert row is not None
    days = (row["last"] - row["first"]).days + 1 if row["first"] else 0
    return {
        "First day": str(row["first"]),
        "Last day": str(row["last"]),
        "Days": f"{days:,}",
        "Transactions": f"{row['transactions']:,}",
        "Sales": f"{row['sales']:,}",
        "Refunds": f"{row['refunds']:,}",
        "Amount sold": f"{row['sold'] or 0:,.2f}",
        "Amount refunded": f"{row['refunded'] or 0:,.2f}",
        "Transactions without a customer": f"{row['anonymous']:,}",
    }, days


def missingness(frame: DataFrame, table: str) -> pd.DataFrame:
    """Share of rows without a value, for each column but bookkeeping; no values are read out."""
    names = [name for name in frame.columns if not name.startswith("_")]
    row = frame.agg(
        F.count("*").alias("_rows"), *(F.count_if(F.col(n).isNull()).alias(n) for n in names)
    ).first()
    assert row is not None
    shares = [row[name] / max(row["_rows"], 1) for name in names]
    return pd.DataFrame({"table": table, "column": names, "share": shares})


def histogram(frame: DataFrame, column: str) -> pd.DataFrame:
    """Rows by bins of equal width from 0 to the 99th percentile: ``from``, ``to``, ``orders``.

    What lies above is left out of the picture: one order of a reseller would flatten all others.
    """
    row = frame.agg(F.percentile_approx(column, 0.99).cast("double").alias("top")).first()
    top = row["top"] if row else None
    if not top or top <= 0:
        return pd.DataFrame(columns=["from", "to", "orders"])
    place = F.floor(F.col(column).cast("double") / top * _HISTOGRAM_BINS)
    counts = (
        frame.where(F.col(column) < top).groupBy(place.alias("bin")).count().toArrow().to_pandas()
    )
    orders = counts.set_index("bin")["count"].reindex(range(_HISTOGRAM_BINS), fill_value=0)
    edges = np.linspace(0, top, _HISTOGRAM_BINS + 1)
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "orders": orders.to_numpy()})


def customer_base(
    customer_days: DataFrame, customers: DataFrame, as_of: date, repeat_days: int
) -> DataFrame:
    """One row a customer who has bought: what concentration, cohorts and repeat rates count.

    Returns:
        ``first_purchase_on``, ``purchases`` (days), ``net_revenue`` (currency), ``category`` and
        ``channel`` of the first purchase day, ``state``, ``watched`` (``repeat_days`` have passed
        since the first purchase) and ``repeated`` (there was another one within them).
    """
    bought = customer_days.where(is_purchase())
    first = bought.groupBy("customer_key").agg(
        F.min("business_date").alias("first_purchase_on"),
        F.min_by("category", "business_date").alias("category"),
        F.min_by("channel", "business_date").alias("channel"),
    )
    since = F.date_diff("business_date", "first_purchase_on")
    totals = (
        customer_days.select(
            "customer_key", "business_date", "net_revenue", is_purchase().alias("purchase")
        )
        .join(first, "customer_key")
        .groupBy("customer_key", "first_purchase_on", "category", "channel")
        .agg(
            F.count_if("purchase").alias("purchases"),
            F.sum("net_revenue").cast("double").alias("net_revenue"),
            F.count_if(F.col("purchase") & (since > 0) & (since <= repeat_days)).alias("again"),
        )
    )
    return (
        totals.join(customers.select("customer_key", "state"), "customer_key", "left")
        .withColumn("watched", F.date_diff(F.lit(as_of), F.col("first_purchase_on")) >= repeat_days)
        .withColumn("repeated", F.col("again") > 0)
        .drop("again", "customer_key")
    )


def _counted(base: DataFrame, column: Column, name: str) -> pd.DataFrame:
    counts = base.groupBy(column.alias(name)).agg(F.count("*").alias("customers"))
    return counts.orderBy(name).toArrow().to_pandas()


def _purchases(base: DataFrame) -> pd.DataFrame:
    return _counted(base, F.least("purchases", F.lit(_LAST_BUCKET)).cast("int"), "purchases")


def _cohorts(base: DataFrame) -> pd.DataFrame:
    return _counted(base, F.trunc("first_purchase_on", "month"), "month")


def correlations(features: DataFrame, most: int = CORRELATION_ROWS) -> pd.DataFrame:
    """Spearman's rank correlation of the numeric features, on ``most`` customers at most.

    Ranks, because amounts and counts are skewed and Pearson's would tell of their largest; each
    pair on the customers who have both. A constant feature correlates with nothing: left out.
    """
    customers = features.count()
    taken = F.pmod(F.xxhash64("customer_key"), F.lit(_PARTS)) < _PARTS * most // max(customers, 1)
    columns = [F.col(name).cast("double").alias(name) for name in NUMERIC_FEATURES]
    sample = features.where(taken).select(*columns).toArrow().to_pandas()
    varied = [name for name in sample if sample[name].nunique() > 1]
    return sample[varied].corr(method="spearman")


def lorenz_curve(base: DataFrame) -> pd.DataFrame:
    """Cumulated share of revenue by cumulated share of customers, the smallest first.

    Customers are binned at quantiles of their revenue, so the curve is exact at its points and
    straight between them. Customers whom refunds left below zero count as zero.
    """
    revenue = F.greatest(F.col("net_revenue"), F.lit(0.0))
    spent = base.select(revenue.alias("revenue"))
    shares = [n / _LORENZ_POINTS for n in range(1, _LORENZ_POINTS)]
    row = spent.agg(F.percentile_approx("revenue", shares).alias("edges")).first()
    edges = sorted(set(row["edges"] or ())) if row else []
    nothing = pd.DataFrame({"customers": [0.0], "revenue": [0.0]})
    if not edges:
        return nothing
    ends = F.array(*map(F.lit, edges))
    bins = spent.groupBy(F.size(F.filter(ends, lambda edge: edge < F.col("revenue"))).alias("bin"))
    sums = bins.agg(F.count("*").alias("customers"), F.sum("revenue").alias("revenue"))
    curve = sums.orderBy("bin").toArrow().to_pandas()[["customers", "revenue"]].cumsum()
    if not curve["revenue"].iloc[-1]:
        return nothing
    return pd.concat([nothing, curve / curve.iloc[-1]], ignore_index=True)


def top_shares(lorenz: pd.DataFrame, shares: Sequence[float] = TOP_SHARES) -> dict[float, float]:
    """Share of the revenue that the customers who bring most bring; empty without revenue."""
    if len(lorenz) < 2:
        return {}
    left = np.interp([1 - share for share in shares], lorenz["customers"], lorenz["revenue"])
    return dict(zip(shares, (1 - left).tolist(), strict=True))


def gini(lorenz: pd.DataFrame) -> float:
    """Gini coefficient of a Lorenz curve: 0 all bring the same, 1 one brings all; NaN for none."""
    if len(lorenz) < 2:
        return float("nan")
    return float(1 - 2 * np.trapezoid(lorenz["revenue"], lorenz["customers"]))


def repeat_rates(
    base: DataFrame, split: str, *, smallest_group: int = SMALLEST_GROUP
) -> pd.DataFrame:
    """Who of the watched customers bought again in time, by the largest values of ``split``.

    Values of fewer than ``smallest_group`` customers are one group, `OTHER`, and none where they
    are fewer together: of a few, who they are and what they did could be read.

    Returns:
        ``split``, ``value``, ``customers``, ``repeated``, ``rate`` and its Wilson interval
        ``low``, ``high`` (Wilson 1927); no rows where the data has no such attribute.
    """
    counted = (
        base.where(F.col("watched") & F.col(split).isNotNull())
        .groupBy(F.col(split).alias("value"))
        .agg(F.count("*").alias("customers"), F.count_if("repeated").alias("repeated"))
    )
    large = F.col("customers") >= smallest_group
    rows = (
        counted.groupBy(F.when(large, F.col("value")).otherwise(OTHER).alias("value"))
        .agg(F.sum("customers").alias("customers"), F.sum("repeated").alias("repeated"))
        .where(large)
        .orderBy(F.desc("customers"), "value")
        .limit(LARGEST_GROUPS)
        .toArrow()
        .to_pandas()
    )
    rows.insert(0, "split", split)
    intervals = [
        binomtest(k, n).proportion_ci(CONFIDENCE, method="wilson")
        for k, n in zip(rows["repeated"].tolist(), rows["customers"].tolist(), strict=True)
    ]
    rows["rate"] = rows["repeated"] / rows["customers"]
    rows["low"] = [interval.low for interval in intervals]
    rows["high"] = [interval.high for interval in intervals]
    return rows
