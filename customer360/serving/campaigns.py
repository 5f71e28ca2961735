"""Campaign lists: which customers each one is for, and in which order.

A list is a condition on ``gold/customer_360`` of one day, as SQL that DuckDB (exports) and
PostgreSQL (the mart, the dashboard) read alike; it is defined here and nowhere else. Whether a
contact pays is asked with the deployment's cost, success rate and margin
(`customer360.models.campaign.Campaign`). Who of its members may be written to is decided in
`customer360.serving.eligibility`, and of the warehouse's copy by ``may_contact`` of
``marts.customer_360``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer360.contracts import Contract
from customer360.errors import Customer360Error
from customer360.gold.high_value import HIGH_VALUE_FROM
from customer360.gold.terms import NO_EFFORT
from customer360.table_names import CUSTOMER_360

if TYPE_CHECKING:
    from customer360.models.campaign import Campaign

LONG_SILENT_TO = 2
"""Recency score up to which a customer counts as silent for long.

The two fifths of all customers who bought least recently: the rows of the segment grid that hold
At Risk, Can't Lose Them, Hibernating and Lost.
"""

WHALE_SHARE = 0.05
"""Share of the customers of a day, those of the highest expected value, who are whales.

Few enough for personal care.
"""

SECOND_PURCHASE_DAYS = 90
"""Days after an only purchase within which the second one is asked for.

A quarter: in the data sets of docs/models.md the median gap between purchases is shorter, so who
has not returned by then is a matter of winning back.
"""

FIGURES = (
    "segment",
    "days_since_last_purchase",
    "purchase_days",
    "net_revenue",
    "net_revenue_365d",
    "churn_probability",
    "has_left",
    "value_at_stake",
    "expected_profit",
    "expected_revenue_365d",
    "discounted_value_12m",
)
"""Columns that say why a customer is on a list: of ``gold/customer_360``, and `expected_profit`."""

_DIGITS = {"currency of the deployment": 2, "probability": 4}
"""To how many digits a figure is written, by its unit in the contract."""

MEMBER_COLUMNS = ("customer_key", "as_of", "priority", *FIGURES)
"""Columns of `campaign_members`, in order."""


class UnknownListError(Customer360Error):
    """There is no list of that name; the message names those there are."""


@dataclass(frozen=True)
class CampaignList:
    """One list.

    Attributes:
        name: As files, assets and the command name it.
        meaning: Who is on it, in one sentence.
        condition: SQL that is true for its members, of columns of ``gold/customer_360`` and
            ``expected_profit``.
        priority: SQL of what the list is ordered by, greatest first.
        priority_means: The same in words.
        instead: Next best action of members on whom gold would spend nothing: see `action_on`.
        top_share: Share of all customers of the day, those of the greatest priority, that the
            list is cut to; None keeps all for whom the condition is true.
    """

    name: str
    meaning: str
    condition: str
    priority: str
    priority_means: str
    instead: str
    top_share: float | None = None


_OF_HIGH_VALUE = f"m_score >= {HIGH_VALUE_FROM}"


CAMPAIGN_LISTS = (
    CampaignList(
        "at_risk_valuable",
        "Active customers whom it pays to contact: what the contact is expected to keep is worth "
        "more than it costs.",
        "expected_profit > 0",
        "expected_profit",
        "expected profit: value at stake times success rate times margin, less the contact's cost",
        "retain_with_reminder",
    ),
    CampaignList(
        "whales",
        f"The {WHALE_SHARE:.0%} of customers with the highest expected value in the next 12 "
        "months.",
        "discounted_value_12m > 0",
        "discounted_value_12m",
        "discounted value of the next 12 months",
        "retain_with_reminder",
        top_share=WHALE_SHARE,
    ),
    CampaignList(
        "win_back",
        "Customers who are not active any more, among the two fifths silent for longest, but "
        "also among the two fifths that spent most.",
        # Only the active have a churn score; the recency score keeps a day without scores right.
        f"churn_probability IS NULL AND r_score <= {LONG_SILENT_TO} AND {_OF_HIGH_VALUE}",
        "net_revenue",
        "net revenue of all time",
        "win_back_by_email",
    ),
    CampaignList(
        "second_purchase",
        f"Customers who bought for the first time in the last {SECOND_PURCHASE_DAYS} days, kept "
        "it, and have not come back yet.",
        f"purchase_days = 1 AND days_since_last_purchase < {SECOND_PURCHASE_DAYS} "
        "AND net_revenue > 0",
        "expected_revenue_365d",
        "net revenue expected in the next 365 days",
        "guide_to_second_purchase",
    ),
)
"""All lists."""


def campaign_list(name: str) -> CampaignList:
    """The list of that name; ``win-back`` is ``win_back``.

    Raises:
        UnknownListError: There is none.
    """
    wanted = name.replace("-", "_").lower()
    for campaign in CAMPAIGN_LISTS:
        if campaign.name == wanted:
            return campaign
    names = ", ".join(campaign.name for campaign in CAMPAIGN_LISTS)
    raise UnknownListError(f"list {name!r} is unknown; the lists are {names}")


def expected_profit(economics: Campaign) -> str:
    """SQL of the expected profit of contacting a customer, in currency.

    Null for whoever has no value at stake: who is not active any more, or of a day without models.
    See `customer360.models.campaign.Campaign.earned`.
    """
    kept = f"{economics.success_rate * economics.margin!r}"
    return (
        f"CAST(value_at_stake AS DOUBLE PRECISION) * CAST({kept} AS DOUBLE PRECISION) "
        f"- CAST({economics.contact_cost!r} AS DOUBLE PRECISION)"
    )


def action_on(campaign: CampaignList) -> str:
    """SQL of what to do with a member of the list.

    Gold judges segments; who is on a list is worth a contact by the list's own measure, so no list
    says that nothing be spent on its members.
    """
    return (
        f"CASE WHEN next_best_action = '{NO_EFFORT}' THEN '{campaign.instead}' "
        "ELSE next_best_action END"
    )


def members_of(campaign: CampaignList, customers: str, economics: Campaign) -> str:
    """The customers of a list, whether they may be written to or not, as SQL of both engines.

    Args:
        campaign: The list.
        customers: ``gold/customer_360`` of one as-of date, or the mart made of it: a name, or a
            query in brackets.
        economics: What a contact costs and brings.

    Returns:
        A query of its columns, ``expected_profit`` in currency, and ``priority``, a double in the
        unit of what it is made of, in no order.
    """
    judged = (
        f"(SELECT *, {expected_profit(economics)} AS expected_profit FROM {customers} AS customers)"
    )
    ranked = (
        f"(SELECT *, CAST({campaign.priority} AS DOUBLE PRECISION) AS priority "
        f"FROM {judged} AS judged)"
    )
    members = f"SELECT * FROM {ranked} AS ranked WHERE ({campaign.condition})"
    if campaign.top_share is not None:
        lowest = (
            f"SELECT percentile_cont({1 - campaign.top_share}) WITHIN GROUP (ORDER BY {STEP}) "
            f"FROM {ranked} AS everybody"
        )
        members += f" AND {STEP} >= ({lowest})"
    return members


def campaign_members(customer_360: str, campaign: CampaignList, economics: Campaign) -> str:
    """`members_of` a list as it is exported, in DuckDB.

    Args:
        customer_360: Name of ``gold/customer_360`` of one as-of date.
        campaign: The list.
        economics: What a contact costs and brings.

    Returns:
        A query of `MEMBER_COLUMNS`, one row a customer: ``priority`` and money rounded to cents
        (null comes last), probabilities to four digits. Without an order of rows; a rank counts
        those who are left in, so it is given when the list is written.
    """
    contract = Contract.load(CUSTOMER_360)
    units = {
        name: contract.column(name).unit or "" for name in FIGURES if name != "expected_profit"
    }
    digits = {"priority": 2, "expected_profit": 2} | {
        name: _DIGITS[unit] for name, unit in units.items() if unit in _DIGITS
    }
    shown = ", ".join(
        f"{_rounded(name, digits[name])} AS {name}" if name in digits else name
        for name in MEMBER_COLUMNS
    )
    return f"SELECT {shown} FROM ({members_of(campaign, customer_360, economics)}) AS members"


STEP = "floor(ln(1 + greatest(priority, 0.0)) * 100)"
"""SQL of the priority in steps 1 % wide; none is the lowest.

Engines whose logarithms differ in the last digit cut a list at the same customer.
"""


def _rounded(name: str, places: int) -> str:
    """By its decimal digits, halves up: 1.005 is no less than that, though the double is."""
    exact = f"round(try_cast({name} AS DECIMAL(38, 10)), {places})::DOUBLE"
    return f"coalesce({exact}, {name})"
