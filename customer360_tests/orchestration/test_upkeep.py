"""Upkeep of a deployment: by the command, as assets, and what it never takes away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from customer360.models.churn.spec import CHURN
from customer360.models.tracking.connection import CHALLENGER, CHAMPION, connected
from customer360.models.tracking.pruning import prune
from customer360.models.tracking.versions import REPLACED
from customer360.orchestration.instance import open_instance
from customer360.orchestration.jobs import MAINTAIN
from customer360.orchestration.pruning import prune_runs
from customer360.orchestration.upkeep_assets import _bytes_in
from customer360.pipeline.run_models import tracking_of
from customer360.settings import load_settings
from customer360_tests.deployments import customer360, newest_metadata

LATER = datetime.now(UTC) + timedelta(days=400)


def test_the_command_takes_away_what_killed_runs_left_and_shows_it_in_dagster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(tmp_path)
    table = Path(settings.lakehouse_root, "gold", "customer_360")
    write_deltalake(table, pa.table({"customer_key": ["a"]}))
    (table / "part-of-a-killed-write.parquet").write_bytes(b"PAR1")
    said = customer360(capsys, monkeypatch, "maintain", "--home", tmp_path)
    assert said.code == 0, said.err
    assert "tables: 2 files and" in said.out
    assert " bytes before, 1 files and" in said.out
    with open_instance(settings) as instance:
        shown = newest_metadata(instance, "upkeep/tables")
        assert (shown["files_before"], shown["files_after"], shown["orphans_removed"]) == (2, 1, 1)
        assert "| gold/customer_360 | 2 → 1 |" in shown["by_table"]
        models, runs = (newest_metadata(instance, f"upkeep/{of}") for of in ("models", "runs"))
        assert (models["versions_removed"], runs["runs_removed"]) == (0, 0)
        database = settings.mlflow_dir / "mlflow.db"
        assert models["bytes_after"] >= database.stat().st_size > 0 == models["bytes_before"]
        assert runs["bytes_after"] >= runs["bytes_before"] > 0
        (run,) = instance.get_runs()
        assert (run.job_name, run.status) == (MAINTAIN, dg.DagsterRunStatus.SUCCESS)


def test_no_run_goes_that_made_what_is_shown_of_a_partition(tmp_path: Path) -> None:
    days = dg.StaticPartitionsDefinition(["mon", "tue"])

    @dg.asset(partitions_def=days)
    def made() -> None:
        """A table."""

    @dg.asset
    def fails() -> None:
        raise ValueError

    with open_instance(load_settings(tmp_path)) as instance:

        def run(day: str) -> str:
            return dg.materialize([made], partition_key=day, instance=instance).run_id

        first, tuesday, newest = run("mon"), run("tue"), run("mon")
        failed = dg.materialize([fails], instance=instance, raise_on_error=False).run_id
        printed = load_settings(tmp_path).dagster_home / "storage"
        assert all((printed / each).is_dir() for each in (first, tuesday, newest, failed))
        assert prune_runs(instance, 365) == 0  # of this year all are kept
        assert prune_runs(instance, 365, LATER) == 2
        assert not any((printed / each).exists() for each in (first, failed))
        assert all((printed / each).is_dir() for each in (tuesday, newest))
        assert {each.run_id for each in instance.get_runs()} == {tuesday, newest}
        assert instance.get_materialized_partitions(dg.AssetKey("made")) == {"mon", "tue"}
        assert not {first, failed} & {each.run_id for each in instance.get_runs()}
        assert prune_runs(instance, 365, LATER) == 0


def test_sizes_are_of_all_files_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "storage" / "run").mkdir(parents=True)
    (tmp_path / "runs.db").write_bytes(b"12")
    (tmp_path / "storage" / "run" / "0.err").write_bytes(b"345")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert _bytes_in(tmp_path) == 5
    assert _bytes_in(tmp_path / "nowhere") == 0


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_no_version_goes_that_scores_or_may_again(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    if database == "postgresql":
        uri = request.getfixturevalue("shop").as_url
    settings = load_settings(
        tmp_path, mlflow_tracking_uri=uri, mlflow_artifacts=str(tmp_path / "artifacts")
    )
    tracking = tracking_of(settings)
    with connected(tracking) as mlflow:
        client = mlflow.MlflowClient()
        mlflow.create_experiment(tracking.experiment, artifact_location=tracking.artifact_location)
        mlflow.set_experiment(tracking.experiment)
        client.create_registered_model(CHURN.registered)
        for number in range(7):
            with mlflow.start_run() as run:
                mlflow.log_text(f"model {number}", "model.txt")
            client.create_model_version(CHURN.registered, run.info.artifact_uri, run.info.run_id)
        client.set_registered_model_alias(CHURN.registered, CHAMPION, "2")
        client.set_model_version_tag(CHURN.registered, "2", REPLACED, "1")
        client.set_registered_model_alias(CHURN.registered, CHALLENGER, "4")
    pruned = prune(CHURN, tracking, keep=2)
    assert (pruned.versions, pruned.kept) == (("3", "5"), 5)
    texts = sorted(file.read_text() for file in (tmp_path / "artifacts").rglob("model.txt"))
    assert texts == ["model 0", "model 1", "model 3", "model 5", "model 6"]
    assert prune(CHURN, tracking, keep=2).versions == ()
