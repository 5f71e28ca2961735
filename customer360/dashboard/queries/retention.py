"""Who stays and who leaves: cohorts, churn, and what a campaign would earn."""

from __future__ import annotations

from datetime import date

import pandas as pd

from customer360.dashboard.connection import Reading

BINS = 200
"""The profit curve is drawn from so many groups of customers of about the same risk."""


def cohorts(reading: Reading, as_of: date, months: int) -> pd.DataFrame:
    """Retention of the newest ``months`` cohorts, a row a month since their first purchase."""
    return reading.frame(
        """
        SELECT cohort, months_since_first, customers, active_customers, retention,
               cumulative_revenue_per_customer, is_partial
        FROM marts.cohort_retention
        WHERE as_of = %(as_of)s
          AND cohort > date_trunc('month', %(as_of)s::timestamp) - make_interval(months => %(m)s)
        ORDER BY cohort, months_since_first
        """,
        {"as_of": as_of, "m": months},
    )


def risks(reading: Reading, as_of: date) -> pd.DataFrame:
    """``churn_risk`` with ``customers``, mean probability and summed ``value_at_stake``."""
    return reading.frame(
        """
        SELECT churn_risk, count(*) AS customers,
               avg(churn_probability) AS churn_probability, sum(value_at_stake) AS value_at_stake
        FROM marts.customer_360
        WHERE as_of = %(as_of)s AND churn_probability IS NOT NULL
        GROUP BY 1
        """,
        {"as_of": as_of},
    )


def horizon_days(reading: Reading, as_of: date) -> int | None:
    """Days that churn probabilities are about; None when nobody is scored."""
    days = reading.value(
        "SELECT churn_horizon_days FROM marts.customer_360 "
        "WHERE as_of = %(as_of)s AND churn_horizon_days IS NOT NULL LIMIT 1",
        {"as_of": as_of},
    )
    return None if days is None else int(days)


def campaign_groups(reading: Reading, as_of: date) -> pd.DataFrame:
    """Customers by churn probability in about `BINS` groups, the riskiest first.

    Customers of equal probability share a group. ``customers``, ``churn_probability`` (mean),
    ``least_probability``, and ``value``: money at stake a customer, so weighted that
    probability x value of the group is the mean of its customers'. The value at stake is that of
    the model's own profit curve, net revenue of the last 365 days; below 0 it counts as 0.
    """
    return reading.frame(
        """
        WITH ranked AS (
            SELECT churn_probability AS p, greatest(net_revenue_365d, 0) AS value,
                   cume_dist() OVER (ORDER BY churn_probability DESC) AS place
            FROM marts.customer_360
            WHERE as_of = %(as_of)s AND churn_probability IS NOT NULL
        )
        SELECT count(*) AS customers, avg(p) AS churn_probability, min(p) AS least_probability,
               coalesce(sum(p * value) / nullif(sum(p), 0), 0) AS value
        FROM ranked GROUP BY ceil(place * %(bins)s) ORDER BY min(place)
        """,
        {"as_of": as_of, "bins": BINS},
    )
