"""Dagster's own folder inside a deployment's home.

``python -m customer360.orchestration.instance`` makes it, before Dagster's own commands start.
"""

from __future__ import annotations

import os
import sys
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import psycopg
from psycopg.conninfo import make_conninfo

from customer360.errors import Customer360Error, EnvironmentError360, first_line
from customer360.libpq import parameters_of, without_driver
from customer360.orchestration.event_log import use_batches
from customer360.settings import HOME_VARIABLE, Settings, load_settings

POSTGRES_VARIABLE = "DAGSTER_POSTGRES_URL"
"""Where Dagster keeps runs, events and schedules; unset: in SQLite files of its folder."""

_SCHEME = "postgresql+psycopg2://"
_LIKE = f"{_SCHEME}user:password@host/database"


def prepare_dagster_home(settings: Settings) -> Path:
    """Make ``<home>/dagster`` with a ``dagster.yaml``, unless it is there, and return it.

    Raises:
        EnvironmentError360: The ``dagster.yaml`` that is there keeps runs elsewhere than
            ``DAGSTER_POSTGRES_URL`` says, or that names another driver than psycopg2, or the
            package that it needs is not installed.
    """
    folder = settings.dagster_home.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "dagster.yaml"
    if not file.exists():
        file.write_text(instance_settings(postgres=POSTGRES_VARIABLE in os.environ))
    _refuse_elsewhere(file)
    return folder


def instance_settings(*, postgres: bool) -> str:
    """The text of a ``dagster.yaml``, with runs kept in a PostgreSQL or in SQLite."""
    ours = resources.files("customer360.orchestration")
    storage = "dagster_postgres.yaml" if postgres else "dagster_sqlite.yaml"
    return "\n".join(
        (ours / name).read_text(encoding="utf-8") for name in ("dagster.yaml", storage)
    )


def _refuse_elsewhere(file: Path) -> None:
    named, given = POSTGRES_VARIABLE in file.read_text(), POSTGRES_VARIABLE in os.environ
    if given and not named:
        raise EnvironmentError360(
            f"{file} does not keep runs at {POSTGRES_VARIABLE}, which is set: move that file away "
            "and a new one is written (runs so far stay where they are), or unset the variable"
        )
    if named and not given:
        raise EnvironmentError360(
            f"{file} keeps runs at {POSTGRES_VARIABLE}, which is not set: set it to {_LIKE}"
        )
    # Another driver, as SQLAlchemy 2.1 takes by itself, refuses how dagster-postgres notifies.
    if named and not os.environ[POSTGRES_VARIABLE].startswith(_SCHEME):
        raise EnvironmentError360(
            f"{POSTGRES_VARIABLE} names no driver that dagster-postgres works with: write it as "
            f"{_LIKE}"
        )
    if named and find_spec("dagster_postgres") is None:
        raise EnvironmentError360(
            f"{POSTGRES_VARIABLE} is set, and dagster-postgres is not installed: install the extra "
            "`production` of the release's wheel; see docs/cluster.md"
        )


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Environment in which ``dagster`` works on this deployment."""
    return os.environ | {
        "DAGSTER_HOME": str(prepare_dagster_home(settings)),
        HOME_VARIABLE: str(settings.home.absolute()),
    }


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The deployment's Dagster instance: where runs, events and schedules are kept.

    Raises:
        EnvironmentError360: As `prepare_dagster_home`; or its PostgreSQL cannot be reached.
        SettingsError: ``DAGSTER_POSTGRES_URL`` is no address of one.
    """
    folder = str(prepare_dagster_home(settings))
    # dagster.yaml names its folder by this variable, as it must for Dagster's own commands.
    os.environ["DAGSTER_HOME"] = folder
    use_batches()
    if POSTGRES_VARIABLE in os.environ:
        _refuse_unreachable(os.environ[POSTGRES_VARIABLE])
    return dg.DagsterInstance.from_config(folder)


def _refuse_unreachable(url: str) -> None:
    """Say in a line what Dagster says in many, after it has tried for ten seconds."""
    parameters = parameters_of(without_driver(url), POSTGRES_VARIABLE)
    try:
        psycopg.connect(make_conninfo("", **parameters), connect_timeout=10).close()
    except psycopg.OperationalError as error:
        raise EnvironmentError360(
            f"{POSTGRES_VARIABLE}, {parameters.get('host', 'localhost')}/"
            f"{parameters.get('dbname', '')}: {first_line(error)}"
        ) from None


if __name__ == "__main__":
    try:
        prepare_dagster_home(load_settings())
    except Customer360Error as problem:
        sys.exit(f"error: {problem}")
