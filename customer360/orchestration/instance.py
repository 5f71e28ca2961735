"""Dagster's own folder inside a deployment's home."""

from __future__ import annotations

import os
import shutil
from importlib import resources
from pathlib import Path

import dagster as dg

from customer360.orchestration.event_log import use_batches
from customer360.settings import HOME_VARIABLE, Settings


def prepare_dagster_home(settings: Settings) -> Path:
    """Make ``<home>/dagster`` with our ``dagster.yaml``, unless it is there, and return it."""
    folder = settings.dagster_home.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "dagster.yaml"
    if not target.exists():
        ours = resources.files("customer360.orchestration") / "dagster.yaml"
        with resources.as_file(ours) as source:
            shutil.copyfile(source, target)
    return folder


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Environment in which ``dagster`` works on this deployment."""
    return os.environ | {
        "DAGSTER_HOME": str(prepare_dagster_home(settings)),
        HOME_VARIABLE: str(settings.home.absolute()),
    }


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The deployment's Dagster instance: where runs, events and schedules are kept."""
    folder = str(prepare_dagster_home(settings))
    # dagster.yaml names its folder by this variable, as it must for Dagster's own commands.
    os.environ["DAGSTER_HOME"] = folder
    use_batches()
    return dg.DagsterInstance.from_config(folder)
