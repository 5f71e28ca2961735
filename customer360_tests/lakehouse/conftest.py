"""Fixtures of the lakehouse's tests: an object store."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from customer360.errors import EnvironmentError360
from customer360.lakehouse import jars
from customer360_tests.object_store import ObjectStore, object_store


@pytest.fixture(scope="session")
def store_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("object_store")) as store:
        yield store


@pytest.fixture(scope="session")
def s3a() -> None:
    """What Spark needs for S3, which set-up does not fetch; continuous integration must have it."""
    try:
        jars.resolve_s3a()
    except EnvironmentError360 as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the jars of S3A are not there: {error}")


@pytest.fixture
def store(store_process: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """An object store that this process and those it starts know of."""
    for name, value in store_process.environment.items():
        monkeypatch.setenv(name, value)
    return store_process
