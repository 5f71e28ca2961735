"""Each check on a machine that is fine, and on one that is broken in every way it looks for."""

from __future__ import annotations

import io
import os
import socket
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest
from rich.console import Console

from customer360 import doctor
from customer360.doctor import Check
from customer360.lakehouse import jars
from customer360.settings import load_settings
from customer360_tests.browser.lineage import free_port

JAVA_17 = 'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment'
JAVA_8 = 'java version "1.8.0_402"\nJava(TM) SE Runtime Environment'
GB = 1024**3


def test_this_machine_can_run_the_suite(tmp_path: Path) -> None:
    checks = doctor.run_checks(load_settings(tmp_path / "home"))
    failed = [check for check in checks if check.status == "fail"]
    assert not failed
    assert doctor.healthy(checks)
    assert not (tmp_path / "home").exists(), "looking must not make anything"


def test_what_is_not_ok_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    broken = [
        doctor.check_python("3.8.1"),
        doctor.check_java({}, which=lambda _: None),
        doctor.check_jars(tmp_path),
        doctor.check_memory("2g", available=lambda: GB),
        doctor.check_memory("much"),
        doctor.check_disk(tmp_path, free=lambda _: 0),
        doctor.check_home(tmp_path / "file"),
        doctor.check_time_zone("Mars/Olympus"),
        doctor.check_secret(tmp_path, given="short"),
    ]
    assert all(check.status != "ok" and check.remedy for check in broken)
    assert not doctor.healthy(broken)


def test_warnings_do_not_make_the_command_fail() -> None:
    assert doctor.healthy([Check("a", "ok", ""), Check("b", "warn", "", "")])


@pytest.mark.parametrize(
    ("version", "status"),
    [("3.10.14", "fail"), ("3.11.0", "ok"), ("3.11.0rc1", "fail"), ("3.12.4", "ok")],
)
def test_python_is_one_the_package_asks_for(version: str, status: str) -> None:
    assert doctor.check_python(version, requires=lambda _: ">=3.11").status == status


def test_python_names_the_range_that_is_wanted() -> None:
    check = doctor.check_python("3.8.1", requires=lambda _: ">=3.11,<3.13")
    assert check.found.startswith("3.8.1 ")
    assert ">=3.11,<3.13" in check.remedy


@pytest.mark.parametrize(
    ("said", "status", "found"),
    [
        (JAVA_17, "ok", "17.0.15"),
        ('openjdk version "21" 2023-09-19', "ok", "21"),
        ('openjdk version "11.0.2"', "fail", "11.0.2"),
        (JAVA_8, "fail", "8.0_402"),
        ("Java? Never heard of it", "warn", "does not say its version"),
        (None, "fail", "does not run"),
    ],
)
def test_java_versions(said: str | None, status: str, found: str) -> None:
    check = doctor.check_java({}, which=lambda _: "/usr/bin/java", run=lambda _: said)
    assert check.status == status
    assert found in check.found


def test_java_home_wins_over_path() -> None:
    asked = []

    def run(command: str) -> str:
        asked.append(command)
        return JAVA_17

    check = doctor.check_java({"JAVA_HOME": "/opt/jdk"}, which=lambda _: "/usr/bin/java", run=run)
    assert check.status == "ok"
    assert asked == [str(Path("/opt/jdk/bin/java"))]


def test_a_java_home_without_java_is_named(tmp_path: Path) -> None:
    check = doctor.check_java({"JAVA_HOME": str(tmp_path)}, which=lambda _: "/usr/bin/java")
    assert check == Check(
        "Java",
        "fail",
        f"JAVA_HOME={tmp_path} does not run",
        "install Java 17 or newer, or set JAVA_HOME to one",
    )


def test_packages_of_this_environment_fit_together() -> None:
    assert doctor.check_packages().status == "ok"


def test_a_wrong_and_a_missing_package_are_named() -> None:
    installed = {"pyspark": "3.5.0"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    def requires(name: str) -> list[str] | None:
        return {
            "customer360": ["pyspark==4.1.4", "faker>=37", 'colorama; sys_platform == "win32"'],
            "delta-spark": None,
        }[name]

    check = doctor.check_packages(requires=requires, version=version)
    assert check.status == "fail"
    assert "pyspark==4.1.4 (found 3.5.0)" in check.found
    assert "faker>=37 (not installed)" in check.found
    assert "colorama" not in check.found


def test_jars_that_are_there(tmp_path: Path) -> None:
    for path in jars.jar_paths(tmp_path):
        path.touch()

    assert doctor.check_jars(tmp_path).status == "ok"


def test_missing_jars_say_what_to_do(tmp_path: Path) -> None:
    check = doctor.check_jars(tmp_path)
    assert check.status == "fail"
    assert "network" in check.remedy
    assert "make setup" in check.remedy


def test_memory_counts_the_heap_and_python_beside_it() -> None:
    def status(available: int | None) -> str:
        return doctor.check_memory("2g", available=lambda: available).status

    assert status(4 * GB) == "ok"
    assert status(3 * GB) == "warn"
    assert status(1 * GB) == "fail"
    assert status(None) == "ok", "unknown off Linux"


@pytest.mark.parametrize(
    ("text", "size"), [("2g", 2 * GB), ("512m", 512 * 1024**2), ("1T", 1024 * GB), ("64", 64)]
)
def test_sizes_as_java_writes_them(text: str, size: int) -> None:
    assert doctor.parse_size(text) == size


def test_a_container_limit_is_what_counts(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 33554432 kB\nMemAvailable: 16777216 kB\n")
    assert doctor.available_memory(meminfo, tmp_path / "none") == 16 * GB
    (tmp_path / "memory.max").write_text(f"{4 * GB}\n")
    (tmp_path / "memory.current").write_text(f"{1 * GB}\n")
    assert doctor.available_memory(meminfo, tmp_path) == 3 * GB
    (tmp_path / "memory.max").write_text("max\n")
    assert doctor.available_memory(meminfo, tmp_path) == 16 * GB
    assert doctor.available_memory(tmp_path / "not-linux", tmp_path) is None


def test_disk_of_a_home_that_is_not_there_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    asked = []

    def free(path: Path) -> int:
        asked.append(path)
        return 10 * GB

    assert doctor.check_disk(tmp_path / "a" / "b", free=free).status == "ok"
    assert asked == [tmp_path]


@pytest.mark.parametrize(("free", "status"), [(2.0, "ok"), (1.9, "warn"), (0.4, "fail")])
def test_disk_thresholds(tmp_path: Path, free: float, status: str) -> None:
    check = doctor.check_disk(tmp_path, 2 * GB, free=lambda _: int(free * GB))
    assert check.status == status


def test_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    check = doctor.check_home(tmp_path / "data")
    assert (check.status, check.found) == ("fail", f"{tmp_path / 'data'} is a file")
    assert doctor.check_home(tmp_path / "data" / "below").status == "fail"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_home_that_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert doctor.check_home(tmp_path).status == "fail"


def test_time_zone_shows_its_offset() -> None:
    check = doctor.check_time_zone("America/Sao_Paulo", now=datetime(2025, 6, 1, tzinfo=UTC))
    assert (check.status, check.found) == ("ok", "America/Sao_Paulo (UTC-03:00 now)")


def test_secret_is_made_at_the_first_run_only(tmp_path: Path) -> None:
    assert doctor.check_secret(tmp_path).status == "ok"
    settings = load_settings(tmp_path)
    if settings.customer_key_secret is None:
        settings.secret()
        assert doctor.check_secret(tmp_path).found.endswith("(600)")


def test_a_lost_secret_with_tables_made_by_it_fails(tmp_path: Path) -> None:
    (tmp_path / "lakehouse" / "silver" / "customers" / "_delta_log").mkdir(parents=True)
    check = doctor.check_secret(tmp_path)
    assert check.status == "fail"
    assert "gone" in check.found


def test_a_secret_that_others_can_read_warns(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "customer_key"
    file.parent.mkdir()
    file.write_text("0" * 64)
    file.chmod(0o644)
    check = doctor.check_secret(tmp_path)
    assert (check.status, check.remedy) == ("warn", f"chmod 600 {file}")
    file.write_text("")
    assert doctor.check_secret(tmp_path).status == "fail"


def test_no_check_prints_the_secret(tmp_path: Path) -> None:
    secret = "a-secret-of-more-than-sixteen"
    assert secret not in str(doctor.check_secret(tmp_path, given=secret))
    assert "short" not in doctor.check_secret(tmp_path, given="short").found


def test_a_port_in_use_names_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check = doctor.check_port(port)
        assert (check.status, check.found) == ("warn", "in use")
        assert f"--port {port + 1}" in check.remedy
    assert doctor.check_port(port).status == "ok"


def test_an_erasure_that_was_stopped_is_told_with_what_finishes_it(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert doctor.check_unfinished(settings).status == "ok"
    for file, command in (("rotation.json", "rotate-key"), ("erasure.json", "forget")):
        (tmp_path / "privacy").mkdir(exist_ok=True)
        (tmp_path / "privacy" / file).write_text("{}")
        check = doctor.check_unfinished(settings)
        assert check.status == "warn"
        assert check.remedy == f"customer360 privacy {command} --resume --home {tmp_path}"


def test_spark_connect_needs_a_server_and_no_java_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_CONNECT_SECONDS", 0.2)
    nobody = f"sc://127.0.0.1:{free_port()}"
    checks = {c.name: c for c in doctor.run_checks(load_settings(tmp_path, spark_master=nobody))}
    assert "Python" in checks
    assert not checks.keys() & {"Java", "Delta jars", "Memory"}
    assert checks["Spark Connect"].status == "fail"
    assert checks["Spark Connect"].found.startswith(f"no Spark Connect server answers at {nobody}:")


def test_a_spark_master_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as master:
        address = f"spark://127.0.0.1:{master.getsockname()[1]}"
        assert doctor.check_master(address).status == "ok"
    checks = {c.name: c for c in doctor.run_checks(load_settings(tmp_path, spark_master=address))}
    assert checks["Spark master"].status == "fail"
    assert checks["Spark master"].found == f"nobody answers at {address}"
    assert doctor.check_master("spark://host").found.endswith("write spark://host:7077")


@pytest.mark.parametrize(
    ("warehouse", "status"), [(None, "warn"), ("postgresql://warehouse.internal/shop", "ok")]
)
def test_workers_elsewhere_need_a_warehouse_that_they_reach(
    tmp_path: Path, warehouse: str | None, status: str
) -> None:
    given = {"warehouse_url": warehouse} if warehouse else {}
    settings = load_settings(tmp_path, spark_master="spark://host:7077", **given)
    assert {c.name: c.status for c in doctor.run_checks(settings)}["Warehouse"] == status


def test_table_shows_every_line_and_takes_brackets_literally() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    checks = [Check("Master", "ok", "local[*]"), Check("Java", "fail", "none", "install [17]")]
    console.print(doctor.render(checks))
    text = console.export_text()
    assert "local[*]" in text
    assert "install [17]" in text
    assert "fail" in text
