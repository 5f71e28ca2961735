"""The command that makes Dagster's folder before Dagster's own commands start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from customer360.orchestration.instance import POSTGRES_VARIABLE
from customer360.settings import HOME_VARIABLE


def ran(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != POSTGRES_VARIABLE}
    return subprocess.run(
        [sys.executable, "-m", "customer360.orchestration.instance"],
        env=environment | {HOME_VARIABLE: str(home)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {POSTGRES_VARIABLE: "postgresql://ann:hush-hush@db/dagster"},
            "error: DAGSTER_POSTGRES_URL names no driver that dagster-postgres works with: write "
            "it as postgresql+psycopg2://user:password@host/database",
        ),
        (
            {"CUSTOMER360_TIME_ZONE": "Mars/Base"},
            "error: setting time_zone ('Mars/Base'): 'Mars/Base' is not an IANA time zone",
        ),
    ],
)
def test_what_a_user_mistook_is_one_line_and_an_exit_code(
    tmp_path: Path, variables: dict[str, str], says: str
) -> None:
    done = ran(tmp_path / "home", **variables)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(says)


def test_it_makes_the_folder_and_leaves_one_that_is_there(tmp_path: Path) -> None:
    settings = tmp_path / "home" / "dagster" / "dagster.yaml"
    assert ran(tmp_path / "home").returncode == 0
    assert "run_monitoring:" in settings.read_text()
    settings.write_text("# ours\n")
    assert ran(tmp_path / "home").returncode == 0
    assert settings.read_text() == "# ours\n"
