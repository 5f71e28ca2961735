"""Dagster's own commands on a deployment, each a real process, as the README writes them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from customer360.orchestration.jobs import NIGHTLY
from customer360.orchestration.metadata import asset_key
from customer360.serving.warehouse import take_down
from customer360.sources.synthetic import DefectRates
from customer360_tests.deployments import (
    BIN,
    PROJECT,
    Home,
    command,
    make_home,
    materialized,
    process_environment,
)
from customer360_tests.session import users_own

pytestmark = pytest.mark.integration

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 4)
DEFINITIONS = ("-m", "customer360.definitions")


@pytest.fixture
def home(spark, tmp_path: Path) -> Home:
    """Four days of raw data, of which nothing was loaded yet."""
    return make_home(
        spark,
        tmp_path / "commands",
        first=FIRST,
        last=LAST,
        customers=120,
        defects=DefectRates().scaled(4),
        nightly_cron="* * * * *",
        trailing_days=1,
    )


def delivered(home: Home) -> set[str]:
    return {str(row["_delivered_on"]) for row in home.rows("bronze/synthetic_transactions")}


@pytest.mark.whole
def test_definitions_validate(home: Home) -> None:
    done = command(home, "dagster", "definitions", "validate", "-w", "workspace.yaml")
    assert done.returncode == 0, done.stderr
    assert "All code locations passed validation" in done.stdout + done.stderr


@pytest.mark.whole
def test_materialize_a_partition_then_a_range_then_the_nightly_job(home: Home) -> None:
    """One day of one table, a range of what comes after it, the last days again and the new one."""
    done = command(
        home, "dagster", "asset", "materialize", *DEFINITIONS,
        "--select", 'key:"bronze/synthetic_transactions"', "--partition", "2024-01-01",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert delivered(home) == {"2024-01-01"}

    done = command(
        home, "dagster", "asset", "materialize", *DEFINITIONS,
        "--select", "group:bronze or group:silver or group:quarantine",
        "--partition-range", "2024-01-01...2024-01-03",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert delivered(home) == {"2024-01-01", "2024-01-02", "2024-01-03"}
    with home.instance() as instance:
        loaded = {"2024-01-01", "2024-01-02", "2024-01-03"}
        assert materialized(instance, "silver/customer_days") == loaded
        assert len(instance.get_runs()) == 2

    tags = {
        "dagster/asset_partition_range_start": "2024-01-02",
        "dagster/asset_partition_range_end": "2024-01-04",
    }
    done = command(
        home, "dagster", "job", "execute", *DEFINITIONS, "-j", NIGHTLY, "--tags", json.dumps(tags)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "2024-01-04" in delivered(home)
    assert {str(row["as_of"]) for row in home.rows("gold/customer_360")} == {"2024-01-04"}


@contextlib.contextmanager
def daemon(home: Home, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A real Dagster daemon on ``home``, ended with all that it started.

    Its runs have the session that users get by default.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(BIN / "dagster-daemon"), "run", "-w", "workspace.yaml"],
            cwd=PROJECT,
            env=users_own(process_environment(home)) | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            # A later tick may have begun a run, in a process of the daemon's code server.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            # PostgreSQL has a session of its own, and nobody is left who would stop it.
            take_down(home.settings)


def first_run(home: Home, process: subprocess.Popen[bytes], seconds: float) -> dg.DagsterRun:
    """The first run that somebody launched, when it is over."""
    until = time.monotonic() + seconds
    with home.instance() as instance:
        while time.monotonic() < until:
            assert process.poll() is None, "the daemon ended"
            runs = instance.get_runs()
            if runs and runs[-1].is_finished:
                return runs[-1]
            time.sleep(1)
    raise AssertionError(f"no run ended within {seconds:.0f} s; runs: {runs}")


@pytest.mark.timeout(1_200)  # a busy machine; a minute or two on an idle one
def test_the_daemon_runs_the_nightly_schedule(tmp_path: Path, home: Home) -> None:
    """A tick of the schedule, every minute here, launches a run that loads the trailing days."""
    log = tmp_path / "daemon.log"
    with home.instance():
        pass  # makes the databases, which the daemon and this test would else make at once
    with daemon(home, log) as process:
        run = first_run(home, process, 1_000)
    tail = log.read_text()[-3000:]
    assert run.is_success, tail
    assert run.job_name == NIGHTLY
    assert run.tags["dagster/schedule_name"] == NIGHTLY
    assert run.tags["dagster/asset_partition_range_start"] == "2024-01-03"
    assert run.tags["dagster/asset_partition_range_end"] == "2024-01-04"
    assert delivered(home) == {"2024-01-03", "2024-01-04"}
    assert {str(row["as_of"]) for row in home.rows("gold/customer_360")} == {"2024-01-04"}
    with home.instance() as instance:
        # The first night had no model to score with, so it trained them.
        for model in ("models/churn", "models/lifetime_value"):
            assert instance.get_latest_materialization_event(asset_key(model)) is not None
