"""A Spark Connect server makes what a session of one's own makes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyspark
import pytest

from customer360_tests.browser.lineage import free_port
from customer360_tests.cluster.deployment import assert_same, environment, make_home, run
from customer360_tests.deployments import PROJECT
from customer360_tests.sockets import wait_for_port

pytestmark = [pytest.mark.whole, pytest.mark.timeout(5_400)]


@contextmanager
def server(command: list[str], port: int, log: Path) -> Iterator[str]:
    """A Spark Connect server, and its address."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment("local[2]", {}),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for_port(port, process, log)
        yield f"sc://127.0.0.1:{port}"
    finally:
        below = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(60)
        for each in psutil.wait_procs(below, timeout=10)[1]:
            each.kill()


def test_spark_connect_makes_what_a_session_of_ones_own_makes(
    raw: Path, local: Path, tmp_path: Path
) -> None:
    home = make_home(tmp_path / "home", raw)
    port = free_port()
    command = [sys.executable, "-m", "customer360.cli", "spark-server", "--verbose"]
    command += ["--home", str(home), "--port", str(port), "--master", "local[2]"]
    with server(command, port, tmp_path / "server.log") as address:
        run(home, master=address)
        assert_same(local, home)
        # Trees by the workers are not to be had there, and more rows than fit are none here.
        refused = _said(home, address, "train", "churn", CUSTOMER360_CHURN_TRAINER="spark")
        assert "xgboost.spark needs a classic Spark session" in refused
        assert "with Delta at sc://127.0.0.1" in _said(home, address, "doctor", COLUMNS="250")


def test_a_server_without_delta_is_named(raw: Path, tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", raw)
    port = free_port()
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    command = [str(submit), "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    for conf in (
        f"spark.connect.grpc.binding.port={port}",
        "spark.connect.grpc.binding.address=127.0.0.1",
        "spark.ui.enabled=false",
    ):
        command += ["--conf", conf]
    with server(command, port, tmp_path / "server.log") as address:
        for arguments in (("doctor",), ("run",)):
            said = _said(home, address, *arguments, COLUMNS="250")
            assert f"the Spark Connect server at {address} has no Delta" in said


def _said(home: Path, address: str, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "customer360.cli", *arguments, "--home", str(home)],
        cwd=PROJECT,
        env=environment(address, {}) | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    return done.stdout
