"""Small tables that campaign lists are made from, and DuckDB over them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from customer360.contracts import Contract
from customer360.lakehouse.reading import engine
from customer360.serving import contacts

DAY = date(2024, 6, 30)

_ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}
_CUSTOMER_360 = pa.schema(
    {
        # Money as doubles: the rows of a test are written with points.
        column.name: _ARROW.get(column.physical_type, pa.float64())
        for column in Contract.load("gold/customer_360").columns
    }
)
_CUSTOMERS = pa.schema(
    {
        "customer_key": pa.string(),
        "source": pa.string(),
        "source_customer_id": pa.string(),
        "name": pa.string(),
        "email": pa.string(),
        "phone": pa.string(),
        "country": pa.string(),
        "marketing_consent": pa.bool_(),
    }
)
# An active customer of the middle, on no list.
_USUAL: dict[str, Any] = {
    "as_of": DAY,
    "segment": "need_attention",
    "days_since_last_purchase": 20,
    "purchase_days": 4,
    "net_revenue": 200.0,
    "net_revenue_365d": 100.0,
    "r_score": 3,
    "m_score": 3,
    "churn_probability": 0.3,
    "churn_risk": "low",
    "has_left": 0.1,
    "value_at_stake": 5.0,
    "probability_alive": 0.9,
    "expected_revenue_365d": 80.0,
    "discounted_value_12m": 75.0,
}


def customer_360_of(customers: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """Rows of gold/customer_360 by customer key; what is not given is as usual."""
    rows = [_USUAL | {"customer_key": key} | dict(given) for key, given in customers.items()]
    return pa.Table.from_pylist(rows, schema=_CUSTOMER_360)


def customers_of(customers: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """Rows of silver/customers by key; consent is given unless stated otherwise."""
    rows = [
        {"source": "shop", "source_customer_id": f"id-{key}", "marketing_consent": True}
        | {"customer_key": key}
        | dict(given)
        for key, given in customers.items()
    ]
    return pa.Table.from_pylist(rows, schema=_CUSTOMERS)


def identifiers_of(*identifiers: tuple[str, str]) -> pa.Table:
    """A suppression list as it was read."""
    rows = [{"kind": kind, "value": value} for kind, value in identifiers]
    return pa.Table.from_pylist(rows, schema=pa.schema({"kind": pa.string(), "value": pa.string()}))


def asked(query: str, **tables: pa.Table) -> pa.Table:
    """Rows of a query over tables of these names."""
    with engine() as connection:
        contacts.prepare(connection)
        return asked_of(connection, query, **tables)


def asked_of(connection: duckdb.DuckDBPyConnection, query: str, **tables: pa.Table) -> pa.Table:
    """Rows of a query of one connection, over further tables of these names."""
    for name, rows in tables.items():
        connection.register(name, rows)
    return connection.sql(query).to_arrow_table()
