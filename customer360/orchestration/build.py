"""Assembly of all that Dagster loads."""

from __future__ import annotations

import logging
import warnings

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.alerts import alerts_sensor
from customer360.orchestration.bronze_assets import bronze_asset
from customer360.orchestration.dbt_assets import dbt_assets
from customer360.orchestration.event_log import use_batches
from customer360.orchestration.export_assets import export_assets
from customer360.orchestration.gold_assets import gold_assets
from customer360.orchestration.jobs import GOLD, JOBS
from customer360.orchestration.model_assets import model_assets
from customer360.orchestration.monitoring_assets import monitoring_assets
from customer360.orchestration.new_files import new_files_sensor
from customer360.orchestration.partitions import daily_partitions
from customer360.orchestration.progress import progress_logger
from customer360.orchestration.report_assets import report_assets
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.run_history import runs_sensor
from customer360.orchestration.schedules import gold_sensor, schedules
from customer360.orchestration.silver_assets import silver_assets
from customer360.orchestration.upkeep_assets import upkeep_assets
from customer360.orchestration.warehouse_assets import WarehouseResource, warehouse_assets
from customer360.settings import Settings, load_settings


def build_definitions(settings: Settings | None = None) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of one deployment; starts no JVM.

    Args:
        settings: The deployment; unset: the one at ``CUSTOMER360_HOME``.

    Raises:
        SettingsError: The settings contradict themselves.
    """
    use_batches()
    # What a long step is at: Dagster shows it with the run (managed_python_loggers).
    logging.getLogger("customer360").setLevel(logging.INFO)
    deployment = Deployment.of(settings or load_settings())
    partitions = daily_partitions(deployment)
    assets: list[dg.AssetsDefinition] = [
        bronze_asset(deployment, source, table, partitions)
        for source in deployment.sources
        for table in source.tables
    ]
    assets += silver_assets(deployment, partitions)
    assets += gold_assets(deployment, partitions)
    assets += model_assets(deployment)
    assets += monitoring_assets(deployment)
    assets += report_assets(deployment)
    assets += export_assets(deployment)
    assets += warehouse_assets(deployment)
    assets += dbt_assets(deployment)
    assets += upkeep_assets(deployment)
    with warnings.catch_warnings():
        # Selections by group expand to a parameter that Dagster calls beta; nothing to do here.
        warnings.filterwarnings("ignore", message=".*include_sources.*", category=dg.BetaWarning)
        return dg.Definitions(
            assets=assets,
            jobs=[
                dg.define_asset_job(name, selection=job.selection, description=job.description)
                for name, job in JOBS.items()
            ],
            schedules=schedules(deployment),
            sensors=[
                new_files_sensor(deployment),
                gold_sensor(deployment.settings, sorted(JOBS[GOLD].selection.resolve(assets))),
                runs_sensor(deployment.settings),
                alerts_sensor(deployment.settings),
            ],
            resources={
                "spark": SparkResource.of(deployment.settings),
                "warehouse": WarehouseResource(deployment.settings),
            },
            # Spark's start is paid for each process: a run is one process and one session.
            executor=dg.in_process_executor,
            loggers={"console": dg.colored_console_logger, "progress": progress_logger},
        )
