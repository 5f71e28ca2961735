"""Gold snapshots and the business's days, with the checks of what is published."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.lakehouse.tables import Written
from customer360.orchestration.metadata import (
    asset_key,
    commit_metadata,
    day_list,
    selected,
    table_spec,
)
from customer360.orchestration.partitions import as_of_dates, days_of
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import workspace
from customer360.pipeline import audit, make_gold, run_models
from customer360.pipeline.forecast import CUSTOMER_EQUITY, REVENUE_FORECAST, make_forecast
from customer360.pipeline.load_silver import CUSTOMER_DAYS, CUSTOMERS, HISTORY, TRANSACTIONS
from customer360.pipeline.make_gold import (
    CHURN_SCORES,
    COHORTS,
    CUSTOMER_360,
    FEATURES,
    FIRST_ORDERS,
    HEALTH,
    LIFETIME_VALUE,
    REVENUE_PREDICTIONS,
    RFM,
)
from customer360.pipeline.workspace import Workspace

CHURN_MODEL = "models/churn"
LIFETIME_VALUE_MODEL = "models/lifetime_value"
REVENUE_MODEL = "models/revenue"

Made = tuple[Written, dict[str, Any]]


def gold_assets(
    deployment: Deployment, partitions: dg.PartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """Assets of all gold tables."""

    def snapshot(
        table: str, deps: Sequence[str], make: Callable[[Workspace, Sequence[date]], Made]
    ) -> dg.AssetsDefinition:
        return _snapshot_asset(deployment, partitions, table, deps, make)

    return [
        snapshot(FEATURES, [CUSTOMER_DAYS], _plain(make_gold.make_customer_features)),
        snapshot(FIRST_ORDERS, [TRANSACTIONS, HISTORY], _plain(make_gold.make_first_orders)),
        snapshot(RFM, [FEATURES], _plain(make_gold.make_rfm_segments)),
        snapshot(COHORTS, [CUSTOMER_DAYS], _plain(make_gold.make_cohort_retention)),
        snapshot(CHURN_SCORES, [FEATURES, CHURN_MODEL], _scored(run_models.score_churn)),
        snapshot(
            LIFETIME_VALUE,
            [FEATURES, LIFETIME_VALUE_MODEL],
            _scored(run_models.score_lifetime_value),
        ),
        snapshot(
            REVENUE_PREDICTIONS,
            [FEATURES, FIRST_ORDERS, REVENUE_MODEL],
            _scored(run_models.score_revenue),
        ),
        snapshot(
            CUSTOMER_360,
            [FEATURES, RFM, CHURN_SCORES, LIFETIME_VALUE, HISTORY, CUSTOMERS],
            _plain(make_gold.make_customer_360),
        ),
        _forecast_asset(deployment, partitions),
        _health_asset(deployment, partitions),
    ]


def _plain(
    make: Callable[[Workspace, Sequence[date]], Written],
) -> Callable[[Workspace, Sequence[date]], Made]:
    return lambda work, as_of: (make(work, as_of), {})


def _scored(
    score: Callable[[Workspace, Sequence[date]], run_models.Scored],
) -> Callable[[Workspace, Sequence[date]], Made]:
    def made(work: Workspace, as_of: Sequence[date]) -> Made:
        scored = score(work, as_of)
        return scored.written, {"model_version": scored.model_version}

    return made


def _snapshot_asset(
    deployment: Deployment,
    partitions: dg.PartitionsDefinition,
    table: str,
    deps: Sequence[str],
    make: Callable[[Workspace, Sequence[date]], Made],
) -> dg.AssetsDefinition:
    contract = Contract.load(table)

    @dg.multi_asset(
        name=table.replace("/", "__"),
        specs=[table_spec(contract, partitions=partitions, deps=deps)],
        check_specs=[_keys_unique(contract)],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def snapshot(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        work = workspace(context, spark, deployment)
        as_of = as_of_dates(context, days_of(context), make_gold.existing_snapshots(work))
        written, more = make(work, as_of)
        yield _made(context, work, contract, as_of, written, more)

    return snapshot


def _keys_unique(contract: Contract) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        "keys_unique",
        asset=asset_key(contract.table),
        description=f"One row for each {', '.join(contract.primary_key)}.",
        blocking=True,
    )


def _made(
    context: dg.AssetExecutionContext,
    work: Workspace,
    contract: Contract,
    as_of: Sequence[date],
    written: Written,
    more: dict[str, Any],
) -> dg.MaterializeResult[None]:
    """Snapshots just written: counted and checked, with the rows of each partition."""
    key = asset_key(contract.table)
    found = audit.audit_snapshots(work, contract, as_of)
    for day in context.partition_keys:
        rows = found.rows.get(date.fromisoformat(day))
        context.add_asset_metadata(
            {"dagster/partition_row_count": rows or 0, "snapshot": rows is not None},
            asset_key=key,
            partition_key=day,
        )
    return dg.MaterializeResult(
        asset_key=key,
        metadata=commit_metadata(written, as_of=day_list(as_of)) | more,
        check_results=[
            dg.AssetCheckResult(
                asset_key=key,
                check_name="keys_unique",
                passed=found.repeated_keys == 0,
                metadata={"repeated_keys": found.repeated_keys},
            )
        ],
    )


def _forecast_asset(
    deployment: Deployment, partitions: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    """Both tables come out of one computation."""
    contracts = [Contract.load(table) for table in (REVENUE_FORECAST, CUSTOMER_EQUITY)]

    @dg.multi_asset(
        name="gold__forecast",
        specs=[
            table_spec(
                contract,
                partitions=partitions,
                deps=[FEATURES, LIFETIME_VALUE_MODEL],
                skippable=True,
            )
            for contract in contracts
        ],
        check_specs=[_keys_unique(contract) for contract in contracts],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def forecast(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        work = workspace(context, spark, deployment)
        as_of = as_of_dates(context, days_of(context), make_gold.existing_snapshots(work))
        found = make_forecast(work, as_of)
        more: dict[str, Any] = {"model_version": found.model_version}
        if found.note:
            context.log.warning("%s", found.note)
            more["note"] = found.note
        commits = (found.revenue_forecast, found.customer_equity)
        wanted = [
            (contract, written)
            for contract, written in zip(contracts, commits, strict=True)
            if asset_key(contract.table) in context.selected_asset_keys
        ]
        yield from selected(
            context,
            [_made(context, work, contract, as_of, written, more) for contract, written in wanted],
        )

    return forecast


def _health_asset(
    deployment: Deployment, partitions: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="gold__business_health",
        specs=[
            table_spec(
                Contract.load(HEALTH),
                partitions=partitions,
                deps=[TRANSACTIONS, CUSTOMER_DAYS],
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(
                "revenue_reconciles",
                asset=asset_key(HEALTH),
                description="Net revenue of the days = sales - refunds in silver/transactions.",
                blocking=True,
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def business_health(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        work = workspace(context, spark, deployment)
        written, days = make_gold.make_business_health(work, days_of(context))
        here, there = audit.revenue_of(work, days)
        yield dg.MaterializeResult(
            asset_key=asset_key(HEALTH),
            metadata=commit_metadata(written, days_made=str(days)),
            check_results=[
                dg.AssetCheckResult(
                    check_name="revenue_reconciles",
                    passed=here == there,
                    metadata={"business_health": str(here), "transactions": str(there)},
                )
            ],
        )

    return business_health
