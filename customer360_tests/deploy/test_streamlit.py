"""The dashboard on Streamlit Community Cloud: its requirements are enough, and are locked."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from customer360_tests.deploy.compose import DEPLOY, PROJECT

FOLDER = DEPLOY / "streamlit"
PAGE = (PROJECT / "docs" / "deployment.md").read_text(encoding="utf-8")
PACKAGES = tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
NAMED = [
    Requirement(line)
    for line in (FOLDER / "requirements.txt").read_text().splitlines()
    if not line.startswith("#")
]
PYTHONS = [
    each.rpartition(" ")[2]
    for each in tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["classifiers"]
    if re.search(r":: 3\.\d+$", each)
]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def holds(marker: str | None, python: str) -> bool:
    """Whether what ``marker`` is said of is installed on a release of Python, such as ``3.11``."""
    release = {"python_version": python, "python_full_version": f"{python}.0"}
    return marker is None or Marker(marker).evaluate(release)


def locked(python: str) -> dict[str, dict[str, Any]]:
    """Each package as the lock has it for a release of Python: of some it has several versions."""
    return {
        package["name"]: package
        for package in PACKAGES
        if any(holds(each, python) for each in package.get("resolution-markers", [None]))
    }


def asked_for(python: str) -> list[Requirement]:
    """The requirements that an installer takes on a release of Python."""
    return [each for each in NAMED if holds(str(each.marker) if each.marker else None, python)]


_LOADED = """
import importlib, importlib.metadata, pkgutil, sys
allowed = set(sys.argv[1:])
of = importlib.metadata.packages_distributions()
class NothingElse:
    def find_spec(self, name, path=None, target=None):
        found = {each.lower().replace("_", "-").replace(".", "-") for each in of.get(name, ())}
        if found and not found & allowed:
            raise ModuleNotFoundError(f"{name} is not in the requirements", name=name)
sys.meta_path.insert(0, NothingElse())
import customer360.dashboard
for module in pkgutil.walk_packages(customer360.dashboard.__path__, "customer360.dashboard."):
    importlib.import_module(module.name)
"""


def installed_with(names: set[str]) -> set[str]:
    """What an installer brings here for ``names``."""
    packages = locked(HERE)
    found: set[str] = set()
    more = set(names)
    while more:
        found |= more
        more = {
            each["name"]
            for name in more
            for each in packages[name].get("dependencies", ())
            if holds(each.get("marker"), HERE)
        } - found
    return found


def test_python_is_one_that_is_supported() -> None:
    (python,) = re.findall(r"streamlit_app\.py` as the\napp's file, Python ([\d.]+\d)", PAGE)
    assert python in PYTHONS


@pytest.mark.parametrize("python", PYTHONS)
def test_versions_are_those_of_the_lock(python: str) -> None:
    stated = {each.name: str(each.specifier) for each in asked_for(python)}
    # Each name once, and every one that is named for any.
    assert len(asked_for(python)) == len({each.name for each in NAMED})
    assert stated == {name: f"=={locked(python)[name]['version']}" for name in stated}


def test_they_are_all_that_the_dashboard_imports() -> None:
    allowed = installed_with({each.name for each in asked_for(HERE)}) | {
        "psycopg-binary",
        "customer360",
    }
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *allowed],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]


def test_what_is_started_is_the_dashboard() -> None:
    text = (FOLDER / "streamlit_app.py").read_text()
    (module,) = re.findall(r'run_module\("([\w.]+)"', text)
    assert (PROJECT / (module.replace(".", "/") + ".py")).exists()
