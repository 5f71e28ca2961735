"""Dagster on a PostgreSQL: it keeps what it would in SQLite, and is kept in order."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster_postgres.event_log import PostgresEventLogStorage

from customer360.home_lock import Writer
from customer360.orchestration.dead_runs import PROCESS_TAG, end_dead_runs, name_of
from customer360.orchestration.instance import POSTGRES_VARIABLE, instance_settings, open_instance
from customer360.orchestration.jobs import GOLD, NIGHTLY
from customer360.orchestration.pruning import prune_runs
from customer360.privacy.stores import DAGSTER_TABLES
from customer360.settings import load_settings
from customer360_tests.deployments import Home, materialized
from customer360_tests.orchestration import test_commands
from customer360_tests.orchestration.test_commands import daemon, first_runs
from customer360_tests.orchestration.test_event_log import run_all, told
from customer360_tests.orchestration.test_upkeep import LATER
from customer360_tests.shop_database import Shop, shop_on


def test_the_two_settings_differ_in_where_runs_are_kept_alone() -> None:
    sqlite, postgres = (
        yaml.safe_load(instance_settings(postgres=postgres)) for postgres in (False, True)
    )
    storage = {"event_log_storage", "storage"}
    assert {n: v for n, v in sqlite.items() if n not in storage} == {
        n: v for n, v in postgres.items() if n not in storage
    }
    assert sqlite.keys() ^ postgres.keys() == storage
    assert postgres["concurrency"] == {"runs": {"max_concurrent_runs": 1}}


four_days = test_commands.home
"""Four days of raw data, of which nothing was loaded yet."""


@pytest.fixture
def on_postgres(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A deployment's instance that keeps runs in a database of the test's own."""
    monkeypatch.setenv(POSTGRES_VARIABLE, shop.as_url)
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(load_settings(tmp_path / "postgres")) as instance:
        yield instance


def test_it_tells_what_sqlite_would(
    on_postgres: dg.DagsterInstance,
    shop: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(on_postgres.event_log_storage, PostgresEventLogStorage)
    ours = told(on_postgres, run_all(on_postgres))
    tables = shop.connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    ).fetchall()
    # An erasure looks into all of them but those that hold names of Dagster's own migrations.
    migrations = {"alembic_version", "secondary_indexes"}
    assert {table for (table,) in tables} - migrations <= set(DAGSTER_TABLES)
    monkeypatch.delenv(POSTGRES_VARIABLE)
    with open_instance(load_settings(tmp_path / "sqlite")) as sqlite:
        assert ours == told(sqlite, run_all(sqlite))


@dg.job
def no_job() -> None:
    """Has nothing to do."""


def test_old_runs_go_and_dead_ones_are_ended(
    on_postgres: dg.DagsterInstance, tmp_path: Path
) -> None:
    first, newest = run_all(on_postgres), run_all(on_postgres)
    assert prune_runs(on_postgres, 365) == 0
    assert prune_runs(on_postgres, 365, LATER) == 1
    assert [run.run_id for run in on_postgres.get_runs()] == [newest]
    assert not on_postgres.all_logs(first)

    run = on_postgres.create_run_for_job(no_job, status=dg.DagsterRunStatus.STARTED)
    # The first process of a machine is no run of ours, and began at another time.
    killed = Writer(name_of(run.run_id), 1, 0.0, 0.0, socket.gethostname())
    on_postgres.add_run_tags(run.run_id, {PROCESS_TAG: json.dumps(asdict(killed))})
    end_dead_runs(load_settings(tmp_path / "postgres"), on_postgres)
    ended = on_postgres.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status == dg.DagsterRunStatus.FAILURE


@pytest.mark.whole
@pytest.mark.integration
@pytest.mark.timeout(1_800)
def test_a_night_is_run_by_a_daemon_that_keeps_all_in_databases(
    four_days: Home, shop: Shop, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs and heartbeats in one PostgreSQL, models in another; no SQLite is left in the home."""
    home, artifacts = four_days, tmp_path / "artifacts"
    monkeypatch.setenv("DAGSTER_HOME", "")
    with shop_on(postgres) as models:
        monkeypatch.setenv(POSTGRES_VARIABLE, shop.as_url)
        monkeypatch.setenv("CUSTOMER360_MLFLOW_TRACKING_URI", models.as_url)
        monkeypatch.setenv("CUSTOMER360_MLFLOW_ARTIFACTS", str(artifacts))
        with home.instance():
            pass  # makes the tables, which the daemon and this test would else make at once
        log = tmp_path / "daemon.log"
        with daemon(home, log) as process:
            runs = first_runs(home, process, [NIGHTLY, GOLD], 1_500)
        assert all(run.is_success for run in runs), log.read_text()[-3000:]
        with home.instance() as instance:
            assert materialized(instance, "gold/customer_360") == {"2024-01-04"}
            assert instance.get_daemon_heartbeats()["SCHEDULER"].timestamp > 0
        (kept,) = shop.connection.execute("SELECT count(*) FROM runs").fetchall()
        assert kept[0] >= 2
        (versions,) = models.connection.execute("SELECT count(*) FROM model_versions").fetchall()
        assert versions[0] >= 2
    assert list(artifacts.rglob("MLmodel"))
    assert not list(home.folder.rglob("*.db"))
