"""Temporary files lie in the home, closed to others, and those of dead processes go."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from customer360.scratch import machines_own, remove_leftovers, temporary_files_in
from customer360_tests.deployments import PROJECT

TAKES_AND_WAITS = """
import sys, tempfile
from pathlib import Path
from customer360.scratch import temporary_files_in
with temporary_files_in(Path(sys.argv[1])):
    (Path(tempfile.mkdtemp()) / "rows").write_text("Maria")
    print(tempfile.gettempdir(), flush=True)
    sys.stdin.read()
"""


def test_they_are_in_a_folder_of_the_process_within(tmp_path: Path) -> None:
    before = tempfile.gettempdir()
    with temporary_files_in(tmp_path / "home" / "tmp"):
        own = Path(tempfile.gettempdir())
        assert own.parent == tmp_path / "home" / "tmp"
        assert stat.S_IMODE(own.stat().st_mode) == stat.S_IMODE(own.parent.stat().st_mode) == 0o700
        with machines_own():
            assert tempfile.gettempdir() == before
        with temporary_files_in(tmp_path / "home" / "tmp"):
            assert tempfile.gettempdir() == str(own)
        assert tempfile.gettempdir() == str(own)
    assert tempfile.gettempdir() == before
    assert own.is_dir(), "Java may still use it"


def test_a_folder_that_cannot_be_made_changes_nothing(tmp_path: Path) -> None:
    before = tempfile.gettempdir()
    (tmp_path / "tmp").touch()
    with temporary_files_in(tmp_path / "tmp"):
        assert tempfile.gettempdir() == before


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", TAKES_AND_WAITS, str(tmp_path)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    assert left.parent == tmp_path
    assert remove_leftovers(tmp_path) == 0
    process.kill()
    process.communicate()
    assert left.is_dir()
    other_machine = tmp_path / f"{process.pid}~1700000000~another-host"
    other_machine.mkdir()
    of_somebody = tmp_path / "kept"
    of_somebody.mkdir()
    # Of a number that another process has by now.
    reused = tmp_path / f"{os.getpid()}~1000000000~{socket.gethostname()}"
    reused.mkdir()
    assert remove_leftovers(tmp_path) == 2
    assert sorted(tmp_path.iterdir()) == sorted([other_machine, of_somebody])


def test_it_goes_with_a_process_that_ends(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", TAKES_AND_WAITS, str(tmp_path)],
        cwd=PROJECT,
        check=True,
        input="",
        text=True,
        capture_output=True,
    )
    assert not list(tmp_path.iterdir())
