"""Rules of thumb beside a purchase model: by hand, and totals that are those of the customers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from customer360.models.baselines import NaiveRules
from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.blend import RULE_FEATURES, Blend
from customer360.models.lifetime_value.customer_base import forecast
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scoring import (
    HORIZONS,
    MODEL_FEATURES,
    KnownScores,
    LifetimeValueModel,
    frozen,
    predictive_intervals,
)
from customer360_tests.models.data import cdnow_calibration
from customer360_tests.models.simulated import SPEND

POISSON = ParetoNbd(r=1e9, alpha=1e9 * 365 / 7, s=1e-12, beta=1e12)
"""Everybody buys once in 365 days, and nobody leaves."""

RULES = NaiveRules(273, 800, 0.01, 30.0, float("inf"))
BLEND = Blend.of({"last_year": 0.25, "past_average": 0.25}, {"last_year": 1.0}, RULES)
ROWS = pd.DataFrame(
    {
        "frequency": [4, 0],
        "recency": [300, 0],
        "T": [400, 500],
        "monetary_value": [20.0, 0.0],
        "net_revenue": [110.0, 30.0],
        "purchase_days_365d": [3, 0],
        "net_revenue_365d": [60.0, 0.0],
    }
)


@pytest.fixture
def fitted() -> LifetimeValueModel:
    """BG/NBD and Gamma-Gamma of CDNOW, with some of three rules."""
    blend = Blend.of(
        {"last_year": 0.2, "population_average": 0.1},
        {"last_year": 0.3, "past_average": 0.1, "hiatus_rule": 0.1},
        NaiveRules(273, 272, 0.004, 35.0, 120),
    )
    return LifetimeValueModel(
        7,
        BgNbd(0.243, 4.414, 0.793, 2.426),
        SPEND,
        36.0,
        0.1,
        frozen(np.eye(4) * 0.0025),
        frozen(np.eye(3) * 0.0025),
        blend=blend,
    )


@pytest.fixture
def customers() -> pd.DataFrame:
    """CDNOW's, with a first purchase like the others; none is older than a year."""
    rows = cdnow_calibration().reset_index(drop=True)
    spent = rows["monetary_value"] * (rows["frequency"] + 1)
    return rows.assign(
        customers=1,
        net_revenue=spent.where(rows["frequency"] > 0, 30.0),
        net_revenue_365d=spent.where(rows["frequency"] > 0, 30.0),
        purchase_days_365d=rows["frequency"] + 1,
    )


def test_expectations_are_weighted_means() -> None:
    """A year: half of 1, a quarter of 3, a quarter of 4 in 400 days; revenue is last year's."""
    found = LifetimeValueModel(7, POISSON, None, 10.0, blend=BLEND).predict(ROWS)
    own = 4 / 400 * 365
    assert found["expected_purchases_365d"].tolist() == pytest.approx(
        [0.5 + 0.25 * 3 + 0.25 * own, 0.5], rel=1e-6
    )
    assert found["expected_purchases_90d"].tolist() == pytest.approx(
        [(0.5 + 0.25 * 3 + 0.25 * own) * 90 / 365, 0.5 * 90 / 365], rel=1e-6
    )
    assert found["expected_revenue_365d"].tolist() == pytest.approx([60, 0])
    # What tells of being a customer and of one order stays the models'.
    assert found["expected_order_value"].tolist() == [20, 10]
    assert found["probability_alive"].tolist() == pytest.approx([1, 1])


def test_nobody_leaves_by_a_rule_so_it_says_what_a_customer_brings_who_is_kept() -> None:
    """Nobody leaves by the purchase model either: there is nothing to lose, whoever has a say."""
    for share in (0.25, 1.0):
        blend = Blend.of({}, {"last_year": share}, RULES)
        found = LifetimeValueModel(7, POISSON, None, 10.0, blend=blend).predict(ROWS)
        kept = [share * 60 + (1 - share) * 20, (1 - share) * 10]
        assert found["revenue_if_kept_365d"].tolist() == pytest.approx(kept, rel=1e-6)
        assert found["leaving_share_365d"].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_a_kept_customer_brings_no_less_than_is_expected(
    fitted: LifetimeValueModel, customers: pd.DataFrame
) -> None:
    found = fitted.predict(customers)
    assert (found["revenue_if_kept_365d"] >= found["expected_revenue_365d"] * (1 - 1e-9)).all()


def test_intervals_go_along_and_hold_the_mean() -> None:
    """Of one purchase a year: 0 to 2. With a mean of 2.16 it is 3.16 at most, which is four.

    Revenue by the model is 20, 0 to 40: with 60 it is 80 at most. By a rule that expects nothing of
    the second customer it stays what the model says: 0 to 20.
    """
    found = LifetimeValueModel(7, POISSON, None, 10.0, blend=BLEND).predict(ROWS)
    assert found["expected_purchases_365d_low"].tolist() == [0, 0]
    assert found["expected_purchases_365d_high"].tolist() == [4, 2]
    assert found["expected_revenue_365d_low"].tolist() == [0, 0]
    assert found["expected_revenue_365d_high"].tolist() == pytest.approx([80, 20], rel=1e-6)
    for name in [each.removesuffix("_low") for each in map(str, found) if each.endswith("_low")]:
        if name not in ("probability_alive", "expected_order_value"):
            assert (found[f"{name}_low"] <= found[name]).all(), name
            assert (found[name] <= found[f"{name}_high"]).all(), name
    year = predictive_intervals(LifetimeValueModel(7, POISSON, None, 10.0, blend=BLEND), ROWS, 365)
    for amount in ("purchases", "revenue"):
        for end in ("low", "high"):
            assert year[f"{amount}_{end}"].tolist() == pytest.approx(
                found[f"expected_{amount}_365d_{end}"].tolist()
            )


def test_without_intervals_the_figures_are_the_same() -> None:
    model = LifetimeValueModel(7, POISSON, None, 10.0, blend=BLEND)
    figures = model.figures(ROWS, KnownScores(model, intervals=False))
    whole = model.predict(ROWS)
    assert not [name for name in figures if name.endswith(("_low", "_high"))]
    for name, values in figures.items():
        np.testing.assert_array_equal(values, whole[name].to_numpy(), err_msg=name)


def test_what_rules_have_no_say_in_stays_the_models_own() -> None:
    alone = LifetimeValueModel(7, POISSON, None, 10.0).predict(ROWS)
    revenue = Blend.of({}, {"last_year": 1.0}, RULES)
    found = LifetimeValueModel(7, POISSON, None, 10.0, blend=revenue).predict(ROWS)
    purchases = [name for name in map(str, found) if "purchases" in name or "alive" in name]
    pd.testing.assert_frame_equal(found[purchases], alone[purchases], check_exact=True)


def test_rules_change_the_coming_year_and_not_what_comes_after() -> None:
    """Last year's 60 in twelve months, discounted; beyond them the model's own."""
    plain = LifetimeValueModel(7, POISSON, None, 10.0)
    alone, found = (
        plain.predict(ROWS),
        LifetimeValueModel(7, POISSON, None, 10.0, blend=BLEND).predict(ROWS),
    )
    factor = np.mean([1.10 ** (-month / 12) for month in range(1, 13)])
    assert found["discounted_value_12m"].tolist() == pytest.approx([60 * factor, 0])
    after = [
        each["discounted_residual_value"] - each["discounted_value_12m"] for each in (alone, found)
    ]
    assert after[1].tolist() == pytest.approx(after[0].tolist())


def test_the_fallback_is_a_part_like_any_other_and_knows_no_bounds() -> None:
    """Without a purchase model its part is the past average: .75 of it and .25 of last year."""
    found = LifetimeValueModel(7, None, None, 10.0, blend=BLEND).predict(ROWS)
    assert found["expected_purchases_365d"].tolist() == pytest.approx(
        [0.75 * 4 / 400 * 365 + 0.25 * 3, 0]
    )
    assert found["expected_revenue_365d"].tolist() == pytest.approx([60, 0])
    assert found.filter(regex="_(low|high)$").isna().all(axis=None)
    assert found["discounted_residual_value"].isna().all()


def test_a_young_business_has_no_year_to_carry_on() -> None:
    """Its 146 days are what there is: half of it comes in 73; a year later it is a year's."""
    model = LifetimeValueModel(7, POISSON, None, 10.0, blend=BLEND)
    _, young = model.at(146).expectations(ROWS, (73.0,))
    assert young[:, 0].tolist() == pytest.approx([30, 0])
    _, old = model.at(511).expectations(ROWS, (73.0,))
    assert old[:, 0].tolist() == pytest.approx([12, 0])
    plain = LifetimeValueModel(7, POISSON, None, 10.0)
    assert plain.at(146) == plain


def test_json_keeps_the_rules_and_is_json(fitted: LifetimeValueModel) -> None:
    for model in (fitted, LifetimeValueModel(7, None, None, 10.0, blend=BLEND)):
        assert LifetimeValueModel.from_json(model.to_json()) == model
        json.loads(model.to_json(), parse_constant=pytest.fail)  # no Infinity, no NaN
    assert fitted.kind == (
        "bg_nbd+gamma_gamma+last_year+population_average+past_average+hiatus_rule"
    )
    assert fitted.features == (*MODEL_FEATURES, *RULE_FEATURES)
    assert LifetimeValueModel(7, POISSON, SPEND, 10.0).features == MODEL_FEATURES


def test_expectations_of_any_horizon_are_those_of_predict(
    fitted: LifetimeValueModel, customers: pd.DataFrame
) -> None:
    scores = fitted.predict(customers)
    purchases, revenue = fitted.expectations(customers, HORIZONS)
    for k, days in enumerate(HORIZONS):
        assert scores[f"expected_purchases_{days}d"].tolist() == pytest.approx(
            purchases[:, k].tolist(), rel=1e-9
        )
        assert scores[f"expected_revenue_{days}d"].tolist() == pytest.approx(
            revenue[:, k].tolist(), rel=1e-9
        )
    assert fitted.expected_purchases(customers, HORIZONS) == pytest.approx(purchases)
    known = KnownScores(fitted)
    batches = [fitted.predict(customers.iloc[i : i + 900], known) for i in range(0, 2357, 900)]
    pd.testing.assert_frame_equal(pd.concat(batches), scores, check_exact=True)


def test_totals_are_sums_over_customers(
    fitted: LifetimeValueModel, customers: pd.DataFrame
) -> None:
    """From customers and from cells that have their means."""
    scores = fitted.predict(customers)
    purchases, revenue = fitted.expectations(customers, (364.0,))
    cells = customers.groupby(["frequency", "recency", "T"], as_index=False).agg(
        {"customers": "sum", "monetary_value": "mean"} | dict.fromkeys(RULE_FEATURES, "mean")
    )
    for base in (customers, cells):
        found = forecast(fitted, base)
        assert found.weeks["purchases"].sum() == pytest.approx(purchases.sum(), rel=1e-9)
        assert found.weeks["revenue"].sum() == pytest.approx(revenue.sum(), rel=1e-9)
        assert found.equity == pytest.approx(scores["discounted_residual_value"].sum(), rel=1e-9)
        assert found.equity_low < found.equity < found.equity_high
        for name in ("purchases", "revenue"):
            assert (found.weeks[f"{name}_low"] < found.weeks[name]).all()
            assert (found.weeks[name] < found.weeks[f"{name}_high"]).all()
