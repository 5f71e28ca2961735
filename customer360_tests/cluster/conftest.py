"""The deployment that others are compared with: run on one machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from customer360_tests.cluster.deployment import make_home, raw_data, run


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw data of all homes."""
    return raw_data(tmp_path_factory.mktemp("raw") / "synthetic")


@pytest.fixture(scope="session")
def local(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a local run over them."""
    home = make_home(tmp_path_factory.mktemp("local") / "home", raw)
    run(home)
    return home
