"""What Dagster loads: complete, partitioned, scheduled, and light."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from customer360.deployment import Deployment
from customer360.errors import SettingsError
from customer360.models.registry import MODELS
from customer360.orchestration.build import build_definitions
from customer360.orchestration.export_assets import export_assets
from customer360.orchestration.jobs import GOLD, JOBS, MAINTAIN, NIGHTLY, PUBLISH, RETRAIN
from customer360.settings import load_settings
from customer360_tests import declared

TABLES = {*declared.TABLES, *declared.MODEL_ASSETS, *declared.EXPORTS, "reports/exploration"}

WAREHOUSE = {f"warehouse/{table}" for table in TABLES if table.startswith("gold/")} | {
    "warehouse/silver/customers",
    "warehouse/silver/customer_days",
    "warehouse/silver/transactions",
    "warehouse/gold/revenue_examples",
    "warehouse/serving/deployment",
    "warehouse/serving/model_figures",
    "warehouse/serving/model_plots",
    "warehouse/serving/models",
    "warehouse/serving/quarantine",
    "warehouse/serving/row_accounting",
    "warehouse/serving/runs",
    "warehouse/serving/suppressed_customers",
}
"""Copies that are brought up to date as a whole: they have no partitions."""

DBT = {
    "staging/stg_business_health",
    "staging/stg_churn_scores",
    "staging/stg_cohort_retention",
    "staging/stg_customer_360",
    "staging/stg_customer_days",
    "staging/stg_customers",
    "staging/stg_lifetime_value",
    "staging/stg_revenue_examples",
    "staging/stg_revenue_predictions",
    "staging/stg_suppressed_customers",
    "marts/analytical_base_table",
    "marts/campaign_lists",
    "marts/cohort_retention",
    "marts/customer_360",
    "marts/customer_snapshots",
    "marts/revenue_kpis",
    "marts/segment_summary",
}
"""Views and tables that dbt makes of them, likewise."""

UPKEEP = {"upkeep/models", "upkeep/runs", "upkeep/tables"}

SERVED = WAREHOUSE | DBT | UPKEEP

OF_LINES = {"silver/order_lines", "gold/product_affinity", "warehouse/gold/product_affinity"}
"""What there is beside these where a source tells the lines of its orders."""

ONLY_FOR_RUNS = {
    "altair",
    "dagster_dbt",
    "dagster_pyspark",
    "dbt",
    "deltalake",
    "delta",
    "duckdb",
    "lifetimes",
    "matplotlib",
    "mlflow",
    "numba",
    "pandas",
    "py4j",
    "pyspark",
    "scipy",
    "sklearn",
    "streamlit",
    "vl_convert",
    "xgboost",
}
"""Packages that loading the definitions must not import."""

WITHOUT_CONTRACT = ("models", "reports", "exports", "warehouse", "staging", "marts", "upkeep")


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    home = tmp_path_factory.mktemp("home")
    return build_definitions(
        load_settings(home, start_date=date(2024, 1, 1), end_date=date(2024, 3, 31))
    )


def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_every_table_and_model_is_an_asset(definitions: dg.Definitions) -> None:
    assert set(specs(definitions)) == TABLES | SERVED


def test_every_asset_says_what_it_is_and_whose(definitions: dg.Definitions) -> None:
    for name, spec in specs(definitions).items():
        assert spec.description, name
        assert spec.owners, name
        assert spec.kinds, name
        assert spec.group_name == name.split("/")[0], name
        assert spec.tags["personal_data"] in {"yes", "no"}, name
        if spec.group_name not in WITHOUT_CONTRACT:
            assert spec.metadata["dagster/table_name"] == name
            columns = spec.metadata["dagster/column_schema"].columns
            assert columns, name
            assert all(column.description for column in columns), name


def test_personal_data_is_only_in_bronze_quarantine_and_customers(
    definitions: dg.Definitions,
) -> None:
    personal = {
        name for name, spec in specs(definitions).items() if spec.tags["personal_data"] == "yes"
    }
    assert "silver/customers" in personal
    assert {name for name in personal if not name.startswith(("bronze/", "quarantine/"))} == {
        "silver/customers"
    }


def test_assets_are_partitioned_by_days_or_by_as_of_dates_in_single_runs(
    definitions: dg.Definitions,
) -> None:
    daily = ("bronze/", "quarantine/", "silver/", "gold/business_health")
    for name, spec in specs(definitions).items():
        if name in SERVED:
            assert spec.partitions_def is None, name
        elif name.startswith(daily):
            assert spec.partitions_def is not None, name
            keys = spec.partitions_def.get_partition_keys()
            assert (keys[0], keys[-1], len(keys)) == ("2024-01-01", "2024-03-31", 91)
        else:
            assert spec.partitions_def == dg.DynamicPartitionsDefinition(name="as_of"), name
    graph = definitions.resolve_asset_graph()
    for key in graph.materializable_asset_keys - {dg.AssetKey(k.split("/")) for k in SERVED}:
        assert graph.get(key).backfill_policy == dg.BackfillPolicy.single_run()


def test_every_asset_holds_the_home_while_it_is_made(definitions: dg.Definitions) -> None:
    """By the Spark resource, whether it needs a session or not."""
    for asset in definitions.assets or ():
        assert isinstance(asset, dg.AssetsDefinition)
        assert "spark" in asset.required_resource_keys, asset.keys


def test_the_assets_of_a_job_share_their_partitions(definitions: dg.Definitions) -> None:
    """Dagster runs no others at once."""
    graph = definitions.resolve_asset_graph()
    for name, job in JOBS.items():
        keys = job.selection.resolve(graph)
        found = {str(graph.get(key).partitions_def) for key in keys} - {"None"}
        assert len(found) == (0 if name in (PUBLISH, MAINTAIN) else 1), name


def test_lineage_runs_from_bronze_to_customer_360(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    upstream = {
        k.to_user_string()
        for k in graph.get_ancestor_asset_keys(dg.AssetKey(["gold", "customer_360"]))
    }
    scores = {spec.scores for spec in MODELS if spec.scores in upstream}
    assert scores == {"gold/churn_scores", "gold/lifetime_value"}
    assert upstream >= {
        "bronze/synthetic_customers",
        "bronze/synthetic_transactions",
        "silver/customers",
        "silver/customer_history",
        "silver/transactions",
        "silver/customer_days",
        "gold/customer_features",
        "gold/rfm_segments",
        "models/churn",
        "models/lifetime_value",
        *scores,
    }
    # Nothing that is made of it, nor what only tells of others.
    beside = {"gold/customer_360", "gold/model_drift", "gold/model_performance"}
    assert not upstream & {*beside, "quarantine/transactions", "reports/exploration"}
    assert not upstream & set(declared.EXPORTS)


def test_only_where_a_source_has_lines_are_there_lines_and_what_is_made_of_them(
    definitions: dg.Definitions, tmp_path: Path
) -> None:
    home = load_settings(
        tmp_path, start_date=date(2011, 1, 1), end_date=date(2011, 1, 31), sources=("files",),
        files_mapping=("online_retail",), files_path=tmp_path,
    )  # fmt: skip
    with_lines = build_definitions(home)
    own = ("bronze/", "quarantine/")
    found, without = (
        {key for key in specs(each) if not key.startswith(own)}
        for each in (with_lines, definitions)
    )
    assert found - without == OF_LINES
    assert without <= found
    graph = with_lines.resolve_asset_graph()
    lines = dg.AssetKey(["silver", "order_lines"])
    assert {key.name for key in graph.get(lines).check_keys} == {
        "lines_add_up", "names_nobody", "keys_unique", "customers_known",
    }  # fmt: skip
    made_of_lines = graph.get_ancestor_asset_keys(dg.AssetKey(["silver", "transactions"]))
    assert graph.get_ancestor_asset_keys(lines) == made_of_lines


def test_lists_expire_by_an_asset_where_that_is_asked_for(
    definitions: dg.Definitions, tmp_path: Path
) -> None:
    assert "exports/expired" not in specs(definitions)
    expiring = build_definitions(load_settings(tmp_path, retention_days={"exports": 30}))
    assert set(specs(expiring)) - set(specs(definitions)) == {"exports/expired"}
    nightly = JOBS[GOLD].selection.resolve(expiring.resolve_asset_graph())
    assert dg.AssetKey(["exports", "expired"]) in nightly


def test_rows_expire_in_the_upkeep_where_that_is_asked_for(
    definitions: dg.Definitions, tmp_path: Path
) -> None:
    assert "upkeep/retention" not in specs(definitions)
    expiring = build_definitions(load_settings(tmp_path, retention_days={"gold": 400}))
    assert set(specs(expiring)) - set(specs(definitions)) == {"upkeep/retention"}
    weekly = JOBS[MAINTAIN].selection.resolve(expiring.resolve_asset_graph())
    retention, graph = dg.AssetKey(["upkeep", "retention"]), expiring.resolve_asset_graph()
    assert retention in weekly
    tables = graph.get(dg.AssetKey(["upkeep", "tables"]))
    assert tables.parent_keys == {retention}, "no files are put together that are about to go"


def test_blocking_checks_guard_rows(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    blocking = {
        f"{key.asset_key.to_user_string()}:{key.name}"
        for key in graph.asset_check_keys
        if graph.get_check_spec(key).blocking
    }
    assert {
        "bronze/synthetic_transactions:rows_conserved",
        "bronze/synthetic_transactions:quarantine_share",
        "silver/transactions:rows_accounted",
        "silver/transactions:keys_unique",
        "silver/transactions:customers_known",
        "silver/transactions:orders_agree",
        "silver/transactions:exclusions_share",
        "silver/customer_history:one_current_version",
        "silver/customer_days:keys_unique",
        "silver/customer_days:customers_known",
        "gold/customer_360:keys_unique",
        "gold/customer_360:customers_known",
        "gold/business_health:keys_unique",
        "gold/business_health:revenue_reconciles",
        "gold/business_health:account_closes",
    } <= blocking


def test_schedules_and_sensors_run_by_default(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    for name in (NIGHTLY, RETRAIN, MAINTAIN):
        schedule = repository.get_schedule_def(name)
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    running = dg.DefaultSensorStatus.RUNNING
    assert {sensor.name: sensor.default_status for sensor in repository.sensor_defs} == {
        "alerts": running,
        "gold": running,
        "new_files": running,
        "runs": running,
    }


def tick(definitions: dg.Definitions, name: str, at: datetime) -> dg.RunRequest:
    schedule = definitions.get_repository_def().get_schedule_def(name)
    with dg.DagsterInstance.local_temp() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=at,
            repository_def=definitions.get_repository_def(),
        )
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    return request


def test_the_nightly_run_covers_the_day_before_and_a_trailing_week(
    definitions: dg.Definitions,
) -> None:
    request = tick(definitions, NIGHTLY, datetime(2024, 2, 10, 2, tzinfo=UTC))
    assert request.tags["dagster/asset_partition_range_start"] == "2024-02-02"
    assert request.tags["dagster/asset_partition_range_end"] == "2024-02-09"
    assert request.asset_selection is None


def test_the_nightly_run_of_a_closed_data_set_stays_at_its_end(definitions: dg.Definitions) -> None:
    request = tick(definitions, NIGHTLY, datetime(2025, 2, 10, 2, tzinfo=UTC))
    assert request.tags["dagster/asset_partition_range_end"] == "2024-03-31"
    assert request.run_key == "nightly 2024-03-24...2024-03-31"


def test_retraining_uses_the_day_before(definitions: dg.Definitions) -> None:
    request = tick(definitions, RETRAIN, datetime(2024, 2, 11, 4, tzinfo=UTC))
    assert request.partition_key == "2024-02-10"


def test_loading_imports_nothing_that_only_a_run_needs(tmp_path: Path) -> None:
    """Every command that touches Dagster, every run and every reload pays what this imports."""
    code = (
        "import sys\n"
        "from customer360.definitions import defs\n"
        "assert len(list(defs.assets)) > 10\n"
        # Whatever source is active.
        "import customer360.sources.cdnow, customer360.sources.olist\n"
        "import customer360.sources.files, customer360.sources.postgres\n"
        f"print(*({ONLY_FOR_RUNS!r} & {{name.partition('.')[0] for name in sys.modules}}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"CUSTOMER360_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_sources_of_two_currencies_are_refused(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, sources=["cdnow", "files"], files_mapping=["online_retail"])
    with pytest.raises(SettingsError, match="cdnow in USD, online_retail in GBP"):
        build_definitions(settings)


def test_unknown_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'shop' is unknown; choose from synthetic, cdnow"):
        build_definitions(load_settings(tmp_path, sources=["shop"]))


def test_exports_with_contacts_are_marked_as_personal_data(tmp_path: Path) -> None:
    deployment = Deployment.of(load_settings(tmp_path, export_contacts="hashed"))
    assets = export_assets(deployment)
    assert {spec.tags["personal_data"] for asset in assets for spec in asset.specs} == {"yes"}
