"""Runs whose process was killed: noticed, so that they hold up no other.

Dagster notices that by itself only where something else launches its runs, like Kubernetes; with
processes on one machine such a run would be shown as running for good, and count as the one that
may run at a time, so that no night would follow it.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import dagster as dg

from customer360.home_lock import Writer
from customer360.settings import Settings

PROCESS_TAG = "customer360/process"
"""Tag of a run: which process works on it."""


def note_process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Keep with ``run`` that this process works on it."""
    instance.add_run_tags(run.run_id, process_tag(run.run_id))


def process_tag(run_id: str) -> dict[str, str]:
    """The tag which says that this process works on a run."""
    return {PROCESS_TAG: json.dumps(asdict(Writer.this_process(name_of(run_id))))}


def name_of(run_id: str) -> str:
    """What a run is called where it holds a home."""
    return f"Dagster's run {run_id[:8]}"


def process_of(run: dg.DagsterRun) -> Writer | None:
    """The process that works on ``run``; None where none has noted that it does.

    A run that is started again inherits the tags of the one before: that process is not its own.
    """
    if PROCESS_TAG not in run.tags:
        return None
    writer = Writer(**json.loads(run.tags[PROCESS_TAG]))
    return writer if writer.what == name_of(run.run_id) else None


def end_dead_runs(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Show as failed each run that is shown as running, or about to, and whose process is gone.

    Those that the daemon has started it starts again, as ``run_retries`` in ``dagster.yaml`` says.
    What they were logging in MLflow is closed as well.

    Args:
        settings: The deployment's.
        instance: Its Dagster instance.
    """
    if not _end(instance) or not (settings.mlflow_dir.exists() or settings.mlflow_tracking_uri):
        return
    # Only now: MLflow takes seconds to load, and hardly ever has a run been killed.
    from customer360.models.tracking.unfinished import end_dead_trainings
    from customer360.pipeline.run_models import tracking_of

    end_dead_trainings(tracking_of(settings))


def _end(instance: dg.DagsterInstance) -> bool:
    """Show dead runs as failed; whether there was one."""
    ended = False
    running = dg.RunsFilter(
        statuses=[
            dg.DagsterRunStatus.NOT_STARTED,
            dg.DagsterRunStatus.STARTING,
            dg.DagsterRunStatus.STARTED,
            dg.DagsterRunStatus.CANCELING,
        ],
    )
    for run in instance.get_runs(running):
        writer = process_of(run)
        if writer is None:
            continue
        # Looked at once more after its process: one that ended just now has said how.
        if writer.is_alive() or not instance.get_runs(
            dg.RunsFilter(run_ids=[run.run_id], statuses=running.statuses)
        ):
            continue
        instance.report_run_failed(
            run,
            f"its process ({writer.pid}) ended without a word: killed, or out of memory; "
            "it can be run again",
        )
        ended = True
    return ended
