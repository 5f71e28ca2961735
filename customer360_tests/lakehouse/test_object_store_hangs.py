"""A store that stops to answer in the middle of a run costs time, and nothing else."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from customer360.lakehouse.reading import Tables
from customer360.settings import load_settings
from customer360.sources.synthetic import DefectRates, generate
from customer360_tests.deployments import BIN, PROJECT, content, share_raw, state_home
from customer360_tests.object_store import ObjectStore

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 20)
CUSTOMERS = 60
ENOUGH_REQUESTS = 300
"""By then bronze is being written; a whole load asks some thousand times."""

HANGS_SECONDS = 25

pytestmark = [pytest.mark.whole, pytest.mark.integration, pytest.mark.timeout(2_400)]


def home_at(folder: Path, raw: Path, **choices: str) -> Path:
    state_home(folder, first=FIRST, last=LAST, **choices)
    share_raw(folder, raw)
    return folder


@contextmanager
def loading(home: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [str(BIN / "customer360"), "run", "--steps", "etl", "--home", str(home)],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_requests(store: ObjectStore, process: subprocess.Popen[str]) -> None:
    before = store.requests()
    while store.requests() < before + ENOUGH_REQUESTS:
        assert process.poll() is None, "it ended before it had asked so often"
        time.sleep(0.2)


def ended_well(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate()
    assert process.returncode == 0, said[-2000:]


def contents(home: Path) -> dict[str, list[str]]:
    tables = Tables(load_settings(home).lakehouse_root)
    return {table: content(tables, table) for table in tables.tables()}


def test_a_run_waits_for_it_and_one_that_was_killed_meanwhile_is_made_good(
    s3a: None, store: ObjectStore, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    generate(raw, customers=CUSTOMERS, start=FIRST, end=LAST, seed=5, defects=DefectRates())
    with loading(home_at(tmp_path / "folder", raw)) as process:
        ended_well(process)
    undisturbed = contents(tmp_path / "folder")
    assert undisturbed["silver/transactions"]

    waited = home_at(tmp_path / "waited", raw, lakehouse_uri=store.uri("hangs/waited"))
    with loading(waited) as process:
        wait_for_requests(store, process)
        with store.hanging():
            time.sleep(HANGS_SECONDS)
            assert process.poll() is None
        ended_well(process)
    assert contents(waited) == undisturbed

    killed = home_at(tmp_path / "killed", raw, lakehouse_uri=store.uri("hangs/killed"))
    with loading(killed) as process:
        wait_for_requests(store, process)
        with store.hanging():
            process.kill()
            process.wait()
    with loading(killed) as process:
        ended_well(process)
    assert contents(killed) == undisturbed
