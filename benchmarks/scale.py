"""How the cost grows with the data: the table of ``make bench-scale``, for docs/scaling.md.

For each size, in one process with a heap of one size: bronze, silver and gold of all days but the
last; that day; the features again; each model trained and each customer scored, as is set for
millions of them: without intervals and reasons. Where the size allows it, with both as well. DuckDB
does bronze to gold of the same files in a process of its own.

Seconds and CPU are of the whole process tree, memory is the largest sum of its resident sets,
shuffled and spilled bytes are Spark's own, from its event log.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.data import DAYS, Case, written
from benchmarks.meter import Span, WorkerFailedError, watch
from benchmarks.options import DriverMemory, JsonFile, Verbose
from customer360.days import DayRange

GIGABYTE = 1_000_000_000
OURS, DUCK = "ours", "DuckDB"
LOAD = "bronze to gold"


@dataclass(frozen=True)
class Stage:
    """What one part of the work took at one size.

    Attributes:
        engine: Ours or DuckDB.
        transactions: Size of the data set.
        name: The part.
        seconds: Wall time.
        cpu_seconds: Of the process tree.
        peak_bytes: Largest resident memory of the process tree.
        shuffled: Bytes that Spark wrote for its shuffles.
        spilled: Bytes that did not fit into the heap and went to disk.
        files: Files of the tables after it.
        bytes: Their bytes.
        load: The machine's load when it began.
    """

    engine: str
    transactions: int
    name: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    shuffled: int = 0
    spilled: int = 0
    files: int = 0
    bytes: int = 0
    load: float = 0.0


@dataclass(frozen=True)
class Volume:
    """A table at one size of the data: what one folder and one file of it come to."""

    transactions: int
    table: str
    rows: int
    files: int
    bytes: int


def exponent(small: Stage, large: Stage, figure: str) -> float | None:
    """The power of the data that ``figure`` grows with, between two sizes; 1 is in proportion."""
    before, after = getattr(small, figure), getattr(large, figure)
    if not before or not after:
        return None
    return math.log(after / before) / math.log(large.transactions / small.transactions)


def shuffles(events: Path, spans: Mapping[str, Span]) -> dict[str, tuple[int, int]]:
    """Bytes shuffled and spilled within each span, from the event logs in ``events``."""
    tasks = []
    for log in sorted(path for path in events.rglob("*") if path.is_file()):
        with log.open(encoding="utf-8") as lines:
            for line in lines:
                if '"Event":"SparkListenerTaskEnd"' not in line:
                    continue
                event = json.loads(line)
                metrics = event.get("Task Metrics") or {}
                shuffled = metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
                finished = event["Task Info"]["Finish Time"] / 1000
                tasks.append((finished, shuffled, metrics.get("Disk Bytes Spilled", 0)))
    found = {}
    for name, span in spans.items():
        first, last = span.facts.get("from", 0.0), span.facts.get("to", 0.0)
        within = [(s, d) for at, s, d in tasks if first <= at <= last]
        found[name] = (sum(s for s, _ in within), sum(d for _, d in within))
    return found


def measure(
    case: Case, memory: str, *, explained: bool, verbose: bool
) -> tuple[list[Stage], list[Volume]]:
    """All stages of one size, and the tables that ours left.

    Raises:
        WorkerFailedError: A measured process failed.
    """
    arguments: dict[str, Any] = {
        "transactions": case.transactions,
        "days": [str(case.days.first), str(case.days.last)],
        "folder": str(case.folder),
        "driver_memory": case.driver_memory,
    }
    watch("generate", arguments, verbose=verbose)
    events = case.folder / "events"
    shutil.rmtree(events, ignore_errors=True)
    events.mkdir(parents=True)
    asked = arguments | {"events": str(events), "explained": explained}
    spans = watch("scale", asked, verbose=verbose)
    tables = spans.pop("tables").facts
    volumes = [Volume(case.transactions, table, *found) for table, found in tables.items()]
    moved = shuffles(events, spans)
    stages = []
    for name, span in spans.items():
        shuffled, spilled = moved[name]
        written_by_then = {each: span.facts.get(each, 0) for each in ("files", "bytes")}
        moving = {"shuffled": shuffled, "spilled": spilled}
        stages.append(_stage(OURS, case, name, span, **moving, **written_by_then))
    shutil.rmtree(case.folder / "scale", ignore_errors=True)
    duck = watch("duck_cold", arguments | {"memory": memory}, verbose=verbose)
    files, size = written(case.folder / "duckdb-cold")
    stages.append(_stage(DUCK, case, LOAD, duck["load"], files=files, bytes=size))
    return stages, volumes


def _stage(engine: str, case: Case, name: str, span: Span, **more: int) -> Stage:
    return Stage(
        engine=engine,
        transactions=case.transactions,
        name=name,
        seconds=span.seconds,
        cpu_seconds=span.cpu_seconds,
        peak_bytes=span.peak_bytes,
        load=span.load,
        **more,
    )


def size_of(text: str) -> int:
    """Bytes of a size as DuckDB writes it: ``8GB`` are 8,000,000,000, ``8GiB`` a little more.

    Raises:
        ValueError: It is not such a size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])(i?)B", text.strip(), re.IGNORECASE)
    if found is None:
        raise ValueError(f"{text!r} is not a size like 8GB")
    number, unit, binary = found.groups()
    return round(float(number) * (1024 if binary else 1000) ** ("KMGT".index(unit.upper()) + 1))


def as_table(stages: Sequence[Stage], limit: int) -> Table:
    """The stages, one line a part and size, with the growth since the size before.

    Args:
        stages: Of all sizes.
        limit: Bytes that ours should stay below; peaks beyond it have a star.
    """
    table = Table(title_justify="left")
    table.add_column("part", no_wrap=True)
    columns = (
        *("transactions", "seconds", "CPU s", "peak GB", "shuffled GB", "spilled GB"),
        *("files", "GB", "seconds grow by", "CPU grows by", "load"),
    )
    for name in columns:
        table.add_column(name, justify="right")
    parts = list(dict.fromkeys((stage.engine, stage.name) for stage in stages))
    for engine, name in parts:
        of_part = [s for s in stages if (s.engine, s.name) == (engine, name)]
        for before, stage in zip([None, *of_part], of_part, strict=False):
            growth = [
                exponent(before, stage, figure) if before else None
                for figure in ("seconds", "cpu_seconds")
            ]
            table.add_row(
                name if engine == OURS else f"{name}, {engine}",
                f"{stage.transactions:,}",
                f"{stage.seconds:,.1f}",
                f"{stage.cpu_seconds:,.1f}",
                _gigabytes(stage.peak_bytes) + ("*" if _is_beyond(stage, limit) else ""),
                _gigabytes(stage.shuffled),
                _gigabytes(stage.spilled),
                f"{stage.files:,}" if stage.files else "",
                _gigabytes(stage.bytes),
                *("" if power is None else f"n^{power:.2f}" for power in growth),
                f"{stage.load:.1f}",
            )
        table.add_section()
    return table


def _gigabytes(count: int) -> str:
    return f"{count / GIGABYTE:.2f}" if count else ""


def _is_beyond(stage: Stage, limit: int) -> bool:
    return stage.engine == OURS and stage.peak_bytes > limit


def circumstances(stages: Sequence[Stage], cases: Sequence[Case], memory: str) -> str:
    """What the figures were measured with, in a line.

    Args:
        stages: Of all sizes.
        cases: The sizes, of one heap and days.
        memory: What DuckDB may take, and ours should stay below.
    """
    partitions = (f"{case.shuffle_partitions} at {case.transactions:,}" for case in cases)
    beyond = sum(_is_beyond(stage, size_of(memory)) for stage in stages)
    return (
        f"{psutil.cpu_count()} cores; heap {cases[0].driver_memory}; shuffle partitions: "
        f"{', '.join(partitions)}; DuckDB may take {memory}, and {beyond or 'none'} of our parts "
        f"took more{' (*)' if beyond else ''}; {len(cases[0].days)} days"
    )


def volumes_table(volumes: Sequence[Volume]) -> Table:
    """Rows, files and bytes of each table, one column a size."""
    sizes = list(dict.fromkeys(volume.transactions for volume in volumes))
    table = Table(title_justify="left")
    table.add_column("table", no_wrap=True)
    for size in sizes:
        for name in (f"rows at {size:,}", "files", "MB"):
            table.add_column(name, justify="right")
    of = {(volume.table, volume.transactions): volume for volume in volumes}
    for name in dict.fromkeys(volume.table for volume in volumes):
        cells: list[str] = []
        for size in sizes:
            found = of.get((name, size))
            cells += (
                (f"{found.rows:,}", f"{found.files:,}", f"{found.bytes / 1e6:,.1f}")
                if found
                else ("", "", "")
            )
        table.add_row(name, *cells)
    return table


def main(
    transactions: Annotated[
        str, typer.Option(help="Sizes of the data sets, separated by commas.")
    ] = "1000000,10000000,50000000",
    driver_memory: DriverMemory = "3g",
    memory: Annotated[
        str, typer.Option(help="What DuckDB may take, and what ours should stay below.")
    ] = "8GB",
    folder: Annotated[
        Path, typer.Option(help="Where data and tables are made; 50 M take some 30 GB.")
    ] = Path("data/benchmarks"),
    explained_to: Annotated[
        int, typer.Option(help="Transactions up to which scores are also made whole.")
    ] = 1_000_000,
    json_file: JsonFile = None,
    verbose: Verbose = False,
    short: Annotated[
        bool, typer.Option("--short", help="60 days in place of two years: does it all work?")
    ] = False,
) -> None:
    """Measure how time, processor, memory, shuffle and storage grow with the transactions."""
    out, err = Console(), Console(stderr=True)
    if not out.is_terminal:
        out = Console(width=160)
    days = DayRange(DAYS.first, DAYS.first + timedelta(days=59)) if short else DAYS
    try:
        limit = size_of(memory)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--memory") from None
    stages: list[Stage] = []
    volumes: list[Volume] = []
    cases: list[Case] = []
    failed = False
    for size in (int(text.replace("_", "")) for text in transactions.split(",")):
        case = Case(size, days, folder / f"scale-{size}", driver_memory)
        err.print(f"[dim]… {size:,} transactions[/dim]", highlight=False)
        try:
            of_size = measure(case, memory, explained=size <= explained_to, verbose=verbose)
        except WorkerFailedError as error:
            err.print(str(error), style="red", markup=False, highlight=False)
            failed = True
            break  # what was measured before it, in hours, is shown all the same
        finally:
            shutil.rmtree(case.folder, ignore_errors=True)
        cases.append(case)
        stages += of_size[0]
        volumes += of_size[1]
        if json_file is not None:  # after each size: the last one takes most of an hour
            json_file.parent.mkdir(parents=True, exist_ok=True)
            found = {
                "stages": [asdict(stage) for stage in stages],
                "tables": [asdict(volume) for volume in volumes],
            }
            json_file.write_text(json.dumps(found, indent=2) + "\n")
    if cases:
        out.print(as_table(stages, limit))
        out.print(volumes_table(volumes))
        out.print(circumstances(stages, cases, memory))
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
