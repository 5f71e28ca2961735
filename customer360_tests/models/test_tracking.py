"""A round trip through MLflow on SQLite: what is logged, registered, and loaded back."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from customer360.models import plots
from customer360.models.baselines import HiatusRule
from customer360.models.churn.features import NUMERIC_FEATURES
from customer360.models.churn.fitting import fit_xgboost
from customer360.models.churn.model import ChurnModel
from customer360.models.churn.spec import CHURN
from customer360.models.churn.training import ChurnTraining
from customer360.models.evaluation import calibration_table
from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.scoring import MODEL_FEATURES, LifetimeValueModel
from customer360.models.lifetime_value.spec import LIFETIME_VALUE
from customer360.models.lifetime_value.training import LifetimeValueTraining
from customer360.models.lineage import FeatureSchema, FeatureSchemaError, code_version
from customer360.models.notes import Note, in_english, notes_in
from customer360.models.tracking import (
    NoChampionError,
    PromotionError,
    Tracking,
    TrackingError,
    TrackingUnavailableError,
    champion_figures,
    exhibited_models,
    load_champion,
    log_training,
    promote,
    registered_versions,
    rollback,
    scoring_champion,
)
from customer360.models.tracking import stored as stored_models
from customer360.models.tracking.connection import connected, experiment_of
from customer360.models.tracking.form import DIGESTS, ChangedModelError
from customer360.models.tracking.unfinished import end_dead_trainings, process_tag
from customer360.models.tracking.versions import CARRIED_OUT
from customer360.models.windows import AsOfGrid, ChurnWindows
from customer360.plotting import png

AS_OF = date(2025, 6, 30)
SCHEMA = FeatureSchema(
    (("frequency", "int"), ("recency", "int"), ("T", "int"), ("monetary_value", "double"))
)
GATE = LIFETIME_VALUE.gate("purchases_mae", margin=0.0)
CHURN_GATE = CHURN.gate("brier", margin=0.0)


@pytest.fixture(scope="module")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without a model, which takes seconds to make."""
    home = tmp_path_factory.mktemp("mlflow")
    tracking = Tracking(f"sqlite:///{home}/db/mlflow.db", home / "artifacts")
    assert champion_figures(CHURN, tracking) is None
    return home / "db" / "mlflow.db"


@pytest.fixture
def tracking(empty_registry: Path, tmp_path: Path) -> Tracking:
    """A registry without a model."""
    copy = shutil.copy(empty_registry, tmp_path)
    return Tracking(f"sqlite:///{copy}", tmp_path / "artifacts")


def lifetime_value_training(
    r: float = 0.243,
    mae: float = 0.78,
    champion_mae: float | None = None,
    as_of: date = AS_OF,
) -> LifetimeValueTraining:
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
        notes=(Note("not_tested"),),
        parameters={"r": r, "holdout_days": 273, "model": "bg_nbd+gamma_gamma"},
        metrics={"purchases_mae": mae, "baseline_past_average_purchases_mae": 1.02}
        | ({} if champion_mae is None else {"champion_purchases_mae": champion_mae}),
        tables={"purchases_by_frequency": table},
        plots={"purchases_by_frequency": png(plots.purchases_by_frequency(table, 273))},
        sample=sample,
        as_of=as_of,
        calibration_as_of=None,
    )


def churn_training(kind: str) -> ChurnTraining:
    random = np.random.default_rng(0)
    rows = pd.DataFrame({name: random.random(400) for name in NUMERIC_FEATURES})
    rows["last_category"], rows["last_channel"] = "Books", "web"
    rows["churned"] = (rows["overdue_ratio"] > 0.5).astype(int)
    fit = fit_xgboost(rows, rows, nthread=1)
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
        because=() if kind == "xgboost" else (Note("hiatus_rule_is_used"),),
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
    with pytest.raises(NoChampionError, match=r"no churn model yet .* run `customer360 train`"):
        load_champion(CHURN, tracking)
    with pytest.raises(NoChampionError, match="no lifetime-value model yet"):
        load_champion(LIFETIME_VALUE, tracking)


def test_a_lifetime_value_training_comes_back_as_it_was(tracking: Tracking) -> None:
    import mlflow

    training = lifetime_value_training()
    logged = log_training(
        LIFETIME_VALUE,
        training,
        tracking,
        GATE,
        schema=SCHEMA,
        table_versions={"silver/customer_days": 12},
        tags={"dagster_run_id": "abc"},
    )
    champion = load_champion(LIFETIME_VALUE, tracking)
    assert champion.name == LIFETIME_VALUE.registered
    assert champion.schema == SCHEMA
    assert champion.tags["feature_schema"] == SCHEMA.hash
    assert champion.tags["code_version"] == code_version()
    assert champion.model == training.model
    assert champion.version == logged.version
    assert champion.run_id == logged.run_id
    assert len(champion.tags["fingerprint"]) == 64
    assert champion.tags["status"] == "trained"
    assert champion.tags["as_of"] == "2025-06-30"
    assert champion.judged is None
    assert logged.url is None

    client = mlflow.MlflowClient(tracking.uri, tracking.uri)
    run = client.get_run(logged.run_id)
    assert run.data.params["delta_version/silver/customer_days"] == "12"
    assert run.data.params["holdout_days"] == "273"
    assert run.data.metrics == training.metrics
    assert run.data.tags["status"] == "trained"
    assert notes_in(run.data.tags["notes"]) == (Note("not_tested"),)
    assert run.data.tags["dagster_run_id"] == "abc"
    images = [file.path for file in client.list_artifacts(logged.run_id, "plots")]
    assert images == ["plots/purchases_by_frequency.png"]


def test_a_version_has_a_model_card(tracking: Tracking) -> None:
    import mlflow

    training = replace(lifetime_value_training(r=0.29), calibration_as_of=date(2024, 9, 30))
    logged = log_training(
        LIFETIME_VALUE,
        training,
        tracking,
        GATE,
        schema=SCHEMA,
        table_versions={"silver/customer_days": 12},
    )
    client = mlflow.MlflowClient(tracking.uri, tracking.uri)
    registered = client.get_model_version(LIFETIME_VALUE.registered, logged.version)
    assert registered.description == logged.card
    lines = logged.card.splitlines()
    assert lines[0] == f"# lifetime-value v{logged.version}"
    for line in (
        "- as of: 2025-06-30",
        "- Delta version of silver/customer_days: 12",
        f"- feature schema: {SCHEMA.hash}",
        f"- code version: {code_version()}",
        "| Mean absolute error (MAE), purchases | 0.78* |  | 1.02 |",
        "- not tested: no later date is left to test on",
    ):
        assert line in lines
    assert "net revenue (refunds deducted) of the 273 days" in logged.card


def test_the_judged_model_and_its_day_come_back(tracking: Tracking) -> None:
    covariance = ((0.1, 0.01, 0.0, 0.0),) * 4
    judged = LifetimeValueModel(
        7, BgNbd(0.25, 4.5, 0.8, 2.5), None, 35.0, purchases_covariance=covariance
    )
    training = replace(
        lifetime_value_training(r=0.27, mae=0.5, champion_mae=0.78),
        calibration_model=judged,
        calibration_as_of=date(2024, 9, 30),
    )
    log_training(LIFETIME_VALUE, training, tracking, GATE)
    assert load_champion(LIFETIME_VALUE, tracking).judged == (judged, date(2024, 9, 30))


def test_a_champion_refuses_other_columns(tracking: Tracking, spark) -> None:
    better = lifetime_value_training(r=0.26, mae=0.4, champion_mae=0.5)
    log_training(LIFETIME_VALUE, better, tracking, GATE, schema=SCHEMA)
    champion = load_champion(LIFETIME_VALUE, tracking)
    same = spark.createDataFrame([], "frequency int, recency int, T int, monetary_value double")
    champion.check_schema(same, MODEL_FEATURES)
    other = spark.createDataFrame([], "frequency int, recency int, T int, monetary_value int")
    with pytest.raises(
        FeatureSchemaError, match=r"monetary_value as int in place of double; train"
    ):
        champion.check_schema(other, MODEL_FEATURES)


def served(tracking: Tracking, uri: str):
    import mlflow

    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_registry_uri(tracking.uri)
    return mlflow.pyfunc.load_model(uri)


def test_mlflow_serves_the_same_figures_without_a_pickle(tracking: Tracking) -> None:
    training = lifetime_value_training()
    logged = log_training(LIFETIME_VALUE, training, tracking, GATE)
    model = served(tracking, logged.model_uri)
    pd.testing.assert_frame_equal(
        model.predict(training.sample), training.model.predict(training.sample)
    )
    assert model.metadata.signature is not None
    assert "frequency" in model.metadata.signature.inputs.input_names()
    import mlflow

    folder = Path(mlflow.artifacts.download_artifacts(logged.model_uri))
    assert not list(folder.rglob("*.pkl"))
    (stored,) = folder.rglob("parameters.json")
    assert json.loads(stored.read_text())["purchases"]["r"] == 0.243


@pytest.fixture(scope="module")
def three_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three versions: the first, a worse one, a better one."""
    home = tmp_path_factory.mktemp("three")
    tracking = Tracking(f"sqlite:///{home}/mlflow.db", home / "artifacts")
    for training in (
        lifetime_value_training(),
        lifetime_value_training(r=0.30, mae=0.80, champion_mae=0.78),
        lifetime_value_training(r=0.31, mae=0.70, champion_mae=0.78),
    ):
        log_training(LIFETIME_VALUE, training, tracking, GATE)
    return home


@pytest.fixture
def gated(three_versions: Path, tmp_path: Path) -> Tracking:
    """A copy of their registry, to be changed."""
    copy = shutil.copy(three_versions / "mlflow.db", tmp_path)
    return Tracking(f"sqlite:///{copy}", three_versions / "artifacts")


def test_only_a_better_model_becomes_the_champion(gated: Tracking) -> None:
    newest, worse, first = registered_versions(LIFETIME_VALUE, gated)
    assert [each.version for each in (newest, worse, first)] == ["3", "2", "1"]
    assert (newest.aliases, worse.aliases, first.aliases) == (("champion",), ("challenger",), ())
    assert [in_english(each.verdict) for each in (first, worse, newest)] == [
        "first model: Mean absolute error (MAE), purchases 0.78, which no naive rule beats beyond "
        "the interval",
        "Mean absolute error (MAE), purchases 0.8 does not beat the champion's 0.78; v1 stays",
        "Mean absolute error (MAE), purchases 0.7 beats the champion v1's 0.78",
    ]
    assert [each.figure for each in (newest, worse, first)] == [
        "purchases_mae 0.7",
        "purchases_mae 0.8",
        "purchases_mae 0.78",
    ]
    champion = load_champion(LIFETIME_VALUE, gated)
    assert champion.model.purchases is not None
    assert champion.model.purchases.r == 0.31


def test_a_verdict_of_an_older_release_is_shown_as_it_is(gated: Tracking) -> None:
    sentence = "first model; its purchases_mae 0.78 beats the naive ones"
    with connected(gated) as mlflow:
        mlflow.MlflowClient().set_model_version_tag(
            LIFETIME_VALUE.registered, "1", "verdict", sentence
        )
    first = registered_versions(LIFETIME_VALUE, gated)[-1]
    assert in_english(first.verdict) == sentence
    again = log_training(LIFETIME_VALUE, lifetime_value_training(), gated, GATE)
    assert in_english([again.verdict.reason]).endswith(f"when it was trained: {sentence}")


def test_a_model_for_an_earlier_day_replaces_nobody(gated: Tracking) -> None:
    old = lifetime_value_training(r=0.4, mae=0.1, champion_mae=0.7, as_of=date(2025, 1, 31))
    logged = log_training(LIFETIME_VALUE, old, gated, GATE)
    assert not logged.verdict.promoted
    assert in_english([logged.verdict.reason]) == (
        "it was trained for 31 Jan 2025; the champion v3, for 30 Jun 2025, stays"
    )
    assert load_champion(LIFETIME_VALUE, gated).version == "3"


def test_the_same_training_again_leaves_one_version(gated: Tracking) -> None:
    before = len(registered_versions(LIFETIME_VALUE, gated))
    again = log_training(LIFETIME_VALUE, lifetime_value_training(r=0.31, mae=0.70), gated, GATE)
    assert again.version == "3"
    assert again.verdict.promoted
    assert in_english([again.verdict.reason]) == "the same model as the champion v3"
    assert len(registered_versions(LIFETIME_VALUE, gated)) == before
    found = champion_figures(LIFETIME_VALUE, gated)
    assert found is not None
    assert (found.version, found.status) == ("3", "trained")


def test_roll_back_and_promote_by_hand(gated: Tracking) -> None:
    assert rollback(LIFETIME_VALUE, gated) == ("1", "3")
    assert load_champion(LIFETIME_VALUE, gated).version == "1"
    aliases = {each.version: each.aliases for each in registered_versions(LIFETIME_VALUE, gated)}
    assert aliases["3"] == ("challenger",)
    with pytest.raises(PromotionError, match="lifetime-value has no earlier champion to go back"):
        rollback(LIFETIME_VALUE, gated)
    # The model that was rolled back does not come back by being trained once more.
    again = log_training(
        LIFETIME_VALUE, lifetime_value_training(r=0.31, mae=0.70, champion_mae=0.78), gated, GATE
    )
    assert (again.version, again.verdict.promoted) == ("3", False)
    assert promote(LIFETIME_VALUE, "2", gated) == "1"
    assert load_champion(LIFETIME_VALUE, gated).version == "2"
    with pytest.raises(PromotionError, match="v2 is the champion already"):
        promote(LIFETIME_VALUE, "2", gated)
    with pytest.raises(PromotionError, match=r"has no version 9; it has 3, 2, 1"):
        promote(LIFETIME_VALUE, "9", gated)
    aliases = {each.version: each.aliases for each in registered_versions(LIFETIME_VALUE, gated)}
    assert (aliases["2"], aliases["1"]) == (("champion",), ("challenger",))
    # Nor does training again undo a promotion by hand, whatever alias the other version has.
    again = log_training(LIFETIME_VALUE, lifetime_value_training(), gated, GATE)
    assert (again.version, again.verdict.promoted) == ("1", False)
    assert in_english([again.verdict.reason]) == (
        "the same model as v1, which is not the champion; when it was trained: first model: "
        "Mean absolute error (MAE), purchases 0.78, which no naive rule beats beyond the interval"
    )
    assert again.verdict.beats_baseline is True
    assert rollback(LIFETIME_VALUE, gated) == ("1", "2")


def test_no_figures_without_a_champion(tracking: Tracking) -> None:
    assert champion_figures(CHURN, tracking) is None


def test_a_churn_model_comes_back_with_its_trees(tracking: Tracking) -> None:
    training = churn_training("xgboost")
    logged = log_training(CHURN, training, tracking, CHURN_GATE)
    assert logged.model_name == CHURN.registered != LIFETIME_VALUE.registered
    champion = load_champion(CHURN, tracking)
    rows = pd.DataFrame({name: [0.2, 0.9] for name in NUMERIC_FEATURES}).assign(
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
    logged = log_training(CHURN, training, tracking, CHURN_GATE)
    champion = load_champion(CHURN, tracking)
    assert champion.model == training.model
    assert champion.tags["status"] == "fallback"
    found = served(tracking, logged.model_uri).predict(
        pd.DataFrame({"days_since_last_purchase": [20.0, 21.0]})
    )
    assert found["churn_probability"].tolist() == [0.2, 0.7]


def test_the_fallback_of_an_older_release_says_why_everywhere(tracking: Tracking) -> None:
    """It kept a sentence behind the status, in the tags of the run and of the version."""
    logged = log_training(CHURN, churn_training("hiatus_rule"), tracking, CHURN_GATE)
    name, old = CHURN.registered, ("status", "fallback: too short")
    with connected(tracking) as mlflow:
        client = mlflow.MlflowClient()
        run = client.get_model_version(name, logged.version).run_id
        client.set_tag(run, *old)
        client.delete_tag(run, "because")
        client.set_model_version_tag(name, logged.version, *old)
        client.delete_model_version_tag(name, logged.version, "because")
    said = Note("said", {"text": "too short"})
    champion = champion_figures(CHURN, tracking)
    assert champion is not None
    assert (champion.status, champion.because) == ("fallback", (said,))
    (listed,) = registered_versions(CHURN, tracking)
    assert (listed.status, listed.because) == ("fallback", (said,))
    (exhibited,) = exhibited_models(tracking)
    assert (exhibited.status, notes_in(exhibited.because)) == ("fallback", (said,))


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "mlflow.db"
    wrong.write_text("this is not SQLite " * 100)
    with pytest.raises(TrackingError, match="cannot be used"):
        log_training(
            LIFETIME_VALUE,
            lifetime_value_training(),
            Tracking(f"sqlite:///{wrong}", tmp_path),
            GATE,
        )


@pytest.fixture
def locked(gated: Tracking, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracking]:
    """A registry with a champion, while another process holds its database."""
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda seconds: None))
    file = gated.uri.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield replace(gated, uri=f"{gated.uri}?timeout=0.05")
        other.execute("ROLLBACK")


def test_a_locked_registry_is_not_one_without_a_champion(locked: Tracking) -> None:
    """A worse model would be promoted as the first one."""
    for ask in (
        lambda: load_champion(LIFETIME_VALUE, locked),
        lambda: champion_figures(LIFETIME_VALUE, locked),
        lambda: log_training(LIFETIME_VALUE, lifetime_value_training(mae=9.0), locked, GATE),
    ):
        with pytest.raises(TrackingUnavailableError, match="database is locked; check mlflow") as e:
            ask()
        assert e.value.temporary


def test_a_lock_that_is_soon_gone_is_waited_for(
    gated: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = gated.uri.removeprefix("sqlite:///")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    waits: list[float] = []

    def released(seconds: float) -> None:
        waits.append(seconds)
        if other.in_transaction:
            other.execute("ROLLBACK")

    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=released))
    waiting = replace(gated, uri=f"{gated.uri}?timeout=0.05")
    assert champion_figures(LIFETIME_VALUE, waiting) == champion_figures(LIFETIME_VALUE, gated)
    assert len(waits) == 1
    other.close()


def test_scoring_goes_on_with_the_champion_known_last(
    gated: Tracking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = scoring_champion(LIFETIME_VALUE, gated)
    with contextlib.closing(sqlite3.connect(gated.uri.removeprefix("sqlite:///"))) as other:
        other.execute("PRAGMA user_version = 7")  # a write, so that MLflow is asked again
        other.commit()

    def unavailable(*_: object) -> None:
        raise TrackingUnavailableError("MLflow at x cannot be used", temporary=True)

    monkeypatch.setattr(stored_models, "registered", unavailable)
    with pytest.raises(TrackingUnavailableError):
        load_champion(LIFETIME_VALUE, gated)
    with caplog.at_level(logging.WARNING):
        again = scoring_champion(LIFETIME_VALUE, gated)
    assert (again.version, again.model) == (known.version, known.model)
    assert f"scoring with the champion known last, v{known.version}" in caplog.text
    with pytest.raises(TrackingUnavailableError):
        scoring_champion(CHURN, gated)


def test_our_use_leaves_mlflow_and_logging_as_they_were(gated: Tracking) -> None:
    import mlflow

    mlflow.set_tracking_uri("sqlite:////elsewhere.db")
    before = logging.getLogger("alembic").level
    load_champion(LIFETIME_VALUE, gated)
    assert mlflow.get_tracking_uri() == "sqlite:////elsewhere.db"
    assert logging.getLogger("alembic").level == before


def test_artifact_locations() -> None:
    assert Tracking("x", "/a b").artifact_location == "file:///a%20b"
    assert Tracking("x", "s3://bucket/a").artifact_location == "s3://bucket/a"
    assert Tracking("http://server").artifact_location is None


def test_a_file_that_training_did_not_write_is_not_read(
    tracking: Tracking, empty_registry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The registry has the checksum, which lies elsewhere than the file."""
    import mlflow

    logged = log_training(CHURN, churn_training("xgboost"), tracking, CHURN_GATE)
    assert load_champion(CHURN, tracking).model.booster
    stored = empty_registry.parents[1].rglob("model.ubj")
    trees = max(stored, key=lambda file: file.stat().st_mtime_ns)
    whole = trees.read_bytes()
    trees.write_bytes(whole[:-1] + b"!")
    with pytest.raises(ChangedModelError, match=r"is not the file that training wrote \(SHA-256\)"):
        load_champion(CHURN, tracking)
    trees.write_bytes(whole)
    # A version of an older release has no checksum, and scores on.
    client = mlflow.MlflowClient(tracking.uri, tracking.uri)
    client.delete_model_version_tag(CHURN.registered, logged.version, DIGESTS)
    with caplog.at_level(logging.WARNING):
        assert load_champion(CHURN, tracking).model.booster
    assert "registered by an older release, without its checksum" in caplog.text


class Killed(Exception):
    """Stands for a process that is gone at this call."""


@contextlib.contextmanager
def killed_at(call: str, *, value: str | None = None) -> Iterator[None]:
    """Whoever calls this of MLflow's client is gone; where a value is given, with that only."""
    import mlflow

    whole = getattr(mlflow.MlflowClient, call)

    def gone(client: object, *arguments: object, **named: object) -> object:
        if value is None or value in arguments:
            raise Killed
        return whole(client, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(mlflow.MlflowClient, call, gone)
        yield
        pytest.fail(f"nobody calls {call}")


def test_a_version_that_a_kill_left_without_its_card_gets_it_from_the_next_run(
    tracking: Tracking,
) -> None:
    with killed_at("log_text"):
        log_training(LIFETIME_VALUE, lifetime_value_training(), tracking, GATE, schema=SCHEMA)
    (half,) = exhibited_models(tracking)
    assert (half.version, half.card) == ("1", "")
    again = log_training(LIFETIME_VALUE, lifetime_value_training(), tracking, GATE, schema=SCHEMA)
    assert again.version == "1"
    assert again.card.startswith("# lifetime-value v1\n")
    assert f"- feature schema: {SCHEMA.hash}" in again.card.splitlines()
    (whole,) = exhibited_models(tracking)
    assert (whole.is_champion, whole.card) == (True, again.card)


@pytest.mark.parametrize(
    ("call", "value"),
    [("set_registered_model_alias", None), ("set_model_version_tag", "verdict_carried_out")],
)
def test_the_next_run_promotes_what_a_kill_kept_from_it(
    tracking: Tracking, call: str, value: str | None
) -> None:
    with killed_at(call, value=value):
        log_training(LIFETIME_VALUE, lifetime_value_training(), tracking, GATE)
    again = log_training(LIFETIME_VALUE, lifetime_value_training(), tracking, GATE)
    assert (again.version, again.verdict.promoted) == ("1", True)
    assert load_champion(LIFETIME_VALUE, tracking).version == "1"
    better = lifetime_value_training(r=0.3, mae=0.7, champion_mae=0.78)
    with killed_at("set_registered_model_alias"):
        log_training(LIFETIME_VALUE, better, tracking, GATE)
    assert load_champion(LIFETIME_VALUE, tracking).version == "1"
    assert log_training(LIFETIME_VALUE, better, tracking, GATE).verdict.promoted
    assert rollback(LIFETIME_VALUE, tracking) == ("1", "2")
    assert not log_training(LIFETIME_VALUE, better, tracking, GATE).verdict.promoted


def test_a_first_version_of_an_older_release_that_a_kill_left_is_promoted(
    tracking: Tracking,
) -> None:
    with killed_at("set_registered_model_alias"):
        log_training(LIFETIME_VALUE, lifetime_value_training(), tracking, GATE)
    with connected(tracking) as mlflow:
        mlflow.MlflowClient().delete_model_version_tag(LIFETIME_VALUE.registered, "1", CARRIED_OUT)
    assert log_training(LIFETIME_VALUE, lifetime_value_training(), tracking, GATE).verdict.promoted


def test_what_a_person_decided_of_a_version_that_a_kill_left_stands(gated: Tracking) -> None:
    best = lifetime_value_training(r=0.5, mae=0.1, champion_mae=0.7)
    with killed_at("set_registered_model_alias"):
        log_training(LIFETIME_VALUE, best, gated, GATE)
    promote(LIFETIME_VALUE, "4", gated)
    rollback(LIFETIME_VALUE, gated)
    assert not log_training(LIFETIME_VALUE, best, gated, GATE).verdict.promoted
    assert load_champion(LIFETIME_VALUE, gated).version == "3"


def test_a_lock_that_is_soon_gone_costs_no_promotion(
    gated: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    other = sqlite3.connect(gated.uri.removeprefix("sqlite:///"), isolation_level=None)
    log_text, waits = mlflow.MlflowClient.log_text, []

    def locked_from_here(client: mlflow.MlflowClient, run: str, text: str, file: str) -> None:
        log_text(client, run, text, file)
        other.execute("BEGIN IMMEDIATE")

    def released(seconds: float) -> None:
        waits.append(seconds)
        other.execute("ROLLBACK")

    monkeypatch.setattr(mlflow.MlflowClient, "log_text", locked_from_here)
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=released))
    best = lifetime_value_training(r=0.5, mae=0.1, champion_mae=0.7)
    waiting = replace(gated, uri=f"{gated.uri}?timeout=0.05")
    assert log_training(LIFETIME_VALUE, best, waiting, GATE).verdict.promoted
    assert (load_champion(LIFETIME_VALUE, gated).version, len(waits)) == ("4", 1)
    other.close()


@pytest.mark.parametrize(
    ("file", "was", "becomes"),
    [
        ("MLmodel", "0.793", "0.794"),  # a parameter
        ("MLmodel", "2024-09-30", "2024-09-29"),  # of the judged model
        ("parameters.json", "0.793", "0.794"),
        ("served.py", "return self", "return  self"),
    ],
)
def test_a_model_whose_parameters_or_code_were_changed_is_refused(
    tracking: Tracking, caplog: pytest.LogCaptureFixture, file: str, was: str, becomes: str
) -> None:
    import mlflow

    training = lifetime_value_training()
    judged = LifetimeValueModel(7, BgNbd(0.25, 4.5, 0.8, 2.5), None, 35.0)
    training = replace(training, calibration_model=judged, calibration_as_of=date(2024, 9, 30))
    logged = log_training(LIFETIME_VALUE, training, tracking, GATE)
    whole = load_champion(LIFETIME_VALUE, tracking)
    client = mlflow.MlflowClient(tracking.uri, tracking.uri)
    version = client.get_model_version(LIFETIME_VALUE.registered, logged.version)
    (model,) = client.search_logged_models(
        [logged.experiment_id], f"source_run_id='{version.run_id}'"
    )
    folder = Path(model.artifact_location.removeprefix("file://"))
    (changed,) = folder.rglob(file)
    text = changed.read_text()
    assert text.count(was) == 1
    changed.write_text(text.replace(was, becomes))
    for load in (load_champion, scoring_champion):
        with pytest.raises(ChangedModelError, match=rf"{file}.* that training wrote \(SHA-256\)"):
            load(LIFETIME_VALUE, tracking)
    changed.write_text(text)
    # An older release noted the checksums of further files alone.
    client.set_model_version_tag(LIFETIME_VALUE.registered, logged.version, DIGESTS, "{}")
    with caplog.at_level(logging.WARNING):
        assert load_champion(LIFETIME_VALUE, tracking).model == whole.model
    assert "parameters.json was registered by an older release" in caplog.text


_KILLED = """
import os
import sys
from customer360.models.tracking.connection import Tracking, connected, experiment_of
from customer360.models.tracking.unfinished import process_tag

tracking = Tracking(*sys.argv[1:])
with connected(tracking) as mlflow:
    experiment = experiment_of(mlflow, tracking)
    run = mlflow.start_run(experiment_id=experiment, tags=process_tag())
    mlflow.initialize_logged_model("half", source_run_id=run.info.run_id)
    print(run.info.run_id, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_training_left_running_is_closed_by_the_next(tracking: Tracking) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, tracking.uri, str(tracking.artifacts)],
        capture_output=True,
        text=True,
        check=False,
    )
    dead = killed.stdout.strip()
    assert len(dead) == 32, killed.stderr

    def state(run_id: str) -> tuple[str, list[str]]:
        with connected(tracking) as mlflow:
            client = mlflow.MlflowClient()
            run = client.get_run(run_id)
            found = client.search_logged_models(
                [run.info.experiment_id], f"source_run_id = '{run_id}'"
            )
            return run.info.status, [str(model.status) for model in found]

    with connected(tracking) as mlflow:
        experiment = experiment_of(mlflow, tracking)
        of_nobody = mlflow.MlflowClient().create_run(experiment).info.run_id
        alive = mlflow.MlflowClient().create_run(experiment, tags=process_tag()).info.run_id
    assert state(dead) == ("RUNNING", ["PENDING"])
    logged = log_training(LIFETIME_VALUE, lifetime_value_training(), tracking, GATE)
    assert state(dead) == ("KILLED", ["FAILED"])
    assert state(of_nobody)[0] == state(alive)[0] == "RUNNING"
    assert state(logged.run_id) == ("FINISHED", ["READY"])
    assert end_dead_trainings(tracking) == []


def test_an_mlflow_that_does_not_answer_stops_nobody_who_would_close_runs(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    assert end_dead_trainings(Tracking(f"sqlite:///{tmp_path}/mlflow.db")) == []
