"""Whom is it worth contacting: the expected profit of a retention campaign by its size.

A contact costs the same whether the customer would have left or not. It earns something only from
one who would have left and stays because of it: the margin on the customer's value at stake, which
is what is lost, on average, by their leaving. So

    profit of contacting i = value_at_stake_i x success_rate x margin - contact_cost

and the curve adds it up, the most profitable contact first. The best set is all whose own contact
pays: the next one would cost more than it brings. No share of the riskiest is as good, as many of
them have little to lose.

Source: Neslin, Gupta, Kamakura, Lu and Mason 2006, "Defection Detection", Journal of Marketing
Research 43(2), equation 1, without the incentive that stayers would get (set it into the cost).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from customer360.models.campaign import Campaign, ProfitError
from customer360.models.ranked import Ranked

CURVE_POINTS = 200
"""The curve is kept at so many shares of the customers."""


@dataclass(frozen=True)
class ProfitCurve:
    """Profit of a campaign by the number of customers contacted, the most profitable first.

    Attributes:
        table: ``customers`` contacted, their ``share`` (0 to 1), ``at_stake`` (the least value at
            stake among them, in currency), ``expected`` profit, and ``observed`` profit by what
            happened, where that is known.
        best_customers: Whom it pays to contact: so many; 0 when no contact pays.
        best_share: Their share of all.
        best_at_stake: Least value at stake among them; infinite when no contact pays.
        best_expected: Expected profit of contacting them.
        best_observed: Observed profit of it; NaN where that is not known.
        everybody: Expected profit of contacting everybody.
    """

    table: pd.DataFrame
    best_customers: int
    best_share: float
    best_at_stake: float
    best_expected: float
    best_observed: float
    everybody: float

    def metrics(self) -> dict[str, float]:
        """Flat figures to log, profits a thousand customers so that sizes compare."""
        customers = float(self.table["customers"].iloc[-1])
        metrics = {
            "profit_best_share": self.best_share,
            "profit_best_at_stake": self.best_at_stake,
            "profit_best_per_1000": self.best_expected / customers * 1_000,
            "profit_observed_per_1000": self.best_observed / customers * 1_000,
            "profit_everybody_per_1000": self.everybody / customers * 1_000,
        }
        return {name: value for name, value in metrics.items() if np.isfinite(value)}


def profit_curve(
    at_stake: ArrayLike,
    campaign: Campaign,
    realised: ArrayLike | None = None,
    customers: ArrayLike | None = None,
) -> ProfitCurve:
    """Expected profit by number of customers contacted, and the best set.

    The set is chosen by what is expected alone, as it would be before the campaign; the observed
    profit of it is then no flattery. Customers of equal value at stake are contacted together.

    Args:
        at_stake: Value at stake of each customer, in currency.
        campaign: What it costs and brings.
        realised: What was lost by each one's leaving, where it is known by now; 0 of who stayed.
        customers: How many customers each row stands for, where rows are groups of them, of the
            mean of their values at stake (none below 0); one each when not given. The groups' ends
            are then the only sizes that are looked at.

    Raises:
        ProfitError: No customer was given.
    """
    stake = np.maximum(np.nan_to_num(np.asarray(at_stake, dtype=float)), 0.0)
    if not len(stake):
        raise ProfitError("no customer to contact: give at least one value at stake")
    ranked = Ranked.by(stake)
    people = np.ones(len(stake)) if customers is None else np.asarray(customers, dtype=float)
    reached = ranked.summed(people)
    expected = ranked.summed(people * campaign.earned(stake))
    observed = (
        np.full(len(expected), np.nan)
        if realised is None
        else ranked.summed(people * campaign.earned(realised))
    )
    table = pd.DataFrame(
        {
            "customers": reached.round().astype(int),
            "share": reached / reached[-1],
            "at_stake": np.insert(stake[ranked.order][ranked.ends], 0, np.inf),
            "expected": expected,
            "observed": observed,
        }
    )
    best = int(np.argmax(expected))
    points = np.linspace(0, len(table) - 1, CURVE_POINTS + 1).round().astype(int)
    kept = np.unique(np.append(points, best))
    return ProfitCurve(
        table.iloc[kept].reset_index(drop=True),
        best_customers=int(table["customers"].to_numpy()[best]),
        best_share=float(table["share"].to_numpy()[best]),
        best_at_stake=float(table["at_stake"].to_numpy()[best]),
        best_expected=float(expected[best]),
        best_observed=float(observed[best]),
        everybody=float(expected[-1]),
    )
