"""The tables of a validation: published figures of CDNOW, and small cases by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln, gammaln

from customer360.models.lifetime_value import diagnostics
from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scoring import LifetimeValueModel
from customer360_tests.models.data import (
    CALIBRATION_END,
    HOLDOUT_END,
    cdnow_calibration,
    cdnow_days,
)
from customer360_tests.models.simulated import simulated

BG_NBD = BgNbd(0.242595, 4.413602, 0.792922, 2.425907)
MODELS = [
    BG_NBD,
    MbgNbd(0.524843, 6.183085, 0.891359, 1.614002),
    ParetoNbd(0.553277, 10.57768, 0.60624, 11.66873),
]
HOLDOUT_DAYS = (HOLDOUT_END - CALIBRATION_END).days


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    """CDNOW's histories with what they did in the holdout."""
    rows = cdnow_calibration()
    counted = rows.assign(buyers=rows["holdout"] > 0).groupby(["frequency", "recency", "T"])
    return counted.agg(
        customers=("holdout", "size"), purchases=("holdout", "sum"), buyers=("buyers", "sum")
    ).reset_index()


@pytest.fixture(scope="module")
def counted() -> pd.DataFrame:
    """CDNOW's repeat purchases by day since the end of the calibration."""
    days = cdnow_days()
    repeats = days[(days["on"] > days.groupby("id")["on"].transform("min"))]
    day = repeats["on"].map(date.toordinal) - CALIBRATION_END.toordinal()
    found = day[day <= HOLDOUT_DAYS].value_counts().sort_index()
    return pd.DataFrame({"day": found.index, "purchases": found.to_numpy()})


def test_cumulative_repeat_purchases_are_the_published_ones(
    cells: pd.DataFrame, counted: pd.DataFrame
) -> None:
    """Weeks 39, 52 and 78: 2457/3183/4339 actual, 2494.0/3127.7/4160.6 by BG/NBD (recomputed)."""
    days = diagnostics.repeat_purchases_by_day(cells, BG_NBD, 7, counted, HOLDOUT_DAYS)
    weeks = diagnostics.tracking_by_week(days).set_index("week").loc[[39, 52, 78]]
    assert weeks["cumulative_actual"].tolist() == [2457, 3183, 4339]
    assert weeks["cumulative_expected"].tolist() == pytest.approx(
        [2494.0, 3127.7, 4160.6], abs=0.05
    )
    assert weeks["holdout"].tolist() == [False, True, True]
    assert diagnostics.tracking_metrics(days) == pytest.approx(
        {
            "tracking_calibration_actual": 2457,
            "tracking_calibration_expected": 2494.0,
            "tracking_holdout_actual": 4339,
            "tracking_holdout_expected": 4160.6,
        },
        abs=0.05,
    )


def test_tracking_by_hand() -> None:
    """Two customers, ten and three days old; a holdout of nine days, whose last two are no week."""
    first = pd.DataFrame({"frequency": 0, "recency": 0, "T": [10, 3], "customers": 1})
    seen = pd.DataFrame({"day": [-1, 0, 1, 8], "purchases": [1, 2, 4, 8]})
    days = diagnostics.repeat_purchases_by_day(first, BG_NBD, 7, seen, 9)
    assert days["day"].tolist() == list(range(-10, 10))
    by_end = days["expected"].cumsum()
    wanted = BG_NBD.expected_purchases_of_new([19 / 7, 12 / 7]).sum()
    assert by_end.iloc[-1] == pytest.approx(wanted)
    # Before the second first purchase there is only the older customer.
    assert by_end[days["day"] == -4].item() == pytest.approx(
        BG_NBD.expected_purchases_of_new([6 / 7]).sum()
    )
    weeks = diagnostics.tracking_by_week(days)
    assert weeks["week"].tolist() == [1, 2, 3]
    assert weeks["holdout"].tolist() == [False, False, True]
    assert weeks["actual"].tolist() == [0, 3, 4]
    assert weeks["cumulative_actual"].tolist() == [0, 3, 7]
    # What is left out of the weeks counts in the figures all the same.
    assert diagnostics.tracking_metrics(days)["tracking_holdout_actual"] == 15


def test_conditional_expectations_by_frequency_are_the_published_ones(cells: pd.DataFrame) -> None:
    """Fader, Hardie and Lee 2005, figure 4, as numbers recomputed: actual and BG/NBD.

    Stated as 2.1638 and 6.1570 for 4 and for 7 and more; lifetimes' own fit gives 2.1639 and
    6.1572 there, as ours does.
    """
    model = LifetimeValueModel(7, BG_NBD, None, 36.0)
    table = diagnostics.purchases_by_frequency(cells, model, HOLDOUT_DAYS)
    assert table["frequency"].tolist() == list(range(8))
    assert table["customers"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    assert table["actual"].tolist() == pytest.approx(
        [0.2367, 0.6970, 1.3925, 1.56, 2.5323, 2.9474, 3.8621, 6.3594], abs=5e-5
    )
    assert table["model"].tolist() == pytest.approx(
        [0.2251, 0.5231, 1.0441, 1.5203, 2.1639, 2.6538, 3.5040, 6.1572], abs=5e-5
    )


def test_recency_has_rows_of_whole_weeks_and_one_of_who_bought_once() -> None:
    """Recency up to 100 days: rows of two weeks would be eight, of one week too many."""
    histories = pd.DataFrame(
        {
            "frequency": [0, 1, 1, 2],
            "recency": [0, 14, 15, 100],
            "T": 120,
            "customers": [4, 1, 1, 2],
            "purchases": [2, 0, 3, 5],
        }
    )
    fallback = LifetimeValueModel(7, None, None, 20.0)
    table = diagnostics.purchases_by_recency(histories, fallback, 60)
    assert table["recency"].tolist() == [0, 14, 28, 112]
    assert table["customers"].tolist() == [4, 1, 1, 2]
    assert table["actual"].tolist() == [0.5, 0, 3, 2.5]
    # The fallback is the past average: 60 of 120 days.
    for name in ("model", "past_average"):
        assert table[name].tolist() == pytest.approx([0, 0.5, 0.5, 1])


def probability_by_equation_8(model: BgNbd, x: int, t: float) -> float:
    """P(X(t) = x) as printed: Fader, Hardie and Lee 2005, equation 8."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b

    def negative_binomial(j: int) -> float:
        log_term = gammaln(r + j) - gammaln(r) - gammaln(j + 1)
        log_term += r * np.log(alpha / (alpha + t)) + j * np.log(t / (alpha + t))
        return float(np.exp(log_term))

    found = np.exp(betaln(a, b + x) - betaln(a, b)) * negative_binomial(x)
    if x > 0:
        left = np.exp(betaln(a + 1, b + x - 1) - betaln(a, b))
        found += left * (1 - sum(negative_binomial(j) for j in range(x)))
    return float(found)


def test_the_histogram_is_the_published_closed_form(cells: pd.DataFrame) -> None:
    table = diagnostics.frequency_histogram(cells, BG_NBD, 7)
    assert table["actual"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    ages = list(zip(cells["T"].tolist(), cells["customers"].tolist(), strict=True))
    expected = [
        sum(n * probability_by_equation_8(BG_NBD, x, age / 7) for age, n in ages) for x in range(7)
    ]
    assert table["expected"].tolist()[:7] == pytest.approx(expected, rel=1e-10)
    assert table["expected"].sum() == pytest.approx(2357)


@pytest.mark.parametrize("model", MODELS)
def test_probabilities_of_new_customers_sum_to_their_expectation(
    model: BgNbd | MbgNbd | ParetoNbd,
) -> None:
    """E[X(t)] is the sum of P(X(t) >= x) over x from 1: two formulas of different origin."""
    for t in (1.0, 39.0, 104.0):
        at_least = model.survival_of_new(np.arange(1, 3_000), t)
        assert at_least.sum() == pytest.approx(
            float(model.expected_purchases_of_new(t).item()), rel=1e-6
        )
        assert model.survival_of_new(0, t) == 1


@pytest.mark.parametrize("model", MODELS)
def test_the_histogram_of_simulated_customers_is_met(model: BgNbd | MbgNbd | ParetoNbd) -> None:
    data = simulated(model, 40_000, 5, ticks=7, youngest=30, oldest=300)
    table = diagnostics.frequency_histogram(data.cells, model, 7)
    noise = 4 * np.sqrt(table["expected"])
    assert ((table["actual"] - table["expected"]).abs() < noise).all()


@pytest.mark.parametrize("model", MODELS)
def test_who_should_buy_does_when_the_model_is_true(model: BgNbd | MbgNbd | ParetoNbd) -> None:
    """Like is compared with like: within a percentage point in every tenth."""
    data = simulated(model, 60_000, 6, ticks=7, youngest=30, oldest=400, horizon=180)
    rows = data.features.assign(purchases=data.purchases, buyers=data.purchases > 0)
    found = rows.groupby(["frequency", "recency", "T"], as_index=False).agg(
        customers=("purchases", "size"), purchases=("purchases", "sum"), buyers=("buyers", "sum")
    )
    table = diagnostics.buyers_by_probability_alive(found, model, 7, 180)
    assert table["customers"].sum() == 60_000
    assert table["probability_alive"].is_monotonic_increasing
    large = table[table["customers"] > 3_000]
    assert (large["expected"] - large["bought"]).abs().max() < 0.03
    assert diagnostics.calibration_error(table) < 0.01
    # The probability alive itself is another thing: far above the share who bought.
    assert (large["probability_alive"] - large["bought"]).max() > 0.2


def test_who_bought_by_hand() -> None:
    """One-time buyers are one group, alive for certain; the rest by rank, tens of one hundred."""
    histories = pd.DataFrame(
        {
            "frequency": [0, 3, 3],
            "recency": [0, 30, 250],
            "T": [200, 270, 270],
            "customers": [60, 20, 20],
            "purchases": [12, 2, 40],
            "buyers": [6, 1, 15],
        }
    )
    table = diagnostics.buyers_by_probability_alive(histories, BG_NBD, 7, 273)
    assert table["group"].tolist() == [1, 2, 3]
    assert table["customers"].tolist() == [20, 20, 60]
    assert table["bought"].tolist() == [0.05, 0.75, 0.1]
    # Nobody who is alive for certain has a purchase: ((alpha + T) / (alpha + T + t)) ** r.
    age = 4.413602 + 200 / 7
    assert table["expected"].iloc[2] == pytest.approx(1 - (age / (age + 39)) ** 0.242595)
    gap = (table["expected"] - table["bought"]).abs() * table["customers"]
    assert diagnostics.calibration_error(table) == pytest.approx(gap.sum() / 100)
