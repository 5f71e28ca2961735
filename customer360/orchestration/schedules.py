"""When things run by themselves: every night, every week, when files arrive, when days are loaded.

A night is two runs, because bronze and silver are partitioned by day and gold by as-of date: the
schedule loads, and a sensor makes the gold of what was loaded.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from zoneinfo import ZoneInfo

import dagster as dg

from customer360.days import DayRange
from customer360.deployment import Deployment
from customer360.errors import SettingsError
from customer360.models.registry import MODELS
from customer360.orchestration.jobs import GOLD, MAINTAIN, NIGHTLY, RETRAIN
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.partitions import (
    append_as_of_dates,
    days_of_run,
    known_as_of_dates,
    made_as_of_dates,
    range_tags,
    runs_of,
)
from customer360.settings import Settings

GOLD_SECONDS = 30
"""Between two looks for a load that has succeeded."""

RECENT_LOADS = 100
"""Newest loads among which those that have succeeded since the last look are sought."""


def nightly_window(deployment: Deployment, context: dg.ScheduleEvaluationContext) -> DayRange:
    """The day before the tick, with the trailing days that late data may have changed."""
    settings = deployment.settings
    tick = context.scheduled_execution_time.astimezone(ZoneInfo(deployment.zone)).date()
    last = min(tick - timedelta(days=1), settings.end_date or tick)
    first = max(settings.start_date, last - timedelta(days=settings.trailing_days))
    return DayRange(min(first, last), last)


def _cron(expression: str, setting: str) -> str:
    """``expression``, checked: Dagster's own error would not name the setting."""
    try:
        dg.ScheduleDefinition(name="checked", job_name=NIGHTLY, cron_schedule=expression)
    except dg.DagsterInvalidDefinitionError:
        raise SettingsError(
            f"setting {setting}: {expression!r} is not a cron expression like '0 2 * * *'"
        ) from None
    return expression


def without_trained_models(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey]
) -> list[dg.AssetKey]:
    """``keys`` but models that were trained before: training again is left to `retrain`."""
    models = {asset_key(spec.asset) for spec in MODELS}
    return [
        key
        for key in keys
        if key not in models or instance.get_latest_materialization_event(key) is None
    ]


def schedules(deployment: Deployment) -> list[dg.ScheduleDefinition]:
    """The nightly and the weekly schedules, all running unless switched off in the UI."""

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
        return dg.RunRequest(run_key=f"{NIGHTLY} {window}", tags=range_tags(window))

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
        # The night's own run knows the day already, unless the week's comes before it.
        append_as_of_dates(context.instance, [day])
        return dg.RunRequest(run_key=f"{RETRAIN} {day}", partition_key=str(day))

    maintain = dg.ScheduleDefinition(
        name=MAINTAIN,
        job_name=MAINTAIN,
        cron_schedule=_cron(deployment.settings.maintain_cron, "maintain_cron"),
        execution_timezone=deployment.zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every Sunday: put files together, and take away what is past its time.",
    )
    return [nightly, retrain, maintain]


def gold_sensor(settings: Settings, gold: Sequence[dg.AssetKey]) -> dg.SensorDefinition:
    """Makes the gold of the newest day when `nightly` has loaded it.

    It looks by itself, and is no run status sensor: those never see runs that were started outside
    of the daemon's code location, as by ``dagster job execute``.

    Args:
        settings: The deployment.
        gold: The assets of the job `gold`.
    """

    @dg.sensor(
        name=GOLD,
        job_name=GOLD,
        minimum_interval_seconds=GOLD_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="After a load by `nightly`: snapshots, scores and lists of its newest day, and "
        "the earlier snapshots of its days, which late data may have changed.",
    )
    def newest_gold(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        loads = _loads_since(context.instance, context.cursor)
        if not loads:
            return dg.SkipReason(f"{NIGHTLY} has loaded nothing since")
        newest = loads[-1]
        loaded_ranges = [days for load in loads if (days := days_of_run(load.dagster_run))]
        if not loaded_ranges:
            return dg.SkipReason(f"run {newest.dagster_run.run_id} of {NIGHTLY} says of no days")
        days = reduce(DayRange.union, loaded_ranges)
        made = (day for day in made_as_of_dates(settings) if day in days)
        append_as_of_dates(context.instance, [days.last, *made])
        wanted = [day for day in known_as_of_dates(context.instance) if day in days]
        requests = [
            dg.RunRequest(
                run_key=f"{GOLD} {newest.dagster_run.run_id} {dates.last}",
                # Before the loads that wait: what was loaded is shown first.
                tags=range_tags(dates) | {"dagster/priority": "1"},
                asset_selection=without_trained_models(context.instance, gold),
            )
            for dates in runs_of(context.instance, sorted(wanted))
        ]
        return dg.SensorResult(run_requests=requests, cursor=str(newest.end_time))

    return newest_gold


def _loads_since(instance: dg.DagsterInstance, cursor: str | None) -> list[dg.RunRecord]:
    """Loads by `nightly` that have succeeded since, in the order of their ends.

    Args:
        instance: Which knows the runs.
        cursor: End of the last that was seen, in seconds since 1970; None: only the newest counts.
    """
    succeeded = dg.RunsFilter(job_name=NIGHTLY, statuses=[dg.DagsterRunStatus.SUCCESS])
    records = instance.get_run_records(succeeded, limit=RECENT_LOADS)
    ended = sorted(
        (record for record in records if (record.end_time or 0) > float(cursor or 0)),
        key=lambda record: record.end_time or 0,
    )
    return ended if cursor else ended[-1:]
