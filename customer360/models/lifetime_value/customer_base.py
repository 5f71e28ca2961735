"""What all customers together will buy, week by week, and what they are worth.

Customers are independent, so chance adds up as variances do. Of one customer with probability
alive a, expected purchases m while alive and posterior shape n of its rate, purchases of a week
have variance a m + a m^2 (1 + 1/n) - (a m)^2: Poisson, a Gamma rate, and alive or not. Errors of
the parameters are the same for all customers and do not average out; they come from the spread of
the whole total over `intervals.cubature_models`.

Where rules of thumb have a say (`blend`), they add the same every week, and each week is as
uncertain, in proportion, as the purchase model's own. What the calendar does (`seasons`) scales
each week, and widens it by how far weeks stray beyond chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from scipy.special import gammaincinv

from customer360.models.lifetime_value.age_table import AgeTable
from customer360.models.lifetime_value.intervals import (
    TAIL,
    Z,
    cubature_models,
    deviation,
    spend_models,
)
from customer360.models.lifetime_value.maximise import NotFittedError
from customer360.models.lifetime_value.purchase_model import Floats, PurchaseModel
from customer360.models.lifetime_value.scoring import (
    LifetimeValueModel,
    discounted_year,
    discounts,
    month_ends,
)
from customer360.models.lifetime_value.seasons import STEADY, WEEK_DAYS, Calendar
from customer360.models.notes import Note

_AT_ONCE = 4_000
_SMALLEST_SHAPE = 2.5
"""Spend has no variance for shapes up to 2; it is taken no nearer to that than this."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """The customer base in the weeks to come.

    Attributes:
        weeks: Columns ``week`` (1 = the first seven days), ``purchases``, ``revenue``, each with
            ``_low`` and ``_high`` (90 % of the weeks lie within), of today's customers; with new
            customers also ``new_purchases`` and ``new_revenue``, their first purchase included.
        equity: Discounted residual value of all of today's customers; NaN without discounting.
        equity_low: Lower 90 % bound, for what is not known of the parameters; NaN without them.
        equity_high: Upper bound.
    """

    weeks: pd.DataFrame
    equity: float
    equity_low: float
    equity_high: float


@dataclass(frozen=True)
class _Totals:
    """Sums over customers for one set of parameters.

    A value a week; what the year and the whole life bring, discounted.
    """

    purchases: Floats
    revenue: Floats
    purchase_variance: Floats
    revenue_variance: Floats
    year: float
    equity: float


def _bounds(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """5 % and 95 % of the Gamma with this mean and variance: it knows no negative sales."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shape, scale = mean**2 / variance, variance / mean
        low, high = (gammaincinv(shape, share) * scale for share in (TAIL, 1 - TAIL))
    certain = ~(variance > 0)
    return np.where(certain, mean, low), np.where(certain, mean, high)


def _totals(
    model: LifetimeValueModel,
    purchases: PurchaseModel,
    cells: pd.DataFrame,
    order_value: Floats,
    order_variance: Floats,
    weeks: int,
) -> _Totals:
    """Sums for ``purchases`` as the model of how often."""
    unit, rate = model.time_unit_days, model.discount_rate
    ends = np.arange(1, weeks + 1) * WEEK_DAYS / unit
    # The discounted year is asked for by rules of thumb alone.
    months = np.asarray(month_ends() if model.blend else ()) / unit
    discount = discounts(model.annual_discount_rate)[: len(months)]

    def while_alive(frequency: Floats, age_days: Floats) -> Floats:
        age = age_days / unit
        by_end, by_month = np.split(
            purchases.expected_purchases_if_alive(
                np.concatenate([ends, months])[None, :], frequency[:, None], age[:, None]
            ),
            [weeks],
            axis=1,
        )
        year = np.diff(by_month, axis=1, prepend=0.0) @ discount
        residual = np.full(len(age), np.nan)
        if rate > 0:
            residual = purchases.discounted_purchases_if_alive(rate, frequency, age)
        return np.column_stack([np.diff(by_end, axis=1, prepend=0.0), year, residual])

    scales = [getattr(purchases, name) for name in purchases.time_parameters]
    table = AgeTable(while_alive, min(scales) * unit)
    x, T = (cells[name].to_numpy().astype(np.int64) for name in ("frequency", "T"))
    alive = purchases.probability_alive(x, cells["recency"].to_numpy() / unit, T / unit)
    customers = cells["customers"].to_numpy(dtype=float)
    # Cells that share (x, T) share what is expected while alive: sums over them come first.
    pairs, where = np.unique((x << 32) | T, return_inverse=True)

    def over(weight: Floats) -> Floats:
        return np.asarray(np.bincount(where, customers * weight, len(pairs)), dtype=float)

    shape = 1 + 1 / (purchases.r + x)
    linear, square = over(alive), over(alive * shape - alive**2)
    spent, spent_linear, spent_square = (
        over(alive * order_value),
        over(alive * (order_value**2 + order_variance)),
        over((alive * shape - alive**2) * order_value**2),
    )
    sums = np.zeros((4, weeks))
    of_year = equity = 0.0
    for i in range(0, len(pairs), _AT_ONCE):
        some = slice(i, i + _AT_ONCE)
        expected = table.at(pairs[some] >> 32, pairs[some] & 0xFFFFFFFF)
        week, year, residual = expected[:, :-2], expected[:, -2], expected[:, -1]
        sums[0] += linear[some] @ week
        sums[1] += spent[some] @ week
        sums[2] += linear[some] @ week + square[some] @ week**2
        sums[3] += spent_linear[some] @ week + spent_square[some] @ week**2
        of_year += float(spent[some] @ year)
        equity += float(spent[some] @ residual)
    return _Totals(sums[0], sums[1], sums[2], sums[3], of_year, equity)


def _new(
    model: LifetimeValueModel, purchases: PurchaseModel, arrivals: Floats
) -> tuple[Floats, Floats]:
    """Purchases and revenue a week of those who first buy in it or in a week before.

    Arrivals come in the middle of their week; a first purchase is worth the mean order.
    """
    weeks = len(arrivals)
    ends = (np.arange(weeks) + 0.5) * WEEK_DAYS / model.time_unit_days
    repeats = np.diff(purchases.expected_purchases_of_new(ends), prepend=0.0)
    bought = np.convolve(arrivals, repeats)[:weeks]
    value = model.values.population_mean if model.values else model.mean_order_value
    return arrivals + bought, arrivals * model.mean_order_value + bought * value


def forecast(
    model: LifetimeValueModel,
    cells: pd.DataFrame,
    new_customers: float | Sequence[float] | None = None,
    weeks: int = 52,
    calendar: Calendar = STEADY,
    as_of: date | None = None,
) -> Forecast:
    """Purchases and revenue of all customers in each of the coming weeks, and their equity.

    Args:
        model: Fitted; covariances make the intervals allow for errors of the parameters.
        cells: Columns ``frequency``, ``recency``, ``T`` (days), ``customers`` (count) and
            ``monetary_value``: mean over the cell's customers, which is all that their expected
            spend depends on. Where rules of thumb have a say, means of `blend.RULE_FEATURES` too,
            amounts below 0 taken for 0.
        new_customers: Customers expected to buy for the first time: a week, or for each week.
        weeks: How many weeks.
        calendar: What weeks differ by beside the steady rate; equity, over all times, does not.
        as_of: Last day before the first week; asked for where the calendar knows months.

    Raises:
        NotFittedError: The model's purchases are the past-average fallback, which knows no weeks.
        ValueError: ``new_customers`` has another length than ``weeks``, or the calendar's months
            differ and there is no ``as_of``.
    """
    if model.purchases is None:
        raise NotFittedError(Note("forecast_needs_purchases"))
    order_value = np.asarray(model.expected_order_value(cells), dtype=float)
    order_variance = np.zeros(len(cells))
    x = cells["frequency"].to_numpy(dtype=float)
    m = cells["monetary_value"].to_numpy(dtype=float)
    if model.values is not None:
        # E[V^2] = p (p + 1) E[1/nu^2] for nu ~ Gamma(q + p x, v + x m): see `gamma_gamma`.
        gg = model.values
        shape = np.maximum(gg.q + gg.p * x, _SMALLEST_SHAPE)
        spread = (1 + 1 / gg.p) * (shape - 1) / (shape - 2)
        order_variance = order_value**2 * (spread - 1)

    def totals(purchases: PurchaseModel) -> _Totals:
        return _totals(model, purchases, cells, order_value, order_variance, weeks)

    best = totals(model.purchases)
    others = [best]
    if model.purchases_covariance is not None:
        models = cubature_models(model.purchases, model.purchases_covariance)
        others = [totals(one) for one in models]
    # Relative to the total, what is not known of spend is the same in every week.
    loose_value = 0.0
    if model.values is not None and model.values_covariance is not None:
        weight = cells["customers"].to_numpy(dtype=float) * model.probability_alive(cells)
        age = cells["T"].to_numpy(dtype=float) / model.time_unit_days
        weight *= (model.purchases.r + x) / (model.purchases.alpha + age)
        values = [
            float(weight @ one.expected_order_value(x, m))
            for one in spend_models(model.values, model.values_covariance)
        ]
        loose_value = float(np.std(np.log(values)))
    table = pd.DataFrame({"week": np.arange(1, weeks + 1)})
    by_month = calendar.factors(as_of, weeks)
    for name, mean, variance, loose in (
        ("purchases", best.purchases, best.purchase_variance, 0.0),
        ("revenue", best.revenue, best.revenue_variance, loose_value),
    ):
        by_model = np.stack([getattr(one, name) for one in others], axis=1)
        strayed = np.hypot(loose, calendar.deviation) * mean
        whole = variance + deviation(by_model) ** 2 + strayed**2
        low, high = _bounds(mean, whole)
        with_rules = _with_rules(model, cells, name, mean) * by_month
        share = np.divide(with_rules, mean, out=np.ones(weeks), where=mean > 0)
        table[name] = with_rules
        table[f"{name}_low"], table[f"{name}_high"] = low * share, high * share
    if new_customers is not None:
        arrivals = np.asarray(new_customers, dtype=float)
        if arrivals.ndim == 0:
            arrivals = np.full(weeks, float(arrivals))
        if len(arrivals) != weeks:
            raise ValueError(f"new_customers has {len(arrivals)} weeks, the forecast {weeks}")
        new_purchases, new_revenue = _new(model, model.purchases, arrivals)
        table["new_purchases"] = new_purchases * by_month
        table["new_revenue"] = new_revenue * by_month
    equity = best.equity + _more_of_the_year(model, cells, best.year)
    equity_low = equity_high = float("nan")
    if model.purchases_covariance is not None and best.equity > 0:
        logs = np.log([one.equity for one in others])
        factor = float(np.exp(Z * np.hypot(np.std(logs), loose_value)))
        equity_low, equity_high = equity / factor, equity * factor
    return Forecast(table, equity, equity_low, equity_high)


def _with_rules(
    model: LifetimeValueModel, cells: pd.DataFrame, amount: str, by_model: Floats
) -> Floats:
    """Purchases or revenue a week of all customers, with what rules of thumb carry on."""
    if model.blend is None:
        return by_model
    carried_on = float(cells["customers"].to_numpy(dtype=float) @ model.blend.a_day(amount, cells))
    return model.blend.of_model(amount) * by_model + carried_on * WEEK_DAYS


def _more_of_the_year(model: LifetimeValueModel, cells: pd.DataFrame, by_model: float) -> float:
    """What the coming year brings more with rules of thumb than by the model alone, discounted."""
    if model.blend is None:
        return 0.0
    carried_on = float(
        cells["customers"].to_numpy(dtype=float) @ model.blend.a_day("revenue", cells)
    ) * discounted_year(model.annual_discount_rate)
    return carried_on + (model.blend.of_model("revenue") - 1) * by_model
