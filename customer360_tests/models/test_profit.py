"""The economics of a campaign, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.models.campaign import Campaign, ProfitError
from customer360.models.profit import profit_curve


def test_profit_by_hand() -> None:
    """Cost 5, one in two stays, half of the revenue is margin: a contact earns v / 4 - 5.

    80 / 4 - 5 = 15; 24 / 4 - 5 = 1; 8 / 4 - 5 = -3.
    """
    found = profit_curve([8, 80, 24], Campaign(5, 0.5, 0.5))
    assert found.table["expected"].tolist() == pytest.approx([0, 15, 16, 13])
    assert found.table["customers"].tolist() == [0, 1, 2, 3]
    assert found.table["share"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert found.table["at_stake"].tolist() == [np.inf, 80, 24, 8]
    assert (found.best_customers, found.best_at_stake) == (2, 24)
    assert found.best_share == pytest.approx(2 / 3)
    assert found.best_expected == pytest.approx(16)
    assert found.everybody == pytest.approx(13)
    assert np.isnan(found.best_observed)
    assert "profit_observed_per_1000" not in found.metrics()
    assert found.metrics()["profit_best_per_1000"] == pytest.approx(16_000 / 3)


def test_the_riskiest_with_little_to_lose_come_last() -> None:
    """.9 of 10 is less than .3 of 200: the second is worth a contact, the first is not."""
    probabilities, values = np.array([0.9, 0.3]), np.array([10, 200])
    found = profit_curve(probabilities * values, Campaign(5, 0.5, 0.5))
    assert found.best_customers == 1
    assert found.best_at_stake == pytest.approx(60)


def test_what_happened_is_told_beside_what_was_expected() -> None:
    """The second stayed anyway: his contact cost 5 and earned nothing; 100 / 4 - 5 - 5 = 15."""
    found = profit_curve([8, 80, 24], Campaign(5, 0.5, 0.5), [0, 100, 0])
    assert found.table["observed"].tolist() == pytest.approx([0, 20, 15, 10])
    # Chosen by what was expected, not by hindsight, which would have stopped at 20.
    assert found.best_observed == pytest.approx(15)


def test_who_has_equally_much_at_stake_is_contacted_together() -> None:
    found = profit_curve([50, 50, 0], Campaign(5, 0.5, 0.5))
    assert found.table["customers"].tolist() == [0, 2, 3]
    assert found.best_expected == pytest.approx(2 * (50 / 4 - 5))


def test_where_nothing_pays_nobody_is_contacted() -> None:
    found = profit_curve([9, 5], Campaign(50, 0.1, 0.3))
    assert (found.best_customers, found.best_share, found.best_expected) == (0, 0, 0)
    assert found.best_at_stake == np.inf
    assert "profit_best_at_stake" not in found.metrics()
    free = profit_curve([9, 5], Campaign(0, 0.1, 0.3))
    assert free.best_share == 1


def test_less_than_nothing_and_the_unknown_are_nothing_at_stake() -> None:
    assert Campaign(1, 1, 1).earned([-50, np.nan, 3]).tolist() == [-1, -1, 2]
    assert profit_curve([-50, np.nan, 3], Campaign(1, 1, 1)).best_customers == 1


def test_a_long_curve_keeps_its_ends_and_its_best() -> None:
    stake = np.random.default_rng(0).gamma(2, 50, 10_000)
    found = profit_curve(stake, Campaign(8, 0.2, 0.4))
    assert len(found.table) <= 202
    assert (found.table["share"].min(), found.table["share"].max()) == (0, 1)
    # A contact pays from cost / (success x margin) at stake.
    assert found.best_customers == (stake * 0.2 * 0.4 > 8).sum()
    assert found.best_at_stake == stake[stake * 0.2 * 0.4 > 8].min()
    assert found.best_customers in found.table["customers"].tolist()


@given(st.lists(st.floats(-10, 1_000), min_size=1, max_size=40), st.floats(0, 50))
def test_no_set_of_customers_earns_more_than_the_best(stakes: list[float], cost: float) -> None:
    campaign = Campaign(cost, 0.3, 0.5)
    found = profit_curve(stakes, campaign)
    gains = campaign.earned(stakes)
    assert found.best_expected == pytest.approx(np.maximum(gains, 0).sum(), abs=1e-6)
    assert found.everybody == pytest.approx(gains.sum(), abs=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"contact_cost": -1}, "churn contact cost is -1; give 0 or more"),
        ({"success_rate": 1.5}, "churn success_rate is 1.5; give a share of 0 to 1"),
        ({"margin": float("nan")}, "churn margin is nan"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(ProfitError, match=message):
        Campaign(**given)


def test_nobody_is_no_campaign() -> None:
    with pytest.raises(ProfitError, match="no customer to contact"):
        profit_curve([], Campaign())


@given(
    st.lists(
        st.tuples(st.floats(0, 1_000), st.integers(1, 5)),
        min_size=1,
        max_size=30,
    )
)
def test_groups_of_customers_earn_what_their_customers_do(
    groups: list[tuple[float, int]],
) -> None:
    campaign = Campaign(2, 0.3, 0.4)
    stakes, customers = zip(*groups, strict=True)
    grouped = profit_curve(stakes, campaign, customers=customers)
    single = profit_curve(np.repeat(stakes, customers), campaign)
    assert grouped.table["customers"].tolist() == single.table["customers"].tolist()
    assert grouped.table["expected"].tolist() == pytest.approx(
        single.table["expected"].tolist(), abs=1e-6
    )
    assert grouped.everybody == pytest.approx(single.everybody, abs=1e-6)
