"""What tells of purchases and revenue, where it is known what should; no Spark is needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from customer360.language import Language
from customer360.models.baselines import NaiveRules
from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.candidates import (
    CARRIED_ON,
    FITTERS,
    MEAN_VALUE,
    Terms,
)
from customer360.models.lifetime_value.cells import Cells
from customer360.models.lifetime_value.choosing import (
    Validation,
    choose,
    rules_noted,
    simplest,
    validation_period,
)
from customer360.models.notes import Note, in_english
from customer360_tests.models.simulated import SPEND, simulated

AS_OF = date(2024, 6, 30)
KINDS = tuple(FITTERS)


def validation(rows: pd.DataFrame, days: int) -> Validation:
    """The days after an as-of date, of customers who are all in the sample."""
    purchases = rows.assign(customers=1).groupby(["frequency", "recency", "T"], as_index=False)
    spend = rows[rows["frequency"] > 0].assign(customers=1)
    cells = Cells(
        purchases.agg(customers=("customers", "sum"), net_revenue=("net_revenue", "sum")),
        spend[["frequency", "monetary_value", "customers"]],
    )
    rules = NaiveRules(
        days, cells.history_days, cells.mean_rate, cells.mean_order_value, float("inf")
    )
    return Validation(AS_OF, days, rows, cells, rules)


def by_bg_nbd(customers: int) -> pd.DataFrame:
    """Customers of a business younger than a year, who are as BG/NBD and Gamma-Gamma have it."""
    truth = BgNbd(0.6, 5.0, 0.8, 2.5)
    made = simulated(truth, customers, 3, ticks=7, youngest=100, oldest=360, horizon=90)
    rows = made.features
    spent = rows["frequency"] * rows["monetary_value"] + SPEND.population_mean
    return rows.assign(
        net_revenue=spent,
        net_revenue_365d=spent,
        purchase_days_365d=rows["frequency"] + 1,
        actual_purchases=made.purchases,
        actual_revenue=made.revenue,
    )


def by_last_year(customers: int) -> pd.DataFrame:
    """Customers of three years who go on as in the last, which was unlike the two before it.

    A fifth of them left two years ago.
    """
    random = np.random.default_rng(5)
    before, late = random.poisson(6, customers) + 1, random.poisson(random.gamma(2, 4, customers))
    gone = random.random(customers) < 0.2
    late = np.where(gone, 0, late + 1)
    value = random.gamma(6, 5, customers)
    ahead = random.poisson(late * 90 / 365)
    frequency = before + late
    return pd.DataFrame(
        {
            "frequency": frequency,
            "recency": np.where(gone, 365, 1_095 - np.minimum(365 // np.maximum(late, 1), 300)),
            "T": 1_095,
            "monetary_value": value,
            "net_revenue": (frequency + 1) * value,
            "purchase_days_365d": late,
            "net_revenue_365d": late * value,
            "actual_purchases": ahead.astype(float),
            "actual_revenue": ahead * value,
        }
    )


def test_the_model_is_chosen_where_customers_are_as_it_says() -> None:
    found = choose(validation(by_bg_nbd(6_000), 90), KINDS, Terms())
    assert found.kinds[0] == "bg_nbd"
    assert sorted(found.kinds) == sorted(KINDS)
    assert (found.purchases, found.revenue, found.at_boundary) == ({}, {}, False)
    assert found.notes == ()
    assert found.parameters == {"validation_as_of": "2024-06-30", "validation_days": 90}
    figures = found.metrics()
    for amount in ("purchases", "revenue"):
        own = figures[f"validation_bg_nbd_{amount}_rmse"]
        for other in ("last_year", "past_average", "population_average", "hiatus_rule"):
            assert own < figures[f"validation_{other}_{amount}_rmse"], (amount, other)


def test_rules_of_thumb_have_a_say_where_the_last_year_goes_on() -> None:
    found = choose(validation(by_last_year(4_000), 90), KINDS, Terms())
    for amount, weights in (("purchases", found.purchases), ("revenue", found.revenue)):
        assert weights["last_year"] > 0.6, amount
        assert sum(weights.values()) <= 1 + 1e-9
        assert found.parameters[f"blend_weight_{amount}_last_year"] == weights["last_year"]
        rmse = {k: v for k, v in found.metrics().items() if f"_{amount}_" in k}
        assert rmse[f"validation_past_average_{amount}_rmse"] > min(rmse.values())
    said = in_english(found.notes)
    assert "expected purchases" in said
    assert "“Same as last year”" in said
    # Of what the model has no say in, it is not said to have some.
    assert "but for 100%" not in said


def test_a_model_that_was_asked_for_is_taken_without_rules() -> None:
    found = choose(validation(by_bg_nbd(3_000), 90), ("mbg_nbd",), Terms())
    assert (found.kinds, found.purchases, found.revenue) == (("mbg_nbd",), {}, {})
    assert found.metrics() == {}


def test_without_days_to_choose_by_the_first_model_stands_alone() -> None:
    """And where nobody buys, nobody is nearer."""
    alone = simplest(KINDS)
    assert (alone.kinds, alone.purchases, alone.revenue) == (KINDS, {}, {})
    assert alone.notes == (Note("not_chosen_on_days"),)
    assert simplest(("pareto_nbd",)).notes == ()
    quiet = by_bg_nbd(3_000).assign(actual_purchases=0.0, actual_revenue=0.0)
    nobody = choose(validation(quiet, 90), KINDS, Terms())
    assert nobody == replace(alone, notes=(Note("nobody_bought_on_days"),))


def marketplace(customers: int) -> pd.DataFrame:
    """Of these hardly anybody buys twice, and who did is no more likely to come again."""
    random = np.random.default_rng(7)
    twice = random.random(customers) < 0.02
    age = random.integers(40, 300, customers)
    ahead = (random.random(customers) < 0.02).astype(float)
    return pd.DataFrame(
        {
            "frequency": twice.astype(int),
            "recency": np.where(twice, age // 3, 0),
            "T": age,
            "monetary_value": np.where(twice, 40.0, 0.0),
            "net_revenue": np.where(twice, 80.0, 40.0),
            "purchase_days_365d": np.where(twice, 2, 1),
            "net_revenue_365d": np.where(twice, 80.0, 40.0),
            "actual_purchases": ahead,
            "actual_revenue": ahead * 40.0,
        }
    )


def subscribers(customers: int) -> pd.DataFrame:
    """So few that nobody fits a model to them; each goes on at the own pace and price."""
    pace = np.arange(customers) % 4 + 2
    price = np.arange(customers) % 7 * 10.0 + 10
    return pd.DataFrame(
        {
            "frequency": pace * 4,
            "recency": 360,
            "T": 360,
            "monetary_value": price,
            "net_revenue": (pace * 4 + 1) * price,
            "purchase_days_365d": pace * 4 + 1,
            "net_revenue_365d": (pace * 4 + 1) * price,
            "actual_purchases": pace.astype(float),
            "actual_revenue": pace * price,
        }
    )


@pytest.mark.parametrize(
    ("rows", "rule"),
    [(marketplace(1_500), "population_average"), (subscribers(40), "past_average")],
)
def test_where_no_model_can_be_fitted_the_nearest_rule_tells(rows: pd.DataFrame, rule: str) -> None:
    """A marketplace whose customers do not come back is not told that they go on as they did."""
    found = choose(validation(rows, 90), KINDS, Terms())
    assert (found.kinds, found.purchases, found.revenue) == (KINDS, {rule: 1.0}, {rule: 1.0})
    rmse = found.metrics()
    others = ("last_year", "past_average", "population_average", "hiatus_rule")
    assert rmse[f"validation_{rule}_revenue_rmse"] == min(
        rmse[f"validation_{other}_revenue_rmse"] for other in others
    )
    assert found.parameters[f"blend_weight_purchases_{rule}"] == 1.0
    assert found.notes == rules_noted({"purchases": {rule: 1.0}, "revenue": {rule: 1.0}})
    assert found.silenced == [CARRIED_ON, MEAN_VALUE]


@pytest.mark.parametrize(
    ("history", "most", "expected"),
    [(272, 273, 68), (1_460, 273, 273), (28, 28, 7), (27, 27, 0), (100, 0, 0)],
)
def test_a_quarter_of_the_history_chooses(history: int, most: int, expected: int) -> None:
    as_of, days = validation_period(AS_OF, history, most)
    assert days == expected
    assert (AS_OF - as_of).days == expected


@pytest.mark.parametrize(
    ("weights", "english", "portuguese"),
    [
        (
            {"revenue": {"last_year": 0.4}},
            "expected revenue is the purchase model's but for 40% of “Same as last year”",
            "a receita esperada é a do modelo de compras, exceto 40% de “Igual ao último ano”",
        ),
        (
            {"purchases": {}, "revenue": {"last_year": 1.0}},
            "expected revenue: “Same as last year” alone",
            "receita esperada: só “Igual ao último ano”",
        ),
        (
            {"purchases": {"last_year": 0.75, "past_average": 0.25}},
            "expected purchases: 75% of “Same as last year”, 25% of “Own past average” alone",
            "compras esperadas: só 75% de “Igual ao último ano”, 25% de “Média do próprio passado”",
        ),
        ({"purchases": {}, "revenue": {}}, "", ""),
    ],
)
def test_what_rules_of_thumb_say_is_told(
    weights: dict[str, dict[str, float]], english: str, portuguese: str
) -> None:
    notes = rules_noted(weights)
    assert in_english(notes) == english
    assert "; ".join(Language("pt").note(*note) for note in notes) == portuguese
