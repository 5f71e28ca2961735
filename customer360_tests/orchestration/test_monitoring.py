"""Monitoring as a deployment meets it: planted drift and wrong scores turn checks to warnings."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.models.registry import MODELS
from customer360.orchestration.build import build_definitions
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.partitions import add_as_of_dates
from customer360.pipeline import monitor
from customer360.pipeline.make_gold import replace_snapshots
from customer360.table_names import CHURN_SCORES, DRIFT, FEATURES, FIRST_ORDERS, PERFORMANCE
from customer360_tests.deployments import Home, newest_metadata

TRAINED, DRIFTED, PAST = date(2024, 3, 30), date(2024, 3, 29), date(2024, 3, 10)


@pytest.fixture
def home(spark, demo: Home, tmp_path: Path) -> Home:
    """The demo's champions and snapshots, to be changed."""
    for name in ("customer360.yaml", "lakehouse", "mlflow"):
        copy = shutil.copytree if (demo.folder / name).is_dir() else shutil.copy
        copy(demo.folder / name, tmp_path / name)
    return Home.at(spark, tmp_path)


def materialize(home: Home, table: str, day: date) -> dict[str, Any]:
    """Make one partition of an asset; its checks by name."""
    definitions = build_definitions(home.settings)
    with home.instance() as instance:
        add_as_of_dates(instance, [day])
        result = dg.materialize(
            list(definitions.assets or ()),  # type: ignore[arg-type]
            selection=[asset_key(table)],
            partition_key=str(day),
            resources=definitions.resources,
            instance=instance,
        )
    assert result.success
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def put(home: Home, table: str, frame: DataFrame, day: date) -> None:
    replace_snapshots(home.workspace(), table, frame.withColumn("as_of", F.lit(day)), [day])


def test_the_snapshot_trained_on_is_its_own_reference(demo: Home) -> None:
    rows = demo.rows(DRIFT)
    assert {row["model"] for row in rows} == {model.name for model in MODELS}
    assert {(row["as_of"], row["reference_as_of"]) for row in rows} == {(TRAINED, TRAINED)}
    assert {row["psi"] for row in rows} == {0}
    with demo.instance() as instance:
        told = newest_metadata(instance, DRIFT)["references"]
    assert told.startswith(
        "Churn: v1 against 30 Mar 2024, trained for 30 Mar 2024; Lifetime value:"
    )


def test_no_horizon_has_passed_at_first(demo: Home) -> None:
    assert demo.rows(PERFORMANCE) == []
    with demo.instance() as instance:
        assert newest_metadata(instance, PERFORMANCE)["figures"] == "no horizon has passed yet"


def test_a_drifted_snapshot_turns_the_checks_to_warnings(home: Home) -> None:
    features = home.lakehouse.read(FEATURES)
    put(home, FEATURES, features.withColumn("orders", F.col("orders") * 5), DRIFTED)
    put(home, FIRST_ORDERS, home.lakehouse.read(FIRST_ORDERS), DRIFTED)
    for model in MODELS:
        scores = home.lakehouse.read(model.scores)
        if model.name == "churn":
            scores = scores.withColumn("churn_probability", F.lit(0.5))
        put(home, model.scores, scores, DRIFTED)

    checks = materialize(home, DRIFT, DRIFTED)

    for name, drifted in (
        ("features_stable", {"Churn: Orders", "Revenue: Orders"}),
        ("scores_stable", {"Churn: No purchase in the horizon"}),
    ):
        assert not checks[name].passed
        assert checks[name].severity == dg.AssetCheckSeverity.WARN
        assert checks[name].description.startswith("above 0.25: ")
        for what in drifted:
            assert f"{what} " in checks[name].description
        assert checks[name].metadata["drifted"].value == len(drifted)
    shifted = {
        (row["model"], row["feature"], row["kind"])
        for row in home.rows(DRIFT, f"as_of = DATE'{DRIFTED}' AND psi > 0")
    }
    assert shifted == {
        ("churn", "orders", "feature"),
        ("revenue", "orders", "feature"),
        ("churn", "churn_probability", "score"),
    }
    assert {row["as_of"] for row in home.rows(DRIFT)} == {DRIFTED, TRAINED}


def test_without_a_champion_there_is_no_drift_and_no_warning(home: Home) -> None:
    shutil.rmtree(home.folder / "mlflow")
    checks = materialize(home, DRIFT, TRAINED)
    assert all(check.passed for check in checks.values())
    told = checks["features_stable"].description
    assert (
        told == "Churn: no champion yet; Lifetime value: no champion yet; Revenue: no champion yet"
    )
    assert home.rows(DRIFT) == []


def test_scores_are_judged_once_their_horizon_has_passed(home: Home) -> None:
    put(home, CHURN_SCORES, scores_saying(home, 0.999, version="1"), PAST)
    check = materialize(home, PERFORMANCE, TRAINED)["realised_performance"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert check.description.startswith("No purchase in the horizon of 10 Mar 2024 (v1, 14 days): ")
    (row,) = home.rows(PERFORMANCE)
    assert (row["as_of"], row["model"]) == (PAST, "churn")
    assert row["predicted"] == pytest.approx(0.999)
    assert (
        row["customers"] == home.lakehouse.read(CHURN_SCORES).where("as_of > '2024-03-20'").count()
    )

    # Nothing new: nothing is judged, and the check still speaks of the newest that was.
    again = monitor.make_model_performance(home.workspace(), [DRIFTED, TRAINED])
    assert again.judged == ()
    assert len(again.figures) == 1

    # Another version that says what came.
    put(home, CHURN_SCORES, scores_saying(home, row["actual"], version="2"), PAST)
    assert materialize(home, PERFORMANCE, PAST)["realised_performance"].passed
    (row,) = home.rows(PERFORMANCE)
    assert row["model_version"] == "2"


def scores_saying(home: Home, probability: float, version: str) -> DataFrame:
    """The newest churn scores, all with one probability."""
    newest = home.lakehouse.read(CHURN_SCORES).where(F.col("as_of") == F.lit(TRAINED))
    return newest.withColumns(
        {"churn_probability": F.lit(probability), "model_version": F.lit(version)}
    )
