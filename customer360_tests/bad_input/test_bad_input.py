"""Every bad input of the catalogue is made, met, and said as the catalogue says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.errors import Customer360Error
from customer360.pipeline import refusals
from customer360_tests.bad_input import rows
from customer360_tests.bad_input.case import Case, files_in, heard
from customer360_tests.bad_input.databases import TABLE, URL
from customer360_tests.bad_input.page import CASES, PATH, SUBJECTS, bad_input_markdown
from customer360_tests.bad_input.rows import DELIVERIES, OF_ORDERS, Delivery, Row
from customer360_tests.cases.shop import Loaded, Shop
from customer360_tests.deployments import customer360

ROOT = Path(__file__).parents[2]
PLAIN = [case for case in CASES if "spark" not in case.needs]
ON_SPARK = [case for case in CASES if "spark" in case.needs]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.id)
def test_a_bad_input_is_said_in_its_one_line(
    case: Case,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    for name in case.needs:
        if name == "shop":
            shop = request.getfixturevalue(name)
            shop.run(TABLE)
            monkeypatch.setenv(URL, shop.url)
    _meet(case, tmp_path, capsys, monkeypatch)


@pytest.mark.parametrize("case", ON_SPARK, ids=lambda case: case.id)
def test_a_bad_input_that_spark_meets_is_said_in_its_one_line(
    case: Case,
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _meet(case, tmp_path, capsys, monkeypatch)


def _meet(
    case: Case,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Away from the project, whose own data folder is the default home.
    monkeypatch.chdir(folder)
    case.lay_out(folder)
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    with case.make(folder):
        before = files_in(folder)
        if case.function is not None:
            with pytest.raises(Customer360Error) as error:
                case.function(folder)
            assert heard(str(error.value), folder) == case.says
        else:
            said = customer360(capsys, monkeypatch, *case.command)
            assert heard(said.err, folder) == f"error: {case.says}\n"
            assert said.code == case.code
            assert "Traceback" not in said.out
        assert files_in(folder) == before


def test_a_message_is_one_line_of_a_bearable_length() -> None:
    for case in CASES:
        assert case.says == " ".join(case.says.split()), case.id
        assert 20 < len(case.says) < 400, case.id
        assert not case.says.endswith("."), case.id


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.id for case in CASES]
    assert len(set(names)) == len(names)
    assert all(name.isascii() for name in names)


@pytest.fixture(scope="module", params=DELIVERIES, ids=lambda delivery: delivery.id)
def delivered(
    request: pytest.FixtureRequest, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Delivery, Shop, Loaded]:
    """A file of bad rows, loaded as a run loads it."""
    delivery: Delivery = request.param
    return (delivery, *delivery.loaded(spark, tmp_path_factory.mktemp(delivery.id)))


def test_bad_rows_are_in_quarantine_with_their_reasons(
    delivered: tuple[Delivery, Shop, Loaded],
) -> None:
    delivery, shop, _ = delivered
    kept = {
        table: [
            (tuple(json.loads(reasons)), raw)
            for reasons, raw in shop.rows(table, "to_json(reasons)", "raw")
        ]
        for table in {row.table for row in delivery.rows}
    }
    assert sorted(map(len, kept.values())) == sorted(
        sum(row.table == table for row in delivery.rows) for table in kept
    )
    for row in delivery.rows:
        assert row.reasons in _reasons_of(row, kept[row.table]), row.line
    assert len(shop.orders()) == len(delivery.good)


def _reasons_of(row: Row, kept: list[tuple[tuple[str, ...], str]]) -> list[tuple[str, ...]]:
    return [reasons for reasons, raw in kept if row.known_by in raw]


def test_too_many_bad_rows_stop_a_run_which_says_why(
    delivered: tuple[Delivery, Shop, Loaded],
) -> None:
    delivery, shop, loaded = delivered
    if delivery is not OF_ORDERS:
        return
    assert loaded.bronze.refused.over(shop.work.deployment.limits)
    (table,) = shop.source.tables
    said = refusals.explained(shop.work, shop.source, table, loaded.bronze)
    assert heard(said, shop.work.deployment.settings.home) == rows.STOPS


def test_the_page_is_current() -> None:
    assert (ROOT / PATH).read_text(encoding="utf-8") == bad_input_markdown(), "run: make generate"


def test_the_page_shows_every_case_and_row() -> None:
    page = bad_input_markdown()
    assert sum(line.startswith("| ") for line in page.splitlines()) == (
        len(CASES)
        + sum(len(delivery.rows) for delivery in DELIVERIES)
        # Of each table a heading, and the line below it.
        + 2 * (sum(map(len, SUBJECTS.values())) + len(DELIVERIES))
    )
