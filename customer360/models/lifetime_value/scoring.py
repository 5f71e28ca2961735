"""From a fitted model to every figure about a customer: batch by batch, each history once.

What is expected depends on three whole numbers (frequency, recency, T), of which a batch of
customers holds each many times; what is expected of a customer who is alive on two of them. So a
batch is scored by its distinct histories, and results for (frequency, T) are kept between batches.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from customer360.models.baselines import (
    PAST_AVERAGE,
    YEAR_DAYS,
    NaiveRules,
    past_average_purchases,
)
from customer360.models.lifetime_value.age_table import AgeTable
from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.blend import RULE_FEATURES, Blend
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.intervals import (
    NEGLIGIBLE_DEVIATION,
    Outlook,
    Z,
    cubature_models,
    deviation,
    joined,
    log_odds,
    outlook,
    probability_bounds,
    spend_models,
)
from customer360.models.lifetime_value.leaving import (
    Leaving,
    gone,
    has_left,
    rate_if_kept,
    survived_silence,
    usual_gap,
)
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.purchase_model import Floats, PurchaseModel

Integers = NDArray[np.int64]
Covariance = tuple[tuple[float, ...], ...]

MONTHS = 12
HORIZONS = (30, 90, 180, 365)
"""Days ahead for which purchases and revenue are expected."""

LIFE_DAYS = 1825
"""The whole remaining life is as uncertain, in proportion, as its next five years.

By simulation the bounds hold 89 to 93 % for any number of years from three to twenty.
"""

FIGURES = tuple(
    f"{name}{end}"
    for name in (
        "probability_alive",
        *(f"expected_purchases_{days}d" for days in HORIZONS),
        *(f"expected_revenue_{days}d" for days in HORIZONS),
        "expected_order_value",
        "discounted_value_12m",
        "discounted_residual_value",
    )
    for end in ("", "_low", "_high")
)
"""Columns of `LifetimeValueModel.predict`: each figure and the ends of its 90 % interval."""

LEAVING_FIGURES = (
    "has_left",
    "overdue",
    "expected_gap_days",
    "revenue_if_kept_365d",
    "leaving_share_365d",
)
"""Columns of `LifetimeValueModel.predict` about leaving; see `leaving`."""
MODEL_FEATURES = ("frequency", "recency", "T", "monetary_value")
"""Columns of gold/customer_features that purchase models and Gamma-Gamma read."""

PURCHASE_MODELS: dict[str, type[BgNbd | MbgNbd | ParetoNbd]] = {
    model.kind: model for model in (BgNbd, MbgNbd, ParetoNbd)
}

LEAVING_CELLS = ("has_left", "overdue", "expected_gap_days", "kept_365", "leaving_share")
"""What is known of leaving by history alone; ``kept_365``: purchases of a year, if kept, and
``leaving_share``: the share of them that leaving is expected to take."""

_DAY_BITS = 21
"""Days in 21 bits: 5,700 years; what is left of 63 bits holds the frequency."""


def frozen(covariance: ArrayLike | None) -> Covariance | None:
    """A covariance as nested tuples, which compare and become JSON."""
    if covariance is None:
        return None
    return tuple(tuple(row) for row in np.asarray(covariance, dtype=float).tolist())


@dataclass(frozen=True)
class LifetimeValueModel:
    """Everything that scoring needs; small, readable as JSON, safe to send to Spark's workers.

    Attributes:
        time_unit_days: Days in one unit of the parameters' time.
        purchases: How often; ``None`` = fallback, each customer's past average carried on.
        values: How much; ``None`` = fallback, each customer's mean repeat purchase, or
            ``mean_order_value`` for those without one.
        mean_order_value: Mean net revenue of a purchase day over all customers.
        annual_discount_rate: 0.10 = a purchase in a year is worth 1 / 1.10 today.
        purchases_covariance: Of the log-parameters of ``purchases``; ``None`` = not known.
        values_covariance: Of the log-parameters of ``values``; ``None`` = not known.
        leaving: Who is gone, fitted to who came back; ``None`` = as ``purchases`` has it.
        blend: What rules of thumb have to say beside; ``None`` = nothing.
    """

    time_unit_days: int
    purchases: BgNbd | MbgNbd | ParetoNbd | None
    values: GammaGamma | None
    mean_order_value: float
    annual_discount_rate: float = 0.10
    purchases_covariance: Covariance | None = None
    values_covariance: Covariance | None = None
    leaving: Leaving | None = None
    blend: Blend | None = None

    @property
    def kind(self) -> str:
        """Short name of what is inside: ``bg_nbd+gamma_gamma``, then the rules of thumb."""
        how_often = self.purchases.kind if self.purchases else PAST_AVERAGE
        how_much = "gamma_gamma" if self.values else "mean_order_value"
        return "+".join((how_often, how_much, *(self.blend.names if self.blend else ())))

    @property
    def features(self) -> tuple[str, ...]:
        """Columns of ``gold/customer_features`` that this very model reads."""
        return (*MODEL_FEATURES, *(RULE_FEATURES if self.blend else ()))

    @property
    def discount_rate(self) -> float:
        """Continuous discount rate a unit of model time."""
        return float(np.log1p(self.annual_discount_rate) / YEAR_DAYS * self.time_unit_days)

    def probability_alive(self, features: pd.DataFrame) -> Floats:
        """Probability alive; NaN in the fallback, which does not know of leaving."""
        if self.purchases is None:
            return np.full(len(features), np.nan)
        unit = self.time_unit_days
        return self.purchases.probability_alive(
            features["frequency"], features["recency"] / unit, features["T"] / unit
        )

    def at(self, history_days: int) -> LifetimeValueModel:
        """The same when the business is so many days old; only rules of thumb ask for it."""
        return replace(self, blend=self.blend.at(history_days)) if self.blend else self

    def expected_purchases(
        self, features: pd.DataFrame, days: Sequence[float], known: KnownExpectations | None = None
    ) -> Floats:
        """Expected purchases in the next ``days``: a row a customer, a column a horizon.

        Args:
            features: Columns ``frequency``, ``recency`` and ``T``, in days; of a blend also
                ``purchase_days_365d``.
            days: Horizons in days.
            known: Reused between batches of one job, so that each (frequency, T) is computed once.
        """
        by_model = self._by_model(features, days, known)
        if self.blend is None:
            return by_model
        return self.blend.expected("purchases", by_model, features, days)

    def expectations(
        self, features: pd.DataFrame, days: Sequence[float], known: KnownExpectations | None = None
    ) -> tuple[Floats, Floats]:
        """Expected purchases and revenue in the next ``days``, in the shape of the former.

        Args:
            features: The columns `features`.
            days: As for `expected_purchases`.
            known: As for `expected_purchases`.
        """
        purchases = self._by_model(features, days, known)
        revenue = purchases * self.expected_order_value(features)[:, None]
        if self.blend is None:
            return purchases, revenue
        return (
            self.blend.expected("purchases", purchases, features, days),
            self.blend.expected("revenue", revenue, features, days),
        )

    def _by_model(
        self, features: pd.DataFrame, days: Sequence[float], known: KnownExpectations | None
    ) -> Floats:
        """Expected purchases without rules of thumb, but for the fallback's own."""
        if self.purchases is None:
            return past_average_purchases(
                features[["frequency"]], features[["T"]], 1.0
            ) * np.asarray(days, dtype=float)
        known = known or KnownExpectations(self.purchases, self.time_unit_days, tuple(days))
        alive = self.probability_alive(features)
        return alive[:, None] * known.of(features["frequency"], features["T"])

    def expected_order_value(self, features: pd.DataFrame) -> Floats:
        """Expected net revenue of one purchase."""
        frequency, value = features["frequency"], features["monetary_value"]
        if self.values is not None:
            return self.values.expected_order_value(frequency, value)
        return np.where((frequency > 0) & (value > 0), value, self.mean_order_value)

    def predict(self, features: pd.DataFrame, known: KnownScores | None = None) -> pd.DataFrame:
        """All figures about each row of features, with their 90 % bounds.

        Columns, each followed by ``<name>_low`` and ``<name>_high``: ``probability_alive``;
        ``expected_purchases_<days>d`` and ``expected_revenue_<days>d`` for each of `HORIZONS`;
        ``expected_order_value``; ``discounted_value_12m``; ``discounted_residual_value`` (over
        the whole remaining life). Then `LEAVING_FIGURES`, without bounds: ``has_left`` (probability
        of no purchase for a year), ``overdue`` (share of the own gaps between purchases that are
        shorter than the silence by now), ``expected_gap_days`` (days between purchases, at the rate
        that the last one left), ``revenue_if_kept_365d`` (currency: of a customer who surely stays)
        and ``leaving_share_365d`` (share of it that leaving is expected to take). Bounds of
        purchases, revenue and discounted values are where the customer's own figure will lie; those
        of the other two say how well they are known (`intervals`).
        What a fallback or a missing covariance leaves unknown is NaN, as is the residual value
        without discounting, which may be infinite. With rules of thumb expected revenue is a
        weighted mean of its own, not purchases x order value: see `blend`.

        Args:
            features: The columns `features`: ``frequency``, ``recency``, ``T`` (days) and
                ``monetary_value``, and what rules of thumb read.
            known: Reused between batches of one job.
        """
        return pd.DataFrame(self.figures(features, known), index=features.index)

    def figures(
        self, features: pd.DataFrame, known: KnownScores | None = None
    ) -> dict[str, Floats]:
        """The columns of `predict` by name; without bounds where ``known`` has none."""
        known = known or KnownScores(self)
        cells = known.of(features)
        order_value = self.expected_order_value(features)
        figures: dict[str, Floats] = {"probability_alive": cells["alive"]}
        purchases = {days: cells[f"purchases_{days}"] for days in HORIZONS}
        figures |= {f"expected_purchases_{days}d": purchases[days] for days in HORIZONS}
        figures |= {f"expected_revenue_{days}d": purchases[days] * order_value for days in HORIZONS}
        figures["expected_order_value"] = order_value
        figures["discounted_value_12m"] = cells["year"] * order_value
        figures["discounted_residual_value"] = cells["residual"] * order_value
        for name in ("has_left", "overdue", "expected_gap_days"):
            figures[name] = cells[name]
        figures["revenue_if_kept_365d"] = cells["kept_365"] * order_value
        figures["leaving_share_365d"] = cells["leaving_share"]
        if known.intervals:
            figures |= self._bounds(features, cells, order_value)
        if self.blend is not None:
            year = discounted_year(self.annual_discount_rate)
            figures = self.blend.applied(figures, features, HORIZONS, year)
        return {name: figures[name] for name in (*FIGURES, *LEAVING_FIGURES) if name in figures}

    def _bounds(
        self, features: pd.DataFrame, cells: Mapping[str, Floats], order_value: Floats
    ) -> dict[str, Floats]:
        """Ends of the interval of each figure that has one."""
        scale = self.spend_scale(features)
        factor = np.exp(Z * self._order_value_deviation(features, order_value))
        bounds = {
            "expected_order_value_low": order_value / factor,
            "expected_order_value_high": order_value * factor,
        }
        for end in ("_low", "_high"):
            bounds[f"probability_alive{end}"] = cells[f"alive{end}"]
            for days in HORIZONS:
                bounds[f"expected_purchases_{days}d{end}"] = cells[f"purchases_{days}{end}"]
                bounds[f"expected_revenue_{days}d{end}"] = cells[f"revenue_{days}{end}"] * scale
            bounds[f"discounted_value_12m{end}"] = cells[f"year{end}"] * scale
            bounds[f"discounted_residual_value{end}"] = cells[f"residual{end}"] * scale
        return bounds

    def _order_value_deviation(self, features: pd.DataFrame, value: Floats) -> Floats:
        """What is not known of the logarithm of expected order values; NaN = nothing known."""
        if self.values is None or self.values_covariance is None:
            return np.full(len(features), np.nan)
        x = features["frequency"].to_numpy(dtype=float)
        m = features["monetary_value"].to_numpy(dtype=float)
        total, square = np.zeros(len(value)), np.zeros(len(value))
        models = spend_models(self.values, self.values_covariance)
        for model in models:
            # Relative to the estimate: log(1 + d) is d to the accuracy of a standard error.
            ratio = model.expected_order_value(x, m) / value - 1
            total += ratio
            square += ratio * ratio
        variance = square / len(models) - (total / len(models)) ** 2
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    def spend_scale(self, features: pd.DataFrame) -> Floats:
        """What bounds of revenue are measured in: v + x m, or the order value without a model."""
        if self.values is None:
            return self.expected_order_value(features)
        x, m = features["frequency"], features["monetary_value"]
        return self.values.v + (x * m.where(x > 0, 0.0)).to_numpy(dtype=float)

    def to_json(self) -> str:
        """As JSON text, parameters in full precision."""
        given = asdict(self)
        if self.purchases is not None:
            given["purchases"]["kind"] = self.purchases.kind
        return json.dumps(given, indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From `to_json`'s text; purchases without a ``kind`` are BG/NBD's."""
        given = json.loads(text)
        purchases, values = given.pop("purchases"), given.pop("values")
        if purchases:
            kind = PURCHASE_MODELS[purchases.pop("kind", BgNbd.kind)]
            given["purchases"] = kind(**purchases)
        else:
            given["purchases"] = None
        for name in ("purchases_covariance", "values_covariance"):
            given[name] = frozen(given.get(name))
        given["leaving"] = Leaving.from_dict(given.get("leaving"))
        if blend := given.get("blend"):
            given["blend"] = Blend(**(blend | {"rules": NaiveRules(**blend["rules"])}))
        return cls(values=GammaGamma(**values) if values else None, **given)


def month_ends() -> tuple[float, ...]:
    """Days from now to the end of each of the next twelve months of a twelfth of 365 days."""
    return tuple(YEAR_DAYS * month / MONTHS for month in range(1, MONTHS + 1))


def discounts(annual_discount_rate: float) -> Floats:
    """What money at the end of each of the next twelve months is worth today."""
    return np.asarray((1 + annual_discount_rate) ** (-np.arange(1, MONTHS + 1) / MONTHS))


def discounted_year(annual_discount_rate: float) -> float:
    """The days of a year, each by the discount of its month."""
    return float(YEAR_DAYS * discounts(annual_discount_rate).mean())


class _Rows:
    """Which row holds a code: codes stay where they were first put."""

    def __init__(self) -> None:
        self._codes = np.empty(0, dtype=np.int64)
        self._rows = np.empty(0, dtype=np.int64)

    def add_new(self, codes: Integers) -> Integers:
        """Give rows to those of the (sorted, distinct) codes that have none; returns these."""
        new = np.setdiff1d(codes, self._codes, assume_unique=True)
        if len(new):
            rows = np.arange(len(self._codes), len(self._codes) + len(new))
            all_codes = np.concatenate([self._codes, new])
            order = np.argsort(all_codes)
            self._codes, self._rows = all_codes[order], np.concatenate([self._rows, rows])[order]
        return np.asarray(new)

    def of(self, codes: Integers) -> Integers:
        """Rows of known codes."""
        return np.asarray(self._rows[np.searchsorted(self._codes, codes)])


def _whole(values: ArrayLike) -> Integers:
    return np.asarray(values).astype(np.int64)


class KnownExpectations:
    """Expected purchases while alive by (frequency, T), computed once for each pair met.

    The expectation needs a hypergeometric function, but depends on whole numbers only; a batch of
    customers holds each pair many times.
    """

    def __init__(self, model: PurchaseModel, time_unit_days: int, days: tuple[float, ...]) -> None:
        self._model = model
        self._unit = time_unit_days
        self._times = np.asarray(days, dtype=float) / time_unit_days
        self._rows = _Rows()
        self._values = np.empty((0, len(days)))

    def of(self, frequency: ArrayLike, age_days: ArrayLike) -> Floats:
        """A row a customer, a column a horizon."""
        codes = (_whole(frequency) << _DAY_BITS) | _whole(age_days)
        distinct, where = np.unique(codes, return_inverse=True)
        new = self._rows.add_new(distinct)
        if len(new):
            values = self._model.expected_purchases_if_alive(
                self._times[None, :],
                (new >> _DAY_BITS)[:, None],
                (new & ((1 << _DAY_BITS) - 1))[:, None] / self._unit,
            )
            self._values = np.concatenate([self._values, values])
        return np.asarray(self._values[self._rows.of(distinct)][where])


class KnownScores:
    """All that depends on (frequency, T) only, computed once for each pair met.

    Args:
        model: What to score with; sent to Spark's workers, where each makes its own of these.
        horizons: Days ahead; with a year among them, discounted values are known too.
        intervals: Whether bounds are known too; they are half of the work and two thirds of the
            figures.
    """

    def __init__(
        self,
        model: LifetimeValueModel,
        horizons: Sequence[int] = HORIZONS,
        *,
        intervals: bool = True,
    ) -> None:
        self.intervals = intervals
        self._model = model
        self._horizons = tuple(horizons)
        self._looked_ahead = self._horizons if intervals else ()
        if intervals and YEAR_DAYS in self._horizons and model.discount_rate > 0:
            self._looked_ahead = (*self._horizons, LIFE_DAYS)
        self._rows = _Rows()
        self._outlooks: dict[int, Outlook] = {}
        purchases = model.purchases
        if purchases is None:
            return
        unit = model.time_unit_days
        self._uncertain = cubature_models(purchases, model.purchases_covariance)
        covariance = model.purchases_covariance
        loose = covariance is not None and (
            np.sqrt(np.diag(np.asarray(covariance))).max() > NEGLIGIBLE_DEVIATION
        )
        self._likely: list[PurchaseModel] = list(self._uncertain) if loose else [purchases]
        scales = [getattr(purchases, name) for name in purchases.time_parameters]
        self._table = AgeTable(self._while_alive, min(scales) * unit)
        self._expected = np.empty((0, len(self._horizons) + 3))

    def _while_alive(self, frequency: Floats, age_days: Floats) -> Floats:
        """What is expected of customers who are alive: a row each.

        Columns: purchases for each horizon, the discounted ones of the year, the residual ones,
        and those of `LIFE_DAYS`.
        """
        model, purchases = self._model, self._model.purchases
        assert purchases is not None
        unit, rate = model.time_unit_days, model.discount_rate
        age = age_days / unit
        days = np.array((*self._horizons, LIFE_DAYS, *month_ends()))
        expected = purchases.expected_purchases_if_alive(
            days[None, :] / unit, frequency[:, None], age[:, None]
        )
        horizons, life, months = np.split(expected, [len(self._horizons), -MONTHS], axis=1)
        discount = discounts(model.annual_discount_rate)
        year = np.diff(months, axis=1, prepend=0.0) @ discount
        residual = np.full(len(age), np.nan)
        if rate > 0:
            residual = purchases.discounted_purchases_if_alive(rate, frequency, age)
        return np.column_stack([horizons, year, residual, life])

    def of(self, features: pd.DataFrame) -> dict[str, Floats]:
        """Figures by name, a value for each row of ``features``."""
        columns = [_whole(features[name]) for name in ("frequency", "T", "recency")]
        frequency, T, recency = columns
        if self._model.purchases is None:
            return self._carried_on(frequency, T)
        codes = (frequency << 2 * _DAY_BITS) | (T << _DAY_BITS) | recency
        # Frequencies beyond 21 bits do not exist; sorting by pair keeps what follows local.
        _, first, where = np.unique(codes, return_index=True, return_inverse=True)
        cells = self._cells(frequency[first], recency[first], T[first])
        return {name: values[where] for name, values in cells.items()}

    def _carried_on(self, frequency: Integers, age_days: Integers) -> dict[str, Floats]:
        """The fallback: past averages, of which nothing more is known."""
        unknown = np.full(len(frequency), np.nan)
        rate = past_average_purchases(frequency, age_days, 1.0)
        figures = {f"purchases_{days}": rate * days for days in self._horizons}
        figures["year"] = rate * discounted_year(self._model.annual_discount_rate)
        figures |= dict.fromkeys(("alive", "residual", *LEAVING_CELLS), unknown)
        return figures | dict.fromkeys(self._ends(), unknown)

    def _ends(self) -> list[str]:
        """Names of all bounds that are known."""
        ahead = (f"{what}_{days}" for what in ("purchases", "revenue") for days in self._horizons)
        bounded = ("alive", *ahead, "year", "residual") if self.intervals else ()
        return [f"{name}{end}" for name in bounded for end in ("_low", "_high")]

    def _cells(self, frequency: Integers, recency: Integers, T: Integers) -> dict[str, Floats]:
        """Figures of distinct histories."""
        model = self._model
        assert model.purchases is not None
        pair = self._pairs(frequency, T)
        expected = self._expected[pair]
        history = (
            frequency.astype(float),
            recency / model.time_unit_days,
            T / model.time_unit_days,
        )
        alive = model.purchases.probability_alive(*history)
        figures: dict[str, Floats] = {"alive": alive} | self._leaving(*history)
        if YEAR_DAYS in self._horizons:
            a_year = expected[:, self._horizons.index(YEAR_DAYS)]
            comes = (1 - gone(model.leaving, model.purchases, *history)) * a_year
            figures["leaving_share"] = np.clip(1 - comes / figures["kept_365"], 0.0, 1.0)
        for k, days in enumerate(self._horizons):
            figures[f"purchases_{days}"] = alive * expected[:, k]
        year, residual, life = expected[:, len(self._horizons) :].T
        figures["year"], figures["residual"] = alive * year, alive * residual
        if not self.intervals:
            return figures
        figures |= dict.fromkeys(self._ends(), np.full(len(alive), np.nan))
        if model.purchases_covariance is not None:
            chances = np.stack([one.probability_alive(*history) for one in self._uncertain], axis=1)
            figures["alive_low"], figures["alive_high"] = probability_bounds(
                alive, deviation(log_odds(chances))
            )
        for days in self._horizons:
            ahead = self._outlooks[days]
            low, high = ahead.purchases(pair, alive)
            figures[f"purchases_{days}_low"], figures[f"purchases_{days}_high"] = low, high
            if model.values is not None:
                low, high = ahead.revenue(pair, alive)
            figures[f"revenue_{days}_low"], figures[f"revenue_{days}_high"] = low, high
        # Bounds of what comes undiscounted, times the mean discount of it.
        if YEAR_DAYS in self._horizons:
            discount = year / expected[:, self._horizons.index(YEAR_DAYS)]
            for end in ("_low", "_high"):
                figures[f"year{end}"] = figures[f"revenue_{YEAR_DAYS}{end}"] * discount
        if LIFE_DAYS in self._looked_ahead:
            ahead = self._outlooks[LIFE_DAYS]
            bounds = ahead.purchases(pair, alive)
            if model.values is not None:
                bounds = ahead.revenue(pair, alive)
            for end, bound in zip(("_low", "_high"), bounds, strict=True):
                figures[f"residual{end}"] = bound * residual / life
        return figures

    def _leaving(self, frequency: Floats, recency: Floats, T: Floats) -> dict[str, Floats]:
        """`LEAVING_CELLS` of distinct histories in the model's units, but what leaving takes."""
        model, unit = self._model, self._model.time_unit_days
        purchases = model.purchases
        assert purchases is not None
        longer = survived_silence(purchases, frequency, recency, T)
        kept = rate_if_kept(purchases, frequency, T) * YEAR_DAYS / unit
        left = has_left(model.leaving, purchases, unit, frequency, recency, T)
        gap = usual_gap(purchases, frequency, recency) * unit
        return dict(zip(LEAVING_CELLS[:-1], (left, 1 - longer, gap, kept), strict=True))

    def _pairs(self, frequency: Integers, T: Integers) -> Integers:
        """Rows of each (frequency, T), computing those not met before."""
        codes = (frequency << _DAY_BITS) | T
        new = self._rows.add_new(np.unique(codes))
        if len(new):
            x, age_days = new >> _DAY_BITS, new & ((1 << _DAY_BITS) - 1)
            self._expected = np.concatenate([self._expected, self._table.at(x, age_days)])
            shape, unit = x.astype(float), self._model.time_unit_days
            spread = self._spend_deviation(shape) if self._looked_ahead else shape
            for days in self._looked_ahead:
                ahead = outlook(
                    self._likely, self._model.values, spread, days / unit, shape, age_days / unit
                )
                known = self._outlooks.get(days)
                self._outlooks[days] = joined(known, ahead) if known else ahead
        return self._rows.of(codes)

    def _spend_deviation(self, frequency: Floats) -> Floats:
        """What is not known of log order value, of one who spends the population's mean."""
        values, covariance = self._model.values, self._model.values_covariance
        if values is None or covariance is None:
            return np.zeros(len(frequency))
        mean = values.population_mean
        models = spend_models(values, covariance)
        logs = [np.log(one.expected_order_value(frequency, mean)) for one in models]
        return deviation(np.stack(logs, axis=1))


def predictive_intervals(
    model: LifetimeValueModel, features: pd.DataFrame, days: int
) -> pd.DataFrame:
    """Where each customer's purchases and revenue of the next ``days`` lie, with 90 % or more.

    Chance and what is not known of the parameters together; see `intervals` for what is promised.

    Args:
        model: Fitted, with covariances if parameters are to count.
        features: The model's ``features``.
        days: Horizon in days.

    Returns:
        Columns ``purchases_low``, ``purchases_high``, ``revenue_low``, ``revenue_high``; NaN with
        the past-average fallback.
    """
    scores = KnownScores(model, (days,)).of(features)
    scale = model.spend_scale(features)
    found = {f"purchases_{end}": scores[f"purchases_{days}_{end}"] for end in ("low", "high")}
    found |= {f"revenue_{end}": scores[f"revenue_{days}_{end}"] * scale for end in ("low", "high")}
    if model.blend is not None:
        purchases = scores[f"purchases_{days}"]
        means = {
            "purchases": purchases,
            "revenue": purchases * model.expected_order_value(features),
        }
        for amount, mean in means.items():
            by_model = (mean, found[f"{amount}_low"], found[f"{amount}_high"])
            carried_on = model.blend.a_day(amount, features) * days
            _, low, high = model.blend.bounded(amount, by_model, carried_on)
            found[f"{amount}_low"], found[f"{amount}_high"] = low, high
    return pd.DataFrame(found, index=features.index)
