"""What is made of the figures of `make bench-scale`: growth, shuffles, the table."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console
from rich.table import Table
from typer import Typer
from typer.testing import CliRunner

from benchmarks import scale
from benchmarks.data import DAYS, Case
from benchmarks.meter import Span, WorkerFailedError
from benchmarks.scale import DUCK, LOAD, OURS, Stage, Volume, exponent, shuffles, size_of


def stage(transactions: int, seconds: float = 1.0, peak: int = 0, **more: Any) -> Stage:
    given: dict[str, Any] = {"engine": OURS, "name": LOAD, "cpu_seconds": 2.0} | more
    return Stage(transactions=transactions, seconds=seconds, peak_bytes=peak, **given)


def lines(table: Table) -> list[list[str]]:
    """The cells of a table as it is printed."""
    console = Console(width=300, file=io.StringIO(), record=True)
    console.print(table)
    rows = (line.split("\u2502") for line in console.export_text().splitlines() if "\u2502" in line)
    return [[cell.strip() for cell in row[1:-1]] for row in rows]


@pytest.mark.parametrize(
    ("seconds", "power"),
    [((3.0, 30.0), 1.0), ((3.0, 3.0), 0.0), ((1.0, 100.0), 2.0), ((0.0, 5.0), None)],
)
def test_growth_is_a_power_of_the_data(seconds: tuple[float, float], power: float | None) -> None:
    small, large = stage(1_000_000, seconds[0]), stage(10_000_000, seconds[1])
    found = exponent(small, large, "seconds")
    assert found == (None if power is None else pytest.approx(power))


def task(at: float, shuffled: int, spilled: int) -> str:
    event = {
        "Event": "SparkListenerTaskEnd",
        "Task Info": {"Finish Time": round(at * 1000)},
        "Task Metrics": {
            "Disk Bytes Spilled": spilled,
            "Shuffle Write Metrics": {"Shuffle Bytes Written": shuffled},
        },
    }
    return json.dumps(event, separators=(",", ":"))


def test_bytes_are_of_the_span_in_which_their_task_ended(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    without = {"Event": "SparkListenerTaskEnd", "Task Info": {"Finish Time": 11_500}}
    other = '{"Event":"SparkListenerJobEnd","Job ID":0}'
    (tmp_path / "app" / "one").write_text(
        "\n".join(
            [other, task(9, 1, 1), task(10, 100, 7), json.dumps(without, separators=(",", ":"))]
        )
    )
    (tmp_path / "app" / "two").write_text("\n".join([task(12, 10, 0), task(20.5, 1_000, 3)]))
    spans = {
        "load": Span(2, 2, 0, 0, {"from": 10.0, "to": 12.0}),
        "train": Span(2, 2, 0, 0, {"from": 20.0, "to": 21.0}),
        "idle": Span(2, 2, 0, 0),
    }
    assert shuffles(tmp_path, spans) == {"load": (110, 7), "train": (1_000, 3), "idle": (0, 0)}


def test_sizes_are_read_as_duckdb_reads_them() -> None:
    assert size_of("8GB") == 8_000_000_000
    assert size_of("1.5 mib") == 1_572_864
    for text in ("8", "8g", "much"):
        with pytest.raises(ValueError, match="is not a size like 8GB"):
            size_of(text)


def test_a_line_says_how_a_part_grew_and_whether_it_took_too_much() -> None:
    found = lines(
        scale.as_table(
            [
                stage(1_000_000, 3, 7_900_000_000, shuffled=1_500_000_000),
                stage(10_000_000, 30, 8_100_000_000, files=1_234, bytes=20_000_000),
                stage(1_000_000, 5, 9_000_000_000, engine=DUCK, load=0.5),
            ],
            limit=8_000_000_000,
        )
    )
    assert found == [
        [LOAD, "1,000,000", "3.0", "2.0", "7.90", "1.50", "", "", "", "", "", "0.0"],
        [
            *(LOAD, "10,000,000", "30.0", "2.0", "8.10*", "", "", "1,234", "0.02"),
            *("n^1.00", "n^0.00", "0.0"),
        ],
        [f"{LOAD}, {DUCK}", "1,000,000", "5.0", "2.0", "9.00", *[""] * 6, "0.5"],
    ]


def test_the_last_line_names_what_was_measured_with() -> None:
    cases = [Case(size, DAYS, Path("x"), "4g") for size in (1_000_000, 50_000_000)]
    stages = [stage(1_000_000, peak=9_000_000_000), stage(50_000_000, peak=1)]
    cores = psutil.cpu_count()
    assert scale.circumstances(stages, cases, "8GB") == (
        f"{cores} cores; heap 4g; shuffle partitions: 4 at 1,000,000, 40 at 50,000,000; DuckDB may "
        "take 8GB, and 1 of our parts took more (*); 731 days"
    )
    assert "and none of our parts took more; 731" in scale.circumstances(stages, cases, "10GB")


def test_sizes_that_were_measured_are_printed_where_a_later_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(case: Case, *given: Any, **more: Any) -> tuple[list[Stage], list[Volume]]:
        if case.transactions > 1_000:
            raise WorkerFailedError("no memory left")
        return [stage(1_000)], [Volume(1_000, "silver/transactions", 1_000, 3, 5_000)]

    monkeypatch.setattr(scale, "measure", measure)
    app = Typer()
    app.command()(scale.main)
    arguments = ["--transactions", "1000,2000", "--folder", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "no memory left" in done.stderr
    assert "silver/transactions" in done.stdout
    assert "4 at 1,000; " in done.stdout
    done = CliRunner().invoke(app, [*arguments[:1], "2000", *arguments[2:]])
    assert (done.exit_code, done.stdout) == (1, "")
    assert CliRunner().invoke(app, [*arguments, "--memory", "much"]).exit_code == 2
