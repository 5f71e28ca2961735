"""The sensor that loads files as they arrive or change, and asks again until a load has succeeded.

What it remembers between two looks is which files it asked for last, and how often. Whether these
are loaded, only the run that it asked for can say: one that failed is asked for again, after a
wait that grows, until it succeeds or the files change. Where Dagster knows no such run any more,
the files are asked for again, unless a later run has loaded their days.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Self

import dagster as dg

from customer360.days import DayRange
from customer360.deployment import Deployment
from customer360.orchestration.jobs import LOAD_RANGE, NIGHTLY
from customer360.orchestration.partitions import RANGE_END, RANGE_START, range_tags
from customer360.sources.files.source import FilesSource

LOOK_SECONDS = 60
"""Between two looks at the files."""

WAITS = (60, 5 * 60, 15 * 60, 3600)
"""Seconds after which a load that failed once, twice ... is asked for again; the last from then on.

Most failures are over in minutes (a lock, a full disk, a server that restarts); what needs a person
must not fill the list of runs meanwhile.
"""

_RUN_KEY = "dagster/run_key"
_NOTHING_NEW = "no new files"
_LOADS = 100
"""Newest loads of a job that are looked at where the run that was asked for is not known."""


@dataclass(frozen=True)
class Asked:
    """What was asked for last.

    Attributes:
        files: Fingerprint of the files.
        attempt: How often it was asked for, 1 at first.
        asked_at: When, in seconds of Unix time; an older release kept none.
    """

    files: str
    attempt: int = 1
    asked_at: float = 0.0

    @property
    def run_key(self) -> str:
        """Dagster's key of the run: it starts none twice."""
        digest = hashlib.sha256(self.files.encode()).hexdigest()[:16]
        return f"files {digest}" + (f" {self.attempt}" if self.attempt > 1 else "")

    def cursor(self) -> str:
        """As Dagster keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, cursor: str | None) -> Self | None:
        """From `cursor`; an older release kept the fingerprint alone."""
        if not cursor:
            return None
        return cls(**json.loads(cursor)) if cursor.startswith("{") else cls(cursor)


def new_files_sensor(deployment: Deployment) -> dg.SensorDefinition:
    """A run over the days of the ``files`` sources whenever their files change.

    Files that cannot be read fail the look itself, which Dagster shows in red: nothing is asked
    for, and the next look tries again.
    """

    @dg.sensor(
        name="new_files",
        job_name=NIGHTLY,
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="New or changed files of the `files` sources; a load that failed again, until "
        "it succeeds.",
    )
    def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        watched = [source for source in deployment.sources if isinstance(source, FilesSource)]
        if not watched:
            return dg.SkipReason("no files source is active")
        files = "\n".join(source.fingerprint(t) for source in watched for t in source.tables)
        last = Asked.of(context.cursor)
        if last is None or last.files != files:
            return _request(deployment, watched, Asked(files))
        return _followed(context.instance, deployment, watched, last)

    return new_files


def _followed(
    instance: dg.DagsterInstance,
    deployment: Deployment,
    watched: Sequence[FilesSource],
    last: Asked,
) -> dg.SensorResult | dg.SkipReason:
    """What became of the run that was asked for, and whether to ask again."""
    records = instance.get_run_records(
        dg.RunsFilter(tags={_RUN_KEY: last.run_key}), limit=1, order_by="id", ascending=False
    )
    if not records:
        days = _days(deployment, watched)
        if days is not None and _loaded_since(instance, last.asked_at, days):
            return dg.SkipReason(_NOTHING_NEW)
        # By the same key, so that a run that only shows late is not doubled.
        return _request(deployment, watched, last)
    if records[0].dagster_run.status is dg.DagsterRunStatus.SUCCESS:
        return dg.SkipReason(_NOTHING_NEW)
    run, ended = records[0].dagster_run, records[0].end_time
    if run.status is dg.DagsterRunStatus.CANCELED:
        return dg.SkipReason(
            f"run {run.run_id} was to load the files and was cancelled: load them by hand"
        )
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return dg.SkipReason(f"run {run.run_id} loads the files")
    wait = WAITS[min(last.attempt, len(WAITS)) - 1]
    again = datetime.fromtimestamp((ended or 0) + wait, UTC)
    if datetime.now(UTC) < again:
        return dg.SkipReason(
            f"run {run.run_id} failed to load the files; asked for again at {again:%H:%M:%S} UTC"
        )
    return _request(deployment, watched, Asked(last.files, last.attempt + 1))


def _request(
    deployment: Deployment, watched: Sequence[FilesSource], asked: Asked
) -> dg.SensorResult | dg.SkipReason:
    days = _days(deployment, watched)
    if days is None:
        held = _available(watched)
        return dg.SkipReason(f"the files hold {held}, no day of which has a partition yet")
    request = dg.RunRequest(run_key=asked.run_key, tags=range_tags(days))
    now = replace(asked, asked_at=datetime.now(UTC).timestamp())
    return dg.SensorResult(run_requests=[request], cursor=now.cursor())


def _available(watched: Sequence[FilesSource]) -> DayRange:
    available = watched[0].available()
    for source in watched[1:]:
        available = available.union(source.available())
    return available


def _days(deployment: Deployment, watched: Sequence[FilesSource]) -> DayRange | None:
    """Days of the files that have partitions; None where none has."""
    available = _available(watched)
    first = max(available.first, deployment.settings.start_date)
    last = min(available.last, deployment.last_day())
    return None if last < first else DayRange(first, last)


def _loaded_since(instance: dg.DagsterInstance, since: float, days: DayRange) -> bool:
    """Whether a run that began after ``since`` has loaded all the days."""
    after = datetime.fromtimestamp(int(since) - 1, UTC)  # SQLite notes whole seconds
    for job in (NIGHTLY, LOAD_RANGE):
        loads = dg.RunsFilter(
            job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=after
        )
        for run in instance.get_runs(loads, limit=_LOADS):
            first, last = run.tags.get(RANGE_START), run.tags.get(RANGE_END)
            if first and last and first <= str(days.first) and str(days.last) <= last:
                return True
    return False
