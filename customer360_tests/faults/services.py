"""MLflow and PostgreSQL are slow, locked, broken or gone."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
from psycopg import sql

from customer360.serving.warehouse import open_warehouse
from customer360_tests.faults.company import PUBLISHING, SCORING, TRAINING, Company
from customer360_tests.faults.faults import WENT_ON, Fault, Night, ended
from customer360_tests.faults.kills import after_lines

_A_MOMENT = 5.0
_NOBODY_LISTENS = "http://127.0.0.1:1"


def mlflow(_: Company) -> Iterator[Fault]:
    """Its database or server."""
    for step in (TRAINING, SCORING):
        yield Fault("MLflow slow", step, f"locked for {_A_MOMENT:.0f} s", _locked_for_a_moment)
        yield Fault("MLflow locked", step, "until the run ends", _locked)
        yield Fault("MLflow gone", step, "no server answers", _no_server)
        yield Fault("MLflow broken", step, "its database is no database", _no_database)


def postgres(_: Company) -> Iterator[Fault]:
    """The server of the warehouse."""
    for share in (0.1, 0.35, 0.6, 0.85):
        yield Fault("PostgreSQL gone", PUBLISHING, f"SIGKILL after {share:.0%}", _Struck(share))
    for share in (0.2, 0.7):
        yield Fault("PostgreSQL slow", PUBLISHING, f"stands still after {share:.0%}", _Held(share))
    for share in (0.5, 0.8):
        yield Fault(
            "PostgreSQL locked", PUBLISHING, f"tables locked after {share:.0%}", _Taken(share)
        )


@contextmanager
def _exclusively(night: Night) -> Iterator[None]:
    file = night.settings.mlflow_dir / "mlflow.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


def _locked(night: Night) -> str:
    with _exclusively(night):
        return night.process()


def _locked_for_a_moment(night: Night) -> str:
    ready = threading.Event()

    def hold() -> None:
        with _exclusively(night):
            ready.set()
            time.sleep(_A_MOMENT)

    holder = threading.Thread(target=hold)
    holder.start()
    ready.wait()
    how = night.run()
    holder.join()
    return how


def _no_server(night: Night) -> str:
    return night.process(
        CUSTOMER360_MLFLOW_TRACKING_URI=_NOBODY_LISTENS,
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="1",  # of 7, which would take minutes
    )


def _no_database(night: Night) -> str:
    file = night.settings.mlflow_dir / "mlflow.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = file.read_bytes() if file.exists() else None
    file.write_bytes(b"\x00" * 4096)
    try:
        how = night.process()
    finally:
        file.unlink()
        if whole is not None:
            file.write_bytes(whole)
    assert how != WENT_ON
    return how


class _Struck:
    """SIGKILL of the server."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, night: Night) -> str:
        process = night.start()
        after_lines(night.step, process, self.share)
        os.kill(_server(night), signal.SIGKILL)
        return ended(process)


class _Held:
    """The server stands still, and goes on."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, night: Night) -> str:
        process = night.start()
        after_lines(night.step, process, self.share)
        server = psutil.Process(_server(night))
        those = [server, *server.children(recursive=True)]
        for one in those:
            one.suspend()
        time.sleep(_A_MOMENT)
        for one in those:
            one.resume()
        how = ended(process)
        assert how == WENT_ON, how
        night.assert_equal()
        return how


class _Taken:
    """All published tables are locked by somebody for a while."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, night: Night) -> str:
        process = night.start()
        after_lines(night.step, process, self.share)
        with open_warehouse(night.settings).owner.connect() as owner:
            tables = owner.execute(
                "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('gold', 'marts')"
            ).fetchall()
            for schema, table in tables:
                owner.execute(
                    sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
                        sql.Identifier(schema, table)
                    )
                )
            time.sleep(_A_MOMENT)
            owner.rollback()
        how = ended(process)
        assert how == WENT_ON, how
        night.assert_equal()
        return how


def _server(night: Night) -> int:
    file = night.settings.warehouse_dir / "postmaster.pid"
    for _ in range(600):
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start")
