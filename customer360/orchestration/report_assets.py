"""Reports as assets: pages that a person reads, with a preview in their materialization."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.partitions import as_of_dates, days_of
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import workspace
from customer360.table_names import CUSTOMER_DAYS, CUSTOMERS, FEATURES, TRANSACTIONS

if TYPE_CHECKING:
    from customer360.pipeline.explore import ExplorationReport

EXPLORATION = "reports/exploration"

_PREVIEWED = "lorenz"
"""The plot that Dagster shows too: it keeps metadata in its database, so not all of them."""

_LARGEST_PREVIEW = 100_000
"""Bytes of a plot that is shown in Dagster."""


def report_assets(
    deployment: Deployment, partitions: dg.PartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """Asset of reports/exploration."""

    @dg.multi_asset(
        name="reports__exploration",
        specs=[
            dg.AssetSpec(
                key=asset_key(EXPLORATION),
                deps=[
                    asset_key(table) for table in (TRANSACTIONS, CUSTOMERS, CUSTOMER_DAYS, FEATURES)
                ],
                group_name="reports",
                owners=["team:data-science"],
                kinds={"python", "html"},
                tags={"layer": "reports", "personal_data": "no"},
                description="What the data looks like: distributions, missing values, "
                "correlations, concentration of revenue, repeat rates. One HTML page, of the "
                "run's newest as-of date.",
                partitions_def=partitions,
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def exploration(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> dg.MaterializeResult[None]:
        from customer360.pipeline.explore import write_exploration

        work = workspace(context, spark, deployment)
        day = as_of_dates(context, days_of(context), ())[-1]
        report = write_exploration(work, day)
        # With its own day alone: Dagster repeats an asset's metadata for every partition.
        context.add_asset_metadata(
            _preview(report), asset_key=asset_key(EXPLORATION), partition_key=str(day)
        )
        return dg.MaterializeResult(
            asset_key=asset_key(EXPLORATION),
            metadata={"as_of": str(day), "page": dg.MetadataValue.path(report.path)},
        )

    return [exploration]


def _preview(report: "ExplorationReport") -> dict[str, Any]:
    found: dict[str, Any] = {
        "figures": dg.MetadataValue.md(_table(report.figures)),
        "link": dg.MetadataValue.url(report.path.absolute().as_uri()),
    }
    picture = report.pictures.get(_PREVIEWED, b"")
    if 0 < len(picture) <= _LARGEST_PREVIEW:
        encoded = base64.b64encode(picture).decode()
        found[f"plot_{_PREVIEWED}"] = dg.MetadataValue.md(
            f"![{_PREVIEWED}](data:image/png;base64,{encoded})"
        )
    return found


def _table(figures: Mapping[str, str]) -> str:
    lines = ["| figure | value |", "|---|---:|"]
    return "\n".join(lines + [f"| {name} | {value} |" for name, value in figures.items()])
