"""Who stays and who leaves: cohorts, churn, and what a campaign would earn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd
from psycopg import sql

from customer360.dashboard.connection import Reading
from customer360.models.campaign import Campaign
from customer360.serving.campaigns import expected_profit

BINS = 200
"""The profit curve is drawn from so many groups of customers of about equal value at stake."""


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


def campaign_groups(reading: Reading, as_of: date, *, never_asked: bool = False) -> pd.DataFrame:
    """Active customers who may be contacted, in about `BINS` groups of about equal value at stake.

    Those with most at stake first; equal values share a group. ``customers`` and ``value_at_stake``
    (mean, in currency); no rows where nobody may be contacted.

    Args:
        reading: A moment.
        as_of: Day of the scores.
        never_asked: With those too whose consent is not known.
    """
    return reading.frame(
        sql.SQL(
            f"""
            WITH ranked AS (
                SELECT greatest(value_at_stake, 0) AS stake,
                       cume_dist() OVER (ORDER BY value_at_stake DESC) AS place
                FROM marts.customer_360
                WHERE as_of = %(as_of)s AND value_at_stake IS NOT NULL
                  AND {_contactable(never_asked)}
            )
            SELECT count(*) AS customers, avg(stake) AS value_at_stake
            FROM ranked GROUP BY ceil(place * %(bins)s) ORDER BY min(place)
            """
        ),
        {"as_of": as_of, "bins": BINS},
    )


@dataclass(frozen=True)
class BestSet:
    """Whom it pays to contact.

    Attributes:
        customers: So many.
        profit: Expected profit of contacting them, in currency.
        everybody: Expected profit of contacting all who may be contacted.
        all_customers: How many those are.
        next_one: Expected profit of contacting one more, 0 or less; None where there is nobody.
    """

    customers: int
    profit: float
    everybody: float
    all_customers: int
    next_one: float | None


def best_set(
    reading: Reading, as_of: date, economics: Campaign, *, never_asked: bool = False
) -> BestSet:
    """Whom it pays to contact, to the customer: see `customer360.models.profit`.

    Args:
        reading: A moment.
        as_of: Day of the scores.
        economics: What a contact costs and brings.
        never_asked: With those too whose consent is not known.
    """
    row = reading.frame(
        sql.SQL(
            f"""
            SELECT count(*) FILTER (WHERE profit > 0) AS customers,
                   coalesce(sum(profit) FILTER (WHERE profit > 0), 0) AS profit,
                   coalesce(sum(profit), 0) AS everybody, count(*) AS all_customers,
                   max(profit) FILTER (WHERE profit <= 0) AS next_one
            FROM (
                SELECT {expected_profit(economics)} AS profit FROM marts.customer_360
                WHERE as_of = %(as_of)s AND value_at_stake IS NOT NULL
                  AND {_contactable(never_asked)}
            ) AS contacts
            """
        ),
        {"as_of": as_of},
    ).iloc[0]
    return BestSet(
        int(row["customers"]),
        float(row["profit"]),
        float(row["everybody"]),
        int(row["all_customers"]),
        None if pd.isna(row["next_one"]) else float(row["next_one"]),
    )


def _contactable(never_asked: bool) -> str:
    return "may_contact IS NOT FALSE" if never_asked else "may_contact"
