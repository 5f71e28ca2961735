"""Forgetting old runs of Dagster's, but for those that something still shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from customer360.orchestration.jobs import JOBS
from customer360.orchestration.run_history import ENDED

_PAGE = 1_000


def prune_runs(instance: dg.DagsterInstance, keep_days: int, now: datetime | None = None) -> int:
    """Delete runs, their events and what they printed, that ended more than ``keep_days`` ago.

    Those stay that made what is the newest of an asset's partition, so that no partition turns from
    made to missing, and the newest that ended of each job.

    Args:
        instance: Whose runs.
        keep_days: Days that every run is kept.
        now: Until when; None: the clock's.

    Returns:
        How many are gone.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=keep_days)
    old = [
        run.run_id
        for run in instance.get_runs(dg.RunsFilter(statuses=ENDED, created_before=before))
    ]
    if not old:
        return 0
    shown = set(_newest_of_partitions(instance)) | set(_newest_of_jobs(instance))
    gone = [run_id for run_id in old if run_id not in shown]
    for run_id in gone:
        # What they printed first: once a run is gone, nobody would look for it again.
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    return len(gone)


def _newest_of_partitions(instance: dg.DagsterInstance) -> Iterator[str]:
    """Runs that made what is shown of each asset and partition now."""
    for key in instance.get_asset_keys():
        seen: set[str | None] = set()
        cursor = None
        while True:
            page = instance.fetch_materializations(key, limit=_PAGE, cursor=cursor)
            for record in page.records:
                if record.partition_key not in seen:
                    seen.add(record.partition_key)
                    yield record.run_id
            if not page.has_more:
                break
            cursor = page.cursor


def _newest_of_jobs(instance: dg.DagsterInstance) -> Iterator[str]:
    for job in JOBS:
        yield from (
            run.run_id
            for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=ENDED), limit=1)
        )
