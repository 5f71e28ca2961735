"""What the dbt project states, beside the contracts of the tables that it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from customer360.contracts import Contract
from customer360.serving import marts
from customer360.serving.dbt_properties import filled, property_files
from customer360_tests.serving.conftest import models
from customer360_tests.serving.published import columns


def _sources() -> dict[str, str]:
    """Published table of each staging model."""
    return {
        model["name"]: "/".join(model["depends_on"]["nodes"][0].split(".")[2:])
        for model in models()
        if model["schema"] == "staging"
    }


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


@pytest.mark.parametrize("file", list(property_files()), ids=lambda file: file.stem)
def test_properties_are_what_the_contracts_say(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == filled(file), "run: make generate"


def test_a_contract_s_words_types_and_values_come_into_the_properties(tmp_path: Path) -> None:
    (tmp_path / "stg_scores.sql").write_text("{{ published(source('gold', 'churn_scores')) }}")
    properties = tmp_path / "stg_scores.yml"
    properties.write_text(
        "models: [{name: stg_scores, columns: [{name: own, description: Its own.}, {name: risk,"
        " data_tests: [{accepted_values: {arguments: {values: [old]}}}]}],"
        " data_tests: [{unique_combination: {arguments: {columns: [old]}}}]}]"
    )
    (model,) = yaml.safe_load(filled(properties))["models"]
    own, risk = model["columns"]
    assert own == {"name": "own", "description": "Its own."}
    contract = Contract.load("gold/churn_scores").column("risk")
    assert (risk["data_type"], risk["description"]) == ("text", contract.description)
    (accepted,) = risk["data_tests"]
    assert accepted["accepted_values"]["arguments"]["values"] == ["high", "medium", "low"]
    (unique,) = model["data_tests"]
    assert unique["unique_combination"]["arguments"]["columns"] == ["as_of", "customer_key"]


def test_every_grain_is_tested() -> None:
    """Each model has a test that its rows are unique; the index of a mart's table says the same."""
    unique = {
        node["attached_node"].split(".")[-1]
        for node in marts.manifest()["nodes"].values()
        if node["resource_type"] == "test"
        and node["test_metadata"]["name"] in ("unique", "unique_combination")
    }
    assert unique == {model["name"] for model in models()}
    for model in models():
        if model["schema"] == marts.MARTS and model["config"]["materialized"] != "view":
            assert any(index.get("unique") for index in model["config"]["indexes"]), model["name"]
