"""``make faults``: every fault, one after another, and the page of what came of them.

All of them take hours: what came of each is kept in `RESULTS` as it comes, with the code's version,
and the next time goes on after it. ``make faults ARGS=--anew`` begins again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from customer360.lakehouse.session import spark_session
from customer360.settings import load_settings
from customer360_tests.deployments import PROJECT
from customer360_tests.faults import clocks, deliveries, kills, places, services, storage, together
from customer360_tests.faults.company import Company
from customer360_tests.faults.faults import Fault, survive
from customer360_tests.faults.page import PAGE, page_of, shortcomings
from customer360_tests.faults.results import RESULTS, names, note, read
from customer360_tests.session import TINY

_CUSTOMERS = 400


def faults(company: Company, disk: Path | None) -> Iterator[Fault]:
    """All there are."""
    for kind in (
        kills.at_commits,
        kills.by_time,
        kills.java,
        kills.stopped,
        storage.errors,
        storage.quota,
        storage.leftovers,
        deliveries.all_kinds,
        services.mlflow,
        services.postgres,
        clocks.all_kinds,
        together.all_kinds,
        places.all_kinds,
    ):
        yield from kind(company)
    yield from storage.full_disk(disk)


def main(
    only: Annotated[str, typer.Option(help="Faults whose name has this text; no page.")] = "",
    each: Annotated[int, typer.Option(help="So many of each kind; no page.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes, each with a company.")] = 1,
    results: Annotated[
        Path, typer.Option(help="Results, a line each; go on after these.")
    ] = RESULTS,
    anew: Annotated[bool, typer.Option("--anew", help="Forget what came of them before.")] = False,
    part: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Break runs in every way, run them again, and write docs/reliability.md."""
    with tempfile.TemporaryDirectory(prefix="faults_") as folder:
        file = results
        if part < 0:
            if anew:
                file.unlink(missing_ok=True)
            started = [_worker(number, workers, only, each, file) for number in range(workers)]
            failed = [process.wait() for process in started]
            if any(failed):
                raise typer.Exit(1)
            found = [result for _, result in read(file) if result is not None]
            wrong = [result.kind for result in found if not result.survived]
            if not only and not each:
                PAGE.write_text(page_of(file), encoding="utf-8")
                wrong = shortcomings(found)
            for each_wrong in wrong:
                Console().print(each_wrong, markup=False)
            Console().print(f"{len(found)} faults, {sum(one.survived for one in found)} survived")
            raise typer.Exit(1 if wrong else 0)
        _work(Path(folder), file, only, each, part, workers)


def _worker(part: int, workers: int, only: str, each: int, file: Path) -> subprocess.Popen[bytes]:
    arguments = [
        "--part",
        str(part),
        "--workers",
        str(workers),
        "--only",
        only,
        "--each",
        str(each),
    ]
    return subprocess.Popen(
        [sys.executable, "-m", __package__, *arguments, "--results", str(file)],
        env=TINY | {"CUSTOMER360_SPARK_DRIVER_MEMORY": "1g"} | os.environ,
    )


def _work(folder: Path, file: Path, only: str, each: int, part: int, workers: int) -> None:
    console, version = Console(), _version()
    done = names(file)
    company = Company(folder, spark_session(load_settings(folder / "session")))
    company.open(customers=_CUSTOMERS)
    with storage.small_disk(folder / "disk") as disk:
        named = [fault for fault in faults(company, disk) if only in fault.name]
        left = [fault for fault in _by_turns(named, each) if fault.name not in done]
        mine = left[part::workers]
        for number, fault in enumerate(mine, 1):
            result = survive(company, fault)
            company.spark.range(1).collect()  # this process's own Java is none of the faults'
            company.forget_tables()
            note(file, fault, version, result)
            if result is None:
                state = "[dim]did not happen[/dim]"
            elif result.survived:
                state = f"[green]survived[/green] {result.seconds:.0f} s; {result.ended}"
            else:
                state = f"[red]NOT SURVIVED[/red] {result.problem} {result.difference}"
            console.print(f"{number}/{len(mine)} {fault.name}: {state}", soft_wrap=True)
        company.close()


def _version() -> str:
    """The commit of the code that is broken."""
    asked = ["git", "-C", str(PROJECT), "rev-parse", "--short=7", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _by_turns(found: list[Fault], most: int) -> list[Fault]:
    """One of each kind, and then the next of each, until there are ``most`` of each (0: all)."""
    kinds: dict[str, list[Fault]] = {}
    for fault in found:
        kinds.setdefault(fault.kind, []).append(fault)
    rounds = zip_longest(*(of_kind[: most or None] for of_kind in kinds.values()))
    return [fault for turn in rounds for fault in turn if fault is not None]


if __name__ == "__main__":
    typer.run(main)
