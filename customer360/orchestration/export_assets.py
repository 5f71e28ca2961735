"""Campaign lists as assets: files that marketing takes away, of the run's newest snapshot."""

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.metadata import asset_key, count_table
from customer360.orchestration.partitions import as_of_dates, days_of
from customer360.serving.campaigns import CAMPAIGN_LISTS, CampaignList
from customer360.serving.options import Contacts
from customer360.table_names import CUSTOMER_360, CUSTOMERS


def export_assets(
    deployment: Deployment, partitions: dg.PartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """Assets exports/<list>, one a campaign list."""
    return [_export_asset(deployment, partitions, campaign) for campaign in CAMPAIGN_LISTS]


def _export_asset(
    deployment: Deployment, partitions: dg.PartitionsDefinition, campaign: CampaignList
) -> dg.AssetsDefinition:
    contacts = Contacts(deployment.settings.export_contacts)
    key = asset_key(f"exports/{campaign.name}")

    @dg.multi_asset(
        name=f"exports__{campaign.name}",
        specs=[
            dg.AssetSpec(
                key=key,
                deps=[asset_key(CUSTOMER_360), asset_key(CUSTOMERS)],
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
                partitions_def=partitions,
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def export(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        from customer360.pipeline.export import ExportOptions, export_list
        from customer360.serving.list_files import MANIFEST

        settings = deployment.settings
        day = as_of_dates(context, days_of(context), ())[-1]
        found = export_list(
            settings, campaign, day, ExportOptions.of(settings), run_id=context.run.run_id
        )
        # With its own day alone: Dagster repeats an asset's metadata for every partition.
        context.add_asset_metadata(
            {
                "dagster/partition_row_count": found.manifest["rows"],
                "left_out": count_table(found.manifest["left_out"], "reason"),
            },
            asset_key=key,
            partition_key=str(day),
        )
        return dg.MaterializeResult(
            asset_key=key,
            metadata={
                "as_of": str(day),
                "contacts": contacts.value,
                "manifest": dg.MetadataValue.path(found.folder / f"{campaign.name}.{MANIFEST}"),
            },
        )

    return export
