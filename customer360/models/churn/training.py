"""One training from history to a judged model, with everything to log about it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.gold.rare_values import SMALLEST_GROUP
from customer360.models.baselines import AliveBaseline, Floats
from customer360.models.campaign import Campaign
from customer360.models.churn.choosing import choose
from customer360.models.churn.distributed import Trainer, grown_on_spark, trains_on_spark
from customer360.models.churn.features import (
    FEATURES,
    design_matrix,
    frequent_categories,
)
from customer360.models.churn.fitting import (
    Grow,
    fallback,
    fit_xgboost,
    importance_by_gain,
    threads_for,
    why_not,
)
from customer360.models.churn.judging import judged_metrics, pictures
from customer360.models.churn.model import LEARNT_KINDS, RISK_HIGH, RISK_MEDIUM, ChurnModel
from customer360.models.churn.rows import history_cells, labelled_rows, sampled_rows
from customer360.models.evaluation import calibration_table
from customer360.models.examples import made_up_customers
from customer360.models.leakage import LeakReport, check_leaks
from customer360.models.lifetime_value.fitting import fit_bg_nbd
from customer360.models.lifetime_value.maximise import NotFittedError
from customer360.models.notes import Note
from customer360.models.profit import profit_curve
from customer360.models.sampling import DatedRows, every_nth
from customer360.models.training import Training
from customer360.models.windows import (
    AsOfGrid,
    ChurnWindows,
    as_of_grid,
    choose_windows,
    first_purchase_day,
)

log = logging.getLogger(__name__)

LEAK_ROWS = 50_000
"""The leak check looks at so many rows of all dates."""

VALUE_AT_STAKE = "net_revenue_365d"
"""What is lost with a customer who leaves: a year like the last one. Known for everybody and in
currency, where what is published as ``value_at_stake`` would need the other model."""

ALIVE_UNIT_DAYS = 7
"""The buying model among the baselines counts in weeks."""


@dataclass(frozen=True, kw_only=True)
class ChurnTraining(Training[ChurnModel]):
    """All that came out of one training; the model that was tested is the one to publish.

    Attributes:
        windows: The definition's windows and where they came from.
        grid: The as-of dates; ``None`` when the history is too short for them.
        metrics: Flat: ``test_*`` of the model, with ``_low`` and ``_high`` the edges of a 90 %
            bootstrap interval, ``baseline_hiatus_rule_*``,
            ``baseline_recency_ranking_*``, ``baseline_base_rate_*``,
            ``baseline_logistic_regression_*`` and ``baseline_probability_alive_*`` on the same
            test rows; ``profit_*`` of the campaign.
        calibration: Test rows by tenth of risk: ``group``, ``customers``, ``predicted``,
            ``observed``.
        feature_importance: Share of the trees' total gain by feature; empty for a fallback.
        as_of: Day the training was made for; the last label's horizon ends there.
    """

    windows: ChurnWindows
    grid: AsOfGrid | None
    calibration: pd.DataFrame
    feature_importance: dict[str, float]
    leaks: LeakReport = field(default_factory=LeakReport)

    @property
    def definition(self) -> str:
        """Who churns, by the windows, and the date it was tested on."""
        tested = f"; tested on {self.grid.test}" if self.grid else ""
        return self.windows.describe() + tested


@dataclass(frozen=True, kw_only=True)
class ChurnOptions:
    """What a training may be told; nothing of it comes from the data.

    Attributes:
        horizon_days: Overrides the data's own horizon.
        activity_days: Overrides the data's own activity window.
        max_training_rows: Rows (customer x as-of date) on the driver, at most, to learn from and
            again to test on.
        smallest_group: Customers that must share a text for the model to know it.
        risk_thresholds: Churn probabilities from which the risk is "medium" and "high".
        campaign: What keeping a customer costs and brings; for the profit curve.
        parameters: Override `XGBOOST_PARAMETERS`.
        seed: Same seed, same data: same model.
        nthread: Threads for XGBoost, at most; all cores when not given.
        trainer: Where the trees grow: "local" in this process, on the sample; "spark" by
            `xgboost.spark`, on all rows; "auto" on a cluster when there are more than
            ``max_training_rows``, as `trains_on_spark` says.
    """

    horizon_days: int | None = None
    activity_days: int | None = None
    max_training_rows: int = 1_000_000
    smallest_group: int = SMALLEST_GROUP
    risk_thresholds: tuple[float, float] = (RISK_MEDIUM, RISK_HIGH)
    campaign: Campaign = field(default_factory=Campaign)
    parameters: Mapping[str, float | int | str] | None = None
    seed: int = 0
    nthread: int | None = None
    trainer: Trainer = "auto"


DEFAULTS = ChurnOptions()


def train(
    customer_days: DataFrame,
    as_of: date,
    options: ChurnOptions = DEFAULTS,
    *,
    alive: AliveBaseline | None = None,
    champion: ChurnModel | None = None,
) -> ChurnTraining:
    """Train on earlier as-of dates, stop early on a later one, test on the latest.

    Never fails for want of data: with too few rows or one class the result is a fallback, and
    its status says which and why.

    Args:
        customer_days: ``silver/customer_days``.
        as_of: Last day used; the test date is one horizon before it.
        options: Windows, limits and costs.
        alive: A buying model that knows nothing later than the newest training date, to be a
            baseline; BG/NBD is fitted when not given.
        champion: The model in use: judged on the same test rows, as ``champion_*``, if it was
            trained on the same features and means the same by churn.

    Raises:
        TrainerError: ``options.trainer`` is "spark" in a Spark Connect session, or in one with
            dynamic allocation.
    """
    windows = choose_windows(
        customer_days,
        as_of,
        horizon_days=options.horizon_days,
        activity_days=options.activity_days,
    )
    first = first_purchase_day(customer_days, as_of)
    grid = as_of_grid(first, as_of, windows) if first else None
    if grid is None:
        return _too_short(customer_days, as_of, windows, options)

    without_alive: tuple[Note, ...] = ()
    if alive is None:
        log.info("churn: fitting the buying model to compare with")
        alive, without_alive = fitted_alive(history_cells(customer_days, grid.training[0]))
    log.info("churn: gathering the customers active on %d dates", len(grid.dates))
    labelled = labelled_rows(customer_days, grid.dates, windows).persist()
    try:
        frame, sizes = sampled_rows(
            labelled, grid, options.max_training_rows, options.smallest_group
        )
        teaching = sum(count for day, count in sizes.items() if day != grid.test)
        on_spark = trains_on_spark(options.trainer, labelled, teaching, options.max_training_rows)
        taught = labelled.where(F.col("as_of") != F.lit(grid.test))
        training = train_on_rows(
            DatedRows.of(frame, grid, sum(sizes.values())),
            windows,
            as_of,
            options,
            alive=alive,
            grow=partial(grown_on_spark, taught, grid.validation) if on_spark else None,
            champion=champion,
        )
    finally:
        labelled.unpersist()
    on_spark = training.parameters.get("trainer") == "spark"
    by_spark = (Note("trees_by_spark", {"rows": teaching}),) if on_spark else ()
    return replace(
        training,
        notes=(*training.notes, *by_spark, *without_alive),
        parameters=training.parameters | {"max_training_rows": options.max_training_rows},
    )


def fitted_alive(cells: pd.DataFrame) -> tuple[AliveBaseline | None, tuple[Note, ...]]:
    """The baseline of the probability alive, or why it cannot be had.

    Args:
        cells: From `history_cells`.
    """
    try:
        return AliveBaseline(fit_bg_nbd(cells, ALIVE_UNIT_DAYS).model, ALIVE_UNIT_DAYS), ()
    except NotFittedError as error:
        return None, (Note("no_probability_alive", {"why": error.note}),)


def train_on_rows(
    rows: DatedRows,
    windows: ChurnWindows,
    as_of: date,
    options: ChurnOptions = DEFAULTS,
    *,
    alive: AliveBaseline | None = None,
    grow: Grow | None = None,
    champion: ChurnModel | None = None,
) -> ChurnTraining:
    """`train` from labelled rows in memory on: no Spark from here.

    Args:
        rows: Labelled rows: ``as_of``, ``churned``, the features.
        windows: The definition's windows.
        as_of: Day the training is made for.
        options: As for `train`; its windows are not looked at.
        alive: A buying model fitted before the validation date, to be a baseline.
        grow: Grows the trees elsewhere, on all rows; see `fit_xgboost`.
        champion: As for `train`.
    """
    leaks = _leaks(rows, options)
    fitted = _fitted(rows, _empty_model(windows, options), options, grow)
    model, grid = fitted.model, rows.grid
    others = _others(fitted, rows, alive)
    judged = rows.test if model.kind != "none" else rows.test.head(0)
    predicted = model.probabilities(judged)
    notes = (*rows.notes(), *leaks.notes())
    comparable = champion if champion and _comparable(champion, model) else None
    if champion and not comparable:
        notes = (*notes, Note("champion_reads_other_features"))
    log.info("churn: judging on %d rows of %s", len(judged), grid.test)
    value = judged[VALUE_AT_STAKE].astype(float).clip(lower=0)
    curve = (
        profit_curve(predicted * value, options.campaign, judged["churned"] * value)
        if len(judged)
        else None
    )
    table = calibration_table(judged["churned"], predicted)
    return ChurnTraining(
        model=model,
        because=fitted.because,
        notes=notes,
        windows=windows,
        grid=grid,
        parameters=_facts(windows, as_of, options)
        | rows.parameters()
        | options.campaign.parameters()
        | fitted.facts,
        metrics=leaks.metrics()
        | fitted.metrics
        | judged_metrics(model, predicted, judged, others, comparable)
        | (curve.metrics() if curve else {}),
        calibration=table,
        feature_importance=fitted.importance,
        plots=pictures(model, predicted, judged, table, fitted.importance, grid, others, curve),
        sample=made_up_customers(FEATURES),
        as_of=as_of,
        leaks=leaks,
    )


@dataclass(frozen=True)
class _Fitted:
    """The trees, or the fallback that stands in for them, and what there is to say of it."""

    model: ChurnModel
    because: tuple[Note, ...]
    facts: dict[str, float | int | str]
    metrics: dict[str, float] = field(default_factory=dict)
    importance: dict[str, float] = field(default_factory=dict)
    models: Mapping[str, ChurnModel] = field(default_factory=dict)


def _fitted(
    rows: DatedRows, empty: ChurnModel, options: ChurnOptions, grow: Grow | None
) -> _Fitted:
    reason = why_not(rows.learn, rows.validate)
    if reason is not None:
        model, instead = fallback(empty, rows.teaching, rows.learn, rows.validate)
        return _Fitted(model, (reason, instead), _kind_of(model))
    log.info("churn: growing trees on %d rows", len(rows.learn))
    fit = fit_xgboost(
        rows.learn,
        rows.validate,
        parameters=options.parameters,
        seed=options.seed,
        nthread=options.nthread,
        grow=grow,
    )
    choice = choose(rows, fit, empty)
    log.info("churn: chose %s on the validation date", choice.kind)
    return _Fitted(
        choice.model,
        (),
        fit.facts() | _kind_of(choice.model),
        fit.metrics() | choice.metrics(),
        importance_by_gain(fit.booster),
        choice.models,
    )


def _kind_of(model: ChurnModel) -> dict[str, float | int | str]:
    facts: dict[str, float | int | str] = {"model": model.kind}
    if model.hiatus:
        facts["hiatus_rule_days"] = model.hiatus.threshold_days
    return facts


def _leaks(rows: DatedRows, options: ChurnOptions) -> LeakReport:
    """Whether a feature, as the model sees it, knows who will leave."""
    checked = every_nth(rows.labelled, LEAK_ROWS)
    return check_leaks(
        design_matrix(checked, frequent_categories(rows.learn)),
        checked["churned"],
        checked["as_of"] == rows.grid.training[0],
        checked["as_of"] == rows.grid.test,
        seed=options.seed,
        nthread=threads_for(len(checked), options.nthread),
    )


def _others(fitted: _Fitted, rows: DatedRows, alive: AliveBaseline | None) -> dict[str, Floats]:
    """Churn probabilities of the test rows by models that are only compared with.

    The rules are the model's own to compare with: see `judged_metrics`.
    """
    others = {
        kind: fitted.models[kind].probabilities(rows.test)
        for kind in LEARNT_KINDS
        if kind in fitted.models
    }
    if alive is not None:
        others["probability_alive"] = alive.scores(rows.test)
    return others


def _comparable(champion: ChurnModel, model: ChurnModel) -> bool:
    """Whether the champion can be judged on the other's test rows.

    Windows may differ: they come from the data, and a week more must not open the gate.
    """
    return champion.kind != "none" and champion.features == model.features


def _empty_model(windows: ChurnWindows, options: ChurnOptions) -> ChurnModel:
    medium, high = options.risk_thresholds
    return ChurnModel(
        "none", windows.horizon_days, windows.activity_days, risk_medium=medium, risk_high=high
    )


def _facts(
    windows: ChurnWindows, as_of: date, options: ChurnOptions
) -> dict[str, float | int | str]:
    medium, high = options.risk_thresholds
    return {
        "as_of": as_of.isoformat(),
        **windows.parameters(),
        "risk_medium_from": medium,
        "risk_high_from": high,
        "seed": options.seed,
    }


def _too_short(
    customer_days: DataFrame, as_of: date, windows: ChurnWindows, options: ChurnOptions
) -> ChurnTraining:
    """History without room for separate dates: one date teaches a fallback, nothing is tested."""
    only = as_of - timedelta(days=windows.horizon_days)
    alone = AsOfGrid((only,), only, only)
    labelled = labelled_rows(customer_days, [only], windows)
    frame, _ = sampled_rows(labelled, alone, options.max_training_rows, options.smallest_group)
    model, instead = fallback(_empty_model(windows, options), frame)
    return ChurnTraining(
        model=model,
        because=(
            Note(
                "too_short_for_window",
                {
                    "history": windows.history_days,
                    "window": windows.activity_days,
                    "horizon": windows.horizon_days,
                },
            ),
            instead,
        ),
        notes=(Note("not_tested"),),
        windows=windows,
        grid=None,
        parameters={
            **_facts(windows, as_of, options),
            "model": model.kind,
            "training_rows": len(frame),
        },
        metrics={},
        calibration=calibration_table([], []),
        feature_importance={},
        plots={},
        sample=made_up_customers(FEATURES),
        as_of=as_of,
    )
