"""Reports as assets: pages that a person reads, with a preview in their materialization."""

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.failure import told
from customer360.orchestration.metadata import as_of_deps, asset_key
from customer360.orchestration.partitions import AS_OF_PARTITIONS, as_of_dates
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import newest_only, require_snapshots, workspace
from customer360.table_names import CUSTOMER_DAYS, CUSTOMERS, FEATURES, TRANSACTIONS

if TYPE_CHECKING:
    from customer360.pipeline.explore import ExplorationReport

EXPLORATION = "reports/exploration"

_PREVIEWED = "lorenz"
"""The plot that Dagster shows too: it keeps metadata in its database, so not all of them."""

_LARGEST_PREVIEW = 100_000
"""Bytes of a plot that is shown in Dagster."""


def report_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Asset of reports/exploration."""

    @dg.multi_asset(
        name="reports__exploration",
        specs=[
            dg.AssetSpec(
                key=asset_key(EXPLORATION),
                deps=as_of_deps([TRANSACTIONS, CUSTOMERS, CUSTOMER_DAYS, FEATURES]),
                group_name="reports",
                owners=["team:data-science"],
                kinds={"python", "html"},
                tags={"layer": "reports", "personal_data": "no"},
                description="What the data looks like: distributions, missing values, "
                "correlations, concentration of revenue, repeat rates. One HTML page, of the "
                "run's newest as-of date.",
                partitions_def=AS_OF_PARTITIONS,
                # Of a run of several dates only the newest is made: the others stay missing.
                skippable=True,
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @told
    def exploration(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.pipeline.explore import write_exploration

        work = workspace(context, spark, deployment)
        day = as_of_dates(context, deployment)[-1]
        require_snapshots(context, work, [FEATURES], [day])
        report = write_exploration(work, day)
        yield from newest_only(
            context,
            asset_key(EXPLORATION),
            day,
            {"as_of": str(day), "page": dg.MetadataValue.path(report.path)} | _preview(report),
        )

    return [exploration]


def _preview(report: "ExplorationReport") -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "figures": dg.MetadataValue.md(_table(report.figures)),
        "link": dg.MetadataValue.url(report.path.absolute().as_uri()),
    }
    picture = report.pictures.get(_PREVIEWED, b"")
    if 0 < len(picture) <= _LARGEST_PREVIEW:
        encoded = base64.b64encode(picture).decode()
        metadata[f"plot_{_PREVIEWED}"] = dg.MetadataValue.md(
            f"![{_PREVIEWED}](data:image/png;base64,{encoded})"
        )
    return metadata


def _table(figures: Mapping[str, str]) -> str:
    lines = ["| figure | value |", "|---|---:|"]
    return "\n".join(lines + [f"| {name} | {value} |" for name, value in figures.items()])
