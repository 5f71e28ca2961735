"""Upkeep as assets: what each took away, and sizes before and after, are seen over the weeks."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.failure import failing_in_one_line
from customer360.orchestration.pruning import prune_runs
from customer360.orchestration.resources import SparkResource

if TYPE_CHECKING:
    from customer360.lakehouse.upkeep import Upkeep

GROUP = "upkeep"


def upkeep_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Assets upkeep/tables, upkeep/models and upkeep/runs; they have no partitions."""
    return [_tables(deployment), _models(deployment), _runs(deployment)]


def _spec(name: str, kinds: set[str], description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=dg.AssetKey([GROUP, name]),
        group_name=GROUP,
        owners=["team:data-engineering"],
        kinds=kinds,
        tags={"layer": GROUP, "personal_data": "no"},
        description=description,
    )


# All of them take Spark's resource for the home that it holds alone: no session starts.


def _tables(deployment: Deployment) -> dg.AssetsDefinition:
    spec = _spec(
        "tables",
        {"delta"},
        "Small files of tables put together where much was written since the last time; files "
        "removed of versions past the retention, and those that killed writes have left.",
    )

    @dg.multi_asset(name="upkeep__tables", specs=[spec])
    @failing_in_one_line
    def tables(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> dg.MaterializeResult[None]:
        from customer360.pipeline.maintain import keep_tables_up

        done: list[Upkeep] = []

        def note(upkeep: "Upkeep") -> None:
            done.append(upkeep)
            context.log.info("%s", upkeep)

        total = keep_tables_up(deployment.settings, note)
        return dg.MaterializeResult(
            asset_key=spec.key,
            metadata={
                "files_before": total.files_before,
                "files_after": total.files_after,
                "bytes_before": total.bytes_before,
                "bytes_after": total.bytes_after,
                "orphans_removed": total.orphans,
                "files_put_together": total.compacted,
                "by_table": dg.MetadataValue.md(_by_table(done)),
            },
        )

    return tables


def _models(deployment: Deployment) -> dg.AssetsDefinition:
    spec = _spec(
        "models",
        {"mlflow"},
        "Versions of models taken away beyond the newest; never a champion, a challenger, or what "
        "a rollback would go back to.",
    )

    @dg.multi_asset(name="upkeep__models", specs=[spec])
    @failing_in_one_line
    def models(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> dg.MaterializeResult[None]:
        from customer360.pipeline.maintain import prune_models

        pruned = prune_models(deployment.settings)
        metadata: dict[str, Any] = {"versions_removed": sum(len(each.versions) for each in pruned)}
        metadata |= {f"kept_{each.model.replace('-', '_')}": each.kept for each in pruned}
        return dg.MaterializeResult(asset_key=spec.key, metadata=metadata)

    return models


def _runs(deployment: Deployment) -> dg.AssetsDefinition:
    spec = _spec(
        "runs",
        {"dagster"},
        "Dagster's runs of long ago, with their events; never those that made what is the newest "
        "of a partition.",
    )

    @dg.multi_asset(name="upkeep__runs", specs=[spec])
    @failing_in_one_line
    def runs(context: dg.AssetExecutionContext, spark: SparkResource) -> dg.MaterializeResult[None]:
        folder = deployment.settings.dagster_home
        before = _bytes_in(deployment)
        removed = prune_runs(context.instance, deployment.settings.keep_runs_days)
        return dg.MaterializeResult(
            asset_key=spec.key,
            metadata={
                "runs_removed": removed,
                "bytes_before": before,
                "bytes_after": _bytes_in(deployment),
                "folder": dg.MetadataValue.path(folder),
            },
        )

    return runs


def _bytes_in(deployment: Deployment) -> int:
    """What Dagster's databases take on disk."""
    return sum(file.stat().st_size for file in deployment.settings.dagster_home.rglob("*.db"))


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
