"""Taking texts out of what an MLflow server notes of the deployment's trainings, by its API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import ModuleType
from typing import Any

from customer360.models.registry import MODELS
from customer360.models.tracking.connection import Tracking, connected, experiment_of

_PAGE = 500

Cleaned = Callable[[str], tuple[str, int]]
"""Gives a text without what is to be taken out of it, and how often that stood there."""


def scrub_server(tracking: Tracking, cleaned: Cleaned) -> tuple[int, list[str]]:
    """Clean the tags of the deployment's runs, and tags and descriptions of its models.

    Args:
        tracking: The server.
        cleaned: Takes out what must go.

    Returns:
        How often it was taken out; and where it still stands, because no call of MLflow's changes
        that, a sentence each.

    Raises:
        TrackingError: The server does not answer.
    """
    count, left = 0, []
    with connected(tracking) as mlflow:
        experiment = experiment_of(mlflow, tracking)
        client = mlflow.MlflowClient()
        for run in _runs(mlflow, experiment):
            run_id = str(run.info.run_id)
            named = [name for name, text in run.data.params.items() if cleaned(text)[1]]
            tagged = dict(_changed(run.data.tags, cleaned))
            if run.info.lifecycle_stage == "active":
                for name, (text, times) in tagged.items():
                    client.set_tag(run_id, name, text)
                    count += times
            elif tagged:
                named += tagged
            if named:
                left.append(
                    f"MLflow's run {run_id} names somebody in {', '.join(sorted(named))}, which "
                    "only goes with the run: delete it there, and collect by `mlflow gc`"
                )
        for spec in MODELS:
            count += _scrub_model(client, spec.registered, cleaned)
    return count, left


def _runs(mlflow: ModuleType, experiment: str) -> Iterator[Any]:
    client, token = mlflow.MlflowClient(), None
    while True:
        page = client.search_runs(
            [experiment],
            run_view_type=mlflow.entities.ViewType.ALL,
            max_results=_PAGE,
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _scrub_model(client: Any, name: str, cleaned: Cleaned) -> int:
    count = 0
    for model in client.search_registered_models(f"name='{name}'"):
        count += _scrub_one(
            model,
            cleaned,
            partial(client.set_registered_model_tag, name),
            lambda text: client.update_registered_model(name, description=text),
        )
    for version in client.search_model_versions(f"name='{name}'"):
        count += _scrub_one(
            version,
            cleaned,
            partial(client.set_model_version_tag, name, version.version),
            partial(client.update_model_version, name, version.version),
        )
    return count


def _scrub_one(
    entity: Any,
    cleaned: Cleaned,
    set_tag: Callable[[str, str], object],
    describe: Callable[[str], object],
) -> int:
    """Clean the tags and the description of a model or of a version of one."""
    count = 0
    for tag, (text, times) in _changed(entity.tags, cleaned):
        set_tag(tag, text)
        count += times
    described, times = cleaned(entity.description or "")
    if times:
        describe(described)
    return count + times


def _changed(texts: Mapping[str, str], cleaned: Cleaned) -> Iterator[tuple[str, tuple[str, int]]]:
    """Those that hold something, by name, without it."""
    for name, text in texts.items():
        without = cleaned(text)
        if without[1]:
            yield name, without
