"""One training of lifetime value: a purchase model for how often, Gamma-Gamma for how much.

Fitting takes *cells*: Spark counts the distinct (frequency, recency, T), and a cell's count is
its weight. That is the same maximum as one row a customer (Fader and Hardie fit CDNOW so), and
only cells reach the driver. The models are in `beta_geometric` and `gamma_gamma`.

Known property: under BG/NBD customers can only leave after a repeat purchase, so a one-time buyer
is alive with probability exactly 1 (lifetimes #165, #212, #239). Their expected purchases are low
all the same; read those.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.gold.customer_features import customer_features
from customer360.models.baselines import NAIVE_RULES, NaiveRules
from customer360.models.evaluation import prefixed
from customer360.models.lifetime_value import diagnostics
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
from customer360.models.lifetime_value.purchase_model import PurchaseModel
from customer360.models.lifetime_value.scoring import (
    FIGURES,
    KnownScores,
    LifetimeValueModel,
    frozen,
)
from customer360.models.lifetime_value.validation import (
    HOLDOUT_FEATURES,
    MODEL_FEATURES,
    evaluate,
    hiatus_days,
    repeat_purchase_counts,
)
from customer360.models.notes import Note
from customer360.models.training import Training
from customer360.models.windows import first_purchase_day

log = logging.getLogger(__name__)

SHORTEST_HOLDOUT_DAYS = 14
CHAMPION = "champion"

EXACT_REPEAT_BUYERS = 500_000
"""Repeat buyers up to whom every spend is a cell of its own: 12 MB on the driver."""

VALUE_STEPS = 500
"""Parts of a doubling of spend, beyond that: a seventh of a per cent each."""

PAST_AVERAGE_MODEL = "fallback"
"""Name among the candidates of the model without a fit: each customer's past average."""

_CARRIED_ON = Note("past_average_is_carried_on")
_BETTER = Note("used_all_the_same")
_MEAN_ORDER = Note("mean_order_value_is_used")

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


@dataclass(frozen=True, kw_only=True)
class LifetimeValueTraining(Training[LifetimeValueModel]):
    """All that came out of one training.

    Attributes:
        model: Fitted to everything up to the as-of date: the one to publish.
        calibration_model: Fitted to everything up to the holdout's start: the one judged.
        parameters: Flat, to log: settings, dates, fitted parameters (``r`` … of the published
            model, ``calibration_r`` … of the judged one, ``calibration_bg_nbd_r`` … of each
            candidate, ``se_r`` … standard errors).
        metrics: Flat: figures on the holdout, ``purchases_*`` and ``revenue_*`` of the model,
            ``candidate_<kind>_purchases_*`` … of those not chosen,
            ``baseline_<name>_purchases_*`` … of the naive rules; all a customer where not a
            total. ``tracking_calibration_*`` and ``tracking_holdout_*``: repeat purchases of the
            calibration's customers by the end of each, ``actual`` and ``expected``.
            ``buyers_calibration_error``: see `diagnostics.calibration_error`.
        tables: What the plots show, by name: ``purchases_by_frequency``, ``purchases_by_recency``,
            ``revenue_by_decile``, ``tracking``, ``frequency_histogram``,
            ``buyers_by_probability_alive`` and ``probability_alive``, of those that there are;
            columns as in `diagnostics` and `decile_table`.
        as_of: The as-of date of the published model.
        calibration_as_of: Last day the judged model saw; ``None`` without a holdout.
    """

    calibration_model: LifetimeValueModel | None
    tables: dict[str, pd.DataFrame]
    calibration_as_of: date | None

    @property
    def judged(self) -> tuple[LifetimeValueModel, date] | None:
        """The model fitted to the calibration period, and its last day; ``None`` without one."""
        if self.calibration_model is None or self.calibration_as_of is None:
            return None
        return self.calibration_model, self.calibration_as_of

    @property
    def definition(self) -> str:
        """Which model was fitted up to when, and the days that it was judged on."""
        facts = self.parameters
        return (
            f"{facts.get('calibration_model', 'nothing')} fitted up to "
            f"{facts.get('calibration_as_of', self.as_of)}; purchases and net revenue of the "
            f"{facts['holdout_days']} days after"
        )


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
    fallbacks: list[tuple[Note, Note]] = field(default_factory=list)  # why, and what instead
    notes: list[Note] = field(default_factory=list)
    parameters: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def purchase_cells(features: DataFrame) -> DataFrame:
    """Count customers by (as_of, frequency, recency, T): what BG/NBD needs to know, exactly.

    ``net_revenue`` is the cell's sum, as a decimal so that it does not depend on the rows' order.
    """
    return features.groupBy("as_of", "frequency", "recency", "T").agg(
        F.count("*").alias("customers"),
        F.sum(F.col("net_revenue").cast("decimal(18,2)")).cast("double").alias("net_revenue"),
    )


def value_cells(features: DataFrame, *, exact: bool = True) -> DataFrame:
    """Count repeat buyers by (as_of, frequency, spend on them): for Gamma-Gamma.

    The spend is counted and not its mean: a mean rounded to cents is not the mean (rounding half
    cents up moves CDNOW's parameters in their fourth digit), and unrounded it is a cell a customer.

    Args:
        features: ``gold/customer_features``.
        exact: A cell for every spend in cents, which may be nearly one a customer. Otherwise one
            for every `VALUE_STEPS`-th part of a doubling, with its customers' mean spend: however
            many customers there are, there are no more cells than that, and the parameters keep
            five digits.
    """
    cents = F.round(F.col("monetary_value") * F.col("frequency") * 100).cast("long")
    step = cents if exact else F.floor(F.log2(F.greatest(cents, F.lit(1))) * VALUE_STEPS)
    # Refunds can leave no spend or less; such cells are counted too, and left out of the fit.
    positive = cents > 0
    return (
        features.where(F.col("frequency") > 0)
        .groupBy("as_of", "frequency", step.alias("step"), positive.alias("positive"))
        .agg(F.count("*").alias("customers"), F.sum(cents).alias("cents"))
        .select(
            "as_of",
            "frequency",
            (F.col("cents") / 100 / F.col("customers") / F.col("frequency")).alias(
                "monetary_value"
            ),
            "customers",
        )
    )


def _counted(features: DataFrame, dates: Sequence[date]) -> dict[date, _Counted]:
    # Sorted: sums of floats depend on order, and the same data must give the same parameters.
    purchases = purchase_cells(features).toArrow().to_pandas()
    purchases = purchases.sort_values(["as_of", "frequency", "recency", "T"])
    repeat = purchases[purchases["frequency"] > 0].groupby("as_of")["customers"].sum()
    few = int(repeat.max() if len(repeat) else 0) <= EXACT_REPEAT_BUYERS
    values = value_cells(features, exact=few).toArrow().to_pandas()
    values = values.sort_values(["as_of", "frequency", "monetary_value"])
    return {
        day: _Counted(
            purchases[purchases["as_of"] == day].drop(columns="as_of"),
            values[values["as_of"] == day].drop(columns="as_of"),
        )
        for day in dates
    }


def _fitted(
    counted: _Counted,
    kind: str,
    time_unit_days: int,
    annual_discount_rate: float,
    *,
    at_boundary: bool = False,
) -> _Fitted:
    """Fit both parts, each falling back by itself with its reason.

    Args:
        counted: What was counted of one as-of date.
        kind: Purchase model.
        time_unit_days: Days in a unit of model time.
        annual_discount_rate: For the discounted values.
        at_boundary: Take purchases at a boundary of their likelihood too, saying so.
    """
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
        found.fallbacks.append((error.note, _CARRIED_ON))
    else:
        inside = purchases.status == "fitted"
        found.notes.extend(purchases.notes if inside else purchases.notes[1:])
        found.metrics[f"{kind}_log_likelihood"] = purchases.log_likelihood
        if inside or at_boundary:
            how_often, how_often_covariance = purchases.model, frozen(purchases.covariance)
            found.parameters |= asdict(purchases.model)
            found.parameters |= {f"se_{k}": v for k, v in purchases.standard_errors.items()}
        if not inside:
            instead = _BETTER if at_boundary else _CARRIED_ON
            found.fallbacks.append((purchases.notes[0], instead))
    try:
        values = fit_gamma_gamma(spend)
    except NotFittedError as error:
        found.fallbacks.append((error.note, _MEAN_ORDER))
    else:
        inside = values.status == "fitted"
        found.notes.extend(values.notes if inside else values.notes[1:])
        found.metrics["gamma_gamma_log_likelihood"] = values.log_likelihood
        if inside:
            gg, gg_covariance = values.model, frozen(values.covariance)
            found.parameters |= asdict(gg)
            found.parameters |= {f"se_{k}": v for k, v in values.standard_errors.items()}
            found.metrics["population_mean_order_value"] = gg.population_mean
        else:
            found.fallbacks.append((values.notes[0], _MEAN_ORDER))
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


def _why(fallen_back: _Fitted) -> Note:
    """Why a model's purchases could not be fitted."""
    return fallen_back.fallbacks[0][0]


def _first_fitted(
    counted: _Counted,
    kinds: Sequence[str],
    time_unit_days: int,
    annual_discount_rate: float,
    *,
    at_boundary: bool = False,
) -> _Fitted:
    """The first of ``kinds`` whose purchases can be fitted, with why those before it could not.

    When none can: the first of them at its boundary, if that is allowed, else the fallback with
    the reason of the first. Arguments as for `_fitted`.
    """
    tried: list[tuple[str, _Fitted]] = []
    for kind in kinds:
        found = _fitted(counted, kind, time_unit_days, annual_discount_rate)
        if found.model.purchases:
            found.notes += [
                Note("in_place_of", {"rival": other, "why": _why(one)}) for other, one in tried
            ]
            return found
        tried.append((kind, found))
    if at_boundary:
        return _fitted(counted, kinds[0], time_unit_days, annual_discount_rate, at_boundary=True)
    return tried[0][1]


@dataclass
class _Judged:
    """The purchase models tried on the calibration period, and which of them did best.

    ``at_boundary`` says that no model inside its boundary could be had, and that this one did
    better than past averages all the same.
    """

    chosen: _Fitted
    at_boundary: bool
    parameters: dict[str, float | int | str]
    metrics: dict[str, float]
    notes: list[Note]
    tables: dict[str, pd.DataFrame]


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
    log.info("lifetime value: fitting %s up to %s", ", ".join(kinds), calibration_as_of)
    tried = {kind: _fitted(counted, kind, time_unit_days, annual_discount_rate) for kind in kinds}
    fitted = {kind: found for kind, found in tried.items() if found.model.purchases}
    notes = [
        Note("not_a_candidate", {"rival": kind, "why": _why(found)})
        for kind, found in tried.items()
        if fitted and kind not in fitted
    ]
    edge: dict[str, _Fitted] = {}
    if not fitted:
        at_boundary = {
            kind: _fitted(counted, kind, time_unit_days, annual_discount_rate, at_boundary=True)
            for kind in kinds
        }
        edge = {kind: found for kind, found in at_boundary.items() if found.model.purchases}
    candidates = fitted or edge | {PAST_AVERAGE_MODEL: tried[kinds[0]]}
    rules = NaiveRules(
        holdout_days,
        int(counted.purchase_cells["T"].max()),
        counted.mean_rate,
        counted.mean_order_value,
        hiatus_days(customer_days, calibration_as_of),
    )
    log.info("lifetime value: judging on the %d days that follow", holdout_days)
    result = evaluate(
        features,
        customer_days,
        {kind: found.model for kind, found in candidates.items()}
        | ({CHAMPION: champion} if champion else {}),
        calibration_as_of,
        rules,
    )
    figures = result.metrics
    best = min(candidates, key=lambda kind: figures[kind].get("purchases_rmse", np.inf))
    chosen = candidates[best]
    parameters: dict[str, float | int | str] = {
        "calibration_as_of": calibration_as_of.isoformat(),
        "calibration_model": chosen.model.kind,
        **{f"calibration_{name}": value for name, value in chosen.parameters.items()},
    }
    if np.isfinite(rules.hiatus_days):
        parameters["baseline_hiatus_rule_days"] = rules.hiatus_days
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
    for baseline in NAIVE_RULES:
        metrics |= prefixed(f"baseline_{baseline}", figures[baseline])
    notes += [
        Note("calibrated_by_fallback", {"why": why, "instead": instead})
        for why, instead in chosen.fallbacks
    ]
    notes += [Note("on_calibration", {"why": note}) for note in chosen.notes]
    tables = {
        "purchases_by_frequency": diagnostics.purchases_by_frequency(
            result.cells, chosen.model, holdout_days
        ),
        "purchases_by_recency": diagnostics.purchases_by_recency(
            result.cells, chosen.model, holdout_days
        ),
        "revenue_by_decile": result.deciles[best],
    }
    if chosen.model.purchases:
        until = calibration_as_of + timedelta(days=holdout_days)
        more, found_metrics = _against_the_model(
            chosen.model.purchases,
            time_unit_days,
            counted.purchase_cells,
            result.cells,
            repeat_purchase_counts(customer_days, calibration_as_of, until),
            holdout_days,
        )
        tables |= more
        metrics |= found_metrics
    return _Judged(chosen, best in edge, parameters, metrics, notes, tables)


def _against_the_model(
    purchases: PurchaseModel,
    time_unit_days: int,
    calibration_cells: pd.DataFrame,
    holdout_cells: pd.DataFrame,
    repeat_purchases: pd.DataFrame,
    holdout_days: int,
) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """Tables and figures that only a model of purchases has."""
    days = diagnostics.repeat_purchases_by_day(
        calibration_cells, purchases, time_unit_days, repeat_purchases, holdout_days
    )
    buyers = diagnostics.buyers_by_probability_alive(
        holdout_cells, purchases, time_unit_days, holdout_days
    )
    tables = {
        "tracking": diagnostics.tracking_by_week(days),
        "frequency_histogram": diagnostics.frequency_histogram(
            calibration_cells, purchases, time_unit_days
        ),
        "buyers_by_probability_alive": buyers,
    }
    metrics = diagnostics.tracking_metrics(days)
    metrics["buyers_calibration_error"] = diagnostics.calibration_error(buyers)
    return tables, metrics


def _pictures(
    tables: Mapping[str, pd.DataFrame], holdout_days: int, as_of: date
) -> dict[str, bytes]:
    """The plots of those tables that have rows, as PNG images by name."""
    from customer360.models import plots  # matplotlib is not for the workers that score

    draw: dict[str, Callable[[pd.DataFrame], bytes]] = {
        "purchases_by_frequency": lambda table: plots.purchases_by_frequency(table, holdout_days),
        "purchases_by_recency": lambda table: plots.purchases_by_recency(table, holdout_days),
        "frequency_histogram": plots.frequency_histogram,
        "buyers_by_probability_alive": lambda table: plots.buyers_by_probability_alive(
            table, holdout_days
        ),
        "revenue_by_decile": lambda table: plots.revenue_by_decile(table, holdout_days),
        "probability_alive": lambda table: plots.probability_alive(table, as_of),
    }
    shown = {name: table for name, table in tables.items() if len(table)}
    drawn = {name: plot(shown[name]) for name, plot in draw.items() if name in shown}
    if "tracking" in shown:
        drawn["tracking_weekly"] = plots.tracking_weekly(shown["tracking"])
        drawn["tracking_cumulative"] = plots.tracking_cumulative(shown["tracking"])
    return drawn


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
    notes: list[Note] = []
    holdout = min(holdout_days, days_seen // 2)
    if holdout < SHORTEST_HOLDOUT_DAYS:
        holdout = 0
        notes.append(Note("not_validated", {"history": days_seen}))
    elif holdout < holdout_days:
        notes.append(Note("holdout_shortened", {"wanted": holdout_days, "days": holdout}))
    calibration_as_of = as_of - timedelta(days=holdout) if holdout else None

    dates = [as_of] if calibration_as_of is None else [calibration_as_of, as_of]
    features = (
        customer_features(customer_days, dates)
        .select("as_of", "customer_key", *HOLDOUT_FEATURES)
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
        best = how_often.kind if how_often else kinds[0]
        published = _first_fitted(
            counted[as_of],
            (best, *(kind for kind in kinds if kind != best)),
            time_unit_days,
            annual_discount_rate,
            at_boundary=bool(judged and judged.at_boundary),
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
        tables: dict[str, pd.DataFrame] = {}
        if judged:
            parameters |= judged.parameters
            metrics |= judged.metrics
            tables |= judged.tables
    finally:
        features.unpersist()

    cells = counted[as_of].purchase_cells
    if published.model.purchases and (cells["frequency"] > 0).any():
        tables["probability_alive"] = diagnostics.alive_histogram(cells, published.model)
    return LifetimeValueTraining(
        model=published.model,
        calibration_model=judged.chosen.model if judged else None,
        because=tuple(note for pair in published.fallbacks for note in pair),
        notes=tuple(published.notes + notes),
        parameters=parameters,
        metrics={name: float(value) for name, value in metrics.items() if np.isfinite(value)},
        tables=tables,
        plots=_pictures(tables, holdout, as_of),
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
