"""What became of the newest runs, as readers of the warehouse see it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer360.days import DayRange
from customer360.errors import BrokenFileError
from customer360.orchestration import run, run_history
from customer360.orchestration.build import build_definitions
from customer360.orchestration.failure import told_to_readers
from customer360.orchestration.instance import open_instance
from customer360.orchestration.jobs import PUBLISH
from customer360.orchestration.run import Plan, RunFailedError, run_plan
from customer360.orchestration.run_history import publish_runs, runs_sensor
from customer360.orchestration.warehouse_assets import warehouse_key
from customer360.serving.publishing import Origin, publish_rows
from customer360.serving.tables import DEPLOYMENT
from customer360.serving.warehouse import Warehouse, is_running, open_warehouse, take_down
from customer360.settings import Settings, load_settings
from customer360_tests.deployments import PROJECT

BROKEN = "day.csv: expected a column amount, found id, who; replace the file"
DAY = date(2024, 1, 1)
PLAN = Plan(DayRange(DAY, DAY), (DAY,), "publish")
REASONS = "SELECT job, status, failed_step, error FROM serving.runs ORDER BY started_at, ended_at"


@dg.asset(name="synthetic_transactions", key_prefix="bronze")
def broken() -> None:
    try:
        raise KeyError("amount")
    except KeyError as error:
        raise BrokenFileError(
            "day.csv", "a column amount", "id, who", "replace the file"
        ) from error


@dg.asset(
    key_prefix="silver",
    check_specs=[
        dg.AssetCheckSpec("few", asset=["silver", "transactions"]),
        dg.AssetCheckSpec("known", asset=["silver", "transactions"], blocking=True),
    ],
)
def transactions() -> Iterator[Any]:
    yield dg.MaterializeResult()
    warn = dg.AssetCheckSeverity.WARN
    yield dg.AssetCheckResult(passed=False, check_name="few", severity=warn, description="few")
    yield dg.AssetCheckResult(
        passed=False,
        check_name="known",
        description="3 rows name no customer, such as order A1;\n  load the customers first",
        metadata=told_to_readers("3 rows name no customer;\n  load the customers first"),
    )


@dg.asset
def sound() -> None:
    """Nothing goes wrong with it."""


def definitions(**jobs: Any) -> dg.Definitions:
    return dg.Definitions(
        assets=[broken, transactions, sound],
        jobs=[dg.define_asset_job(name, selection=[asset]) for name, asset in jobs.items()],
        executor=dg.in_process_executor,
        loggers={"progress": dg.colored_console_logger},
    )


def execute(instance: dg.DagsterInstance, job: str, asset: Any) -> dg.ExecuteInProcessResult:
    found = definitions(**{job: asset}).resolve_job_def(job)
    return found.execute_in_process(instance=instance, raise_on_error=False)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A deployment whose warehouse was published to."""
    settings = load_settings(tmp_path_factory.mktemp("home"))
    make(str(settings.home))
    yield settings
    take_down(settings)


@pytest.fixture
def warehouse(shop: Settings) -> Iterator[Warehouse]:
    """The warehouse, nothing of runs in it."""
    opened = open_warehouse(shop)
    yield opened
    with opened.owner.connect() as owner:
        owner.execute("DROP TABLE IF EXISTS serving.runs")


@pytest.fixture(scope="module")
def empty_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an instance as ours are, whose databases take seconds to make."""
    settings = load_settings(tmp_path_factory.mktemp("empty"))
    with open_instance(settings) as opened:
        assert opened.get_runs() == []
    return settings.dagster_home


@pytest.fixture
def instance(shop: Settings, empty_instance: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance as ours are, without runs."""
    shutil.copytree(empty_instance, tmp_path / empty_instance.name)
    with open_instance(shop.model_copy(update={"home": tmp_path})) as opened:
        yield opened


def read(warehouse: Warehouse, query: str = REASONS) -> list[tuple[Any, ...]]:
    with warehouse.reader.connect() as reader:
        return reader.execute(query).fetchall()


def test_a_run_that_failed_names_its_asset_and_why_in_one_line(
    warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    execute(instance, "nightly", broken)
    execute(instance, "load", transactions)
    execute(instance, "snapshot", sound)
    done = publish_runs(instance, warehouse.owner)
    assert (done.rows, done.changed) == (3, 3)
    assert read(warehouse) == [
        # By its kind alone: the words of an error may quote the row that it is about.
        ("nightly", "failure", "bronze/synthetic_transactions", "BrokenFileError"),
        # The check that failed, and not the one that only warned or the step that it stopped.
        (
            "load",
            "failure",
            "silver/transactions",
            "3 rows name no customer; load the customers first",
        ),
        ("snapshot", "success", None, None),
    ]
    # It is no publication of data: how old those are does not change.
    assert read(warehouse, "SELECT DISTINCT table_name FROM serving.publications") == [
        ("serving/deployment",)
    ]


def test_a_run_has_its_times(warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
    before = datetime.now(UTC)
    done = execute(instance, "load", sound)
    publish_runs(instance, warehouse.owner)
    ((run_id, started, ended),) = read(
        warehouse, "SELECT run_id, started_at, ended_at FROM serving.runs"
    )
    assert run_id == done.run_id
    assert before - timedelta(seconds=1) < started <= ended < datetime.now(UTC)


def test_runs_that_do_not_run_themselves_to_an_end(
    warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    """One waits, one runs, one was stopped, one died before it started."""
    job = definitions(nightly=sound).resolve_job_def("nightly")
    status = dg.DagsterRunStatus
    instance.create_run_for_job(job, status=status.NOT_STARTED)
    instance.create_run_for_job(job, status=status.STARTED)
    stopped = instance.create_run_for_job(job, status=status.STARTED)
    instance.report_run_canceled(stopped)
    died = instance.create_run_for_job(job, status=status.STARTING)
    instance.report_run_failed(died, "Run timed out\n due to taking longer than 180 seconds.")
    publish_runs(instance, warehouse.owner)
    found = read(
        warehouse,
        "SELECT status, started_at IS NOT NULL, ended_at IS NOT NULL, failed_step, error "
        "FROM serving.runs ORDER BY status",
    )
    assert found == [
        ("canceled", True, True, None, None),
        ("failure", True, True, None, "Run timed out due to taking longer than 180 seconds."),
        ("running", True, False, None, None),
    ]


def test_only_the_newest_runs_stay(
    warehouse: Warehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_history, "RUNS_KEPT", 2)
    for name in ("first", "second", "third"):
        execute(instance, name, sound)
        publish_runs(instance, warehouse.owner)
    assert [job for job, *_ in read(warehouse)] == ["second", "third"]


def test_the_newest_end_of_a_scheduled_job_stays_however_many_runs_follow(
    warehouse: Warehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_history, "RUNS_KEPT", 1)
    execute(instance, "retrain", broken)
    for name in ("new_files", "other"):
        execute(instance, name, sound)
    publish_runs(instance, warehouse.owner)
    assert [(job, status) for job, status, *_ in read(warehouse)] == [
        ("retrain", "failure"),
        ("other", "success"),
    ]


def test_assets_that_somebody_chose_are_a_job_with_a_name(
    warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    implicit = definitions().resolve_implicit_global_asset_job_def()
    implicit.execute_in_process(instance=instance, asset_selection=[sound.key])
    publish_runs(instance, warehouse.owner)
    assert read(warehouse) == [("materialize", "success", None, None)]


def test_a_run_that_publishes_runs_itself_and_the_sensor_says_how_it_ended(
    shop: Settings, warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    defs = build_definitions(shop)
    done = defs.resolve_job_def(PUBLISH).execute_in_process(
        instance=instance, asset_selection=[warehouse_key("serving.runs")]
    )
    (made,) = done.asset_materializations_for_node("warehouse__serving__runs")
    assert made.metadata["dagster/row_count"].value == 1
    assert read(warehouse) == [("publish", "running", None, None)]
    sensor = defs.get_repository_def().get_sensor_def("runs")
    tick(sensor, instance)
    assert read(warehouse) == [("publish", "success", None, None)]


def tick(sensor: Any, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    """What the sensor says to the daemon; nothing that it does may fail there."""
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        return sensor.evaluate_tick(context)


def test_the_sensor_shows_each_end_once(
    shop: Settings, warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    """Also of runs that no daemon started, as these are."""
    sensor = runs_sensor(shop)
    execute(instance, "nightly", broken)
    first = tick(sensor, instance)
    assert read(warehouse) == [
        ("nightly", "failure", "bronze/synthetic_transactions", "BrokenFileError"),
    ]
    again = tick(sensor, instance, first.cursor)
    assert (again.skip_message, again.cursor) == ("no run has ended since", first.cursor)
    execute(instance, "nightly", sound)
    assert tick(sensor, instance, first.cursor).cursor not in (None, first.cursor)
    assert [status for _, status, *_ in read(warehouse)] == ["failure", "success"]


def test_the_sensor_tells_errors_in_full_where_personal_data_are_published(
    shop: Settings, warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    execute(instance, "nightly", broken)
    tick(runs_sensor(shop.model_copy(update={"publish_personal_data": True})), instance)
    assert read(warehouse) == [
        ("nightly", "failure", "bronze/synthetic_transactions", BROKEN),
    ]


def test_the_sensor_leaves_the_server_as_it_found_it(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """The daemon lives on for months; a run's server stops with the run."""
    settings = load_settings(tmp_path / "shop")
    module = "customer360_tests.orchestration.test_run_history"
    command = f"from {module} import make; make({str(settings.home)!r})"
    subprocess.run([sys.executable, "-c", command], check=True, cwd=PROJECT)
    assert not is_running(settings)
    execute(instance, "nightly", broken)
    assert tick(runs_sensor(settings), instance).cursor
    assert not is_running(settings)
    opened = open_warehouse(settings)
    execute(instance, "nightly", sound)
    assert tick(runs_sensor(settings), instance).cursor
    assert [status for _, status, *_ in read(opened)] == ["failure", "success"]
    take_down(settings)


def make(home: str) -> None:
    """A warehouse that was published to."""
    publish_rows(open_warehouse(load_settings(Path(home))).owner, DEPLOYMENT, [], Origin("made"))


def test_without_a_warehouse_nothing_happens(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = load_settings(tmp_path / "new")
    execute(instance, "nightly", broken)
    assert tick(runs_sensor(settings), instance).skip_message == "there is no warehouse yet"
    assert not (tmp_path / "new").exists()


def test_a_server_that_was_never_published_to_is_left_alone(
    tmp_path: Path, postgres: str, instance: dg.DagsterInstance
) -> None:
    settings = load_settings(tmp_path, warehouse_reader_url=postgres)
    execute(instance, "nightly", broken)
    assert tick(runs_sensor(settings), instance).skip_message == "there is no warehouse yet"
    assert not settings.warehouse_dir.exists()


def test_a_warehouse_that_does_not_answer_is_tried_again(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    url = "postgresql://me:hush-hush@127.0.0.1:1/shop"
    settings = load_settings(tmp_path, warehouse_url=url, warehouse_reader_url=url)
    execute(instance, "nightly", broken)
    said = tick(runs_sensor(settings), instance, "before")
    assert "customer360 warehouse status" in said.skip_message
    assert "hush-hush" not in said.skip_message
    assert said.cursor == "before"


def test_a_run_of_the_command_line_is_there_when_it_ends(
    shop: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "build_definitions", lambda _: definitions(publish=broken))
    with pytest.raises(RunFailedError) as failed:
        run_plan(shop, PLAN, lambda line: None)
    ((job, status, step, reason),) = read(warehouse)
    assert (job, status) == ("publish", "failure")
    assert (step, reason) == ("bronze/synthetic_transactions", "BrokenFileError")
    assert str(failed.value) == f"{step}: {BROKEN}"

    monkeypatch.setattr(run, "build_definitions", lambda _: definitions(publish=sound))
    run_plan(shop, PLAN, lambda line: None)
    assert [found[1] for found in read(warehouse)] == ["failure", "success"]


def test_a_run_of_the_command_line_needs_no_warehouse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "build_definitions", lambda _: definitions(publish=sound))
    run_plan(load_settings(tmp_path), PLAN, lambda line: None)
    assert not (tmp_path / "warehouse").exists()


def test_a_warehouse_that_is_away_does_not_hide_why_a_run_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://me:hush-hush@127.0.0.1:1/shop"
    settings = load_settings(tmp_path, warehouse_url=url, warehouse_reader_url=url)
    monkeypatch.setattr(run, "build_definitions", lambda _: definitions(publish=broken))
    said: list[str] = []
    with pytest.raises(RunFailedError, match="expected a column amount"):
        run_plan(settings, PLAN, said.append)
    assert "the dashboard does not know of this run: warehouse me@127.0.0.1/shop" in said[-1]
