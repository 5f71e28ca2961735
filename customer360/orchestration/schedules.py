"""When things run by themselves: every night, every week, and when files arrive."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)
from dagster._utils.schedules import is_valid_cron_schedule

from customer360.days import DayRange
from customer360.deployment import Deployment
from customer360.errors import BrokenFileError, SettingsError
from customer360.orchestration.jobs import NIGHTLY, OF_MODEL, RETRAIN
from customer360.sources.files.source import FilesSource

MODEL_KEYS = {dg.AssetKey(model) for model, *_ in OF_MODEL.values()}


def range_tags(days: DayRange) -> dict[str, str]:
    """Tags that make one run of all partitions of ``days``."""
    return {
        ASSET_PARTITION_RANGE_START_TAG: str(days.first),
        ASSET_PARTITION_RANGE_END_TAG: str(days.last),
    }


def nightly_window(deployment: Deployment, context: dg.ScheduleEvaluationContext) -> DayRange:
    """The day before the tick, with the trailing days that late data may have changed."""
    settings = deployment.settings
    tick = context.scheduled_execution_time.astimezone(ZoneInfo(deployment.zone)).date()
    last = min(tick - timedelta(days=1), settings.end_date or tick)
    first = max(settings.start_date, last - timedelta(days=settings.trailing_days))
    return DayRange(min(first, last), last)


def _cron(expression: str, setting: str) -> str:
    """``expression``, checked: Dagster's own error would not name the setting."""
    if not is_valid_cron_schedule(expression):
        raise SettingsError(
            f"setting {setting}: {expression!r} is not a cron expression like '0 2 * * *'"
        )
    return expression


def without_trained_models(
    instance: dg.DagsterInstance, assets: Sequence[dg.AssetsDefinition]
) -> list[dg.AssetKey]:
    """All assets but models that were trained before: training again is left to `retrain`."""
    return [
        key
        for asset in assets
        for key in asset.keys
        if key not in MODEL_KEYS or instance.get_latest_materialization_event(key) is None
    ]


def schedules(
    deployment: Deployment, assets: Sequence[dg.AssetsDefinition]
) -> list[dg.ScheduleDefinition]:
    """The nightly and the weekly schedule, both running unless switched off in the UI."""

    @dg.schedule(
        name=NIGHTLY,
        job_name=NIGHTLY,
        cron_schedule=_cron(deployment.settings.nightly_cron, "nightly_cron"),
        execution_timezone=deployment.zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night: the day before, and a trailing window for late data.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        window = nightly_window(deployment, context)
        if window.last < deployment.settings.start_date:
            return dg.SkipReason(f"the first partition is {deployment.settings.start_date}")
        return dg.RunRequest(
            run_key=f"{NIGHTLY} {window}",
            tags=range_tags(window),
            asset_selection=without_trained_models(context.instance, assets),
        )

    @dg.schedule(
        name=RETRAIN,
        job_name=RETRAIN,
        cron_schedule=_cron(deployment.settings.retrain_cron, "retrain_cron"),
        execution_timezone=deployment.zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every Sunday: train the models on everything up to the day before.",
    )
    def retrain(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = nightly_window(deployment, context).last
        if day < deployment.settings.start_date:
            return dg.SkipReason(f"the first partition is {deployment.settings.start_date}")
        return dg.RunRequest(run_key=f"{RETRAIN} {day}", partition_key=str(day))

    return [nightly, retrain]


def new_files_sensor(
    deployment: Deployment, assets: Sequence[dg.AssetsDefinition]
) -> dg.SensorDefinition:
    """A run over the days of the ``files`` sources whenever their files change."""

    @dg.sensor(
        name="new_files",
        job_name=NIGHTLY,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="New or changed files of the `files` sources.",
    )
    def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        watched = [source for source in deployment.sources if isinstance(source, FilesSource)]
        if not watched:
            return dg.SkipReason("no files source is active")
        try:
            seen = "\n".join(s.fingerprint(table) for s in watched for table in s.tables)
            if seen == context.cursor:
                return dg.SkipReason("no new files")
            found = watched[0].available()
            for source in watched[1:]:
                found = found.union(source.available())
        except BrokenFileError as error:
            return dg.SkipReason(str(error))
        first = max(found.first, deployment.settings.start_date)
        last = min(found.last, deployment.last_day())
        if last < first:
            return dg.SkipReason(f"the files hold {found}, no day of which has a partition yet")
        request = dg.RunRequest(
            run_key=f"files {hash_of(seen)}",
            tags=range_tags(DayRange(first, last)),
            asset_selection=without_trained_models(context.instance, assets),
        )
        return dg.SensorResult(run_requests=[request], cursor=seen)

    return new_files


def hash_of(text: str) -> str:
    """A short name for ``text``, the same in every process."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
