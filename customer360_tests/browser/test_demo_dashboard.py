"""The dashboard over a deployment that ``customer360 run`` has made, in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from customer360_tests.browser.lineage import CHROMIUM
from customer360_tests.browser.walk import walk
from customer360_tests.deployments import Home

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


def test_every_page_of_the_demo_shows_figures_of_the_run(demo: Home, tmp_path: Path) -> None:
    walk(demo.settings, tmp_path / "log", everything=False)


@pytest.mark.slow
def test_the_demo_is_well_in_both_languages_on_both_screens(demo: Home, tmp_path: Path) -> None:
    walk(demo.settings, tmp_path / "log", everything=True)
