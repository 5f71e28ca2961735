"""One training of lifetime value: a purchase model for how often, Gamma-Gamma for how much.

`cells` counts the customers, `candidates` fits the models to them, `choosing` chooses among these
and rules of thumb on days before the holdout, `judging` judges the choice on the holdout; the
models are in `beta_geometric`, `pareto_nbd` and `gamma_gamma`, what rules say beside in `blend`.

Known property: under BG/NBD customers can only leave after a repeat purchase, so a one-time buyer
is alive with probability exactly 1 (lifetimes #165, #212, #239). Their expected purchases are low
all the same; read those.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from customer360.gold.customer_features import customer_features
from customer360.models.examples import made_up_customers
from customer360.models.lifetime_value import diagnostics
from customer360.models.lifetime_value.candidates import (
    FITTERS,
    Candidate,
    Terms,
    first_fitted,
)
from customer360.models.lifetime_value.cells import cells_of
from customer360.models.lifetime_value.choosing import (
    VALIDATION_ROWS,
    Choice,
    Validation,
    choose,
    simplest,
    validation_period,
)
from customer360.models.lifetime_value.judging import Holdout, Judgement, judge, with_rules
from customer360.models.lifetime_value.leaving import Returns, Told, tell
from customer360.models.lifetime_value.maximise import NotFittedError
from customer360.models.lifetime_value.scoring import LifetimeValueModel
from customer360.models.lifetime_value.validation import (
    HOLDOUT_FEATURES,
    holdout_rows,
    naive_rules,
    outcome_cells,
    sampled,
)
from customer360.models.notes import Note
from customer360.models.training import Training
from customer360.models.windows import first_purchase_day

log = logging.getLogger(__name__)

SHORTEST_HOLDOUT_DAYS = 14

AUTO = "auto"
"""Choose among purchase models, rules of thumb and blends on days before the holdout."""

WEEKLY = Terms()


@dataclass(frozen=True, kw_only=True)
class LifetimeValueTraining(Training[LifetimeValueModel]):
    """All that came out of one training.

    Attributes:
        model: Fitted to everything up to the as-of date: the one to publish.
        calibration_model: Fitted to everything up to the holdout's start: the one judged.
        parameters: Flat, to log: settings, dates, fitted parameters (``r`` … of the published
            model, ``calibration_r`` … of the judged one, ``calibration_bg_nbd_r`` … of each
            candidate, ``se_r`` … standard errors), ``blend_weight_<amount>_<rule>``.
        metrics: Flat: figures on the holdout, ``purchases_*`` and ``revenue_*`` of the model,
            ``candidate_<kind>_purchases_*`` … of purchase models alone that were not chosen,
            ``baseline_<name>_purchases_*`` … of the naive rules; all a customer where not a
            total. ``paired_<name>_purchases_mae`` …: what the model loses more than each of them.
            ``purchases_coverage`` and ``revenue_coverage``: share of the customers within their
            90 % intervals. ``validation_<name>_purchases_rmse`` …: by which it was chosen.
            ``tracking_calibration_*`` and ``tracking_holdout_*``: repeat purchases of the
            calibration's customers by the end of each, ``actual`` and ``expected``.
            ``buyers_calibration_error``: see `diagnostics.calibration_error`. ``returned_*``: who
            came back in the holdout, see `leaving.Told`.
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


def _pictures(
    tables: Mapping[str, pd.DataFrame], holdout_days: int, as_of: date
) -> dict[str, bytes]:
    """The plots of those tables that have rows, as PNG images by name."""
    from customer360.models import plots  # Altair is not for the workers that score
    from customer360.plotting import AnyChart, png

    draw: dict[str, Callable[[pd.DataFrame], AnyChart]] = {
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
    return {name: png(chart) for name, chart in drawn.items()}


def train(
    customer_days: DataFrame,
    as_of: date,
    *,
    model: str = AUTO,
    holdout_days: int = 273,
    terms: Terms = WEEKLY,
    champion: tuple[LifetimeValueModel, date] | None = None,
) -> LifetimeValueTraining:
    """Choose, calibrate, judge on the holdout, then refit to everything up to ``as_of``.

    A part that cannot be fitted (too few who came back, no convergence) is replaced by a stated
    fallback; the training never fails for want of data.

    Args:
        customer_days: ``silver/customer_days``.
        as_of: Last day used.
        model: Purchase model, one of `FITTERS`, taken without rules of thumb where it can be
            fitted; `AUTO` chooses on days before the holdout, and takes BG/NBD without these.
        holdout_days: Days before ``as_of`` kept for judging; shortened to half of the history
            when that is less, and said so in ``notes``.
        terms: Unit of time, and the discount rate.
        champion: The judged model of the champion's own training, and the last day that it saw:
            judged on the same holdout, as ``champion_*``, unless it has seen some of it.
    """
    history_days = _history_days(customer_days, as_of)
    holdout_length, notes = _holdout_length(history_days, holdout_days)
    kinds = tuple(FITTERS) if model == AUTO else (model,)
    calibration_as_of = as_of - timedelta(days=holdout_length) if holdout_length else None
    validation_as_of, validation_length = validation_period(
        calibration_as_of or as_of, history_days - holdout_length, holdout_length
    )
    dates = {as_of, calibration_as_of or as_of, validation_as_of}
    features = (
        customer_features(customer_days, sorted(dates))
        .select("as_of", "customer_key", *HOLDOUT_FEATURES)
        .persist()
    )
    judgement: Judgement | None = None
    try:
        cells = cells_of(features, sorted(dates))
        choice, came_back = simplest(kinds), None
        if validation_length:
            known = cells[validation_as_of]
            period = (customer_days, validation_as_of, validation_length)
            later = holdout_rows(features, *period).persist()
            try:
                rows = sampled(later, known.customers, VALIDATION_ROWS)
                came_back = outcome_cells(later)
            finally:
                later.unpersist()
            rules = naive_rules(known, *period)
            validation = Validation(validation_as_of, validation_length, rows, known, rules)
            choice = choose(validation, kinds, terms)
        if calibration_as_of:
            judgement = judge(
                Holdout(features, customer_days, calibration_as_of, holdout_length),
                cells[calibration_as_of],
                choice,
                terms,
                champion[0] if champion and champion[1] <= calibration_as_of else None,
            )
            notes += judgement.notes
    finally:
        features.unpersist()
    published = first_fitted(cells[as_of], choice.kinds, terms, at_boundary=choice.at_boundary)
    if choice.purchases or choice.revenue:
        rules = naive_rules(cells[as_of], customer_days, as_of, 1)
        published.model = with_rules(published.model, choice, rules)
    judged = judgement.model if judgement else None
    told: Told | None = None
    if judgement and published.model.purchases:
        told = _told(judgement, holdout_length, came_back, validation_length)
    own = published.model.purchases
    if told and judged and judged.purchases and own and judged.purchases.kind != own.kind:
        # Each purchase model draws the line between gone and silent elsewhere.
        told = replace(told, published=None)
        published.notes.append(Note("leaving_by_another_model", {"rival": judged.purchases.kind}))
    if told and judged:
        judged = replace(judged, leaving=told.judged)
        published.model = replace(published.model, leaving=told.published)
    tables = dict(judgement.tables) if judgement else {}
    counts = cells[as_of].purchase_cells
    if published.model.purchases and (counts["frequency"] > 0).any():
        tables["probability_alive"] = diagnostics.alive_histogram(counts, published.model)
    metrics = published.metrics | choice.metrics() | (judgement.metrics if judgement else {})
    metrics |= told.metrics if told else {}
    return LifetimeValueTraining(
        model=published.model,
        calibration_model=judged,
        because=_because(published, choice),
        notes=(*published.notes, *choice.notes, *notes),
        parameters={
            "as_of": as_of.isoformat(),
            "holdout_days": holdout_length,
            **asdict(terms),
            "purchase_cells": len(counts),
            "model": published.model.kind,
            **published.parameters,
            **choice.parameters,
            **(judgement.parameters if judgement else {}),
        },
        metrics={name: float(value) for name, value in metrics.items() if np.isfinite(value)},
        tables=tables,
        plots=_pictures(tables, holdout_length, as_of),
        sample=made_up_customers(published.model.features),
        as_of=as_of,
        calibration_as_of=calibration_as_of,
    )


def _because(published: Candidate, choice: Choice) -> tuple[Note, ...]:
    """Why parts could not be fitted, and what stands in for them where no rule was chosen."""
    silent = choice.silenced
    return tuple(note for pair in published.fallbacks for note in pair if note not in silent)


def _told(
    judgement: Judgement, days: int, before: pd.DataFrame | None, days_before: int
) -> Told | None:
    """Who is gone, by who came back on the validation days and in the holdout.

    Args:
        judgement: Of the holdout.
        days: Length of the holdout.
        before: `outcome_cells` of the validation days; None where history is too short for them.
        days_before: How many these are.
    """
    purchases, unit = judgement.model.purchases, judgement.model.time_unit_days
    if purchases is None:
        return None
    later = Returns(judgement.cells, purchases, unit, days)
    if before is None:
        return tell(None, later)
    try:
        fit = FITTERS[purchases.kind](before, unit)
    except NotFittedError:
        return tell(None, later)
    return tell(Returns(before, fit.model, unit, days_before), later)


def _history_days(customer_days: DataFrame, as_of: date) -> int:
    """Days from the first purchase of all to ``as_of``, both included; 0 without one."""
    first = first_purchase_day(customer_days, as_of)
    return (as_of - first).days + 1 if first else 0


def _holdout_length(history_days: int, holdout_days: int) -> tuple[int, list[Note]]:
    """Days that the history leaves for judging, 0 for none, and what to say where it is fewer."""
    length = min(holdout_days, history_days // 2)
    if length < SHORTEST_HOLDOUT_DAYS:
        return 0, [Note("not_validated", {"history": history_days})]
    if length < holdout_days:
        return length, [Note("holdout_shortened", {"wanted": holdout_days, "days": length})]
    return length, []
