"""Ctrl-C and SIGTERM, sent to real commands: one line, the right exit code, nothing left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import psutil
import pytest

from customer360.home_lock import writing
from customer360.orchestration.instance import open_instance
from customer360.settings import load_settings
from customer360.sources.synthetic import DefectRates, generate
from customer360_tests.browser.lineage import free_port
from customer360_tests.deployments import PROJECT
from customer360_tests.sockets import beyond_this_machine, listens

pytestmark = pytest.mark.integration

MARK = "CUSTOMER360_TEST_STARTED_BY"
# Java's own word on a module that Spark asks for.
JAVA_SAYS = "WARNING: Using incubator modules"


@dataclass(frozen=True)
class Started:
    """A real process, and where it writes."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def family(self) -> dict[psutil.Process, str]:
        """What runs of all that it started, itself among them, wherever it was moved to."""
        found = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.out):
                    found[process] = " ".join(process.cmdline())
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def until(self, happened: Callable[[], bool], seconds: float = 240) -> None:
        end = time.monotonic() + seconds
        while not happened():
            said = self.out.read_text() + self.err.read_text()
            assert self.process.poll() is None, f"it ended: {said}"
            assert time.monotonic() < end, f"it took too long: {said}"
            time.sleep(0.1)

    def until_said(self, words: str) -> None:
        self.until(lambda: words in self.out.read_text())

    def ctrl_c(self) -> None:
        """As a terminal does: to each process of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    @property
    def said(self) -> list[str]:
        lines = self.err.read_text().splitlines()
        return [line for line in lines if line.strip() and not line.startswith(JAVA_SAYS)]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Start ``python <arguments>``; what is left of it when the test ends is killed."""
    started = []

    def start_it(*arguments: str) -> Started:
        out, err = tmp_path / "out", tmp_path / "err"
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=PROJECT,
                # Spark writes to /tmp/spark-…, which must not hide behind the test's folder.
                env=os.environ | {MARK: str(out), "COLUMNS": "250", "NO_COLOR": "1"},
                stdout=to_out,
                stderr=to_err,
                start_new_session=True,
            )
        started.append(process)
        return Started(process, out, err)

    yield start_it
    for process in started:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two days of raw data."""
    folder = tmp_path / "home"
    generate(
        load_settings(folder).raw_dir / "synthetic",
        customers=40,
        start=date(2024, 1, 1),
        end=date(2024, 1, 2),
        seed=1,
        defects=DefectRates(),
    )
    return folder


def cli(*arguments: object) -> list[str]:
    return ["-m", "customer360.cli", *(str(each) for each in arguments)]


@pytest.mark.parametrize(
    ("how", "when", "code", "by"),
    [
        # While Java starts, which nobody would end if it were not connected to yet.
        pytest.param(
            signal.SIGINT, "… bronze/", 130, "Ctrl-C", id="ctrl-c", marks=pytest.mark.whole
        ),
        # While Spark works.
        pytest.param(signal.SIGTERM, "✓ bronze/", 143, "SIGTERM", id="sigterm"),
    ],
)
def test_a_run_ends_in_one_line(
    start: Callable[..., Started], home: Path, how: signal.Signals, when: str, code: int, by: str
) -> None:
    run = start(*cli("run", "--steps", "etl", "--home", home))
    run.until_said(when)
    time.sleep(1)
    if how is signal.SIGINT:
        run.ctrl_c()
    else:
        run.process.terminate()
    assert run.process.wait(60) == code
    assert len(run.said) == 1, run.said
    (line,) = run.said
    assert line.startswith(f"stopped by {by}; nothing needs to be cleaned up, it can be run again:")
    assert line.endswith(f"customer360 run --steps etl --home {home}")
    assert run.family() == {}
    with writing(home, "the test"), open_instance(load_settings(home)) as instance:
        (noted,) = instance.get_runs()
        assert noted.status is dg.DagsterRunStatus.FAILURE


def test_ctrl_c_while_raw_data_is_made(start: Callable[..., Started], tmp_path: Path) -> None:
    home = tmp_path / "home"
    making = start(*cli("generate", "--customers", 3_000_000, "--home", home))
    making.until(lambda: (home / "raw").exists())
    making.ctrl_c()
    assert making.process.wait(60) == 130
    (line,) = making.said
    assert line.startswith("stopped by Ctrl-C; ")


_DEAF = """
import time
from customer360.cli.stopping import stoppable
with stoppable():
    print("ready", flush=True)
    while True:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            print("not now", flush=True)
"""


def test_the_second_ctrl_c_waits_for_nothing(start: Callable[..., Started]) -> None:
    deaf = start("-c", _DEAF)
    deaf.until_said("ready")
    deaf.ctrl_c()
    deaf.until_said("not now")
    time.sleep(1.5)
    deaf.ctrl_c()
    assert deaf.process.wait(10) == 130
    (line,) = deaf.said
    assert line.startswith("stopped by Ctrl-C; ")


_SERVER = """
import subprocess, sys
from customer360.cli.processes import serve
child = [sys.executable, "-c", "import time; time.sleep(600)"]
server = f'''
import subprocess, sys, time
subprocess.Popen({child!r})
print("ready", flush=True)
time.sleep(600)
'''
import os
print("told", serve([sys.executable, "-c", server], os.environ), flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_a_server_leaves_behind_ends_too(
    start: Callable[..., Started], how: signal.Signals
) -> None:
    serving = start("-c", _SERVER)
    serving.until_said("ready")
    assert len(serving.family()) == 3
    serving.process.send_signal(how)
    assert serving.process.wait(30) == 0
    assert serving.family() == {}
    assert serving.out.read_text() == "ready\ntold None\n"


@pytest.mark.parametrize("server", ["dev", "dashboard"])
def test_a_server_listens_to_this_machine_alone_and_sigterm_ends_all_it_started(
    start: Callable[..., Started], tmp_path: Path, server: str
) -> None:
    port, home = free_port(), tmp_path / "home"
    options = []
    if server == "dashboard":
        options = ["--no-browser"]
        home.mkdir()  # It refuses a home that is not there.
    serving = start(*cli(server, *options, "--port", port, "--home", home))

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    serving.until(answers)
    assert len(serving.family()) > 1
    where = listens(serving.family())
    assert ("127.0.0.1", port) in where
    assert beyond_this_machine(where) == []
    serving.process.terminate()
    assert serving.process.wait(60) == 0
    assert serving.family() == {}
    assert not answers()
    assert "Traceback" not in serving.err.read_text()
