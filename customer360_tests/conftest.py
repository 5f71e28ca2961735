"""Fixtures that all tests share: one Spark session for the whole suite, and the real data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.lakehouse.session import spark_session
from customer360.lakehouse.tables import Lakehouse
from customer360.settings import load_settings

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session of the whole test run, tuned as users get it by default."""
    session = spark_session(load_settings(tmp_path_factory.mktemp("home")))
    yield session
    session.stop()


@pytest.fixture
def lakehouse(spark: SparkSession, tmp_path: Path) -> Lakehouse:
    """An empty lakehouse."""
    return Lakehouse(spark, tmp_path / "lakehouse")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("CUSTOMER360_REAL_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.exists():
        pytest.skip(f"real data is not in {folder}; set CUSTOMER360_REAL_DATA")
    return folder
