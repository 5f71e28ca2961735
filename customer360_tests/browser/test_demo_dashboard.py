"""The dashboard over a deployment that ``customer360 run`` has made, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from customer360.serving.warehouse import reader_login
from customer360_tests.browser.dashboard import PAGES, go, metrics, served
from customer360_tests.browser.lineage import CHROMIUM, page
from customer360_tests.deployments import Home

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def address(demo: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its dashboard."""
    log = tmp_path_factory.mktemp("demo-dashboard") / "log"
    with served(demo.settings.home, log) as (_, found):
        yield found
    assert "Traceback" not in log.read_text()


def test_every_page_of_the_demo_shows_figures_of_the_run(address: str, demo: Home) -> None:
    login = reader_login(demo.settings)
    assert login is not None
    with login.connect() as reader:
        figures = "SELECT sum(net_revenue), sum(orders) FROM "
        revenue = reader.execute(f"{figures} marts.revenue_kpis").fetchone()
        gold = reader.execute(f"{figures} gold.business_health").fetchone()
    assert revenue is not None
    assert revenue == gold
    with page(width=1280, height=1000) as opened:
        opened.set_default_timeout(60_000)
        for language in ("en", "pt"):
            for name in PAGES:
                go(opened, address, name, lang=language)
                assert opened.locator('[data-testid="stException"]').count() == 0, name
                assert opened.locator('[data-testid="stAlertContentError"]').count() == 0, name
        go(opened, address, "", lang="en")
        shown = metrics(opened)
    # Ninety days: the page's twelve months hold them all.
    assert shown["Net revenue"] == f"${revenue[0] / 1000:.2f}k"
    assert shown["Orders"] == f"{revenue[1]:,}"
