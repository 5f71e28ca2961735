"""Make the README's picture of the lineage: ``python scripts/screenshot_lineage.py [HOME]``.

Opens Dagster's UI over a deployment that has been run (by default ``data``, after ``make demo``)
in a headless Chromium and saves the asset lineage as ``docs/images/lineage.png``.
"""

import argparse
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from customer360.orchestration.instance import dagster_environment  # noqa: E402
from customer360.settings import load_settings  # noqa: E402
from customer360_tests.browser.lineage import screenshot_lineage  # noqa: E402


def main() -> None:
    """Save the picture and say where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", nargs="?", type=Path, default=PROJECT / "data")
    home = parser.parse_args().home.absolute()
    if not (home / "lakehouse").exists():
        parser.error(f"{home} has not been run: `customer360 run --home {home}` first")
    target = PROJECT / "docs" / "images" / "lineage.png"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "webserver.log"
        screenshot_lineage(dagster_environment(load_settings(home)), target, log)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
