"""The warehouse's tables as assets, each a copy of what the lakehouse or the registry has."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.models.registry import MODELS
from customer360.orchestration.failure import told
from customer360.orchestration.metadata import asset_key, column_schema
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.run_history import publish_runs
from customer360.orchestration.running import workspace
from customer360.serving import tables
from customer360.serving.publishing import Published
from customer360.serving.warehouse import Warehouse, open_warehouse
from customer360.settings import Settings
from customer360.table_names import CUSTOMER_DAYS, CUSTOMERS, HISTORY, TRANSACTIONS

if TYPE_CHECKING:
    from customer360.pipeline.workspace import Workspace

Publish = Callable[["Workspace", Warehouse], Sequence[Published | None]]


class WarehouseResource:
    """The deployment's warehouse; our own server starts when an asset first asks for it.

    It stops with the process, unless ``customer360 warehouse up`` asked it to stay.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self) -> Warehouse:
        """The warehouse, with its schemas and roles.

        Raises:
            WarehouseError: It cannot be reached.
        """
        return open_warehouse(self._settings)


def warehouse_key(table: str) -> dg.AssetKey:
    """Key of the warehouse's ``schema.table``."""
    return dg.AssetKey(["warehouse", *table.split(".")])


def warehouse_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Assets of all published tables.

    They have no partitions: a copy is brought up to date as a whole, with what changed.
    """
    assets = [
        _asset(
            deployment,
            [_copy_spec(deployment, table)],
            partial(_publish_table, table),
        )
        for table in tables.published_tables()
        if deployment.makes(table)
    ]

    def spec(name: str, deps: Sequence[str], says: str, *, personal: bool = False) -> dg.AssetSpec:
        return dg.AssetSpec(
            key=warehouse_key(name),
            deps=[asset_key(table) for table in deps],
            group_name="warehouse",
            owners=["team:data-engineering"],
            kinds={"postgres"},
            tags={"layer": "warehouse", "personal_data": "yes" if personal else "no"},
            description=says,
        )

    models = [spec.asset for spec in MODELS]
    assets.append(
        _asset(
            deployment,
            [
                spec(
                    tables.REVENUE_EXAMPLES,
                    (CUSTOMER_DAYS, TRANSACTIONS, HISTORY),
                    "Features of customers at the as-of dates that the revenue model learns from.",
                )
            ],
            _publish_revenue_examples,
        )
    )
    assets.append(
        _asset(
            deployment,
            [
                spec(tables.MODELS.name, models, "Registered model versions and their cards."),
                spec(tables.MODEL_FIGURES.name, models, "Figures of every registered version."),
                spec(tables.MODEL_PLOTS.name, models, "Plots of the champions."),
            ],
            _publish_models,
            name="warehouse__models",
        )
    )
    bronze = [f"bronze/{table}" for source in deployment.sources for table in source.tables]
    assets.append(
        _asset(
            deployment,
            [
                spec(tables.ROW_ACCOUNTING.name, [*bronze, TRANSACTIONS], "Rows received, by day."),
                spec(
                    tables.QUARANTINE.name, [*bronze, TRANSACTIONS], "Quarantined rows by reason."
                ),
            ],
            _publish_health,
            name="warehouse__health",
        )
    )
    assets.append(
        _asset(
            deployment,
            [
                spec(
                    tables.SUPPRESSED_CUSTOMERS.name,
                    (CUSTOMERS,),
                    "Customers who must not be written to: whom the suppression list names.",
                )
            ],
            _publish_suppressed_customers,
        )
    )
    assets.append(
        _asset(
            deployment,
            [
                spec(
                    tables.DEPLOYMENT.name,
                    [TRANSACTIONS],
                    "What a reader must know of the deployment.",
                )
            ],
            _publish_deployment,
        )
    )
    assets.append(
        _runs_asset(
            deployment,
            spec(
                tables.RUNS.name,
                [],
                "What became of the newest runs, and why.",
                personal=deployment.settings.publish_personal_data,  # errors quote rows
            ),
        )
    )
    return assets


def _runs_asset(deployment: Deployment, spec: dg.AssetSpec) -> dg.AssetsDefinition:
    """Made from Dagster's own storage: it needs no Spark."""

    @dg.multi_asset(name="__".join(spec.key.path), specs=[spec])
    @told
    def runs(
        context: dg.AssetExecutionContext,
        spark: SparkResource,  # only for the home that it holds: no session starts
        warehouse: dg.ResourceParam[WarehouseResource],
    ) -> dg.MaterializeResult[None]:
        made = publish_runs(
            context.instance,
            warehouse.open().owner,
            personal_data=deployment.settings.publish_personal_data,
        )
        return dg.MaterializeResult(asset_key=spec.key, metadata=_figures(made))

    return runs


def _copy_spec(deployment: Deployment, table: str) -> dg.AssetSpec:
    contract = Contract.load(table)
    personal = deployment.settings.publish_personal_data
    copy = tables.copy_of(table, personal_data=personal)
    shown = [c for c in column_schema(contract).columns if c.name in copy.columns]
    return dg.AssetSpec(
        key=warehouse_key(copy.name),
        deps=[asset_key(table)],
        group_name="warehouse",
        owners=["team:data-engineering"],
        kinds={"postgres"},
        tags={
            "layer": "warehouse",
            "personal_data": "yes" if personal and contract.personal_columns else "no",
        },
        description=f"Copy of {table} for SQL: {contract.description}",
        metadata={
            "dagster/table_name": copy.name,
            "dagster/column_schema": dg.TableSchema(columns=shown),
        },
    )


# What publishes is imported where it runs: loading the definitions must not load Spark and models.


def _publish_table(table: str, work: "Workspace", to: Warehouse) -> Sequence[Published | None]:
    from customer360.pipeline import publish

    return [publish.publish_table(work, to, table)]


def _publish_revenue_examples(work: "Workspace", to: Warehouse) -> Sequence[Published | None]:
    from customer360.pipeline import publish

    return [publish.publish_revenue_examples(work, to)]


def _publish_models(work: "Workspace", to: Warehouse) -> Sequence[Published | None]:
    from customer360.pipeline import publish

    return publish.publish_models(work, to)


def _publish_health(work: "Workspace", to: Warehouse) -> Sequence[Published | None]:
    from customer360.pipeline import publish

    return publish.publish_health(work, to)


def _publish_suppressed_customers(work: "Workspace", to: Warehouse) -> Sequence[Published | None]:
    from customer360.pipeline import publish

    return [publish.publish_suppressed_customers(work, to)]


def _publish_deployment(work: "Workspace", to: Warehouse) -> Sequence[Published | None]:
    from customer360.pipeline import publish

    return [publish.publish_deployment(work, to)]


def _asset(
    deployment: Deployment,
    specs: Sequence[dg.AssetSpec],
    put: Publish,
    name: str | None = None,
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=name or "__".join(specs[0].key.path),
        specs=specs,
    )
    @told
    def published(
        context: dg.AssetExecutionContext,
        spark: SparkResource,
        warehouse: dg.ResourceParam[WarehouseResource],
    ) -> Iterator[dg.MaterializeResult[None]]:
        work = workspace(context, spark, deployment)
        done = put(work, warehouse.open())
        figures = {warehouse_key(each.table): each for each in done if each is not None}
        for each in specs:
            yield dg.MaterializeResult(asset_key=each.key, metadata=_figures(figures.get(each.key)))

    return published


def _figures(made: Published | None) -> dict[str, int | str]:
    if made is None:
        return {"status": "up to date before this run"}
    return {
        "dagster/row_count": made.rows,
        "changed_rows": made.changed,
        "removed_rows": made.removed,
    }
