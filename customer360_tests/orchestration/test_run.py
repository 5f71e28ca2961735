"""A whole run through Dagster, in process: what it materialises, checks and shows."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from customer360.days import DayRange
from customer360.lakehouse.delta_log import TableLogs
from customer360.orchestration import run
from customer360.orchestration.build import build_definitions
from customer360.orchestration.failure import first_failure
from customer360.orchestration.jobs import GOLD, NIGHTLY
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.partitions import (
    RANGE_END,
    RANGE_START,
    add_as_of_dates,
    known_as_of_dates,
    range_tags,
)
from customer360.orchestration.run import Plan, RunFailedError, run_plan
from customer360.settings import load_settings
from customer360.sources.synthetic import DefectRates
from customer360_tests import declared
from customer360_tests.deployments import (
    Home,
    content,
    make_home,
    materialized,
    metadata_by_partition,
    newest_metadata,
    step_error,
)

EVERY_DAY = (*declared.LOADED, "gold/business_health")
SNAPSHOTS, MONITORING = declared.SNAPSHOTS, declared.MONITORING
LEAVES = ("exports/whales", "reports/exploration")
MODELS = declared.MODEL_ASSETS

DAYS = DayRange(date(2024, 1, 1), date(2024, 1, 6))


def quietly(line: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def week(spark, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Six days, loaded and with one snapshot, without models."""
    home = make_home(
        spark,
        tmp_path_factory.mktemp("week"),
        first=DAYS.first,
        last=DAYS.last,
        customers=150,
        defects=DefectRates().scaled(8),
    )
    run_plan(home.settings, Plan.of(home.deployment, steps="etl"), quietly)
    return home


def test_days_are_partitions_of_days_and_the_as_of_date_of_all_that_is_made_as_of_it(
    demo: Home,
) -> None:
    """A partition is green only where its rows are: ninety days, and one snapshot."""
    days = {str(day) for day in demo.deployment.available()}
    as_of = max(days)
    with demo.instance() as instance:
        assert [str(day) for day in known_as_of_dates(instance)] == [as_of]
        for table in EVERY_DAY:
            assert materialized(instance, table) == days, table
        for name in (*SNAPSHOTS, *MONITORING, *MODELS, *LEAVES):
            assert materialized(instance, name) == {as_of}, name
        for table in SNAPSHOTS:
            found = metadata_by_partition(instance, table)
            rows = demo.lakehouse.read(table).count()
            assert found[as_of]["dagster/partition_row_count"] == rows, table
    for table in SNAPSHOTS:
        assert {str(row["as_of"]) for row in demo.rows(table)} == {as_of}, table


def test_pictures_are_kept_once_and_not_for_every_day(demo: Home) -> None:
    with demo.instance() as instance:
        found = metadata_by_partition(instance, "models/churn")
        graph = build_definitions(demo.settings).resolve_asset_graph()
    with_plots = {day for day in found if any(name.startswith("plot_") for name in found[day])}
    assert with_plots == {"2024-03-30"}
    # What is kept of ninety days: 1.67 MB an asset, which pictures a day would exceed ten times.
    assets = len(graph.materializable_asset_keys)
    log = demo.settings.dagster_home / "history"
    assert sum(file.stat().st_size for file in log.rglob("*.db")) < 1_670_000 * assets


def test_every_check_was_evaluated_and_passed(demo: Home) -> None:
    with demo.instance() as instance:
        graph = build_definitions(demo.settings).resolve_asset_graph()
        keys = list(graph.asset_check_keys)
        assert len(keys) >= 14
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    statuses = {key.to_user_string(): found[key].status.value for key in keys if key in found}
    # What 90 days teach may not beat the naive baselines; then this check has to say so.
    expected = {key.to_user_string(): "SUCCEEDED" for key in keys}
    with demo.instance() as instance:
        for model in MODELS:
            verdict = newest_metadata(instance, model)["promotion"]
            assert verdict.startswith("first model")
            if "does not beat the naive" in verdict:
                expected[f"{model}:promoted"] = "FAILED"
    assert statuses == expected


def test_materialisations_say_how_many_rows_and_which_version(demo: Home) -> None:
    with demo.instance() as instance:
        for table in (*EVERY_DAY, *SNAPSHOTS):
            found = newest_metadata(instance, table)
            assert found["dagster/row_count"] == demo.lakehouse.read(table).count(), table
            if table != "quarantine/transactions":
                assert found["delta_version"] == demo.lakehouse.version(table), table
        quarantined = newest_metadata(instance, "quarantine/synthetic_transactions")
        assert "amount:minimum" in quarantined["reasons"]
        accounting = newest_metadata(instance, "silver/transactions")["accounting"]
        assert "unknown_customer" in accounting


def test_row_counts_of_partitions_add_up(demo: Home) -> None:
    table = "bronze/synthetic_transactions"
    with demo.instance() as instance:
        found = metadata_by_partition(instance, table)
    counts = {day: metadata["dagster/partition_row_count"] for day, metadata in found.items()}
    assert sum(counts.values()) == demo.lakehouse.read(table).count()


def test_models_show_their_figures_and_plots(demo: Home) -> None:
    with demo.instance() as instance:
        for model in MODELS:
            found = newest_metadata(instance, model)
            assert found["status"] == "trained", model
            assert "baseline_" in found["metrics"]
            plots = [value for name, value in found.items() if name.startswith("plot_")]
            assert plots, model
            assert all("data:image/png;base64," in plot for plot in plots)
            assert found["parameters"]["as_of"] == "2024-03-30"
            assert found["mlflow_run_id"]


def test_scores_name_the_model_that_made_them(demo: Home) -> None:
    with demo.instance() as instance:
        for table in ("gold/churn_scores", "gold/lifetime_value", "gold/revenue_predictions"):
            stated = newest_metadata(instance, table)["model_version"]
            assert {row["model_version"] for row in demo.rows(table)} == {stated}


def test_mlflow_knows_the_data_that_a_model_was_trained_on(demo: Home) -> None:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=demo.settings.tracking_uri)
    with demo.instance() as instance:
        for model in MODELS:
            run = client.get_run(newest_metadata(instance, model)["mlflow_run_id"])
            version = int(run.data.params["delta_version/silver/customer_days"])
            assert version <= demo.lakehouse.version("silver/customer_days")
            dagster_run = instance.get_run_by_id(run.data.tags["dagster_run_id"])
            assert dagster_run is not None
            assert dagster_run.is_success


def test_several_as_of_dates_come_out_of_one_run(week: Home) -> None:
    asked = (date(2024, 1, 3), date(2024, 1, 6))
    before = content(week.lakehouse, "gold/customer_features")
    plan = Plan.of(week.deployment, as_of=asked, steps="etl")
    said: list[str] = []
    run_plan(week.settings, plan, said.append)
    assert "[bold]snapshot[/bold] 2024-01-03,2024-01-06" in said
    for table in ("gold/customer_features", "gold/rfm_segments", "gold/cohort_retention"):
        assert {row["as_of"] for row in week.rows(table)} == set(asked), table
    # The newest snapshot is what it was when it was made alone.
    newest = sorted(set(content(week.lakehouse, "gold/customer_features")) & set(before))
    assert newest == before
    with week.instance() as instance:
        assert known_as_of_dates(instance) == list(asked)
        assert materialized(instance, "gold/customer_features") == {str(day) for day in asked}
        newest_run, *_ = instance.get_runs(dg.RunsFilter(job_name="snapshot"))
        made = instance.get_records_for_run(
            newest_run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        )
    features = [
        event.partition
        for record in made.records
        if (event := record.event_log_entry.dagster_event)
        and event.asset_key == asset_key("gold/customer_features")
    ]
    assert sorted(map(str, features)) == [str(day) for day in asked]


def test_a_snapshot_is_made_again_without_loading_or_training(week: Home) -> None:
    day = date(2024, 1, 6)
    before = content(week.lakehouse, "gold/customer_features")
    version = week.lakehouse.version("silver/transactions")
    made = week.lakehouse.version("gold/customer_features")
    said: list[str] = []
    run_plan(week.settings, Plan.of(week.deployment, as_of=[day], steps="snapshot"), said.append)
    steps = [line for line in said if line.startswith("[bold]")]
    assert steps == ["[bold]snapshot[/bold] 2024-01-06"]
    assert week.lakehouse.version("silver/transactions") == version
    assert week.lakehouse.version("gold/customer_features") > made
    assert content(week.lakehouse, "gold/customer_features") == before


def test_a_night_makes_its_gold_and_a_missing_snapshot_is_launched(
    week: Home,
) -> None:
    """Two runs, as the schedule and the sensor ask for them; nothing changes but the models."""
    tables = [table for table in EVERY_DAY if week.lakehouse.exists(table)]
    before = {table: content(week.lakehouse, table) for table in tables}
    definitions = build_definitions(load_settings(week.folder))
    with week.instance() as instance:
        sensor = definitions.get_repository_def().get_sensor_def(GOLD)
        nothing = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        assert not nothing.run_requests
        load = definitions.resolve_job_def(NIGHTLY).execute_in_process(
            instance=instance, tags=range_tags(DayRange(date(2024, 1, 4), date(2024, 1, 6)))
        )
        assert load.success
        asked = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        (request,) = asked.run_requests or ()
        # The window has one snapshot, of its newest day.
        assert request.tags[RANGE_START] == request.tags[RANGE_END] == "2024-01-06"
        again = sensor.evaluate_tick(
            dg.build_sensor_context(instance=instance, cursor=asked.cursor)
        )
        assert not again.run_requests
        gold = definitions.resolve_job_def(GOLD).execute_in_process(
            instance=instance,
            tags=dict(request.tags),
            asset_selection=request.asset_selection,
            raise_on_error=False,
        )
        assert gold.success, step_error(gold)
        assert materialized(instance, "gold/customer_360") == {"2024-01-06"}
        for model in MODELS:
            assert newest_metadata(instance, model)["as_of"] == "2024-01-06"
        # The next night leaves the models to `retrain`, and mends the window's other snapshots.
        add_as_of_dates(instance, [date(2024, 1, 5)])
        later = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    (request,) = later.run_requests or ()
    assert request.tags[RANGE_START] == "2024-01-05"
    assert not {asset_key(model) for model in MODELS} & set(request.asset_selection or ())
    for table in tables:
        assert content(week.lakehouse, table) == before[table], table
    assert {row["as_of"] for row in week.rows("gold/customer_360")} == {date(2024, 1, 6)}
    # Here there are models and one snapshot, which takes a minute to come to.
    launch_a_missing_snapshot(week)
    make_a_list_of_several_dates(week)


def launch_a_missing_snapshot(week: Home) -> None:
    """A date is added, as in the UI's dialog, and its partition launched."""
    day = date(2024, 1, 4)
    definitions = build_definitions(load_settings(week.folder))
    job = definitions.resolve_job_def(GOLD)
    with week.instance() as instance:
        with pytest.raises(dg.DagsterUnknownPartitionError):
            job.execute_in_process(instance=instance, partition_key=str(day))
        instance.add_dynamic_partitions("as_of", [str(day)])
        assert str(day) not in materialized(instance, "gold/customer_features")

        # Alone it cannot be made; what is missing is named in the line that the UI shows first.
        alone = job.execute_in_process(
            instance=instance,
            partition_key=str(day),
            asset_selection=[asset_key("gold/customer_360")],
            raise_on_error=False,
        )
        (failed,) = [event for event in alone.all_events if event.is_step_failure]
        error = failed.step_failure_data.error
        assert error is not None
        said = (
            "gold/customer_features has no snapshot of 2024-01-04: include the asset "
            "gold/customer_features in the run, or run `customer360 run --as-of 2024-01-04`"
        )
        assert error.message.strip().endswith(f"Failure: {said}")
        told = first_failure(alone.all_events)
        assert (told.step, told.reason, told.kind) == (
            "gold/customer_360", said, "TableNotFoundError",
        )  # fmt: skip
        assert str(day) not in materialized(instance, "gold/customer_360")

        whole = job.execute_in_process(
            instance=instance,
            partition_key=str(day),
            asset_selection=[asset_key(table) for table in SNAPSHOTS],
            raise_on_error=False,
        )
        assert whole.success, step_error(whole)
        for table in SNAPSHOTS:
            assert str(day) in materialized(instance, table), table
    assert day in {row["as_of"] for row in week.rows("gold/customer_360")}


def make_a_list_of_several_dates(week: Home) -> None:
    """A list is made of the newest of several dates, and of no other."""
    definitions = build_definitions(load_settings(week.folder))
    with week.instance() as instance:
        add_as_of_dates(instance, [date(2024, 1, 4)])  # sorts what the UI appended
        instance.delete_dynamic_partition("as_of", "2024-01-05")
        result = definitions.resolve_job_def(GOLD).execute_in_process(
            instance=instance,
            tags=range_tags(DayRange(date(2024, 1, 4), date(2024, 1, 6))),
            asset_selection=[asset_key("exports/whales")],
            raise_on_error=False,
        )
        assert result.success, step_error(result)
        assert materialized(instance, "exports/whales") == {"2024-01-06"}


def test_a_partition_that_is_no_day_of_the_deployment_is_refused(week: Home) -> None:
    definitions = build_definitions(load_settings(week.folder))
    with week.instance() as instance:
        for key, said in (
            ("Christmas", "as-of partition: 'Christmas' is not a date like 2025-12-31"),
            ("2031-01-01", "2031-01-01 is outside this deployment's days, 2024-01-01 to"),
        ):
            instance.add_dynamic_partitions("as_of", [key])
            result = definitions.resolve_job_def("snapshot").execute_in_process(
                instance=instance,
                partition_key=key,
                asset_selection=[asset_key("gold/customer_features")],
                raise_on_error=False,
            )
            instance.delete_dynamic_partition("as_of", key)
            assert said in first_failure(result.all_events).reason


def test_too_much_quarantine_stops_what_comes_after(week: Home, tmp_path: Path, spark) -> None:
    home = make_home(
        spark,
        tmp_path,
        first=DAYS.first,
        last=DAYS.last,
        customers=0,
        defects=DefectRates(),
        raw=week.source.folder.absolute(),
        quarantine_limit=0.001,
        quarantine_tolerance=0,
    )
    with pytest.raises(RunFailedError, match="bronze/synthetic_"):
        run_plan(home.settings, Plan.of(home.deployment, steps="etl"), quietly)
    # The rows themselves are kept, to be looked at; nothing was made of them.
    assert home.lakehouse.exists("bronze/synthetic_transactions")
    assert not any(name.startswith(("silver/", "gold/")) for name in home.lakehouse.tables())
    key = dg.AssetCheckKey(asset_key("bronze/synthetic_transactions"), "quarantine_share")
    with home.instance() as instance:
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
    found: Any = latest[key]
    assert found.status.value == "FAILED"
    evaluation = found.event.dagster_event.event_specific_data
    said = evaluation.description
    assert "of bronze/synthetic_transactions are in quarantine" in said
    assert said.index("customer360 show") < said.index("set CUSTOMER360_QUARANTINE_LIMIT")


def test_scores_of_an_older_release_are_made_again_as_far_back_as_they_are_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores of weeks go further back than features of days, also where nothing joins them."""
    settings = load_settings(tmp_path)
    tables = TableLogs(settings.lakehouse_root)
    newest = date(2024, 6, 30)
    days = [newest - timedelta(days=n) for n in range(20)]
    weeks = [newest - timedelta(weeks=n) for n in range(settings.warehouse_snapshots + 1)]
    for table, dates in (("gold/customer_features", days), ("gold/churn_scores", weeks)):
        rows = pa.table({"as_of": dates, "reason_1": ["bought nothing on Sundays"] * len(dates)})
        write_deltalake(tables.uri(table), rows, partition_by=["as_of"])
    steps: list[Any] = []

    def noted(_definitions: Any, _instance: Any, step: Any) -> list[Any]:
        steps.append(step)
        return []  # no check failed

    monkeypatch.setattr(run, "_run", noted)

    def made(job: str) -> set[date]:
        ranges = [step.partitions for step in steps if step.job == job]
        return {day for day in {*days, *weeks} if any(r.first <= day <= r.last for r in ranges)}

    run_plan(settings, Plan(DayRange(newest, newest), (newest,)), quietly)
    assert made("snapshot") == made("score") == set(weeks[:-1])
    steps.clear()
    run_plan(settings, Plan(DayRange(newest, newest), (weeks[3],), "snapshot"), quietly)
    assert [(step.job, step.partitions) for step in steps] == [
        ("snapshot", DayRange(weeks[3], weeks[3])),
        ("score", DayRange(weeks[3], weeks[3])),
    ]
    assert steps[1].only == [asset_key("gold/churn_scores")]
