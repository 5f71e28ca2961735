"""The batched event log tells what Dagster's own would, and either reads what the other wrote."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.storage.event_log import SqliteEventLogStorage

from customer360.orchestration.event_log import BatchedSqliteEventLogStorage
from customer360.orchestration.instance import open_instance
from customer360.settings import load_settings

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-21")
KEYS = [dg.AssetKey(["silver", name]) for name in ("a", "b")]


@dg.multi_asset(
    specs=[dg.AssetSpec(key, partitions_def=DAYS) for key in KEYS],
    check_specs=[dg.AssetCheckSpec("fine", asset=KEYS[0])],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def both():
    for key in KEYS:
        checks = [dg.AssetCheckResult(check_name="fine", passed=True)] if key == KEYS[0] else []
        yield dg.MaterializeResult(
            asset_key=key, metadata={"dagster/row_count": 7}, check_results=checks
        )


DEFINITIONS = dg.Definitions(
    assets=[both], jobs=[dg.define_asset_job("all", selection="*")], executor=dg.in_process_executor
)


def run_all(instance: dg.DagsterInstance) -> str:
    result = DEFINITIONS.resolve_job_def("all").execute_in_process(
        instance=instance,
        tags={
            "dagster/asset_partition_range_start": "2024-01-01",
            "dagster/asset_partition_range_end": "2024-01-20",
        },
    )
    assert result.success
    return result.run_id


def told(instance: dg.DagsterInstance, run_id: str) -> dict[str, object]:
    """All that the instance says about the run."""
    logs = instance.all_logs(run_id)
    check = dg.AssetCheckKey(KEYS[0], "fine")
    checks = instance.event_log_storage.get_latest_asset_check_execution_by_key([check])
    run = instance.get_run_by_id(run_id)
    assert run is not None
    newest = [instance.get_latest_materialization_event(key) for key in KEYS]
    return {
        "events": sorted(
            (str(log.dagster_event_type), str(log.dagster_event.partition))
            for log in logs
            if log.dagster_event
        ),
        "partitions": [sorted(instance.get_materialized_partitions(key)) for key in KEYS],
        "newest": [
            (event.asset_materialization.partition, event.asset_materialization.metadata)
            for event in newest
            if event and event.asset_materialization
        ],
        "check": checks[check].status,
        "keys": sorted(key.to_user_string() for key in instance.all_asset_keys()),
        "success": run.is_success,
    }


@pytest.fixture
def plain(tmp_path: Path):
    """An instance with Dagster's own storage."""
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
        yield instance


def test_batches_tell_the_same_as_single_events(
    plain: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", os.environ.get("DAGSTER_HOME", ""))
    settings = load_settings(tmp_path / "ours")
    with open_instance(settings) as instance:
        assert isinstance(_storage(instance), BatchedSqliteEventLogStorage)
        ours = told(instance, run_id := run_all(instance))
    assert ours == told(plain, run_all(plain))
    assert len(ours["partitions"][0]) == 20  # type: ignore[index]

    # Without the batches, Dagster's own storage reads what is there, and goes on with it.
    file = settings.dagster_home / "dagster.yaml"
    config = yaml.safe_load(file.read_text())
    del config["event_log_storage"]
    file.write_text(yaml.safe_dump(config))
    with open_instance(settings) as instance:
        assert type(_storage(instance)) is SqliteEventLogStorage
        assert told(instance, run_id) == ours
        assert told(instance, run_all(instance))["events"] == ours["events"]


def _storage(instance: dg.DagsterInstance) -> object:
    return instance.event_log_storage


def test_a_batch_is_few_transactions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes a run over years practical: transactions grow with assets, not with days."""
    monkeypatch.setenv("DAGSTER_HOME", os.environ.get("DAGSTER_HOME", ""))
    opened: list[str] = []
    connect = BatchedSqliteEventLogStorage._connect

    def counted(self, shard):
        opened.append(shard)
        return connect(self, shard)

    with open_instance(load_settings(tmp_path / "ours")) as instance:
        monkeypatch.setattr(BatchedSqliteEventLogStorage, "_connect", counted)
        run_all(instance)
    # Two assets of 20 days: 80 events of partitions alone.
    assert len(opened) < 120
