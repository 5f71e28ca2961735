"""Where trainings are tracked, and MLflow pointed at it for the time of its use."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from customer360.errors import Customer360Error

CHAMPION = "champion"
CHALLENGER = "challenger"
EXPERIMENT = "customer360"

_NOISY = {
    "alembic": logging.WARNING,
    "mlflow": logging.WARNING,
    "mlflow.store.db.utils": logging.WARNING,
    # Warns that pip is not installed, which it need not be: requirements are given by us.
    "mlflow.utils.environment": logging.ERROR,
}


class TrackingError(Customer360Error):
    """The tracking server or database cannot be used."""


@dataclass(frozen=True)
class Tracking:
    """Where trainings are tracked.

    Attributes:
        uri: Tracking and registry URI: ``sqlite:////…/mlflow.db`` or a server's.
        artifacts: Folder (or object store URI) of plots and models for a local database; ``None``
            leaves it to the server.
        experiment: Name of the experiment.
    """

    uri: str
    artifacts: str | Path | None = None
    experiment: str = EXPERIMENT

    @property
    def artifact_location(self) -> str | None:
        """The artifacts' place as MLflow wants it."""
        if self.artifacts is None:
            return None
        text = str(self.artifacts)
        return text if "://" in text else Path(text).absolute().as_uri()


def import_mlflow() -> ModuleType:
    """Import MLflow (three seconds) when it is first needed, told to send nothing anywhere."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # Requirements are given by us; MLflow would run `uv export` in whatever folder this is.
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    return mlflow


@contextlib.contextmanager
def connected(tracking: Tracking) -> Iterator[ModuleType]:
    """MLflow pointed at ``tracking``, its chatter off; both are put back afterwards.

    Raises:
        TrackingError: The database or server does not answer.
    """
    mlflow = import_mlflow()
    if tracking.uri.startswith("sqlite:///"):
        Path(tracking.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    for name, level in _NOISY.items():
        logging.getLogger(name).setLevel(level)
    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_registry_uri(tracking.uri)
    try:
        yield mlflow
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def experiment_of(mlflow: ModuleType, tracking: Tracking) -> str:
    """The experiment's id; it is made when there is none.

    Raises:
        TrackingError: The database or server does not answer.
    """
    try:
        experiment = mlflow.get_experiment_by_name(tracking.experiment)
        if experiment is not None:
            return str(experiment.experiment_id)
        return str(
            mlflow.create_experiment(
                tracking.experiment, artifact_location=tracking.artifact_location
            )
        )
    except Exception as error:  # SQLAlchemy's, requests' and MLflow's own
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        raise TrackingError(
            f"MLflow at {tracking.uri} cannot be used: {reason}; check mlflow_tracking_uri"
        ) from error


def registered(mlflow: ModuleType, name: str, alias: str) -> Any | None:
    """The version with this alias; ``None`` when there is none."""
    try:
        return mlflow.MlflowClient().get_model_version_by_alias(name, alias)
    except mlflow.exceptions.MlflowException:
        return None


def short_name(name: str) -> str:
    """A model's registered name as people and the command line know it: ``lifetime-value``."""
    return name.removeprefix("customer360_").replace("_", "-")
