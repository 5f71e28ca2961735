"""The ``customer360`` command, as a user types it, in this process and its Spark session."""

from __future__ import annotations

import csv
import io
import json
import shutil
import socket
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.serving.campaigns import CAMPAIGN_LISTS
from customer360.settings import load_settings
from customer360_tests import declared
from customer360_tests.deployments import Home, Said, customer360, plain, read_json

TABLES = set(declared.TABLES)
# Tables that a first run makes without a row: no horizon has passed yet.
EMPTY_AT_FIRST = {"gold/model_performance"}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """``customer360 …``; away from the project, so that nothing lands in its own data folder."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> Said:
        return customer360(capsys, monkeypatch, *arguments)

    return command


def one_line(said: Said) -> str:
    """The error of a command that failed as it should: one line, nothing else."""
    assert said.code == 1
    (line,) = said.error_lines
    assert line.startswith("error: ")
    assert "Traceback" not in said.out
    return line


@pytest.mark.whole
def test_generate_run_and_again(run, spark: SparkSession, tmp_path: Path) -> None:
    """Two commands from nothing to scored customers; a second run changes no row."""
    home = tmp_path / "shop"
    made = run(
        "generate", "--customers", 120, "--from", "2024-01-01", "--to", "2024-01-05",
        "--home", home,
    )  # fmt: skip
    assert made.code == 0, made.err
    assert "120 customers, 2024-01-01 to 2024-01-05" in made.out
    again = run(
        "generate", "--customers", 120, "--from", "2024-01-01", "--to", "2024-01-05",
        "--home", home,
    )  # fmt: skip
    assert again.code == 0, again.err

    first = run("run", "--source", "synthetic", "--home", home)
    assert first.code == 0, first.err
    for part in (
        "✓ silver/transactions",
        "✓ gold/customer_360",
        "In quarantine, and why",
        "by RFM segment",
        "Models, on a period they had not seen",
        "Where to go next",
        f"customer360 dev --home {home}",
    ):
        assert part in first.out, part
    listed = {row["table"]: row for row in tables(run, home)}
    assert set(listed) >= TABLES - {"quarantine/transactions"}

    second = run("run", "--home", home)
    assert second.code == 0, second.err
    rows = {row["table"]: row["rows"] for row in tables(run, home)}
    assert rows == {table: row["rows"] for table, row in listed.items()}

    # The home remembers what it is made of: the daemon needs no arguments tonight.
    settings = load_settings(home)
    assert settings.sources == ["synthetic"]
    assert (settings.start_date, settings.end_date) == (date(2024, 1, 1), date(2024, 1, 5))


def tables(run: Any, home: Path) -> list[dict[str, Any]]:
    said = run("tables", "--format", "json", "--home", home)
    assert said.code == 0, said.err
    found: list[dict[str, Any]] = read_json(said.out)
    return found


def test_a_range_and_as_of_dates(run, demo: Home, tmp_path: Path) -> None:
    """--from, --to and --as-of: two snapshots, and only the days asked for."""
    home = tmp_path / "range"
    home.mkdir()
    shutil.copy(demo.folder / "customer360.yaml", home)
    (home / "raw").symlink_to(demo.settings.raw_dir.absolute(), target_is_directory=True)
    said = run(
        "run", "--steps", "etl", "--from", "2024-02-01", "--to", "2024-02-10",
        "--as-of", "2024-02-05", "--as-of", "2024-02-10", "--home", home,
    )  # fmt: skip
    assert said.code == 0, said.err
    mine = Home.at(demo.spark, home)
    days = {row["_delivered_on"] for row in mine.rows("bronze/synthetic_transactions")}
    assert (min(days), max(days)) == (date(2024, 2, 1), date(2024, 2, 10))
    snapshots = {row["as_of"] for row in mine.rows("gold/rfm_segments")}
    assert snapshots == {date(2024, 2, 5), date(2024, 2, 10)}
    assert not mine.lakehouse.exists("gold/churn_scores")


def test_tables_as_json_have_these_keys(run, demo: Home) -> None:
    found = tables(run, demo.folder)
    assert {row["table"] for row in found} == TABLES
    for row in found:
        assert list(row) == ["table", "rows", "partitions", "bytes", "version"]
        assert (row["rows"] == 0) == (row["table"] in EMPTY_AT_FIRST), row
        assert (row["bytes"] == 0) == (row["rows"] == 0), row
    of = {row["table"]: row for row in found}
    assert of["silver/transactions"]["partitions"] == 3  # a folder a month
    assert of["gold/customer_360"]["partitions"] == 1
    assert of["gold/customer_360"]["rows"] == demo.lakehouse.read("gold/customer_360").count()


def test_tables_for_people(run, demo: Home) -> None:
    said = run("tables", "--home", demo.folder)
    assert said.code == 0
    assert "silver/customer_days" in said.out
    assert "kB" in said.out


def test_show_with_a_condition(run, demo: Home) -> None:
    asked = ("show", "gold/rfm_segments", "--where", "r_score = 5", "--limit", 7)
    said = run(*asked, "--format", "csv", "--home", demo.folder)
    assert said.code == 0, said.err
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert len(rows) == 7
    assert {row["r_score"] for row in rows} == {"5"}
    assert list(rows[0]) == demo.lakehouse.read("gold/rfm_segments").columns

    said = run(*asked, "--format", "json", "--home", demo.folder)
    assert [row["customer_key"] for row in read_json(said.out)] == [
        row["customer_key"] for row in rows
    ]

    said = run(*asked, "--home", demo.folder)
    assert "customer_key" in said.out


def test_show_of_no_rows_still_names_the_columns(run, demo: Home) -> None:
    said = run(
        "show", "silver/customer_days", "--where", "orders < 0", "--format", "csv",
        "--home", demo.folder,
    )  # fmt: skip
    assert said.code == 0
    assert said.out.splitlines() == [",".join(demo.lakehouse.read("silver/customer_days").columns)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "gold/nothing"), "table gold/nothing does not exist"),
        (("show", "silver/customers", "--where", "colour = 'red'"), "--where"),
        (("show", "silver/customers", "--where", "this is not SQL ("), "--where"),
        (("run", "--source", "shop"), "source 'shop' is unknown; choose from synthetic"),
        (("run", "--as-of", "2031-01-01"), "2031-01-01 is outside this deployment's days"),
    ],
)
def test_errors_are_one_line(run, demo: Home, arguments: tuple, message: str) -> None:
    before = (demo.folder / "customer360.yaml").read_text()
    assert message in one_line(run(*arguments, "--home", demo.folder))
    # What failed is not remembered.
    assert (demo.folder / "customer360.yaml").read_text() == before


def test_an_error_of_the_run_is_one_line_and_verbose_shows_the_trace(
    run, demo: Home, tmp_path: Path
) -> None:
    home = tmp_path / "broken"
    home.mkdir()
    shutil.copy(demo.folder / "customer360.yaml", home)
    shutil.copytree(demo.source.folder, home / "raw" / "synthetic")
    bad = home / "raw/synthetic/transactions/date=2024-01-02/part-0.parquet"
    bad.write_bytes(b"not parquet")
    arguments = ("run", "--from", "2024-01-01", "--to", "2024-01-03", "--home", home)
    line = one_line(run(*arguments))
    assert "bronze/synthetic_transactions" in line
    assert "date=2024-01-02/part-0.parquet" in line
    said = run(*arguments, "--verbose")
    assert said.code == 1
    assert "RunFailedError" in said.err


def test_homes_live_side_by_side(run, demo: Home, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert run(
        "generate", "--customers", 10, "--from", "2024-01-01", "--to", "2024-01-02",
        "--home", other,
    ).code == 0  # fmt: skip
    assert tables(run, other) == []
    assert len(tables(run, demo.folder)) == len(TABLES)


def test_doctor_and_version(run, tmp_path: Path) -> None:
    said = run("doctor", "--home", tmp_path)
    assert "Java" in said.out
    assert said.code in (0, 1)
    from customer360 import __version__

    assert plain(run("--version").out).strip() == f"customer360 {__version__}"


def test_help_is_short_too_and_completion_is_offered(run) -> None:
    for words in ((), ("run",), ("quarantine", "list")):
        assert run(*words, "-h").out == run(*words, "--help").out != ""
    assert "--install-completion" in run("-h").out


def test_quiet_prints_nothing_but_errors(run, tmp_path: Path) -> None:
    words = ("generate", "--customers", 5, "--from", "2024-01-01", "--to", "2024-01-02")
    assert run(*words, "--home", tmp_path / "shop", "--quiet").out == ""
    refused = run(*words[:-1], "2023-01-02", "-q", "--home", tmp_path / "shop")
    assert (refused.code, refused.out, len(refused.error_lines)) == (1, "", 1)
    assert run("--version").out != ""  # it is of the one command


def test_a_dry_run_says_what_would_be_made_and_writes_nothing(run, tmp_path: Path) -> None:
    home = tmp_path / "shop"
    run("generate", "--customers", 5, "--from", "2024-01-01", "--to", "2024-01-09", "--home", home)

    def files() -> list[Path]:
        """But for temporary ones, of this process."""
        return sorted(file for file in home.rglob("*") if "tmp" not in file.relative_to(home).parts)

    before = files()
    said = run(
        "run", "--dry-run", "--steps", "etl", "--to", "2024-01-04", "--as-of", "2024-01-03",
        "--home", home,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert [line.strip() for line in said.out.splitlines()] == [
        f"In {home}, this run would",
        "load 2024-01-01...2024-01-04 from synthetic: bronze and silver",
        "make the snapshot of 2024-01-03: gold",
        "Nothing was written.",
    ]
    assert files() == before
    assert one_line(run("run", "--dry-run", "--to", "2030-01-01", "--home", home))


def test_a_table_in_a_pipe_is_whole_and_has_the_columns_that_are_asked_for(
    run, demo: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("customer360_tests.deployments.COLUMNS", "60")
    said = run("show", "gold/customer_features", "--limit", 5, "--home", demo.folder)
    header, rows = said.out.splitlines()[1], said.out.splitlines()[3:-1]
    assert header.strip("┃ ").split()[:2] == ["as_of", "┃"]
    assert "distinct_channels" in header
    assert (len(rows), len({row.count("│") for row in rows})) == (5, 1)
    chosen = run(
        "show", "gold/rfm_segments", "--columns", "segment, r_score", "--format", "csv",
        "--limit", 1, "--home", demo.folder,
    )  # fmt: skip
    assert chosen.out.splitlines()[0] == "segment,r_score"
    line = one_line(run("show", "gold/rfm_segments", "--columns", "segmnt", "--home", demo.folder))
    assert line.endswith("gold/rfm_segments has no such column, did you mean segment?")


def test_export_says_who_would_be_on_a_list(run, demo: Home) -> None:
    exports = demo.settings.exports_dir
    before = {file: file.stat().st_mtime_ns for file in exports.rglob("*")}
    said = run("export", "whales", "--dry-run", "--home", demo.folder)
    assert said.code == 0, said.err
    counted = said.out.partition(" customers on the list whales of ")
    assert counted[2].endswith("nothing is\n") or "nothing is\n" in counted[2]
    assert {file: file.stat().st_mtime_ns for file in exports.rglob("*")} == before
    written = run("export", "whales", "--home", demo.folder)
    assert written.out.startswith(counted[0] + counted[1])
    lists = json.loads(run("export", "--list", "--json").out)
    assert [each["list"] for each in lists] == [each.name for each in CAMPAIGN_LISTS]


@pytest.mark.parametrize(
    "words",
    [
        "dashboard",
        "warehouse up",
        "warehouse status",
        "quarantine list",
        "quarantine show orders",
        "quarantine replay",
        "export whales",
        "predict orders.csv -o revenue.csv",
        "promote churn 2",
        "rollback churn",
    ],
)
def test_a_home_that_is_not_there_is_not_made(run, tmp_path: Path, words: str) -> None:
    assert "shop is no deployment" in one_line(run(*words.split(), "--home", tmp_path / "shop"))
    assert not (tmp_path / "shop").exists()


def test_predicting_by_a_model_that_is_named_needs_no_home(run, tmp_path: Path) -> None:
    line = one_line(
        run("predict", "orders.csv", "-o", "revenue.csv", "--model", tmp_path / "no.pkl",
            "--home", tmp_path / "shop")
    )  # fmt: skip
    assert "no.pkl: there is no revenue model" in line
    assert not (tmp_path / "shop").exists()


def test_a_named_server_needs_no_home(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "postgresql://reader@127.0.0.1:1/shop"
    monkeypatch.setenv("CUSTOMER360_WAREHOUSE_READER_URL", nowhere)
    line = one_line(run("warehouse", "status", "--format", "json", "--home", tmp_path / "shop"))
    assert "no deployment" not in line


def test_what_was_published_is_told_to_programs(run, tmp_path: Path) -> None:
    words = ("warehouse", "status", "--home", tmp_path, "--format")
    assert json.loads(run(*words, "json").out) == []
    assert run(*words, "csv").out == "table,rows,published_at\n"


def test_dev_refuses_a_port_in_use(run, tmp_path: Path, monkeypatch) -> None:
    def started(*arguments: object, **keywords: object) -> None:
        raise AssertionError("Dagster was started")

    monkeypatch.setattr("subprocess.run", started)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = one_line(run("dev", "--port", port, "--home", tmp_path))
    assert f"port {port}" in line
