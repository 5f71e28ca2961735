"""The scripts that run before any package exists, on machines that lack something."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("sh", "awk", "sed", "df", "env", "dirname", "mktemp", "cat", "rm", "tee", "grep", "head")

UV_VERSION = 'if [ "$1" = --version ]; then echo "uv 0.13.0"; exit; fi'
JAVA_17 = 'openjdk version "17.0.15" 2025-04-15'


class Machine:
    """A clone on a PATH that holds only what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "clone"
        self.bin = folder / "bin"
        self.bin.mkdir()
        shutil.copytree(ROOT / "scripts", self.clone / "scripts")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)

    def program(self, name: str, shell: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{shell}\n")
        path.chmod(0o755)

    def python(self, version: str) -> None:
        """A python3 that knows its version and its name and nothing else."""
        self.program(
            "python3",
            f'case "$2" in *version_info*) echo {version};; *executable*) echo "$0";; esac',
        )

    def java(self, said: str) -> None:
        self.program("java", f"echo '{said}' >&2")

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.clone,
            env={"PATH": str(self.bin), "HOME": str(self.clone), **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def complaints(self, **environ: str) -> list[str]:
        """What preflight says of this machine, a line for each thing that is missing."""
        done = self.run("scripts/preflight.sh", **environ)
        lines = done.stderr.splitlines()
        assert done.returncode == (1 if lines else 0)
        assert done.stdout == ""
        return lines


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.python("3.11.7")
    made.java(JAVA_17)
    return made


def test_a_good_machine_hears_nothing(machine: Machine) -> None:
    assert machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="1") == []


@pytest.mark.parametrize("version", ["3.8.18", "2.7.18", "3.10.13"])
def test_an_old_python_is_named(machine: Machine, version: str) -> None:
    machine.python(version)
    (line,) = machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="1")
    assert line.startswith(f"Python 3.11 or newer is needed, found {version}: install it")


def test_a_newer_python_beside_an_old_one_is_found(machine: Machine) -> None:
    machine.python("3.9.2")
    (machine.bin / "python3").rename(machine.bin / "old")
    machine.python("3.12.1")
    (machine.bin / "python3").rename(machine.bin / "python3.12")
    (machine.bin / "old").rename(machine.bin / "python3")
    assert machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="1") == []
    assert machine.run("scripts/preflight.sh", "python").stdout.strip().endswith("/python3.12")


def test_a_shim_that_answers_nothing_is_no_python(machine: Machine) -> None:
    machine.program("python3", "echo 'pyenv: python3: command not found' >&2; exit 127")
    (line,) = machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="1")
    assert line.startswith("Python 3.11 or newer is needed, found none on PATH")


def test_python_without_venv_is_told_which_package_brings_it(machine: Machine) -> None:
    machine.program(
        "python3",
        'case "$2" in *version_info*) echo 3.11.2;; *executable*) echo "$0";; *) exit 1;; esac',
    )
    (line,) = machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="1")
    assert "apt-get install python3-venv" in line


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('openjdk version "11.0.2" 2019-01-15', "found 11.0.2 by PATH"),
        ('java version "1.8.0_402"', "found 8.0_402 by PATH"),
        ("something else", "found an unknown version by PATH"),
    ],
)
def test_an_old_java_is_named(machine: Machine, said: str, found: str) -> None:
    machine.java(said)
    (line,) = machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="1")
    assert line.startswith(f"Java 17 or newer is needed, {found}: install")


def test_no_java(machine: Machine) -> None:
    (machine.bin / "java").unlink()
    (line,) = machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="1")
    assert "found none by PATH" in line
    assert "JAVA_HOME" in line


def test_java_home_wins_over_path(machine: Machine) -> None:
    (line,) = machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="1", JAVA_HOME="/nowhere")
    assert "found none by JAVA_HOME=/nowhere" in line


def test_no_disk(machine: Machine) -> None:
    (line,) = machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="999999999")
    assert line.startswith("999999999 MB of free disk are needed in ")
    (machine.clone / ".venv").mkdir()
    (machine.clone / ".venv" / ".synced").touch()
    assert (
        machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="999999999", CUSTOMER360_LATER_MB="1") == []
    )


def test_everything_that_is_missing_is_said_at_once(machine: Machine) -> None:
    (machine.bin / "java").unlink()
    (machine.bin / "python3").unlink()
    lines = machine.complaints(CUSTOMER360_FIRST_INSTALL_MB="999999999")
    assert [line.split()[0] for line in lines] == ["Python", "Java", "999999999"]


def test_uv_on_path_is_used_when_it_is_new_enough(machine: Machine) -> None:
    machine.program("uv", 'if [ "$1" = --version ]; then echo "uv 0.13.0"; else echo "uv $*"; fi')
    assert machine.run("scripts/uv", "sync", "--frozen").stdout == "uv sync --frozen\n"
    assert not (machine.clone / ".uv").exists()


def test_an_old_uv_is_passed_over_and_ours_is_kept(machine: Machine) -> None:
    machine.program("uv", 'echo "uv 0.4.30"')
    ours = machine.clone / ".uv" / "bin" / "uv"
    ours.parent.mkdir(parents=True)
    ours.write_text('#!/bin/sh\necho "ours $*"\n')
    ours.chmod(0o755)
    pinned = next(
        line.split("=")[1]
        for line in (ROOT / "scripts/uv").read_text().splitlines()
        if line.startswith("PINNED=")
    )
    (machine.clone / ".uv" / "version").write_text(pinned + "\n")
    assert machine.run("scripts/uv", "lock").stdout == "ours lock\n"


def test_offline_at_the_first_run_is_one_line(machine: Machine) -> None:
    machine.program(
        "python3",
        """case "$*" in
*version_info*) echo 3.11.2;;
*executable*) echo "$0";;
"-m venv .uv") mkdir -p .uv/bin; cp "$0" .uv/bin/python;;
*"pip install"*) echo "NewConnectionError: name resolution" >&2; exit 1;;
esac""",
    )
    for tool in ("mkdir", "cp"):
        found = shutil.which(tool)
        assert found
        (machine.bin / tool).symlink_to(found)
    done = machine.run("scripts/install.sh")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "connect this machine to a network and run make setup again" in line
    assert not (machine.clone / ".uv").exists(), "half an installation must not be taken for one"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("  cause: dns error", "connect this machine to a network"),
        ("error: No space left on device (os error 28)", "the disk is full"),
        ("error: hash mismatch for `numpy`", "for the reason above"),
    ],
)
def test_why_the_packages_could_not_be_installed(
    machine: Machine, said: str, expected: str
) -> None:
    machine.program("uv", f"{UV_VERSION}; echo '{said}' >&2; exit 2")
    done = machine.run("scripts/install.sh")
    assert done.returncode == 2
    assert expected in done.stderr.splitlines()[-1]


def test_progress_is_shown_without_the_list_of_packages(machine: Machine) -> None:
    machine.program(
        "uv",
        f"{UV_VERSION}; echo 'Downloading pyspark (414.0MiB)' >&2; echo ' + pyspark==4.1.4' >&2",
    )
    done = machine.run("scripts/install.sh")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == ["Downloading pyspark (414.0MiB)"]


SHELL_SCRIPTS = sorted(p.name for p in (ROOT / "scripts").iterdir() if p.suffix != ".py")


@pytest.mark.parametrize("script", SHELL_SCRIPTS)
def test_scripts_are_plain_sh_and_can_be_run(script: str) -> None:
    path = ROOT / "scripts" / script
    assert path.read_text().startswith("#!/bin/sh\n")
    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", str(path)], check=True)
