"""What every step of a run asks of Spark: the table of ``make bench-steps``.

A run of a small deployment in this process, with Spark's event log open, and the JVM's processor
time sampled beside it. Dagster's own events say when a step began and ended; what Spark began in
between was the step's.

For each step: SQL executions, jobs, tasks, the tasks' own processor seconds, those of the whole
JVM, and seconds of wall.
"""

from __future__ import annotations

import bisect
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.data import event_log
from customer360.deployment import Deployment
from customer360.models.registry import MODELS
from customer360.orchestration.instance import open_instance
from customer360.orchestration.run import Plan, run_plan
from customer360.settings import Settings, load_settings
from customer360.sources.synthetic import generate

_EVERY_SECONDS = 0.05
_STARTED = "STEP_START"
_ENDED = ("STEP_SUCCESS", "STEP_FAILURE")


@dataclass(frozen=True)
class Step:
    """What one step took.

    Attributes:
        name: As Dagster names it.
        sql: SQL executions.
        jobs: Spark jobs.
        tasks: Spark tasks.
        task_cpu: Processor seconds of the tasks.
        jvm_cpu: Processor seconds of the JVM, planning and commits included.
        wall: Seconds from its start to its end.
    """

    name: str
    sql: int
    jobs: int
    tasks: int
    task_cpu: float
    jvm_cpu: float
    wall: float


class JvmClock:
    """Processor seconds that the JVM below this process has had, by instant."""

    def __init__(self) -> None:
        self._instants: list[float] = []
        self._seconds: list[float] = []
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample until the block ends."""
        thread = threading.Thread(target=self._sample, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def between(self, first: float, last: float) -> float:
        """Processor seconds between two instants."""
        return self._at(last) - self._at(first)

    def _sample(self) -> None:
        process = psutil.Process()
        java: psutil.Process | None = None
        while not self._stop.wait(_EVERY_SECONDS):
            try:
                java = java or next(
                    (c for c in process.children(recursive=True) if c.name() == "java"), None
                )
                if java is not None:
                    times = java.cpu_times()
                    self._instants.append(time.time())
                    self._seconds.append(times.user + times.system)
            except psutil.NoSuchProcess:
                java = None

    def _at(self, instant: float) -> float:
        position = bisect.bisect_right(self._instants, instant) - 1
        return self._seconds[position] if position >= 0 else 0.0


def spark_events(folder: Path) -> list[Mapping[str, Any]]:
    """The events of the logs in ``folder``."""
    found = []
    for log in sorted(path for path in folder.rglob("*") if path.is_file()):
        with log.open(encoding="utf-8") as lines:
            found += [json.loads(line) for line in lines if line.startswith("{")]
    return found


def steps_of(
    spans: Sequence[tuple[str, float, float]], events: Sequence[Mapping[str, Any]], clock: JvmClock
) -> list[Step]:
    """What was asked of Spark within each span (name, start, end in seconds of the epoch)."""
    sql, jobs, tasks = [], [], []
    for event in events:
        kind = event["Event"]
        if kind.endswith("SparkListenerSQLExecutionStart"):
            sql.append(event["time"] / 1000)
        elif kind == "SparkListenerJobStart":
            jobs.append(event["Submission Time"] / 1000)
        elif kind == "SparkListenerTaskEnd" and event.get("Task Metrics"):
            nanoseconds = event["Task Metrics"]["Executor CPU Time"]
            tasks.append((event["Task Info"]["Launch Time"] / 1000, nanoseconds / 1e9))

    def within(instants: Sequence[float], first: float, last: float) -> int:
        return sum(first <= instant < last for instant in instants)

    return [
        Step(
            name,
            within(sql, first, last),
            within(jobs, first, last),
            within([instant for instant, _ in tasks], first, last),
            sum(seconds for instant, seconds in tasks if first <= instant < last),
            clock.between(first, last),
            last - first,
        )
        for name, first, last in spans
    ]


def step_spans(settings: Settings) -> list[tuple[str, float, float]]:
    """Start and end of every step of the deployment's runs, in their order."""
    with open_instance(settings) as instance:
        spans = []
        for run in reversed(instance.get_runs()):
            started: dict[str, float] = {}
            for entry in instance.all_logs(run.run_id):
                event = entry.dagster_event
                if event is None or event.step_key is None:
                    continue
                if event.event_type_value == _STARTED:
                    started[event.step_key] = entry.timestamp
                elif event.event_type_value in _ENDED:
                    spans.append((event.step_key, started[event.step_key], entry.timestamp))
    return spans


def total(name: str, steps: Sequence[Step]) -> Step:
    """The sum of ``steps``."""
    sums = {
        field: sum(getattr(step, field) for step in steps)
        for field in ("sql", "jobs", "tasks", "task_cpu", "jvm_cpu", "wall")
    }
    return Step(name, **sums)


def as_table(steps: Sequence[Step]) -> Table:
    """The steps, with bronze to gold and all of them below."""
    table = Table()
    table.add_column("step")
    for name in ("SQL", "jobs", "tasks", "task CPU s", "JVM CPU s", "wall s"):
        table.add_column(name, justify="right")
    loading = [s for s in steps if s.name.split("__")[0] in ("bronze", "silver")]
    scores = [spec.scores.removeprefix("gold/") for spec in MODELS]
    scored = (*scores, "customer_360", "forecast", "model_")
    gold = [
        s
        for s in steps
        if s.name.startswith("gold__") and not any(word in s.name for word in scored)
    ]
    sums = (total("bronze to gold", [*loading, *gold]), total("all", steps))
    for step in (*steps, *sums):
        if step is sums[0]:
            table.add_section()
        table.add_row(
            step.name.replace("__", "/"),
            *(f"{count:,}" for count in (step.sql, step.jobs, step.tasks)),
            *(f"{seconds:,.1f}" for seconds in (step.task_cpu, step.jvm_cpu, step.wall)),
        )
    return table


def main(
    customers: Annotated[int, typer.Option(help="Customers of the deployment.")] = 20_000,
    first: Annotated[str, typer.Option("--from", help="First day.")] = "2024-01-01",
    last: Annotated[str, typer.Option("--to", help="Last day.")] = "2025-12-31",
    steps: Annotated[str, typer.Option(help="all, or etl without the models.")] = "etl",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the table to this file.")
    ] = None,
) -> None:
    """Run a deployment of synthetic customers with Spark's event log open."""
    out = Console()
    if not out.is_terminal:
        out = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="customer360-steps-") as scratch:
        home, log = Path(scratch) / "home", Path(scratch) / "events"
        log.mkdir()
        days = {"start_date": date.fromisoformat(first), "end_date": date.fromisoformat(last)}
        settings = load_settings(home, sources=["synthetic"], spark_conf=event_log(log), **days)
        generate(
            settings.raw_dir / "synthetic",
            customers=customers,
            start=days["start_date"],
            end=days["end_date"],
            seed=42,
        )
        clock = JvmClock()
        begun = time.monotonic()
        with clock.running():
            plan = Plan.of(Deployment.of(settings), steps=steps)  # type: ignore[arg-type]
            run_plan(settings, plan, lambda line: out.print(line, highlight=False))
        seconds = time.monotonic() - begun
        found = steps_of(step_spans(settings), spark_events(log), clock)
        out.print(as_table(found))
        out.print(f"The whole command: {seconds:.1f} s")
        shutil.rmtree(home)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(step) for step in found], indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
