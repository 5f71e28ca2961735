"""What must hold for every contract that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from customer360.contracts import (
    PERSONAL,
    QUASI_IDENTIFIER,
    ROW_IDENTIFIER,
    Contract,
    packaged_tables,
)
from customer360.contracts.documentation import PATH, data_model_markdown, rule_texts
from customer360.gold import (
    customer_360,
    rfm_segments,
)
from customer360.gold.terms import NO_CONTACT
from customer360.serving.tables import published_tables
from customer360.silver import transactions
from customer360.table_names import EXPIRED, FORGOTTEN

TABLES = packaged_tables()
# Columns that hold personal data whatever the table, by name.
PERSONAL_NAMES = {
    "source_customer_id",
    "customer_id",
    "customer_unique_id",
    "name",
    "email",
    "phone",
    "address",
    "birth_date",
    "tax_id",
    "postal_code",
}


def test_the_tables_of_the_design_have_contracts():
    assert set(TABLES) >= {
        "silver/customers",
        "silver/customer_history",
        "silver/transactions",
        "silver/order_lines",
        "silver/customer_days",
        "gold/customer_features",
        "gold/first_orders",
        "gold/rfm_segments",
        "gold/churn_scores",
        "gold/lifetime_value",
        "gold/revenue_predictions",
        "gold/customer_360",
        "gold/cohort_retention",
        "gold/business_health",
        "gold/model_drift",
        "gold/model_performance",
        "gold/revenue_forecast",
        "gold/customer_equity",
        "quarantine/any_table",
        "quarantine/edits",
        FORGOTTEN,
        "quarantine/transactions",
    }
    sources = {t.removeprefix("bronze/").partition("_")[0] for t in TABLES if "bronze/" in t}
    assert sources >= {"synthetic", "cdnow", "olist"}


@pytest.mark.parametrize("table", TABLES)
def test_every_contract_says_what_a_user_must_know(table):
    contract = Contract.load(table)
    assert len(contract.description) > 10
    assert contract.owner
    assert contract.grain
    assert [c.name for c in contract.columns if len(c.description) < 3] == []
    if contract.layer in ("silver", "gold"):
        assert contract.primary_key
        assert contract.indexed_columns
        keys = [contract.column(name) for name in contract.primary_key]
        assert [c.name for c in keys if not c.required] == []
    if contract.layer == "gold":
        assert contract.partition_by in ("as_of", "business_date")


@pytest.mark.parametrize("table", TABLES)
def test_amounts_counts_and_instants_state_their_unit(table):
    contract = Contract.load(table)
    if contract.layer not in ("silver", "gold"):
        return
    silent = [
        c.name
        for c in contract.columns
        if c.logical_type in ("number", "integer", "timestamp")
        and c.unit is None
        and not c.name.startswith("_")
    ]
    assert silent == []


def test_personal_data_is_in_bronze_its_quarantine_and_silver_customers_only():
    holders = {t for t in TABLES if Contract.load(t).personal_columns}
    allowed = {t for t in TABLES if t.startswith("bronze/")}
    # Who is forgotten is known by hashes that cannot be turned back; what has expired is counted.
    quarantine = {t for t in TABLES if t.startswith("quarantine/")} - {FORGOTTEN, EXPIRED}
    assert holders - allowed == {"silver/customers", *quarantine}
    assert Contract.load("quarantine/any_table").personal_columns == ("raw",)


@pytest.mark.parametrize("table", TABLES)
def test_what_is_personal_by_name_is_classified_so(table):
    contract = Contract.load(table)
    unmarked = [
        c.name
        for c in contract.columns
        if (c.name in PERSONAL_NAMES or "birth" in c.name or "mail" in c.name) and not c.is_personal
    ]
    assert unmarked == []
    assert {c.classification for c in contract.columns} <= {
        PERSONAL,
        QUASI_IDENTIFIER,
        ROW_IDENTIFIER,
        None,
    }


NO_ONES_TEXT = {
    "source",  # as the deployment's mappings are named
    "entry",  # a hash
    "model",
    "model_name",
    "model_version",
    "feature",
    "prediction",
}
"""Texts of published tables that nobody types in who speaks of a customer."""


def test_every_free_text_that_is_published_is_classified():
    """Else it would be masked, or grouped where it is rare, nowhere."""
    unmarked = {
        f"{table}.{column.name}"
        for table in published_tables()
        for column in Contract.load(table).columns
        if column.physical_type == "string"
        and column.classification is None
        and not (column.allowed_values or column.pattern)
        and column.name not in NO_ONES_TEXT
    }
    assert unmarked == set()


def test_references_lead_to_columns_that_exist():
    for table in TABLES:
        for column in Contract.load(table).columns:
            if column.references is not None:
                layer, name, target = column.references.split(".")
                columns = Contract.load(f"{layer}/{name}").column_names
                assert target in columns, (table, column.name)


def test_allowed_values_are_those_that_the_code_gives():
    segments = Contract.load("gold/rfm_segments").column("segment").allowed_values
    assert set(segments) == {name for row in rfm_segments.SEGMENT_GRID.values() for name in row}
    assert Contract.load("gold/customer_360").column("segment").allowed_values == segments
    actions = {rule.action for rule in customer_360.ACTION_RULES} | {NO_CONTACT}
    assert set(Contract.load("gold/customer_360").column("next_best_action").allowed_values) == (
        actions
    )
    for table in ("silver/transactions", "silver/order_lines"):
        assert Contract.load(table).column("kind").allowed_values == transactions.KINDS


def test_the_data_model_page_is_what_the_contracts_say():
    page = Path(__file__).parents[2] / PATH
    assert page.read_text(encoding="utf-8") == data_model_markdown(), "run: make generate"


def test_the_page_shows_tables_columns_and_rules():
    page = data_model_markdown()
    for table in TABLES:
        title = "quarantine/TABLE" if table == "quarantine/any_table" else table
        assert f"### {title}\n" in page
    currency = Contract.load("silver/transactions").column("currency")
    assert rule_texts(currency) == ["matches `^[A-Z]{3}$`"]
    assert (
        "| `review_score` | `int` |  | The customer's newest review of the order. "
        "| stars, 5 is best |  | ≥ 1; ≤ 5 |"
    ) in page
