"""The deployment's secrets: made once, whole, and never made again where tables rest on them."""

from __future__ import annotations

import multiprocessing
import traceback
from pathlib import Path

import pytest

from customer360.errors import SettingsError
from customer360.models.churn.spec import CHURN
from customer360.models.tracking import Tracking, TrackingError, champion_figures
from customer360.models.tracking.connection import connected
from customer360.orchestration.resources import SparkResource
from customer360.redaction import is_secret, without_credentials
from customer360.settings import load_settings, remember


def made(home: Path) -> bytes:
    return load_settings(home).kept_secret("warehouse_owner")


def test_processes_that_start_together_make_one(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        secrets = pool.map(made, [tmp_path] * 8)
    assert len(set(secrets)) == 1
    assert len(secrets[0]) == 64
    file = tmp_path / "secrets" / "warehouse_owner"
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (secrets[0], 0o600)


def test_a_file_that_a_crash_left_empty_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "warehouse_owner"
    file.parent.mkdir()
    file.touch()
    assert len(made(tmp_path)) == 64
    assert made(tmp_path) == made(tmp_path)


def test_what_a_crash_left_unfinished_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / ".warehouse_owner.new").write_text("half")
    assert len(made(tmp_path)) == 64


@pytest.mark.parametrize("left", ["empty", "missing"])
def test_a_key_that_customers_were_made_with_is_not_made_again(tmp_path: Path, left: str) -> None:
    settings = load_settings(tmp_path, customer_key_secret=None)
    if settings.customer_key_secret is not None:
        pytest.skip("the secret is given by the environment")
    (tmp_path / "lakehouse" / "silver" / "customers" / "_delta_log").mkdir(parents=True)
    if left == "empty":
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "customer_key").touch()
    with pytest.raises(SettingsError, match=f"customer_key is {left}, and silver/customers was"):
        settings.secret()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://user:pw@host/db", "postgresql://host/db"),
        ("at https://user:p@s/s@host:1/api, url: /api", "at https://host:1/api, url: /api"),
        ("https://token@host", "https://host"),
        ("postgresql://host/db?user=a&password=pw", "postgresql://host/db?user=a&password=…"),
        ("abfss://c@host/lake?sv=1&sig=pw", "abfss://host/lake?sv=1&sig=…"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        (
            "http://127.0.0.1:1/api is to be read by a@b",
            "http://127.0.0.1:1/api is to be read by a@b",
        ),
    ],
)
def test_addresses_are_shown_without_credentials(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


def test_an_mlflow_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    given = load_settings(tmp_path, mlflow_tracking_uri="http://user:guess-me@127.0.0.1:1")
    tracking = Tracking(given.tracking_uri)
    assert "guess-me" not in f"{given!r} {tracking!r}"

    def ask() -> None:
        with connected(tracking) as mlflow:
            mlflow.MlflowClient().search_model_versions("name='x'")

    for use in (ask, lambda: champion_figures(CHURN, tracking)):
        with pytest.raises(TrackingError, match=r"MLflow at http://127.0.0.1:1 cannot") as caught:
            use()
        assert "guess-me" not in "".join(traceback.format_exception(caught.value))


def test_secrets_of_sparks_properties_are_not_what_dagster_keeps(tmp_path: Path) -> None:
    secret = {"spark.hadoop.fs.s3a.secret.key": "guess-me", "spark.hadoop.fs.s3a.access.key": "id"}
    open_ = {"spark.hadoop.fs.s3a.endpoint": "https://store"}
    remember(tmp_path, {"spark_conf": secret | open_})
    resource = SparkResource.of(load_settings(tmp_path))
    assert resource.spark_config.keys() & (secret | open_).keys() == open_.keys()
    assert "guess-me" not in repr(resource)
    assert resource._secrets() == secret


def test_names_of_secrets() -> None:
    assert is_secret("spark.hadoop.fs.azure.account.key.shop.dfs.core.windows.net")
    assert is_secret("spark.ssl.keyPassword")
    assert not is_secret("spark.hadoop.fs.s3a.aws.credentials.provider")
    assert not is_secret("spark.sql.shuffle.partitions")


def test_a_wrong_property_that_is_secret_is_not_repeated(tmp_path: Path) -> None:
    remember(tmp_path, {"spark_conf": {"spark.hadoop.fs.s3a.secret.key": 8675309}})
    with pytest.raises(SettingsError, match=r"secret.key: must be text") as caught:
        load_settings(tmp_path)
    assert "8675309" not in str(caught.value)
