"""What comes from elsewhere is bound to what it was when somebody looked at it."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
from pathlib import Path

import pyspark
import pytest

from customer360.errors import EnvironmentError360
from customer360.lakehouse import jars
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
    ("code", "printed", "failed", "passes"),
    [
        pytest.param(0, "Found no known vulnerabilities", "", True, id="nothing known"),
        pytest.param(
            1,
            "urllib3 1.0: a connection that timed out is used again",
            "error sending request for url (https://api.osv.dev/: of the advisory's words",
            False,
            id="an advisory that speaks of connections",
        ),
        pytest.param(
            2,
            "",
            "error: Request failed after 3 retries\n"
            "  cause: error sending request for url (https://api.osv.dev/v1/querybatch)\n"
            "  cause: dns error",
            True,
            id="no network",
        ),
        pytest.param(
            2,
            "",
            "error: failed to connect the packages of `uv.lock`",
            False,
            id="another failure",
        ),
    ],
)
def test_only_an_answer_that_did_not_come_excuses_from_looking_up(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    printed: str,
    failed: str,
    passes: bool,
) -> None:
    (tmp_path / "uv.lock").write_text("package = []\n")
    (tmp_path / "scripts").mkdir()
    tool = tmp_path / "scripts" / "uv"
    tool.write_text(
        f"#!/bin/sh\necho {shlex.quote(printed)}\necho {shlex.quote(failed)} >&2\nexit {code}\n"
    )
    tool.chmod(0o755)
    module = audit()
    monkeypatch.setattr(module, "ROOT", tmp_path)
    assert module.main() == int(not passes)
    said = capsys.readouterr()
    assert ("were not looked up" in said.err) == (code == 2 and passes)
    assert printed in said.out


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
    digests = {
        f"{each['name']}-{each['version']}.jar": each["hashes"][0]["content"]
        for each in listed["components"]
        if each.get("purl", "").startswith("pkg:maven/")
    }
    s3a = {jars.file_name(each): digest for each, digest in jars.S3A_SHA256.items()}
    assert digests == jars.SHA256 | s3a
    (ours,) = [each for each in listed["dependencies"] if "customer360" in each["ref"]]
    assert {each["ref"] for each in listed["dependencies"]} >= set(ours["dependsOn"])


def test_the_jars_of_the_pinned_versions_have_a_digest() -> None:
    assert {path.name for path in jars.jar_paths()} == set(jars.SHA256)
    jars.resolve()  # those of this machine are the pinned ones


def test_the_jars_of_s3a_are_of_the_hadoop_that_pyspark_brings() -> None:
    brought = Path(pyspark.__file__).parent / "jars"
    assert (brought / f"hadoop-client-api-{jars.HADOOP}.jar").exists()
    assert len(jars.s3a_paths()) == len({path.name for path in jars.s3a_paths()})


def test_a_jar_that_is_another_is_refused_before_java_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in jars.jar_paths(tmp_path / "there"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"another")
    with pytest.raises(EnvironmentError360, match=r"delta-spark.*: expected the SHA-256 .*, found"):
        jars.resolve(tmp_path / "there")

    def downloaded(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        for path in jars.jar_paths(Path(command[3])):
            path.write_bytes(b"another")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", downloaded)
    with pytest.raises(EnvironmentError360, match="expected the SHA-256"):
        jars.resolve(tmp_path / "fetched")
    assert not jars.present(tmp_path / "fetched")
