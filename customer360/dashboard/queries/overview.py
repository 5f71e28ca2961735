"""The business as a whole: revenue, customers, the coming year, concentration."""

from __future__ import annotations

from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
from psycopg import sql

from customer360.dashboard.connection import Reading
from customer360.dashboard.headlines import Regulars
from customer360.gold.terms import IS_PURCHASE
from customer360.models.lifetime_value.spec import LIFETIME_VALUE

Value = Literal["net_revenue_365d", "expected_revenue_365d", "discounted_residual_value"]

REGULAR_PURCHASE_DAYS = 3
"""Purchase days from which a customer has a rhythm of two gaps or more: a regular."""

QUIET_GAPS = 2
"""A regular is quiet after so many times their mean gap."""

QUIET_DAYS = 30
"""Nobody is quiet sooner: twice a gap of three days is no news."""

LATELY_DAYS = 30
"""For how long before the as-of date who went quiet is told of."""


def first_day(reading: Reading) -> date | None:
    """The first business date there is."""
    first: date | None = reading.value("SELECT min(business_date) FROM marts.revenue_kpis")
    return first


def figures(reading: Reading, as_of: date, first: date, last: date) -> dict[str, float]:
    """The business in numbers from ``first`` to ``last``, both included.

    Returns:
        ``net_revenue``, ``gross_revenue``, ``refunded`` (currency), ``orders``, ``refund_rate``
        (share of the money sold), ``average_order_value`` (currency), ``buyers``: customers who
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
    sold, buyers = totals["gross_revenue"], _buyers(reading, as_of, first, last)
    return totals | {
        "buyers": float(buyers),
        "returning_customers": float(buyers) - totals["new_customers"],
        "refund_rate": totals["refunded"] / sold if sold else float("nan"),
        "average_order_value": sold / totals["orders"] if totals["orders"] else float("nan"),
    }


def _buyers(reading: Reading, as_of: date, first: date, last: date) -> int:
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
            WHERE business_date BETWEEN %(first)s AND %(last)s AND {IS_PURCHASE}
        ) AS bought
        """,
        {"first": first, "last": last},
    )
    return int(count)


def days(reading: Reading, as_of: date) -> pd.DataFrame:
    """Every day up to the as-of date, for whatever is added up over days.

    ``business_date``; ``net_revenue``, ``gross_revenue``, ``refunded``, ``anonymous_revenue``
    (currency); ``orders``, ``new_customers`` of the day. Different customers do not add up.
    """
    return reading.frame(
        """
        SELECT business_date, net_revenue, gross_revenue, refunded, anonymous_revenue,
               orders, new_customers
        FROM marts.revenue_kpis WHERE business_date <= %(as_of)s ORDER BY business_date
        """,
        {"as_of": as_of},
    )


def regulars(reading: Reading, as_of: date) -> Regulars:
    """Who keeps to their rhythm at the as-of date, and who went quiet in the `LATELY_DAYS` before.

    A regular bought on `REGULAR_PURCHASE_DAYS` days or more, and is quiet when they have bought
    nothing for longer than `QUIET_GAPS` times their mean gap, and for longer than `QUIET_DAYS`.
    Who went quiet earlier, or came back since, is not among those that went quiet.
    """
    rows = reading.frame(
        """
        SELECT count(*) FILTER (WHERE late > 0 AND late <= %(lately)s) AS quiet,
               coalesce(sum(net_revenue_365d) FILTER (WHERE late > 0 AND late <= %(lately)s), 0)
                   AS revenue,
               count(*) FILTER (WHERE late <= 0) AS steady
        FROM (
            SELECT net_revenue_365d,
                   days_since_last_purchase
                   - greatest(%(gaps)s * mean_days_between_purchases, %(least)s) AS late
            FROM marts.customer_360
            WHERE as_of = %(as_of)s AND purchase_days >= %(regular)s
              AND mean_days_between_purchases IS NOT NULL
        ) AS regulars
        """,
        {
            "as_of": as_of,
            "lately": LATELY_DAYS,
            "gaps": QUIET_GAPS,
            "least": QUIET_DAYS,
            "regular": REGULAR_PURCHASE_DAYS,
        },
    )
    quiet, revenue, steady = rows.iloc[0]
    return Regulars(int(quiet), float(revenue), int(steady))


def active(reading: Reading, as_of: date) -> tuple[int, int] | None:
    """The days of the activity window, and how many customers bought in it.

    None where nobody was scored for churn, which says what the window is.
    """
    window = reading.frame_if(
        "gold.churn_scores",
        "SELECT activity_window_days FROM gold.churn_scores WHERE as_of = %(as_of)s LIMIT 1",
        {"as_of": as_of},
    )
    if window.empty:
        return None
    length = int(window["activity_window_days"].tolist()[0])
    count = reading.value(
        "SELECT count(*) FROM marts.customer_360 "
        "WHERE as_of = %(as_of)s AND days_since_last_purchase < %(length)s",
        {"as_of": as_of, "length": length},
    )
    return length, int(count)


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


def earlier_forecasts(reading: Reading, as_of: date) -> pd.DataFrame:
    """Weeks up to the as-of date that forecasts of earlier as-of dates foresaw.

    Only forecasts by versions of the model that had seen nothing after: one that was trained later
    foresees nothing. ``as_of`` of the forecast, ``week_start``, ``revenue``, ``revenue_low``,
    ``revenue_high``, ``new_revenue``.
    """
    if not reading.has("serving.models"):
        return pd.DataFrame()
    return reading.frame_if(
        "gold.revenue_forecast",
        """
        SELECT forecast.as_of, week_start, revenue, revenue_low, revenue_high, new_revenue
        FROM gold.revenue_forecast AS forecast
        JOIN serving.models AS version
          ON version.model = %(model)s AND version.version = forecast.model_version
        WHERE version.as_of <= forecast.as_of AND forecast.as_of < %(as_of)s
          AND week_start <= %(as_of)s
        ORDER BY forecast.as_of, week_start
        """,
        {"model": LIFETIME_VALUE.name, "as_of": as_of},
    )


def held_back(reading: Reading, as_of: date) -> tuple[float, float] | None:
    """What the forecasting model expected of days that it had not seen, and what came.

    Net revenue of the customers whom it knew, in currency, from the training's own figures; None
    where these do not say, or nothing came.
    """
    figures = reading.frame_if(
        "serving.model_figures",
        """
        SELECT figure, value FROM serving.model_figures
        WHERE model = %(model)s AND figure IN ('revenue_total_expected', 'revenue_total_actual')
          AND version = (
              SELECT model_version FROM gold.revenue_forecast WHERE as_of = %(as_of)s LIMIT 1
          )
        """,
        {"model": LIFETIME_VALUE.name, "as_of": as_of},
    )
    if len(figures) < 2:
        return None
    found = dict(zip(figures["figure"], figures["value"], strict=True))
    came = float(found["revenue_total_actual"])
    return (float(found["revenue_total_expected"]), came) if came > 0 else None


def concentration(reading: Reading, as_of: date, value: Value) -> pd.DataFrame:
    """How ``value`` is spread: a row a hundredth of the customers with some, the richest first.

    ``percent`` (of these customers, up to and including the row's), ``customers`` and ``value``
    (currency) of the row, ``least`` (value of its last customer), ``share`` (of the whole value, up
    to and including the row's).
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
                       count(*) AS customers, sum(value) AS value, min(value) AS least
                FROM ranked GROUP BY 1
            )
            SELECT percent, customers, value, least,
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
