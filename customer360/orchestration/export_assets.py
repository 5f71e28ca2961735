"""Campaign lists as assets: files that marketing takes away, of the run's newest snapshot."""

from collections.abc import Iterator

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.failure import failing_in_one_line
from customer360.orchestration.metadata import as_of_deps, asset_key, count_table
from customer360.orchestration.partitions import AS_OF_PARTITIONS, as_of_dates
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import newest_only
from customer360.orchestration.suppression_check import suppression_check, suppression_result
from customer360.serving.campaigns import CAMPAIGN_LISTS, CampaignList
from customer360.serving.options import Contacts
from customer360.settings import FILES_KEPT
from customer360.table_names import CUSTOMER_360, CUSTOMERS


def export_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Assets exports/<list>, one a campaign list; and what ends them, where that is asked for."""
    lists = [_export_asset(deployment, campaign) for campaign in CAMPAIGN_LISTS]
    files_expire = not set(FILES_KEPT).isdisjoint(deployment.settings.retention_days)
    return [*lists, _expired_asset(deployment)] if files_expire else lists


def _expired_asset(deployment: Deployment) -> dg.AssetsDefinition:
    key = asset_key("exports/expired")

    @dg.multi_asset(
        name="exports__expired",
        specs=[
            dg.AssetSpec(
                key=key,
                deps=as_of_deps([f"exports/{campaign.name}" for campaign in CAMPAIGN_LISTS]),
                group_name="exports",
                owners=["team:marketing"],
                kinds={"python"},
                tags={"layer": "exports", "personal_data": "no"},
                description="Removes lists and reports that were written longer ago than "
                "retention_days says.",
                partitions_def=AS_OF_PARTITIONS,
                skippable=True,
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @failing_in_one_line
    def expired(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.pipeline.retention import remove_expired

        removed = remove_expired(deployment.settings)
        day = as_of_dates(context, deployment)[-1]
        told = {f"{place.replace('/', '_')}_removed": files for place, files in removed.items()}
        yield from newest_only(context, key, day, {"as_of": str(day)} | told)

    return expired


def _export_asset(deployment: Deployment, campaign: CampaignList) -> dg.AssetsDefinition:
    contacts = Contacts(deployment.settings.export_contacts)
    key = asset_key(f"exports/{campaign.name}")

    @dg.multi_asset(
        name=f"exports__{campaign.name}",
        specs=[
            dg.AssetSpec(
                key=key,
                deps=as_of_deps([CUSTOMER_360, CUSTOMERS]),
                group_name="exports",
                owners=["team:marketing"],
                kinds={"duckdb", "csv", "parquet"},
                tags={
                    "layer": "exports",
                    "personal_data": "no" if contacts is Contacts.NONE else "yes",
                },
                description=f"Campaign list: {campaign.meaning} Ordered by "
                f"{campaign.priority_means}. Only of who agreed to marketing and is not "
                "suppressed; of the run's newest as-of date.",
                partitions_def=AS_OF_PARTITIONS,
                # Of a run of several dates only the newest is made: the others stay missing.
                skippable=True,
            )
        ],
        check_specs=[suppression_check(key)],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @failing_in_one_line
    def export(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        # Of Spark's resource only the home that it holds: no session starts.
        from customer360.pipeline.export import ExportOptions, export_list
        from customer360.serving.list_files import MANIFEST
        from customer360.serving.suppression import SuppressionError

        settings = deployment.settings
        day = as_of_dates(context, deployment)[-1]
        try:
            exported = export_list(
                settings, campaign, day, ExportOptions.of(settings), run_id=context.run.run_id
            )
        except SuppressionError as error:
            yield suppression_result(key, error)
            return
        yield from newest_only(
            context,
            key,
            day,
            {
                "as_of": str(day),
                "dagster/partition_row_count": exported.manifest["rows"],
                "left_out": count_table(exported.manifest["left_out"], "reason"),
                "contacts": contacts.value,
                "manifest": dg.MetadataValue.path(exported.folder / f"{campaign.name}.{MANIFEST}"),
            },
        )
        yield suppression_result(key)

    return export
