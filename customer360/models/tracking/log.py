"""A training into MLflow: parameters, figures, plots, the model, and whether it is the champion."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

from customer360.models.lineage import FeatureSchema, code_version
from customer360.models.notes import Note, notes_in
from customer360.models.notes import stored as stored_notes
from customer360.models.promotion import Gate, Verdict, decide
from customer360.models.spec import ModelSpec
from customer360.models.tracking.card import model_card
from customer360.models.tracking.connection import (
    CHALLENGER,
    CHAMPION,
    Tracking,
    connected,
    experiment_of,
    registered,
    written,
)
from customer360.models.tracking.form import DIGESTS, digests_of
from customer360.models.tracking.stored import store
from customer360.models.tracking.unfinished import close_dead, process_tag
from customer360.models.tracking.versions import CARRIED_OUT, FIGURE, REPLACED, VERDICT
from customer360.models.training import Model, Training

PLOTS = "plots"
"""Folder of a training's pictures."""

CARD = "model_card.md"
"""File of the model card among a run's artifacts."""

_LONGEST = 5_000
"""Characters that MLflow's registry takes as a version's description."""

_FINGERPRINT = "fingerprint"
"""Tag of a registered version: which model it is, whatever the run."""

_TESTED = "tested"
"""Tag of a registered version: "yes" when it was judged on a holdout."""

_FACTS = ("status", "because", "as_of", "code_version", "feature_schema")
"""Tags of a registered version that its card names."""

_DELTA_VERSION = "delta_version/"
"""What begins the names of a run's parameters that are versions of tables."""

_BEATS_BASELINE = "beats_baseline"
"""Tag of a registered version: True, False, or None when it was not tested."""


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
        card: The version's model card, Markdown.
    """

    model_name: str
    version: str
    run_id: str
    experiment_id: str
    model_uri: str
    url: str | None
    verdict: Verdict
    card: str


def log_training(
    spec: ModelSpec[Model],
    training: Training[Model],
    tracking: Tracking,
    gate: Gate,
    *,
    schema: FeatureSchema | None = None,
    table_versions: Mapping[str, int] | None = None,
    tags: Mapping[str, str] | None = None,
) -> LoggedTraining:
    """Log one training, register its model, and make it champion if it passes the gate.

    A model that does not pass, or was made for an earlier day than the champion, gets the alias
    ``challenger``.

    Logged: parameters, metrics, plots, the model with signature and input example, the Delta
    versions of the tables it was trained on (parameters ``delta_version/<layer>/<table>``), the
    hash of its feature schema, the version of the code, its status and notes, and its model card.
    A fallback is registered too: it is what scores then, and says so. A training that came to the
    very model that is registered already is not logged again, so running a day twice leaves one
    version; what a kill left out of that one, its card or its alias, is made up for.

    Args:
        spec: The model.
        training: From its ``train``.
        tracking: Where.
        gate: What it must beat.
        schema: Columns that it was trained on.
        table_versions: Delta version by table name.
        tags: Further tags of the run, for example the Dagster run id.

    Raises:
        TrackingError: The database or server does not answer.
    """
    name = spec.registered
    fingerprint = _fingerprint(training.as_of, spec.identity(training.model))
    with connected(tracking) as mlflow:
        experiment_id = experiment_of(mlflow, tracking)
        champion = registered(mlflow, name, CHAMPION)
        for version in mlflow.MlflowClient().search_model_versions(f"name='{name}'"):
            if version.tags.get(_FINGERPRINT) == fingerprint:
                if _is_carried_out(version, champion):
                    verdict = _same(version, champion)
                    card = read_card(mlflow, str(version.run_id)) or _write_card(
                        mlflow, spec, training, version, verdict
                    )
                else:
                    verdict = _verdict(training, gate, champion)
                    card = _carry_out(mlflow, spec, training, version, verdict, champion)
                return _logged_as(name, version, experiment_id, tracking, verdict, card)
        origin = {f"{_DELTA_VERSION}{t}": v for t, v in (table_versions or {}).items()}
        facts = {
            "status": training.status,
            **({"because": stored_notes(training.because)} if training.because else {}),
            "as_of": training.as_of.isoformat(),
            "code_version": code_version(),
            **({"feature_schema": schema.hash} if schema else {}),
        }
        label = f"{spec.name} {training.as_of}"
        close_dead(mlflow, experiment_id)
        with mlflow.start_run(experiment_id=experiment_id, run_name=label, tags=process_tag()):
            written(mlflow, mlflow.log_params, {**training.parameters, **origin})
            mlflow.log_metrics(training.metrics)
            notes = {"notes": stored_notes(training.notes)} if training.notes else {}
            written(mlflow, mlflow.set_tags, {"model": name, **facts, **notes, **(tags or {})})
            _log_images(mlflow, training.plots)
            form = spec.form(training)
            logged = store(mlflow, form, schema)
        version_tags = facts | {
            _FINGERPRINT: fingerprint,
            DIGESTS: digests_of(form),
            _TESTED: "yes" if gate.candidate in training.metrics else "no",
            CARRIED_OUT: "no",
        }
        if gate.candidate in training.metrics:
            version_tags[FIGURE] = f"{gate.figure} {training.metrics[gate.candidate]:.4g}"
        # MLflow prints "Successfully registered" to stderr, which is for errors here.
        with contextlib.redirect_stderr(io.StringIO()):
            new = mlflow.register_model(logged.model_uri, name, tags=version_tags)
        verdict = _verdict(training, gate, champion)
        card = _carry_out(mlflow, spec, training, new, verdict, champion)
        return _logged_as(name, new, experiment_id, tracking, verdict, card)


def _is_carried_out(version: Any, champion: Any | None) -> bool:
    """Whether the version's verdict has had its effect, or a person has decided otherwise.

    What an older release registered does not say so: without any champion, it was killed before.
    """
    if champion is not None and str(champion.version) == str(version.version):
        return True
    unsaid = "no" if champion is None else "yes"
    return version.tags.get(CARRIED_OUT, unsaid) == "yes"


def _carry_out(
    mlflow: ModuleType,
    spec: ModelSpec[Any],
    training: Training[Any],
    version: Any,
    verdict: Verdict,
    champion: Any | None,
) -> str:
    """Write a version's card and verdict, and give it its alias; twice does no harm.

    Returns:
        The card.
    """
    name, number = spec.registered, version.version
    client = mlflow.MlflowClient()
    card = _write_card(mlflow, spec, training, version, verdict)
    tags = {
        _BEATS_BASELINE: str(verdict.beats_baseline),
        VERDICT: stored_notes([verdict.reason]),
    }
    if verdict.promoted and champion is not None:
        tags[REPLACED] = str(champion.version)
    for tag, value in tags.items():
        written(mlflow, client.set_model_version_tag, name, number, tag, value)
    alias = CHAMPION if verdict.promoted else CHALLENGER
    written(mlflow, client.set_registered_model_alias, name, alias, number)
    written(mlflow, client.set_model_version_tag, name, number, CARRIED_OUT, "yes")
    return card


def _write_card(
    mlflow: ModuleType,
    spec: ModelSpec[Any],
    training: Training[Any],
    version: Any,
    verdict: Verdict,
) -> str:
    client = mlflow.MlflowClient()
    parameters = client.get_run(version.run_id).data.params
    origin = {key: version.tags[key] for key in _FACTS if key in version.tags} | {
        key: parameters[key] for key in sorted(parameters) if key.startswith(_DELTA_VERSION)
    }
    card = model_card(spec, training, str(version.version), verdict, origin)
    written(mlflow, client.log_text, version.run_id, card, CARD)
    written(
        mlflow,
        client.update_model_version,
        spec.registered,
        version.version,
        description=_description(card),
    )
    return card


def read_card(mlflow: ModuleType, run_id: str) -> str:
    """The model card of a run; empty where a kill came before it was written.

    Args:
        mlflow: The module, connected.
        run_id: The training's run.
    """
    if all(file.path != CARD for file in mlflow.MlflowClient().list_artifacts(run_id)):
        return ""
    return str(mlflow.artifacts.load_text(f"runs:/{run_id}/{CARD}"))


def _description(card: str) -> str:
    """As much of the card as the registry's description holds, in whole lines."""
    return card if len(card) <= _LONGEST else card[: card.rfind("\n", 0, _LONGEST)]


def _same(version: Any, champion: Any | None) -> Verdict:
    """The verdict of a model that is registered already: it is not judged twice."""
    beats = {"True": True, "False": False}.get(version.tags.get(_BEATS_BASELINE, ""))
    if champion is not None and str(champion.version) == str(version.version):
        return Verdict(True, beats, Note("same_as_champion", {"champion": str(version.version)}))
    then = notes_in(version.tags.get(VERDICT, "")) or (Note("nothing_noted"),)
    same = {"version": str(version.version), "then": then}
    return Verdict(False, beats, Note("same_as_another", same))


def _verdict(training: Training[Any], gate: Gate, champion: Any | None) -> Verdict:
    if champion is None:
        return decide(training.metrics, gate, None)
    version, made_for = str(champion.version), champion.tags.get("as_of", "")
    if made_for > training.as_of.isoformat():
        days = {"as_of": training.as_of.isoformat(), "made_for": made_for}
        return Verdict(False, None, Note("of_an_earlier_day", {"champion": version, **days}))
    tested = champion.tags.get(_TESTED, "yes") == "yes"
    return decide(training.metrics, gate, version, champion_tested=tested)


def _fingerprint(as_of: date, identity: bytes) -> str:
    """Equal for two trainings that came to the same model for the same date."""
    return hashlib.sha256(f"{as_of}\n".encode() + identity).hexdigest()


def _logged_as(
    name: str,
    version: Any,
    experiment_id: str,
    tracking: Tracking,
    verdict: Verdict,
    card: str,
) -> LoggedTraining:
    server = tracking.uri.startswith("http")
    run_id = str(version.run_id)
    page = f"{tracking.shown.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"
    return LoggedTraining(
        model_name=name,
        version=str(version.version),
        run_id=run_id,
        experiment_id=experiment_id,
        model_uri=f"models:/{name}/{version.version}",
        url=page if server else None,
        verdict=verdict,
        card=card,
    )


def _log_images(mlflow: ModuleType, plots: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, png in plots.items():
            (Path(folder) / f"{name}.png").write_bytes(png)
        if plots:
            mlflow.log_artifacts(folder, PLOTS)
