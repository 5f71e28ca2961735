"""What comes from elsewhere is bound to what it was when somebody looked at it."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from pathlib import Path

import pytest

from customer360_tests.deployments import PROJECT

LOCK = PROJECT / "uv.lock"


def audit():
    """The module of `make audit`."""
    spec = importlib.util.spec_from_file_location("audit", PROJECT / "scripts" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_package_of_the_lock_has_its_checksums() -> None:
    assert audit().unbound(LOCK) == []


def test_a_package_that_the_lock_does_not_bind_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text(
        '[[package]]\nname = "own"\nsource = { editable = "." }\n'
        '[[package]]\nname = "fork"\nsource = { git = "https://example.com/fork" }\n'
        'wheels = [{ hash = "sha256:00" }]\n'
        '[[package]]\nname = "bare"\nsource = { registry = "https://example.com" }\n'
        'sdist = { url = "https://example.com/bare.tar.gz" }\n'
    )
    named = [line.partition(":")[0] for line in audit().unbound(lock)]
    assert named == ["fork", "bare"]


@pytest.mark.parametrize(
    "workflow",
    sorted((PROJECT / ".github" / "workflows").glob("*.yml")),
    ids=lambda file: file.stem,
)
def test_actions_are_named_by_their_commit_with_the_version_beside(workflow: Path) -> None:
    used = re.findall(r"uses: (.*)", workflow.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_installing_takes_the_lock_and_nothing_else() -> None:
    assert "uv sync --frozen" in (PROJECT / "scripts" / "install.sh").read_text()


@pytest.mark.integration
def test_a_release_has_a_list_of_its_packages() -> None:
    subprocess.run(["make", "--silent", "sbom"], cwd=PROJECT, check=True, capture_output=True)
    listed = json.loads((PROJECT / "dist" / "customer360.cdx.json").read_text())
    assert listed["bomFormat"] == "CycloneDX"
    names = {component["name"] for component in listed["components"]}
    assert {"dagster", "pyspark", "mlflow", "psycopg"} <= names
    assert not {"pytest", "ruff", "aiosmtpd"} & names
