"""Where MLflow and Dagster keep what they note, beside the folders of the home."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import yaml

from customer360.libpq import is_postgres, without_driver
from customer360.privacy.scrub import ScrubError
from customer360.settings import Settings

_SQLITE = "sqlite:///"
_STORAGES = ("storage", "run_storage", "event_log_storage", "schedule_storage")
_FILES = ("compute_logs", "local_artifact_storage")
_IN_FOLDERS = (
    *("DagsterSqliteStorage", "SqliteRunStorage", "SqliteEventLogStorage"),
    *("ConsolidatedSqliteEventLogStorage", "SqliteScheduleStorage"),
    *("BatchedSqliteEventLogStorage", "LocalComputeLogManager", "LocalArtifactStorage"),
)
_OF_POSTGRES = ("DAGSTER_POSTGRES_URL", "DAGSTER_PG_PASSWORD")
"""Variables that Dagster's own images and charts, or ours, give its PostgreSQL by."""
_KEEPS_NOTHING = "NoOpComputeLogManager"

DAGSTER_TABLES = (
    *("runs", "run_tags", "snapshots", "event_logs", "asset_keys", "asset_event_tags"),
    *("asset_check_executions", "dynamic_partitions", "concurrency_limits", "concurrency_slots"),
    *("pending_steps", "jobs", "job_ticks", "instigators", "daemon_heartbeats", "bulk_actions"),
    *("backfill_tags", "kvs", "instance_info", "asset_daemon_asset_evaluations"),
)
"""Tables that Dagster's storage has; the texts of events, of runs and of ticks are in them."""


@dataclass(frozen=True)
class PostgresStore:
    """A PostgreSQL that something keeps its notes in.

    Attributes:
        title: Whose, for people.
        conninfo: How it is reached, as libpq reads it.
        tables: Its tables there.
    """

    title: str
    conninfo: str = field(repr=False)
    tables: Collection[str]


def sqlite_of_mlflow(settings: Settings) -> Path | None:
    """MLflow's database where it is an SQLite file."""
    uri = settings.tracking_uri
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def postgres_stores(settings: Settings) -> Iterator[PostgresStore]:
    """The databases of MLflow and of Dagster that are a PostgreSQL.

    Raises:
        ScrubError: Dagster's settings do not say where its database is, or name none where the
            environment speaks of one.
    """
    if is_postgres(settings.tracking_uri):
        yield PostgresStore(
            "MLflow's database", without_driver(settings.tracking_uri), _tables_of_mlflow()
        )
    file, stated = _dagster(settings)
    urls = {_url(config, file) for name in _STORAGES for config in _configs(stated.get(name))}
    if (variable := _unnamed_postgres(stated)) is not None:
        raise ScrubError(
            f"{file} does not say that Dagster keeps its notes in a PostgreSQL, and {variable} is "
            "set: name the database there under storage, as in the dagster.yaml that Dagster "
            "itself has, or unset the variable if there is none, and go on by `customer360 "
            "privacy forget --resume`"
        )
    for url in sorted(urls):
        yield PostgresStore("Dagster's database", without_driver(url), DAGSTER_TABLES)


def outside_of_home(settings: Settings) -> list[str]:
    """Whose notes a copy of the home does not hold, for people."""
    _, stated = _dagster(settings)
    found = []
    in_postgres = any(any(_configs(stated.get(name))) for name in _STORAGES)
    if in_postgres or _unnamed_postgres(stated) is not None:
        found.append("Dagster's database")
    if settings.mlflow_tracking_uri is not None:
        found.append("MLflow's database with its files")
    return found


def other_stores(settings: Settings) -> list[str]:
    """Where Dagster keeps what is not cleaned: other databases, and folders outside of its own.

    Raises:
        ScrubError: Dagster's settings name a variable that is not set.
    """
    file, stated = _dagster(settings)
    found = []
    for name in (*_STORAGES, *_FILES):
        section = stated.get(name)
        if not isinstance(section, Mapping) or any(_configs(section)):
            continue
        kind, config = _kind_of(section)
        folder = _value(config["base_dir"], file) if "base_dir" in config else None
        if kind == _KEEPS_NOTHING:
            continue
        if kind != "sqlite" and kind not in _IN_FOLDERS:
            found.append(f"Dagster's {name}, kept by {kind}")
        elif folder is not None and not _is_within(Path(folder), settings.dagster_home):
            found.append(f"Dagster's {name} in {folder}")
    return found


def _unnamed_postgres(stated: Mapping[str, Any]) -> str | None:
    """The variable that speaks of a PostgreSQL of Dagster's of which its settings here do not.

    As in a pod of Dagster's Helm chart, which has its ``dagster.yaml`` elsewhere.
    """
    kinds = [
        _kind_of(stated[name])[0] for name in _STORAGES if isinstance(stated.get(name), Mapping)
    ]
    if any(kind != "sqlite" and kind not in _IN_FOLDERS for kind in kinds):
        return None
    return next((name for name in _OF_POSTGRES if name in os.environ), None)


def _is_within(folder: Path, home: Path) -> bool:
    return folder.resolve().is_relative_to(home.resolve())


def _dagster(settings: Settings) -> tuple[Path, Mapping[str, Any]]:
    """Dagster's settings, and the file that they are in."""
    file = settings.dagster_home / "dagster.yaml"
    return file, (yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else None) or {}


def _kind_of(section: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Class or short name of what keeps a section of ``dagster.yaml``, and what is set for it."""
    named = section.get("custom", section)
    if "class" in named:
        return str(named["class"]), named.get("config") or {}
    ((kind, config), *_) = section.items()
    return str(kind), config or {}


def _tables_of_mlflow() -> Collection[str]:
    from mlflow.store.db.base_sql_model import Base
    from mlflow.store.model_registry.dbmodels import models as _registry  # noqa: F401 - names them
    from mlflow.store.tracking.dbmodels import models as _tracking  # noqa: F401 - names them

    return tuple(Base.metadata.tables)


def _configs(storage: Any) -> Iterator[Mapping[str, Any]]:
    """What ``dagster.yaml`` says of a PostgreSQL, in either of its forms."""
    if not isinstance(storage, Mapping):
        return
    if isinstance(storage.get("postgres"), Mapping):
        yield storage["postgres"]
    elif str(storage.get("module", "")).startswith("dagster_postgres"):
        yield storage.get("config") or {}


def _url(config: Mapping[str, Any], file: Path) -> str:
    if "postgres_url" in config:
        return _value(config["postgres_url"], file)
    stated = config.get("postgres_db") or {}
    parts = {name: _value(value, file) for name, value in stated.items() if name != "params"}
    params = {name: _value(value, file) for name, value in (stated.get("params") or {}).items()}
    given = {
        name: quote(parts[name], safe="")
        for name in ("username", "password", "db_name")
        if name in parts
    }
    if not {"username", "db_name", "hostname"} <= set(parts):
        raise ScrubError(
            f"{file}: expected postgres_url, or postgres_db with hostname, username and db_name"
        )
    password = f":{given['password']}" if "password" in given else ""
    return (
        f"postgresql://{given['username']}{password}@{parts['hostname']}:"
        f"{parts.get('port', '5432')}/{given['db_name']}"
        f"{'?' if params else ''}{urlencode(params, quote_via=quote)}"
    )


def _value(stated: Any, file: Path) -> str:
    """A text of Dagster's settings, or of the variable that it names."""
    if not isinstance(stated, Mapping):
        return str(stated)
    name = str(stated.get("env"))
    if name not in os.environ:
        raise ScrubError(
            f"{file} names the variable {name}, which is not set: set it as for Dagster, and go on "
            "by `customer360 privacy forget --resume`"
        )
    return os.environ[name]
