"""The dashboard over a deployment that ``customer360 run`` has made, in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from customer360_tests.browser.dashboard import net_revenue_and_orders, walk
from customer360_tests.browser.lineage import CHROMIUM
from customer360_tests.deployments import Home

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


def test_every_page_of_the_demo_shows_figures_of_the_run(demo: Home, tmp_path: Path) -> None:
    shown = walk(demo.settings, tmp_path / "log")
    assert (shown["Net revenue"], shown["Orders"]) == net_revenue_and_orders(demo.settings)
    # Ninety days: the page's twelve months hold them all.
    (row,) = demo.lakehouse.read("gold/business_health").selectExpr("sum(orders)").collect()
    assert shown["Orders"] == f"{row[0]:,}"
