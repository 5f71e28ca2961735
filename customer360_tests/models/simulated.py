"""Customers made by the models themselves: what they did, and what they do next."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd

SPEND = GammaGamma(6.25, 3.74, 15.44)


class Simulated(NamedTuple):
    """Feature rows (times in ticks of the grid), and purchases and revenue over the horizon."""

    features: pd.DataFrame
    purchases: np.ndarray
    revenue: np.ndarray

    @property
    def cells(self) -> pd.DataFrame:
        """Counted histories."""
        columns = ["frequency", "recency", "T"]
        return self.features.groupby(columns).size().rename("customers").reset_index()


def simulated(
    model: BgNbd | MbgNbd | ParetoNbd,
    customers: int,
    seed: int,
    *,
    ticks: float,
    youngest: int,
    oldest: int,
    horizon: float = 0,
) -> Simulated:
    """Simulate in continuous time; only recency is rounded to the grid, no purchases merge.

    Args:
        model: Times in its unit.
        customers: How many.
        seed: Of the random numbers.
        ticks: Ticks of the grid in a unit of model time.
        youngest: Smallest T in ticks.
        oldest: Largest T in ticks.
        horizon: Ticks to look ahead.
    """
    random = np.random.default_rng(seed)
    age = random.integers(youngest, oldest + 1, customers)
    rate = random.gamma(model.r, 1 / (model.alpha * ticks), customers)
    alive = np.ones(customers, dtype=bool)
    if isinstance(model, ParetoNbd):
        death = random.exponential(1 / random.gamma(model.s, 1 / (model.beta * ticks), customers))
        dropout = np.zeros(customers)
    else:
        death, dropout = np.full(customers, np.inf), random.beta(model.a, model.b, customers)
        if isinstance(model, MbgNbd):
            alive = random.random(customers) >= dropout
    x, last, ahead, clock = (np.zeros(customers) for _ in range(4))
    while alive.any():
        clock[alive] += random.exponential(1 / np.maximum(rate[alive], 1e-300))
        alive &= (clock <= age + horizon) & (clock <= death)
        past = alive & (clock <= age)
        x[past] += 1
        last[past] = clock[past]
        ahead[alive & ~past] += 1
        alive &= random.random(customers) >= dropout
    scale = random.gamma(SPEND.q, 1 / SPEND.v, customers)
    mean = random.gamma(SPEND.p * np.maximum(x, 1)) / scale / np.maximum(x, 1)
    features = pd.DataFrame(
        {
            "frequency": x.astype(int),
            "recency": np.round(last).astype(int),
            "T": age,
            "monetary_value": np.where(x > 0, mean, 0.0),
        }
    )
    revenue = random.gamma(SPEND.p * np.maximum(ahead, 1)) / scale
    return Simulated(features, ahead, np.where(ahead > 0, revenue, 0.0))


class Futures(NamedTuple):
    """Feature rows in days, and what each customer will bring, discounted to now."""

    features: pd.DataFrame
    year: np.ndarray
    life: np.ndarray


def futures(
    model: BgNbd | MbgNbd | ParetoNbd,
    customers: int,
    seed: int,
    *,
    age: int,
    years: int,
    annual_discount_rate: float,
) -> Futures:
    """Follow customers of ``age`` days to the end of ``years``, taken for their whole life.

    Args:
        model: In weeks.
        customers: How many.
        seed: Of the random numbers.
        age: Days since the first purchase of each.
        years: How far to look ahead.
        annual_discount_rate: Of what comes.
    """
    random = np.random.default_rng(seed)
    rate = random.gamma(model.r, 1 / (model.alpha * 7), customers)
    alive = np.ones(customers, dtype=bool)
    death, dropout = np.full(customers, np.inf), np.zeros(customers)
    if isinstance(model, ParetoNbd):
        death = random.exponential(1 / random.gamma(model.s, 1 / (model.beta * 7), customers))
    else:
        dropout = random.beta(model.a, model.b, customers)
        if isinstance(model, MbgNbd):
            alive = random.random(customers) >= dropout
    scale = random.gamma(SPEND.q, 1 / SPEND.v, customers)
    x, last, clock, spent, year, life = (np.zeros(customers) for _ in range(6))
    while alive.any():
        clock[alive] += random.exponential(1 / np.maximum(rate[alive], 1e-300))
        alive &= (clock <= age + 365 * years) & (clock <= death)
        value = random.gamma(SPEND.p, 1 / scale)
        past, ahead = alive & (clock <= age), alive & (clock > age)
        x[past] += 1
        last[past] = clock[past]
        spent[past] += value[past]
        worth = value * (1 + annual_discount_rate) ** (-(clock - age) / 365)
        life[ahead] += worth[ahead]
        soon = ahead & (clock <= age + 365)
        year[soon] += worth[soon]
        alive &= random.random(customers) >= dropout
    features = pd.DataFrame(
        {
            "frequency": x.astype(int),
            "recency": np.round(last).astype(int),
            "T": age,
            "monetary_value": np.where(x > 0, spent / np.maximum(x, 1), 0.0),
        }
    )
    return Futures(features, year, life)
