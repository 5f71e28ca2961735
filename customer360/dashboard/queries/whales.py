"""The customers who matter most, and who of the valuable ones is leaving: campaign lists in full.

Whether a customer may be written to is no question here: the page is for looking, and for a call.
"""

from __future__ import annotations

from datetime import date

import pandas as pd
from psycopg import sql

from customer360.dashboard.connection import Reading
from customer360.serving.campaigns import CampaignList, campaign_list, members_of

WHALES, LEAVING = campaign_list("whales"), campaign_list("at_risk_valuable")


def largest(reading: Reading, as_of: date, limit: int) -> pd.DataFrame:
    """The first ``limit`` customers of the list `WHALES`; ``leaving``: they meet `LEAVING` too."""
    return _members(
        reading,
        WHALES,
        f"""
        customer_key, segment, coalesce(state, country) AS region,
        coalesce({LEAVING.condition}, false) AS leaving, discounted_value_12m,
        expected_revenue_365d, expected_revenue_365d_low, expected_revenue_365d_high,
        net_revenue_365d, has_left, churn_probability, churn_risk, last_purchase_on,
        next_best_action
        """,
        as_of,
        limit,
    )


def leaving(reading: Reading, as_of: date, limit: int) -> pd.DataFrame:
    """The first ``limit`` customers of the list `LEAVING`."""
    return _members(
        reading,
        LEAVING,
        """
        customer_key, segment, coalesce(state, country) AS region, churn_probability, churn_risk,
        net_revenue_365d, expected_revenue_365d, has_left, last_purchase_on,
        next_best_action
        """,
        as_of,
        limit,
    )


def _members(
    reading: Reading, campaign: CampaignList, columns: str, as_of: date, limit: int
) -> pd.DataFrame:
    """Columns of the list's customers of a day, by its priority."""
    customers = "(SELECT * FROM marts.customer_360 WHERE as_of = %(as_of)s)"
    return reading.frame(
        sql.SQL(
            f"SELECT {columns} FROM ({members_of(campaign, customers)}) AS members "
            "ORDER BY priority DESC NULLS LAST, customer_key LIMIT %(limit)s"
        ),
        {"as_of": as_of, "limit": limit},
    )
