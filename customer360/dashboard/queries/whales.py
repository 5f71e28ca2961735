"""The customers who matter most by what they are expected to bring, and who of them is leaving."""

from __future__ import annotations

from datetime import date

import pandas as pd

from customer360.dashboard.connection import Reading

LEAVING_BELOW = 0.5
"""Below this probability of being alive a customer counts as leaving, as with high churn risk."""


def largest(reading: Reading, as_of: date, limit: int) -> pd.DataFrame:
    """The ``limit`` customers with the largest expected revenue of the next 365 days.

    ``leaving``: of high churn risk, or less likely than not still a customer.
    """
    return reading.frame(
        """
        SELECT customer_key, segment, coalesce(state, country) AS region,
               coalesce(churn_risk = 'high', false)
                   OR coalesce(probability_alive < %(alive)s, false) AS leaving,
               expected_revenue_365d, expected_revenue_365d_low, expected_revenue_365d_high,
               net_revenue_365d, probability_alive, churn_probability, churn_risk,
               last_purchase_on, next_best_action
        FROM marts.customer_360
        WHERE as_of = %(as_of)s AND expected_revenue_365d IS NOT NULL
        ORDER BY expected_revenue_365d DESC, customer_key LIMIT %(limit)s
        """,
        {"as_of": as_of, "limit": limit, "alive": LEAVING_BELOW},
    )


def silent_whales(reading: Reading, as_of: date, limit: int) -> pd.DataFrame:
    """Who brought most in the last 365 days and is leaving: ``leaving`` as in `largest`."""
    return reading.frame(
        """
        SELECT customer_key, segment, coalesce(state, country) AS region, net_revenue_365d,
               expected_revenue_365d, probability_alive, churn_probability, churn_risk,
               last_purchase_on, next_best_action
        FROM marts.customer_360
        WHERE as_of = %(as_of)s AND net_revenue_365d > 0
          AND (churn_risk = 'high' OR probability_alive < %(alive)s)
        ORDER BY net_revenue_365d DESC, customer_key LIMIT %(limit)s
        """,
        {"as_of": as_of, "limit": limit, "alive": LEAVING_BELOW},
    )
