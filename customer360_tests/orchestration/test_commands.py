"""Dagster's own commands on a deployment, each a real process, as the README writes them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from customer360.orchestration.build import build_definitions
from customer360.orchestration.failure import first_failure
from customer360.orchestration.jobs import GOLD, NIGHTLY, SNAPSHOT
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.partitions import add_as_of_dates
from customer360.serving.warehouse import take_down
from customer360.settings import load_settings
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
def test_materialize_days_run_the_nightly_job_and_materialize_snapshots(home: Home) -> None:
    """A day of a table, a range of what follows, the nightly job's new day, then as-of dates."""
    done = command(
        home, "dagster", "asset", "materialize", *DEFINITIONS,
        "--select", 'key:"bronze/synthetic_transactions"', "--partition", "2024-01-01",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert delivered(home) == {"2024-01-01"}

    done = command(
        home, "dagster", "asset", "materialize", *DEFINITIONS,
        "--select", "group:bronze or group:silver",
        "--partition-range", "2024-01-01...2024-01-03",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert delivered(home) == {"2024-01-01", "2024-01-02", "2024-01-03"}
    with home.instance() as instance:
        loaded = {"2024-01-01", "2024-01-02", "2024-01-03"}
        assert materialized(instance, "silver/customer_days") == loaded
        assert len(instance.get_runs()) == 2

    job = build_definitions(load_settings(home.folder)).resolve_job_def(SNAPSHOT)
    with home.instance() as instance:
        add_as_of_dates(instance, [LAST])
        refused = job.execute_in_process(
            instance=instance, partition_key=str(LAST), raise_on_error=False
        )
    assert first_failure(refused.all_events).reason == (
        "silver/customer_days ends with 2024-01-03, so there is no snapshot of 2024-01-04 yet: "
        "load the days first, by the job `load` or `customer360 run --to 2024-01-04`"
    )

    tags = {
        "dagster/asset_partition_range_start": "2024-01-02",
        "dagster/asset_partition_range_end": "2024-01-04",
    }
    done = command(
        home, "dagster", "job", "execute", *DEFINITIONS, "-j", NIGHTLY, "--tags", json.dumps(tags)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "2024-01-04" in delivered(home)

    with home.instance() as instance:
        add_as_of_dates(instance, [date(2024, 1, 3), date(2024, 1, 4)])
    tables = ("customer_features", "rfm_segments")
    for table, partition in zip(
        tables,
        (("--partition", "2024-01-04"), ("--partition-range", "2024-01-03...2024-01-04")),
        strict=True,
    ):
        done = command(
            home, "dagster", "asset", "materialize", *DEFINITIONS,
            "--select", 'key:"gold/customer_features" or key:"gold/rfm_segments"', *partition,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        made = {str(row["as_of"]) for row in home.rows(f"gold/{table}")}
        assert made == ({"2024-01-04"} if table == tables[0] else {"2024-01-03", "2024-01-04"})
    with home.instance() as instance:
        assert materialized(instance, "gold/rfm_segments") == {"2024-01-03", "2024-01-04"}


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


def first_runs(
    home: Home,
    process: subprocess.Popen[bytes],
    jobs: Sequence[str],
    seconds: float,
    begun: Sequence[str] = (),
) -> list[dg.DagsterRun]:
    """The first run of each job that somebody launched, when they are over.

    Of those in ``begun`` it is enough that they work.
    """
    until = time.monotonic() + seconds
    with home.instance() as instance:
        while time.monotonic() < until:
            assert process.poll() is None, "the daemon ended"
            runs = instance.get_runs()
            first = [[run for run in runs if run.job_name == job][-1:] for job in jobs]
            over = [
                run
                for each in first
                for run in each
                if run.is_finished
                or (run.job_name in begun and run.status is dg.DagsterRunStatus.STARTED)
            ]
            failed = any(run.is_finished and not run.is_success for run in over)
            if len(over) == len(jobs) or failed:
                return over
            time.sleep(1)
    raise AssertionError(f"not all ended within {seconds:.0f} s; runs: {runs}")


@pytest.mark.timeout(1_200)  # a busy machine; a minute or two on an idle one
@pytest.mark.parametrize(
    "begun",
    [
        pytest.param((GOLD,), id="gold is begun"),  # test_run.py makes it, in process
        pytest.param((), id="gold is made", marks=pytest.mark.whole),
    ],
)
def test_the_daemon_runs_the_nightly_schedule(
    tmp_path: Path, home: Home, begun: tuple[str, ...]
) -> None:
    """A tick of the schedule, every minute here, loads the trailing days; then comes their gold."""
    log = tmp_path / "daemon.log"
    with home.instance():
        pass  # makes the databases, which the daemon and this test would else make at once
    with daemon(home, log) as process:
        loaded, *gold = first_runs(home, process, [NIGHTLY, GOLD], 1_000, begun)
        if begun:  # else its end would wait for what it has begun
            os.killpg(process.pid, signal.SIGKILL)
    tail = log.read_text()[-3000:]
    assert loaded.is_success, tail
    assert loaded.tags["dagster/schedule_name"] == NIGHTLY
    assert loaded.tags["dagster/asset_partition_range_start"] == "2024-01-03"
    assert loaded.tags["dagster/asset_partition_range_end"] == "2024-01-04"
    assert delivered(home) == {"2024-01-03", "2024-01-04"}
    (made,) = gold
    assert made.tags["dagster/sensor_name"] == GOLD
    assert made.tags["dagster/asset_partition_range_end"] == "2024-01-04"
    if made.job_name in begun:
        assert made.is_success or not made.is_finished, tail
        return
    assert made.is_success, tail
    assert {str(row["as_of"]) for row in home.rows("gold/customer_360")} == {"2024-01-04"}
    with home.instance() as instance:
        # The first night had no model to score with, so it trained them.
        for model in ("models/churn", "models/lifetime_value"):
            assert instance.get_latest_materialization_event(asset_key(model)) is not None
        assert materialized(instance, "gold/customer_360") == {"2024-01-04"}
