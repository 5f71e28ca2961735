"""Models into MLflow and back: what is stored of each, and how it is read."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import pandas as pd
from pyspark.sql import DataFrame

from customer360.errors import Customer360Error
from customer360.models.churn.features import CATEGORICAL_FEATURES
from customer360.models.churn.model import ChurnModel
from customer360.models.churn.training import ChurnTraining
from customer360.models.lifetime_value.scoring import LifetimeValueModel
from customer360.models.lifetime_value.training import LifetimeValueTraining
from customer360.models.lineage import FeatureSchema
from customer360.models.noted import noted
from customer360.models.revenue.features import CATEGORICAL_FEATURES as REVENUE_CATEGORIES
from customer360.models.revenue.model import RevenueModel
from customer360.models.revenue.training import RevenueTraining
from customer360.models.tracking.connection import (
    CHAMPION,
    Tracking,
    TrackingError,
    connected,
    experiment_of,
    short_name,
)

CHURN = "customer360_churn"
LIFETIME_VALUE = "customer360_lifetime_value"
REVENUE = "customer360_revenue"

_DESCRIPTION = "customer360_model"
"""Key of the model's own JSON in the metadata that MLflow keeps with a model."""

_JUDGED = "customer360_judged_model"
"""Key, likewise, of the model that was judged on a holdout, where another one is published."""

_SCHEMA = "customer360_feature_schema"
"""Key, likewise, of the columns that it was trained on."""

_TREES = "model.ubj"
"""File with XGBoost's trees among the files that MLflow keeps with a model."""

_PICKLE = "revenue.pkl"
"""File, likewise, with the revenue model: scikit-learn's pipelines have no other form."""


class NoChampionError(Customer360Error):
    """No version of this model is the champion yet."""


Model = TypeVar("Model", ChurnModel, LifetimeValueModel, RevenueModel)


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


Training = ChurnTraining | LifetimeValueTraining | RevenueTraining


def name_of(training: Training) -> str:
    """The name that a training's model is registered under."""
    if isinstance(training, ChurnTraining):
        return CHURN
    return REVENUE if isinstance(training, RevenueTraining) else LIFETIME_VALUE


def store(mlflow: ModuleType, training: Training, schema: FeatureSchema | None) -> Any:
    """Log the training's model in the run that is open.

    Args:
        mlflow: The module, connected.
        training: Whose model.
        schema: Columns that it was trained on, kept with it; ``None`` when they are not known.

    Returns:
        What MLflow says of the logged model; its ``model_uri`` can be registered.
    """
    metadata = {_SCHEMA: schema.to_json()} if schema else {}
    if isinstance(training, ChurnTraining):
        return _store_churn(mlflow, training, metadata)
    if isinstance(training, RevenueTraining):
        return _store_revenue(mlflow, training, metadata)
    return _store_lifetime_value(mlflow, training, metadata)


def _store_churn(mlflow: ModuleType, training: ChurnTraining, metadata: Mapping[str, str]) -> Any:
    """The calibrated model on features as they are in gold; a fallback needs the silence only."""
    model = training.model
    example = (
        training.sample
        if model.kind == "xgboost"
        else pd.DataFrame({"days_since_last_purchase": [10.0, 100.0]})
    )
    signature = _signature(mlflow, example, CATEGORICAL_FEATURES, ["churn_probability"])
    files = {"trees": (_TREES, model.booster)} if model.booster else {}
    return _store_as_code(
        mlflow, "served_churn.py", model.to_json(), example, signature, metadata, files
    )


def _store_revenue(
    mlflow: ModuleType, training: RevenueTraining, metadata: Mapping[str, str]
) -> Any:
    model, example = training.model, training.sample
    described = {
        "kind": model.kind,
        "horizon_days": model.horizon_days,
        "features": model.features,
        "versions": model.versions,
    }
    outputs = ["expected_revenue", "purchase_probability"]
    return _store_as_code(
        mlflow,
        "served_revenue.py",
        json.dumps(described, indent=2),
        example,
        _signature(mlflow, example, REVENUE_CATEGORIES, outputs),
        metadata,
        {"pipelines": (_PICKLE, model.dumps())},
    )


def _signature(
    mlflow: ModuleType, example: pd.DataFrame, texts: Sequence[str], outputs: Sequence[str]
) -> Any:
    """Declared, not inferred: a source may have no category at all, and nulls have no type."""
    from mlflow.types import ColSpec, DataType, Schema

    kinds = {
        name: DataType.string if name in texts else DataType.double for name in example.columns
    }
    return mlflow.models.ModelSignature(
        inputs=Schema([ColSpec(kind, name, required=False) for name, kind in kinds.items()]),
        outputs=Schema([ColSpec(DataType.double, name) for name in outputs]),
    )


def _store_lifetime_value(
    mlflow: ModuleType, training: LifetimeValueTraining, metadata: Mapping[str, str]
) -> Any:
    example = training.sample.astype("float64")
    judged = _judged_json(training)
    return _store_as_code(
        mlflow,
        "served_lifetime_value.py",
        training.model.to_json(),
        example,
        mlflow.models.infer_signature(example, training.model.predict(example)),
        {**metadata, **({_JUDGED: judged} if judged else {})},
    )


def _judged_json(training: LifetimeValueTraining) -> str:
    if training.calibration_model is None or training.calibration_as_of is None:
        return ""
    saw_until = training.calibration_as_of.isoformat()
    return json.dumps({"as_of": saw_until, "model": training.calibration_model.to_json()})


def _store_as_code(
    mlflow: ModuleType,
    file: str,
    parameters: str,
    example: pd.DataFrame,
    signature: Any,
    metadata: Mapping[str, str],
    files: Mapping[str, tuple[str, bytes]] | None = None,
) -> Any:
    """A model that is code in this package with what it knows in files beside it.

    Args:
        mlflow: The module, connected.
        file: Module beside this package that MLflow copies.
        parameters: The model's own JSON.
        example: Rows as it takes them.
        signature: MLflow's, of what it takes and gives.
        metadata: Kept with the model.
        files: File name and contents by the name that the module knows the file by.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = {}
        known = {"parameters": ("parameters.json", parameters.encode()), **(files or {})}
        for name, (file_name, contents) in known.items():
            (Path(folder) / file_name).write_bytes(contents)
            written[name] = str(Path(folder) / file_name)
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).parents[1] / file),
            artifacts=written,
            signature=signature,
            input_example=example,
            # Given by us, because MLflow would start a process to find out.
            pip_requirements=[f"customer360=={version('customer360')}"],
            metadata={**metadata, _DESCRIPTION: parameters},
        )


@dataclass(frozen=True)
class _Stored:
    """A champion as MLflow keeps it.

    Attributes:
        folder: Its files.
        description: Its own JSON.
        judged: That of the judged model and its day, where there is one.
        version: What `Champion` says of the version.
    """

    folder: Path
    description: str
    judged: str | None
    version: dict[str, Any]

    def file(self, name: str) -> bytes:
        """Contents of a file; empty when there is none of that name."""
        found = sorted(self.folder.rglob(name))
        return found[0].read_bytes() if found else b""


def load_churn_champion(tracking: Tracking) -> Champion[ChurnModel]:
    """The churn model that scores.

    Raises:
        NoChampionError: None has been trained yet.
    """
    stored = _champion(CHURN, tracking)
    model = ChurnModel.from_json(stored.description, stored.file(_TREES))
    return Champion(model, **stored.version)


def noted_churn_champion(tracking: Tracking) -> Champion[ChurnModel]:
    """`load_churn_champion`, without MLflow where nothing has changed: see `models.noted`.

    Raises:
        NoChampionError: None has been trained yet.
    """

    def ask() -> dict[str, Any]:
        stored = _champion(CHURN, tracking)
        schema: FeatureSchema | None = stored.version["schema"]
        said = stored.version | {"schema": schema.to_json() if schema else None}
        return {
            "folder": str(stored.folder),
            "description": stored.description,
            "version": said,
        }

    found = noted(tracking.uri, CHURN, ask)
    folder = Path(found["folder"])
    # What a server or an object store lent us is gone with the process that asked.
    if not folder.is_dir():
        return load_churn_champion(tracking)
    schema = found["version"]["schema"]
    return Champion(
        ChurnModel.from_json(
            found["description"], _Stored(folder, found["description"], None, {}).file(_TREES)
        ),
        **found["version"] | {"schema": FeatureSchema.from_json(schema) if schema else None},
    )


def load_lifetime_value_champion(tracking: Tracking) -> Champion[LifetimeValueModel]:
    """The lifetime-value model that scores.

    Raises:
        NoChampionError: None has been trained yet.
    """
    stored = _champion(LIFETIME_VALUE, tracking)
    judged = None
    if stored.judged:
        given = json.loads(stored.judged)
        judged = LifetimeValueModel.from_json(given["model"]), date.fromisoformat(given["as_of"])
    model = LifetimeValueModel.from_json(stored.description)
    return Champion(model, **stored.version, judged=judged)


def load_revenue_champion(tracking: Tracking) -> Champion[RevenueModel]:
    """The revenue model that predicts.

    Raises:
        NoChampionError: None has been trained yet.
        RevenueModelError: It was made with other versions of scikit-learn or XGBoost.
    """
    stored = _champion(REVENUE, tracking)
    return Champion(RevenueModel.loads(stored.file(_PICKLE)), **stored.version)


def _champion(name: str, tracking: Tracking) -> _Stored:
    with connected(tracking) as mlflow:
        experiment_of(mlflow, tracking)
        try:
            known = mlflow.MlflowClient().get_model_version_by_alias(name, CHAMPION)
        except mlflow.exceptions.MlflowException as error:
            raise NoChampionError(
                f"no {short_name(name)} model yet in MLflow at {tracking.uri}: run `make train`"
            ) from error
        uri = f"models:/{name}/{known.version}"
        try:
            folder = Path(mlflow.artifacts.download_artifacts(uri))
            metadata = mlflow.models.Model.load(str(folder)).metadata or {}
            description = metadata[_DESCRIPTION]
        except (mlflow.exceptions.MlflowException, OSError, KeyError) as error:
            raise TrackingError(
                f"{uri} in MLflow at {tracking.uri} has lost its files; run `make train`"
            ) from error
        schema = metadata.get(_SCHEMA)
        return _Stored(
            folder,
            description,
            metadata.get(_JUDGED),
            {
                "name": name,
                "version": str(known.version),
                "run_id": str(known.run_id),
                "tags": dict(known.tags),
                "schema": FeatureSchema.from_json(schema) if schema else None,
            },
        )
