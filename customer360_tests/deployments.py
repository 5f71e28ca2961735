"""Whole deployments to test on: made in a folder, run as a user would, compared by content."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from customer360 import cli
from customer360.deployment import Deployment
from customer360.lakehouse.delta_log import MONTH, TableLogs
from customer360.lakehouse.reading import Tables, engine
from customer360.lakehouse.tables import Lakehouse
from customer360.orchestration.instance import dagster_environment, open_instance
from customer360.orchestration.metadata import asset_key
from customer360.pipeline.workspace import Workspace
from customer360.settings import Settings, load_settings, remember
from customer360.sources.synthetic import DefectRates, SyntheticSource, generate

PROJECT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

# What says when or by which run a row was made, and not what it is.
BOOKKEEPING = frozenset({"_ingested_at", "run_id", "model_version"})


@dataclass(frozen=True)
class Home:
    """A deployment and its tables."""

    settings: Settings
    spark: SparkSession

    @classmethod
    def at(cls, spark: SparkSession, folder: Path) -> Home:
        """The deployment in ``folder``, as its own file describes it."""
        return cls(load_settings(folder), spark)

    @property
    def folder(self) -> Path:
        return self.settings.home

    @property
    def lakehouse(self) -> Lakehouse:
        return Lakehouse(self.spark, self.settings.lakehouse_root)

    @property
    def deployment(self) -> Deployment:
        return Deployment.of(load_settings(self.folder))

    @property
    def source(self) -> SyntheticSource:
        return SyntheticSource(self.settings.raw_dir / "synthetic")

    def workspace(self, run_id: str = "test") -> Workspace:
        """Where pipeline functions work, called without Dagster."""
        return Workspace(self.lakehouse, self.deployment, run_id)

    def instance(self) -> dg.DagsterInstance:
        """The deployment's Dagster instance; close it (``with``)."""
        return open_instance(load_settings(self.folder))

    def rows(self, table: str, where: str = "true") -> list[dict[str, Any]]:
        """Rows of a table, as dictionaries; ``where`` is SQL as DuckDB reads it."""
        with rows_of(self.lakehouse, table) as rows:
            return list(rows.filter(where).to_arrow_table().to_pylist())


def copy_of(home: Home, folder: Path) -> Home:
    """A copy of ``home`` in ``folder``, to be changed."""
    # Its server's files are its server's, who may be another user.
    subprocess.run(["cp", "-a", str(home.folder), str(folder)], check=True)
    for what_runs in ("postmaster.pid", ".handle_pids.json", ".s.PGSQL*"):
        for file in (folder / "warehouse").glob(what_runs):
            file.unlink()
    return Home.at(home.spark, folder)


def state_home(folder: Path, *, first: date, last: date, **choices: Any) -> None:
    """The file of a deployment over synthetic data, without the data."""
    folder.mkdir(parents=True, exist_ok=True)
    remember(
        folder,
        {
            "sources": ["synthetic"],
            "start_date": first,
            "end_date": last,
            # Short, so that a few weeks of data teach and test the models.
            "lifetime_value_holdout_days": 28,
            "churn_horizon_days": 14,
            "churn_activity_days": 28,
            "revenue_horizon_days": 14,
            "quarantine_limit": 0.5,
            "customer_key_secret": "known to the tests",
        }
        | choices,
    )


def make_home(
    spark: SparkSession,
    folder: Path,
    *,
    first: date,
    last: date,
    customers: int,
    defects: DefectRates,
    seed: int = 11,
    raw: Path | None = None,
    **choices: Any,
) -> Home:
    """A deployment over synthetic data, not run yet.

    Args:
        spark: The session of the tests.
        folder: Its home.
        first: First day.
        last: Last day, included.
        customers: How many.
        defects: What is wrong with the raw data.
        seed: Of the data.
        raw: A data set of another home to share, instead of making one.
        choices: Settings that its file states.
    """
    state_home(folder, first=first, last=last, **choices)
    home = Home.at(spark, folder)
    if raw is None:
        target = home.settings.raw_dir / "synthetic"
        generate(target, customers=customers, start=first, end=last, seed=seed, defects=defects)
    else:
        share_raw(folder, raw)
    return home


def share_raw(folder: Path, raw: Path) -> None:
    """Let the home in ``folder`` have the synthetic data set ``raw``, which others have too."""
    target = load_settings(folder).raw_dir / "synthetic"
    target.parent.mkdir(parents=True)
    target.symlink_to(raw, target_is_directory=True)


@dataclass(frozen=True)
class Said:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str

    @property
    def error_lines(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.strip()]


COLUMNS = "250"


def customer360(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> Said:
    """Run ``customer360 …`` through its entry point, in this process and its Spark session."""
    monkeypatch.setattr(sys, "argv", ["customer360", *(str(each) for each in arguments)])
    # Wide enough that no printed line is folded, and no colour codes to look through.
    monkeypatch.setenv("COLUMNS", COLUMNS)
    monkeypatch.setenv("NO_COLOR", "1")
    capsys.readouterr()
    code: object = 0
    try:
        cli.main()
    except SystemExit as done:
        code = done.code or 0
    printed = capsys.readouterr()
    assert isinstance(code, int)
    return Said(code, plain(printed.out), plain(printed.err))


def plain(text: str) -> str:
    """``text`` without terminal codes."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def command(
    home: Home, *arguments: str, timeout: float = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a real command on ``home``, from the project's root, as the README writes it."""
    return subprocess.run(
        [str(BIN / arguments[0]), *arguments[1:]],
        cwd=PROJECT,
        env=process_environment(home) | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def process_environment(home: Home) -> dict[str, str]:
    """Environment of a ``dagster`` process that works on ``home``."""
    return dagster_environment(home.settings)


@contextmanager
def rows_of(logs: TableLogs, table: str) -> Iterator[duckdb.DuckDBPyRelation]:
    """All rows of ``table``, to be asked in SQL by DuckDB, where Spark would take half a second.

    Times are of UTC, without saying so.
    """
    rows = Tables(logs.root).dataset(table).to_table()
    rows = rows.select([name for name in rows.column_names if name != MONTH])
    schema = rows.schema
    for at, field in enumerate(schema):
        if pa.types.is_timestamp(field.type):
            schema = schema.set(at, field.with_type(pa.timestamp(field.type.unit)))
    with engine() as connection:
        connection.register("rows", rows.cast(schema))
        yield connection.table("rows")


def columns_of(logs: TableLogs, table: str) -> list[str]:
    """The names of a table's columns, in order."""
    return [name for name in Tables(logs.root).dataset(table).schema.names if name != MONTH]


def content(logs: TableLogs, table: str, ignore: Collection[str] = BOOKKEEPING) -> list[str]:
    """Every row of ``table``, as text, sorted: two tables with equal content are equal."""
    kept = sorted(set(columns_of(logs, table)) - set(ignore))
    rows = Tables(logs.root).dataset(table).to_table(kept).to_pylist()
    return sorted(str(tuple(row.values())) for row in rows)


def assert_same_content(ours: TableLogs, theirs: TableLogs, tables: Collection[str]) -> None:
    """Each of ``tables`` holds the same rows in both; the first that differ are shown."""
    for table in tables:
        left, right = content(ours, table), content(theirs, table)
        only_left, only_right = sorted(set(left) - set(right)), sorted(set(right) - set(left))
        assert left == right, (
            f"{table}: {len(left)} and {len(right)} rows; "
            f"only in one {only_left[:2]}, only in the other {only_right[:2]}"
        )


def materialized(instance: dg.DagsterInstance, table: str) -> set[str]:
    """Partitions of a table that Dagster shows as materialised."""
    return instance.get_materialized_partitions(asset_key(table))


def step_error(result: dg.ExecuteInProcessResult) -> str:
    """What the only step that failed says: its first cause, in one line."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    assert error is not None
    return error.message.strip()


def newest_metadata(instance: dg.DagsterInstance, table: str) -> dict[str, Any]:
    """Metadata of the newest materialisation, as plain values."""
    found = metadata_by_partition(instance, table, limit=1)
    assert found, f"{table} was never materialised"
    return next(iter(found.values()))


def metadata_by_partition(
    instance: dg.DagsterInstance, table: str, *, limit: int = 1_000
) -> dict[str, dict[str, Any]]:
    """Metadata of the newest ``limit`` materialisations, as plain values, by partition."""
    found: dict[str, dict[str, Any]] = {}
    for record in instance.fetch_materializations(asset_key(table), limit=limit).records:
        made = record.asset_materialization
        assert made is not None
        plain_values: dict[str, Any] = {k: v.value for k, v in made.metadata.items()}
        found.setdefault(str(made.partition), plain_values)
    return found


def read_json(text: str) -> Any:
    """The JSON that a command printed."""
    return json.loads(text)
