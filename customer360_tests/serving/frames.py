"""Small frames of gold/customer_360 and silver/customers for campaign lists."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from customer360_tests.gold.frames import table

DAY = date(2024, 6, 30)

_CUSTOMER_360 = {
    "customer_key": "string",
    "as_of": "date",
    "segment": "string",
    "days_since_last_purchase": "int",
    "purchase_days": "int",
    "net_revenue": "double",
    "net_revenue_365d": "double",
    "r_score": "int",
    "m_score": "int",
    "churn_probability": "double",
    "churn_risk": "string",
    "probability_alive": "double",
    "expected_revenue_365d": "double",
    "discounted_value_12m": "double",
}
_CUSTOMERS = {
    "customer_key": "string",
    "source": "string",
    "source_customer_id": "string",
    "name": "string",
    "email": "string",
    "phone": "string",
    "country": "string",
    "marketing_consent": "boolean",
}
# An active customer of the middle, on no list.
_USUAL: dict[str, Any] = {
    "as_of": DAY,
    "segment": "Need Attention",
    "days_since_last_purchase": 20,
    "purchase_days": 4,
    "net_revenue": 200.0,
    "net_revenue_365d": 100.0,
    "r_score": 3,
    "m_score": 3,
    "churn_probability": 0.3,
    "churn_risk": "low",
    "probability_alive": 0.9,
    "expected_revenue_365d": 80.0,
    "discounted_value_12m": 75.0,
}


def customer_360_of(spark: SparkSession, customers: dict[str, dict[str, Any]]) -> DataFrame:
    """Rows of gold/customer_360 by customer key; what is not given is as usual."""
    rows = [_USUAL | {"customer_key": key} | given for key, given in customers.items()]
    return _frame(spark, _CUSTOMER_360, rows)


def customers_of(spark: SparkSession, customers: dict[str, dict[str, Any]]) -> DataFrame:
    """Rows of silver/customers by key; consent is given unless stated otherwise."""
    return _frame(
        spark,
        _CUSTOMERS,
        [
            {"source": "shop", "source_customer_id": f"id-{key}", "marketing_consent": True}
            | {"customer_key": key}
            | given
            for key, given in customers.items()
        ],
    )


def _frame(spark: SparkSession, types: dict[str, str], rows: Iterable[dict[str, Any]]) -> DataFrame:
    schema = ", ".join(f"{name} {kind}" for name, kind in types.items())
    return table(spark, schema, [tuple(row.get(name) for name in types) for row in rows])
