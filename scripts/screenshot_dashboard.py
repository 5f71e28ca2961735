"""Make the guide's pictures of the dashboard: ``python scripts/screenshot_dashboard.py [HOME]``.

Opens the dashboard over a published deployment (by default ``data``, after ``make demo``) in a
headless Chromium and saves its pages as ``docs/images/dashboard-<page>.png``.
"""

import argparse
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from customer360.serving.warehouse import reader_login  # noqa: E402
from customer360.settings import load_settings  # noqa: E402
from customer360_tests.browser.dashboard import screenshot_pages  # noqa: E402

WORTH_SHOWING = """
SELECT customer_key FROM marts.customer_360
WHERE as_of = (SELECT max(as_of) FROM marts.segment_summary) AND churn_risk = 'high'
ORDER BY value_at_stake DESC NULLS LAST, customer_key LIMIT 1
"""
"""A customer with something to tell: of high risk, with the most to lose."""


def main() -> None:
    """Save the pictures and say where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", nargs="?", type=Path, default=PROJECT / "data")
    home = parser.parse_args().home.absolute()
    login = reader_login(load_settings(home))
    if login is None:
        parser.error(f"{home} has not been published: `customer360 run --home {home}` first")
    with login.connect() as connection:
        found = connection.execute(WORTH_SHOWING).fetchone()
    if found is None:
        parser.error(f"{home} has no churn scores: `customer360 train --home {home}` first")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "dashboard.log"
        images = PROJECT / "docs" / "images"
        for target in screenshot_pages(home, images, log, found[0]):
            sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
