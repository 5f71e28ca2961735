"""How Spark's Java process is started, and what is said where a cluster does not work."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession

from customer360.errors import EnvironmentError360, SettingsError
from customer360.lakehouse import session
from customer360.lakehouse.masters import is_standalone
from customer360.lakehouse.standalone import answers, see_master
from customer360_tests.bad_input.clusters import WithoutWorkers
from customer360_tests.browser.lineage import free_port
from customer360_tests.deployments import PROJECT

START = """
import sys
from customer360.errors import EnvironmentError360
from customer360.lakehouse.session import open_session, session_config
from customer360.settings import load_settings

conf = {"spark.authenticate.secret": "hush-hush", "spark.hadoop.a": r"C:\\tmp"}
settings = load_settings(sys.argv[1], spark_conf=conf)
try:
    open_session(session_config(settings), settings.jars_dir)
except EnvironmentError360 as error:
    print(error)
"""

SUBMIT = """#!/bin/sh
printf '%s\\n' "$@" > "$NOTED/arguments"
while [ $# -gt 1 ]; do
  if [ "$1" = --properties-file ]; then cp -p "$2" "$NOTED/properties"; fi
  shift
done
exit 1
"""
"""In place of Spark's own: it notes what it is started with, and ends."""


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a Spark that is none notes its start."""
    submit = tmp_path / "spark" / "bin" / "spark-submit"
    submit.parent.mkdir(parents=True)
    submit.write_text(SUBMIT)
    submit.chmod(0o700)
    folder, scratch = tmp_path / "noted", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    monkeypatch.setenv("SPARK_HOME", str(tmp_path / "spark"))
    monkeypatch.setenv("NOTED", str(folder))
    monkeypatch.setenv("TMPDIR", str(scratch))
    return folder


def start(folder: Path, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", START, str(folder)],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_no_secret_is_an_argument_of_java(noted: Path, tmp_path: Path) -> None:
    """Whoever is on the machine reads those."""
    assert start(tmp_path / "home").startswith("Spark's Java process did not start")
    first, second, file, last = (noted / "arguments").read_text().splitlines()
    assert (first, second, last) == ("--load-spark-defaults", "--properties-file", "pyspark-shell")
    properties = noted / "properties"
    lines = properties.read_text().splitlines()
    assert "spark.authenticate.secret=hush-hush" in lines
    assert r"spark.hadoop.a=C:\\tmp" in lines
    assert "hush-hush" not in (noted / "arguments").read_text()
    assert stat.S_IMODE(properties.stat().st_mode) == 0o600
    assert not Path(file).exists()
    assert list((tmp_path / "scratch").rglob("spark-*.conf")) == []


def test_arguments_of_the_user_s_stay(noted: Path, tmp_path: Path) -> None:
    start(tmp_path / "home", PYSPARK_SUBMIT_ARGS="--verbose pyspark-shell")
    assert (noted / "arguments").read_text().splitlines()[3:] == ["--verbose", "pyspark-shell"]


@pytest.mark.parametrize(
    ("there", "wanted", "told"),
    [
        (None, None, None),
        (None, "/j/delta.jar,more.jar", "/j/delta.jar,more.jar"),
        # What was fetched for `spark.jars.packages` stays, and nothing comes twice.
        (
            "file:///j/delta.jar,file:///home/ana/.ivy2/gcs.jar",
            "/j/delta.jar,more.jar",
            "file:///j/delta.jar,file:///home/ana/.ivy2/gcs.jar,more.jar",
        ),
        ("file:///home/ana/.ivy2/gcs.jar", None, "file:///home/ana/.ivy2/gcs.jar"),
    ],
)
def test_executors_get_the_jars_of_packages_too(
    there: str | None, wanted: str | None, told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyspark.SparkConf", lambda: {"spark.jars": there})
    config = {"spark.master": "spark://host:7077"} | ({"spark.jars": wanted} if wanted else {})
    assert session._with_fetched_jars(config).get("spark.jars") == told


def with_jars(value: str | None) -> SparkSession:
    return cast(SparkSession, SimpleNamespace(conf={"spark.jars": value}))


def test_jars_of_settings_are_among_those_of_the_session() -> None:
    live = with_jars("file:///j/delta.jar,file:///opt/more.jar,file:///home/ana/.ivy2/gcs.jar")
    session._check(live, {"spark.jars": "more.jar"})
    for without in (with_jars("file:///j/delta.jar"), with_jars(None)):
        with pytest.raises(SettingsError, match=r"spark\.jars=.*, but more\.jar was asked for"):
            session._check(without, {"spark.jars": "more.jar"})


class Py4JJavaError(Exception):
    """By the name of what Java's errors are raised as."""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "An error occurred while calling None.org.apache.spark.api.java.JavaSparkContext.\n"
            ": java.lang.IllegalStateException: stopped while waiting\n\tat org.apache.spark",
            "Spark did not start on local[1] (java.lang.IllegalStateException: stopped while "
            "waiting): check spark_master and spark_conf",
        ),
    ],
)
def test_what_java_says_at_the_start_is_one_line(
    said: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(config: object) -> None:
        raise Py4JJavaError(said)

    monkeypatch.setattr(session, "_start_java", fails)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    config = {"spark.master": "local[1]", "spark.pyspark.python": sys.executable}
    with pytest.raises(EnvironmentError360) as error:
        session._started(config)
    assert str(error.value) == told


def test_workers_that_take_no_work_are_not_waited_for() -> None:
    waiting = WithoutWorkers()
    with pytest.raises(EnvironmentError360, match=r"no worker of spark://code:7077 has taken work"):
        session.check_workers(cast(SparkSession, waiting), seconds=0.1)


def test_a_session_without_workers_is_not_kept_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = WithoutWorkers()
    monkeypatch.setattr(SparkSession, "getActiveSession", staticmethod(lambda: None))
    monkeypatch.setattr(session, "with_own_java", lambda config, *given, **more: config)
    monkeypatch.setattr(session, "_started", lambda config: waiting)
    monkeypatch.setattr(session, "check_workers", partial(session.check_workers, seconds=0.1))
    with pytest.raises(EnvironmentError360, match="no worker of"):
        session.open_session({"spark.master": "spark://code:7077"})
    assert waiting.stopped


def test_an_error_of_ours_is_none_of_the_workers() -> None:
    class Wrong(WithoutWorkers):
        def collect(self) -> list[Any]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        session.check_workers(cast(SparkSession, Wrong()))


def test_a_master_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        see_master(f"spark://127.0.0.1:{port}", seconds=0)
        # The first stands by.
        assert answers(f"spark://127.0.0.1:{free_port()},127.0.0.1:{port}", 1)
    assert not answers(f"spark://127.0.0.1:{port}", 1)
    assert is_standalone("spark://host:7077")
    assert not is_standalone("k8s://https://api:6443")


@pytest.mark.parametrize("master", ["spark://host", "spark://:7077", "spark://a:7077,b:x"])
def test_no_address_of_a_master(master: str) -> None:
    with pytest.raises(SettingsError, match="is no address of a Spark master; write spark://host"):
        answers(master, 1)
