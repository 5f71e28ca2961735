"""The deployment that others are compared with: run on one machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from customer360_tests.cluster.deployment import make_home, raw_data, run


@dataclass(frozen=True)
class Reference:
    """Raw data, and the home of the local run over them."""

    raw: Path
    home: Path


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """All that a local run makes."""
    folder = tmp_path_factory.mktemp("local")
    raw = raw_data(folder / "raw")
    home = make_home(folder / "home", raw)
    run(home)
    return Reference(raw, home)
