"""What people are told of unasked: runs, checks and sensors that fail, and data that stop coming.

It looks by itself, and is no run failure sensor: those never see runs that were started outside of
the daemon's code location, as by ``customer360 run`` or ``dagster job execute``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg

from customer360.alerts.alert import Alert, Kind
from customer360.alerts.channels import AlertError, channels
from customer360.alerts.told import Told, told
from customer360.deployment import Deployment
from customer360.orchestration.bronze_assets import SHARE
from customer360.orchestration.failure import Failure, failed_checks, failure_of, first_failure
from customer360.orchestration.gold_assets import DAYS_UNCHANGED
from customer360.orchestration.monitoring_assets import (
    FEATURES_STABLE,
    REALISED_PERFORMANCE,
    SCORES_STABLE,
)
from customer360.orchestration.partitions import days_of_run
from customer360.orchestration.run_history import ENDED, events_of, job_of, reason_for_readers
from customer360.orchestration.suppression_check import LIST_READABLE
from customer360.settings import Settings
from customer360.table_names import TRANSACTIONS

ALERTS = "alerts"
SENSOR_SECONDS = 60
OVERLAP_SECONDS = 120.0
"""Runs are looked at again so long after they ended: their last events may come late."""

DATA_LOOK_SECONDS = 3600.0
MOST_RUNS = 200
MOST_TICKS = 20

COMMANDS: Mapping[str, str] = {
    SHARE: "quarantine list",
    LIST_READABLE: "run --steps publish",
    DAYS_UNCHANGED: "run --steps snapshot --as-of <date>",
    FEATURES_STABLE: "train",
    SCORES_STABLE: "train",
    REALISED_PERFORMANCE: "train",
}
"""What helps where a check fails, as words of the command; people are told of these also where they
only warn. Other warnings are read in Dagster."""


def send_due(
    settings: Settings, instance: dg.DagsterInstance, now: float | None = None
) -> list[Alert]:
    """Tell people what has gone wrong since the last look, each thing once by each way.

    What a channel did not take is sent by the next look.

    Args:
        settings: The deployment.
        instance: Its runs.
        now: In seconds since 1970; None: the clock's.

    Returns:
        What was sent.

    Raises:
        AlertError: A channel took nothing; the others were told.
        SettingsError: A setting about alerts is wrong.
    """
    ways = channels(settings)
    if not ways:
        return []
    now = time.time() if now is None else now
    sent: dict[str, Alert] = {}
    failures: dict[str, AlertError] = {}
    with told(settings.home, now) as known:
        repeat = settings.alert_repeat_hours * 3600
        for alert in _due(settings, instance, known, now):
            for way in ways:
                if way.name in failures or not known.needs(way, alert, now, repeat):
                    continue
                try:
                    way.send(alert)
                except AlertError as error:
                    failures[way.name] = error  # once a look: who is away is not waited for again
                else:
                    known.note(way, alert, now)
                    sent[alert.key] = alert
        if not failures:
            known.looked = now - OVERLAP_SECONDS
    if failures:
        raise next(iter(failures.values()))
    return list(sent.values())


def alerts_sensor(settings: Settings) -> dg.SensorDefinition:
    """Tells people, once a minute, by the ways that the settings name."""

    @dg.sensor(
        name=ALERTS,
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people by webhook and e-mail of runs, checks and sensors that failed, "
        "and of data that stop coming.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if not channels(settings):
            return dg.SkipReason("nobody to tell: set alert_webhook_url or alert_email_to")
        sent = send_due(settings, context.instance)
        return dg.SkipReason("; ".join(alert.subject for alert in sent) or "nothing to tell")

    return alerts


def _due(
    settings: Settings, instance: dg.DagsterInstance, known: Told, now: float
) -> Iterator[Alert]:
    yield from _of_runs(settings, instance, known.looked)
    yield from _of_sensors(settings, instance, known.looked)
    if now - known.data_looked >= DATA_LOOK_SECONDS:
        yield from _of_data(settings)
        known.data_looked = now


def _of_runs(settings: Settings, instance: dg.DagsterInstance, since: float) -> Iterator[Alert]:
    """Of runs that have ended: the failure, and checks that failed and stopped nothing."""
    ended = instance.get_run_records(
        dg.RunsFilter(statuses=ENDED, updated_after=datetime.fromtimestamp(since, UTC)),
        limit=MOST_RUNS,
    )
    for record in reversed(ended):
        run = record.dagster_run
        events = events_of(instance, run.run_id)
        first = first_failure(events) if run.is_failure else None
        if first is not None:
            yield _of_failure(settings, run, first)
        for failure in failed_checks(events, warning=True):
            known = first is not None and failure.check == first.check
            if not known and (not failure.warns or failure.check in COMMANDS):
                yield _of_check(settings, run, failure)


def _of_failure(settings: Settings, run: dg.DagsterRun, failure: Failure) -> Alert:
    return Alert(
        Kind.RUN_FAILED,
        failure.step or job_of(run),
        str(days_of_run(run) or ""),
        _reason(settings, run, failure),
        settings.command(COMMANDS.get(failure.check or "", "run")),
        f"run {run.run_id}",
    )


def _of_check(settings: Settings, run: dg.DagsterRun, failure: Failure) -> Alert:
    return Alert(
        Kind.CHECK_FAILED,
        f"{failure.step} ({failure.check})",
        str(days_of_run(run) or ""),
        _reason(settings, run, failure),
        settings.command(COMMANDS.get(failure.check or "", "run")),
        # The same of a later run is told again when the time for that has come, and no sooner.
        f"check {failure.step} {failure.check} {failure.reason}",
    )


def _reason(settings: Settings, run: dg.DagsterRun, failure: Failure) -> str:
    """Why it failed, without what those must not know who are told."""
    reason = reason_for_readers(failure, settings.publish_personal_data)
    if reason != failure.reason:
        reason += f", told in full by run {run.run_id} in Dagster"
    return reason


def _of_sensors(settings: Settings, instance: dg.DagsterInstance, since: float) -> Iterator[Alert]:
    """Of sensors and schedules whose last look failed, like one at files that cannot be read.

    Dagster's UI shows what they looked at, and when they will look again.
    """
    for state in instance.all_instigator_state():
        if state.instigator_name == ALERTS:
            continue  # who cannot tell anybody cannot tell that either
        ticks = instance.get_ticks(
            state.instigator_origin_id, state.selector_id, after=since, limit=MOST_TICKS
        )
        if not ticks or ticks[0].status.value != "FAILURE" or ticks[0].error is None:
            continue
        failure = failure_of(None, ticks[0].error)
        yield Alert(
            Kind.SENSOR_FAILED,
            state.instigator_name,
            "",
            reason_for_readers(failure, settings.publish_personal_data),
            settings.command("dev"),
            f"sensor {state.instigator_name} {failure.reason}",
        )


def _of_data(settings: Settings) -> Iterator[Alert]:
    from customer360.pipeline.freshness import too_old

    age = too_old(Deployment.of(settings))
    if age is not None:
        yield Alert(
            Kind.STALE,
            TRANSACTIONS,
            str(age.newest),
            f"the newest business date is {age.newest}, {age.days} days ago; more than "
            f"{settings.freshness_days} are too many (setting freshness_days)",
            settings.command("run"),
            f"stale {age.newest}",
        )
