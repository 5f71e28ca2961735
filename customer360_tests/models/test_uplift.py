"""Uplift: a Qini curve by hand, and a campaign whose true uplift is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from customer360.models.uplift import (
    UpliftError,
    measured,
    qini_coefficient,
    qini_curve,
)


def test_a_qini_curve_by_hand() -> None:
    """Best first: the contacted buys, the kept back does not; then the other way round.

    After two: 1 - 0 x 1 / 1 = 1 of 2 contacted gained; after four: 1 - 1 x 2 / 2 = 0.
    """
    curve = qini_curve([4, 3, 2, 1], [1, 0, 1, 0], [1, 0, 0, 1])
    assert curve["share"].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert curve["gained"].tolist() == [0, 0.5, 0.5, 0.5, 0]
    assert curve["random"].tolist() == [0, 0, 0, 0, 0]
    assert qini_coefficient(curve) == pytest.approx(0.375)


def test_in_no_order_the_curve_is_the_straight_line() -> None:
    curve = qini_curve([1, 1, 1, 1], [1, 0, 1, 0], [1, 0, 1, 1])
    assert curve["gained"].tolist() == [0, 0.5]
    assert qini_coefficient(curve) == 0


def simulated(customers: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """A third is moved by 0.4 to buy, the others by nothing; all buy by 0.2 anyway."""
    random = np.random.default_rng(seed)
    features = pd.DataFrame(random.random((customers, 3)), columns=["moved", "a", "b"])
    treated = random.random(customers) < 0.5
    chance = 0.2 + 0.4 * (features["moved"] > 2 / 3) * treated
    return features, treated.astype(int), (random.random(customers) < chance).astype(int)


def test_the_true_uplift_is_found_again() -> None:
    features, treated, bought = simulated(4_000, seed=1)
    found = measured(features, treated, bought)
    truth = 0.4 / 3
    assert found.effect_low < truth < found.effect_high
    assert found.effect == pytest.approx(truth, abs=0.03)
    # Of those who would not have bought, 0.8, so many did.
    assert found.success_rate == pytest.approx(truth / 0.8, abs=0.04)
    # In perfect order all of it is gained by the first third: the triangle above the line.
    perfect = truth / 2 * (1 - 1 / 3)
    assert 0.7 * perfect < found.qini < 1.2 * perfect
    assert 0 < found.qini_low < found.qini < found.qini_high
    assert found.curve["share"].tolist()[:: len(found.curve) - 1] == [0, 1]
    # Contacting the first third gains what contacting all does.
    third = found.curve.loc[(found.curve["share"] - 0.35).abs().idxmin(), "gained"]
    assert third == pytest.approx(truth, abs=0.04)


def test_where_contacting_moves_nobody_in_particular_the_coefficient_is_about_nothing() -> None:
    features, treated, _ = simulated(4_000, seed=2)
    bought = (np.random.default_rng(3).random(4_000) < 0.3 + 0.1 * treated).astype(int)
    found = measured(features, treated, bought)
    assert found.qini_low < 0 < found.qini_high
    assert found.effect_low > 0


def test_the_same_campaign_is_measured_the_same() -> None:
    once, again = (measured(*simulated(600, seed=4)) for _ in range(2))
    assert once.figures() == again.figures()


@pytest.mark.parametrize(
    ("customers", "message"),
    [(80, "customers of the campaign were (contacted|kept back), and 50 are needed")],
)
def test_a_campaign_that_is_too_small_says_what_is_missing(customers: int, message: str) -> None:
    with pytest.raises(UpliftError, match=message):
        measured(*simulated(customers, seed=5))


def test_a_campaign_after_which_nobody_bought_teaches_nothing() -> None:
    features, treated, bought = simulated(400, seed=6)
    with pytest.raises(UpliftError, match="0 bought within the window; 10 must have"):
        measured(features, treated, bought * 0)
