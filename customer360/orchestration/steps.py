"""Steps: a computation, the tables that come out of it, and its checks; each becomes an asset.

What all tables have in common is here once: the asset of the contract, the checks of keys and
references, the rows of each as-of date. A module of tables declares its steps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.orchestration.contract_checks import contract_checks, contract_results
from customer360.orchestration.failure import failing_in_one_line
from customer360.orchestration.metadata import asset_key, selected, table_spec
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import workspace
from customer360.table_names import AS_OF

if TYPE_CHECKING:
    from customer360.pipeline.workspace import Workspace


@dataclass(frozen=True)
class Made:
    """What a step did to one of its tables.

    Attributes:
        table: Which.
        metadata: What Dagster shows of it.
        checks: Results of the step's own checks of it.
        days: The days or as-of dates made again, whose rows its contract's checks look at; None:
            all rows.
    """

    table: str
    metadata: Mapping[str, Any]
    checks: Sequence[dg.AssetCheckResult] = ()
    days: Sequence[date] | None = None


Make = Callable[[dg.AssetExecutionContext, "Workspace"], Sequence[Made]]
"""Makes the tables of a step, of the days or as-of dates that the run is about."""


@dataclass(frozen=True)
class Step:
    """One computation, and the tables that come out of it.

    Attributes:
        tables: They; the first gives the step its name, where it has none of its own.
        make: Makes them.
        reads: Tables and models that are made before.
        checks: Beside those of the tables' contracts.
        name: Of the step.
    """

    tables: tuple[str, ...]
    make: Make
    reads: Sequence[str] = ()
    checks: Sequence[dg.AssetCheckSpec] = ()
    name: str = ""


def stops_at(table: str, name: str, description: str) -> dg.AssetCheckSpec:
    """A check that keeps what follows from being made."""
    return dg.AssetCheckSpec(name, asset=asset_key(table), description=description, blocking=True)


def warns_of(table: str, name: str, description: str) -> dg.AssetCheckSpec:
    """A check that is shown and stops nothing."""
    return dg.AssetCheckSpec(name, asset=asset_key(table), description=description)


def step_asset(
    deployment: Deployment, partitions: dg.PartitionsDefinition, step: Step
) -> dg.AssetsDefinition:
    """The asset of a step, of the tables that the deployment makes.

    Args:
        deployment: Whose.
        partitions: Of all its tables: days, or as-of dates.
        step: What it does.
    """
    contracts = {table: Contract.load(table) for table in step.tables if deployment.makes(table)}
    together = len(contracts) > 1
    keys = {asset_key(table) for table in contracts}

    @dg.multi_asset(
        name=step.name or step.tables[0].replace("/", "__"),
        specs=[
            table_spec(contract, partitions=partitions, deps=step.reads, skippable=together)
            for contract in contracts.values()
        ],
        check_specs=[
            *(check for contract in contracts.values() for check in contract_checks(contract)),
            *(check for check in step.checks if check.asset_key in keys),
        ],
        can_subset=together,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @failing_in_one_line
    def made(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        work = workspace(context, spark, deployment)
        results = step.make(context, work)
        yield from selected(
            context,
            (
                _result(context, work, contracts[each.table], each)
                for each in results
                if asset_key(each.table) in context.selected_asset_keys
            ),
        )

    return made


def _result(
    context: dg.AssetExecutionContext, work: "Workspace", contract: Contract, made: Made
) -> dg.MaterializeResult[None]:
    """A table just made: checked by its contract, with the rows of each as-of date of the run."""
    from customer360.pipeline import audit

    key = asset_key(contract.table)
    if contract.partition_by == AS_OF and made.days:
        asked = set(context.partition_keys)
        for day, rows in audit.rows_by_date(work, contract.table, made.days).items():
            if str(day) in asked:
                context.add_asset_metadata(
                    {"dagster/partition_row_count": rows}, asset_key=key, partition_key=str(day)
                )
    own = [check._replace(asset_key=key) for check in made.checks]
    return dg.MaterializeResult(
        asset_key=key,
        metadata=made.metadata,
        check_results=[*contract_results(work, contract, made.days), *own],
    )
