"""A suppression list that cannot be read, as a run meets it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pyspark.sql import SparkSession

from customer360.lakehouse.tables import Lakehouse
from customer360.orchestration.build import build_definitions
from customer360.orchestration.jobs import PUBLISH
from customer360.serving.warehouse import take_down
from customer360.settings import load_settings
from customer360_tests.deployments import step_error
from customer360_tests.serving.frames import customers_of
from customer360_tests.stored import put

ASSETS = (
    "warehouse/serving/suppressed_customers",
    "staging/stg_suppressed_customers",
    "marts/campaign_lists",
)


def test_the_mart_of_lists_is_not_made_again(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "stop.csv").write_text("email\nnobody\n")
    settings = load_settings(
        tmp_path,
        suppression_path=tmp_path / "stop.csv",
        customer_key_secret="known to the tests",
    )
    customers = spark.createDataFrame(customers_of({"a" * 64: {}}))
    put(Lakehouse(spark, settings.lakehouse_dir), "silver/customers", customers)
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build_definitions(settings)
            .resolve_job_def(PUBLISH)
            .execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(name.split("/")) for name in ASSETS],
                raise_on_error=False,
            )
        )
    take_down(settings)
    assert step_error(result) == (
        "customer360.serving.suppression.SuppressionError: "
        f"{tmp_path}/stop.csv, row 2, column email: expected an e-mail address or its SHA-256; "
        "campaign lists stay as they were"
    )
    assert [event.step_key for event in result.all_events if event.is_step_start] == [
        "warehouse__serving__suppressed_customers"
    ]
