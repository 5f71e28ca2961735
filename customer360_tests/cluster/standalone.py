"""A Spark cluster of processes on this machine: one master, workers of one core each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyspark

from customer360_tests.browser.lineage import free_port
from customer360_tests.deployments import PROJECT

SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
_DEPLOY = "org.apache.spark.deploy"
MASTER = "master"
_START_SECONDS = 180
EXECUTOR_MEMORY = "1g"


@dataclass
class Cluster:
    """A master and its workers, with what each writes in ``folder``."""

    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def master(self) -> str:
        """What `CUSTOMER360_SPARK_MASTER` is set to."""
        return f"spark://127.0.0.1:{self.port}"

    @property
    def workers(self) -> list[str]:
        """The names of the workers that live."""
        return [name for name in self.processes if name != MASTER]

    def executors_of(self, name: str) -> list[psutil.Process]:
        """The executors that a worker has started."""
        if not psutil.pid_exists(self.processes[name].pid):
            return []
        below = psutil.Process(self.processes[name].pid).children()
        return [each for each in below if each.name() == "java"]

    def start(self, name: str, arguments: Sequence[str], says: str) -> None:
        """Start a daemon, and wait until its log says that it works."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            self.processes[name] = subprocess.Popen(
                [str(SPARK_CLASS), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=_environment(self._disk(name)),
            )
        wait_for(log, says, self.processes[name])

    def _disk(self, name: str) -> Path:
        return self.folder / f"{name}-disk"

    def add_worker(self, name: str) -> None:
        """Start a worker that the master knows."""
        self.start(
            name,
            [
                f"{_DEPLOY}.worker.Worker",
                *("--host", "127.0.0.1", "--webui-port", "0", "--work-dir", str(self.folder)),
                *("--cores", "1", "--memory", EXECUTOR_MEMORY, self.master),
            ],
            "Successfully registered with master",
        )

    def kill_worker(self, name: str) -> None:
        """A machine is gone: SIGKILL of a worker, its executors and their Python, and its disk."""
        worker = psutil.Process(self.processes[name].pid)
        for each in (worker, *worker.children(recursive=True)):
            each.kill()
        self.processes.pop(name).wait()
        # Else executors on the same host go on reading what it has shuffled.
        shutil.rmtree(self._disk(name))

    def stop(self) -> None:
        """End all processes."""
        for process in reversed(self.processes.values()):
            below = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.wait(30)
            for each in below:
                if each.is_running():
                    each.kill()


@contextmanager
def standalone(folder: Path, workers: Sequence[str] = ("first", "second")) -> Iterator[Cluster]:
    """A cluster with such workers; ended with the context."""
    cluster = Cluster(folder, free_port())
    try:
        cluster.start(
            "master",
            [
                f"{_DEPLOY}.master.Master",
                *("--host", "127.0.0.1", "--port", str(cluster.port), "--webui-port", "0"),
            ],
            "New state: ALIVE",
        )
        for name in workers:
            cluster.add_worker(name)
        yield cluster
    finally:
        cluster.stop()


def wait_for(log: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has written ``text`` into its log."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if text in log.read_text(errors="replace"):
            return
        assert process.poll() is None, log.read_text(errors="replace")
        time.sleep(0.2)
    raise AssertionError(f"no {text!r} in {log.read_text(errors='replace')}")


def _environment(disk: Path) -> dict[str, str]:
    return os.environ | {
        "PYSPARK_PYTHON": sys.executable,
        # Executors' Python takes the package from this folder, whatever is installed.
        "PYTHONPATH": str(PROJECT),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(disk),
        "SPARK_DAEMON_MEMORY": "256m",
    }
