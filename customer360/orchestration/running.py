"""From a Dagster context to what a pipeline step needs, and what it made back to Dagster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.deployment import Deployment
from customer360.errors import TableNotFoundError, listed
from customer360.orchestration.metadata import asset_key, is_of_days, is_snapshot
from customer360.orchestration.partitions import as_of_dates
from customer360.orchestration.resources import SparkResource
from customer360.table_names import CUSTOMER_DAYS

if TYPE_CHECKING:
    from customer360.pipeline.workspace import Workspace


def workspace(
    context: dg.AssetExecutionContext, spark: SparkResource, deployment: Deployment
) -> Workspace:
    """The workspace of the running asset."""
    from customer360.lakehouse.tables import Lakehouse
    from customer360.pipeline.workspace import Workspace

    lakehouse = Lakehouse(spark.spark_session, deployment.settings.lakehouse_root)
    return Workspace(lakehouse=lakehouse, deployment=deployment, run_id=context.run.run_id)


def dates_to_make(
    context: dg.AssetExecutionContext, work: Workspace, reads: Sequence[str]
) -> list[date]:
    """The as-of dates of a run, in order, where what it ``reads`` is there for them.

    Raises:
        SettingsError: A partition is no date of this deployment's.
        TableNotFoundError: A snapshot of one of the dates is missing, or its day is not loaded.
    """
    as_of = as_of_dates(context, work.deployment)
    require_snapshots(context, work, reads, as_of)
    if any(is_of_days(table) for table in reads):
        require_days(work, as_of)
    return as_of


def require_snapshots(
    context: dg.AssetExecutionContext, work: Workspace, tables: Sequence[str], as_of: Sequence[date]
) -> None:
    """Nothing, where ``tables`` have the snapshots that a run reads; others than snapshots pass.

    Raises:
        TableNotFoundError: One has none of a date: the run should have made it as well.
    """
    from customer360.pipeline.make_gold import snapshot_dates

    made = {
        record.event_log_entry.dagster_event.asset_key
        for record in context.instance.get_records_for_run(
            context.run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records
        if record.event_log_entry.dagster_event
    }
    for table in tables:
        if not is_snapshot(table) or asset_key(table) in made:
            continue
        missing = set(as_of) - set(snapshot_dates(work, table))
        missing -= _noted(work, table) if missing else set()
        if missing:
            days = [str(day) for day in sorted(missing)]
            raise TableNotFoundError(
                f"{table} has no snapshot of {listed(days)}: include the "
                f"asset {table} in the run, or run `customer360 run --as-of {days[-1]}`"
            )


def require_days(work: Workspace, as_of: Sequence[date]) -> None:
    """Nothing, where the days up to the newest of ``as_of`` are loaded, as far as the log tells.

    Raises:
        TableNotFoundError: A snapshot would be of a day that nobody has loaded yet.
    """
    newest = work.lakehouse.maximum(CUSTOMER_DAYS, "business_date")
    if newest is None or as_of[-1] > newest:  # days without a customer are loaded days too
        newest = max(_noted(work, CUSTOMER_DAYS), default=None)
    if newest is not None and as_of[-1] > newest:
        raise TableNotFoundError(
            f"{CUSTOMER_DAYS} ends with {newest}, so there is no snapshot of {as_of[-1]} yet: load "
            f"the days first, by the job `load` or `customer360 run --to {as_of[-1]}`"
        )


def _noted(work: Workspace, table: str) -> set[date]:
    """Days of the commits of ``table``: one may have been made and have no rows."""
    from customer360.pipeline.workspace import changed_days

    if not work.lakehouse.exists(table):
        return set()
    return changed_days(work.lakehouse, table, None, work.lakehouse.version(table))


def newest_only(
    context: dg.AssetExecutionContext, key: dg.AssetKey, day: date, metadata: Mapping[str, Any]
) -> Iterator[dg.MaterializeResult[None]]:
    """The result of an asset that makes only the newest date of a run; the others stay missing.

    Dagster takes a result for all partitions of a run, so of several the one is told by itself.
    """
    if len(context.partition_keys) == 1:
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)
    else:
        context.log_event(
            dg.AssetMaterialization(asset_key=key, partition=str(day), metadata=metadata)
        )
