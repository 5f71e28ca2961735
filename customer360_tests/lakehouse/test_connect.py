"""What is said where Spark Connect cannot be used, and what a server of ours is started with."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from customer360.errors import EnvironmentError360, SettingsError
from customer360.lakehouse.connect import (
    see_answer,
    server_command,
    server_properties,
    write_properties,
)
from customer360.lakehouse.session import session_config, with_own_java
from customer360.settings import load_settings
from customer360_tests.browser.lineage import free_port


def test_nobody_answers() -> None:
    address = f"sc://127.0.0.1:{free_port()}"
    with pytest.raises(EnvironmentError360) as said:
        see_answer(f"{address}/;user_id=me", seconds=0.2)
    assert str(said.value) == (
        f"no Spark Connect server answers at {address}: start one by `customer360 spark-server`, "
        "or set CUSTOMER360_SPARK_MASTER to another master"
    )


def test_no_address_of_a_server() -> None:
    with pytest.raises(SettingsError) as said:
        see_answer("sc://host:15002/path/;token=confidential")
    assert str(said.value) == (
        "spark_master (sc://host:15002/path): is no address of a Spark Connect server; write "
        "sc://host:15002"
    )


def test_the_extra_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(EnvironmentError360, match=r"not installed .*: install the extra `conn"):
        see_answer("sc://host")


def test_a_server_has_delta_and_what_no_session_can_set(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, spark_master="local[2]", spark_driver_memory="3g")
    config = with_own_java(session_config(settings), settings.jars_dir)
    started = server_properties(config, "127.0.0.1", 15002)
    assert started["spark.master"] == "local[2]"
    assert started["spark.driver.memory"] == "3g"
    assert "delta-spark" in started["spark.driver.extraClassPath"]
    assert "DeltaSparkSessionExtension" in started["spark.sql.extensions"]
    assert started["spark.hadoop.fs.permissions.umask-mode"] == "077"
    assert "-Duser.timezone=UTC" in started["spark.driver.extraJavaOptions"]
    assert started["spark.connect.grpc.binding.address"] == "127.0.0.1"
    assert started["spark.connect.grpc.binding.port"] == "15002"


def test_executors_elsewhere_fetch_the_jars(tmp_path: Path) -> None:
    conf = {"spark.jars": "more.jar", "spark.pyspark.python": "/opt/customer360/bin/python"}
    settings = load_settings(tmp_path, spark_master="spark://host:7077", spark_conf=conf)
    config = with_own_java(session_config(settings), settings.jars_dir)
    names = [Path(path).name.partition("-4")[0] for path in config["spark.jars"].split(",")]
    assert names == ["delta-spark_4.1_2.13", "delta-storage", "more.jar"]
    assert config["spark.pyspark.python"] == "/opt/customer360/bin/python"


def test_properties_are_for_their_owner_and_read_as_written() -> None:
    given = {
        "spark.a": r"C:\tmp",
        "spark.b": "grün",
        "spark.c": " two\r\nlines",
        "spark.d e:#": "=",
    }
    path = write_properties(given)
    assert path.read_text() == (
        "spark.a=C:\\\\tmp\nspark.b=grün\nspark.c=\\ two\\r\\nlines\nspark.d\\ e\\:#==\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert server_command(path)[1:] == [
        *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
        *("--properties-file", str(path)),
    ]
