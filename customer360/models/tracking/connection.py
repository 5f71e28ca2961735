"""Where trainings are tracked, and MLflow pointed at it for the time of its use."""

from __future__ import annotations

import contextlib
import logging
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

import tenacity

from customer360.errors import Customer360Error, first_line
from customer360.libpq import is_postgres
from customer360.redaction import without_credentials

log = logging.getLogger(__name__)

Ask = TypeVar("Ask", bound=Callable[..., Any])

CHAMPION = "champion"
CHALLENGER = "challenger"
EXPERIMENT = "customer360"

_SQLITE = "sqlite:///"
_ABSENT = "RESOURCE_DOES_NOT_EXIST"
"""What MLflow calls a model, or a version, that there is not."""

_NOISY = {
    "alembic": logging.WARNING,
    "mlflow": logging.WARNING,
    "mlflow.store.db.utils": logging.WARNING,
    # Warns that pip is not installed, which it need not be: requirements are given by us.
    "mlflow.utils.environment": logging.ERROR,
}


ATTEMPTS = 3
"""How often MLflow is asked before a step fails: a lock or a restart is over in less."""

_SHORTEST_WAIT, _LONGEST_WAIT = 1.0, 10.0


class TrackingError(Customer360Error):
    """The tracking server or database cannot be used."""


class TrackingUnavailableError(TrackingError):
    """The tracking server or database does not say what it holds.

    Attributes:
        temporary: It may later: a lock, a server that restarts.
    """

    def __init__(self, message: str, *, temporary: bool) -> None:
        super().__init__(message)
        self.temporary = temporary


def _retried(ask: Ask) -> Ask:
    """Ask again, after some seconds, where MLflow may answer then."""
    again = tenacity.retry(
        retry=tenacity.retry_if_exception(lambda error: getattr(error, "temporary", False)),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential_jitter(_SHORTEST_WAIT, _LONGEST_WAIT),
        before_sleep=tenacity.before_sleep_log(log, logging.WARNING),
        reraise=True,
    )
    return cast("Ask", again(ask))


@dataclass(frozen=True)
class Tracking:
    """Where trainings are tracked.

    Attributes:
        uri: Tracking and registry URI: ``sqlite:////…/mlflow.db`` or a server's. It may hold a
            password; `shown` does not.
        artifacts: Folder (or object store URI) of plots and models for a local database; ``None``
            leaves it to the server.
        experiment: Name of the experiment.
    """

    uri: str = field(repr=False)
    artifacts: str | Path | None = None
    experiment: str = EXPERIMENT

    @property
    def shown(self) -> str:
        """The URI for messages and pages."""
        return without_credentials(self.uri)

    @property
    def is_there(self) -> bool:
        """Whether anything can have been logged: a local database is made by the first training."""
        file = self.uri.removeprefix(_SQLITE)
        return not self.uri.startswith(_SQLITE) or Path(file).exists()

    @property
    def is_database(self) -> bool:
        """Whether it is a database that nobody but us keeps in order, and no server."""
        return self.uri.startswith(_SQLITE) or is_postgres(self.uri)

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
        TrackingError: The database or server does not answer, or refuses what it is asked.
    """
    mlflow = import_mlflow()
    if tracking.uri.startswith(_SQLITE):
        Path(tracking.uri.removeprefix(_SQLITE)).parent.mkdir(parents=True, exist_ok=True)
    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    for name, level in _NOISY.items():
        logging.getLogger(name).setLevel(level)
    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_registry_uri(tracking.uri)
    try:
        yield mlflow
    except mlflow.exceptions.MlflowException as error:
        raise _unavailable(tracking.uri, error) from _to_tell(error)
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@_retried
def experiment_of(mlflow: ModuleType, tracking: Tracking) -> str:
    """The experiment's id; it is made when there is none.

    Raises:
        TrackingUnavailableError: The database or server does not answer, asked several times.
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
    except Exception as error:  # noqa: BLE001 - SQLAlchemy's, requests' and MLflow's own
        raise _unavailable(tracking.uri, error) from _to_tell(error)


@_retried
def registered(mlflow: ModuleType, name: str, alias: str) -> Any | None:
    """The version with this alias; ``None`` when MLflow says that there is none.

    Raises:
        TrackingUnavailableError: MLflow does not say, asked several times: a database that is
            locked is no database without a champion.
    """
    client = mlflow.MlflowClient()
    try:
        version = client.get_registered_model(name).aliases.get(alias)
        return None if version is None else client.get_model_version(name, version)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code == _ABSENT:
            return None
        raise _unavailable(mlflow.get_tracking_uri(), error) from _to_tell(error)


@_retried
def written(mlflow: ModuleType, write: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Write something to MLflow that leaves the same when it is written twice.

    Args:
        mlflow: The module, connected.
        write: Call that sets a tag, an alias, a text.
        *arguments: Its own.
        **named: Its own, by name.

    Raises:
        TrackingUnavailableError: MLflow does not take it, asked several times.
    """
    try:
        write(*arguments, **named)
    except mlflow.exceptions.MlflowException as error:
        raise _unavailable(mlflow.get_tracking_uri(), error) from _to_tell(error)


def _unavailable(uri: str, error: Exception) -> TrackingUnavailableError:
    return TrackingUnavailableError(
        without_credentials(
            f"MLflow at {uri} cannot be used: {first_line(error)}; check mlflow_tracking_uri, or "
            "run again when it answers"
        ),
        temporary=_is_temporary(error),
    )


def _to_tell(error: Exception) -> Exception | None:
    """The error as the cause of ours; None where its trace, which Dagster keeps, has a password."""
    trace = "".join(traceback.format_exception(error))
    return error if without_credentials(trace) == trace else None


def _is_temporary(error: Exception) -> bool:
    """A server's other failures were retried by MLflow's own client already."""
    from sqlalchemy.exc import OperationalError  # comes with MLflow, and as late

    code = getattr(error, "error_code", None)
    return code == "TEMPORARILY_UNAVAILABLE" or isinstance(error, OperationalError)


def short_name(name: str) -> str:
    """A model's registered name as people and the command line know it: ``lifetime-value``."""
    return name.removeprefix("customer360_").replace("_", "-")
