"""What the dbt project states, beside the contracts of the tables that it reads."""

from __future__ import annotations

from typing import Any

import pytest

from customer360.contracts import Contract
from customer360.serving import marts
from customer360_tests.serving.conftest import models
from customer360_tests.serving.published import columns

CONTRACTS = {
    "stg_revenue_examples": ("gold/customer_features", "gold/first_orders"),
    "stg_suppressed_customers": ("silver/customers",),
    "analytical_base_table": ("gold/customer_features", "gold/first_orders"),
    "customer_360": ("gold/customer_360", "gold/lifetime_value", "gold/revenue_predictions"),
    "cohort_retention": ("gold/cohort_retention",),
    "revenue_kpis": ("gold/business_health",),
}
"""Tables that columns of the same name come from as they are."""


def _sources() -> dict[str, str]:
    """Published table of each staging model."""
    return {
        model["name"]: "/".join(model["depends_on"]["nodes"][0].split(".")[2:])
        for model in models()
        if model["schema"] == "staging"
    }


def _words(text: str) -> str:
    return " ".join(text.split())


def test_staging_has_columns_of_the_published_table() -> None:
    sources = _sources()
    for model in models():
        if model["name"] in sources:
            stated = {name: column["data_type"] for name, column in model["columns"].items()}
            published = columns(sources[model["name"]])
            assert stated.items() <= published.items(), model["name"]


def test_staging_of_what_marts_take_whole_misses_no_column() -> None:
    sources = _sources()
    for model in models():
        if model["name"] in (
            "stg_customer_360",
            "stg_revenue_examples",
            "stg_cohort_retention",
            "stg_business_health",
        ):
            assert list(model["columns"]) == list(columns(sources[model["name"]])), model["name"]


def test_every_model_and_column_is_described() -> None:
    for model in models():
        assert model["description"], model["name"]
        assert model["config"]["meta"]["owner"] in ("marketing-analytics", "finance-analytics")
        for name, column in model["columns"].items():
            assert column["description"], f"{model['name']}.{name}"


def test_columns_taken_over_mean_what_their_contract_says() -> None:
    sources = _sources()
    compared = 0
    for model in models():
        tables = CONTRACTS.get(model["name"]) or (sources.get(model["name"]),)
        described = {
            column.name: _words(column.description)
            for table in tables
            if table is not None
            for column in Contract.load(table).columns
        }
        for name, column in model["columns"].items():
            if name in described:
                compared += 1
                assert _words(column["description"]) == described[name], f"{model['name']}.{name}"
    assert compared > 150


@pytest.mark.parametrize("column", ["segment", "churn_risk", "next_best_action"])
def test_accepted_values_are_the_contracts(column: str) -> None:
    allowed = {
        str(value) for value in Contract.load("gold/customer_360").column(column).allowed_values
    }
    tests = [
        _arguments(node)
        for node in marts.manifest()["nodes"].values()
        if node["resource_type"] == "test"
        and node["test_metadata"]["name"] == "accepted_values"
        and node["column_name"] == column
    ]
    assert tests
    for arguments in tests:
        # Quotes are doubled: dbt puts the values into SQL as they are.
        assert {value.replace("''", "'") for value in arguments["values"]} == allowed


def _arguments(node: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = node["test_metadata"]["kwargs"]
    return found


def test_every_grain_is_tested() -> None:
    """Each model has a test that its rows are unique, and a mart's index says the same."""
    unique = {
        node["attached_node"].split(".")[-1]
        for node in marts.manifest()["nodes"].values()
        if node["resource_type"] == "test"
        and node["test_metadata"]["name"] in ("unique", "unique_combination")
    }
    assert unique == {model["name"] for model in models()}
    for model in models():
        if model["schema"] == marts.MARTS:
            assert any(index.get("unique") for index in model["config"]["indexes"]), model["name"]
