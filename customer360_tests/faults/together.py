"""Two runs at once, and the daemon that is started again while its run works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from customer360.days import DayRange
from customer360.orchestration.instance import dagster_environment, open_instance
from customer360.orchestration.jobs import LOAD_RANGE, NIGHTLY
from customer360.orchestration.partitions import range_tags
from customer360.settings import load_settings, remember
from customer360_tests.deployments import BIN, PROJECT
from customer360_tests.faults.company import FIRST, LOAD, LOADED_TO, NIGHT, SCORING, Company
from customer360_tests.faults.faults import WENT_ON, Fault, Night, ended

_SECONDS = 600


def all_kinds(company: Company) -> Iterator[Fault]:
    """Runs of one range, and of two."""
    for step in (LOAD, NIGHT, SCORING):
        for table in company.commits[step.name][:1]:
            yield Fault("two commands at once", step, "the same days", _Refused(table))
    half = FIRST + (LOADED_TO - FIRST) // 2
    for where, ranges in (
        ("the same days", [(FIRST, LOADED_TO), (FIRST, LOADED_TO)]),
        ("days that follow each other", [(FIRST, half), (half + timedelta(days=1), LOADED_TO)]),
        (
            "days of which some are the same",
            [(FIRST, half), (half - timedelta(days=20), LOADED_TO)],
        ),
    ):
        yield Fault("two runs of Dagster at once", LOAD, where, _Waiting(ranges))
    yield Fault("daemon started again in a run", NIGHT, "its run is killed with it", _daemon)


class _Refused:
    """A second command is refused in one line; the first ends as if alone."""

    def __init__(self, table: str) -> None:
        self.table = table

    def __call__(self, night: Night) -> str:
        first = night.start(night.accident("pause", "before", self.table))
        assert first.stdout is not None
        first.stdout.readline()  # it has begun
        how = night.process()
        assert "customer360 run (process" in how, how
        ending = ended(first)
        assert ending == WENT_ON, ending
        night.assert_equal()
        return how


class _Waiting:
    """Dagster's runs wait for each other."""

    def __init__(self, ranges: list[tuple[date, date]]) -> None:
        self.ranges = ranges

    def __call__(self, night: Night) -> str:
        with open_instance(night.settings):
            pass  # makes the databases, which both would else make at once
        started = [
            subprocess.Popen(
                [
                    str(BIN / "dagster"), "job", "execute", "-m", "customer360.definitions",
                    "-j", LOAD_RANGE, "--tags", json.dumps(range_tags(DayRange(first, last))),
                ],
                cwd=PROJECT,
                env=dagster_environment(night.settings),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            for first, last in self.ranges
        ]  # fmt: skip
        endings = [ended(process) for process in started]
        assert endings == [WENT_ON, WENT_ON], endings
        return "both went on"


def _daemon(night: Night) -> str:
    """A night of the daemon's, killed with it, and the daemon started again."""
    settings = night.settings
    remember(settings.home, {"nightly_cron": "* * * * *", "end_date": night.step.last})
    with open_instance(settings):
        pass
    log = settings.home / "daemon.log"
    daemon = _started(night, log)
    _wait_for(night, lambda run: run.status is dg.DagsterRunStatus.STARTED)
    time.sleep(5)
    os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait()
    daemon = _started(night, log)
    try:
        _wait_for(night, lambda run: run.is_success)
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
    return "the daemon ran the night again"


def _started(night: Night, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(BIN / "dagster-daemon"), "run", "-w", "workspace.yaml"],
            cwd=PROJECT,
            env=dagster_environment(load_settings(night.settings.home)),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_for(night: Night, wanted: Callable[[dg.DagsterRun], bool]) -> None:
    until = time.monotonic() + _SECONDS
    with open_instance(night.settings) as instance:
        while time.monotonic() < until:
            if any(wanted(run) for run in instance.get_runs(dg.RunsFilter(job_name=NIGHTLY))):
                return
            time.sleep(0.5)
    raise AssertionError("Dagster's run did not come so far")
