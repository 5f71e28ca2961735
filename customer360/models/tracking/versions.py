"""Which versions of a model there are, which one scores, and how to change that by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from customer360.errors import Customer360Error
from customer360.models.notes import Note, notes_in, status_in
from customer360.models.spec import ModelSpec
from customer360.models.tracking.connection import (
    CHALLENGER,
    CHAMPION,
    Tracking,
    connected,
    experiment_of,
    registered,
    written,
)

FIGURE = "figure"
"""Tag of a version: the figure that it was judged by, and its value."""

VERDICT = "verdict"
"""Tag of a version: why it was or was not promoted, as `customer360.models.notes.stored` makes it.
An older release kept a sentence."""

REPLACED = "replaced"
"""Tag of a version that became champion: the version that was it before."""


CARRIED_OUT = "verdict_carried_out"
"""Tag of a version: "no" from when it is registered until its card and its alias are there, "yes"
then. What an older release registered has none."""


class PromotionError(Customer360Error):
    """A version cannot be made the champion; the message says why."""


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a model in the registry.

    Attributes:
        version: Its number.
        aliases: ``champion``, ``challenger`` or none.
        as_of: Day it was trained for.
        status: "trained" or "fallback".
        because: Why a fallback stands in, and which.
        figure: What it was judged by, as "brier 0.208"; empty when it was not tested.
        verdict: Why it was or was not promoted when it was trained.
    """

    version: str
    aliases: tuple[str, ...]
    as_of: str
    status: str
    because: tuple[Note, ...]
    figure: str
    verdict: tuple[Note, ...]


def registered_versions(spec: ModelSpec[Any], tracking: Tracking) -> list[RegisteredVersion]:
    """All versions of a model, newest first.

    Raises:
        TrackingError: The database or server does not answer.
    """
    if not tracking.is_there:
        return []
    with connected(tracking) as mlflow:
        experiment_of(mlflow, tracking)
        client = mlflow.MlflowClient()
        name = spec.registered
        aliases: dict[str, list[str]] = {}
        for alias in (CHAMPION, CHALLENGER):
            known = registered(mlflow, name, alias)
            if known is not None:
                aliases.setdefault(str(known.version), []).append(alias)
        versions = client.search_model_versions(f"name='{name}'")
        return [
            _registered(each, aliases.get(str(each.version), ()))
            for each in sorted(versions, key=lambda each: -int(each.version))
        ]


def _registered(version: Any, aliases: Sequence[str]) -> RegisteredVersion:
    status, because = status_in(version.tags.get("status", ""), version.tags.get("because", ""))
    return RegisteredVersion(
        version=str(version.version),
        aliases=tuple(aliases),
        as_of=version.tags.get("as_of", ""),
        status=status,
        because=because,
        figure=version.tags.get(FIGURE, ""),
        verdict=notes_in(version.tags.get(VERDICT, "")),
    )


def promote(spec: ModelSpec[Any], version: str, tracking: Tracking) -> str | None:
    """Make a version the champion, whatever the gate said; the one before is challenger then.

    Returns:
        The version that was champion before; ``None`` when there was none.

    Raises:
        PromotionError: There is no such version, or it is the champion already.
        TrackingError: The database or server does not answer.
    """
    versions = [each.version for each in registered_versions(spec, tracking)]
    name = spec.registered
    if version not in versions:
        raise PromotionError(
            f"{spec.title} has no version {version}; it has "
            f"{', '.join(versions) or 'none yet: `customer360 train` makes one'}"
        )
    with connected(tracking) as mlflow:
        champion = registered(mlflow, name, CHAMPION)
        before = None if champion is None else str(champion.version)
        if before == version:
            raise PromotionError(f"{spec.title} v{version} is the champion already")
        client = mlflow.MlflowClient()
        if before is not None:
            written(mlflow, client.set_model_version_tag, name, version, REPLACED, before)
        _crown(mlflow, name, version)
        if before is not None:
            written(mlflow, client.set_registered_model_alias, name, CHALLENGER, before)
        return before


def flag_version(spec: ModelSpec[Any], version: str, tracking: Tracking, **tags: str) -> None:
    """Say of a version, in its tags, what was learnt about it since it was trained.

    Raises:
        TrackingError: The database or server does not answer.
    """
    with connected(tracking) as mlflow:
        client = mlflow.MlflowClient()
        for name, value in tags.items():
            written(mlflow, client.set_model_version_tag, spec.registered, version, name, value)


def rollback(spec: ModelSpec[Any], tracking: Tracking) -> tuple[str, str]:
    """Make the version champion again that the champion replaced; the latter is challenger then.

    Returns:
        The version that is champion now, and the one that was.

    Raises:
        PromotionError: The champion replaced nobody.
        TrackingError: The database or server does not answer.
    """
    name = spec.registered
    nowhere = PromotionError(
        f"{spec.title} has no earlier champion to go back to; `customer360 models` lists the "
        "versions there are"
    )
    if not tracking.is_there:
        raise nowhere
    with connected(tracking) as mlflow:
        experiment_of(mlflow, tracking)
        champion = registered(mlflow, name, CHAMPION)
        earlier = champion.tags.get(REPLACED) if champion is not None else None
        if champion is None or earlier is None:
            raise nowhere
        _crown(mlflow, name, earlier)
        client = mlflow.MlflowClient()
        written(mlflow, client.set_registered_model_alias, name, CHALLENGER, champion.version)
        return earlier, str(champion.version)


def _crown(mlflow: ModuleType, name: str, version: str) -> None:
    client = mlflow.MlflowClient()
    # A person's decision stands, though the training may have been killed before its own.
    written(mlflow, client.set_model_version_tag, name, version, CARRIED_OUT, "yes")
    challenger = registered(mlflow, name, CHALLENGER)
    if challenger is not None and str(challenger.version) == version:
        written(mlflow, client.delete_registered_model_alias, name, CHALLENGER)
    written(mlflow, client.set_registered_model_alias, name, CHAMPION, version)


@dataclass(frozen=True)
class ChampionFigures:
    """What the champion's training measured.

    Attributes:
        version: Registered version.
        status: "trained" or "fallback".
        because: Why a fallback stands in, and which.
        notes: What else a reader must know.
        metrics: Figures of the model and of its baselines, by name.
        parameters: Parameters as logged.
    """

    version: str
    status: str
    because: tuple[Note, ...]
    notes: tuple[Note, ...]
    metrics: dict[str, float]
    parameters: dict[str, str]


def champion_figures(spec: ModelSpec[Any], tracking: Tracking) -> ChampionFigures | None:
    """Figures of the model's champion; ``None`` when none has been trained.

    Raises:
        TrackingError: The database or server does not answer.
    """
    with connected(tracking) as mlflow:
        experiment_of(mlflow, tracking)
        champion = registered(mlflow, spec.registered, CHAMPION)
        if champion is None:
            return None
        run = mlflow.MlflowClient().get_run(champion.run_id)
        tags = run.data.tags
        status, because = status_in(tags.get("status", ""), tags.get("because", ""))
        return ChampionFigures(
            version=str(champion.version),
            status=status,
            because=because,
            notes=notes_in(tags.get("notes", "")),
            metrics=dict(run.data.metrics),
            parameters=dict(run.data.params),
        )
