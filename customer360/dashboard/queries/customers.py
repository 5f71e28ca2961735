"""Customers: found, sorted and paged; and everything about one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from psycopg import sql

from customer360.contracts.attributes import customer_attributes
from customer360.dashboard.connection import Reading
from customer360.dashboard.queries.segments import NOBODY
from customer360.models.reasons import Reason, reasons_in

COLUMNS = (
    "customer_key",
    "segment",
    "region",
    "churn_risk",
    "churn_probability",
    "expected_revenue_365d",
    "value_at_stake",
    "has_left",
    "net_revenue",
    "purchase_days",
    "last_purchase_on",
    "next_best_action",
)
"""Columns of a list of customers; ``region`` is the state, or the country where there is none."""

SORTABLE = (
    "expected_revenue_365d",
    "value_at_stake",
    "churn_probability",
    "has_left",
    "net_revenue",
    "purchase_days",
    "last_purchase_on",
)
GONE = "gone"
"""Risk of a customer who was silent for so long that churn is no question any more."""

MOST_EXPORTED = 100_000
PROFILE = ("source", "source_customer_id", *customer_attributes())
_SEARCHED = ("name", "email", "source_customer_id")
_REGION = sql.SQL("coalesce(state, country)")


@dataclass(frozen=True)
class Filters:
    """Which customers, and in which order.

    Attributes:
        search: Beginning of the customer key; or, where ``personal``, a part of name or e-mail, or
            the source's customer number.
        segments: Any of these; empty: all.
        regions: Any of these states or countries; empty: all.
        risks: Any of "high", "medium", "low" and `GONE`; empty: all.
        recency: Any of these recency scores, 1 to 5; empty: all.
        frequency: Any of these frequency scores, 1 to 5; empty: all.
        cohort: First day of the month of the first purchase; None: any.
        before: Any of these segments at the end of ``since``, or `NOBODY`; empty: all.
        since: An earlier as-of date.
        least_value: Least expected revenue of the next 365 days, in currency.
        sort: One of `SORTABLE`.
        descending: The largest first.
        personal: Whether the search may look at personal data.
    """

    search: str = ""
    segments: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    recency: tuple[int, ...] = ()
    frequency: tuple[int, ...] = ()
    cohort: date | None = None
    before: tuple[str, ...] = ()
    since: date | None = None
    least_value: float = 0.0
    sort: str = "expected_revenue_365d"
    descending: bool = True
    personal: bool = False


def is_key(text: str) -> bool:
    """Whether ``text`` can be the beginning of a customer key, as lists show it or longer."""
    return re.fullmatch(r"[0-9a-f]{1,64}", _beginning(text)) is not None


def _beginning(text: str) -> str:
    return text.strip().rstrip("…").lower()


def regions(reading: Reading, as_of: date) -> tuple[str, ...]:
    """States, or countries where there is no state, in which customers live."""
    frame = reading.frame(
        sql.SQL(
            "SELECT {region} AS region FROM marts.customer_360 "
            "WHERE as_of = %(as_of)s AND {region} IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT 500"
        ).format(region=_REGION),
        {"as_of": as_of},
    )
    return tuple(frame["region"])


def _where(
    reading: Reading, as_of: date, filters: Filters
) -> tuple[sql.Composable, dict[str, Any]]:
    conditions: list[sql.Composable] = [sql.SQL("as_of = %(as_of)s")]
    values: dict[str, Any] = {"as_of": as_of}
    search = filters.search.strip()
    if search:
        asked: list[sql.Composable] = []
        if is_key(search):
            # A range, which the primary key's index answers whatever the collation. After f
            # comes g, which no key holds.
            asked.append(
                sql.SQL("(customer_key >= %(search)s AND customer_key < %(search)s || 'g')")
            )
            values["search"] = _beginning(search)
        known = reading.columns("silver.customers") if filters.personal else ()
        personal = [name for name in _SEARCHED if name in known]
        if personal:
            matches = sql.SQL(" OR ").join(
                sql.SQL("{} ILIKE %(part)s").format(sql.Identifier(name)) for name in personal
            )
            asked.append(
                sql.SQL(
                    "customer_key IN (SELECT customer_key FROM silver.customers WHERE {})"
                ).format(matches)
            )
            escaped = re.sub(r"([\\%_])", r"\\\1", search)
            values["part"] = f"%{escaped}%"
        conditions.append(
            sql.SQL("({})").format(sql.SQL(" OR ").join(asked)) if asked else sql.SQL("false")
        )
    if filters.segments:
        conditions.append(sql.SQL("segment = ANY(%(segments)s)"))
        values["segments"] = list(filters.segments)
    if filters.regions:
        conditions.append(sql.SQL("{} = ANY(%(regions)s)").format(_REGION))
        values["regions"] = list(filters.regions)
    if filters.risks:
        conditions.append(sql.SQL("coalesce(churn_risk, %(gone)s) = ANY(%(risks)s)"))
        values |= {"risks": list(filters.risks), "gone": GONE}
    for column, scores in (("r_score", filters.recency), ("f_score", filters.frequency)):
        if scores:
            named = sql.SQL("{} = ANY({})")
            conditions.append(named.format(sql.Identifier(column), sql.Placeholder(column)))
            values[column] = list(scores)
    if filters.cohort is not None:
        conditions.append(
            sql.SQL(
                "first_purchase_on >= %(cohort)s::date "
                "AND first_purchase_on < %(cohort)s::date + interval '1 month'"
            )
        )
        values["cohort"] = filters.cohort
    if filters.before and filters.since is not None:
        conditions.append(_of_before(NOBODY in filters.before))
        values |= {"before": list(filters.before), "since": filters.since}
    if filters.least_value > 0:
        conditions.append(sql.SQL("expected_revenue_365d >= %(least_value)s"))
        values["least_value"] = filters.least_value
    return sql.SQL(" AND ").join(conditions), values


def _of_before(with_nobody: bool) -> sql.Composable:
    """Who was in one of the segments ``before``; each way is a join, and not a look-up a customer.

    With who had not bought by then, they are those who were in no other segment.
    """
    return sql.SQL(
        "{there} (SELECT FROM marts.customer_360 AS earlier WHERE earlier.as_of = %(since)s "
        "AND earlier.customer_key = customer_360.customer_key AND earlier.segment {among})"
    ).format(
        there=sql.SQL("NOT EXISTS" if with_nobody else "EXISTS"),
        among=sql.SQL("<> ALL(%(before)s)" if with_nobody else "= ANY(%(before)s)"),
    )


def cohorts(reading: Reading, as_of: date) -> tuple[date, ...]:
    """First days of the months in which customers bought for the first time, the newest first."""
    frame = reading.frame(
        "SELECT DISTINCT date_trunc('month', first_purchase_on::timestamp)::date AS cohort "
        "FROM marts.customer_360 WHERE as_of = %(as_of)s AND first_purchase_on IS NOT NULL "
        "ORDER BY 1 DESC LIMIT 600",
        {"as_of": as_of},
    )
    return tuple(frame["cohort"])


def names(reading: Reading, keys: tuple[str, ...]) -> dict[str, str]:
    """What customers are called, by their keys; only those whose name is known and published."""
    if "name" not in reading.columns("silver.customers"):
        return {}
    rows = reading.frame(
        "SELECT customer_key, name FROM silver.customers "
        "WHERE customer_key = ANY(%(keys)s) AND name IS NOT NULL",
        {"keys": list(keys)},
    )
    return dict(zip(rows["customer_key"], rows["name"], strict=True))


def count(reading: Reading, as_of: date, filters: Filters) -> int:
    """How many customers ``filters`` leave."""
    where, values = _where(reading, as_of, filters)
    query = sql.SQL("SELECT count(*) FROM marts.customer_360 WHERE {}").format(where)
    return int(reading.value(query, values))


def rows(
    reading: Reading, as_of: date, filters: Filters, limit: int, offset: int = 0
) -> pd.DataFrame:
    """One page of the customers that ``filters`` leave: `COLUMNS`.

    Raises:
        ValueError: The order is not by one of `SORTABLE`.
    """
    if filters.sort not in SORTABLE:
        raise ValueError(f"customers are not sorted by {filters.sort!r}")
    where, values = _where(reading, as_of, filters)
    shown = sql.SQL(", ").join(
        sql.SQL("{} AS region").format(_REGION) if name == "region" else sql.Identifier(name)
        for name in COLUMNS
    )
    query = sql.SQL(
        "SELECT {shown} FROM marts.customer_360 WHERE {where} "
        "ORDER BY {sort} {way} NULLS LAST, customer_key LIMIT %(limit)s OFFSET %(offset)s"
    ).format(
        shown=shown,
        where=where,
        sort=sql.Identifier(filters.sort),
        way=sql.SQL("DESC" if filters.descending else "ASC"),
    )
    return reading.frame(query, values | {"limit": limit, "offset": offset})


@dataclass(frozen=True)
class Customer:
    """Everything about one customer at an as-of date.

    Attributes:
        summary: The row of ``marts.customer_360``.
        profile: The row of ``silver.customers``, its columns as far as they are published.
        reasons: Why the revenue model expects more or less than of the average customer.
        days: Purchase and refund days up to the as-of date, the newest first, at most
            `MOST_DAYS`: ``business_date``, ``orders``, ``refunds``, ``items``, ``net_revenue``,
            ``category``, ``channel``.
    """

    summary: dict[str, Any]
    profile: pd.DataFrame
    reasons: tuple[Reason, ...]
    days: pd.DataFrame


MOST_DAYS = 500


def customer(reading: Reading, as_of: date, key: str) -> Customer | None:
    """Everything about one customer; None when nobody has that key at that date.

    Args:
        reading: The moment to read at.
        as_of: Of which day.
        key: The customer key, or how it begins where no other one begins so.
    """
    rows = reading.frame(
        "SELECT * FROM marts.customer_360 WHERE as_of = %(as_of)s AND customer_key >= %(key)s "
        "AND customer_key < %(key)s || 'g' LIMIT 2",
        {"as_of": as_of, "key": _beginning(key)},
    )
    if len(rows) != 1:
        return None
    summary = {str(name): value for name, value in rows.iloc[0].items()}
    values = {"as_of": as_of, "key": summary["customer_key"]}
    published = reading.columns("silver.customers")
    columns = [sql.Identifier(name) for name in PROFILE if name in published]
    profile = reading.frame_if(
        "silver.customers",
        sql.SQL("SELECT {} FROM silver.customers WHERE customer_key = %(key)s").format(
            sql.SQL(", ").join(columns)
        ),
        values,
    )
    days = reading.frame_if(
        "silver.customer_days",
        """
        SELECT business_date, orders, refunds, items, net_revenue, category, channel
        FROM silver.customer_days
        WHERE customer_key = %(key)s AND business_date <= %(as_of)s
        ORDER BY business_date DESC LIMIT %(limit)s
        """,
        values | {"limit": MOST_DAYS},
    )
    predictions = reading.frame_if(
        "gold.revenue_predictions",
        "SELECT * FROM gold.revenue_predictions WHERE as_of = %(as_of)s AND customer_key = %(key)s",
        values,
    )
    reasons = reasons_in(predictions.iloc[0].to_dict()) if len(predictions) else ()
    return Customer(summary, profile, reasons, days)
