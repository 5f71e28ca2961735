"""What became of the newest runs, put into the warehouse: ``serving.runs``.

Three things keep it up to date: the asset of that name, which sees its own run still running; the
end of ``customer360 run``; and, where the daemon runs, a sensor for each way in which a run ends.
The last is how a nightly run that failed before it published anything comes to be seen.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from customer360.errors import Customer360Error
from customer360.orchestration.failure import TOLD_BY, Failure, first_failure
from customer360.serving import tables
from customer360.serving.publishing import Published, publish_rows
from customer360.serving.warehouse import Login, open_warehouse, reader_login
from customer360.settings import Settings

RUNS_KEPT = 50
"""Newest runs that the table has."""

STATUSES = {
    dg.DagsterRunStatus.STARTING: "running",
    dg.DagsterRunStatus.STARTED: "running",
    dg.DagsterRunStatus.CANCELING: "running",
    dg.DagsterRunStatus.SUCCESS: "success",
    dg.DagsterRunStatus.FAILURE: "failure",
    dg.DagsterRunStatus.CANCELED: "canceled",
}
"""Dagster's statuses in the table's words; a run that still waits for its turn is not in it."""

MATERIALIZE = "materialize"
"""Job of runs of assets that somebody chose; Dagster's own name of it is not for people."""


def publish_runs(instance: dg.DagsterInstance, owner: Login) -> Published:
    """Put the newest runs of ``instance`` in place of ``serving.runs``.

    Raises:
        WarehouseError: The database refuses.
    """
    # Asked for while the table is locked: who comes later writes the later state.
    return publish_rows(owner, tables.RUNS, _rows(instance), None)


def record_runs(settings: Settings, instance: dg.DagsterInstance) -> bool:
    """Bring ``serving.runs`` up to date in a warehouse that is there; False when none is.

    Raises:
        WarehouseError: It cannot be reached, or refuses.
    """
    if reader_login(settings) is None:
        return False
    publish_runs(instance, open_warehouse(settings).owner)
    return True


def run_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Sensors that bring ``serving.runs`` up to date whenever a run has ended."""
    ends = (
        dg.DagsterRunStatus.SUCCESS,
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.CANCELED,
    )
    return [_run_sensor(settings, status) for status in ends]


def _run_sensor(settings: Settings, status: dg.DagsterRunStatus) -> dg.SensorDefinition:
    word = STATUSES[status]

    @dg.run_status_sensor(
        run_status=status,
        name=f"runs_{word}",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Shows a run that ended ({word}) to the readers of the warehouse.",
    )
    def ended(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
        try:
            there = record_runs(settings, context.instance)
        except Customer360Error as error:
            # The next run that ends brings this one along.
            return dg.SkipReason(str(error))
        return None if there else dg.SkipReason("there is no warehouse yet")

    return ended


def _rows(instance: dg.DagsterInstance) -> Iterator[tuple[Any, ...]]:
    known = dg.RunsFilter(statuses=list(STATUSES))
    for record in instance.get_run_records(known, limit=RUNS_KEPT):
        run = record.dagster_run
        failed = _failure_of(instance, run.run_id) if run.is_failure else None
        yield (
            run.run_id,
            MATERIALIZE if run.job_name.startswith("__") else run.job_name,
            STATUSES[run.status],
            # A run that died before it started is of the time when it was asked for.
            _instant(record.start_time) or record.create_timestamp,
            _instant(record.end_time),
            failed.step if failed else None,
            # PostgreSQL has no such character, which a broken file may bring into a message.
            failed.reason.replace("\0", "") if failed else None,
        )


def _failure_of(instance: dg.DagsterInstance, run_id: str) -> Failure:
    found = instance.get_records_for_run(run_id, of_type=TOLD_BY).records
    events = (record.event_log_entry.dagster_event for record in found)
    return first_failure([event for event in events if event is not None])


def _instant(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
