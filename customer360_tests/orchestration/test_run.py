"""A whole run through Dagster, in process: what it materialises, checks and shows."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer360.days import DayRange
from customer360.orchestration.build import build_definitions
from customer360.orchestration.jobs import NIGHTLY
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.run import Plan, RunFailedError, run_plan
from customer360.orchestration.schedules import range_tags
from customer360.settings import load_settings
from customer360.sources.synthetic import DefectRates
from customer360_tests.deployments import (
    Home,
    content,
    make_home,
    materialized,
    metadata_by_partition,
    newest_metadata,
)

EVERY_DAY = (
    "bronze/synthetic_customers",
    "bronze/synthetic_transactions",
    "quarantine/synthetic_customers",
    "quarantine/synthetic_transactions",
    "quarantine/transactions",
    "silver/customers",
    "silver/customer_history",
    "silver/transactions",
    "silver/customer_days",
    "gold/business_health",
)
SNAPSHOTS = (
    "gold/customer_features",
    "gold/first_orders",
    "gold/rfm_segments",
    "gold/cohort_retention",
    "gold/churn_scores",
    "gold/lifetime_value",
    "gold/revenue_predictions",
    "gold/customer_360",
    "gold/revenue_forecast",
    "gold/customer_equity",
)
MODELS = ("models/churn", "models/lifetime_value", "models/revenue")

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


def test_all_days_are_made_and_only_the_as_of_date_has_a_snapshot(demo: Home) -> None:
    """Dagster shows every partition of the run as made, and says of each whether rows are in it."""
    days = {str(day) for day in demo.deployment.available()}
    with demo.instance() as instance:
        for table in (*EVERY_DAY, *SNAPSHOTS, *MODELS):
            assert materialized(instance, table) == days, table
        for table in SNAPSHOTS:
            found = metadata_by_partition(instance, table)
            assert {day for day in found if found[day]["snapshot"]} == {max(days)}, table
            rows = {day: found[day]["dagster/partition_row_count"] for day in found}
            assert sum(rows.values()) == rows[max(days)] == demo.lakehouse.read(table).count()
    for table in SNAPSHOTS:
        assert {str(row["as_of"]) for row in demo.rows(table)} == {max(days)}, table


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
        made = metadata_by_partition(instance, "gold/customer_features", limit=4)
    snapshots = {day for day, metadata in made.items() if metadata["snapshot"]}
    assert snapshots == {str(day) for day in asked}


def test_the_nightly_job_reloads_a_window_and_trains_where_there_is_no_model(week: Home) -> None:
    """One run over three days, as the schedule asks for it; nothing changes but the models."""
    tables = [table for table in EVERY_DAY if week.lakehouse.exists(table)]
    before = {table: content(week.lakehouse, table) for table in tables}
    settings = load_settings(week.folder)
    with week.instance() as instance:
        result = (
            build_definitions(settings)
            .resolve_job_def(NIGHTLY)
            .execute_in_process(
                instance=instance,
                tags=range_tags(DayRange(date(2024, 1, 4), date(2024, 1, 6))),
                raise_on_error=False,
            )
        )
        assert result.success
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        assert materialized(instance, "gold/customer_360") >= {"2024-01-06"}
        for model in MODELS:
            assert newest_metadata(instance, model)["as_of"] == "2024-01-06"
    for table in tables:
        assert content(week.lakehouse, table) == before[table], table
    assert {row["as_of"] for row in week.rows("gold/customer_360")} >= {date(2024, 1, 6)}


def test_an_as_of_date_outside_the_run_is_refused(week: Home) -> None:
    definitions = build_definitions(load_settings(week.folder))
    with week.instance() as instance:
        result = definitions.resolve_job_def("snapshot").execute_in_process(
            instance=instance,
            partition_key="2024-01-06",
            tags={"customer360/as_of": "2024-01-02"},
            raise_on_error=False,
        )
    assert not result.success
    failure = next(event for event in result.all_events if event.is_step_failure)
    text = str(failure.step_failure_data.error)
    assert "2024-01-02 is outside the run's days 2024-01-06; widen the partition range" in text


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
    assert "raise CUSTOMER360_QUARANTINE_LIMIT to accept it" in evaluation.description
