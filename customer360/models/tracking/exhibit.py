"""What people look at of a model: its versions with figures and cards, its champion's plots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from customer360.models.notes import status_in, stored
from customer360.models.registry import MODELS
from customer360.models.tracking.connection import (
    CHAMPION,
    Tracking,
    connected,
    experiment_of,
    registered,
)
from customer360.models.tracking.log import CARD, PLOTS, is_complete


@dataclass(frozen=True)
class ExhibitedModel:
    """One registered version, as people look at it.

    Attributes:
        model: Its name, as `ModelSpec` has it.
        version: Its number.
        is_champion: Whether it is the one that scores.
        as_of: Day it was trained for.
        trained_at: When it was registered.
        status: "trained" or "fallback".
        because: Why a fallback stands in, and which, as JSON; empty when none does.
        notes: What else a reader must know, as JSON; empty when nothing.
        card: Model card in Markdown.
        figures: What training measured, by name.
        plots: PNG by name; of the champion only.
    """

    model: str
    version: str
    is_champion: bool
    as_of: date
    trained_at: datetime
    status: str
    because: str
    notes: str
    card: str
    figures: Mapping[str, float]
    plots: Mapping[str, bytes] = field(default_factory=dict)


def exhibited_models(tracking: Tracking) -> list[ExhibitedModel]:
    """All registered versions of all models, but for those whose training was killed.

    Raises:
        TrackingError: The database or server does not answer.
    """
    with connected(tracking) as mlflow:
        experiment_of(mlflow, tracking)
        client = mlflow.MlflowClient()
        exhibited = []
        for spec in MODELS:
            champion = registered(mlflow, spec.registered, CHAMPION)
            for version in client.search_model_versions(f"name='{spec.registered}'"):
                is_champion = champion is not None and str(champion.version) == str(version.version)
                if is_champion or is_complete(version):
                    exhibited.append(_exhibit_of(mlflow, spec.name, version, is_champion))
        return exhibited


def _exhibit_of(mlflow: ModuleType, name: str, version: Any, is_champion: bool) -> ExhibitedModel:
    run = mlflow.MlflowClient().get_run(version.run_id)
    status, because = status_in(version.tags.get("status", ""), version.tags.get("because", ""))
    return ExhibitedModel(
        model=name,
        version=str(version.version),
        is_champion=is_champion,
        as_of=date.fromisoformat(version.tags["as_of"]),
        trained_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        status=status,
        because=stored(because),
        notes=run.data.tags.get("notes", ""),
        card=mlflow.artifacts.load_text(f"runs:/{version.run_id}/{CARD}"),
        figures=dict(run.data.metrics),
        plots=_plots(mlflow, version.run_id) if is_champion else {},
    )


def _plots(mlflow: ModuleType, run_id: str) -> dict[str, bytes]:
    if not mlflow.MlflowClient().list_artifacts(run_id, PLOTS):
        return {}
    folder = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=PLOTS))
    return {file.stem: file.read_bytes() for file in sorted(folder.glob("*.png"))}
