"""A suppression list that cannot be read, as runs meet it: the lists wait, and all else is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.spark import spark_schema
from customer360.days import DayRange
from customer360.lakehouse.tables import Lakehouse
from customer360.orchestration import run
from customer360.orchestration.build import build_definitions
from customer360.orchestration.dbt_assets import DBT_GROUPS
from customer360.orchestration.jobs import PUBLISH, SCORE
from customer360.orchestration.progress import progress_logger
from customer360.orchestration.run import Plan, RunFailedError, run_plan
from customer360.orchestration.suppression_check import LIST_READABLE
from customer360.serving.publishing import last_origin
from customer360.serving.tables import SUPPRESSED_CUSTOMERS
from customer360.serving.warehouse import open_warehouse, take_down
from customer360.settings import Settings, load_settings
from customer360_tests.deployments import Home, step_error
from customer360_tests.serving.frames import customers_of
from customer360_tests.stored import put

LISTS = dg.AssetKey(["marts", "campaign_lists"])
CUSTOMERS = dg.AssetKey(["warehouse", "silver", "customers"])
SUPPRESSED = dg.AssetKey(["warehouse", "serving", "suppressed_customers"])
DAY = "2024-03-30"


@pytest.fixture
def shop(spark: SparkSession, tmp_path: Path) -> Iterator[Settings]:
    """A deployment of one customer, whom its suppression list names."""
    (tmp_path / "stop.csv").write_text(f"customer_key\n{'a' * 64}\n")
    settings = load_settings(
        tmp_path, suppression_path=tmp_path / "stop.csv", customer_key_secret="known to the tests"
    )
    customers = spark.createDataFrame(customers_of({"a" * 64: {}}))
    for field in spark_schema(Contract.load("silver/customers")):
        if field.name not in customers.columns:
            customers = customers.withColumn(field.name, F.lit(None).cast(field.dataType))
    put(Lakehouse(spark, settings.lakehouse_root), "silver/customers", customers)
    yield settings
    take_down(settings)


def test_the_mart_of_lists_waits_and_all_others_are_made(shop: Settings) -> None:
    definitions = build_definitions(shop)
    marts = [key for key in _assets(definitions) if key.path[0] in DBT_GROUPS]

    def publish(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
        return definitions.resolve_job_def(PUBLISH).execute_in_process(
            instance=instance, asset_selection=[CUSTOMERS, SUPPRESSED, *marts], raise_on_error=False
        )

    with dg.DagsterInstance.ephemeral() as instance:
        first = publish(instance)
        assert first.success, step_error(first)
        assert shop.suppression_path is not None
        shop.suppression_path.write_text("email\nnobody\n")
        result = publish(instance)
    owner = open_warehouse(shop).owner
    (check,) = [each for each in result.get_asset_check_evaluations() if not each.passed]
    assert (check.asset_key, check.check_name) == (SUPPRESSED, LIST_READABLE)
    assert check.description == (
        f"{shop.suppression_path}, row 2, column email: expected an e-mail address or its "
        "SHA-256; campaign lists stay as they were"
    )
    assert "it is not known who is suppressed" in step_error(result)
    made = {event.asset_key for event in result.get_asset_materialization_events()}
    assert made == {CUSTOMERS, SUPPRESSED, *marts} - {LISTS}
    # Who is known to be suppressed stays so: nobody is proposed for contact by mistake.
    with owner.connect() as connection:
        assert connection.execute("TABLE serving.suppressed_customers").fetchall() == [("a" * 64,)]
    assert last_origin(owner, SUPPRESSED_CUSTOMERS) is None


def test_files_of_lists_wait_and_stop_nothing(demo: Home, tmp_path: Path) -> None:
    (tmp_path / "stop.csv").write_text("email\nnobody\n")
    settings = demo.settings.model_copy(update={"suppression_path": tmp_path / "stop.csv"})
    before = (demo.folder / "exports" / DAY / "whales.manifest.json").read_bytes()
    whales = dg.AssetKey(["exports", "whales"])
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("as_of", [DAY])
        result = (
            build_definitions(settings)
            .resolve_job_def(SCORE)
            .execute_in_process(instance=instance, partition_key=DAY, asset_selection=[whales])
        )
    assert result.get_asset_materialization_events() == []
    (check,) = result.get_asset_check_evaluations()
    assert (check.asset_key, check.passed) == (whales, False)
    assert check.description is not None
    assert check.description.startswith(f"{tmp_path}/stop.csv, row 2, column email: expected")
    assert (demo.folder / "exports" / DAY / "whales.manifest.json").read_bytes() == before


def test_a_check_that_stops_nothing_fails_the_command_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("readable", asset="made")])
    def made():
        unread = dg.AssetCheckResult(check_name="readable", passed=False, description="why not")
        return dg.MaterializeResult(check_results=[unread])

    later = []

    @dg.asset(deps=[made])
    def after() -> None:
        later.append("made")

    definitions = dg.Definitions(
        assets=[made, after],
        jobs=[dg.define_asset_job(PUBLISH)],
        loggers={"progress": progress_logger},
    )
    monkeypatch.setattr(run, "build_definitions", lambda _: definitions)
    settings = load_settings(tmp_path)
    plan = Plan(DayRange(settings.start_date, settings.start_date), (), "publish")
    with pytest.raises(RunFailedError, match=r"^made: why not$"):
        run_plan(settings, plan, lambda line: None)
    assert later == ["made"]


def _assets(definitions: dg.Definitions) -> set[dg.AssetKey]:
    return set(definitions.resolve_asset_graph().materializable_asset_keys)
