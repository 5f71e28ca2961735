"""Published tables made by hand: what the marts read, without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg import sql

from customer360.serving import tables
from customer360.serving.warehouse import Login

Row = Mapping[str, Any]


def columns(table: str) -> Mapping[str, str]:
    """Columns of a published ``layer/table`` and their PostgreSQL types."""
    own = (tables.revenue_examples(), tables.SUPPRESSED_CUSTOMERS)
    for published in own:
        if table == published.name.replace(".", "/"):
            return published.columns
    return tables.copy_of(table).columns


def publish(owner: Login, table: str, rows: Sequence[Row]) -> None:
    """The table of these rows, without a primary key: so a test can break it.

    Columns that a row does not state are null.
    """
    name = sql.Identifier(*table.split("/"))
    kinds = columns(table)
    with owner.connect() as connection:
        connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(
                name,
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind))
                    for column, kind in kinds.items()
                ),
            )
        )
        connection.execute(sql.SQL("DELETE FROM {}").format(name))
        for row in rows:
            assert set(row) <= set(kinds), f"{table}: {set(row) - set(kinds)}"
            connection.execute(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    name,
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() * len(row)),
                ),
                list(row.values()),
            )


def note_publication(owner: Login, table: str, first: date | None, last: date | None) -> None:
    """A line of the bookkeeping: the table's slices from ``first`` to ``last`` were published."""
    with owner.connect() as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS serving.publications (table_name text, rows bigint, "
            "delta_version bigint, first_slice date, last_slice date, run_id text, "
            "published_at timestamptz DEFAULT clock_timestamp())"
        )
        connection.execute(
            "INSERT INTO serving.publications (table_name, first_slice, last_slice) "
            "VALUES (%s, %s, %s)",
            [table, first, last],
        )


def selected(login: Login, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with login.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def change(login: Login, statement: str) -> None:
    """Carry a statement out."""
    with login.connect() as connection:
        connection.execute(statement.encode())


PEOPLE: Mapping[str, Row] = {
    "a": {
        "segment": "champions",
        "churn_probability": 0.5,
        "churn_risk": "high",
        "value_at_stake": 40.0,
        "m_score": 5,
        "r_score": 5,
        "net_revenue": 300.0,
        "net_revenue_365d": 200.0,
        "expected_revenue_365d": 80.0,
        "discounted_value_12m": 70.0,
        "purchase_days": 4,
        "days_since_last_purchase": 3,
        "next_best_action": "retain_with_offer",
    },
    "b": {
        "segment": "champions",
        "churn_probability": 0.8,
        "churn_risk": "high",
        "value_at_stake": 40.0,
        "m_score": 5,
        "r_score": 4,
        "net_revenue": 500.0,
        "net_revenue_365d": 400.0,
        "expected_revenue_365d": 50.0,
        "discounted_value_12m": 40.0,
        "purchase_days": 5,
        "days_since_last_purchase": 9,
        "next_best_action": "do_not_contact",
    },
    "c": {
        "segment": "cant_lose_them",
        "m_score": 4,
        "r_score": 1,
        "net_revenue": 150.0,
        "net_revenue_365d": 0.0,
        "expected_revenue_365d": 1.0,
        "discounted_value_12m": 1.0,
        "purchase_days": 2,
        "days_since_last_purchase": 300,
        "next_best_action": "call_in_person",
    },
    "d": {
        "segment": "new_customers",
        "churn_probability": 0.1,
        "churn_risk": "low",
        "value_at_stake": 2.0,
        "m_score": 1,
        "r_score": 5,
        "net_revenue": 50.0,
        "net_revenue_365d": 50.0,
        "expected_revenue_365d": 20.0,
        "discounted_value_12m": 19.0,
        "purchase_days": 1,
        "days_since_last_purchase": 1,
        "next_best_action": "guide_to_second_purchase",
    },
}
"""Columns of ``gold/customer_360`` of four customers: two about to leave, one gone, one new."""

CONSENT = {"a": True, "b": False, "c": True, "d": None}

CUSTOMER_DAYS: Sequence[Row] = [
    {
        "customer_key": key,
        "business_date": day,
        "orders": orders,
        "refunded": back,
        "net_revenue": net,
    }
    for key, day, orders, back, net in (
        ("a", date(2024, 1, 31), 1, Decimal(0), Decimal(999)),
        ("a", date(2024, 2, 1), 1, Decimal(0), Decimal("10.10")),
        ("a", date(2024, 2, 14), 2, Decimal(5), Decimal("20.20")),
        ("a", date(2024, 2, 15), 1, Decimal(0), Decimal(7)),
        ("b", date(2024, 2, 10), 0, Decimal(30), Decimal(-30)),
        ("c", date(2024, 2, 10), 1, Decimal(8), Decimal(0)),
        ("d", date(2024, 2, 29), 1, Decimal(0), Decimal(50)),
    )
]
"""The horizon of 14 days after 31 January ends on 14 February."""


def lakehouse_tables(as_of: Sequence[date]) -> dict[str, Sequence[Row]]:
    """Small published tables with a snapshot on each of the dates; no revenue model.

    Nobody is suppressed.
    """
    keys = [{"as_of": day, "customer_key": key} for day in as_of for key in PEOPLE]
    value = {"expected_revenue_365d_low": 10.0, "expected_revenue_365d_high": 90.0}
    return {
        "gold/customer_360": [key | dict(PEOPLE[str(key["customer_key"])]) for key in keys],
        "gold/churn_scores": [
            key | {"reason_1": "last_purchase", "horizon_days": 30}
            for key in keys
            if "churn_probability" in PEOPLE[str(key["customer_key"])]
        ],
        "gold/lifetime_value": [key | value for key in keys],
        "gold/revenue_examples": [key | {"horizon_days": 14, "T": 5} for key in keys],
        "gold/business_health": [
            {
                "business_date": date(2024, 2, 29),
                "orders": 4,
                "gross_revenue": Decimal(80),
                "refunded": Decimal(20),
                "net_revenue": Decimal(60),
            }
        ],
        "silver/customers": [
            {"customer_key": key, "source": "synthetic", "marketing_consent": agreed}
            for key, agreed in CONSENT.items()
        ],
        "silver/customer_days": CUSTOMER_DAYS,
        "serving/suppressed_customers": [],
    }
