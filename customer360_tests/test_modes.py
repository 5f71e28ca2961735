"""A home is its owner's alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from customer360 import doctor
from customer360.home_lock import writing
from customer360.modes import open_to_others, shared_mode
from customer360_tests.deployments import PROJECT

AS_A_COMMAND = """
import sys
from pathlib import Path
from customer360.modes import only_for_owner, shared_mode
only_for_owner()
only_for_owner()
Path(sys.argv[1], "folder").mkdir()
Path(sys.argv[1], "file").touch()
print(oct(shared_mode()))
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_whoever_writes_a_home_closes_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "raw").mkdir(parents=True)
    (home / "customer360.yaml").touch()
    home.chmod(0o755)
    (home / "raw").chmod(0o775)
    (home / "customer360.yaml").chmod(0o644)
    (home / "link").symlink_to(tmp_path)
    assert doctor.check_home(home).status == "warn"
    before = mode(tmp_path)
    with writing(home, "a test"):
        assert mode(home) == 0o700
    assert mode(home / "raw") == 0o700
    assert mode(home / "customer360.yaml") == 0o600
    assert mode(tmp_path) == before
    assert not open_to_others(home)
    assert doctor.check_home(home).status == "ok"


def test_what_a_command_makes_is_its_owners(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", AS_A_COMMAND, str(tmp_path)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
        umask=0o022,
    ).stdout
    assert mode(tmp_path / "folder") == 0o700
    assert mode(tmp_path / "file") == 0o600
    assert said.strip() == "0o644", "what is written for others is as it was before"


def test_asking_for_the_shared_mode_changes_nothing() -> None:
    before = os.umask(0o022)
    try:
        shared_mode()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another")
def test_run_as_root_postgresql_can_pass_through(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "warehouse").mkdir(parents=True)
    os.chown(home / "warehouse", 12345, 12345)
    home.chmod(0o755)
    assert open_to_others(home)
    with writing(home, "a test"):
        assert mode(home) == 0o711
    assert not open_to_others(home)
