"""Who is on each campaign list, on customers made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from customer360.contracts import Contract
from customer360.gold.terms import NO_CONTACT, NO_EFFORT
from customer360.models.campaign import Campaign
from customer360.serving.campaigns import (
    CAMPAIGN_LISTS,
    MEMBER_COLUMNS,
    CampaignList,
    UnknownListError,
    action_on,
    campaign_list,
    campaign_members,
    expected_profit,
)
from customer360.table_names import CUSTOMER_360
from customer360_tests.serving.frames import DAY, asked, customer_360_of

ECONOMICS = Campaign(contact_cost=2, success_rate=0.2, margin=0.5)
"""A contact pays from more than 20 at stake."""

GONE: dict[str, Any] = {
    "churn_risk": None,
    "churn_probability": None,
    "value_at_stake": None,
    "r_score": 2,
    "m_score": 5,
    "net_revenue": 900.0,
}
ONCE: dict[str, Any] = {"purchase_days": 1, "days_since_last_purchase": 89}

CUSTOMERS: dict[str, dict[str, Any]] = {
    "usual": {},
    "leaving": {"value_at_stake": 400.0},
    "leaving with less": {"value_at_stake": 20.1, "churn_risk": "high"},
    "earns what it costs": {"value_at_stake": 20.0, "churn_risk": "high"},
    "gone": GONE,
    "gone, of little value": GONE | {"m_score": 3},
    "silent, but still active": GONE | {"churn_probability": 0.5, "churn_risk": "medium"},
    "not scored, came lately": GONE | {"r_score": 3},
    "once": ONCE,
    "once, expected to bring more": ONCE | {"expected_revenue_365d": 90.0},
    "once, not forecast": ONCE | {"expected_revenue_365d": None},
    "once, long ago": ONCE | {"days_since_last_purchase": 90},
    "once, all given back": ONCE | {"net_revenue": 0.0},
}


def members(name: str, customers: dict[str, dict[str, Any]]) -> list[str]:
    query = campaign_members("customer_360", campaign_list(name), ECONOMICS)
    found = asked(query, customer_360=customer_360_of(customers)).to_pylist()
    ordered = sorted(found, key=lambda row: (row["priority"] is None, -(row["priority"] or 0)))
    return [row["customer_key"] for row in ordered]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # 40 - 2 before 2.01 - 2, whatever the risk
        ("at_risk_valuable", ["leaving", "leaving with less"]),
        ("win_back", ["gone"]),
        (
            "second_purchase",
            ["once, expected to bring more", "once", "once, not forecast"],
        ),
    ],
)
def test_a_list_has_those_it_means(name: str, expected: list[str]) -> None:
    assert members(name, CUSTOMERS) == expected


def test_whales_are_the_twentieth_of_the_highest_value() -> None:
    customers = {f"{n:03}": {"discounted_value_12m": n * 10.0} for n in range(1, 101)}
    assert members("whales", customers) == ["100", "099", "098", "097", "096"]


def test_who_is_expected_to_bring_nothing_is_no_whale() -> None:
    nothing: dict[str, dict[str, Any]] = {
        "zero": {"discounted_value_12m": 0.0},
        "unknown": {"discounted_value_12m": None},
    }
    assert members("whales", nothing) == []
    # Nor do those whose value is not known make the others' share smaller.
    assert members("whales", nothing | {"some": {}}) == ["some"]


def test_a_row_says_why_the_customer_is_on_the_list() -> None:
    found = asked(
        campaign_members("customer_360", campaign_list("at-risk-valuable"), ECONOMICS),
        customer_360=customer_360_of({"a": {"value_at_stake": 46.789, "has_left": 0.81239}}),
    )
    (row,) = found.to_pylist()
    assert found.column_names == list(MEMBER_COLUMNS)
    assert (row["as_of"], row["priority"], row["churn_probability"]) == (DAY, 2.68, 0.3)
    assert (row["has_left"], row["value_at_stake"], row["expected_profit"]) == (0.8124, 46.79, 2.68)
    assert (row["segment"], row["net_revenue"]) == ("need_attention", 200.0)


@pytest.mark.parametrize("cost", [0.0, 1e-7, 3.5, 1e9])
def test_the_expected_profit_is_that_of_the_campaign(cost: float) -> None:
    economics = Campaign(cost, 0.15, 0.35)
    (row,) = asked(
        f"SELECT {expected_profit(economics)} AS profit FROM customer_360",
        customer_360=customer_360_of({"a": {"value_at_stake": 123.45}}),
    ).to_pylist()
    assert row["profit"] == pytest.approx(economics.earned([123.45])[0])


def test_an_unknown_list_names_those_there_are() -> None:
    with pytest.raises(UnknownListError, match="'vips' is unknown; the lists are at_risk_valuable"):
        campaign_list("vips")


@pytest.mark.parametrize("campaign", CAMPAIGN_LISTS, ids=lambda campaign: campaign.name)
def test_no_list_says_to_spend_nothing(campaign: CampaignList) -> None:
    actions = Contract.load(CUSTOMER_360).column("next_best_action").allowed_values
    assert campaign.instead in set(actions) - {NO_CONTACT, NO_EFFORT}
    query = (
        f"SELECT next_best_action, {action_on(campaign)} AS shown FROM "
        f"(SELECT unnest({list(actions)}) AS next_best_action)"
    )
    shown = {row["next_best_action"]: row["shown"] for row in asked(query).to_pylist()}
    assert shown == {action: action for action in actions} | {NO_EFFORT: campaign.instead}


def test_every_list_says_in_a_sentence_who_is_on_it() -> None:
    for campaign in CAMPAIGN_LISTS:
        assert campaign.meaning.endswith(".")
        assert campaign.priority_means
