"""A backup restored into an empty home answers as the deployment did, and no secret is in it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from customer360.cli import main
from customer360.home_lock import writing
from customer360.lakehouse.reading import Tables
from customer360.models.tracking import Tracking
from customer360.models.tracking.connection import connected
from customer360.orchestration.instance import open_instance
from customer360.pipeline import backup as module
from customer360.pipeline.backup import BACKUPS, MANIFEST, BackupError, back_up, restore
from customer360.pipeline.run_models import tracking_of
from customer360.privacy.forget_files import elsewhere, forget_lists
from customer360.serving.publishing import Origin, publish_rows
from customer360.serving.tables import DEPLOYMENT
from customer360.serving.warehouse import open_warehouse, take_down
from customer360.settings import Settings, load_settings, remember
from customer360_tests.deployments import customer360

KEY, HOOK = "a-key-that-nobody-guesses", "https://hooks.example.com/an-address-that-nobody-guesses"
STORE_KEY = {"spark.hadoop.fs.s3a.secret.key": "a-store-key-that-nobody-guesses"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A small deployment of everything: tables, models, runs, a warehouse, files, secrets."""
    home = tmp_path_factory.mktemp("shop") / "home"
    home.mkdir()
    secrets = {"customer_key_secret": KEY, "alert_webhook_url": HOOK}
    conf = {"spark.ui.enabled": "false", **STORE_KEY}
    remember(home, {"sources": ["cdnow"], "spark_conf": conf, **secrets})
    settings = load_settings(home)
    write_deltalake(
        Path(settings.lakehouse_root, "gold", "customer_360"),
        pa.table({"as_of": [date(2026, 1, 31)] * 3, "customer_key": ["a", "b", "c"]}),
        partition_by=["as_of"],
    )
    (home / "exports").mkdir()
    (home / "exports" / "whales.csv").write_text("a\n")
    (home / "dbt").mkdir()
    (home / "dbt" / "log").write_text("made again")
    _log_model(tracking_of(settings), settings)
    with open_instance(settings) as instance:
        instance.add_dynamic_partitions("as_of", ["2026-01-31"])
    owner = open_warehouse(settings).owner
    publish_rows(owner, DEPLOYMENT, [("currency", "EUR")], Origin("run"))
    yield settings
    take_down(settings)


def _log_model(tracking: Tracking, settings: Settings) -> None:
    with connected(tracking) as mlflow:
        mlflow.create_experiment(tracking.experiment, artifact_location=tracking.artifact_location)
        mlflow.set_experiment(tracking.experiment)
        with mlflow.start_run() as run:
            mlflow.log_text("0.25", "share.txt")
        client = mlflow.MlflowClient()
        client.create_registered_model("customer360_toy")
        client.create_model_version("customer360_toy", f"{run.info.artifact_uri}/", run.info.run_id)
        client.set_registered_model_alias("customer360_toy", "champion", "1")


def answers(settings: Settings) -> dict[str, Any]:
    """What a deployment says when it is asked everywhere."""
    tables = Tables(settings.lakehouse_root)
    with connected(tracking_of(settings)) as mlflow:
        version = mlflow.MlflowClient().get_model_version_by_alias("customer360_toy", "champion")
        share = mlflow.artifacts.load_text(f"runs:/{version.run_id}/share.txt")
        source = mlflow.artifacts.download_artifacts(version.source)
    with open_instance(settings) as instance:
        partitions = instance.get_dynamic_partitions("as_of")
    with open_warehouse(settings).reader.connect() as reader:
        facts = reader.execute("SELECT name, value FROM serving.deployment").fetchall()
    return {
        "rows": sorted(map(str, tables.ask("SELECT * FROM t", t="gold/customer_360"))),
        "details": tables.details("gold/customer_360"),
        "share": (share, (Path(source) / "share.txt").read_text()),
        "partitions": partitions,
        "facts": facts,
        "list": (settings.home / "exports" / "whales.csv").read_text(),
        "sources": settings.sources,
    }


def test_a_restored_home_gives_the_same_answers(shop: Settings, tmp_path: Path) -> None:
    before = answers(shop)
    back_up(shop, tmp_path / "backup", tmp_path / "elsewhere" / "secrets.json")
    away = tmp_path / "away"
    take_down(shop)
    shutil.move(shop.home, away)  # nothing of the former home may be needed
    try:
        restore(tmp_path / "backup", tmp_path / "new", tmp_path / "elsewhere" / "secrets.json")
        restored = load_settings(tmp_path / "new")
        assert answers(restored) == before
        assert restored.secret() == KEY.encode()
        assert restored.alert_webhook_url is not None
        assert restored.spark_conf == shop.spark_conf
        assert not (restored.home / "dbt").exists()
        take_down(restored)
    finally:
        shutil.move(away, shop.home)


def test_no_secret_is_in_a_backup_and_each_file_has_its_checksum(
    shop: Settings, tmp_path: Path
) -> None:
    manifest = back_up(shop, tmp_path / "b", tmp_path / "secrets.json")
    assert manifest.tables == {"gold/customer_360": {"version": 0, "rows": 3}}
    found = {
        path.relative_to(tmp_path / "b").as_posix()
        for path in (tmp_path / "b").rglob("*")
        if path.is_file()
    }
    assert found == {MANIFEST, *(file.path for file in manifest.files)}
    owned = (shop.home / "secrets" / "warehouse_owner").read_bytes()
    stated = (KEY, HOOK, *STORE_KEY.values())
    for path in (tmp_path / "b").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(each in content for each in (owned, *map(str.encode, stated))), path
    held = json.loads((tmp_path / "secrets.json").read_text())
    assert held["settings"] == {
        "customer_key_secret": KEY,
        "alert_webhook_url": HOOK,
        "spark_conf": STORE_KEY,
    }
    assert held["files"]["warehouse_owner"].encode() == owned
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0
    # Whoever must erase a person looks there too.
    noted = [json.loads(line) for line in (shop.home / BACKUPS).read_text().splitlines()]
    assert noted[-1]["kept_in"] == str(tmp_path / "b")


def test_a_database_that_is_written_meanwhile_is_copied_whole(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "dagster").mkdir(parents=True)
    database = sqlite3.connect(home / "dagster" / "runs.db")
    database.execute("PRAGMA journal_mode = wal")
    database.execute("CREATE TABLE runs (id)")
    database.execute("INSERT INTO runs VALUES (1)")
    database.commit()
    database.execute("INSERT INTO runs VALUES (2)")  # not committed: of no moment
    manifest = back_up(load_settings(home), tmp_path / "b")
    database.close()
    assert [file.path for file in manifest.files] == ["home/backups.jsonl", "home/dagster/runs.db"]
    copy = sqlite3.connect(tmp_path / "b" / "home" / "dagster" / "runs.db")
    assert copy.execute("SELECT id FROM runs").fetchall() == [(1,)]
    copy.close()


@pytest.mark.parametrize(
    "uri", ["postgresql://user:guess-me@host/mlflow", "https://user:guess-me@host"]
)
def test_the_password_of_an_mlflow_is_in_no_backup_and_comes_back_with_the_secrets(
    tmp_path: Path, uri: str
) -> None:
    home, backup, secrets = tmp_path / "home", tmp_path / "b", tmp_path / "secrets.json"
    remember(home, {"sources": ["cdnow"], "mlflow_tracking_uri": uri})
    back_up(load_settings(home), backup, secrets)
    assert not any(b"guess-me" in file.read_bytes() for file in backup.rglob("*.*"))
    restore(backup, tmp_path / "new", secrets)
    assert load_settings(tmp_path / "new").tracking_uri == uri


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A backup of a home with one file."""
    home = tmp_path / "small"
    remember(home, {"sources": ["cdnow"]})
    (home / "reports").mkdir()
    (home / "reports" / "a.html").write_text("<p>")
    back_up(load_settings(home), tmp_path / "b")
    return tmp_path / "b"


def test_what_was_damaged_is_named_and_nothing_is_restored(small: Path, tmp_path: Path) -> None:
    (small / "home" / "reports" / "a.html").write_text("<b>")
    with pytest.raises(BackupError, match=r"reports/a\.html is not what it was"):
        restore(small, tmp_path / "new")
    (small / "home" / "reports" / "a.html").unlink()
    with pytest.raises(BackupError, match=r"reports/a\.html is gone"):
        restore(small, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir() if "new" in path.name] == []


def test_a_manifest_leads_nowhere_else(small: Path, tmp_path: Path) -> None:
    manifest = json.loads((small / MANIFEST).read_text())
    manifest["files"][0]["path"] = "home/../../../outside"
    (small / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BackupError, match="outside of a home"):
        restore(small, tmp_path / "new")


def test_a_backup_that_was_killed_is_none_and_the_next_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    remember(home, {"sources": ["cdnow"]})
    (tmp_path / ".b.part" / "home").mkdir(parents=True)
    (tmp_path / ".b.part" / "home" / "left").write_text("by the one before")
    with monkeypatch.context() as patched:
        patched.setattr(module, "_tables", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            back_up(load_settings(home), tmp_path / "b")
    assert not (tmp_path / "b").exists()
    back_up(load_settings(home), tmp_path / "b")
    assert not (tmp_path / "b" / "home" / "left").exists()
    assert not (tmp_path / ".b.part").exists()


def test_what_killed_backups_left_goes_with_the_next_one_and_with_an_erasure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    remember(home, {"sources": ["cdnow"]})
    settings = load_settings(home)
    left = tmp_path / ".monday.part"

    def killed() -> None:
        with monkeypatch.context() as patched:
            patched.setattr("shutil.rmtree", lambda *_, **__: None)
            patched.setattr(module, "_tables", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                back_up(settings, tmp_path / "monday")
        assert (left / "home" / "customer360.yaml").exists()

    killed()
    assert elsewhere(settings) == [
        f"the backup {tmp_path / 'monday'} (or {left}, if it was killed)"
    ]
    back_up(settings, tmp_path / "tuesday")
    assert not left.exists()
    killed()
    forget_lists(settings, {"a" * 64})
    assert not left.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "{new}", "--secrets", "{home}/s"), "/s is in the home: a file of secrets"),
        (("backup", "{new}", "--secrets", "{new}/s"), "keep the secrets apart from the tables"),
        (
            ("restore", "{backup}", "--home", "{new}", "--secrets", "{there}"),
            "is no file of secrets, as `customer360 backup --secrets` writes it",
        ),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    places = {
        "home": tmp_path / "small",
        "there": tmp_path / "there",
        "new": tmp_path / "new",
        "backup": small,
    }
    places["there"].mkdir()
    given = [argument.format(**places) for argument in arguments]
    if "--home" not in given:
        given += ["--home", str(places["home"])]
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr("sys.argv", ["customer360", *given])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    # A command's temporary files lie in its home, and go with its process.
    scratch = places["home"] / "tmp"
    left = {
        path
        for path in sorted(tmp_path.rglob("*"))
        if path not in before and not path.is_relative_to(scratch)
    }
    assert {path.name for path in left} <= {"writing.lock"}


def test_a_home_that_is_written_is_not_copied(small: Path, tmp_path: Path) -> None:
    with writing(tmp_path / "small", "a test"):
        import subprocess
        import sys

        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("customer360")),
                *("backup", str(tmp_path / "other"), "--home", str(tmp_path / "small")),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "is being written by a test" in done.stderr
    assert not (tmp_path / "other").exists()


def test_a_home_that_is_there_and_empty_is_restored_into(
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = tmp_path / "new"
    new.mkdir()
    said = customer360(capsys, monkeypatch, "restore", small, "--home", new)
    assert said.code == 0, said.err
    assert (new / "reports" / "a.html").read_text() == "<p>"
