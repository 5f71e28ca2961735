"""Dagster's UI in Chromium: the lineage of a deployment that was run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from customer360_tests import declared
from customer360_tests.browser.lineage import (
    CHROMIUM,
    FOLDED,
    GROUPS,
    open_lineage,
    page,
    statuses,
    wait_for_statuses,
    webserver,
)
from customer360_tests.deployments import Home, process_environment

pytestmark = [
    pytest.mark.browser,
    pytest.mark.whole,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]

_ASSETS = (
    *declared.TABLES, *declared.MODEL_ASSETS, *declared.EXPORTS, "reports/exploration",
)  # fmt: skip
TABLES = {
    layer: sorted(name for at, name in (asset.split("/") for asset in _ASSETS) if at == layer)
    for layer in ("bronze", "quarantine", "silver", "gold", "models", "reports", "exports")
}


SERVED = ("warehouse/", "staging/", "marts/")
"""Groups without partitions: copies, views and marts of what the lakehouse has."""


DAILY = ("bronze/", "quarantine/", "silver/", "gold/business_health")


@pytest.fixture(scope="module")
def address(demo: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Dagster's web server on the run deployment."""
    log = tmp_path_factory.mktemp("webserver") / "log"
    with webserver(process_environment(demo), log) as found:
        yield found


def test_the_lineage_shows_every_asset_made_and_none_failed(address: str, tmp_path: Path) -> None:
    with page(width=2000, height=3000) as opened:
        open_lineage(opened, address)
        wait_for_statuses(opened)
        opened.screenshot(path=str(tmp_path / "lineage.png"))
        shown = opened.inner_text("body")
        for group in (*GROUPS, *FOLDED):
            assert group in shown
        for name in ("customers", "customer_days", "customer_360", "rfm_segments", "churn"):
            assert name in shown, name
        assert "Failed" not in shown
        counted = statuses(opened, address)
    made = {f"{group}/{name}" for group, names in TABLES.items() for name in names}
    assert {name for name in counted if not name.startswith(SERVED)} == made
    assert len(counted) > len(made)
    # All green: Dagster colours an asset by its partitions, days or the one as-of date.
    for asset, stats in counted.items():
        whole = 90 if asset.startswith(DAILY) else 1
        assert stats == {"numPartitions": whole, "numMaterialized": whole, "numFailed": 0}, asset
    assert (tmp_path / "lineage.png").stat().st_size > 20_000


def test_a_group_shows_its_assets_checks_and_kinds(address: str) -> None:
    """Silver, close enough to read: every partition filled, every check passed."""
    with page(width=3000, height=2400) as opened:
        opened.goto(f"{address}/locations/customer360/asset-groups/silver", timeout=120_000)
        opened.get_by_text("100% filled").first.wait_for(timeout=120_000)
        wait_for_statuses(opened)
        shown = opened.inner_text("body")
    for name in TABLES["silver"]:
        assert name in shown, name
    assert shown.count("100% filled") >= 4
    passed = re.findall(r"(\d+) / (\d+) Passed", shown)
    assert len(passed) >= len(TABLES["silver"])
    assert [each for each in passed if each[0] != each[1]] == []
    assert "Delta Lake" in shown


def test_a_table_shows_its_columns_rows_and_owner(address: str) -> None:
    with page() as opened:
        opened.goto(f"{address}/assets/gold/customer_360", timeout=120_000)
        opened.get_by_text("customer_key").first.wait_for(timeout=120_000)
        shown = opened.inner_text("body")
    assert "churn_probability" in shown
    assert "next_best_action" in shown
    assert "gold/customer_360" in shown
