"""One asset pair for each raw table: bronze, and the quarantine of what broke its contract."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.errors import counted_rows
from customer360.orchestration.failure import failing_in_one_line
from customer360.orchestration.metadata import (
    asset_key,
    commit_metadata,
    count_table,
    selected,
    table_spec,
)
from customer360.orchestration.partitions import days_of
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import workspace
from customer360.pipeline.bronze_accounts import WHOLE, BronzeLoaded, DeliveryCount
from customer360.sources.base import Source
from customer360.table_names import quarantine_of

if TYPE_CHECKING:
    from customer360.pipeline.workspace import Workspace

CONSERVATION = "rows_conserved"
SHARE = "quarantine_share"


def bronze_asset(
    deployment: Deployment, source: Source, table: str, partitions: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    """Bronze table ``table`` of ``source`` and its quarantine, with two blocking checks."""
    limits = deployment.limits
    bronze, quarantine = f"bronze/{table}", quarantine_of(table)

    @dg.multi_asset(
        name=f"bronze__{table}",
        specs=[
            table_spec(source.contract(table), partitions=partitions, skippable=True),
            table_spec(Contract.load(quarantine), partitions=partitions, skippable=True),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                CONSERVATION,
                asset=asset_key(bronze),
                description="Raw rows = bronze rows + quarantined rows, for every delivery day.",
                blocking=True,
            ),
            dg.AssetCheckSpec(
                SHARE,
                asset=asset_key(bronze),
                description=f"At most {limits.rows:.1%} of the rows are in quarantine, or "
                f"{limits.tolerance} rows, and at most {limits.money:.1%} of the money (settings "
                "quarantine_limit, quarantine_tolerance and quarantine_money_limit).",
                blocking=True,
            ),
        ],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @failing_in_one_line
    def load(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.pipeline.load_bronze import load_bronze

        work = workspace(context, spark, deployment)
        loaded = load_bronze(work, source, table, days_of(context))
        _per_partition(context, bronze, quarantine, loaded)
        if loaded.set_aside:
            context.log.warning(_set_aside(loaded, bronze))
        yield from selected(
            context,
            [
                dg.MaterializeResult(
                    asset_key=asset_key(bronze),
                    metadata=_bronze_metadata(loaded),
                    check_results=[_conservation(loaded), _share(work, source, table, loaded)],
                ),
                dg.MaterializeResult(
                    asset_key=asset_key(quarantine), metadata=_quarantine_metadata(loaded)
                ),
            ],
        )

    return load


def _bronze_metadata(loaded: BronzeLoaded) -> dict[str, Any]:
    set_aside = count_table(loaded.set_aside, "value set aside")
    if loaded.bronze is None:
        return {
            "dagster/row_count": loaded.raw - loaded.quarantined,
            "values_set_aside": set_aside,
            "unchanged": True,
        }
    past = {}
    if loaded.closed or loaded.expired:
        past = {"days_past_retention": loaded.closed, "rows_past_retention": loaded.expired}
    return commit_metadata(loaded.bronze, raw_rows=loaded.raw, values_set_aside=set_aside, **past)


def _set_aside(loaded: BronzeLoaded, bronze: str) -> str:
    """Which values were not used, in one line."""
    counts = ", ".join(f"{reason} {rows:,}" for reason, rows in loaded.set_aside.items())
    return f"{bronze}: values that break their rule are read as blank, their rows stay: {counts}"


def _quarantine_metadata(loaded: BronzeLoaded) -> dict[str, Any]:
    reasons = count_table(loaded.reasons, "reason")
    if loaded.quarantine is None:
        return {"dagster/row_count": loaded.quarantined, "reasons": reasons, "unchanged": True}
    return commit_metadata(loaded.quarantine, reasons=reasons)


def _per_partition(
    context: dg.AssetExecutionContext, bronze: str, quarantine: str, loaded: BronzeLoaded
) -> None:
    partitions = set(context.partition_keys)
    for day, count in loaded.counts.items():
        if day in partitions:
            for table, rows in ((bronze, count.bronze), (quarantine, count.quarantined)):
                if asset_key(table) not in context.selected_asset_keys:
                    continue
                context.add_asset_metadata(
                    {"dagster/partition_row_count": rows},
                    asset_key=asset_key(table),
                    partition_key=day,
                )


def _conservation(loaded: BronzeLoaded) -> dg.AssetCheckResult:
    lost = loaded.not_conserved
    first = next(iter(lost.items()), None)
    return dg.AssetCheckResult(
        check_name=CONSERVATION,
        passed=not lost,
        metadata={
            "raw_rows": loaded.raw,
            "bronze_rows": loaded.raw - loaded.quarantined,
            "quarantined_rows": loaded.quarantined,
            "deleted_at_source": loaded.deleted,
            "delivery_days": len(loaded.counts),
            "days_not_conserved": len(lost),
        },
        description=_not_conserved(*first) if first else None,
    )


def _not_conserved(day: str, count: DeliveryCount) -> str:
    of = "the files" if day == WHOLE else f"the delivery of {day}"
    return (
        f"{of}: {counted_rows(count.raw)} were read, but {count.bronze:,} are in bronze and "
        f"{count.quarantined:,} in quarantine: what is read has changed meanwhile; run it again"
    )


def _share(
    work: "Workspace", source: Source, table: str, loaded: BronzeLoaded
) -> dg.AssetCheckResult:
    from customer360.pipeline import refusals

    limits, refused = work.deployment.limits, loaded.refused
    passed = not refused.over(limits)
    return dg.AssetCheckResult(
        check_name=SHARE,
        passed=passed,
        metadata={
            "share": refused.share,
            "limit": limits.rows,
            "quarantined_rows": refused.rows,
            "money_share": refused.money_share,
            "money_limit": limits.money,
            "quarantined_money": str(refused.money),
            "rows_of_unknown_money": refused.unknown,
        },
        description=None if passed else refusals.explained(work, source, table, loaded),
    )
