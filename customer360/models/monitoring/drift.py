"""Drift: how far the distribution of a feature or score has moved since the champion's training.

The measure is the population stability index, the sum over bins of (p - q) ln(p / q) for the
shares p of now and q of the reference. It is Jeffreys' symmetric divergence; no installed library
has it on counts that Spark made, and it is one line of numpy.

Sources: thresholds as in Siddiqi 2006, "Credit Risk Scorecards", and what chance alone gives as in
Yurdakul and Naranjo 2020, "Statistical properties of the population stability index", Journal of
Risk Model Validation 14(4): with B bins and samples of n and m, PSI / (1/n + 1/m) is close to a
chi-square with B - 1 degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from scipy.stats import chi2

MODERATE_SHIFT = 0.1
"""Below it a distribution counts as stable."""

SHIFTED = 0.25
"""Above it a distribution counts as shifted; between the two the shift is moderate."""

SMALLEST_SHARE = 1e-4
"""A share below this counts as this: an empty bin has no logarithm."""

NUMERIC_BINS = 10
MOST_CATEGORIES = 30
"""Categories with a bin of their own, the most frequent; the others share one."""

CHANCE = 0.99
"""How rarely an unchanged distribution exceeds ``psi_by_chance``: once in a hundred."""

_QUANTILE_ACCURACY = 1_000
"""Quantiles are off by a thousandth of the rows at most; a tenth is a hundred times that."""


@dataclass(frozen=True)
class NumericProfile:
    """How a numeric feature was distributed.

    Attributes:
        name: The feature.
        edges: Ascending upper edges of all bins but the last, each in the bin it ends.
        shares: Share of the customers in each bin; the first is that of the nulls.
    """

    name: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]

    @property
    def bins(self) -> int:
        """How many there are, that of the nulls included."""
        return len(self.edges) + 2

    def bin(self) -> Column:
        """Number of the bin that a customer is in: 0 for null."""
        value = _number(self.name)
        edges = F.array(*map(F.lit, self.edges)).cast("array<double>")
        place = F.size(F.filter(edges, lambda edge: edge < value)) + 1
        return F.when(value.isNull(), 0).otherwise(place)


@dataclass(frozen=True)
class CategoricalProfile:
    """How a categorical feature was distributed.

    Attributes:
        name: The feature.
        categories: Those with a bin of their own, most frequent first.
        shares: Share of the customers in each bin: nulls first, then the categories, then all
            others, those that the reference never saw included.
    """

    name: str
    categories: tuple[str, ...]
    shares: tuple[float, ...]

    @property
    def bins(self) -> int:
        """How many there are, those of the nulls and of all others included."""
        return len(self.categories) + 2

    def bin(self) -> Column:
        """Number of the bin that a customer is in: 0 for null."""
        value = F.col(self.name)
        known = F.array(*map(F.lit, self.categories)).cast("array<string>")
        place = F.array_position(known, value)
        other = len(self.categories) + 1
        return F.when(value.isNull(), 0).when(place > 0, place.cast("int")).otherwise(other)


@dataclass(frozen=True)
class Profile:
    """How the features of a reference population were distributed; plain values, a few kilobytes.

    Attributes:
        customers: How many customers it was made from.
        numeric: The numeric features.
        categorical: The categorical features.
    """

    customers: int
    numeric: tuple[NumericProfile, ...] = ()
    categorical: tuple[CategoricalProfile, ...] = ()

    @property
    def features(self) -> tuple[NumericProfile | CategoricalProfile, ...]:
        """The features that are compared, numbers first."""
        return (*self.numeric, *self.categorical)


def reference_profile(
    frame: DataFrame, numeric: Sequence[str], categorical: Sequence[str] = ()
) -> Profile:
    """Describe the distribution of each feature of the reference.

    Three passes whatever the number of features: all quantiles, all frequent categories, then
    the counts of all bins.

    Args:
        frame: One row a customer.
        numeric: Columns cut at their deciles; a value that fills a tenth has its own bin, so a
            constant has one below and one above it.
        categorical: Columns with a bin for each of the `MOST_CATEGORIES` most frequent values.
    """
    shares = [n / NUMERIC_BINS for n in range(NUMERIC_BINS + 1)]
    quantiles = frame.agg(
        *(
            F.percentile_approx(_number(name), shares, F.lit(_QUANTILE_ACCURACY)).alias(name)
            for name in numeric
        ),
        F.count("*").alias("_customers"),
    ).first()
    assert quantiles is not None
    profiles = [NumericProfile(name, _edges(quantiles[name]), ()) for name in numeric]
    categories = _frequent_categories(frame, categorical)
    named = [CategoricalProfile(name, categories[name], ()) for name in categorical]
    customers = int(quantiles["_customers"])
    counted = _bin_counts(frame.withColumn("as_of", F.lit(None).cast("date")), [*profiles, *named])
    counts = {feature: rows for (_, feature), rows in _by_feature(counted)}

    def share(feature: NumericProfile | CategoricalProfile) -> tuple[float, ...]:
        return tuple((_counts_of(feature, counts.get(feature.name)) / max(customers, 1)).tolist())

    return Profile(
        customers,
        tuple(NumericProfile(p.name, p.edges, share(p)) for p in profiles),
        tuple(CategoricalProfile(p.name, p.categories, share(p)) for p in named),
    )


def psi(profile: Profile, frame: DataFrame) -> pd.DataFrame:
    """Compare snapshots with the reference, all features and dates in one pass.

    Args:
        profile: The reference.
        frame: Columns ``as_of`` and the profile's features; one row a customer and date.

    Returns:
        One row an ``as_of`` and ``feature``: ``customers`` of the snapshot,
        ``reference_customers``, ``psi``, ``psi_by_chance`` (an unchanged distribution exceeds it
        once in a hundred; small samples differ without any reason) and ``shift``: "stable" below
        `MODERATE_SHIFT` and up to what chance gives, "shifted" above `SHIFTED`, else "moderate".
    """
    known = {feature.name: feature for feature in profile.features}
    rows = []
    for (as_of, name), counts in _by_feature(_bin_counts(frame, profile.features)):
        now = _counts_of(known[name], counts)
        reference = np.asarray(known[name].shares)
        customers = int(now.sum())
        index = population_stability_index(reference, now / customers)
        used = int(((now > 0) | (reference > 0)).sum())
        chance = _by_chance(used, customers, profile.customers)
        rows.append(
            {
                "as_of": as_of,
                "feature": name,
                "customers": customers,
                "reference_customers": profile.customers,
                "psi": index,
                "psi_by_chance": chance,
                "shift": _level(index, chance),
            }
        )
    columns = ["as_of", "feature", "customers", "reference_customers"]
    columns += ["psi", "psi_by_chance", "shift"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["as_of", "feature"], ignore_index=True)


def population_stability_index(reference: ArrayLike, now: ArrayLike) -> float:
    """The index of two lists of shares, bin by bin; 0 when they are equal.

    >>> round(population_stability_index([0.5, 0.5], [0.6, 0.4]), 4)
    0.0405
    """
    q = np.maximum(np.asarray(reference, dtype=float), SMALLEST_SHARE)
    p = np.maximum(np.asarray(now, dtype=float), SMALLEST_SHARE)
    return float(np.sum((p - q) * np.log(p / q)))


def _by_chance(bins: int, customers: int, reference_customers: int) -> float:
    if bins < 2 or not customers or not reference_customers:
        return 0.0
    return float(chi2.ppf(CHANCE, bins - 1) * (1 / customers + 1 / reference_customers))


def _level(index: float, chance: float) -> str:
    if index < MODERATE_SHIFT or index <= chance:
        return "stable"
    return "shifted" if index > SHIFTED else "moderate"


def _edges(quantiles: Sequence[float] | None) -> tuple[float, ...]:
    """Distinct deciles; a value of a whole tenth of the customers or more has its own bin."""
    if not quantiles:
        return ()
    atoms = {low for low, high in pairwise(quantiles) if low == high}
    below = {float(np.nextafter(atom, -np.inf)) for atom in atoms}
    return tuple(sorted(below | atoms | set(quantiles[1:-1])))


def _frequent_categories(frame: DataFrame, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    frequent: dict[str, list[str]] = {name: [] for name in names}
    if names:
        pairs = [F.struct(F.lit(n).alias("feature"), F.col(n).alias("value")) for n in names]
        counted = frame.select(F.inline(F.array(*pairs))).groupBy("feature", "value").count()
        most = Window.partitionBy("feature").orderBy(F.desc("count"), "value")
        ranked = counted.where("value IS NOT NULL").withColumn("rank", F.row_number().over(most))
        for row in ranked.where(F.col("rank") <= MOST_CATEGORIES).orderBy("rank").collect():
            frequent[row["feature"]].append(row["value"])
    return {name: tuple(values) for name, values in frequent.items()}


def _number(name: str) -> Column:
    """The column as a number; what is not a number is not known."""
    return F.nanvl(F.col(name).cast("double"), F.lit(None).cast("double"))


def _bin_counts(
    frame: DataFrame, features: Sequence[NumericProfile | CategoricalProfile]
) -> pd.DataFrame:
    """Customers by ``as_of``, ``feature`` and ``bin``: one row a bin that is not empty."""
    if not features:
        return pd.DataFrame(columns=["as_of", "feature", "bin", "count"])
    placed = [F.struct(F.lit(f.name).alias("feature"), f.bin().alias("bin")) for f in features]
    return (
        frame.select("as_of", F.inline(F.array(*placed)))
        .groupBy("as_of", "feature", "bin")
        .count()
        .toArrow()
        .to_pandas()
    )


def _by_feature(counted: pd.DataFrame) -> list[tuple[tuple[object, str], pd.Series[int]]]:
    """Counts by bin, for each as-of date (null for a reference) and feature."""
    grouped = counted.groupby(["as_of", "feature"], dropna=False)
    return [
        ((as_of, str(feature)), rows.set_index("bin")["count"])
        for (as_of, feature), rows in grouped
    ]


def _counts_of(
    feature: NumericProfile | CategoricalProfile, counts: pd.Series[int] | None
) -> np.ndarray:
    """Customers in each bin of the feature, empty ones included."""
    customers = np.zeros(feature.bins)
    if counts is not None:
        customers[counts.index.to_numpy(dtype=int)] = counts.to_numpy(dtype=float)
    return customers
