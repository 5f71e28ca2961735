"""What became of the newest runs, put into the warehouse: ``serving.runs``.

Three things keep it up to date: the asset of that name, which sees its own run still running; the
end of ``customer360 run``; and, where the daemon runs, a sensor, which also sees runs that failed
before they published anything, and those that were started elsewhere.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from customer360.errors import Customer360Error
from customer360.orchestration.dead_runs import end_dead_runs
from customer360.orchestration.failure import TOLD_BY, Failure, first_failure
from customer360.orchestration.jobs import JOBS
from customer360.serving import tables
from customer360.serving.publishing import Published, publish_rows
from customer360.serving.warehouse import Login, let_go_after, open_warehouse, reader_login
from customer360.settings import Settings

RUNS_KEPT = 50
"""Newest runs that the table has."""

KEPT_JOBS = tuple(JOBS)
"""Jobs whose newest end is kept, however many runs came after it: it may be a failure that is not
made good, or what made one good."""

SENSOR_SECONDS = 60

STATUSES = {
    dg.DagsterRunStatus.STARTING: "running",
    dg.DagsterRunStatus.STARTED: "running",
    dg.DagsterRunStatus.CANCELING: "running",
    dg.DagsterRunStatus.SUCCESS: "success",
    dg.DagsterRunStatus.FAILURE: "failure",
    dg.DagsterRunStatus.CANCELED: "canceled",
}
"""Dagster's statuses in the table's words; a run that still waits for its turn is not in it."""

ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]

MATERIALIZE = "materialize"
"""Job of runs of assets that somebody chose; Dagster's own name of it is not for people."""


def publish_runs(
    instance: dg.DagsterInstance, owner: Login, *, personal_data: bool = False
) -> Published:
    """Put the newest runs of ``instance`` in place of ``serving.runs``.

    Args:
        instance: Whose runs.
        owner: Login that may write.
        personal_data: Whether an error is told in its own words, which may quote a row that it is
            about; else by its kind.

    Raises:
        WarehouseError: The database refuses.
    """
    # Asked for while the table is locked: who comes later writes the later state.
    return publish_rows(owner, tables.RUNS, _rows(instance, personal_data), None)


def record_runs(settings: Settings, instance: dg.DagsterInstance) -> bool:
    """Bring ``serving.runs`` up to date in a warehouse that was published to; False without one.

    Raises:
        WarehouseError: It cannot be reached, or refuses.
    """
    reader = reader_login(settings)
    if reader is None:
        return False
    with reader.connect() as connection:
        row = connection.execute("SELECT to_regclass('serving.publications')").fetchone()
    if row is None or row[0] is None:
        return False
    publish_runs(
        instance, open_warehouse(settings).owner, personal_data=settings.publish_personal_data
    )
    return True


def runs_sensor(settings: Settings) -> dg.SensorDefinition:
    """Brings ``serving.runs`` up to date whenever a run has ended, wherever it was started.

    It looks by itself, and is no run status sensor: those never see runs that were started outside
    of the daemon's code location, and see an end once, though the warehouse may be down just then.
    """

    @dg.sensor(
        name="runs",
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Notices runs whose process was killed, and shows to the readers of the "
        "warehouse how runs have ended.",
    )
    def runs(context: dg.SensorEvaluationContext) -> dg.SkipReason | dg.SensorResult:
        end_dead_runs(settings, context.instance)
        newest = context.instance.get_run_records(dg.RunsFilter(statuses=ENDED), limit=RUNS_KEPT)
        ids = " ".join(sorted(record.dagster_run.run_id for record in newest))
        seen = hashlib.sha256(ids.encode()).hexdigest()
        if seen == context.cursor:
            return dg.SkipReason("no run has ended since")
        try:
            with let_go_after(settings):
                recorded = record_runs(settings, context.instance)
        except Customer360Error as error:
            return dg.SkipReason(str(error))  # the cursor stays, so the next tick tries again
        if not recorded:
            return dg.SkipReason("there is no warehouse yet")
        return dg.SensorResult(cursor=seen)

    return runs


def _rows(instance: dg.DagsterInstance, personal_data: bool) -> Iterator[tuple[Any, ...]]:
    for record in _records(instance):
        run = record.dagster_run
        failed = _failure_of(instance, run.run_id) if run.is_failure else None
        yield (
            run.run_id,
            job_of(run),
            STATUSES[run.status],
            # A run that died before it started is of the time when it was asked for.
            _instant(record.start_time) or record.create_timestamp,
            _instant(record.end_time),
            failed.step if failed else None,
            reason_for_readers(failed, personal_data) if failed else None,
        )


def _records(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    """The newest runs, and the newest of each of `KEPT_JOBS` that has ended; each once."""
    records = list(
        instance.get_run_records(dg.RunsFilter(statuses=list(STATUSES)), limit=RUNS_KEPT)
    )
    for job in KEPT_JOBS:
        records += instance.get_run_records(dg.RunsFilter(job_name=job, statuses=ENDED), limit=1)
    return list({record.dagster_run.run_id: record for record in records}.values())


def _failure_of(instance: dg.DagsterInstance, run_id: str) -> Failure:
    return first_failure(events_of(instance, run_id))


def events_of(instance: dg.DagsterInstance, run_id: str) -> list[dg.DagsterEvent]:
    """The events of a run that tell how it went, in their order."""
    records = instance.get_records_for_run(run_id, of_type=TOLD_BY).records
    events = (record.event_log_entry.dagster_event for record in records)
    return [event for event in events if event is not None]


def job_of(run: dg.DagsterRun) -> str:
    """The job of a run in words for people."""
    return MATERIALIZE if run.job_name.startswith("__") else run.job_name


def reason_for_readers(failed: Failure, personal_data: bool) -> str:
    """Why something failed, for those who may not see rows: an error's words may quote one.

    Args:
        failed: What failed.
        personal_data: Whether they may.
    """
    reason = failed.reason
    if not personal_data:
        reason = failed.kind or failed.for_readers or failed.reason
    # PostgreSQL has no such character, which a broken file may bring into a message.
    return reason.replace("\0", "")


def _instant(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
