"""What the warehouse has: copies of gold and silver tables, and small tables about them."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from customer360.contracts import Contract
from customer360.contracts.contract import packaged_tables
from customer360.serving.publishing import PublishedTable, postgres_type
from customer360.table_names import (
    AS_OF,
    CUSTOMER_DAYS,
    CUSTOMERS,
    FIRST_ORDERS,
    HEALTH,
    TRANSACTIONS,
)
from customer360.table_names import FEATURES as CUSTOMER_FEATURES

_SILVER = (CUSTOMERS, CUSTOMER_DAYS, TRANSACTIONS)
"""What the marts need beside gold."""

_INDEXES = {
    TRANSACTIONS: (("customer_key", "business_date"),),
    CUSTOMER_DAYS: (("customer_key", "business_date"),),
}
"""Look-ups of one customer among all days."""


def published_tables() -> tuple[str, ...]:
    """Tables of the lakehouse that are copied, as ``layer/table``."""
    gold = (table for table in packaged_tables() if table.startswith("gold/"))
    return (*gold, *_SILVER)


def copy_of(table: str, *, personal_data: bool = False) -> PublishedTable:
    """The warehouse's copy of a lakehouse table.

    Args:
        table: As ``layer/table``.
        personal_data: Whether columns with personal data are in it.
    """
    contract = Contract.load(table)
    sliced_by = {
        CUSTOMERS: None,
        CUSTOMER_DAYS: "business_date",
        TRANSACTIONS: "business_date",
        HEALTH: "business_date",
    }.get(table, AS_OF)
    hidden = {column.name for column in contract.columns if column.physical_type.startswith("arr")}
    if not personal_data:
        hidden |= set(contract.personal_columns)
    return PublishedTable.of_contract(
        contract, sliced_by=sliced_by, indexes=_INDEXES.get(table, ()), without=hidden
    )


REVENUE_EXAMPLES = "gold.revenue_examples"
"""Name of `revenue_examples`."""


@functools.cache
def feature_types() -> Mapping[str, str]:
    """Spark type of each of the revenue model's features."""
    # The model's package loads what trains it, which who only names the tables must not pay.
    from customer360.models.revenue.features import FEATURES

    return {
        column.name: column.physical_type
        for table in (FIRST_ORDERS, CUSTOMER_FEATURES)
        for column in Contract.load(table).columns
        if column.name in FEATURES
    }


@functools.cache
def revenue_examples() -> PublishedTable:
    """What the revenue model learns from, without the label: one row a customer and as-of date."""
    from customer360.models.revenue.features import FEATURES

    return PublishedTable(
        REVENUE_EXAMPLES,
        {
            "as_of": "date",
            "customer_key": "text",
            "horizon_days": "integer",
            **{name: postgres_type(feature_types()[name]) for name in FEATURES},
        },
        ("as_of", "customer_key"),
        AS_OF,
    )


MODELS = PublishedTable(
    "serving.models",
    {
        "model": "text",
        "version": "text",
        "is_champion": "boolean",
        "as_of": "date",
        "trained_at": "timestamptz",
        "status": "text",
        "because": "text",
        "notes": "text",
        "card": "text",
    },
    ("model", "version"),
)
"""Registered versions, each with its model card in Markdown."""

MODEL_FIGURES = PublishedTable(
    "serving.model_figures",
    {
        "model": "text",
        "version": "text",
        "figure": "text",
        "value": "double precision",
        "low": "double precision",
        "high": "double precision",
    },
    ("model", "version", "figure"),
)
"""What training measured, with the ends of the interval where one was taken."""

MODEL_PLOTS = PublishedTable(
    "serving.model_plots",
    {"model": "text", "version": "text", "name": "text", "png": "bytea"},
    ("model", "version", "name"),
)
"""Pictures of the champions."""

QUARANTINE = PublishedTable(
    "serving.quarantine",
    {"table_name": "text", "business_date": "date", "reason": "text", "rows": "bigint"},
    ("table_name", "business_date", "reason"),
    "business_date",
)
"""Quarantined rows by reason and delivery day; a row with two reasons counts in both."""

ROW_ACCOUNTING = PublishedTable(
    "serving.row_accounting",
    {
        "table_name": "text",
        "business_date": "date",
        "received": "bigint",
        "accepted": "bigint",
        "quarantined": "bigint",
    },
    ("table_name", "business_date"),
    "business_date",
)
"""Rows received by delivery day: each is accepted into bronze or quarantined."""

SUPPRESSED_CUSTOMERS = PublishedTable(
    "serving.suppressed_customers", {"customer_key": "text"}, ("customer_key",)
)
"""Customers whom the suppression list names; what it names them by stays out of the warehouse."""

DEPLOYMENT = PublishedTable("serving.deployment", {"name": "text", "value": "text"}, ("name",))
"""Facts about the deployment that a reader of its figures needs."""

RUNS = PublishedTable(
    "serving.runs",
    {
        "run_id": "text",
        "job": "text",
        "status": "text",
        "started_at": "timestamptz",
        "ended_at": "timestamptz",
        "failed_step": "text",
        "error": "text",
    },
    ("run_id",),
)
"""What became of the newest Dagster runs: running, success, failure or canceled; of a run that
failed, the asset that failed first (``layer/table``) and why, in one line: what a check says, or
the kind of error; its own words, which may quote a row, where personal data are published."""
