"""One training from history to a judged model, with everything to log about it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pandas as pd
from pyspark.sql import DataFrame

from customer360.errors import Customer360Error
from customer360.gold.rare_values import SMALLEST_GROUP
from customer360.models.baselines import YEAR_DAYS
from customer360.models.churn.fitting import threads_for
from customer360.models.evaluation import decile_table
from customer360.models.examples import made_up_customers
from customer360.models.leakage import LeakReport, check_leaks
from customer360.models.notes import Note
from customer360.models.revenue.choosing import blended, choose, choose_rule
from customer360.models.revenue.features import FEATURES, typed_features
from customer360.models.revenue.fitting import (
    OBJECTIVES,
    by_rules,
    fit_candidates,
    fit_mean,
    preprocessing,
    tuned,
    unit_of,
    why_not,
)
from customer360.models.revenue.judging import (
    NEW_CUSTOMER_DAYS,
    importance,
    judged_metrics,
    pictures,
)
from customer360.models.revenue.model import RevenueModel
from customer360.models.revenue.rows import BuyingHistory, labelled_rows, sampled_rows
from customer360.models.revenue.rules import RULES, year_days_of
from customer360.models.sampling import DatedRows, every_nth
from customer360.models.training import Training
from customer360.models.windows import WEEK, AsOfGrid, first_purchase_day, horizon_grid

log = logging.getLogger(__name__)

DEFAULT_HORIZON_DAYS = 91
"""A quarter, which finance plans by, in whole weeks, so that weekdays weigh the same."""

HORIZONS_OF_HISTORY = 4
"""Labels of three dates that do not overlap, and one horizon of buying before the first."""

LEAK_ROWS = 50_000
"""The leak check looks at so many rows of all dates."""


class HorizonError(Customer360Error):
    """A horizon was asked for that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class RevenueTraining(Training[RevenueModel]):
    """All that came out of one training; the model that was tested is the one to publish.

    Attributes:
        horizon_days: Days ahead that are predicted.
        grid: The as-of dates; ``None`` when the history is too short for them.
        metrics: Flat: see `judged_metrics`; ``validation_<kind>_rmse`` by which the model was
            chosen; ``leak_*``.
        deciles: Test customers by tenth of expected revenue: see `decile_table`.
        importance: Rise of the RMSE by shuffled feature; empty when none is looked at.
        as_of: Day the training was made for; the last label's horizon ends there.
    """

    horizon_days: int
    grid: AsOfGrid | None
    deciles: pd.DataFrame
    importance: dict[str, float]
    leaks: LeakReport = field(default_factory=LeakReport)

    @property
    def definition(self) -> str:
        """Whose revenue of which days, the date it was tested on, and which kind was chosen."""
        target = f"net revenue of the next {self.horizon_days} days, of all who had bought"
        tested = f"; tested on {self.grid.test}; chosen: {self.model.kind}" if self.grid else ""
        return target + tested


def horizon_for(history_days: int, wanted_days: int = DEFAULT_HORIZON_DAYS) -> int:
    """The horizon: as wanted, or as many whole weeks as a short history has room for.

    Args:
        history_days: Days from the first purchase to the as-of date.
        wanted_days: As set.

    Returns:
        Days; at least a week, which a history below four weeks has no room for either.

    Raises:
        HorizonError: Less than one day is wanted.
    """
    if wanted_days < 1:
        raise HorizonError(f"revenue horizon is {wanted_days} days; give at least 1")
    room = history_days // HORIZONS_OF_HISTORY
    if wanted_days <= room:
        return wanted_days
    return min(wanted_days, max(room // WEEK * WEEK, WEEK))


def training_dates(
    customer_days: DataFrame, as_of: date, horizon_days: int = DEFAULT_HORIZON_DAYS
) -> tuple[tuple[date, ...], int]:
    """The as-of dates that a training at ``as_of`` takes its rows from, and their horizon in days.

    The last of them tests, the one before it validates.
    """
    _, horizon, grid = _dates(customer_days, as_of, horizon_days)
    return grid.dates if grid else (_newest(as_of, horizon).validation,), horizon


def _dates(
    customer_days: DataFrame, as_of: date, horizon_days: int
) -> tuple[int, int, AsOfGrid | None]:
    """Days of history, the horizon it has room for, and the dates if it has room for three."""
    first = first_purchase_day(customer_days, as_of)
    history_days = (as_of - first).days if first else 0
    horizon = horizon_for(history_days, horizon_days)
    return history_days, horizon, horizon_grid(first, as_of, horizon, horizon) if first else None


def _newest(as_of: date, horizon: int) -> AsOfGrid:
    """Without room for three dates, the newest labels still tell the mean."""
    return AsOfGrid((), as_of - timedelta(days=horizon), as_of)


@dataclass(frozen=True, kw_only=True)
class RevenueOptions:
    """What a training may be told; nothing of it comes from the data.

    Attributes:
        horizon_days: Days ahead to predict; fewer where the history is short: see `horizon_for`.
        max_training_rows: Rows (customer x as-of date) on the driver, at most, to learn from and
            again to test on. As doubles, with a hundred columns, 200,000 are 160 MB, and a few
            times that while fitting.
        smallest_group: Customers that must share a text for the model to know it.
        seed: Same seed, same data: same model.
        nthread: Threads for XGBoost, at most; all cores when not given.
    """

    horizon_days: int = DEFAULT_HORIZON_DAYS
    max_training_rows: int = 200_000
    smallest_group: int = SMALLEST_GROUP
    seed: int = 0
    nthread: int | None = None


DEFAULTS = RevenueOptions()


def train(
    history: BuyingHistory,
    as_of: date,
    options: RevenueOptions = DEFAULTS,
    *,
    champion: RevenueModel | None = None,
) -> RevenueTraining:
    """Learn on earlier as-of dates, choose on a later one, test on the latest.

    Rows are all customers with a purchase by the as-of date, new and old, so that everybody can
    be scored; the first order says most of the new, the buying since of the old, and the age T
    tells the trees which is which. The figures are given for new customers alone too.

    Never fails for want of data: with too few rows or buyers the result is the mean, or the rule
    of thumb that was nearer on the validation date, and its status says so and why.

    Args:
        history: What everybody did.
        as_of: Last day used; the test date is one horizon before it.
        options: What it is told.
        champion: The model in use: judged on the same test rows, as ``champion_*``, if it was
            trained on the same features and looks as many days ahead.

    Raises:
        HorizonError: The horizon is below one day.
    """
    history_days, horizon, grid = _dates(history.customer_days, as_of, options.horizon_days)
    notes: tuple[Note, ...] = ()
    if horizon != options.horizon_days:
        days = {"days": horizon, "wanted": options.horizon_days, "history": history_days}
        notes = (Note("horizon_shortened", days),)
    alone = _newest(as_of, horizon)
    dates = grid.dates if grid else (alone.validation,)
    log.info("revenue: gathering the customers of %d dates", len(dates))
    rows = labelled_rows(history, dates, horizon).persist()
    try:
        frame, sizes = sampled_rows(
            rows, grid or alone, options.max_training_rows, options.smallest_group
        )
    finally:
        rows.unpersist()
    if grid is None:
        return _too_short(frame, as_of, horizon, history_days, options.seed, notes)
    training = train_on_rows(
        DatedRows.of(frame, grid, sum(sizes.values())),
        horizon,
        as_of,
        seed=options.seed,
        nthread=options.nthread,
        champion=champion,
    )
    return replace(
        training,
        notes=(*notes, *training.notes),
        parameters={
            **training.parameters,
            "history_days": history_days,
            "max_training_rows": options.max_training_rows,
        },
    )


def train_on_rows(
    rows: DatedRows,
    horizon_days: int,
    as_of: date,
    *,
    seed: int = 0,
    nthread: int | None = None,
    champion: RevenueModel | None = None,
) -> RevenueTraining:
    """`train` from labelled rows in memory on: no Spark from here.

    Args:
        rows: Labelled rows: ``as_of``, ``revenue``, ``bought``, the features.
        horizon_days: Days ahead of the labels.
        as_of: Day the training is made for.
        seed: As of `RevenueOptions`.
        nthread: As of `RevenueOptions`.
        champion: As for `train`.
    """
    reason = why_not(rows.learn, rows.validate)
    if reason is None:
        fitted = _fitted(rows, horizon_days, seed, nthread)
    else:
        fitted = _fitted_rule(rows, horizon_days, reason)
    model, grid = fitted.model, rows.grid
    judged = rows.test if model.kind != "none" else rows.test.head(0)
    predicted = model.at(year_days_of(judged)).predict(judged)
    notes = (*rows.notes(), *fitted.notes)
    comparable = champion if champion and _same_target(champion, model) else None
    if champion and not comparable:
        notes = (*notes, Note("champion_predicts_something_else"))
    log.info("revenue: judging on %d rows of %s", len(judged), grid.test)
    shuffled = importance(model, judged, seed)
    return RevenueTraining(
        # By then the business has a history of the horizon more.
        model=model.at(min(YEAR_DAYS, year_days_of(rows.test) + horizon_days)),
        because=fitted.because,
        notes=notes,
        horizon_days=horizon_days,
        grid=grid,
        parameters=_facts(as_of, horizon_days, seed)
        | rows.parameters()
        | dict(fitted.parameters)
        | {"model": model.kind},
        metrics=fitted.metrics
        | judged_metrics(model, predicted, judged, fitted.models, comparable),
        deciles=decile_table(predicted, judged["revenue"]),
        importance=shuffled[0],
        plots=pictures(model, predicted, judged, grid, shuffled),
        sample=made_up_customers(FEATURES),
        as_of=as_of,
        leaks=fitted.leaks,
    )


@dataclass(frozen=True)
class _Fitted:
    """The candidates fitted to all teaching rows, and which of them was chosen."""

    model: RevenueModel
    models: Mapping[str, RevenueModel]
    because: tuple[Note, ...] = ()
    parameters: Mapping[str, float | int | str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    leaks: LeakReport = field(default_factory=LeakReport)


def _fitted(rows: DatedRows, horizon_days: int, seed: int, nthread: int | None) -> _Fitted:
    """Tune on the validation date and choose by it, then fit again to all teaching rows."""
    learn, validate = rows.learn, rows.validate
    log.info("revenue: tuning and fitting the candidates on %d rows", len(learn))
    threads = threads_for(len(learn), nthread)
    unit = unit_of(learn)
    settings = {kind: tuned(kind, learn, validate, unit, seed, threads) for kind in OBJECTIVES}
    rivals = fit_candidates(learn, horizon_days, settings, seed=seed, nthread=nthread).models
    choice = choose(rivals, validate)
    log.info("revenue: chose %s on the validation date", choice.kind)
    candidates = fit_candidates(rows.teaching, horizon_days, settings, seed=seed, nthread=nthread)
    models = candidates.models | {"blend": blended(candidates.models, choice.weights)}
    leaks = _leaks(rows, seed, nthread)
    notes = leaks.notes()
    if choice.kind == "mean":
        notes = (*notes, Note("mean_is_nearest"))
    return _Fitted(
        models[choice.kind],
        models,
        (),
        {**candidates.parameters(), **choice.parameters()},
        choice.metrics() | leaks.metrics(),
        notes,
        leaks,
    )


def _fitted_rule(rows: DatedRows, horizon_days: int, reason: Note) -> _Fitted:
    """The mean or a rule of thumb, by the validation date, where nothing can be learnt."""
    mean = fit_mean(rows.teaching, horizon_days)
    if mean.kind == "none":
        return _Fitted(mean, {}, (reason, _instead(mean)))
    models = by_rules(mean)
    kind, metrics = mean.kind, dict[str, float]()
    if len(rows.learn) and rows.validate["bought"].any():
        choice = choose_rule(by_rules(fit_mean(rows.learn, horizon_days)), rows.validate)
        kind, metrics = choice.kind, choice.metrics()
    chosen = models[kind]
    return _Fitted(chosen, models, (reason, _instead(chosen)), {}, metrics)


def _leaks(rows: DatedRows, seed: int, nthread: int | None) -> LeakReport:
    """Whether a feature, as the models see it, knows who will buy."""
    checked = every_nth(rows.labelled, LEAK_ROWS)
    prepare = preprocessing().fit(typed_features(every_nth(rows.learn, LEAK_ROWS)))
    matrix = pd.DataFrame(
        prepare.transform(typed_features(checked)), columns=prepare.get_feature_names_out()
    )
    # XGBoost refuses [, ] and < in a feature's name.
    matrix.columns = [name.translate(str.maketrans("[]<", "()_")) for name in matrix.columns]
    return check_leaks(
        matrix,
        checked["bought"],
        checked["as_of"] == rows.grid.training[0],
        checked["as_of"] == rows.grid.test,
        seed=seed,
        nthread=threads_for(len(checked), nthread),
        classes="buyers_from_others",
    )


def _same_target(champion: RevenueModel, model: RevenueModel) -> bool:
    """Whether the champion can be judged on the other's test rows."""
    same = (champion.horizon_days, champion.features) == (model.horizon_days, model.features)
    return champion.kind != "none" and same


def _facts(as_of: date, horizon_days: int, seed: int) -> dict[str, float | int | str]:
    return {
        "as_of": as_of.isoformat(),
        "horizon_days": horizon_days,
        "customers": "all with a purchase by the as-of date",
        "new_customer_days": NEW_CUSTOMER_DAYS,
        "seed": seed,
    }


def _instead(model: RevenueModel) -> Note:
    if model.kind in RULES:
        return Note("rule_is_carried_on", {"rival": model.kind})
    return Note("nothing_is_predicted" if model.kind == "none" else "mean_is_predicted")


def _too_short(
    frame: pd.DataFrame,
    as_of: date,
    horizon_days: int,
    history_days: int,
    seed: int,
    notes: tuple[Note, ...],
) -> RevenueTraining:
    """History without room for separate dates: one date tells the mean, nothing is tested."""
    model = fit_mean(frame, horizon_days)
    facts: Mapping[str, float | int | str] = _facts(as_of, horizon_days, seed)
    return RevenueTraining(
        model=model,
        because=(
            Note(
                "too_short_for_horizons",
                {"history": history_days, "horizons": HORIZONS_OF_HISTORY, "horizon": horizon_days},
            ),
            _instead(model),
        ),
        notes=(*notes, Note("not_tested")),
        horizon_days=horizon_days,
        grid=None,
        parameters={
            **facts,
            "history_days": history_days,
            "model": model.kind,
            "training_rows": len(frame),
        },
        metrics={},
        deciles=decile_table([], []),
        importance={},
        plots={},
        sample=made_up_customers(FEATURES),
        as_of=as_of,
    )
