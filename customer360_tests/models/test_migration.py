"""MLflow's tables of an older release become those of the installed one."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from customer360.models.tracking.connection import TrackingError, import_mlflow
from customer360.models.tracking.migration import DATABASE_VARIABLE, migrate


def of_the_release_before(file: Path) -> str:
    """A database as it was before MLflow's newest change of its tables; gives its address."""
    import_mlflow()
    from alembic import command
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils
    from mlflow.store.tracking.dbmodels.initial_models import Base

    uri = f"sqlite:///{file}"
    engine = utils.create_sqlalchemy_engine_with_retry(uri)
    Base.metadata.create_all(engine)
    config = utils._get_alembic_config(uri)
    newest = ScriptDirectory.from_config(config).get_revision(utils._get_latest_schema_revision())
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, str(newest.down_revision))
    engine.dispose()
    return uri


def is_current(uri: str) -> bool:
    from mlflow.store.db import utils

    engine = utils.create_sqlalchemy_engine_with_retry(uri)
    try:
        return utils._get_schema_version(engine) == utils._get_latest_schema_revision()
    finally:
        engine.dispose()


def test_tables_of_an_older_release_are_brought_up_to_date_and_stay(tmp_path: Path) -> None:
    uri = of_the_release_before(tmp_path / "mlflow.db")
    assert not is_current(uri)
    assert migrate(uri)
    assert is_current(uri)
    assert migrate(uri)
    assert is_current(uri)


def test_a_server_and_a_file_that_is_not_there_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    assert not migrate(f"sqlite:///{file}")
    assert not migrate("http://mlflow:5000")
    assert not file.exists()


def test_what_cannot_be_changed_is_said_without_a_trace(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.write_bytes(b"no database" * 100)
    with pytest.raises(TrackingError, match=r"mlflow\.db cannot be brought up to date: .*not a da"):
        migrate(f"sqlite:///{file}")


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_the_command_takes_the_address_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mlflow.db"
    file.write_bytes(b"no database" * 100)
    monkeypatch.setenv(DATABASE_VARIABLE, f"sqlite:///{file}")
    with pytest.raises(SystemExit, match=r"^error: MLflow's tables at sqlite:///"):
        runpy.run_module("customer360.models.tracking.migration", run_name="__main__")
