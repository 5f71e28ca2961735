"""Taking away old versions of models, with their files; never one that scores or may again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from customer360.errors import first_line
from customer360.models.spec import ModelSpec
from customer360.models.tracking.connection import (
    CHALLENGER,
    CHAMPION,
    Tracking,
    TrackingError,
    connected,
    experiment_of,
    registered,
)
from customer360.models.tracking.versions import REPLACED


@dataclass(frozen=True)
class Pruned:
    """What was taken away of a model.

    Attributes:
        model: Its name, as people know it.
        versions: The versions that are gone, oldest first.
        kept: How many are left.
    """

    model: str
    versions: tuple[str, ...]
    kept: int


def prune(spec: ModelSpec[Any], tracking: Tracking, *, keep: int) -> Pruned:
    """Take away all versions but the newest ``keep``.

    Champion, challenger and the version that a rollback would go back to stay, however old.

    Args:
        spec: The model.
        tracking: Where its versions are.
        keep: How many of the newest stay.

    Raises:
        TrackingError: MLflow does not answer.
    """
    with connected(tracking) as mlflow:
        experiment_of(mlflow, tracking)
        client = mlflow.MlflowClient()
        versions = sorted(
            client.search_model_versions(f"name='{spec.registered}'"),
            key=lambda each: int(each.version),
        )
        needed = _needed(mlflow, spec.registered)
        old = [each for each in versions[:-keep] if str(each.version) not in needed]
        for each in old:
            client.delete_model_version(spec.registered, each.version)
            if (model_id := getattr(each, "model_id", None)) is not None:
                client.delete_logged_model(model_id)
            client.delete_run(each.run_id)
    if old:
        _collect(tracking, [str(each.run_id) for each in old])
    return Pruned(spec.title, tuple(str(each.version) for each in old), len(versions) - len(old))


def _needed(mlflow: ModuleType, name: str) -> set[str]:
    champion, challenger = (registered(mlflow, name, alias) for alias in (CHAMPION, CHALLENGER))
    needed = {str(each.version) for each in (champion, challenger) if each is not None}
    if champion is not None and champion.tags.get(REPLACED):
        needed.add(str(champion.tags[REPLACED]))
    return needed


def _collect(tracking: Tracking, runs: Sequence[str]) -> None:
    """Remove the files of deleted runs from a database of our own; a server collects by itself."""
    if not tracking.is_database:
        return
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", "gc", "--run-ids", ",".join(runs)],
        # Not as an argument, which every user of the machine may read: it may hold a password.
        env=os.environ | {"MLFLOW_TRACKING_URI": tracking.uri, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = first_line(RuntimeError((done.stderr.strip().splitlines() or ["failed"])[-1]))
        raise TrackingError(f"mlflow gc: {said}; the versions are deleted, some files are left")
