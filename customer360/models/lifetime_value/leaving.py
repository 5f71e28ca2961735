"""Who has left: in the customer's own rhythm, and by who came back later.

Nobody says goodbye, so three things are told apart. *Overdue* compares the silence with the
customer's own gaps between purchases. *Has left* is the probability that nothing is bought for a
year, long enough for slow buyers too. *No purchase in the next N days* is the churn model's, and
says as much about the horizon as about the customer.

Purchase models tell who is alive by assuming how people leave, and are too sure at the ends: of the
customers in CDNOW's full file whom BG/NBD, fitted to 1997, takes for gone with 90 % or more, one in
four came back in the half year after it. So who is gone is fitted to who came back:

    P(buys in the next w) = (1 - P(gone)) x P(buys in w | alive)

where the second factor is the purchase model's, and the log-odds of the first are linear in what a
history tells of leaving. The split of a population into those who are beyond the event and those
who merely wait for it is that of Schmidt and Witte 1989, "Predicting criminal recidivism using
'split population' survival time models", Journal of Econometrics 40(1). Slow buyers and gone ones
cannot be told apart for certain, and purchase models draw that line differently; whether they buy
within a year is the same by all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit

from customer360.gold.terms import LEFT_DAYS, RISK_FROM
from customer360.language import Language
from customer360.models.evaluation import SMALLEST_PROBABILITY
from customer360.models.lifetime_value.intervals import Z
from customer360.models.lifetime_value.purchase_model import Floats, PurchaseModel

RISKS = tuple(RISK_FROM)

REGULAR_FROM = 2
"""Repeat purchases from which a customer has a rhythm of their own: two gaps or more."""

WHO = ("once", "twice", "regular")
"""Customers alike: bought once, came back once, came back `REGULAR_FROM` times or more."""

BY_RISK = "returned_by_"
"""What the names of figures of `returns_by_risk` begin with among a training's metrics."""

_SHOWN = ("customers", "has_left", "expected", "returned")

_SMALLEST_SURPRISE = 0.01
_PRIOR_DEVIATION = 3.0
"""Of each coefficient: log-odds of some few are possible, of dozens are chance."""


def survived_silence(
    purchases: PurchaseModel, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
) -> Floats:
    """Share of the customer's own gaps that are longer than the silence by now.

    With a rate that is Gamma(r + x, alpha + t_x) after the last purchase, a gap is longer than s
    with probability ((alpha + t_x) / (alpha + t_x + s)) ^ (r + x).

    Args:
        purchases: The purchase model.
        frequency: Repeat purchases x.
        recency: Time of the last one t_x, in the model's units.
        T: Time since the first purchase, in the model's units.
    """
    x, t_x, age = (np.asarray(each, dtype=float) for each in (frequency, recency, T))
    silence = np.maximum(age - t_x, 0.0)
    return np.asarray(np.exp(-(purchases.r + x) * np.log1p(silence / (purchases.alpha + t_x))))


def usual_gap(purchases: PurchaseModel, frequency: ArrayLike, recency: ArrayLike) -> Floats:
    """Time between two purchases at the rate that the last purchase left, in the model's units.

    A customer without repeat purchases has everybody's.
    """
    x, t_x = (np.asarray(each, dtype=float) for each in (frequency, recency))
    return np.asarray((purchases.alpha + t_x) / (purchases.r + x))


def rate_if_kept(purchases: PurchaseModel, frequency: ArrayLike, T: ArrayLike) -> Floats:
    """Purchases in a unit of time of a customer who is alive and stays.

    Of one who is alive at T the rate is Gamma(r + x, alpha + T) under BG/NBD, MBG/NBD and
    Pareto/NBD alike.
    """
    x, age = (np.asarray(each, dtype=float) for each in (frequency, T))
    return np.asarray((purchases.r + x) / (purchases.alpha + age))


@dataclass(frozen=True)
class Leaving:
    """Log-odds of being gone, as a line of what a history tells of it.

    Attributes:
        intercept: Of everybody.
        silence: Of the logarithm of how improbable the silence is, -log(share of own gaps longer).
        purchases: Of log(1 + repeat purchases).
        once: Added for who has bought once.
    """

    intercept: float
    silence: float
    purchases: float
    once: float

    @classmethod
    def from_dict(cls, given: Mapping[str, Any] | None) -> Self | None:
        """From ``dataclasses.asdict``'s dictionary, as JSON gives it back."""
        return cls(**given) if given else None


def gone(
    leaving: Leaving | None,
    purchases: PurchaseModel,
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
) -> Floats:
    """Probability that each customer will never buy again.

    Args:
        leaving: Fitted; None takes the purchase model's word.
        purchases: The purchase model.
        frequency: Repeat purchases.
        recency: Time of the last one, in the model's units.
        T: Time since the first purchase, in the model's units.
    """
    if leaving is None:
        return 1 - purchases.probability_alive(frequency, recency, T)
    seen = _seen(purchases, frequency, recency, T)
    return np.asarray(expit(seen @ np.array(astuple(leaving))))


def has_left(
    leaving: Leaving | None,
    purchases: PurchaseModel,
    unit: int,
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
) -> Floats:
    """Probability that each customer buys nothing in the next `LEFT_DAYS`.

    Args:
        leaving: As for `gone`, like those that follow ``unit``.
        purchases: The purchase model.
        unit: Days in a unit of the model's time.
        frequency: Repeat purchases.
        recency: Time of the last one, in the model's units.
        T: Time since the first purchase, in the model's units.
    """
    stays = 1 - gone(leaving, purchases, frequency, recency, T)
    return np.asarray(1 - stays * purchases.survival_if_alive(1, LEFT_DAYS / unit, frequency, T))


def _seen(
    purchases: PurchaseModel, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
) -> Floats:
    x = np.asarray(frequency, dtype=float)
    surprise = -np.log(survived_silence(purchases, frequency, recency, T))
    return np.column_stack(
        [np.ones(len(x)), np.log(surprise + _SMALLEST_SURPRISE), np.log1p(x), x == 0]
    )


@dataclass(frozen=True)
class Returns:
    """Counted histories as of a day, with who bought in the days after it.

    Attributes:
        cells: ``frequency``, ``recency``, ``T`` (days), ``customers``, ``buyers`` (of them, those
            who bought within ``days``).
        purchases: Fitted to the history up to that day.
        unit: Days in a unit of the model's time.
        days: Days after it that tell who came back.
    """

    cells: pd.DataFrame
    purchases: PurchaseModel
    unit: int
    days: int

    @cached_property
    def history(self) -> tuple[Floats, Floats, Floats]:
        """Frequency, recency and T in the model's units."""
        x, t_x, age = (
            self.cells[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")
        )
        return x, t_x / self.unit, age / self.unit

    @cached_property
    def buys_if_alive(self) -> Floats:
        """P(at least one purchase in the days | alive)."""
        x, _, age = self.history
        return self.purchases.survival_if_alive(1, self.days / self.unit, x, age)

    def gone(self, leaving: Leaving | None) -> Floats:
        """See `gone`."""
        return gone(leaving, self.purchases, *self.history)

    def has_left(self, leaving: Leaving | None) -> Floats:
        """See `has_left`."""
        return has_left(leaving, self.purchases, self.unit, *self.history)

    def comes_back(self, gone: Floats) -> Floats:
        """P(buys in the days), away from 0 and 1, of each cell's customers."""
        return np.clip(
            (1 - gone) * self.buys_if_alive, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY
        )

    def counts(self) -> tuple[Floats, Floats]:
        """Of each cell, who came back and who did not."""
        came, all_ = (self.cells[name].to_numpy(dtype=float) for name in ("buyers", "customers"))
        return came, all_ - came

    def metrics(self, leaving: Leaving | None) -> dict[str, float]:
        """``returned_brier`` and ``returned_log_loss`` of who comes back, a customer."""
        came, not_ = self.counts()
        q = self.comes_back(self.gone(leaving))
        people = came.sum() + not_.sum()
        return {
            "returned_brier": float((came @ (1 - q) ** 2 + not_ @ q**2) / people),
            "returned_log_loss": float(-(came @ np.log(q) + not_ @ np.log1p(-q)) / people),
        }


def fit_leaving(returns: Returns) -> Leaving | None:
    """The line that makes who came back most probable; None where nobody did, or everybody.

    Args:
        returns: Of a day whose later days are known.
    """
    came, not_ = returns.counts()
    if not came.any() or not not_.any():
        return None
    seen, alive_buys = _seen(returns.purchases, *returns.history), returns.buys_if_alive
    people = came.sum() + not_.sum()

    def loss(line: Floats) -> tuple[float, Floats]:
        left = expit(seen @ line)
        q = returns.comes_back(left)
        by_q = not_ / (1 - q) - came / q
        gradient = (by_q * -alive_buys * left * (1 - left)) @ seen + line / _PRIOR_DEVIATION**2
        value = line @ line / (2 * _PRIOR_DEVIATION**2)
        value -= came @ np.log(q) + not_ @ np.log1p(-q)
        return float(value / people), np.asarray(gradient / people)

    found = minimize(loss, np.zeros(seen.shape[1]), jac=True, method="L-BFGS-B")
    return Leaving(*(float(each) for each in found.x))


def better(returns: Returns, leaving: Leaving) -> bool:
    """Whether ``leaving`` tells who came back better than the purchase model, beyond noise.

    The log losses of the same customers are compared; the mean difference must exceed
    `intervals.Z` of its standard errors.

    Args:
        returns: Of a later day than ``leaving`` has learnt from.
        leaving: Fitted to an earlier day.
    """
    own, fitted = (returns.comes_back(returns.gone(each)) for each in (None, leaving))
    came, not_ = returns.counts()
    if_came, if_not = np.log(fitted / own), np.log1p(-fitted) - np.log1p(-own)
    people = came.sum() + not_.sum()
    mean = (came @ if_came + not_ @ if_not) / people
    squares = (came @ if_came**2 + not_ @ if_not**2) / people
    return bool(mean > Z * np.sqrt(max(squares - mean**2, 0.0) / people))


def risk_of(has_left: ArrayLike) -> NDArray[np.int64]:
    """Risk class of each probability of having left: an index into `RISKS`."""
    least = np.array(sorted(RISK_FROM.values())[1:])
    return len(least) - np.searchsorted(least, np.asarray(has_left, dtype=float), side="right")


def returns_by_risk(returns: Returns, leaving: Leaving | None) -> pd.DataFrame:
    """Who came back, by risk class and beside customers alike.

    Args:
        returns: Of a day that ``leaving`` has not learnt from.
        leaving: As for `gone`.

    Returns:
        Columns ``who`` (one of `WHO`), ``risk``, ``customers``, ``has_left`` (mean), ``expected``
        and ``returned`` (shares of the customers who buy in the days after), those alike together,
        the highest risk first; groups without customers are left out.
    """
    cells, left = returns.cells, returns.has_left(leaving)
    customers = cells["customers"].to_numpy(dtype=float)
    sums = (
        pd.DataFrame(
            {
                "who": np.minimum(cells["frequency"].to_numpy(), REGULAR_FROM),
                "risk": risk_of(left),
                "customers": cells["customers"].to_numpy(),
                "has_left": left * customers,
                "expected": returns.comes_back(returns.gone(leaving)) * customers,
                "returned": cells["buyers"].to_numpy(dtype=float),
            }
        )
        .groupby(["who", "risk"], as_index=False)
        .sum()
    )
    for name in ("has_left", "expected", "returned"):
        sums[name] = sums[name] / sums["customers"]
    sums["who"] = [WHO[int(each)] for each in sums["who"]]
    sums["risk"] = [RISKS[int(each)] for each in sums["risk"]]
    return sums


def shown_by(table: pd.DataFrame) -> tuple[int, int]:
    """In how many groups of customers alike clearly fewer of those at high risk came back.

    The share of those at high risk is compared with that of the others alike: it must be less by
    more than `intervals.Z` standard errors of the difference of two proportions.

    Args:
        table: Of `returns_by_risk`.

    Returns:
        Of how many groups it is true, and how many have both.
    """
    clear = both = 0
    for _, alike in table.groupby("who"):
        at_high = alike["risk"] == RISKS[0]
        high, others = alike[at_high], alike[~at_high]
        if high.empty or others.empty:
            continue
        both += 1
        (people, came), (of, returned) = _came_back(high), _came_back(others)
        share = (came + returned) / (people + of)
        error = np.sqrt(share * (1 - share) * (1 / people + 1 / of))
        clear += bool(returned / of - came / people > Z * error)
    return clear, both


def _came_back(rows: pd.DataFrame) -> tuple[float, float]:
    """Customers, and those of them who came back."""
    people, returned = (rows[name].to_numpy(dtype=float) for name in ("customers", "returned"))
    return float(people.sum()), float(people @ returned)


def as_metrics(table: pd.DataFrame) -> dict[str, float]:
    """`returns_by_risk` as flat figures to log: ``returned_by_<who>_<risk>_<figure>``."""
    return {
        f"{BY_RISK}{row['who']}_{row['risk']}_{name}": float(row[name])
        for row in table.to_dict("records")
        for name in _SHOWN
    }


def from_metrics(metrics: Mapping[str, float]) -> pd.DataFrame:
    """`returns_by_risk`'s table from `as_metrics`; without rows where there is none."""
    columns = ["who", "risk", *_SHOWN]
    rows = [
        (who, risk, *(metrics[f"{BY_RISK}{who}_{risk}_{name}"] for name in _SHOWN))
        for who in WHO
        for risk in RISKS
        if f"{BY_RISK}{who}_{risk}_{_SHOWN[0]}" in metrics
    ]
    return pd.DataFrame(rows, columns=columns)


def readable(table: pd.DataFrame, language: Language) -> pd.DataFrame:
    """`returns_by_risk`'s table as text for people, shares in per cent."""
    return pd.DataFrame(
        {
            language("models.who"): [language(f"models.who_{who}") for who in table["who"]],
            language("models.risk"): [language.named("risk", risk) for risk in table["risk"]],
            language("models.people"): [language.number(n) for n in table["customers"]],
            language("column.has_left"): [language.percent(p, 0) for p in table["has_left"]],
            language("models.expected_back"): [language.percent(p, 0) for p in table["expected"]],
            language("models.came_back"): [language.percent(p, 0) for p in table["returned"]],
        }
    )


@dataclass(frozen=True)
class Told:
    """Who is gone, as it is told on a day and as it will be told from now on.

    Attributes:
        judged: Fitted to returns before the day that judges; None takes the purchase model's word.
        published: Fitted to those after it; None likewise.
        metrics: `Returns.metrics` of the judged one and, as ``candidate_purchase_model_…``, of the
            purchase model's word; `as_metrics` of the judged one.
    """

    judged: Leaving | None
    published: Leaving | None
    metrics: dict[str, float]


def tell(earlier: Returns | None, later: Returns) -> Told:
    """Fit on the earlier day and judge on the later one; what does not tell better is not used.

    Args:
        earlier: Of a day whose returns were known on the later day; None where there is no such.
        later: Of the day that judges.
    """
    fitted = fit_leaving(earlier) if earlier else None
    judged = fitted if fitted and better(later, fitted) else None
    metrics = later.metrics(judged) | as_metrics(returns_by_risk(later, judged))
    if judged:
        metrics |= {
            f"candidate_purchase_model_{name}": value for name, value in later.metrics(None).items()
        }
    # Where nobody came back in the days that judged, the earlier ones say more than nothing.
    return Told(judged, (fit_leaving(later) or judged) if judged else None, metrics)
