"""Whom is it worth contacting: the expected profit of a retention campaign by its size.

A contact costs the same whether the customer would have left or not. It earns something only from
one who would have left and stays because of it: the margin on the customer's value at stake. So

    profit of contacting i = p_i x success_rate x margin x value_i - contact_cost

and the curve adds it up, the riskiest customer first. The more certain the churn and the larger
the value, the more a contact earns; from some customer on it costs more than that, and there the
list should end.

Source: Neslin, Gupta, Kamakura, Lu and Mason 2006, "Defection Detection", Journal of Marketing
Research 43(2), equation 1, without the incentive that stayers would get (set it into the cost).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from customer360.errors import Customer360Error

Floats = NDArray[np.float64]

CURVE_POINTS = 200
"""The curve is kept at so many shares of the customers."""


class ProfitError(Customer360Error):
    """The economics of a campaign that cannot be."""


@dataclass(frozen=True)
class Campaign:
    """What a retention campaign costs and brings.

    Attributes:
        contact_cost: Of one contact, in the currency of the values; an incentive included.
        success_rate: Share of the contacted churners who stay because of it, 0 to 1.
        margin: Share of the revenue kept that is profit, 0 to 1.
    """

    contact_cost: float = 1.0
    success_rate: float = 0.1
    margin: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ProfitError: A cost below 0, or a share outside 0 to 1.
        """
        if not 0 <= self.contact_cost < np.inf:
            raise ProfitError(
                f"churn contact cost is {self.contact_cost}; give 0 or more (churn_contact_cost)"
            )
        for name in ("success_rate", "margin"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ProfitError(f"churn {name} is {value}; give a share of 0 to 1 (churn_{name})")

    def earned(self, churn: ArrayLike, values: ArrayLike) -> Floats:
        """Profit of contacting each customer; ``churn`` is a probability, or 0/1 in hindsight.

        A customer whose refunds exceed the purchases has nothing at stake.
        """
        at_stake = np.maximum(np.nan_to_num(np.asarray(values, dtype=float)), 0.0)
        kept = np.asarray(churn, dtype=float) * self.success_rate * self.margin * at_stake
        return np.asarray(kept - self.contact_cost)

    def parameters(self) -> dict[str, float]:
        """As flat parameters to log."""
        return {
            "churn_contact_cost": self.contact_cost,
            "churn_success_rate": self.success_rate,
            "churn_margin": self.margin,
        }


@dataclass(frozen=True)
class ProfitCurve:
    """Profit of a campaign by the share of customers contacted, the riskiest first.

    Attributes:
        table: ``share`` contacted (0 to 1), ``customers``, ``threshold`` (the lowest churn
            probability contacted), ``expected`` profit by the probabilities, and ``observed``
            profit by what happened, where labels were given.
        best_share: Share with the largest expected profit; 0 when no contact pays.
        best_threshold: Churn probability from which contacting pays in sum; above 1 when none.
        best_expected: Expected profit there.
        best_observed: Observed profit there; NaN without labels.
        everybody: Expected profit of contacting everybody.
        by_gain: Expected profit of contacting exactly those whose own contact pays: what is left
            on the table by ranking by risk alone.
    """

    table: pd.DataFrame
    best_share: float
    best_threshold: float
    best_expected: float
    best_observed: float
    everybody: float
    by_gain: float

    def metrics(self) -> dict[str, float]:
        """Flat figures to log, profits a thousand customers so that sizes compare."""
        customers = float(self.table["customers"].iloc[-1])
        metrics = {
            "profit_best_share": self.best_share,
            "profit_best_threshold": self.best_threshold,
            "profit_best_per_1000": self.best_expected / customers * 1_000,
            "profit_observed_per_1000": self.best_observed / customers * 1_000,
            "profit_everybody_per_1000": self.everybody / customers * 1_000,
            "profit_by_gain_per_1000": self.by_gain / customers * 1_000,
        }
        return {name: value for name, value in metrics.items() if np.isfinite(value)}


NOBODY = float(np.nextafter(1.0, 2.0))
"""A threshold that no probability reaches."""


def profit_curve(
    probabilities: ArrayLike,
    values: ArrayLike,
    campaign: Campaign,
    labels: ArrayLike | None = None,
    customers: ArrayLike | None = None,
) -> ProfitCurve:
    """Expected profit by share contacted, and the threshold that maximises it.

    The threshold is chosen by the probabilities alone, as it would be before the campaign; the
    observed profit there is then no flattery. Customers with equal probabilities are contacted
    together.

    Args:
        probabilities: Churn probabilities, one a customer.
        values: Value at stake of each: expected or past revenue, in currency.
        campaign: What it costs and brings.
        labels: 1 = churned, where it is known by now.
        customers: How many customers each row stands for, where rows are groups of them; one each
            when not given. Exact where the value of a group is the mean value of its customers
            weighted by their probabilities; only ``by_gain`` is then a lower bound.

    Raises:
        ProfitError: No customer was given.
    """
    p = np.asarray(probabilities, dtype=float)
    if not len(p):
        raise ProfitError("no customer to contact: give at least one churn probability")
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    people = np.ones(len(p)) if customers is None else np.asarray(customers, dtype=float)
    reached = np.insert(np.cumsum(people[order])[ends], 0, 0.0)
    gains = people * campaign.earned(p, values)

    def summed(earned: Floats) -> Floats:
        return np.insert(np.cumsum(earned[order])[ends], 0, 0.0)

    expected = summed(gains)
    observed = (
        np.full(len(expected), np.nan)
        if labels is None
        else summed(people * campaign.earned(labels, values))
    )
    table = pd.DataFrame(
        {
            "share": reached / reached[-1],
            "customers": reached.round().astype(int),
            "threshold": np.insert(p[order][ends], 0, NOBODY),
            "expected": expected,
            "observed": observed,
        }
    )
    best = table.loc[int(np.argmax(expected))]
    kept = np.unique(np.linspace(0, len(table) - 1, CURVE_POINTS + 1).round().astype(int))
    return ProfitCurve(
        table.iloc[kept].reset_index(drop=True),
        best_share=float(best["share"]),
        best_threshold=float(best["threshold"]),
        best_expected=float(best["expected"]),
        best_observed=float(best["observed"]),
        everybody=float(expected[-1]),
        by_gain=float(np.maximum(gains, 0).sum()),
    )
