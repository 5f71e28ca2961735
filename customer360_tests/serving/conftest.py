"""One warehouse with marts for all tests of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import pytest

from customer360.deployment import Deployment
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.warehouse_assets import WarehouseResource
from customer360.serving import marts
from customer360.serving.warehouse import Warehouse, open_warehouse, take_down
from customer360.settings import Settings, load_settings
from customer360_tests.serving.published import (
    lakehouse_tables,
    note_publication,
    publish,
    selected,
)

JANUARY, FEBRUARY = date(2024, 1, 31), date(2024, 2, 29)


@dataclass(frozen=True)
class Marts:
    """A warehouse whose marts were made once, by Dagster, and what that run said."""

    settings: Settings
    warehouse: Warehouse
    definitions: dg.Definitions
    first_run: dg.ExecuteInProcessResult
    rows: dict[str, list[dict[str, Any]]]
    """Of every mart, as the reader saw them after the first run."""

    def run(self, *only: str) -> dg.ExecuteInProcessResult:
        """A Dagster run of all dbt assets, or of those named ``schema/model``."""
        return run_assets(self.definitions, *only)


def run_assets(definitions: dg.Definitions, *only: str) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def("marts").execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name.split("/")) for name in only] or None,
            raise_on_error=False,
        )


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marts]:
    """Marts of `lakehouse_tables`, in a warehouse where no revenue model was ever published."""
    # Imported here: dbt takes seconds to load, which other tests of this folder do not need.
    from customer360.orchestration.dbt_assets import dbt_assets

    home = tmp_path_factory.mktemp("warehouse")
    settings = load_settings(home)
    warehouse = open_warehouse(settings)
    for table, rows in lakehouse_tables([JANUARY, FEBRUARY]).items():
        publish(warehouse.owner, table, rows)
        note_publication(warehouse.owner, table, JANUARY, FEBRUARY)
    definitions = dg.Definitions(
        assets=dbt_assets(Deployment.of(settings)),
        jobs=[dg.define_asset_job("marts")],
        resources={
            "warehouse": WarehouseResource(settings),
            "spark": SparkResource.of(settings),
        },
        executor=dg.in_process_executor,
    )
    first_run = run_assets(definitions)
    names = [model["name"] for model in models() if model["schema"] == marts.MARTS]
    rows_of = {name: read(warehouse, name) for name in names} if first_run.success else {}
    yield Marts(settings, warehouse, definitions, first_run, rows_of)
    take_down(settings)


def models() -> list[dict[str, Any]]:
    """The models of the dbt project, as its manifest has them."""
    nodes = marts.manifest()["nodes"].values()
    return [node for node in nodes if node["resource_type"] == "model"]


def read(warehouse: Warehouse, mart: str) -> list[dict[str, Any]]:
    """Rows of a mart as the dashboard's role sees them."""
    (node,) = [model for model in models() if model["name"] == mart]
    names = list(node["columns"])
    listed = ", ".join(f'"{name}"' for name in names)
    found = selected(warehouse.reader, f"SELECT {listed} FROM marts.{mart}")
    return [dict(zip(names, row, strict=True)) for row in found]
