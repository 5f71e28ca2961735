"""The warehouse's tables as assets, each a copy of what the lakehouse or the registry has."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.models.registry import MODELS
from customer360.orchestration.failure import failing_in_one_line
from customer360.orchestration.metadata import asset_key, column_schema
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.run_history import publish_runs
from customer360.orchestration.running import workspace
from customer360.orchestration.suppression_check import suppression_check, suppression_result
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


@dataclass(frozen=True)
class _OwnTables:
    """Tables that are made for the warehouse alone, together, and not copied.

    Attributes:
        tables: What each is, by its name there.
        deps: What they are made from, as ``layer/table``.
        publish: Makes them.
        asset: Name of the asset, where there are several tables.
    """

    tables: Mapping[str, str]
    deps: Sequence[str]
    publish: Publish
    asset: str | None = None


def warehouse_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Assets of all published tables.

    They have no partitions: a copy is brought up to date as a whole, with what changed.
    """
    copies = [
        _asset(deployment, [_copy_spec(deployment, table)], partial(_publish_table, table))
        for table in tables.published_tables()
        if deployment.makes(table)
    ]
    made = [
        _asset(
            deployment,
            [_own_spec(name, each.deps, what) for name, what in each.tables.items()],
            each.publish,
            each.asset,
        )
        for each in _own_tables(deployment)
    ]
    return [*copies, *made, _suppressed_asset(deployment), _runs_asset(deployment)]


def _own_tables(deployment: Deployment) -> Sequence[_OwnTables]:
    bronze = [f"bronze/{table}" for source in deployment.sources for table in source.tables]
    return (
        _OwnTables(
            {
                tables.REVENUE_EXAMPLES: "Features of customers at the as-of dates that the "
                "revenue model learns from."
            },
            (CUSTOMER_DAYS, TRANSACTIONS, HISTORY),
            _publish_revenue_examples,
        ),
        _OwnTables(
            {
                tables.MODELS.name: "Registered model versions and their cards.",
                tables.MODEL_FIGURES.name: "Figures of every registered version.",
                tables.MODEL_PLOTS.name: "Plots of the champions.",
            },
            [spec.asset for spec in MODELS],
            _publish_models,
            "warehouse__models",
        ),
        _OwnTables(
            {
                tables.ROW_ACCOUNTING.name: "Rows received, by day.",
                tables.QUARANTINE.name: "Quarantined rows by reason.",
            },
            [*bronze, TRANSACTIONS],
            _publish_health,
            "warehouse__health",
        ),
        _OwnTables(
            {tables.DEPLOYMENT.name: "What a reader must know of the deployment."},
            (TRANSACTIONS,),
            _publish_deployment,
        ),
    )


def _own_spec(
    name: str, deps: Sequence[str], description: str, *, personal: bool = False
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=warehouse_key(name),
        deps=[asset_key(table) for table in deps],
        group_name="warehouse",
        owners=["team:data-engineering"],
        kinds={"postgres"},
        tags={"layer": "warehouse", "personal_data": "yes" if personal else "no"},
        description=description,
    )


def _suppressed_asset(deployment: Deployment) -> dg.AssetsDefinition:
    """A list that cannot be read fails its check, and not the asset: the marts come after it."""
    spec = _own_spec(
        tables.SUPPRESSED_CUSTOMERS.name,
        (CUSTOMERS,),
        "Customers who must not be written to: whom the suppression list names.",
    )

    @dg.multi_asset(
        name="__".join(spec.key.path), specs=[spec], check_specs=[suppression_check(spec.key)]
    )
    @failing_in_one_line
    def suppressed(
        context: dg.AssetExecutionContext,
        spark: SparkResource,
        warehouse: dg.ResourceParam[WarehouseResource],
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        from customer360.pipeline.publish import publish_suppressed_customers
        from customer360.serving.suppression import SuppressionError

        work = workspace(context, spark, deployment)
        unread: SuppressionError | None = None
        try:
            metadata = _counts(publish_suppressed_customers(work, warehouse.open()))
        except SuppressionError as error:
            unread = error
            metadata = {"status": "as it was before this run: the list cannot be read"}
        yield dg.MaterializeResult(asset_key=spec.key, metadata=metadata)
        yield suppression_result(spec.key, unread)

    return suppressed


def _runs_asset(deployment: Deployment) -> dg.AssetsDefinition:
    """Made from Dagster's own storage: it needs no Spark."""
    spec = _own_spec(
        tables.RUNS.name,
        (),
        "What became of the newest runs, and why.",
        personal=deployment.settings.publish_personal_data,  # errors quote rows
    )

    @dg.multi_asset(name="__".join(spec.key.path), specs=[spec])
    @failing_in_one_line
    def runs(
        context: dg.AssetExecutionContext,
        spark: SparkResource,  # only for the home that it holds: no session starts
        warehouse: dg.ResourceParam[WarehouseResource],
    ) -> dg.MaterializeResult[None]:
        published = publish_runs(
            context.instance,
            warehouse.open().owner,
            personal_data=deployment.settings.publish_personal_data,
        )
        return dg.MaterializeResult(asset_key=spec.key, metadata=_counts(published))

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


def _publish_deployment(work: "Workspace", to: Warehouse) -> Sequence[Published | None]:
    from customer360.pipeline import publish

    return [publish.publish_deployment(work, to)]


def _asset(
    deployment: Deployment,
    specs: Sequence[dg.AssetSpec],
    publish: Publish,
    name: str | None = None,
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=name or "__".join(specs[0].key.path),
        specs=specs,
    )
    @failing_in_one_line
    def published(
        context: dg.AssetExecutionContext,
        spark: SparkResource,
        warehouse: dg.ResourceParam[WarehouseResource],
    ) -> Iterator[dg.MaterializeResult[None]]:
        work = workspace(context, spark, deployment)
        changed = {
            warehouse_key(each.table): each
            for each in publish(work, warehouse.open())
            if each is not None
        }
        for spec in specs:
            yield dg.MaterializeResult(asset_key=spec.key, metadata=_counts(changed.get(spec.key)))

    return published


def _counts(published: Published | None) -> dict[str, int | str]:
    if published is None:
        return {"status": "up to date before this run"}
    return {
        "dagster/row_count": published.rows,
        "changed_rows": published.changed,
        "removed_rows": published.removed,
    }
