"""What is built, stated and promised outside the Python code: wheel, versions, commands, CI."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import customer360

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "customer360"
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):(?!=)", MAKEFILE, re.MULTILINE))
INTERNAL = {"preflight"}
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")),
]


def _run(*command: str, cwd: Path = ROOT, **environ: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout


# The wheel -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run("scripts/uv", "build", "--wheel", "--quiet", "--out-dir", str(folder))
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.integration
def test_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    there = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == there


@pytest.mark.integration
def test_wheel_holds_what_is_not_python(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    assert "customer360/py.typed" in inside
    for layer in ("bronze", "silver", "gold"):
        assert any(re.match(rf"customer360/contracts/{layer}/.+\.odcs\.yaml$", n) for n in inside)
    for storage in ("dagster", "dagster_sqlite", "dagster_postgres"):
        assert f"customer360/orchestration/{storage}.yaml" in inside
    assert any(re.match(r"customer360/sources/.*mappings?/.+\.yaml$", name) for name in inside)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in inside)


@pytest.mark.integration
def test_wheel_works_where_there_is_no_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import customer360; from customer360.contracts import Contract; "
        "print(customer360.__file__, Contract.load('silver/transactions').table)"
    )
    said = _run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert said.split() == [
        str(tmp_path / "site" / "customer360" / "__init__.py"),
        "silver/transactions",
    ]


def test_command_is_installed_and_explains_itself() -> None:
    (entry,) = metadata.entry_points(group="console_scripts", name="customer360")
    assert callable(entry.load())
    said = _run(str(Path(sys.executable).with_name("customer360")), "--help", COLUMNS="200")
    for command in ("run", "generate", "tables", "show", "doctor", "dev"):
        assert re.search(rf"\b{command}\b", said), command


def _modules() -> list[str]:
    return [
        module.name
        for module in pkgutil.walk_packages([str(PACKAGE)], "customer360.")
        if not module.name.endswith("__main__")
    ]


def _imported(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_examples_in_docstrings_are_true() -> None:
    results = {name: doctest.testmod(_imported(name)) for name in _modules()}
    assert {name for name, result in results.items() if result.failed} == set()
    assert sum(result.attempted for result in results.values()) > 0


# Versions ------------------------------------------------------------------------------------


def _pyproject(folder: Path = ROOT) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def _stated_versions(folder: Path) -> dict[str, str]:
    """The version in every place that states it."""
    lock = tomllib.loads((folder / "uv.lock").read_text())
    init = (folder / "customer360" / "__init__.py").read_text()
    stated = re.search(r'^__version__ = "(.+)"$', init, re.MULTILINE)
    assert stated
    return {
        "pyproject.toml": _pyproject(folder)["project"]["version"],
        "bumpversion": _pyproject(folder)["tool"]["bumpversion"]["current_version"],
        "__init__": stated[1],
        "uv.lock": next(p["version"] for p in lock["package"] if p["name"] == "customer360"),
    }


def test_one_version_everywhere() -> None:
    assert set(_stated_versions(ROOT).values()) == {customer360.__version__}


@pytest.mark.integration
def test_bumping_moves_every_version_and_closes_the_changelog(tmp_path: Path) -> None:
    for stated in _pyproject()["tool"]["bumpversion"]["files"]:
        file = tmp_path / stated["filename"]
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / stated["filename"], file)
    bump = str(Path(sys.executable).with_name("bump-my-version"))
    _run(bump, "bump", "minor", "--no-commit", "--no-tag", "--allow-dirty", cwd=tmp_path)
    major, minor, _ = customer360.__version__.split(".")
    expected = f"{major}.{int(minor) + 1}.0"
    assert set(_stated_versions(tmp_path).values()) == {expected}
    for file in [*(tmp_path / "deploy").rglob("*.yaml"), *(tmp_path / "docs").iterdir()]:
        assert customer360.__version__ not in re.findall(r"\d+\.\d+\.\d+", file.read_text()), file
    sections = re.findall(r"^## \[(.+?)\]", (tmp_path / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[:2] == ["Unreleased", expected]
    # Nothing but versions changed: a dependency of the same number must not be bumped along.
    before, after = (
        tomllib.loads((folder / "uv.lock").read_text())["package"] for folder in (ROOT, tmp_path)
    )
    changed = [package["name"] for package in before if package not in after]
    assert changed == ["customer360"]


def test_python_versions_agree() -> None:
    project = _pyproject()["project"]
    stated = {
        found[1]
        for line in project["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
    }
    tested = set(_workflow("nightly")["jobs"]["test-all"]["strategy"]["matrix"]["python"])
    assert tested <= stated
    assert "3.11" in tested
    assert _pyproject()["tool"]["mypy"]["python_version"] == "3.11"
    assert project["requires-python"].startswith(">=3.11")


# Commands ------------------------------------------------------------------------------------


def test_every_target_has_a_line_of_help() -> None:
    listed = set(re.findall(r"^  make (\S+)", _run("make", "help"), re.MULTILINE))
    assert listed == TARGETS - INTERNAL


def test_make_alone_lists_the_commands() -> None:
    assert _run("make") == _run("make", "help")


def test_every_target_is_phony() -> None:
    assert set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE)) == TARGETS


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_only_targets_that_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    named = {name for block in code for name in _targets_in(block)}
    assert named <= TARGETS


@pytest.mark.parametrize("document", [*DOCUMENTS, "data/README.md", "CHANGELOG.md"])
def test_documents_link_to_files_that_exist(document: str) -> None:
    page = ROOT / document
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def _targets_in(shell: str) -> set[str]:
    return set(re.findall(r"(?:^|[\n`;&|]\s*)make ([a-z][a-z-]*)", shell))


# Continuous integration ----------------------------------------------------------------------


def _workflow(name: str) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())
    return loaded


def _steps(name: str) -> list[dict[str, Any]]:
    return [step for job in _workflow(name)["jobs"].values() for step in job["steps"]]


def _targets_of(name: str) -> set[str]:
    return {target for step in _steps(name) for target in _targets_in(step.get("run", ""))}


def test_workflow_runs_on_every_push_and_pull_request() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert set(_workflow("ci")[True]) == {"push", "pull_request"}


def test_every_test_runs_each_night_and_for_a_release() -> None:
    runs_on = _workflow("nightly")[True]
    assert set(runs_on) == {"schedule", "push", "workflow_dispatch"}
    assert runs_on["push"] == {"tags": ["v*"]}
    assert "test-all" in _targets_of("nightly")
    # Apart, as GitHub ends a job after six hours; together they are all.
    job = _workflow("nightly")["jobs"]["test-all"]
    assert job["strategy"]["matrix"]["tests"] == ["not slow", "slow"]
    (command,) = [step["run"] for step in job["steps"] if "make test-all" in step.get("run", "")]
    assert command == "make test-all ARGS='-m \"${{ matrix.tests }}\"'"


def test_no_job_is_ended_before_its_tests_can_be_through() -> None:
    """`make test` is said to take an hour, and GitHub itself ends what takes more than six."""
    help_of = dict(re.findall(r"^  make (\S+) +(.+)$", _run("make", "help"), re.MULTILINE))
    assert "an hour" in help_of["test"]
    assert "(hours)" in help_of["test-all"]
    assert _workflow("ci")["jobs"]["test"]["timeout-minutes"] >= 90
    assert _workflow("nightly")["jobs"]["test-all"]["timeout-minutes"] == 360


def test_workflows_run_the_same_targets() -> None:
    assert {"setup", "lint", "test", "validate", "demo"} <= _targets_of("ci") <= TARGETS
    assert _targets_of("nightly") <= TARGETS
    assert {"audit", "sbom"} <= _targets_of("release") <= TARGETS


def test_workflow_materialises_a_partition_range_with_dagster() -> None:
    shell = " ".join(step.get("run", "") for step in _steps("ci"))
    assert re.search(
        r"dagster asset materialize .*--partition-range \S+\.\.\.\S+", shell, re.DOTALL
    )


def test_ci_script_calls_lint_and_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert _targets_in(script.read_text()) == {"lint", "test"}
    _run("bash", "-n", str(script))


def test_pre_commit_hooks_are_local_and_their_programs_exist() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert os.access(ROOT / hook["entry"].split()[0], os.X_OK)
