"""The customers who matter most: the campaign list of whales in full.

Whether a customer may be written to is no question here: the page is for looking.
"""

from __future__ import annotations

from datetime import date

import pandas as pd
from psycopg import sql

from customer360.dashboard.connection import Reading
from customer360.models.campaign import Campaign
from customer360.serving.campaigns import action_on, campaign_list, members_of

WHALES = campaign_list("whales")


def largest(reading: Reading, as_of: date, limit: int, economics: Campaign) -> pd.DataFrame:
    """The first ``limit`` customers of the list `WHALES`, by its priority.

    Args:
        reading: A moment.
        as_of: Day of the list.
        limit: So many.
        economics: What a contact costs and brings; ``leaving``: it pays to contact them.
    """
    customers = "(SELECT * FROM marts.customer_360 WHERE as_of = %(as_of)s)"
    return reading.frame(
        sql.SQL(
            f"""
            SELECT customer_key, segment, coalesce(state, country) AS region,
                coalesce(expected_profit > 0, false) AS leaving, discounted_value_12m,
                expected_revenue_365d, expected_revenue_365d_low, expected_revenue_365d_high,
                net_revenue_365d, has_left, churn_probability, churn_risk,
                last_purchase_on, {action_on(WHALES)} AS next_best_action
            FROM ({members_of(WHALES, customers, economics)}) AS members
            ORDER BY priority DESC NULLS LAST, customer_key LIMIT %(limit)s
            """
        ),
        {"as_of": as_of, "limit": limit},
    )
