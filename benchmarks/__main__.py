"""``python -m benchmarks``: measure this pipeline and DuckDB in one sitting."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.meter import WorkerFailedError
from benchmarks.options import DriverMemory, JsonFile, Verbose
from benchmarks.report import render
from benchmarks.suite import MEASURES, Suite
from customer360.days import DayRange

QUICK = DayRange(date(2024, 1, 1), date(2024, 3, 30))


def main(
    transactions: Annotated[
        str, typer.Option(help="Sizes of the data sets, separated by commas.")
    ] = "1000000,10000000",
    measure: Annotated[
        str, typer.Option(help=f"Which to make, separated by commas: {', '.join(MEASURES)}.")
    ] = ",".join(MEASURES),
    quick: Annotated[
        bool, typer.Option("--quick", help="20,000 transactions in 90 days: does it all work?")
    ] = False,
    folder: Annotated[
        Path, typer.Option(help="Where data sets and tables are made; 10 M take some 6 GB.")
    ] = Path("data/benchmarks"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave them on disk.")] = False,
    driver_memory: DriverMemory = "6g",
    json_file: JsonFile = None,
    verbose: Verbose = False,
) -> None:
    """Measure bronze to gold beside DuckDB on the same files, and what a user waits for."""
    out, err = Console(), Console(stderr=True)
    measures = tuple(name.strip() for name in measure.split(",") if name.strip())
    unknown = sorted(set(measures) - set(MEASURES))
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]} is none of {', '.join(MEASURES)}", param_hint="--measure"
        )
    try:
        sizes = tuple(int(size.replace("_", "")) for size in transactions.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{transactions!r} is not a list of numbers", param_hint="--transactions"
        ) from None
    suite = Suite(
        sizes=sizes,
        folder=folder,
        measures=measures,
        driver_memory=driver_memory,
        keep=keep,
        verbose=verbose,
        say=lambda line: err.print(f"[dim]… {line}[/dim]", highlight=False),
    )
    if quick:
        suite.sizes, suite.days, suite.early, suite.samples = (20_000,), QUICK, 10, 1
        suite.driver_memory = "2g"
    try:
        report = suite.run()
    except WorkerFailedError as error:
        err.print(f"[red]{error}[/red]", highlight=False)
        raise typer.Exit(1) from None
    finally:
        suite.clean()
    if not out.is_terminal:
        out = Console(width=120)  # a file has no width of its own
    for part in render(report):
        out.print(part)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(report.as_json(), indent=2, default=str) + "\n")
        err.print(f"[dim]{json_file}[/dim]")
    if not report.agreed:
        err.print("[red]gold differs between the engines: see above[/red]")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
