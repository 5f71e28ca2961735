"""The promotion gate as a deployment meets it: through Dagster's runs and the command line."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.models.churn.features import FEATURES as CHURN_FEATURES
from customer360.models.churn.rows import labelled_rows
from customer360.models.churn.spec import CHURN, ChurnSpec
from customer360.models.churn.training import ChurnTraining
from customer360.models.lineage import FeatureSchemaError
from customer360.models.tracking import load_champion
from customer360.orchestration.build import build_definitions
from customer360.orchestration.jobs import TRAIN
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.run import Plan, RunFailedError, run_plan
from customer360.pipeline.run_models import tracking_of
from customer360.settings import load_settings, remember
from customer360_tests.deployments import Home, customer360

NEWEST = date(2024, 3, 30)

# By which models of the same day become others than the demo's.
OTHERWISE: dict[str, Any] = {
    "churn_activity_days": 27,
    "discount_rate_annual": 0.2,
    "revenue_max_training_rows": 600,
}


@pytest.fixture(scope="module")
def trained() -> list[ChurnTraining]:
    """The training that `gated` ran: of tests whose matter is what becomes of one."""
    return []


@pytest.fixture(scope="module")
def gated(
    spark, demo: Home, trained: list[ChurnTraining], tmp_path_factory: pytest.TempPathFactory
) -> Home:
    """The demo's champions, and trainings by other settings that had to be far better."""
    folder = tmp_path_factory.mktemp("gated")
    for name in ("customer360.yaml", "raw", "lakehouse", "mlflow"):
        copy = shutil.copytree if (demo.folder / name).is_dir() else shutil.copy
        copy(demo.folder / name, folder / name)
    remember(folder, {"promotion_margin": 0.9} | OTHERWISE)
    home = Home.at(spark, folder)
    plan = Plan.of(home.deployment, first=NEWEST, last=NEWEST, as_of=(NEWEST,), steps="train")
    train = ChurnSpec.train

    def recorded(*arguments: Any) -> ChurnTraining:
        trained.append(train(*arguments))
        return trained[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChurnSpec, "train", recorded)
        run_plan(home.settings, plan, lambda line: None)
    return home


def check(home: Home, model: str, name: str) -> Any:
    key = dg.AssetCheckKey(asset_key(model), name)
    with home.instance() as instance:
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
    event = found[key].event
    assert event is not None
    assert event.dagster_event is not None
    return event.dagster_event.event_specific_data


def versions(home: Home, table: str, day: date) -> set[str]:
    return {row["model_version"] for row in home.rows(table, f"as_of = DATE'{day}'")}


def score_churn(home: Home) -> None:
    """Materialize gold/churn_scores of the newest day alone, through Dagster."""
    with home.instance() as instance:
        job = build_definitions(load_settings(home.folder)).resolve_job_def(TRAIN)
        result = job.execute_in_process(
            instance=instance,
            run_config={"loggers": {"progress": {}}},
            partition_key=str(NEWEST),
            asset_selection=[asset_key("gold/churn_scores")],
        )
    assert result.success


@pytest.mark.parametrize(
    ("model", "table"),
    [
        ("models/churn", "gold/churn_scores"),
        ("models/lifetime_value", "gold/lifetime_value"),
        ("models/revenue", "gold/revenue_predictions"),
    ],
)
def test_a_model_that_is_not_better_enough_stays_challenger(
    gated: Home, model: str, table: str
) -> None:
    evaluated = check(gated, model, "promoted")
    assert not evaluated.passed
    assert evaluated.severity == dg.AssetCheckSeverity.WARN
    assert "v1" in evaluated.description
    assert "stays" in evaluated.description
    assert versions(gated, table, NEWEST) == {"1"}


def test_the_leak_check_ran(gated: Home) -> None:
    assert check(gated, "models/churn", "no_leakage").passed


def test_promote_and_roll_back_by_command(
    gated: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> str:
        said = customer360(capsys, monkeypatch, *arguments, "--home", gated.folder)
        assert said.code == 0, said.err
        return said.out

    listed = command("models", "--format", "csv").splitlines()
    assert [line.split(",")[:3] for line in listed[1:]] == [
        ["churn", "2", "challenger"],
        ["churn", "1", "champion"],
        ["lifetime-value", "2", "challenger"],
        ["lifetime-value", "1", "champion"],
        ["revenue", "2", "challenger"],
        ["revenue", "1", "champion"],
    ]
    said = command("promote", "churn", "2")
    assert said == "churn v2 is the champion now, in place of v1\n"
    score_churn(gated)
    assert versions(gated, "gold/churn_scores", NEWEST) == {"2"}
    assert command("rollback", "churn") == "churn v1 is the champion again, in place of v2\n"
    score_churn(gated)
    assert versions(gated, "gold/churn_scores", NEWEST) == {"1"}
    failed = customer360(capsys, monkeypatch, "rollback", "churn", "--home", gated.folder)
    assert failed.code == 1
    assert "churn has no earlier champion to go back to" in failed.err


def test_scoring_refuses_a_model_of_other_features(
    gated: Home, trained: list[ChurnTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of today reads one column more than the champion was trained on."""
    later = (*CHURN_FEATURES, "first_purchase_on")
    monkeypatch.setattr(ChurnSpec, "features", later)
    monkeypatch.setattr(ChurnSpec, "train", lambda *_: trained[0])
    plan = Plan.of(gated.deployment, as_of=(NEWEST,), steps="train", models=["churn"])
    with pytest.raises(RunFailedError, match="with the new first_purchase_on; train it again"):
        run_plan(load_settings(gated.folder), plan, lambda line: None)


def test_train_by_command_trains_one_model_and_scores_with_it(
    gated: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*names: str) -> list[int]:
        with gated.instance() as instance:
            keys = [asset_key(name) for name in names]
            records = [instance.get_latest_materialization_event(key) for key in keys]
        return [0 if record is None else round(record.timestamp * 1000) for record in records]

    touched = ("models/churn", "gold/churn_scores", "gold/customer_360")
    others = ("models/lifetime_value", "gold/lifetime_value")
    before, untouched = made(*touched), made(*others)
    said = customer360(
        capsys, monkeypatch, "train", "churn", "--as-of", NEWEST, "--home", gated.folder
    )
    assert said.code == 0, said.err
    assert "ROC AUC" in said.out
    assert "Purchases a customer" not in said.out
    assert all(now > then for now, then in zip(made(*touched), before, strict=True))
    assert made(*others) == untouched


def test_the_gate_refuses_a_worse_model_and_promotes_a_better_one(
    gated: Home, trained: list[ChurnTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures are set, all else is a run: judged, registered, and scored with."""
    remember(gated.folder, {"promotion_margin": 0.0})
    honest = trained[0]

    def run_with(brier: float) -> None:
        def training(*_: Any) -> ChurnTraining:
            figures = {"test_brier": brier, "champion_brier": 0.20}
            figures |= {f"baseline_{name}_brier": 0.25 for name in ("hiatus_rule", "base_rate")}
            # Another base rate makes it another model for the registry, and changes no score.
            other = replace(honest.model, base_rate=brier)
            return replace(honest, model=other, metrics={**honest.metrics, **figures})

        monkeypatch.setattr(ChurnSpec, "train", training)
        plan = Plan.of(gated.deployment, as_of=(NEWEST,), steps="train", models=["churn"])
        run_plan(load_settings(gated.folder), plan, lambda line: None)

    (before,) = versions(gated, "gold/churn_scores", NEWEST)
    run_with(0.24)
    refused = check(gated, "models/churn", "promoted")
    assert not refused.passed
    assert refused.description == (
        f"Brier score 0.24 does not beat the champion's 0.2; v{before} stays"
    )
    assert versions(gated, "gold/churn_scores", NEWEST) == {before}

    run_with(0.10)
    promoted = check(gated, "models/churn", "promoted")
    assert promoted.passed
    assert promoted.description == f"Brier score 0.1 beats the champion v{before}'s 0.2"
    (after,) = versions(gated, "gold/churn_scores", NEWEST)
    assert int(after) > int(before)


def test_a_feature_that_knows_the_label_is_found(
    gated: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from customer360.models.churn import training

    def leaking(*arguments: Any) -> DataFrame:
        rows = labelled_rows(*arguments)
        return rows.withColumn("items", (F.col("churned") * 10 + F.col("items") % 3).cast("int"))

    monkeypatch.setattr(training, "labelled_rows", leaking)
    plan = Plan.of(gated.deployment, as_of=(NEWEST,), steps="train", models=["churn"])
    run_plan(load_settings(gated.folder), plan, lambda line: None)
    evaluated = check(gated, "models/churn", "no_leakage")
    assert not evaluated.passed
    assert evaluated.severity == dg.AssetCheckSeverity.WARN
    assert "items" in evaluated.description


def test_scoring_refuses_columns_of_other_types(gated: Home) -> None:
    table = gated.lakehouse.read("gold/customer_features")
    texts = table.withColumn("items", F.col("items").cast("string"))
    champion = load_champion(CHURN, tracking_of(gated.settings))
    with pytest.raises(FeatureSchemaError, match=r"items as string in place of int; train it"):
        champion.check_schema(texts, CHURN_FEATURES)
    champion.check_schema(table, CHURN_FEATURES)
