"""Spark and Delta work on this machine, and the session is the one that was asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import psutil
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import customer360
from customer360.contracts import Column, Contract
from customer360.contracts.spark import spark_schema
from customer360.errors import EnvironmentError360, SettingsError
from customer360.lakehouse import session
from customer360.lakehouse.session import open_session, session_config, spark_session
from customer360.lakehouse.tables import Lakehouse
from customer360.orchestration.resources import SparkResource
from customer360.settings import load_settings
from customer360_tests.sockets import beyond_this_machine, listens


def test_spark_listens_to_this_machine_alone(spark: SparkSession) -> None:
    spark.range(1).collect()
    own = psutil.Process()
    java = [each for each in own.children(recursive=True) if each.name() == "java"]
    where = listens([own, *java])
    assert where
    assert beyond_this_machine(where) == []


def test_java_s_arguments_hold_no_configuration(spark: SparkSession) -> None:
    """Whoever is on the machine reads them, and secrets may be in it."""
    java = [each for each in psutil.Process().children(recursive=True) if each.name() == "java"]
    assert java
    for each in java:
        arguments = each.cmdline()
        assert "--conf" not in arguments
        file = Path(arguments[arguments.index("--properties-file") + 1])
        assert not file.exists()
    assert spark.conf.get("spark.databricks.delta.allFilesInCrc.enabled") == "false"


def test_spark_smoke(spark: SparkSession, lakehouse: Lakehouse) -> None:
    """Write, read, replace a day, MERGE and travel in time, on a partitioned Delta table."""
    contract = Contract.from_columns(
        "silver/t",
        [Column("day", "date", "date"), Column("name"), Column("n", "integer", "int")],
        description="Numbers with names.",
    )
    rows = spark.createDataFrame(
        [(date(2024, 1, 1), "a", 1), (date(2024, 1, 2), "b", 2)], spark_schema(contract)
    )
    first = lakehouse.replace_days(contract, rows, "day", [date(2024, 1, 1), date(2024, 1, 2)])
    assert (first.version, first.rows) == (0, 2)

    second = rows.where("name = 'b'").withColumn("n", F.lit(20))
    lakehouse.replace_days(contract, second, "day", [date(2024, 1, 2)])
    lakehouse.merge(
        contract,
        spark.createDataFrame(
            [(date(2024, 1, 3), "a", 100), (date(2024, 1, 3), "c", 3)], spark_schema(contract)
        ),
        "ON target.name = source.name WHEN MATCHED THEN UPDATE SET n = source.n "
        "WHEN NOT MATCHED THEN INSERT *",
    )

    def names(version: int | None = None) -> dict[str, int]:
        frame = lakehouse.read("silver/t", version=version)
        return {row["name"]: row["n"] for row in frame.collect()}

    assert names() == {"a": 100, "b": 20, "c": 3}
    assert names(version=1) == {"a": 1, "b": 20}
    assert names(version=0) == {"a": 1, "b": 2}
    assert lakehouse.version("silver/t") == 2
    assert spark.version.startswith("4.")


def test_the_same_settings_get_the_same_session(spark: SparkSession, tmp_path: Path) -> None:
    assert spark_session(load_settings(tmp_path)) is spark


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"spark_shuffle_partitions": 7}, "spark.sql.shuffle.partitions=4, but 7"),
        ({"spark_driver_memory": "9g"}, "spark.driver.memory=[24]g, but 9g"),
        ({"spark_master": "local[1]"}, r"spark.master=local\[\*\], but local\[1\]"),
        ({"spark_conf": {"spark.sql.ansi.enabled": "false"}}, "spark.sql.ansi.enabled"),
    ],
)
def test_another_configuration_is_refused_by_name(
    spark: SparkSession, tmp_path: Path, settings: dict, name: str
) -> None:
    """Spark itself would silently go on with the session that is there."""
    before = spark.conf.get("spark.sql.shuffle.partitions")
    with pytest.raises(SettingsError, match=name):
        spark_session(load_settings(tmp_path, **settings))
    assert spark.conf.get("spark.sql.shuffle.partitions") == before


def test_the_resource_is_lazy(spark: SparkSession, tmp_path: Path) -> None:
    """Building it starts nothing and refuses nothing; asking it for the session does."""
    other = SparkResource.of(load_settings(tmp_path, spark_shuffle_partitions=7))
    with pytest.raises(SettingsError, match=r"spark\.sql\.shuffle\.partitions"):
        _ = other.spark_session
    assert SparkResource.of(load_settings(tmp_path)).spark_session is spark


def test_any_spark_setting_can_be_overridden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "CUSTOMER360_SPARK_CONF",
        '{"spark.sql.shuffle.partitions": "64", "spark.executor.memory": "8g"}',
    )
    config = session_config(load_settings(tmp_path))
    assert config["spark.sql.shuffle.partitions"] == "64"
    assert config["spark.executor.memory"] == "8g"


def test_settings_for_large_data(tmp_path: Path) -> None:
    config = session_config(
        load_settings(
            tmp_path,
            spark_master="spark://cluster:7077",
            spark_driver_memory="16g",
            spark_shuffle_partitions=400,
        )
    )
    assert config["spark.master"] == "spark://cluster:7077"
    assert config["spark.driver.memory"] == "16g"
    assert config["spark.sql.shuffle.partitions"] == "400"
    # An address that executors on other machines cannot reach must not be announced to them.
    assert "spark.driver.host" not in config


@pytest.mark.parametrize("master", ["k8s://https://api:6443", "spark://cluster:7077"])
def test_clusters_get_delta(tmp_path: Path, master: str) -> None:
    config = session_config(load_settings(tmp_path, spark_master=master))
    assert config["spark.master"] == master
    assert "DeltaSparkSessionExtension" in config["spark.sql.extensions"]


def test_spark_connect_gets_only_what_a_client_may_set(tmp_path: Path) -> None:
    config = session_config(load_settings(tmp_path, spark_master="sc://server:15002"))
    assert config["spark.remote"] == "sc://server:15002"
    assert "spark.master" not in config
    assert "spark.driver.memory" not in config
    assert "spark.sql.extensions" not in config
    assert config["spark.sql.session.timeZone"] == "UTC"
    # Hadoop's settings by Hadoop's names; the umask is the server's.
    assert config["parquet.enable.dictionary#order_id"] == "false"
    assert not [name for name in config if name.startswith("spark.hadoop.")]


def test_an_address_holds_no_token(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="by the variable SPARK_CONNECT_AUTHENTICATE_TOKEN"):
        session_config(load_settings(tmp_path, spark_master="sc://host/;token=confidential"))


def test_workers_of_another_version_are_named(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.check_workers(spark)
    monkeypatch.setattr(session, "__version__", "99.0")
    with pytest.raises(EnvironmentError360) as said:
        session.check_workers(spark)
    assert str(said.value) == (
        f"Spark's workers have customer360 {customer360.__version__}, and here it is 99.0: install "
        "the wheel of customer360 99.0 in the Python of every worker; see docs/cluster.md"
    )


def test_workers_without_the_package_are_named(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(batches: Iterable[object]) -> Iterator[object]:
        raise ModuleNotFoundError("No module named 'customer360'")

    monkeypatch.setattr(session, "_versions", absent)
    with pytest.raises(EnvironmentError360) as said:
        session.check_workers(spark)
    assert str(said.value).startswith(
        "Python on Spark's workers cannot run what is sent to it (ModuleNotFoundError: No module "
        "named 'customer360'): install the wheel of customer360 "
    )


def test_java_is_not_started_by_configuration_alone(tmp_path: Path) -> None:
    code = (
        "from customer360.settings import load_settings\n"
        "from customer360.orchestration.resources import SparkResource\n"
        f"SparkResource.of(load_settings({str(tmp_path)!r}))\n"
        "from pyspark import SparkContext\n"
        "assert SparkContext._gateway is None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_missing_jars_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SparkSession, "getActiveSession", staticmethod(lambda: None))
    with pytest.raises(EnvironmentError360, match="run `make setup`"):
        open_session(session_config(load_settings(tmp_path)), tmp_path / "no jars here")
