"""Upkeep as assets: what each took away, and sizes before and after, are seen over the weeks."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.failure import failing_in_one_line
from customer360.orchestration.pruning import prune_runs
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import workspace
from customer360.retention_rules import of_tables

if TYPE_CHECKING:
    from customer360.lakehouse.upkeep import Upkeep
    from customer360.pipeline.expire import TableExpired

GROUP = "upkeep"


Keep = Callable[[dg.AssetExecutionContext, SparkResource, Deployment], Mapping[str, Any]]
"""Does a part of the upkeep; what Dagster shows of it."""


def upkeep_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Assets upkeep/tables, upkeep/models and upkeep/runs; they have no partitions.

    And upkeep/retention before them, where ``retention_days`` says of tables how long rows stay.
    """
    first = []
    if of_tables(deployment.settings.retention_days):
        first.append(
            _asset(
                deployment,
                _expire,
                "retention",
                {"spark", "deltalake"},
                "Rows taken away that retention_days keeps no longer, with former versions of "
                "their tables; what there was of them is counted in quarantine/expired.",
            )
        )
    return [
        *first,
        _asset(
            deployment,
            _keep_tables,
            "tables",
            {"delta"},
            "Small files of tables put together where much was written since the last time; files "
            "removed of versions past the retention, and those that killed writes have left.",
            # Else files were put together only to lose their rows.
            after=[each.key for each in first],
        ),
        _asset(
            deployment,
            _keep_models,
            "models",
            {"mlflow"},
            "Versions of models taken away beyond the newest; never a champion, a challenger, or "
            "what a rollback would go back to.",
        ),
        _asset(
            deployment,
            _keep_runs,
            "runs",
            {"dagster"},
            "Dagster's runs of long ago, with their events and what they printed; never those that "
            "made what is the newest of a partition.",
        ),
    ]


def _asset(
    deployment: Deployment,
    keep: Keep,
    name: str,
    kinds: set[str],
    description: str,
    *,
    after: Sequence[dg.AssetKey] = (),
) -> dg.AssetsDefinition:
    spec = dg.AssetSpec(
        key=dg.AssetKey([GROUP, name]),
        group_name=GROUP,
        owners=["team:data-engineering"],
        kinds=kinds,
        tags={"layer": GROUP, "personal_data": "no"},
        description=description,
        deps=after,
    )

    # Spark's resource is taken also for the home that it holds alone: no session starts by that.
    @dg.multi_asset(name=f"{GROUP}__{name}", specs=[spec])
    @failing_in_one_line
    def kept(context: dg.AssetExecutionContext, spark: SparkResource) -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(asset_key=spec.key, metadata=keep(context, spark, deployment))

    return kept


def _expire(
    context: dg.AssetExecutionContext, spark: SparkResource, deployment: Deployment
) -> Mapping[str, Any]:
    from customer360.pipeline.expire import expire, expire_in_warehouse

    work = workspace(context, spark, deployment)

    def tell(one: "TableExpired") -> None:
        if one.waits:
            context.log.warning("%s: nothing expires yet: %s", one.table, one.waits)
        else:
            context.log.info("%s", one)

    done = expire(work, each=tell)
    return {
        "rows_expired": sum(one.rows for one in done),
        "bytes_before": sum(one.bytes_before for one in done),
        "bytes_after": sum(one.bytes_after for one in done),
        "rows_removed_from_warehouse": expire_in_warehouse(work),
        "by_table": dg.MetadataValue.md(_expired_by_table(done)),
    }


def _expired_by_table(done: "list[TableExpired]") -> str:
    lines = [
        "| table | kept since | rows expired | of days | bytes on disk |",
        "|---|---|---:|---:|---:|",
    ]
    lines += [
        f"| {each.table} | {each.before} | {each.rows:,} | {each.days:,} "
        f"| {each.waits or f'{each.bytes_before:,} → {each.bytes_after:,}'} |"
        for each in done
    ]
    return "\n".join(lines)


def _keep_tables(
    context: dg.AssetExecutionContext, _: SparkResource, deployment: Deployment
) -> Mapping[str, Any]:
    from customer360.pipeline.maintain import keep_tables_up

    done: list[Upkeep] = []

    def note(upkeep: "Upkeep") -> None:
        done.append(upkeep)
        context.log.info("%s", upkeep)

    total = keep_tables_up(deployment.settings, note)
    return {
        "files_before": total.files_before,
        "files_after": total.files_after,
        "bytes_before": total.bytes_before,
        "bytes_after": total.bytes_after,
        "orphans_removed": total.orphans,
        "files_put_together": total.compacted,
        "by_table": dg.MetadataValue.md(_by_table(done)),
    }


def _keep_models(
    _: dg.AssetExecutionContext, __: SparkResource, deployment: Deployment
) -> Mapping[str, Any]:
    from customer360.pipeline.maintain import prune_models

    folder = deployment.settings.mlflow_dir
    before = _bytes_in(folder)
    pruned = prune_models(deployment.settings)
    return {
        "versions_removed": sum(len(each.versions) for each in pruned),
        **{f"kept_{each.model.replace('-', '_')}": each.kept for each in pruned},
        "bytes_before": before,
        "bytes_after": _bytes_in(folder),
        "folder": dg.MetadataValue.path(folder),
    }


def _keep_runs(
    context: dg.AssetExecutionContext, _: SparkResource, deployment: Deployment
) -> Mapping[str, Any]:
    folder = deployment.settings.dagster_home
    before = _bytes_in(folder)
    removed = prune_runs(context.instance, deployment.settings.keep_runs_days)
    return {
        "runs_removed": removed,
        "bytes_before": before,
        "bytes_after": _bytes_in(folder),
        "folder": dg.MetadataValue.path(folder),
    }


def _bytes_in(folder: Path) -> int:
    """What all files of a folder take on disk; others may write there, and remove, meanwhile."""
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if file.is_file():
                total += file.stat().st_size
    return total


def _by_table(done: "list[Upkeep]") -> str:
    lines = [
        "| table | files on disk | bytes on disk | put together | orphans | past retention |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for each in done:
        files = f"{each.before.files_on_disk:,} → {each.after.files_on_disk:,}"
        size = f"{each.before.bytes_on_disk:,} → {each.after.bytes_on_disk:,}"
        lines.append(
            f"| {each.table} | {files} | {size} | {each.compacted:,} | {each.orphans:,} "
            f"| {each.expired:,} |"
        )
    return "\n".join(lines)
