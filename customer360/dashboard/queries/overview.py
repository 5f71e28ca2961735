"""The business as a whole: revenue, customers, the coming year, concentration."""

from __future__ import annotations

from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
from psycopg import sql

from customer360.dashboard.connection import Reading

Grain = Literal["day", "week", "month"]
Value = Literal["net_revenue_365d", "expected_revenue_365d", "discounted_residual_value"]

_PURCHASE = "orders > 0 AND (net_revenue > 0 OR refunded = 0)"
"""What a purchase is: `customer360.gold.purchases.is_purchase`."""


def first_day(reading: Reading) -> date | None:
    """The first business date there is."""
    first: date | None = reading.value("SELECT min(business_date) FROM marts.revenue_kpis")
    return first


def figures(reading: Reading, as_of: date, first: date, last: date) -> dict[str, float]:
    """The business in numbers from ``first`` to ``last``, both included.

    Returns:
        ``net_revenue``, ``gross_revenue``, ``refunded`` (currency), ``orders``, ``refund_rate``
        (share of the money sold), ``average_order_value`` (currency), ``active_customers`` who
        bought, of them ``new_customers`` for the first time and ``returning_customers``.
    """
    days = {"first": first, "last": last}
    sums = reading.frame(
        """
        SELECT coalesce(sum(net_revenue), 0) AS net_revenue,
               coalesce(sum(gross_revenue), 0) AS gross_revenue,
               coalesce(sum(refunded), 0) AS refunded,
               coalesce(sum(orders), 0) AS orders,
               coalesce(sum(new_customers), 0) AS new_customers
        FROM marts.revenue_kpis
        WHERE business_date BETWEEN %(first)s AND %(last)s
        """,
        days,
    ).astype(float)
    totals: dict[str, float] = {str(name): value for name, value in sums.iloc[0].items()}
    sold, active = totals["gross_revenue"], _active_customers(reading, as_of, first, last)
    return totals | {
        "active_customers": float(active),
        "returning_customers": float(active) - totals["new_customers"],
        "refund_rate": totals["refunded"] / sold if sold else float("nan"),
        "average_order_value": sold / totals["orders"] if totals["orders"] else float("nan"),
    }


def _active_customers(reading: Reading, as_of: date, first: date, last: date) -> int:
    """Customers who bought; one of several days counts once, so days cannot be added up."""
    if last == as_of:
        # Whoever has bought since the first day has a last purchase since then, and the snapshot
        # is smaller than the days.
        return int(
            reading.value(
                "SELECT count(*) FROM marts.customer_360 "
                "WHERE as_of = %(as_of)s AND last_purchase_on >= %(first)s",
                {"as_of": as_of, "first": first},
            )
        )
    count = reading.value(
        f"""
        SELECT count(*) AS customers FROM (
            SELECT DISTINCT customer_key FROM silver.customer_days
            WHERE business_date BETWEEN %(first)s AND %(last)s AND {_PURCHASE}
        ) AS active
        """,
        {"first": first, "last": last},
    )
    return int(count)


def revenue(reading: Reading, first: date, last: date, grain: Grain) -> pd.DataFrame:
    """``period`` (its first day) with ``net_revenue``, ``orders`` and ``refunded``."""
    return reading.frame(
        """
        SELECT date_trunc(%(grain)s, business_date::timestamp)::date AS period,
               sum(net_revenue) AS net_revenue,
               sum(orders)::bigint AS orders,
               sum(refunded) AS refunded
        FROM marts.revenue_kpis
        WHERE business_date BETWEEN %(first)s AND %(last)s
        GROUP BY 1 ORDER BY 1
        """,
        {"first": first, "last": last, "grain": grain},
    )


def customers_by_month(reading: Reading, as_of: date, first: date, last: date) -> pd.DataFrame:
    """``month`` with customers who bought in it: ``new_customers``, ``returning_customers``.

    From the cohorts, which count a customer once a month; ``is_partial`` where the month was not
    over at the as-of date.
    """
    return reading.frame(
        """
        SELECT month,
               sum(active_customers) FILTER (WHERE months_since_first = 0)::bigint
                   AS new_customers,
               coalesce(sum(active_customers) FILTER (WHERE months_since_first > 0), 0)::bigint
                   AS returning_customers,
               bool_or(is_partial) AS is_partial
        FROM (
            SELECT *, (cohort + make_interval(months => months_since_first))::date AS month
            FROM marts.cohort_retention WHERE as_of = %(as_of)s
        ) AS cohorts
        WHERE month BETWEEN date_trunc('month', %(first)s::timestamp)::date AND %(last)s
        GROUP BY month ORDER BY month
        """,
        {"as_of": as_of, "first": first, "last": last},
    )


def forecast(reading: Reading, as_of: date) -> pd.DataFrame:
    """Weeks after the as-of date: revenue expected of today's customers, its band, and new ones.

    ``week_start``, ``revenue``, ``revenue_low``, ``revenue_high``, ``new_revenue``; no rows where
    the lifetime-value model knows no weeks.
    """
    return reading.frame_if(
        "gold.revenue_forecast",
        """
        SELECT week, week_start, week_end, revenue, revenue_low, revenue_high, new_revenue
        FROM gold.revenue_forecast WHERE as_of = %(as_of)s ORDER BY week
        """,
        {"as_of": as_of},
    )


def weeks_before(reading: Reading, as_of: date) -> pd.DataFrame:
    """The 52 weeks up to the as-of date, cut as the forecast's: ``week_start``, ``net_revenue``.

    Only whole weeks: the first may begin before the data do.
    """
    return reading.frame(
        """
        SELECT min(business_date) AS week_start, sum(net_revenue) AS net_revenue
        FROM marts.revenue_kpis
        WHERE business_date > %(as_of)s::date - 364 AND business_date <= %(as_of)s
        GROUP BY (%(as_of)s::date - business_date) / 7
        HAVING count(*) = 7
        ORDER BY 1
        """,
        {"as_of": as_of},
    )


def concentration(reading: Reading, as_of: date, value: Value) -> pd.DataFrame:
    """How ``value`` is spread: a row a hundredth of the customers with some, the richest first.

    ``percent`` (of these customers, up to and including the row's), ``customers`` and ``value``
    (currency) of the row, ``share`` (of the whole value, up to and including the row's).
    """
    return reading.frame(
        sql.SQL(
            """
            WITH ranked AS (
                SELECT {value} AS value,
                       row_number() OVER (ORDER BY {value} DESC) AS place,
                       count(*) OVER () AS total
                FROM marts.customer_360 WHERE as_of = %(as_of)s AND {value} > 0
            ), hundredths AS (
                SELECT ceil(place * 100.0 / total)::int AS percent,
                       count(*) AS customers, sum(value) AS value
                FROM ranked GROUP BY 1
            )
            SELECT percent, customers, value,
                   sum(value) OVER (ORDER BY percent) / sum(value) OVER () AS share
            FROM hundredths ORDER BY percent
            """
        ).format(value=sql.Identifier(value)),
        {"as_of": as_of},
    )


def share_of_top(spread: pd.DataFrame, percent: float) -> float | None:
    """Share of the value that the largest ``percent`` of the customers have.

    Args:
        spread: From `concentration`; between its rows the curve is straight.
        percent: 0 to 100.
    """
    if spread.empty:
        return None
    return float(np.interp(percent, [0, *spread["percent"]], [0, *spread["share"]]))
