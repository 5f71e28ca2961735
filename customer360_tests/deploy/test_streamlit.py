"""The dashboard on Streamlit Community Cloud: its requirements are enough, and are locked."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from packaging.requirements import Requirement

from customer360_tests.deploy.compose import DEPLOY, PROJECT

FOLDER = DEPLOY / "streamlit"
LOCKED = {
    package["name"]: package
    for package in tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
}
NAMED = [
    Requirement(line)
    for line in (FOLDER / "requirements.txt").read_text().splitlines()
    if not line.startswith("#")
]

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
    """What an installer brings for ``names``."""
    found: set[str] = set()
    more = set(names)
    while more:
        found |= more
        more = {
            each["name"] for name in more for each in LOCKED[name].get("dependencies", ())
        } - found
    return found


def test_versions_are_those_of_the_lock() -> None:
    stated = {each.name: str(each.specifier) for each in NAMED}
    assert stated == {name: f"=={LOCKED[name]['version']}" for name in stated}


def test_they_are_all_that_the_dashboard_imports() -> None:
    allowed = installed_with({each.name for each in NAMED}) | {"psycopg-binary", "customer360"}
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
