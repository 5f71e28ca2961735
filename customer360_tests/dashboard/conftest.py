"""The shop's warehouse, once for all tests of the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from customer360.dashboard import app
from customer360.dashboard.connection import Reader, Reading
from customer360.serving.warehouse import reader_login
from customer360.settings import HOME_VARIABLE, Settings
from customer360_tests.dashboard import shop
from customer360_tests.dashboard.pages import page


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    for reader in app._readers().values():
        reader.close()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(scope="session")
def shop_home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A deployment with the shop published, personal data too."""
    return shop.home(tmp_path_factory.mktemp("shop"), personal=True)


@pytest.fixture(scope="session")
def reader(shop_home: Settings) -> Iterator[Reader]:
    """The dashboard's way into the shop's warehouse."""
    login = reader_login(shop_home)
    assert login is not None
    found = Reader(login)
    yield found
    found.close()


@pytest.fixture
def reading(reader: Reader) -> Iterator[Reading]:
    """A moment to read the shop at."""
    with reader.reading() as found:
        yield found


@pytest.fixture
def shown(shop_home: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Runs a page of the shop's dashboard."""
    monkeypatch.setenv(HOME_VARIABLE, str(shop_home.home))
    return page
