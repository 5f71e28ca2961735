"""Gold snapshots and the business's days, with the checks of what is published."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.gold.snapshots import snapshot_tables
from customer360.models.lifetime_value.spec import LIFETIME_VALUE as LIFETIME_VALUE_MODEL
from customer360.models.registry import MODELS
from customer360.models.spec import ModelSpec
from customer360.orchestration.contract_checks import contract_checks, contract_results
from customer360.orchestration.failure import failing_in_one_line
from customer360.orchestration.metadata import (
    asset_key,
    commit_metadata,
    day_list,
    is_of_days,
    selected,
    table_spec,
)
from customer360.orchestration.partitions import AS_OF_PARTITIONS, as_of_dates, days_of
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import require_days, require_snapshots, workspace
from customer360.settings import Settings
from customer360.table_names import (
    CUSTOMER_EQUITY,
    FEATURES,
    HEALTH,
    REVENUE_FORECAST,
)

DAYS_UNCHANGED = "days_unchanged"

if TYPE_CHECKING:
    from customer360.lakehouse.delta_log import Commit
    from customer360.pipeline.account import Reconciled
    from customer360.pipeline.workspace import Workspace


@dataclass(frozen=True)
class Made:
    """What making a table's snapshots did.

    Attributes:
        written: The commit.
        metadata: More of it for Dagster to show.
        stale: Other snapshots, made of days that have changed since.
    """

    written: "Commit"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    stale: Sequence[date] = ()


Make = Callable[["Workspace", Sequence[date]], Made]


def gold_assets(
    deployment: Deployment, partitions: dg.PartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """Assets of all gold tables; ``partitions`` are those of the business's days."""
    return [
        *(
            _snapshot_asset(deployment, table, Contract.load(table).reads, partial(_made_of, table))
            for table in snapshot_tables()
            if deployment.makes(table)
        ),
        *(_scores_asset(deployment, spec) for spec in MODELS),
        _forecast_asset(deployment),
        _health_asset(deployment, partitions),
    ]


# What computes is imported where it runs: loading the definitions must not load Spark and models.


def _made_of(table: str, work: "Workspace", as_of: Sequence[date]) -> Made:
    from customer360.pipeline import make_gold

    made = make_gold.make_snapshots(work, table, as_of)
    return Made(made.written, stale=made.stale)


def _scores_asset(deployment: Deployment, spec: ModelSpec[Any]) -> dg.AssetsDefinition:
    """The scores of a model."""

    def scored(work: "Workspace", as_of: Sequence[date]) -> Made:
        from customer360.pipeline import run_models

        scored_with = run_models.score(work, spec, as_of)
        return Made(scored_with.written, {"model_version": scored_with.model_version})

    return _snapshot_asset(deployment, spec.scores, [*spec.scored_from, spec.asset], scored)


def _snapshot_asset(
    deployment: Deployment,
    table: str,
    deps: Sequence[str],
    make: Make,
) -> dg.AssetsDefinition:
    contract = Contract.load(table)
    checks = contract_checks(contract)
    if table == FEATURES:
        checks.append(_days_unchanged(contract))

    @dg.multi_asset(
        name=table.replace("/", "__"),
        specs=[table_spec(contract, partitions=AS_OF_PARTITIONS, deps=deps)],
        check_specs=checks,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @failing_in_one_line
    def snapshot(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        work = workspace(context, spark, deployment)
        as_of = as_of_dates(context, deployment)
        require_snapshots(context, work, deps, as_of)
        if any(is_of_days(name) for name in deps):
            require_days(work, as_of)
        made = make(work, as_of)
        result = _made(context, work, contract, as_of, made.written, made.metadata)
        if table == FEATURES:
            stale_check = _stale_check(context, asset_key(table), made.stale, deployment.settings)
            result = result._replace(check_results=[*(result.check_results or ()), stale_check])
        yield result

    return snapshot


def _days_unchanged(contract: Contract) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        DAYS_UNCHANGED,
        asset=asset_key(contract.table),
        description="The days that earlier snapshots were made of are what they were then.",
    )


def _stale_check(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    stale: Sequence[date],
    settings: Settings,
) -> dg.AssetCheckResult:
    from customer360.pipeline.stale_snapshots import remedy

    sentence = remedy(stale, settings) if stale else None
    if sentence is not None:
        context.log.warning("%s", sentence)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=DAYS_UNCHANGED,
        passed=not stale,
        severity=dg.AssetCheckSeverity.WARN,
        description=sentence,
        metadata={"stale_snapshots": len(stale)},
    )


def _made(
    context: dg.AssetExecutionContext,
    work: "Workspace",
    contract: Contract,
    as_of: Sequence[date],
    written: "Commit",
    more: Mapping[str, Any],
) -> dg.MaterializeResult[None]:
    """Snapshots just written: counted and checked, with the rows of each partition."""
    from customer360.pipeline import audit

    key = asset_key(contract.table)
    rows = audit.rows_by_date(work, contract.table, as_of)
    for day in as_of:
        context.add_asset_metadata(
            {"dagster/partition_row_count": rows[day]}, asset_key=key, partition_key=str(day)
        )
    return dg.MaterializeResult(
        asset_key=key,
        metadata=commit_metadata(written, as_of=day_list(as_of)) | dict(more),
        check_results=contract_results(work, contract, as_of),
    )


def _forecast_asset(deployment: Deployment) -> dg.AssetsDefinition:
    """Both tables come out of one computation."""
    contracts = [Contract.load(table) for table in (REVENUE_FORECAST, CUSTOMER_EQUITY)]

    @dg.multi_asset(
        name="gold__forecast",
        specs=[
            table_spec(
                contract,
                partitions=AS_OF_PARTITIONS,
                deps=[FEATURES, LIFETIME_VALUE_MODEL.asset],
                skippable=True,
            )
            for contract in contracts
        ],
        check_specs=[check for contract in contracts for check in contract_checks(contract)],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @failing_in_one_line
    def forecast(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.pipeline.forecast import make_forecast

        work = workspace(context, spark, deployment)
        as_of = as_of_dates(context, deployment)
        require_snapshots(context, work, [FEATURES], as_of)
        result = make_forecast(work, as_of)
        more: dict[str, Any] = {"model_version": result.model_version}
        if result.note:
            context.log.warning("%s", result.note)
            more["note"] = result.note
        commits = (result.revenue_forecast, result.customer_equity)
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
                deps=Contract.load(HEALTH).reads,
            )
        ],
        check_specs=[
            *contract_checks(Contract.load(HEALTH)),
            dg.AssetCheckSpec(
                "revenue_reconciles",
                asset=asset_key(HEALTH),
                description="Net revenue of the days = sales - refunds in silver/transactions.",
                blocking=True,
            ),
            dg.AssetCheckSpec(
                "account_closes",
                asset=asset_key(HEALTH),
                description="Over each source's whole life: rows received = bronze + quarantine; "
                "bronze, silver and what was left out hold what was accounted for day by day; "
                "orders and net revenue agree down to here (`customer360 reconcile`).",
                blocking=True,
            ),
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @failing_in_one_line
    def business_health(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.pipeline import account, audit, make_gold

        work = workspace(context, spark, deployment)
        written, days = make_gold.make_business_health(work, days_of(context))
        in_health, in_transactions = audit.revenue_of(work, days)
        reconciled = account.reconcile(work.tables, work.deployment)
        yield dg.MaterializeResult(
            asset_key=asset_key(HEALTH),
            metadata=commit_metadata(
                written,
                days_made=str(days),
                left_out=_left_out(reconciled, work.deployment.currency),
            ),
            check_results=[
                *contract_results(work, Contract.load(HEALTH), list(days)),
                dg.AssetCheckResult(
                    check_name="account_closes",
                    passed=not reconciled.differences,
                    metadata={"differences": len(reconciled.differences)},
                    description=reconciled.differences[0] if reconciled.differences else None,
                ),
                dg.AssetCheckResult(
                    check_name="revenue_reconciles",
                    passed=in_health == in_transactions,
                    metadata={
                        "business_health": str(in_health),
                        "transactions": str(in_transactions),
                    },
                ),
            ],
        )

    return business_health


def _left_out(reconciled: "Reconciled", currency: str) -> dg.MarkdownMetadataValue:
    """What is in no order: in quarantine, excluded or waiting, and how much money that is."""
    if not reconciled.left_out:
        return dg.MetadataValue.md("nothing")
    lines = [f"| source | table | why | rows | {currency} |", "|---|---|---|---:|---:|"]
    for line in reconciled.left_out:
        money = "" if line.money is None else f"{line.money:,.2f}"
        lines.append(
            f"| {line.source} | {line.table} | {line.what} | {line.rows or 0:,} | {money} |"
        )
    return dg.MetadataValue.md("\n".join(lines))
