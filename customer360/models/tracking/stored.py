"""Models into MLflow and back: what is stored of each, and how it is read."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic

from customer360.errors import Customer360Error
from customer360.models.lineage import FeatureSchema
from customer360.models.noted import last_noted, noted
from customer360.models.spec import ModelSpec
from customer360.models.tracking.connection import (
    CHAMPION,
    Tracking,
    TrackingError,
    TrackingUnavailableError,
    connected,
    experiment_of,
    registered,
    short_name,
)
from customer360.models.tracking.form import PARAMETERS, ModelForm, StoredModel, digests_in
from customer360.models.training import Model

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

_DESCRIPTION = "customer360_model"
"""Key of the model's own JSON in the metadata that MLflow keeps with a model."""

_JUDGED = "customer360_judged_model"
"""Key, likewise, of the model that was judged on a holdout, where another one is published."""

_SCHEMA = "customer360_feature_schema"
"""Key, likewise, of the columns that it was trained on."""


class NoChampionError(Customer360Error):
    """No version of this model is the champion yet."""


@dataclass(frozen=True)
class Champion(Generic[Model]):
    """The model that scores, and which version it is.

    Attributes:
        model: Ready for ``score``.
        name: Registered name, as written beside scores.
        version: Registered version.
        run_id: The training it came from.
        tags: Tags of that version: its status, its as-of date.
        judged: The model of the same training that has not seen its holdout, where it is another
            one than ``model``, and the last day that it saw.
        schema: Columns that it was trained on; ``None`` where that was not noted.
    """

    model: Model
    name: str
    version: str
    run_id: str
    tags: dict[str, str]
    judged: tuple[Model, date] | None = None
    schema: FeatureSchema | None = None

    def check_schema(self, features: DataFrame, columns: Sequence[str]) -> None:
        """See that ``features`` has the columns that the model was trained on, of their types.

        Args:
            features: What shall be scored.
            columns: Those of them that a model of today reads.

        Raises:
            FeatureSchemaError: They differ; the message names the difference.
        """
        if self.schema is not None:
            self.check(FeatureSchema.of(features, columns))

    def check(self, offered: FeatureSchema) -> None:
        """See that the columns offered are those that the model was trained on.

        Raises:
            FeatureSchemaError: They differ; the message names the difference.
        """
        if self.schema is not None:
            self.schema.check(offered, f"{short_name(self.name)} v{self.version}")


def store(mlflow: ModuleType, form: ModelForm, schema: FeatureSchema | None) -> Any:
    """Log a model in the run that is open.

    Args:
        mlflow: The module, connected.
        form: What to keep of the model.
        schema: Columns that it was trained on, kept with it; ``None`` when they are not known.

    Returns:
        What MLflow says of the logged model; its ``model_uri`` can be registered.
    """
    metadata = {_DESCRIPTION: form.parameters}
    if schema:
        metadata[_SCHEMA] = schema.to_json()
    if form.judged:
        metadata[_JUDGED] = form.judged
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        files = {"parameters": (PARAMETERS, form.parameters.encode()), **form.files}
        for name, (file_name, contents) in files.items():
            (Path(folder) / file_name).write_bytes(contents)
            paths[name] = str(Path(folder) / file_name)
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(form.code),
            artifacts=paths,
            signature=form.signature,
            input_example=form.example,
            # Given by us, because MLflow would start a process to find out.
            pip_requirements=[f"customer360=={version('customer360')}"],
            metadata=metadata,
        )


def load_champion(spec: ModelSpec[Model], tracking: Tracking) -> Champion[Model]:
    """The version of the model that scores.

    Raises:
        NoChampionError: None has been trained yet.
        ChangedModelError: It is not what training wrote.
        Customer360Error: It cannot be read, for example because other versions of libraries made
            it.
    """
    return _restored(spec, *_champion(spec, tracking))


def noted_champion(spec: ModelSpec[Model], tracking: Tracking) -> Champion[Model]:
    """`load_champion`, without MLflow where nothing has changed: see `models.noted`.

    It knows nothing of a judged model.

    Raises:
        NoChampionError: None has been trained yet.
    """

    def ask() -> dict[str, Any]:
        stored, facts = _champion(spec, tracking)
        schema: FeatureSchema | None = facts["schema"]
        return {
            "folder": str(stored.folder),
            "description": stored.parameters,
            "version": facts | {"schema": schema.to_json() if schema else None},
        }

    champion = _from_note(spec, noted(tracking.uri, spec.registered, ask))
    return load_champion(spec, tracking) if champion is None else champion


def scoring_champion(spec: ModelSpec[Model], tracking: Tracking) -> Champion[Model]:
    """`noted_champion`; where MLflow does not answer, the one that it named last.

    A night's scores need not wait for a database that is locked; what the champion was when it was
    asked last is said in the log, and beside every score.

    Raises:
        NoChampionError: None has been trained yet.
        TrackingUnavailableError: MLflow does not answer, and was never asked on this machine.
    """
    try:
        return noted_champion(spec, tracking)
    except TrackingUnavailableError as error:
        note = last_noted(tracking.uri, spec.registered)
        champion = None if note is None else _from_note(spec, note)
        if champion is None:
            raise
        log.warning(
            "%s: %s; scoring with the champion known last, v%s", spec.title, error, champion.version
        )
        return champion


def _from_note(spec: ModelSpec[Model], note: Mapping[str, Any]) -> Champion[Model] | None:
    """The champion that a note is about; None where its files are not here any more.

    What a server or an object store lent us is gone with the process that asked.
    """
    folder = Path(note["folder"])
    if not folder.is_dir():
        return None
    schema = note["version"]["schema"]
    facts = note["version"] | {"schema": FeatureSchema.from_json(schema) if schema else None}
    stored = StoredModel(folder, note["description"], digests=digests_in(facts["tags"]))
    return _restored(spec, stored, facts)


def _restored(
    spec: ModelSpec[Model], stored: StoredModel, facts: dict[str, Any]
) -> Champion[Model]:
    judged = spec.restored_judged(stored) if stored.judged else None
    return Champion(spec.restored(stored), **facts, judged=judged)


def _champion(spec: ModelSpec[Any], tracking: Tracking) -> tuple[StoredModel, dict[str, Any]]:
    """What is stored of the champion, and what `Champion` says of its version."""
    name = spec.registered
    with connected(tracking) as mlflow:
        experiment_of(mlflow, tracking)
        champion = registered(mlflow, name, CHAMPION)
        if champion is None:
            raise NoChampionError(
                f"no {spec.title} model yet in MLflow at {tracking.shown}: run `customer360 train`"
            )
        uri = f"models:/{name}/{champion.version}"
        try:
            folder = Path(mlflow.artifacts.download_artifacts(uri))
            metadata = mlflow.models.Model.load(str(folder)).metadata or {}
            description = metadata[_DESCRIPTION]
        except (mlflow.exceptions.MlflowException, OSError, KeyError) as error:
            raise TrackingError(
                f"{uri} in MLflow at {tracking.shown} has lost its files; run `customer360 train`"
            ) from error
        schema = metadata.get(_SCHEMA)
        digests = digests_in(champion.tags)
        stored = StoredModel(folder, description, metadata.get(_JUDGED), digests)
        # Here and not for each note of it, which lies beside the registry and not beside the files.
        stored.check()
        return stored, {
            "name": name,
            "version": str(champion.version),
            "run_id": str(champion.run_id),
            "tags": dict(champion.tags),
            "schema": FeatureSchema.from_json(schema) if schema else None,
        }
