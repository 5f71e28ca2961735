"""The forecast as assets: two tables of one computation, together or one of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from customer360.deployment import Deployment
from customer360.lakehouse.tables import Lakehouse
from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.scoring import LifetimeValueModel
from customer360.models.lifetime_value.spec import LIFETIME_VALUE
from customer360.models.tracking import Champion
from customer360.orchestration.build import build_definitions
from customer360.orchestration.instance import open_instance
from customer360.orchestration.jobs import TRAIN
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.partitions import add_as_of_dates
from customer360.pipeline import forecast
from customer360.pipeline.make_gold import make_snapshots
from customer360.pipeline.workspace import Workspace
from customer360.settings import Settings, load_settings
from customer360.table_names import CUSTOMER_DAYS, FEATURES
from customer360_tests.gold.frames import bought, customer_days
from customer360_tests.stored import put

AS_OF = date(2024, 3, 30)
EQUITY, WEEKS = "gold/customer_equity", "gold/revenue_forecast"
FITTED = LifetimeValueModel(7, BgNbd(0.243, 4.414, 0.793, 2.426), None, 20.0)
FALLBACK = LifetimeValueModel(7, None, None, 20.0)


@pytest.fixture(scope="module")
def settings(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A deployment with a snapshot of two customers."""
    home = tmp_path_factory.mktemp("home")
    found = load_settings(home, start_date=date(2024, 1, 1), end_date=AS_OF)
    work = Workspace(Lakehouse(spark, found.lakehouse_root), Deployment.of(found), "test")
    rows = [bought("a" * 64, "2024-01-01", 10), bought("b" * 64, "2024-02-01", 30)]
    put(work.lakehouse, CUSTOMER_DAYS, customer_days(spark, rows))
    make_snapshots(work, FEATURES, [AS_OF])
    return found


@pytest.mark.parametrize(
    ("model", "tables", "rows"),
    [
        (FITTED, (EQUITY, WEEKS), {EQUITY: 1, WEEKS: 52}),
        (FALLBACK, (EQUITY, WEEKS), {EQUITY: 0, WEEKS: 0}),
        (FITTED, (EQUITY,), {EQUITY: 1}),
    ],
)
def test_forecast_assets(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    model: LifetimeValueModel,
    tables: tuple[str, ...],
    rows: dict[str, int],
) -> None:
    """With the fallback the run succeeds, the tables have no rows, and the metadata says why."""
    champion: Champion[Any] = Champion(model, LIFETIME_VALUE.registered, "3", "run", {})
    monkeypatch.setattr(forecast, "champion_of", lambda *_: champion)
    with open_instance(settings) as instance:
        add_as_of_dates(instance, [AS_OF])
        job = build_definitions(settings).resolve_job_def(TRAIN)
        result = job.get_subset(asset_selection={asset_key(t) for t in tables}).execute_in_process(
            instance=instance, partition_key=str(AS_OF)
        )
    made = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert {name: found["dagster/row_count"].value for name, found in made.items()} == rows
    for found in made.values():
        assert found["model_version"].value == "3"
        assert ("note" in found) is (model is FALLBACK)
    checks = result.get_asset_check_evaluations()
    assert {check.asset_check_key for check in checks} == {
        dg.AssetCheckKey(asset_key(table), "keys_unique") for table in tables
    }
    assert all(check.passed for check in checks)
