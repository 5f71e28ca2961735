"""The economics of a campaign, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.models.profit import NOBODY, Campaign, ProfitError, profit_curve


def test_profit_by_hand() -> None:
    """Cost 5, one in two stays, half of the revenue is margin: a contact earns p v / 4 - 5.

    .8 x 100 / 4 - 5 = 15; .4 x 60 / 4 - 5 = 1; .2 x 40 / 4 - 5 = -3.
    """
    found = profit_curve([0.2, 0.8, 0.4], [40, 100, 60], Campaign(5, 0.5, 0.5))
    assert found.table["expected"].tolist() == pytest.approx([0, 15, 16, 13])
    assert found.table["share"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert found.table["customers"].tolist() == [0, 1, 2, 3]
    assert found.best_share == pytest.approx(2 / 3)
    assert found.best_threshold == 0.4
    assert found.best_expected == pytest.approx(16)
    assert found.everybody == pytest.approx(13)
    assert np.isnan(found.best_observed)
    assert "profit_observed_per_1000" not in found.metrics()
    assert found.metrics()["profit_best_per_1000"] == pytest.approx(16_000 / 3)


def test_what_happened_is_told_beside_what_was_expected() -> None:
    """The second stayed anyway: his contact cost 5 and earned nothing; 100 / 4 - 5 - 5 = 15."""
    found = profit_curve([0.2, 0.8, 0.4], [40, 100, 60], Campaign(5, 0.5, 0.5), [0, 1, 0])
    assert found.table["observed"].tolist() == pytest.approx([0, 20, 15, 10])
    # Chosen by what was expected, not by hindsight, which would have stopped at 20.
    assert found.best_observed == pytest.approx(15)


def test_equal_probabilities_are_contacted_together() -> None:
    found = profit_curve([0.5, 0.5, 0.1], [100, 0, 0], Campaign(5, 0.5, 0.5))
    assert found.table["customers"].tolist() == [0, 2, 3]
    assert found.best_expected == pytest.approx(0.5 * 100 / 4 - 10)


def test_where_nothing_pays_nobody_is_contacted() -> None:
    found = profit_curve([0.9, 0.5], [10, 10], Campaign(50, 0.1, 0.3))
    assert (found.best_share, found.best_expected) == (0, 0)
    assert found.best_threshold == NOBODY > 1
    assert found.by_gain == 0
    free = profit_curve([0.9, 0.5], [10, 10], Campaign(0, 0.1, 0.3))
    assert free.best_share == 1


def test_refunds_beyond_the_purchases_are_nothing_at_stake() -> None:
    assert Campaign(1, 1, 1).earned([1, 1, 1], [-50, np.nan, 3]).tolist() == [-1, -1, 2]


def test_a_long_curve_keeps_its_ends_and_its_best() -> None:
    random = np.random.default_rng(0)
    p, v = random.random(10_000), random.gamma(2, 50, 10_000)
    found = profit_curve(p, v, Campaign(2, 0.2, 0.4))
    assert len(found.table) == 201
    assert (found.table["share"].min(), found.table["share"].max()) == (0, 1)
    # With values that do not depend on the risk, contacting pays from p = cost / (.2 x .4 x 100).
    assert found.best_threshold == pytest.approx(2 / (0.2 * 0.4 * 100), abs=0.03)
    assert found.by_gain >= found.best_expected


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(-10, 1_000)), min_size=1, max_size=40),
    st.floats(0, 50),
)
def test_the_best_is_the_best_of_all_sizes(pairs: list[tuple[float, float]], cost: float) -> None:
    p, v = (np.array(column) for column in zip(*pairs, strict=True))
    campaign = Campaign(cost, 0.3, 0.5)
    found = profit_curve(p, v, campaign)
    gains = campaign.earned(p, v)
    by_threshold = [gains[p >= threshold].sum() for threshold in np.unique(p)]
    assert found.best_expected == pytest.approx(max(0.0, *by_threshold), abs=1e-6)
    assert gains[p >= found.best_threshold].sum() == pytest.approx(found.best_expected, abs=1e-6)
    assert found.by_gain >= found.best_expected - 1e-6


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
        profit_curve([], [], Campaign())


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.1, 0.4, 0.9, 1.0]), st.floats(0, 1_000), st.integers(1, 5)
        ),
        min_size=1,
        max_size=30,
    )
)
def test_groups_of_customers_earn_what_their_customers_do(
    groups: list[tuple[float, float, int]],
) -> None:
    campaign = Campaign(2, 0.3, 0.4)
    p, values, customers = zip(*groups, strict=True)
    grouped = profit_curve(p, values, campaign, customers=customers)
    single = profit_curve(np.repeat(p, customers), np.repeat(values, customers), campaign)
    assert grouped.table["customers"].tolist() == single.table["customers"].tolist()
    assert grouped.table["expected"].tolist() == pytest.approx(
        single.table["expected"].tolist(), abs=1e-6
    )
    assert grouped.everybody == pytest.approx(single.everybody, abs=1e-6)
