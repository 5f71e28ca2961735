"""Lifetime value: a purchase model for how often customers come back, Gamma-Gamma for the spend.

Fitting takes *cells*: Spark counts the distinct (frequency, recency, T), and a cell's count is
its weight. That is the same maximum as one row a customer (Fader and Hardie fit CDNOW so), and
only cells reach the driver. The models are in `beta_geometric` and `gamma_gamma`.

Known property: under BG/NBD customers can only leave after a repeat purchase, so a one-time buyer
is alive with probability exactly 1 (lifetimes #165, #212, #239). Their expected purchases are low
all the same; read those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.gold.customer_features import customer_features
from customer360.gold.purchases import is_purchase
from customer360.models.baselines import past_average_purchases
from customer360.models.evaluation import AmountSums, decile_table, order_metrics, prefixed
from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.fitting import (
    Fit,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_pareto_nbd,
    frequency_value_correlation,
)
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.maximise import NotFittedError
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scoring import (
    FIGURES,
    PAST_AVERAGE,
    KnownExpectations,
    KnownScores,
    LifetimeValueModel,
    frozen,
)
from customer360.models.windows import first_purchase_day

SHORTEST_HOLDOUT_DAYS = 14
POPULATION_AVERAGE = "population_average"
CHAMPION = "champion"
ORDER_ROWS = 200_000
"""Holdout customers whose order is judged, at most: a share, by a hash of their key."""
_PARTS = 1_000_000
FREQUENCY_BUCKETS = 7
"""Customers with this many repeat purchases or more share a row of the tracking table."""

Fitter = Callable[[pd.DataFrame, float], Fit[Any]]

FITTERS: dict[str, Fitter] = {
    BgNbd.kind: fit_bg_nbd,
    MbgNbd.kind: fit_mbg_nbd,
    ParetoNbd.kind: fit_pareto_nbd,
}
"""The purchase models there are, the one to take without a holdout to choose by first."""

AUTO = "auto"
"""Choose the purchase model on the holdout."""

SCORE_SCHEMA = ", ".join(
    (
        "as_of date",
        "customer_key string",
        *(f"{name} double" for name in FIGURES),
        "model_name string",
        "model_version string",
    )
)


@dataclass(frozen=True)
class LifetimeValueTraining:
    """All that came out of one training.

    Attributes:
        model: Fitted to everything up to the as-of date: the one to publish.
        calibration_model: Fitted to everything up to the holdout's start: the one judged.
        status: "trained", or "fallback: " and why.
        notes: What else a reader must know.
        parameters: Flat, to log: settings, dates, fitted parameters (``r`` … of the published
            model, ``calibration_r`` … of the judged one, ``calibration_bg_nbd_r`` … of each
            candidate, ``se_r`` … standard errors).
        metrics: Flat: figures on the holdout, ``purchases_*`` and ``revenue_*`` of the model,
            ``candidate_<kind>_purchases_*`` … of those not chosen,
            ``baseline_<name>_purchases_*`` … of the baselines; all a customer where not a total.
        by_frequency: Holdout purchases a customer by past frequency: ``frequency`` (7 = 7 or
            more), ``customers``, ``actual``, ``model``, ``past_average``.
        plots: PNG images by name.
        sample: Some feature rows, as an input example.
        as_of: The as-of date of the published model.
        calibration_as_of: Last day the judged model saw; ``None`` without a holdout.
    """

    model: LifetimeValueModel
    calibration_model: LifetimeValueModel | None
    status: str
    notes: tuple[str, ...]
    parameters: dict[str, float | int | str]
    metrics: dict[str, float]
    by_frequency: pd.DataFrame
    plots: dict[str, bytes]
    sample: pd.DataFrame
    as_of: date
    calibration_as_of: date | None

    @property
    def trained(self) -> bool:
        """False when a fallback stands in for either part."""
        return self.status == "trained"


@dataclass(frozen=True)
class _Counted:
    """What Spark counted for one as-of date; no larger than the number of distinct cells."""

    purchase_cells: pd.DataFrame
    value_cells: pd.DataFrame

    @property
    def mean_order_value(self) -> float:
        """Net revenue of a purchase day over all customers; 0 without any."""
        cells = self.purchase_cells
        purchases = float(((cells["frequency"] + 1) * cells["customers"]).sum())
        return max(float(cells["net_revenue"].sum()), 0.0) / purchases if purchases else 0.0

    @property
    def mean_rate(self) -> float:
        """Repeat purchases a customer and day; 0 without any day."""
        cells = self.purchase_cells
        days = float((cells["T"] * cells["customers"]).sum())
        return float((cells["frequency"] * cells["customers"]).sum()) / days if days else 0.0

    def sample(self, rows: int = 5) -> pd.DataFrame:
        """Feature rows for an input example: cells from the rarest buyer to the keenest."""
        cells = self.purchase_cells
        chosen = cells.iloc[
            np.unique(np.linspace(0, len(cells) - 1, min(rows, len(cells))).astype(int))
        ]
        example = chosen[["frequency", "recency", "T"]].astype("float64")
        example["monetary_value"] = np.where(
            chosen["frequency"] > 0, round(self.mean_order_value, 2), 0.0
        )
        return example.reset_index(drop=True)


@dataclass
class _Fitted:
    model: LifetimeValueModel
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    parameters: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


MODEL_FEATURES = ("frequency", "recency", "T", "monetary_value")


def purchase_cells(features: DataFrame) -> DataFrame:
    """Count customers by (as_of, frequency, recency, T): what BG/NBD needs to know, exactly.

    ``net_revenue`` is the cell's sum, as a decimal so that it does not depend on the rows' order.
    """
    return features.groupBy("as_of", "frequency", "recency", "T").agg(
        F.count("*").alias("customers"),
        F.sum(F.col("net_revenue").cast("decimal(18,2)")).cast("double").alias("net_revenue"),
    )


def value_cells(features: DataFrame) -> DataFrame:
    """Count repeat buyers by (as_of, frequency, spend on them in cents): for Gamma-Gamma, exactly.

    The spend is counted and not its mean: a mean rounded to cents is not the mean (rounding half
    cents up moves CDNOW's parameters in their fourth digit), and unrounded it is a cell a customer.
    """
    spent = F.round(F.col("monetary_value") * F.col("frequency"), 2)
    return (
        features.where(F.col("frequency") > 0)
        .groupBy("as_of", "frequency", spent.alias("spent"))
        .agg(F.count("*").alias("customers"))
        .select(
            "as_of",
            "frequency",
            (F.col("spent") / F.col("frequency")).alias("monetary_value"),
            "customers",
        )
    )


def _counted(features: DataFrame, dates: Sequence[date]) -> dict[date, _Counted]:
    # Sorted: sums of floats depend on order, and the same data must give the same parameters.
    purchases = purchase_cells(features).toArrow().to_pandas()
    purchases = purchases.sort_values(["as_of", "frequency", "recency", "T"])
    values = value_cells(features).toArrow().to_pandas()
    values = values.sort_values(["as_of", "frequency", "monetary_value"])
    return {
        day: _Counted(
            purchases[purchases["as_of"] == day].drop(columns="as_of"),
            values[values["as_of"] == day].drop(columns="as_of"),
        )
        for day in dates
    }


def _fitted(
    counted: _Counted, kind: str, time_unit_days: int, annual_discount_rate: float
) -> _Fitted:
    """Fit both parts, each falling back by itself with its reason."""
    how_often: BgNbd | MbgNbd | ParetoNbd | None = None
    gg: GammaGamma | None = None
    how_often_covariance = gg_covariance = None
    cells, spend = counted.purchase_cells, counted.value_cells
    found = _Fitted(LifetimeValueModel(time_unit_days, None, None, counted.mean_order_value))
    found.metrics["customers"] = float(cells["customers"].sum())
    found.metrics["repeat_buyers"] = float(cells.loc[cells["frequency"] > 0, "customers"].sum())
    try:
        purchases = FITTERS[kind](cells, time_unit_days)
    except NotFittedError as error:
        found.reasons.append(f"{error}; each customer's past average is carried on instead")
    else:
        how_often, how_often_covariance = purchases.model, frozen(purchases.covariance)
        found.notes.extend(purchases.notes)
        found.parameters |= asdict(purchases.model)
        found.parameters |= {f"se_{k}": v for k, v in purchases.standard_errors.items()}
        found.metrics[f"{kind}_log_likelihood"] = purchases.log_likelihood
    try:
        values = fit_gamma_gamma(spend)
    except NotFittedError as error:
        found.reasons.append(f"{error}; each customer's mean order value is used instead")
    else:
        gg, gg_covariance = values.model, frozen(values.covariance)
        found.notes.extend(values.notes)
        found.parameters |= asdict(gg)
        found.parameters |= {f"se_{k}": v for k, v in values.standard_errors.items()}
        found.metrics["gamma_gamma_log_likelihood"] = values.log_likelihood
        found.metrics["population_mean_order_value"] = gg.population_mean
    found.metrics["frequency_value_correlation"] = frequency_value_correlation(spend)
    found.model = LifetimeValueModel(
        time_unit_days,
        how_often,
        gg,
        counted.mean_order_value,
        annual_discount_rate,
        how_often_covariance,
        gg_covariance,
    )
    return found


def _holdout_outcomes(customer_days: DataFrame, after: date, until: date) -> DataFrame:
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


def _error_sums(name: str, amount: str) -> Any:
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
    holdout_days: int,
    mean_rate: float,
) -> tuple[dict[str, dict[str, float]], pd.DataFrame, dict[str, pd.DataFrame]]:
    """Judge models on the days after their calibration, beside the baselines, in one pass.

    Baselines: ``past_average`` (each customer's own rate and mean spend carried on) and
    ``population_average`` (everybody the mean rate and mean spend). Purchases are those of
    `customer360.gold.purchases`; actual revenue has refunds deducted. Customers whose first
    purchase is in the holdout belong to neither side.

    Args:
        features: ``gold/customer_features`` at ``calibration_as_of``.
        customer_days: ``silver/customer_days``.
        models: By name, each fitted to the data up to ``calibration_as_of`` only.
        calibration_as_of: Last day the models saw.
        holdout_days: Days after it to judge by.
        mean_rate: Repeat purchases a customer and day of the calibration, for the baseline.

    Returns:
        Figures (``purchases_*``, ``revenue_*``) by name of model and baseline; purchases a
        customer by past frequency: ``frequency`` (7 = 7 or more), ``customers``, ``actual`` and a
        column for each model and baseline; and, by name, revenue by tenth of what was expected
        (see `decile_table`). Order and tenths are those of `ORDER_ROWS` customers at most.
    """
    known_customers = features.where(F.col("as_of") == F.lit(calibration_as_of))
    population_purchases = mean_rate * holdout_days
    names = (*models, PAST_AVERAGE, POPULATION_AVERAGE)
    mean_order_value = next(iter(models.values())).mean_order_value
    columns = [(name, amount) for name in names for amount in ("purchases", "revenue")]
    schema = "bucket int, drawn int, actual_purchases double, actual_revenue double, " + ", ".join(
        f"{name}_{amount} double" for name, amount in columns
    )

    def expected(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        ahead = (float(holdout_days),)
        known = {
            name: KnownExpectations(model.purchases, model.time_unit_days, ahead)
            for name, model in models.items()
            if model.purchases
        }
        for batch in batches:
            by_past = past_average_purchases(batch["frequency"], batch["T"], holdout_days)
            past_value = np.maximum(batch["net_revenue"], 0.0) / batch["purchase_days"]
            found = {
                "bucket": np.minimum(batch["frequency"], FREQUENCY_BUCKETS),
                "drawn": batch["drawn"],
                "actual_purchases": batch["actual_purchases"],
                "actual_revenue": batch["actual_revenue"],
            }
            for name, model in models.items():
                by_model = model.expected_purchases(batch, ahead, known.get(name))[:, 0]
                found[f"{name}_purchases"] = by_model
                found[f"{name}_revenue"] = by_model * model.expected_order_value(batch)
            yield pd.DataFrame(
                {
                    **found,
                    f"{PAST_AVERAGE}_purchases": by_past,
                    f"{PAST_AVERAGE}_revenue": by_past * past_value,
                    f"{POPULATION_AVERAGE}_purchases": population_purchases,
                    f"{POPULATION_AVERAGE}_revenue": population_purchases * mean_order_value,
                }
            )

    outcomes = _holdout_outcomes(
        customer_days, calibration_as_of, calibration_as_of + timedelta(days=holdout_days)
    )
    joined = (
        known_customers.select("customer_key", *MODEL_FEATURES, "net_revenue", "purchase_days")
        .join(outcomes, "customer_key", "left")
        .select(
            *MODEL_FEATURES,
            "net_revenue",
            "purchase_days",
            F.coalesce(F.col("actual_purchases").cast("double"), F.lit(0.0)).alias(
                "actual_purchases"
            ),
            F.coalesce("actual_revenue", F.lit(0.0)).alias("actual_revenue"),
            F.pmod(F.hash("customer_key"), F.lit(_PARTS)).alias("drawn"),
        )
    )
    judged = joined.mapInPandas(expected, schema).persist()
    try:
        buckets = (
            judged.groupBy("bucket")
            .agg(*(_error_sums(name, amount) for name, amount in columns))
            .orderBy("bucket")
            .collect()
        )
        customers = sum(bucket[f"{PAST_AVERAGE}_purchases"]["customers"] for bucket in buckets)
        taken = min(_PARTS, _PARTS * ORDER_ROWS // max(customers, 1))
        sample = judged.where(F.col("drawn") < taken).drop("bucket", "drawn").toArrow().to_pandas()
    finally:
        judged.unpersist()
    metrics: dict[str, dict[str, float]] = {name: {} for name in names}
    for name, amount in columns:
        rows = [bucket[f"{name}_{amount}"].asDict() for bucket in buckets]
        if rows:
            total = AmountSums.of({key: sum(row[key] for row in rows) for key in rows[0]})
            metrics[name] |= prefixed(amount, total.metrics())
        came = sample[f"actual_{amount}"]
        metrics[name] |= prefixed(amount, order_metrics(sample[f"{name}_{amount}"], came))
    deciles = {
        name: decile_table(sample[f"{name}_revenue"], sample["actual_revenue"]) for name in names
    }
    table = pd.DataFrame(
        [
            {
                "frequency": bucket["bucket"],
                "customers": bucket[f"{PAST_AVERAGE}_purchases"]["customers"],
                "actual": bucket[f"{PAST_AVERAGE}_purchases"]["actual"],
                **{name: bucket[f"{name}_purchases"]["expected"] for name in names},
            }
            for bucket in buckets
        ],
        columns=["frequency", "customers", "actual", *names],
    )
    for column in ("actual", *names):
        table[column] = table[column] / table["customers"]
    return metrics, table, deciles


@dataclass
class _Judged:
    """The purchase models tried on the calibration period, and which of them did best."""

    chosen: _Fitted
    parameters: dict[str, float | int | str]
    metrics: dict[str, float]
    notes: list[str]
    table: pd.DataFrame
    deciles: pd.DataFrame


def _judged(
    features: DataFrame,
    customer_days: DataFrame,
    counted: _Counted,
    kinds: Sequence[str],
    calibration_as_of: date,
    holdout_days: int,
    time_unit_days: int,
    annual_discount_rate: float,
    champion: LifetimeValueModel | None,
) -> _Judged:
    """Fit each kind on the calibration period; the lowest RMSE of purchases on the holdout wins.

    What is judged are expectations, and the mean squared error is what an expectation minimises.
    """
    tried = {kind: _fitted(counted, kind, time_unit_days, annual_discount_rate) for kind in kinds}
    fitted = {kind: found for kind, found in tried.items() if found.model.purchases}
    notes = [
        f"{kind} is not among the candidates: {found.reasons[0]}"
        for kind, found in tried.items()
        if fitted and kind not in fitted
    ]
    # With no candidate at all the fallback is judged, under the name of the first.
    candidates = fitted or {kinds[0]: tried[kinds[0]]}
    figures, table, deciles = evaluate(
        features,
        customer_days,
        {kind: found.model for kind, found in candidates.items()}
        | ({CHAMPION: champion} if champion else {}),
        calibration_as_of,
        holdout_days,
        counted.mean_rate,
    )
    best = min(candidates, key=lambda kind: figures[kind].get("purchases_rmse", np.inf))
    chosen = candidates[best]
    parameters: dict[str, float | int | str] = {
        "calibration_as_of": calibration_as_of.isoformat(),
        "calibration_model": chosen.model.kind,
        **{f"calibration_{name}": value for name, value in chosen.parameters.items()},
    }
    metrics = {f"calibration_{name}": value for name, value in chosen.metrics.items()}
    for kind, found in fitted.items():
        if found.model.purchases:
            own = asdict(found.model.purchases)
            parameters |= {f"calibration_{kind}_{name}": value for name, value in own.items()}
        likelihood = f"{kind}_log_likelihood"
        metrics[f"calibration_{likelihood}"] = found.metrics[likelihood]
    metrics |= figures[best]
    for kind in candidates:
        if kind != best:
            metrics |= prefixed(f"candidate_{kind}", figures[kind])
    if champion:
        metrics |= prefixed(CHAMPION, figures[CHAMPION])
    for baseline in (PAST_AVERAGE, POPULATION_AVERAGE):
        metrics |= prefixed(f"baseline_{baseline}", figures[baseline])
    notes += [f"on the calibration period: {why}" for why in chosen.reasons + chosen.notes]
    table = table.rename(columns={best: "model"})
    columns = ["frequency", "customers", "actual", "model", PAST_AVERAGE]
    return _Judged(chosen, parameters, metrics, notes, table[columns], deciles[best])


def _alive_histogram(model: LifetimeValueModel, cells: pd.DataFrame) -> pd.DataFrame:
    """Repeat buyers by twentieth of their probability alive, from the cells."""
    repeat = cells[cells["frequency"] > 0]
    edges = np.linspace(0, 1, 21)
    counts, _ = np.histogram(
        model.probability_alive(repeat), bins=edges, weights=repeat["customers"]
    )
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "customers": counts})


def train(
    customer_days: DataFrame,
    as_of: date,
    *,
    model: str = AUTO,
    holdout_days: int = 273,
    time_unit_days: int = 7,
    annual_discount_rate: float = 0.10,
    champion: tuple[LifetimeValueModel, date] | None = None,
) -> LifetimeValueTraining:
    """Calibrate, judge on the holdout, then refit to everything up to ``as_of`` for publishing.

    A part that cannot be fitted (too few who came back, no convergence) is replaced by a stated
    fallback; the training never fails for want of data.

    Args:
        customer_days: ``silver/customer_days``.
        as_of: Last day used.
        model: Purchase model, one of `FITTERS`; `AUTO` takes the one that does best on the
            holdout, BG/NBD without a holdout.
        holdout_days: Days before ``as_of`` kept for judging; shortened to half of the history
            when that is less, and said so in ``notes``.
        time_unit_days: Days in one unit of model time: 7 gives the literature's weekly figures.
        annual_discount_rate: For the discounted value.
        champion: The judged model of the champion's own training, and the last day that it saw:
            judged on the same holdout, as ``champion_*``, unless it has seen some of it.
    """
    first = first_purchase_day(customer_days, as_of)
    days_seen = (as_of - first).days + 1 if first else 0
    notes: list[str] = []
    holdout = min(holdout_days, days_seen // 2)
    if holdout < SHORTEST_HOLDOUT_DAYS:
        holdout = 0
        notes.append(f"not validated: {days_seen} days of history leave no holdout")
    elif holdout < holdout_days:
        notes.append(
            f"holdout shortened from {holdout_days} to {holdout} days: half of the history"
        )
    calibration_as_of = as_of - timedelta(days=holdout) if holdout else None

    dates = [as_of] if calibration_as_of is None else [calibration_as_of, as_of]
    features = (
        customer_features(customer_days, dates)
        .select("as_of", "customer_key", *MODEL_FEATURES, "net_revenue", "purchase_days")
        .persist()
    )
    try:
        counted = _counted(features, dates)
        kinds = tuple(FITTERS) if model == AUTO else (model,)
        judged: _Judged | None = None
        if calibration_as_of:
            judged = _judged(
                features,
                customer_days,
                counted[calibration_as_of],
                kinds,
                calibration_as_of,
                holdout,
                time_unit_days,
                annual_discount_rate,
                champion[0] if champion and champion[1] <= calibration_as_of else None,
            )
            notes += judged.notes
        how_often = judged.chosen.model.purchases if judged else None
        published = _fitted(
            counted[as_of],
            how_often.kind if how_often else kinds[0],
            time_unit_days,
            annual_discount_rate,
        )
        metrics = dict(published.metrics)
        parameters: dict[str, float | int | str] = {
            "as_of": as_of.isoformat(),
            "holdout_days": holdout,
            "time_unit_days": time_unit_days,
            "annual_discount_rate": annual_discount_rate,
            "purchase_cells": len(counted[as_of].purchase_cells),
            "model": published.model.kind,
            **published.parameters,
        }
        table = pd.DataFrame(columns=["frequency", "customers", "actual", "model", PAST_AVERAGE])
        if judged:
            parameters |= judged.parameters
            metrics |= judged.metrics
            table = judged.table
    finally:
        features.unpersist()

    from customer360.models import plots  # matplotlib is not for the workers that score

    pictures: dict[str, bytes] = {}
    if len(table):
        pictures["purchases_by_frequency"] = plots.purchases_by_frequency(table, holdout)
    if judged and len(judged.deciles):
        pictures["revenue_by_decile"] = plots.revenue_by_decile(judged.deciles, holdout)
    cells = counted[as_of].purchase_cells
    if published.model.purchases and (cells["frequency"] > 0).any():
        pictures["probability_alive"] = plots.probability_alive(
            _alive_histogram(published.model, cells), as_of
        )
    return LifetimeValueTraining(
        model=published.model,
        calibration_model=judged.chosen.model if judged else None,
        status=f"fallback: {'; '.join(published.reasons)}" if published.reasons else "trained",
        notes=tuple(published.notes + notes),
        parameters=parameters,
        metrics={name: float(value) for name, value in metrics.items() if np.isfinite(value)},
        by_frequency=table,
        plots=pictures,
        sample=counted[as_of].sample(),
        as_of=as_of,
        calibration_as_of=calibration_as_of,
    )


def score(
    features: DataFrame, model: LifetimeValueModel, model_name: str, model_version: str
) -> DataFrame:
    """``gold/lifetime_value`` for every row of ``gold/customer_features``.

    Args:
        features: Columns ``as_of``, ``customer_key``, ``frequency``, ``recency``, ``T`` (days)
            and ``monetary_value`` (currency).
        model: What to score with.
        model_name: Written beside every score.
        model_version: Likewise.

    Returns:
        The columns of `SCORE_SCHEMA`: ``probability_alive`` (0 to 1), purchases, and amounts in
        the currency, each with its 90 % interval; null where nothing is known, as with the
        past-average fallback.
    """

    def scored(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        known = KnownScores(model)
        for batch in batches:
            found = model.predict(batch, known)
            found.insert(0, "customer_key", batch["customer_key"])
            found.insert(0, "as_of", batch["as_of"])
            found["model_name"] = model_name
            found["model_version"] = model_version
            yield found

    wanted = features.select("as_of", "customer_key", *MODEL_FEATURES)
    made = wanted.mapInPandas(scored, SCORE_SCHEMA)
    # pandas knows no null in a float column: the NaN of "not known" becomes one here.
    return made.withColumns({name: F.nanvl(name, F.lit(None)) for name in FIGURES})
