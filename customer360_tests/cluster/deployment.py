"""One small deployment, run on several engines, in a home each, and compared by content."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from customer360.sources.synthetic import DefectRates, generate
from customer360_tests.deployments import PROJECT, share_raw, state_home

FIRST, LAST = date(2024, 1, 1), date(2024, 3, 30)
CUSTOMERS = 600
_SECONDS = 3_600


def raw_data(folder: Path) -> Path:
    """The raw data of all homes."""
    generate(
        folder,
        customers=CUSTOMERS,
        start=FIRST,
        end=LAST,
        seed=11,
        defects=DefectRates().scaled(8),
    )
    return folder


def make_home(folder: Path, raw: Path, **choices: str) -> Path:
    """A home over ``raw``, not run yet."""
    state_home(folder, first=FIRST, last=LAST, **choices)
    share_raw(folder, raw)
    return folder


def environment(master: str, conf: Mapping[str, str]) -> dict[str, str]:
    """Of a process of ours whose Spark is ``master``, with ``conf`` beside that of the tests."""
    of_tests = json.loads(os.environ["CUSTOMER360_SPARK_CONF"])
    return os.environ | {
        "CUSTOMER360_SPARK_MASTER": master,
        "CUSTOMER360_SPARK_CONF": json.dumps(of_tests | dict(conf)),
        "CUSTOMER360_SPARK_DRIVER_MEMORY": "2g",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
    }


def run(
    home: Path,
    *arguments: str,
    master: str = "local[2]",
    conf: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> str:
    """``customer360 run`` on a master, as a process of its own; what it printed.

    Args:
        home: Its home.
        arguments: Of the command.
        master: The setting ``spark_master``.
        conf: Of ``spark_conf``, beside that of the tests.
        on_line: Told of every line, when it is printed.
    """
    said = []
    with subprocess.Popen(
        [sys.executable, "-m", "customer360.cli", "run", "--home", str(home), *arguments],
        cwd=PROJECT,
        env=environment(master, conf or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            on_line(line)
    text = "".join(said)
    assert process.returncode == 0, text
    return text


def assert_same(theirs: Path, ours: Path) -> None:
    """Every Delta table and every mart of two homes holds the same rows."""
    compared = subprocess.run(
        [sys.executable, "scripts/compare_homes.py", str(theirs), str(ours)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    print(compared.stdout)
    differing = [line for line in compared.stdout.splitlines() if not line.endswith("equal")]
    assert compared.returncode == 0, "\n".join([*differing, compared.stderr])
