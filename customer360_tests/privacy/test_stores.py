"""Databases of MLflow and Dagster that others keep: cleaned where they can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from customer360.models.registry import MODELS
from customer360.models.tracking import scrubbing
from customer360.models.tracking.connection import Tracking, connected, experiment_of
from customer360.orchestration.instance import instance_settings, prepare_dagster_home
from customer360.privacy.forget_files import forget_quotations, forget_temporary_files
from customer360.privacy.scrub import INSTEAD, ScrubError, Words
from customer360.privacy.stores import (
    DAGSTER_TABLES,
    other_stores,
    outside_of_home,
    postgres_stores,
)
from customer360.settings import Settings, load_settings
from customer360_tests.deployments import customer360
from customer360_tests.shop_database import Shop

MAIL = "ann.canary@example.com"
WORDS = Words([MAIL])
ERROR = f"row 7: {MAIL} is no number"


def bytes_of(shop: Shop) -> bytes:
    """All files of the database, with what is dead in them."""
    shop.run("CHECKPOINT")
    ((folder, number),) = shop.connection.execute(
        "SELECT current_setting('data_directory'), oid FROM pg_database "
        "WHERE datname = current_database()"
    ).fetchall()
    files = (Path(folder) / "base" / str(number)).iterdir()
    return b"".join(file.read_bytes() for file in files if file.is_file())


def dagster_in(shop: Shop, settings: Settings) -> None:
    """Tables as Dagster's storage has them, with few columns."""
    shop.run(
        "CREATE TABLE event_logs (id bigserial PRIMARY KEY, run_id varchar(255), event text, "
        "dagster_event_type text)",
        "CREATE TABLE job_ticks (id bigserial PRIMARY KEY, tick_body jsonb)",
        "CREATE TABLE run_tags (id bigserial PRIMARY KEY, key text, value varchar(24))",
        f"INSERT INTO event_logs (event) SELECT '{ERROR} ' || n FROM generate_series(1, 50) n",
        "DELETE FROM event_logs WHERE id > 20",
        f'INSERT INTO job_ticks (tick_body) VALUES (\'{{"error": "{ERROR}"}}\')',
        f"INSERT INTO run_tags (key, value) VALUES ('of', '{MAIL}')",
        # What is another's, in the same database.
        f"CREATE TABLE customers AS SELECT '{MAIL}'::text AS mail",
        "ANALYZE",
    )
    settings.dagster_home.mkdir(parents=True)
    (settings.dagster_home / "dagster.yaml").write_text(
        "storage:\n  postgres:\n    postgres_url: {env: OF_THIS_TEST}\n"
    )


def test_dagster_on_postgresql_says_nothing_of_them_any_more(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(tmp_path)
    dagster_in(shop, settings)
    with pytest.raises(ScrubError, match="names the variable OF_THIS_TEST, which is not set"):
        forget_quotations(settings, WORDS)
    monkeypatch.setenv("OF_THIS_TEST", shop.url)

    done = forget_quotations(settings, WORDS)

    assert done.taken_out == 22
    assert done.left == ("Dagster's database: the write-ahead log and the backups of its server",)
    rows = shop.connection.execute(
        "SELECT count(*), min(event), (SELECT tick_body ->> 'error' FROM job_ticks), "
        "(SELECT value FROM run_tags), (SELECT mail FROM customers) FROM event_logs"
    ).fetchone()
    clean = ERROR.replace(MAIL, INSTEAD)
    assert rows == (20, f"{clean} 1", clean, INSTEAD, MAIL)
    shop.run("DROP TABLE customers", "VACUUM FULL pg_statistic")
    assert MAIL.encode() not in bytes_of(shop)
    assert forget_quotations(settings, WORDS).taken_out == 0


def test_a_database_that_others_keep_in_use_is_told(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(tmp_path)
    dagster_in(shop, settings)
    monkeypatch.setenv("OF_THIS_TEST", shop.url)
    monkeypatch.setattr("customer360.privacy.scrub_postgres._WAITS", "100ms")
    shop.run("BEGIN", "LOCK TABLE job_ticks")
    with pytest.raises(ScrubError, match=r"Dagster's database: cannot be cleaned \(.*lock timeout"):
        forget_quotations(settings, WORDS)
    shop.run("ROLLBACK")
    monkeypatch.setenv("OF_THIS_TEST", "postgresql://nobody@localhost:1/none")
    with pytest.raises(ScrubError, match="privacy forget --resume"):
        forget_quotations(settings, WORDS)


@pytest.mark.parametrize(
    "stated",
    [
        "storage:\n  postgres:\n    postgres_db: {hostname: h, username: u, password: 'p/:', "
        "db_name: d, port: 5433}\n",
        "event_log_storage:\n  module: dagster_postgres.event_log\n  class: PostgresEventLog\n"
        "  config: {postgres_url: 'postgresql+psycopg2://u:p%2F%3A@h:5433/d'}\n",
    ],
)
def test_dagster_says_where_its_database_is(tmp_path: Path, stated: str) -> None:
    settings = load_settings(tmp_path)
    assert list(postgres_stores(settings)) == []
    settings.dagster_home.mkdir(parents=True)
    (settings.dagster_home / "dagster.yaml").write_text(stated)
    (store,) = postgres_stores(settings)
    assert conninfo_to_dict(store.conninfo) == {
        "user": "u", "password": "p/:", "host": "h", "port": "5433", "dbname": "d",
    }  # fmt: skip
    assert set(store.tables) == set(DAGSTER_TABLES)
    assert "p/" not in repr(store)


@pytest.mark.parametrize("variable", ["DAGSTER_PG_PASSWORD", "DAGSTER_POSTGRES_URL"])
@pytest.mark.parametrize("stated", [None, "storage: {sqlite: {base_dir: dagster}}\n"])
def test_a_database_of_dagster_s_that_nothing_names_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, stated: str | None
) -> None:
    """As in a pod of Dagster's chart, whose dagster.yaml is elsewhere."""
    settings = load_settings(tmp_path)
    file = settings.dagster_home / "dagster.yaml"
    if stated is not None:
        file.parent.mkdir(parents=True)
        file.write_text(stated)
    monkeypatch.setenv(variable, "postgresql+psycopg2://u:hush-hush@h/d")
    with pytest.raises(ScrubError) as error:
        forget_quotations(settings, WORDS)
    assert str(error.value) == (
        f"{file} does not say that Dagster keeps its notes in a PostgreSQL, and {variable} is set: "
        "name the database there under storage, as in the dagster.yaml that Dagster itself has, or "
        "unset the variable if there is none, and go on by `customer360 privacy forget --resume`"
    )
    assert outside_of_home(settings) == ["Dagster's database"]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("storage: {mysql: {mysql_url: 'mysql://a/b'}}\n")  # named as left
    assert list(postgres_stores(settings)) == []
    file.write_text("storage: {postgres: {postgres_db: {hostname: h, username: u, db_name: d}}}\n")
    assert len(list(postgres_stores(settings))) == 1


def test_mlflow_on_postgresql_says_nothing_of_them_any_more(shop: Shop, tmp_path: Path) -> None:
    given = conninfo_to_dict(shop.url)
    uri = f"postgresql+psycopg2://{given['user']}:@/{given['dbname']}?host={given['host']}"
    settings = load_settings(tmp_path, mlflow_tracking_uri=uri)
    tracking = Tracking(settings.tracking_uri, tmp_path / "artifacts")
    with connected(tracking) as mlflow:
        client = mlflow.MlflowClient()
        run = client.create_run(experiment_of(mlflow, tracking), tags={"because": ERROR})
        client.log_param(run.info.run_id, "where", ERROR)
        gone = client.create_run(run.info.experiment_id, tags={"because": ERROR})
        client.delete_run(gone.info.run_id)

    done = forget_quotations(settings, WORDS)

    assert done.taken_out == 3
    with connected(tracking) as mlflow:
        data = mlflow.MlflowClient().get_run(run.info.run_id).data
    clean = ERROR.replace(MAIL, INSTEAD)
    assert (data.tags["because"], data.params["where"]) == (clean, clean)
    assert MAIL.encode() not in bytes_of(shop)


def test_of_an_mlflow_server_what_its_api_changes_is_clean_and_the_rest_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = Tracking(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")
    name = MODELS[0].registered
    with connected(tracking) as mlflow:
        client = mlflow.MlflowClient()
        run = client.create_run(experiment_of(mlflow, tracking), tags={"because": ERROR})
        client.log_param(run.info.run_id, "where", ERROR)
        client.create_registered_model(name, tags={"note": ERROR})
        client.create_model_version(name, "runs:/x", description=f"# {ERROR}", tags={"why": ERROR})

    count, left = scrubbing.scrub_server(tracking, WORDS.taken_out)

    assert count == 4
    (told,) = left
    assert told.startswith(f"MLflow's run {run.info.run_id} names somebody in where, which only")
    with connected(tracking) as mlflow:
        client = mlflow.MlflowClient()
        version = client.get_model_version(name, "1")
        texts: dict[str, Any] = {
            "tag": client.get_run(run.info.run_id).data.tags["because"],
            "of model": client.get_registered_model(name).tags["note"],
            "of version": version.tags["why"],
            "description": version.description.removeprefix("# "),
        }
    assert set(texts.values()) == {ERROR.replace(MAIL, INSTEAD)}


def test_what_dagster_keeps_elsewhere_is_left_to_a_person(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home")
    settings.dagster_home.mkdir(parents=True)
    file = settings.dagster_home / "dagster.yaml"

    def left(text: str) -> tuple[str, ...]:
        file.write_text(text)
        return forget_quotations(settings, WORDS).left

    logs = "compute_logs: {module: dagster.core, class: LocalComputeLogManager, config: {base_dir: "
    assert left("storage:\n  mysql: {mysql_url: 'mysql://a/b'}\n") == (
        "Dagster's storage, kept by mysql: texts there may name them",
    )
    assert left("storage: {custom: {module: own, class: OurStorage}}") == (
        "Dagster's storage, kept by OurStorage: texts there may name them",
    )
    assert left(f"{logs}{tmp_path / 'logs'}}}}}") == (
        f"Dagster's compute_logs in {tmp_path / 'logs'}: texts there may name them",
    )
    within = f"storage: {{sqlite: {{base_dir: {settings.dagster_home / 'storage'}}}}}"
    assert left(f"{logs}{settings.dagster_home / 'logs'}}}}}\n{within}") == ()
    assert left("compute_logs: {module: m, class: NoOpComputeLogManager}") == ()


def test_dagster_as_it_is_set_up_keeps_nothing_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(tmp_path)
    folder = prepare_dagster_home(settings)
    assert (folder / "dagster.yaml").exists()
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    assert other_stores(settings) == []


def test_what_processes_of_other_machines_put_aside_goes_or_is_named(tmp_path: Path) -> None:
    """A container has another name each time, and its machine is not there any more."""
    settings = load_settings(tmp_path / "home")
    shared = load_settings(tmp_path / "home", temp_dir=tmp_path / "tmp")
    for each in (settings, shared):
        spilled = each.scratch_dir / "7~1700000000~former-container" / "spill"
        spilled.mkdir(parents=True)
        (spilled / "rows").write_text(MAIL)
        (spilled.parent / "row").write_text(MAIL)
    assert forget_temporary_files(settings) == []
    assert not [file for file in settings.scratch_dir.rglob("*") if file.is_file()]
    # Where it may be another deployment's it stays.
    folder = shared.scratch_dir / "7~1700000000~former-container"
    assert forget_temporary_files(shared) == [
        f"temporary files in {folder}: a process of another machine left them; delete them when it "
        "has ended"
    ]
    assert (folder / "row").exists()


def test_a_backup_says_what_it_does_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    settings = load_settings(home)
    prepare_dagster_home(settings)
    assert outside_of_home(settings) == []
    (settings.dagster_home / "dagster.yaml").write_text(instance_settings(postgres=True))
    monkeypatch.setenv("CUSTOMER360_MLFLOW_TRACKING_URI", "http://mlflow:5000")
    said = customer360(capsys, monkeypatch, "backup", tmp_path / "copy", "--home", home)
    assert said.code == 0, said.err
    lies = "is not in it: it lies outside of the home, and needs backups of its own"
    assert f"Dagster's database {lies}" in said.out
    assert f"MLflow's database with its files {lies}" in said.out
