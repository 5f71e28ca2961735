"""Commands that answer at once: they start no JVM, and tell a mistake before they load anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from customer360.lakehouse.reading import Tables
from customer360.settings import load_settings
from customer360_tests.deployments import BIN, PROJECT, Home

HEAVY = ("dagster", "duckdb", "mlflow", "pandas", "pyarrow", "pyspark", "sklearn", "xgboost")

ORDERS = "customer_id,ordered_at,amount\nana,2024-03-01,40.00\nben,2024-03-28,12.00\n"


@pytest.fixture(scope="module")
def no_java(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Java home whose java notes that it was started, and fails."""
    home = tmp_path_factory.mktemp("java")
    java = home / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\ntouch {home}/started\nexit 97\n")
    java.chmod(0o755)
    return home


def command(home: Path, no_java: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return run(no_java, *arguments, "--home", home)


def run(no_java: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    path = f"{no_java / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [str(BIN / "customer360"), *map(str, arguments)],
        cwd=no_java,
        env=os.environ | {"JAVA_HOME": str(no_java), "PATH": path, "COLUMNS": "250"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_they_start_no_jvm(demo: Home, no_java: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    scores = Tables(demo.settings.lakehouse_root).select("gold/churn_scores", None, 1)
    (key,) = scores["customer_key"].to_pylist()
    for arguments, said in (
        (("tables",), "silver/customer_days"),
        (("show", "gold/rfm_segments", "--where", "r_score = 5"), "customer_key"),
        (("explain", key), "Lifetime value"),
        (("models",), "lifetime-value"),
        (("quarantine", "list"), "quarantine/synthetic_transactions"),
        (("quarantine", "show", "synthetic_customers", "--limit", "3"), "personal data is hidden"),
        (("export", "whales", "--contacts", "hashed", "--to", tmp_path), "on the list whales"),
        (("predict", tmp_path / "orders.csv", "-o", tmp_path / "said.csv"), "2 customers"),
        (("warehouse", "status"), "the deployment's own PostgreSQL"),
        (("warehouse", "up"), "the warehouse is up"),
        (("warehouse", "down"), "the warehouse is down"),
    ):
        done = command(demo.folder, no_java, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        assert said in done.stdout, arguments
        assert not (no_java / "started").exists(), arguments


def test_files_that_cannot_be_used_are_refused_without_a_jvm(no_java: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS.replace("ben", '"ben'))
    (tmp_path / "shop.yaml").write_text(
        "name: shop\ncurrency: EUR\ntime_zone: UTC\ngrain: orders\ndate_format: yyyy-MM-dd\n"
        "columns: {order_id: customer_id, customer_id: customer_id, occurred_at: ordered_at, "
        "amount: amount}\n"
    )
    done = command(
        tmp_path, no_java, "check", "--mapping", tmp_path / "shop.yaml", tmp_path / "orders.csv"
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: orders.csv: ")
    assert "line 3 that is never closed" in line
    assert not (no_java / "started").exists()


def test_a_mapping_is_drafted_without_a_jvm(no_java: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    done = run(no_java, "map", tmp_path / "orders.csv", "--to", tmp_path / "shop.yaml")
    assert done.returncode == 0, done.stderr
    assert f"customer360 check --mapping {tmp_path / 'shop.yaml'}" in done.stdout
    assert not (no_java / "started").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "no/such"], "table no/such does not exist"),
        (["predict", "nofile.csv", "-o", "x.csv"], "nofile.csv: there is no such file"),
        (["predict", "o.csv", "-o", "x.csv", "--as-of", "May"], "--as-of: 'May' is not a date"),
        (["predict", "o.csv", "-o", "x.csv", "--model", "no.pkl"], "no.pkl: there is no revenue"),
        (["export", "nolist"], "list 'nolist' is unknown"),
        (["export", "whales"], "table gold/customer_360 does not exist"),
        (["export", "whales", "--as-of", "May"], "--as-of: 'May' is not a date"),
        (["explain", "ana"], "table gold/customer_360 does not exist"),
        (["explain", "ana", "--as-of", "2024-13-01"], "--as-of: '2024-13-01' is not a date"),
        (["models"], "no model has been trained yet"),
        (["run", "--from", "May"], "--from: 'May' is not a date"),
        (["run", "--as-of", "May"], "--as-of: 'May' is not a date"),
        (["run", "--source", "olist", "--path", "no.zip"], "--path no.zip: there is no such file"),
        (["train", "--as-of", "May"], "--as-of: 'May' is not a date"),
        (["evaluate", "--as-of", "May"], "--as-of: 'May' is not a date"),
        (["check"], "check needs --mapping"),
        (["quarantine", "show", "orders"], "no quarantine table orders"),
        (["quarantine", "replay", "--edits", "e.csv"], "--edits needs --by NAME"),
        (["quarantine", "replay", "--by", "Ana"], "--by needs --edits FILE"),
        (["quarantine", "replay", "--edits", "e.csv", "--by", "Ana"], "e.csv: no such file"),
        (["check", "nofile.csv", "--mapping", "shopify"], "nofile.csv: there is no such file"),
    ],
)
def test_a_mistake_is_told_before_anything_heavy_is_loaded(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    pickled = load_settings(tmp_path).revenue_pickle
    pickled.parent.mkdir(parents=True)
    pickled.write_bytes(b"a model")
    told = f"""
import sys
from customer360.cli import main
sys.argv = {["customer360", *arguments, "--home", str(tmp_path)]!r}
try:
    main()
except SystemExit as done:
    assert done.code == 1
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", told],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert done.stdout.strip() == "[]"
