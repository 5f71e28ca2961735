"""MLflow: every training with its parameters, figures, plots and data versions, and its champion.

By default a SQLite file and a folder of artifacts, both in the deployment's home; any tracking
server by its URI. The registry's alias ``champion`` names the version that scores.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import pandas as pd

from customer360.errors import Customer360Error
from customer360.models.churn import CATEGORICAL_FEATURES, ChurnModel, ChurnTraining
from customer360.models.lifetime_value import LifetimeValueModel, LifetimeValueTraining
from customer360.models.promotion import Gate, Verdict, decide

CHURN = "customer360_churn"
LIFETIME_VALUE = "customer360_lifetime_value"
CHAMPION = "champion"
CHALLENGER = "challenger"
EXPERIMENT = "customer360"

_DESCRIPTION = "customer360_model"
"""Key of the model's own JSON in the metadata that MLflow keeps with a model."""

_JUDGED = "customer360_judged_model"
"""Key, likewise, of the model that was judged on a holdout, where another one is published."""

_TREES = "model.ubj"
"""File with XGBoost's trees among the files that MLflow keeps with a model."""

_FINGERPRINT = "fingerprint"
"""Tag of a registered version: which model it is, whatever the run."""

_REPLACED = "replaced"
"""Tag of a version that became champion: the version that was it before."""

_TESTED = "tested"
"""Tag of a registered version: "yes" when it was judged on a holdout."""

_BEATS_BASELINE = "beats_baseline"
"""Tag of a registered version: True, False, or None when it was not tested."""

_NOISY = {
    "alembic": logging.WARNING,
    "mlflow": logging.WARNING,
    "mlflow.store.db.utils": logging.WARNING,
    # Warns that pip is not installed, which it need not be: requirements are given by us.
    "mlflow.utils.environment": logging.ERROR,
}


class NoChampionError(Customer360Error):
    """No version of this model is the champion yet."""


class TrackingError(Customer360Error):
    """The tracking server or database cannot be used."""


class PromotionError(Customer360Error):
    """A version cannot be made the champion; the message says why."""


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


@dataclass(frozen=True)
class LoggedTraining:
    """Where a training was logged.

    Attributes:
        model_name: Registered name.
        version: Registered version, as written beside scores.
        run_id: MLflow's run.
        experiment_id: MLflow's experiment.
        model_uri: ``models:/name/version``.
        url: Page of the run on a tracking server; ``None`` for a local database.
        verdict: Whether it is the champion, and why.
    """

    model_name: str
    version: str
    run_id: str
    experiment_id: str
    model_uri: str
    url: str | None
    verdict: Verdict


Model = TypeVar("Model", ChurnModel, LifetimeValueModel)


@dataclass(frozen=True)
class Champion(Generic[Model]):
    """The model that scores, and which version it is.

    Attributes:
        model: Ready for ``score``.
        version: Registered version.
        run_id: The training it came from.
        tags: Tags of that version: its status, its as-of date.
        judged: The model of the same training that has not seen its holdout, where it is another
            one than ``model``, and the last day that it saw.
    """

    model: Model
    version: str
    run_id: str
    tags: dict[str, str]
    judged: tuple[Model, date] | None = None


def _mlflow() -> ModuleType:
    """Import MLflow (three seconds) when it is first needed, told to send nothing anywhere."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # Requirements are given by us; MLflow would run `uv export` in whatever folder this is.
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    return mlflow


@contextlib.contextmanager
def _connected(tracking: Tracking) -> Iterator[ModuleType]:
    """MLflow pointed at ``tracking``, its chatter off; both are put back afterwards.

    Raises:
        TrackingError: The database or server does not answer.
    """
    mlflow = _mlflow()
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


def _experiment_id(mlflow: ModuleType, tracking: Tracking) -> str:
    try:
        found = mlflow.get_experiment_by_name(tracking.experiment)
        if found is not None:
            return str(found.experiment_id)
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


def log_training(
    training: ChurnTraining | LifetimeValueTraining,
    tracking: Tracking,
    gate: Gate,
    *,
    table_versions: Mapping[str, int] | None = None,
    tags: Mapping[str, str] | None = None,
) -> LoggedTraining:
    """Log one training, register its model, and make it champion if it passes the gate.

    A model that does not pass, or was made for an earlier day than the champion, gets the alias
    ``challenger``.

    Logged: parameters, metrics, plots, the model with signature and input example, the Delta
    versions of the tables it was trained on (parameters ``delta_version/<layer>/<table>``), its
    status and notes. A fallback is registered too: it is what scores then, and says so. A training
    that came to the very model that is champion already is not logged again, so running a day
    twice leaves one version.

    Args:
        training: From `churn.train` or `lifetime_value.train`.
        tracking: Where.
        gate: What it must beat.
        table_versions: Delta version by table name.
        tags: Further tags of the run, for example the Dagster run id.

    Raises:
        TrackingError: The database or server does not answer.
    """
    name = CHURN if isinstance(training, ChurnTraining) else LIFETIME_VALUE
    fingerprint = _fingerprint(training)
    with _connected(tracking) as mlflow:
        experiment_id = _experiment_id(mlflow, tracking)
        champion = _registered(mlflow, name, CHAMPION)
        for alias, known in (
            (CHAMPION, champion),
            (CHALLENGER, _registered(mlflow, name, CHALLENGER)),
        ):
            if known is not None and known.tags.get(_FINGERPRINT) == fingerprint:
                same = Verdict(
                    alias == CHAMPION,
                    known.tags.get(_BEATS_BASELINE, "True") == "True",
                    f"the same model as the {alias} v{known.version}",
                )
                return _logged_as(name, known, experiment_id, tracking, same)
        label = f"{name.removeprefix('customer360_')} {training.as_of}"
        with mlflow.start_run(experiment_id=experiment_id, run_name=label):
            versions = {f"delta_version/{t}": v for t, v in (table_versions or {}).items()}
            mlflow.log_params({**training.parameters, **versions})
            mlflow.log_metrics(training.metrics)
            described = {
                "model": name,
                "status": training.status,
                "as_of": training.as_of.isoformat(),
                "code_version": version("customer360"),
            }
            if training.notes:
                described["notes"] = "; ".join(training.notes)
            mlflow.set_tags({**described, **(tags or {})})
            _log_images(mlflow, training.plots)
            logged = (
                _log_churn(mlflow, training)
                if isinstance(training, ChurnTraining)
                else _log_lifetime_value(mlflow, training)
            )
        verdict = _verdict(training, gate, champion)
        client = mlflow.MlflowClient()
        stated = {name: described[name] for name in ("status", "as_of")} | {
            _FINGERPRINT: fingerprint,
            _TESTED: "yes" if gate.candidate in training.metrics else "no",
            _BEATS_BASELINE: str(verdict.beats_baseline),
            "verdict": verdict.reason,
        }
        if verdict.promoted and champion is not None:
            stated[_REPLACED] = str(champion.version)
        # MLflow prints "Successfully registered" to stderr, which is for errors here.
        with contextlib.redirect_stderr(io.StringIO()):
            registered = mlflow.register_model(logged.model_uri, name, tags=stated)
        alias = CHAMPION if verdict.promoted else CHALLENGER
        client.set_registered_model_alias(name, alias, registered.version)
    return _logged_as(name, registered, experiment_id, tracking, verdict)


def _verdict(
    training: ChurnTraining | LifetimeValueTraining, gate: Gate, champion: Any | None
) -> Verdict:
    if champion is None:
        return decide(training.metrics, gate, None)
    version, made_for = str(champion.version), champion.tags.get("as_of", "")
    if made_for > training.as_of.isoformat():
        return Verdict(
            False,
            None,
            f"it was trained for {training.as_of}; the champion v{version}, for {made_for}, stays",
        )
    tested = champion.tags.get(_TESTED, "yes") == "yes"
    return decide(training.metrics, gate, version, champion_tested=tested)


def _fingerprint(training: ChurnTraining | LifetimeValueTraining) -> str:
    """Equal for two trainings that came to the same model for the same date."""
    described = f"{training.as_of}\n{training.model.to_json()}".encode()
    booster = training.model.booster if isinstance(training.model, ChurnModel) else b""
    return hashlib.sha256(described + booster).hexdigest()


def _registered(mlflow: ModuleType, name: str, alias: str) -> Any | None:
    try:
        return mlflow.MlflowClient().get_model_version_by_alias(name, alias)
    except mlflow.exceptions.MlflowException:
        return None


def _logged_as(
    name: str, registered: Any, experiment_id: str, tracking: Tracking, verdict: Verdict
) -> LoggedTraining:
    server = tracking.uri.startswith("http")
    run_id = str(registered.run_id)
    page = f"{tracking.uri.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"
    return LoggedTraining(
        model_name=name,
        version=str(registered.version),
        run_id=run_id,
        experiment_id=experiment_id,
        model_uri=f"models:/{name}/{registered.version}",
        url=page if server else None,
        verdict=verdict,
    )


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a model in the registry.

    Attributes:
        version: Its number.
        aliases: ``champion``, ``challenger`` or none.
        as_of: Day it was trained for.
        status: "trained", or "fallback: " and why.
        verdict: Why it was or was not promoted when it was trained.
    """

    version: str
    aliases: tuple[str, ...]
    as_of: str
    status: str
    verdict: str


def registered_versions(name: str, tracking: Tracking) -> list[RegisteredVersion]:
    """All versions of a model, newest first.

    Raises:
        TrackingError: The database or server does not answer.
    """
    with _connected(tracking) as mlflow:
        _experiment_id(mlflow, tracking)
        client = mlflow.MlflowClient()
        aliases: dict[str, list[str]] = {}
        for alias in (CHAMPION, CHALLENGER):
            known = _registered(mlflow, name, alias)
            if known is not None:
                aliases.setdefault(str(known.version), []).append(alias)
        found = client.search_model_versions(f"name='{name}'")
        return [
            RegisteredVersion(
                version=str(each.version),
                aliases=tuple(aliases.get(str(each.version), ())),
                as_of=each.tags.get("as_of", ""),
                status=each.tags.get("status", ""),
                verdict=each.tags.get("verdict", ""),
            )
            for each in sorted(found, key=lambda each: -int(each.version))
        ]


def promote(name: str, version: str, tracking: Tracking) -> str | None:
    """Make a version the champion, whatever the gate said.

    Returns:
        The version that was champion before; ``None`` when there was none.

    Raises:
        PromotionError: There is no such version, or it is the champion already.
        TrackingError: The database or server does not answer.
    """
    known = [each.version for each in registered_versions(name, tracking)]
    short = _short(name)
    if version not in known:
        raise PromotionError(
            f"{short} has no version {version}; it has "
            f"{', '.join(known) if known else 'none yet: run `make train`'}"
        )
    with _connected(tracking) as mlflow:
        champion = _registered(mlflow, name, CHAMPION)
        before = None if champion is None else str(champion.version)
        if before == version:
            raise PromotionError(f"{short} v{version} is the champion already")
        client = mlflow.MlflowClient()
        if before is not None:
            client.set_model_version_tag(name, version, _REPLACED, before)
        _crown(mlflow, name, version)
        return before


def rollback(name: str, tracking: Tracking) -> tuple[str, str]:
    """Make the version champion again that the champion replaced; the latter is challenger then.

    Returns:
        The version that is champion now, and the one that was.

    Raises:
        PromotionError: The champion replaced nobody.
        TrackingError: The database or server does not answer.
    """
    with _connected(tracking) as mlflow:
        _experiment_id(mlflow, tracking)
        champion = _registered(mlflow, name, CHAMPION)
        earlier = champion.tags.get(_REPLACED) if champion is not None else None
        if champion is None or earlier is None:
            raise PromotionError(
                f"{_short(name)} has no earlier champion to go back to; "
                "`customer360 models` lists the versions there are"
            )
        _crown(mlflow, name, earlier)
        mlflow.MlflowClient().set_registered_model_alias(name, CHALLENGER, champion.version)
        return earlier, str(champion.version)


def _crown(mlflow: ModuleType, name: str, version: str) -> None:
    client = mlflow.MlflowClient()
    challenger = _registered(mlflow, name, CHALLENGER)
    if challenger is not None and str(challenger.version) == version:
        client.delete_registered_model_alias(name, CHALLENGER)
    client.set_registered_model_alias(name, CHAMPION, version)


def _short(name: str) -> str:
    return name.removeprefix("customer360_").replace("_", "-")


def _log_images(mlflow: ModuleType, plots: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, png in plots.items():
            (Path(folder) / f"{name}.png").write_bytes(png)
        if plots:
            mlflow.log_artifacts(folder, "plots")


def _requirements(*packages: str) -> list[str]:
    """Pinned as installed; given by us, because MLflow would start a process to find out."""
    return [f"{package}=={version(package)}" for package in packages]


def _log_churn(mlflow: ModuleType, training: ChurnTraining) -> Any:
    """The calibrated model on features as they are in gold; a fallback needs the silence only."""
    model = training.model
    example = (
        training.sample
        if model.kind == "xgboost"
        else pd.DataFrame({"days_since_last_purchase": [10.0, 100.0]})
    )
    from mlflow.types import ColSpec, DataType, Schema

    kinds = {
        name: DataType.string if name in CATEGORICAL_FEATURES else DataType.double
        for name in example.columns
    }
    signature = mlflow.models.ModelSignature(
        # Declared, not inferred: a source may have no category at all, and nulls have no type.
        inputs=Schema([ColSpec(kind, name, required=False) for name, kind in kinds.items()]),
        outputs=Schema([ColSpec(DataType.double, "churn_probability")]),
    )
    return _log_from_code(
        mlflow, "served_churn.py", model.to_json(), example, signature, trees=model.booster
    )


def _log_lifetime_value(mlflow: ModuleType, training: LifetimeValueTraining) -> Any:
    example = training.sample.astype("float64")
    return _log_from_code(
        mlflow,
        "served_lifetime_value.py",
        training.model.to_json(),
        example,
        mlflow.models.infer_signature(example, training.model.predict(example)),
        judged=_judged_json(training),
    )


def _judged_json(training: LifetimeValueTraining) -> str:
    if training.calibration_model is None or training.calibration_as_of is None:
        return ""
    saw_until = training.calibration_as_of.isoformat()
    return json.dumps({"as_of": saw_until, "model": training.calibration_model.to_json()})


def _log_from_code(
    mlflow: ModuleType,
    file: str,
    parameters: str,
    example: pd.DataFrame,
    signature: Any,
    trees: bytes = b"",
    judged: str = "",
) -> Any:
    """A model that is code in this package and numbers in files: nothing is pickled."""
    with tempfile.TemporaryDirectory() as folder:
        stored = {"parameters": Path(folder) / "parameters.json"}
        stored["parameters"].write_text(parameters, encoding="utf-8")
        if trees:
            stored["trees"] = Path(folder) / _TREES
            stored["trees"].write_bytes(trees)
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name(file)),
            artifacts={name: str(path) for name, path in stored.items()},
            signature=signature,
            input_example=example,
            pip_requirements=_requirements("customer360"),
            metadata={_DESCRIPTION: parameters} | ({_JUDGED: judged} if judged else {}),
        )


def load_churn_champion(tracking: Tracking) -> Champion[ChurnModel]:
    """The churn model that scores.

    Raises:
        NoChampionError: None has been trained yet.
    """
    folder, text, _, found = _champion(CHURN, tracking)
    trees = sorted(folder.rglob(_TREES))
    booster = trees[0].read_bytes() if trees else b""
    return Champion(ChurnModel.from_json(text, booster), **found)


def load_lifetime_value_champion(tracking: Tracking) -> Champion[LifetimeValueModel]:
    """The lifetime-value model that scores.

    Raises:
        NoChampionError: None has been trained yet.
    """
    _, text, stored, found = _champion(LIFETIME_VALUE, tracking)
    judged = None
    if stored:
        given = json.loads(stored)
        judged = LifetimeValueModel.from_json(given["model"]), date.fromisoformat(given["as_of"])
    return Champion(LifetimeValueModel.from_json(text), **found, judged=judged)


def _champion(name: str, tracking: Tracking) -> tuple[Path, str, str | None, dict[str, Any]]:
    """Folder of the champion's files, its own JSON, that of the judged one, and its version."""
    with _connected(tracking) as mlflow:
        _experiment_id(mlflow, tracking)
        try:
            registered = mlflow.MlflowClient().get_model_version_by_alias(name, CHAMPION)
        except mlflow.exceptions.MlflowException as error:
            short = _short(name)
            raise NoChampionError(
                f"no {short} model yet in MLflow at {tracking.uri}: run `make train`"
            ) from error
        uri = f"models:/{name}/{registered.version}"
        try:
            folder = Path(mlflow.artifacts.download_artifacts(uri))
            metadata = mlflow.models.Model.load(str(folder)).metadata or {}
            text = metadata[_DESCRIPTION]
        except (mlflow.exceptions.MlflowException, OSError, KeyError) as error:
            raise TrackingError(
                f"{uri} in MLflow at {tracking.uri} has lost its files; run `make train`"
            ) from error
        return (
            folder,
            text,
            metadata.get(_JUDGED),
            {
                "version": str(registered.version),
                "run_id": str(registered.run_id),
                "tags": dict(registered.tags),
            },
        )


@dataclass(frozen=True)
class ChampionFigures:
    """What the champion's training measured.

    Attributes:
        version: Registered version.
        status: "trained", or "fallback: " and why.
        notes: What else a reader must know; empty when nothing.
        metrics: Figures of the model and of its baselines, by name.
        parameters: Parameters as logged.
    """

    version: str
    status: str
    notes: str
    metrics: dict[str, float]
    parameters: dict[str, str]


def champion_figures(name: str, tracking: Tracking) -> ChampionFigures | None:
    """Figures of the model's champion; ``None`` when none has been trained.

    Raises:
        TrackingError: The database or server does not answer.
    """
    with _connected(tracking) as mlflow:
        _experiment_id(mlflow, tracking)
        registered = _registered(mlflow, name, CHAMPION)
        if registered is None:
            return None
        run = mlflow.MlflowClient().get_run(registered.run_id)
        return ChampionFigures(
            version=str(registered.version),
            status=run.data.tags.get("status", ""),
            notes=run.data.tags.get("notes", ""),
            metrics=dict(run.data.metrics),
            parameters=dict(run.data.params),
        )
