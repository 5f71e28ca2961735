"""Trainings whose process was killed while they were logged: closed, so that none runs for good.

MLflow never learns of it. Each run notes which process logs it; whoever looks next closes those
whose process is gone, and what they had begun to store of a model.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from types import ModuleType
from typing import Any

from customer360.errors import first_line
from customer360.home_lock import Writer
from customer360.models.tracking.connection import (
    Tracking,
    TrackingError,
    connected,
    experiment_of,
)
from customer360.redaction import without_credentials

log = logging.getLogger(__name__)

_PROCESS = "customer360/process"
"""Tag of a run: which process logs it."""

_WHAT = "a training"


def process_tag() -> dict[str, str]:
    """The tag which says that this process logs a run."""
    return {_PROCESS: json.dumps(asdict(Writer.this_process(_WHAT)))}


def end_dead_trainings(tracking: Tracking) -> list[str]:
    """Close the runs of processes that are gone, as ``KILLED``; who asks goes on if it fails.

    Returns:
        The runs.
    """
    try:
        with connected(tracking) as mlflow:
            return close_dead(mlflow, experiment_of(mlflow, tracking))
    except TrackingError as error:
        _warn(error)
        return []


def close_dead(mlflow: ModuleType, experiment_id: str) -> list[str]:
    """The same, of an MLflow that is connected.

    A run of another machine is left alone, and so is one that does not say whose it is.

    Args:
        mlflow: As `connected` gives it.
        experiment_id: Of the trainings.

    Returns:
        The runs.
    """
    ended: list[str] = []
    try:
        ended.extend(_closed(mlflow.MlflowClient(), experiment_id))
    except Exception as error:  # noqa: BLE001 - SQLAlchemy's, requests' and MLflow's own
        _warn(error)
    return ended


def _closed(client: Any, experiment_id: str) -> Iterator[str]:
    for run in client.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
        noted = run.data.tags.get(_PROCESS)
        if noted is None or Writer(**json.loads(noted)).is_alive():
            continue
        run_id = str(run.info.run_id)
        begun = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
        for model in begun:
            if not model.status.is_finalized(model.status):
                client.finalize_logged_model(model.model_id, "FAILED")
        client.set_terminated(run_id, status="KILLED")
        yield run_id


def _warn(error: Exception) -> None:
    log.warning(
        "trainings that were killed go on running in MLflow: %s",
        without_credentials(first_line(error)),
    )
