"""A few bad nights of each sort; all of them are in ``make faults``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from customer360.table_names import CUSTOMER_DAYS
from customer360_tests.faults import deliveries, kills, places, storage, together
from customer360_tests.faults.company import LOAD, Company, Difference
from customer360_tests.faults.faults import Fault, Result, survive
from customer360_tests.faults.page import PAGE, page, page_of
from customer360_tests.faults.results import RESULTS
from customer360_tests.faults.victim import Accident, found

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def company(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A small one, of which the first load is looked at."""
    made = Company(tmp_path_factory.mktemp("company"), spark)
    made.open([LOAD], customers=40)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("SIGKILL in a commit", "silver/transactions"),
        ("I/O error after a commit", "quarantine/transactions"),
        ("file vanishes while it is read", "CSV"),
        # A minute or two each. What of them a user sees, `bad_input` and test_home_lock.py see too.
        pytest.param("SIGKILL after a commit", "bronze/shop_orders", marks=pytest.mark.whole),
        pytest.param("file truncated", "CSV in gzip", marks=pytest.mark.whole),
        pytest.param("two commands at once", "the same days", marks=pytest.mark.whole),
    ],
)
def test_a_broken_run_that_is_run_again_is_as_if_it_had_not_been(
    company: Company, kind: str, where: str
) -> None:
    (fault,) = [each for each in _faults(company) if (each.kind, each.where) == (kind, where)]
    result = survive(company, fault)
    assert result is not None, "it did not happen"
    assert result.survived, result


def test_what_compares_sees_one_row_that_is_lost(company: Company) -> None:
    settings = company.before(replace(LOAD, after=LOAD.name))  # as the undisturbed one left it
    assert company.difference(settings, LOAD) == Difference()
    days = DeltaTable(f"{settings.lakehouse_root}/{CUSTOMER_DAYS}")
    (row,) = days.to_pyarrow_table().slice(0, 1).to_pylist()
    days.delete(
        f"customer_key = '{row['customer_key']}' AND business_date = '{row['business_date']}'"
    )
    lost = company.difference(settings, LOAD)
    assert (lost.rows, lost.cents) == (1, int(row["net_revenue"] * 100))
    assert lost.tables[0] == CUSTOMER_DAYS


@pytest.mark.parametrize(
    "accident",
    [each for places_of in places.PLACES.values() for each in places_of.values()],
    ids=lambda each: f"{each.moment} {each.call}",
)
def test_the_place_of_a_kill_is_there(accident: Accident) -> None:
    holder, name = found(accident.call)
    assert callable(getattr(holder, name))


def test_no_two_faults_have_one_name(company: Company) -> None:
    named = [each.name for each in (*_faults(company), *places.all_kinds(company))]
    assert len(set(named)) == len(named)


def test_the_page_counts_what_was_lost() -> None:
    lost = Difference(("silver/transactions",), 3, 250)
    found = [
        Result("SIGKILL in a commit", "night: gold/churn_scores", "killed", "", Difference(), 9.0),
        Result("SIGKILL in a commit", "night: silver/customers", "killed", "", lost, 9.0),
        Result(
            "file empty", "first load: CSV", "files: orders.csv is empty", "", Difference(), 9.0
        ),
        Result("file empty", "night: CSV", "went on", "", Difference(), 9.0),
    ]
    text = page(found, ["quota; night: 64 KB a file"], {"abc1234": 3, "def5678": 1})
    assert "| SIGKILL in a commit | 2 | 2 | 0 | 0 | 1 | 3 | 250 |" in text
    assert "| file empty | 2 | 0 | 1 | 1 | 2 | 0 | 0 |" in text
    assert "| **2 kinds** | 4 | 2 | 1 | 1 | 3 | 3 | 250 |" in text
    assert "Where: 3 in the night, 1 in the first load." in text
    assert "By the commit they were put to: 3 to `abc1234`, 1 to `def5678`." in text
    assert "1 more did not happen" in text
    assert "| file empty | files: orders.csv is empty |" in text


def test_the_page_is_of_the_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(RESULTS), "run `make generate`"


def _faults(company: Company) -> Iterator[Fault]:
    """All of a company that has only its first load."""
    for kind in (
        kills.at_commits,
        storage.errors,
        deliveries.all_kinds,
        together.all_kinds,
    ):
        yield from (each for each in kind(company) if each.step == LOAD)
