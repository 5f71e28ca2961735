"""A round trip through MLflow on SQLite: what is logged, registered, and loaded back."""

from __future__ import annotations

import json
import logging
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from customer360.models import churn, plots
from customer360.models.baselines import HiatusRule
from customer360.models.churn import ChurnModel, ChurnTraining
from customer360.models.evaluation import calibration_table
from customer360.models.lifetime_value import (
    BgNbd,
    GammaGamma,
    LifetimeValueModel,
    LifetimeValueTraining,
)
from customer360.models.tracking import (
    CHURN,
    LIFETIME_VALUE,
    NoChampionError,
    Tracking,
    TrackingError,
    champion_figures,
    load_churn_champion,
    load_lifetime_value_champion,
    log_training,
)
from customer360.models.windows import AsOfGrid, ChurnWindows

AS_OF = date(2025, 6, 30)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    home = tmp_path_factory.mktemp("mlflow")
    return Tracking(f"sqlite:///{home}/db/mlflow.db", home / "artifacts")


def lifetime_value_training(r: float = 0.243, status: str = "trained") -> LifetimeValueTraining:
    bg = BgNbd(r, 4.414, 0.793, 2.426)
    sample = pd.DataFrame(
        {"frequency": [0.0, 3], "recency": [0.0, 90], "T": [10.0, 200], "monetary_value": [0, 9.5]}
    )
    table = pd.DataFrame(
        {
            "frequency": [0, 1],
            "customers": [9, 4],
            "actual": [0.1, 0.5],
            "model": [0.2, 0.4],
            "past_average": [0.0, 0.9],
        }
    )
    return LifetimeValueTraining(
        model=LifetimeValueModel(7, bg, GammaGamma(6.25, 3.74, 15.44), 35.0),
        calibration_model=None,
        status=status,
        notes=("something to know",),
        parameters={"r": r, "holdout_days": 273, "model": "bg_nbd+gamma_gamma"},
        metrics={"purchases_mae": 0.78, "baseline_past_average_purchases_mae": 1.02},
        by_frequency=table,
        plots={"purchases_by_frequency": plots.purchases_by_frequency(table, 273)},
        sample=sample,
        as_of=AS_OF,
        calibration_as_of=None,
    )


def churn_training(kind: str) -> ChurnTraining:
    random = np.random.default_rng(0)
    rows = pd.DataFrame({name: random.random(400) for name in churn.NUMERIC_FEATURES})
    rows["last_category"], rows["last_channel"] = "Books", "web"
    rows["churned"] = (rows["overdue_ratio"] > 0.5).astype(int)
    fit = churn.fit_xgboost(rows, rows, nthread=1)
    model = ChurnModel("hiatus_rule", 28, 56, 0.4, HiatusRule(20, 0.2, 0.7))
    if kind == "xgboost":
        model = ChurnModel(
            "xgboost",
            28,
            56,
            0.4,
            HiatusRule(20, 0.2, 0.7),
            fit.categories,
            bytes(fit.booster.save_raw()),
            fit.calibrator,
        )
    return ChurnTraining(
        model=model,
        status="trained" if kind == "xgboost" else "fallback: too few; the hiatus rule is used",
        notes=(),
        windows=ChurnWindows(28, 56, 500, 900, (10, 20, 30), "data"),
        grid=AsOfGrid((date(2025, 4, 7),), date(2025, 5, 5), date(2025, 6, 2)),
        parameters={"horizon_days": 28, "model": kind},
        metrics={"test_roc_auc": 0.8},
        calibration=calibration_table([0, 1], [0.1, 0.9]),
        feature_importance={},
        plots={},
        sample=rows.drop(columns="churned").head(3),
        as_of=AS_OF,
    )


def test_no_model_yet_says_what_to_do(tracking: Tracking) -> None:
    with pytest.raises(NoChampionError, match=r"no churn model yet .* run `make train`"):
        load_churn_champion(tracking)
    with pytest.raises(NoChampionError, match="no lifetime-value model yet"):
        load_lifetime_value_champion(tracking)


def test_a_lifetime_value_training_comes_back_as_it_was(tracking: Tracking) -> None:
    import mlflow

    training = lifetime_value_training()
    logged = log_training(
        training,
        tracking,
        table_versions={"silver/customer_days": 12},
        tags={"dagster_run_id": "abc"},
    )
    champion = load_lifetime_value_champion(tracking)
    assert champion.model == training.model
    assert champion.version == logged.version
    assert champion.run_id == logged.run_id
    assert len(champion.tags.pop("fingerprint")) == 64
    assert champion.tags == {"status": "trained", "as_of": "2025-06-30"}
    assert logged.url is None

    client = mlflow.MlflowClient(tracking.uri, tracking.uri)
    run = client.get_run(logged.run_id)
    assert run.data.params["delta_version/silver/customer_days"] == "12"
    assert run.data.params["holdout_days"] == "273"
    assert run.data.metrics == training.metrics
    assert run.data.tags["status"] == "trained"
    assert run.data.tags["notes"] == "something to know"
    assert run.data.tags["dagster_run_id"] == "abc"
    images = [file.path for file in client.list_artifacts(logged.run_id, "plots")]
    assert images == ["plots/purchases_by_frequency.png"]


def served(tracking: Tracking, uri: str):
    import mlflow

    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_registry_uri(tracking.uri)
    return mlflow.pyfunc.load_model(uri)


def test_mlflow_serves_the_same_figures_without_a_pickle(tracking: Tracking) -> None:
    training = lifetime_value_training()
    logged = log_training(training, tracking)
    model = served(tracking, logged.model_uri)
    pd.testing.assert_frame_equal(
        model.predict(training.sample), training.model.predict(training.sample)
    )
    assert model.metadata.signature is not None
    assert "frequency" in model.metadata.signature.inputs.input_names()
    artifacts = Path(str(tracking.artifacts))
    assert not list(artifacts.rglob("*.pkl"))
    stored = next(artifacts.rglob("parameters.json"))
    assert json.loads(stored.read_text())["purchases"]["r"] == 0.243


def test_the_newest_training_is_the_champion(tracking: Tracking) -> None:
    first = log_training(lifetime_value_training(), tracking)
    second = log_training(lifetime_value_training(r=0.3, status="fallback: why"), tracking)
    champion = load_lifetime_value_champion(tracking)
    assert int(second.version) == int(first.version) + 1
    assert champion.version == second.version
    assert champion.model.purchases is not None
    assert champion.model.purchases.r == 0.3
    assert champion.tags["status"] == "fallback: why"


def test_the_same_training_again_leaves_one_version(tracking: Tracking) -> None:
    first = log_training(lifetime_value_training(r=0.31), tracking)
    again = log_training(lifetime_value_training(r=0.31), tracking)
    other = log_training(lifetime_value_training(r=0.32), tracking)
    assert again == first
    assert int(other.version) == int(first.version) + 1
    found = champion_figures(LIFETIME_VALUE, tracking)
    assert found is not None
    assert (found.version, found.status) == (other.version, "trained")


def test_no_figures_without_a_champion(tmp_path: Path) -> None:
    empty = Tracking(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")
    assert champion_figures(CHURN, empty) is None


def test_a_churn_model_comes_back_with_its_trees(tracking: Tracking) -> None:
    training = churn_training("xgboost")
    logged = log_training(training, tracking)
    assert logged.model_name == CHURN != LIFETIME_VALUE
    champion = load_churn_champion(tracking)
    rows = pd.DataFrame({name: [0.2, 0.9] for name in churn.NUMERIC_FEATURES}).assign(
        last_category="Books", last_channel=None
    )
    assert champion.model.probabilities(rows).tolist() == (
        training.model.probabilities(rows).tolist()
    )
    assert champion.model.categories == training.model.categories
    found = served(tracking, logged.model_uri).predict(rows)
    assert found["churn_probability"].tolist() == champion.model.probabilities(rows).tolist()
    assert champion.model.calibrator.kind == "platt"


def test_a_churn_fallback_is_served_and_scores(tracking: Tracking) -> None:
    training = churn_training("hiatus_rule")
    logged = log_training(training, tracking)
    champion = load_churn_champion(tracking)
    assert champion.model == training.model
    assert champion.tags["status"].startswith("fallback")
    found = served(tracking, logged.model_uri).predict(
        pd.DataFrame({"days_since_last_purchase": [20.0, 21.0]})
    )
    assert found["churn_probability"].tolist() == [0.2, 0.7]


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "mlflow.db"
    wrong.write_text("this is not SQLite " * 100)
    with pytest.raises(TrackingError, match="cannot be used"):
        log_training(lifetime_value_training(), Tracking(f"sqlite:///{wrong}", tmp_path / "art"))


def test_our_use_leaves_mlflow_and_logging_as_they_were(tracking: Tracking) -> None:
    import mlflow

    mlflow.set_tracking_uri("sqlite:////elsewhere.db")
    before = logging.getLogger("alembic").level
    load_lifetime_value_champion(tracking)
    assert mlflow.get_tracking_uri() == "sqlite:////elsewhere.db"
    assert logging.getLogger("alembic").level == before


def test_artifact_locations() -> None:
    assert Tracking("x", "/a b").artifact_location == "file:///a%20b"
    assert Tracking("x", "s3://bucket/a").artifact_location == "s3://bucket/a"
    assert Tracking("http://server").artifact_location is None
