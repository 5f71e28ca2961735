"""The warehouse's tables as assets, each a copy of what the lakehouse or the registry has."""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.orchestration.gold_assets import CHURN_MODEL, LIFETIME_VALUE_MODEL, REVENUE_MODEL
from customer360.orchestration.metadata import asset_key, column_schema
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.run_history import publish_runs
from customer360.orchestration.running import workspace
from customer360.pipeline import publish
from customer360.pipeline.load_silver import CUSTOMER_DAYS, CUSTOMERS, HISTORY, TRANSACTIONS
from customer360.pipeline.workspace import Workspace
from customer360.serving import tables
from customer360.serving.publishing import Published, PublishedTable
from customer360.serving.warehouse import Warehouse, open_warehouse
from customer360.settings import Settings

Publish = Callable[[Workspace, Warehouse], Sequence[Published | None]]


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
            _copying(table),
        )
        for table in tables.published_tables()
    ]

    def spec(
        table: PublishedTable, deps: Sequence[str], says: str, *, personal: bool = False
    ) -> dg.AssetSpec:
        return dg.AssetSpec(
            key=warehouse_key(table.name),
            deps=[asset_key(name) for name in deps],
            group_name="warehouse",
            owners=["team:data-engineering"],
            kinds={"postgres"},
            tags={"layer": "warehouse", "personal_data": "yes" if personal else "no"},
            description=says,
        )

    models = (CHURN_MODEL, LIFETIME_VALUE_MODEL, REVENUE_MODEL)
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
            lambda work, to: [publish.publish_revenue_examples(work, to)],
        )
    )
    assets.append(
        _asset(
            deployment,
            [
                spec(tables.MODELS, models, "Registered model versions and their cards."),
                spec(tables.MODEL_FIGURES, models, "Figures of every registered version."),
                spec(tables.MODEL_PLOTS, models, "Plots of the champions."),
            ],
            lambda work, to: publish.publish_models(work, to),
            name="warehouse__models",
        )
    )
    bronze = [f"bronze/{table}" for source in deployment.sources for table in source.tables]
    assets.append(
        _asset(
            deployment,
            [
                spec(tables.ROW_ACCOUNTING, [*bronze, TRANSACTIONS], "Rows received, by day."),
                spec(tables.QUARANTINE, [*bronze, TRANSACTIONS], "Quarantined rows by reason."),
            ],
            lambda work, to: publish.publish_health(work, to),
            name="warehouse__health",
        )
    )
    assets.append(
        _asset(
            deployment,
            [
                spec(
                    tables.SUPPRESSED_CUSTOMERS,
                    (CUSTOMERS,),
                    "Customers who must not be written to: whom the suppression list names.",
                )
            ],
            lambda work, to: [publish.publish_suppressed_customers(work, to)],
        )
    )
    assets.append(
        _asset(
            deployment,
            [spec(tables.DEPLOYMENT, [TRANSACTIONS], "What a reader must know of the deployment.")],
            lambda work, to: [publish.publish_deployment(work, to)],
        )
    )
    assets.append(
        _runs_asset(
            deployment,
            spec(
                tables.RUNS,
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
    def runs(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[WarehouseResource]
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


def _copying(table: str) -> Publish:
    return lambda work, to: [publish.publish_table(work, to, table)]


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
