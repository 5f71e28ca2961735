"""What a connection knows of where it came to, for those who follow it from another machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from customer360.libpq import parameters_as_reached
from customer360.serving.warehouse import Login
from customer360.sources.postgres.copying import connect
from customer360_tests.asking_server import AskingServer, asking_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[AskingServer]:
    """A server, in an environment that says nothing of any."""
    for name in ("PGPASSWORD", "PGUSER", "PGHOST", "PGPORT", "PGDATABASE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    with asking_server() as started:
        yield started


def in_a_variable(server: AskingServer, tmp_path: Path) -> tuple[str, dict[str, str]]:
    return f"postgresql://ann@127.0.0.1:{server.port}/shop", {"PGPASSWORD": "hush-hush"}


def in_a_password_file(server: AskingServer, tmp_path: Path) -> tuple[str, dict[str, str]]:
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{server.port}:shop:ann:hush-hush\n")
    file.chmod(0o600)
    return f"postgresql://ann@127.0.0.1:{server.port}/shop", {"PGPASSFILE": str(file)}


def all_in_variables(server: AskingServer, tmp_path: Path) -> tuple[str, dict[str, str]]:
    variables = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "ann"}
    return "postgresql:///shop", variables | {"PGPASSWORD": "hush-hush"}


def in_a_service_file(server: AskingServer, tmp_path: Path) -> tuple[str, dict[str, str]]:
    file = tmp_path / "services"
    file.write_text(
        f"[ours]\nhost=127.0.0.1\nport={server.port}\nuser=ann\ndbname=shop\npassword=hush-hush\n"
    )
    return "postgresql:///?service=ours", {"PGSERVICEFILE": str(file)}


@pytest.mark.parametrize(
    "given", [in_a_variable, in_a_password_file, all_in_variables, in_a_service_file]
)
def test_what_one_machine_finds_leads_others_there(
    given: Callable[[AskingServer, Path], tuple[str, dict[str, str]]],
    server: AskingServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, variables = given(server, tmp_path)
    with monkeypatch.context() as here:
        for name, value in variables.items():
            here.setenv(name, value)
        login = Login.of_url(url, "warehouse_url").resolved()
        with psycopg.connect(url) as connection:
            found = parameters_as_reached(connection)
    login.connect().close()
    connect(found).close()
    assert server.came == [("ann", "shop", "hush-hush")] * 4
    assert "hush-hush" not in repr(login)


def test_what_else_is_stated_goes_along(
    server: AskingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "allow")
    login = Login.of_url(
        f"postgresql://ann:hush-hush@localhost:{server.port}/shop?hostaddr=127.0.0.1", "here"
    ).resolved()
    stated = {
        "host": "localhost",
        "hostaddr": "127.0.0.1",
        "port": str(server.port),
        "user": "ann",
        "dbname": "shop",
        "password": "hush-hush",
        "sslmode": "allow",
    }
    assert stated.items() <= login.parameters.items()
    assert login.environment()["PGHOSTADDR"] == "127.0.0.1"
