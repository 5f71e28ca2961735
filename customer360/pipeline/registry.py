"""What the model registry holds, told without MLflow where nothing has changed since."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import Any

from customer360.errors import Customer360Error
from customer360.models.noted import local_database, noted
from customer360.models.registry import MODELS
from customer360.settings import Settings


def known_versions(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Versions of each model by its registered name, newest first, as `RegisteredVersion` has them.

    Raises:
        TrackingError: The database or server does not answer.
    """
    database = local_database(settings.tracking_uri)
    if database is not None and not database.exists():
        return {}

    def ask() -> dict[str, list[dict[str, Any]]]:
        from customer360.models import tracking
        from customer360.pipeline.run_models import tracking_of

        where = tracking_of(settings)
        return {
            spec.registered: [
                asdict(version) | {"aliases": list(version.aliases)}
                for version in tracking.registered_versions(spec, where)
            ]
            for spec in MODELS
        }

    versions: dict[str, list[dict[str, Any]]] = noted(settings.tracking_uri, "versions", ask)
    return versions


def note_registry(settings: Settings) -> None:
    """Note what `customer360 models` and `customer360 explain` will ask, while MLflow is loaded."""
    from customer360.models.tracking import noted_champion
    from customer360.pipeline.run_models import tracking_of

    with contextlib.suppress(Customer360Error):  # the command that asks will say so
        known_versions(settings)
    for spec in MODELS:
        if spec.explained_by_champion:
            with contextlib.suppress(Customer360Error):
                noted_champion(spec, tracking_of(settings))
