"""The hand-made shop in a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from customer360.settings import Settings
from customer360_tests.browser.dashboard import served
from customer360_tests.dashboard import shop


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shop's deployment, published without personal data, with dbt's marts."""
    return shop.home(tmp_path_factory.mktemp("browsed"))


@pytest.fixture(scope="module")
def address(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its dashboard."""
    log = tmp_path_factory.mktemp("dashboard") / "log"
    with served(settings.home, log) as (_, found):
        yield found
    assert "Traceback" not in log.read_text()
