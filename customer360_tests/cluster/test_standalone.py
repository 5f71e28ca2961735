"""A Spark cluster makes what one machine makes, also where a worker of it dies."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from customer360_tests.cluster.deployment import assert_same, environment, make_home, run
from customer360_tests.cluster.standalone import Cluster, standalone
from customer360_tests.deployments import PROJECT

pytestmark = [pytest.mark.whole, pytest.mark.timeout(5_400)]

# The cluster's machines are this one.
ON_LOOPBACK = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "1g",
    "spark.cores.max": "2",
}
BUSY_SECONDS = 0.5
"""CPU that an executor takes for a step before it is killed in it."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with standalone(tmp_path_factory.mktemp("cluster")) as started:
        yield started


class Reaper:
    """Kills a worker while it works on a step, and starts another in its place.

    Args:
        cluster: Whose.
        steps: The steps as the command prints them when they begin.
    """

    def __init__(self, cluster: Cluster, *steps: str) -> None:
        self.cluster = cluster
        self.waiting = list(steps)
        self.killed: list[str] = []
        self.threads: list[threading.Thread] = []

    def __call__(self, line: str) -> None:
        """Look at a line of the command."""
        step = line.strip().removeprefix("… ")
        if line.startswith("… ") and step in self.waiting:
            self.waiting.remove(step)
            self.threads.append(threading.Thread(target=self._kill_in, args=(step,)))
            self.threads[-1].start()

    def done(self) -> list[str]:
        """The steps in which a worker was killed."""
        for thread in self.threads:
            thread.join(60)
        return self.killed

    def _kill_in(self, step: str) -> None:
        name, executor = next(
            (name, executors[0])
            for name in self.cluster.workers
            if (executors := self.cluster.executors_of(name))
        )
        before = _cpu(executor)
        while _cpu(executor) < before + BUSY_SECONDS:
            time.sleep(0.02)
        self.cluster.kill_worker(name)
        self.killed.append(step)
        self.cluster.add_worker(f"{name}-again")


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def test_a_cluster_makes_what_one_machine_makes(
    cluster: Cluster, raw: Path, local: Path, tmp_path: Path
) -> None:
    home = make_home(tmp_path / "home", raw)
    run(home, master=cluster.master, conf=ON_LOOPBACK)
    assert_same(local, home)


WITHOUT_A_WORKER = """
import sys
from functools import partial
from customer360.errors import EnvironmentError360
from customer360.lakehouse import session
from customer360.settings import load_settings

session.check_workers = partial(session.check_workers, seconds=20)
try:
    session.spark_session(load_settings(sys.argv[1]))
except EnvironmentError360 as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("master", "conf", "says"),
    [
        # More than a worker has: the master waits for a larger one.
        (None, {"spark.executor.memory": "64g"}, "no worker of spark://"),
        ("spark://127.0.0.1:1", {}, "no Spark master answers at spark://127.0.0.1:1: "),
    ],
)
def test_a_cluster_that_takes_no_work_is_not_waited_for(
    cluster: Cluster, tmp_path: Path, master: str | None, conf: dict[str, str], says: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_WORKER, str(tmp_path)],
        cwd=PROJECT,
        env=environment(master or cluster.master, ON_LOOPBACK | conf),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.startswith(says), done.stdout + done.stderr
    assert done.stdout.count("\n") == 1


def test_a_jar_of_settings_is_no_other_configuration(cluster: Cluster, tmp_path: Path) -> None:
    """Though the session's are ours as well, and addresses."""
    with zipfile.ZipFile(tmp_path / "more.jar", "w") as jar:
        jar.writestr("more.txt", "more")
    code = (
        "import sys\n"
        "from customer360.lakehouse.session import spark_session\n"
        "from customer360.settings import load_settings\n"
        "settings = load_settings(sys.argv[1])\n"
        "spark = spark_session(settings)\n"
        "assert spark_session(settings) is spark\n"
        "print(spark.conf.get('spark.jars'))\n"
    )
    conf = ON_LOOPBACK | {"spark.jars": str(tmp_path / "more.jar")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=PROJECT,
        env=environment(cluster.master, conf),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = [path.rpartition("/")[2] for path in done.stdout.strip().split(",")]
    assert names[-1] == "more.jar"
    assert len(names) == len(set(names)) == 3


def test_its_workers_grow_the_trees_of_one_machine(cluster: Cluster, tmp_path: Path) -> None:
    """What `test_churn_distributed.py` asks of a local session, of two workers."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"),
            *("--basetemp", str(tmp_path / "own"), "-k", "same_trees"),
            "customer360_tests/models/test_churn_distributed.py",
        ],
        cwd=PROJECT,
        env=environment(cluster.master, ON_LOOPBACK),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout


def test_a_worker_dies_and_the_run_ends_as_ever(
    cluster: Cluster, raw: Path, local: Path, tmp_path: Path
) -> None:
    home = make_home(tmp_path / "home", raw)
    reaper = Reaper(cluster, "silver/transactions", "gold/lifetime_value")
    run(home, master=cluster.master, conf=ON_LOOPBACK, on_line=reaper)
    assert reaper.done() == ["silver/transactions", "gold/lifetime_value"]
    assert_same(local, home)


LOSING_A_WORKER = """
import sys, time
from pathlib import Path
from pyspark.sql import Observation, functions as F
from customer360.lakehouse.counting import Counts
from customer360.lakehouse.session import spark_session
from customer360.settings import load_settings

folder = Path(sys.argv[1])

def waits(batches):
    (folder / "reduces").touch()
    while not (folder / "killed").exists():
        time.sleep(0.1)
    yield from batches

spark = spark_session(load_settings(folder))
sparks_own = Observation()
rows = spark.range(0, 1_000, 1, 4).toDF("n").observe(sparks_own, F.count(F.lit(1)).alias("rows"))
counts = Counts(rows, F.count(F.lit(1)).alias("rows"))
summed = counts.passing.repartition(2, "n").mapInArrow(waits, "n bigint").agg(F.sum("n")).first()
print(summed[0], counts.get["rows"], sparks_own.get["rows"])
"""


def test_rows_are_counted_once_where_their_worker_dies(cluster: Cluster, tmp_path: Path) -> None:
    """What a lost worker had shuffled is made again, and Spark's own count has those rows twice."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOSING_A_WORKER, str(tmp_path)],
        cwd=PROJECT,
        # Both workers from the first task on: each has shuffled rows when one of them dies.
        env=environment(
            cluster.master, ON_LOOPBACK | {"spark.scheduler.minRegisteredResourcesRatio": "1"}
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        while not (tmp_path / "reduces").exists():
            assert process.poll() is None
            time.sleep(0.1)
        name = next(name for name in cluster.workers if cluster.executors_of(name))
        cluster.kill_worker(name)
        (tmp_path / "killed").touch()
        cluster.add_worker(f"{name}-again")
        assert process.stdout is not None
        summed, counted, observed = map(int, process.stdout.read().split())
    assert summed == sum(range(1_000))
    assert counted == 1_000
    assert observed > 1_000
