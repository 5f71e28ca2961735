"""Who stays and who leaves: cohorts, churn, and what a campaign would earn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from psycopg import sql

from customer360.dashboard.connection import Reading
from customer360.dashboard.queries.call_list import Marks, Wanted, contactable, people, to_contact
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
    """``churn_risk`` with ``customers``, mean probability and summed ``value_at_stake``.

    ``by_has_left`` says whether the class is by who has left, or for want of it by the churn
    probability.
    """
    return reading.frame(
        """
        SELECT churn_risk, count(*) AS customers,
               avg(churn_probability) AS churn_probability, sum(value_at_stake) AS value_at_stake,
               bool_or(has_left IS NOT NULL) AS by_has_left
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


def _active(reading: Reading, as_of: date, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """Active customers, as `call_list.people`."""
    active = (
        "SELECT * FROM marts.customer_360 WHERE as_of = %(as_of)s AND value_at_stake IS NOT NULL"
    )
    return people(reading, active, as_of, wanted)


def waiting(reading: Reading, as_of: date, wanted: Wanted, known: Marks) -> int:
    """Active customers who may be contacted, but not now: marked lately, or to be kept back.

    Args:
        reading: A moment.
        as_of: Day of the scores.
        wanted: Who may be contacted, as on the call list.
        known: The contacts that there are, so that an answer is not kept beyond them.
    """
    active, values = _active(reading, as_of, wanted)
    where = f"{contactable(wanted)} AND NOT ({to_contact(wanted)})"
    return int(reading.value(f"SELECT count(*) FROM ({active}) AS people WHERE {where}", values))


def campaign_groups(reading: Reading, as_of: date, wanted: Wanted, known: Marks) -> pd.DataFrame:
    """Active customers to contact now, in about `BINS` groups of about equal value at stake.

    Those with most at stake first; equal values share a group. ``customers`` and ``value_at_stake``
    (mean, in currency); no rows where there is nobody to contact.

    Args:
        reading: A moment.
        as_of: Day of the scores.
        wanted: Who may be contacted, as on the call list; its segments and economics do not count.
        known: As for `waiting`.
    """
    active, values = _active(reading, as_of, wanted)
    return reading.frame(
        sql.SQL(
            f"""
            WITH ranked AS (
                SELECT greatest(value_at_stake, 0) AS stake,
                       cume_dist() OVER (ORDER BY value_at_stake DESC) AS place
                FROM ({active}) AS people WHERE {to_contact(wanted)}
            )
            SELECT count(*) AS customers, avg(stake) AS value_at_stake
            FROM ranked GROUP BY ceil(place * %(bins)s) ORDER BY min(place)
            """
        ),
        values | {"bins": BINS},
    )


@dataclass(frozen=True)
class BestSet:
    """Whom it pays to contact.

    Attributes:
        customers: So many.
        profit: Expected profit of contacting them, in currency.
        everybody: Expected profit of contacting all who may be contacted now.
        all_customers: How many those are.
        next_one: Expected profit of contacting one more, 0 or less; None where there is nobody.
    """

    customers: int
    profit: float
    everybody: float
    all_customers: int
    next_one: float | None


def best_set(reading: Reading, as_of: date, wanted: Wanted, known: Marks) -> BestSet:
    """Whom it pays to contact, to the customer: see `customer360.models.profit`.

    Args:
        reading: A moment.
        as_of: Day of the scores.
        wanted: Who may be contacted, as on the call list, and what a contact costs and brings.
        known: As for `waiting`.
    """
    active, values = _active(reading, as_of, wanted)
    row = reading.frame(
        sql.SQL(
            f"""
            SELECT count(*) FILTER (WHERE profit > 0) AS customers,
                   coalesce(sum(profit) FILTER (WHERE profit > 0), 0) AS profit,
                   coalesce(sum(profit), 0) AS everybody, count(*) AS all_customers,
                   max(profit) FILTER (WHERE profit <= 0) AS next_one
            FROM (
                SELECT {expected_profit(wanted.economics)} AS profit
                FROM ({active}) AS people WHERE {to_contact(wanted)}
            ) AS contacts
            """
        ),
        values,
    ).iloc[0]
    return BestSet(
        int(row["customers"]),
        float(row["profit"]),
        float(row["everybody"]),
        int(row["all_customers"]),
        None if pd.isna(row["next_one"]) else float(row["next_one"]),
    )
