"""Which measurements are made, what each includes, and what is to be reached."""

from __future__ import annotations

import platform
import shutil
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.agreement import Agreement, features_agreement, gold_agreement, silver_rows
from benchmarks.data import DAYS, Case, written
from benchmarks.meter import Span, watch
from customer360.days import DayRange
from customer360.lakehouse.reading import Tables
from customer360.table_names import CUSTOMER_DAYS

GIGABYTE = 1 << 30
_START = "start"

_PIPELINE = (
    "raw parquet to bronze, quarantine, silver and gold on disk, with the counts behind every "
    "asset check"
)


@dataclass
class Measurement:
    """One figure of the report.

    Attributes:
        name: What was measured.
        transactions: Size of the data set.
        includes: What the seconds include.
        seconds: Wall time.
        cpu_seconds: Of the process and all its descendants.
        peak_bytes: Largest resident memory of them together.
        files: Data files written.
        bytes: Their bytes.
        load: Machine's load when it began; above the cores, the seconds are not worth much.
        more: Steps and counts.
    """

    name: str
    transactions: int
    includes: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    files: int | None = None
    bytes: int | None = None
    load: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Target:
    """What a figure should reach, and whether it did; ``reached`` is None off its own size."""

    name: str
    wanted: str
    found: str
    reached: bool | None


@dataclass
class Report:
    """Everything that was measured in one sitting."""

    machine: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    agreements: dict[int, list[Agreement]] = field(default_factory=dict)
    silver: dict[int, dict[str, tuple[int, int]]] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)

    def get(self, name: str, transactions: int) -> Measurement | None:
        """The measurement ``name`` at ``transactions``."""
        return next(
            (m for m in self.measurements if (m.name, m.transactions) == (name, transactions)),
            None,
        )

    @property
    def agreed(self) -> bool:
        """Whether all gold compared was the same."""
        return all(a.holds for found in self.agreements.values() for a in found)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        found = asdict(self)
        found["agreed"] = self.agreed
        return found


OURS_WARM, OURS_COLD = "ours, warm session", "ours, cold"
DUCK_WARM, DUCK_COLD = "DuckDB, warm", "DuckDB, cold"
DAGSTER = "ours as a Dagster run, warm session"
GENERATE = "generate raw files"
FIRST = "session, first Delta commit, read"
ONE_DAY = "one more day after {} days, warm session"

FEATURES_BY = "customer_features, {}"
LIBRARIES = ("DuckDB", "pandas", "Polars")

MEASURES = ("generator", "pipeline", "frames", "dagster", "days", "start")


@dataclass
class Suite:
    """A sitting.

    Args:
        sizes: Transactions of each data set.
        folder: Where data sets and deployments are made.
        measures: Which of `MEASURES`.
        driver_memory: Heap of the Spark driver.
        days: Days of the data sets.
        early: Days of history before the first day that is loaded alone.
        samples: Days that are loaded alone, early and late; the median counts.
        keep: Leave the data sets and tables on disk.
        say: Receives a line as each measurement begins.
        verbose: Show what the measured processes print.
    """

    sizes: tuple[int, ...]
    folder: Path
    measures: tuple[str, ...] = MEASURES
    driver_memory: str = "6g"
    days: DayRange = DAYS
    early: int = 30
    samples: int = 3
    keep: bool = False
    verbose: bool = False
    say: Callable[[str], None] = lambda line: None

    def run(self) -> Report:
        """Measure everything asked for.

        Raises:
            WorkerFailedError: A measured process failed.
        """
        report = Report(_machine())
        for size in self.sizes:
            case = Case(size, self.days, self.folder / str(size), self.driver_memory)
            report.settings[str(size)] = {
                "days": str(case.days),
                "spark_driver_memory": case.driver_memory,
                "spark_shuffle_partitions": case.shuffle_partitions,
                "spark_master": "local[*]",
                "duckdb": "defaults (all cores, 80 % of memory); "
                "partitioned_write_max_open_files=1000, preserve_insertion_order=false",
            }
            self._generate(case, report)
            if "pipeline" in self.measures:
                self._pipeline(case, report)
            if "frames" in self.measures:
                self._frames(case, report)
            if "dagster" in self.measures:
                self._dagster(case, report)
            if "days" in self.measures:
                self._days(case, report)
            self.clean()
        if "start" in self.measures:
            self._start(report)
        report.targets = _targets(report, max(self.sizes), self.early, self._late)
        return report

    def clean(self) -> None:
        """Remove what was made, and nothing else, unless it is to be kept."""
        if self.keep:
            return
        for name in (*map(str, self.sizes), _START):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    @property
    def _late(self) -> int:
        return len(self.days) - self.samples

    def _watch(self, task: str, case: Case, **more: Any) -> dict[str, Span]:
        self.say(f"{task.replace('_', ' ')}, {case.transactions:,} transactions")
        arguments = {
            "transactions": case.transactions,
            "days": [str(case.days.first), str(case.days.last)],
            "folder": str(case.folder),
            "driver_memory": case.driver_memory,
        }
        return watch(task, arguments | more, verbose=self.verbose)

    def _generate(self, case: Case, report: Report) -> None:
        if "generator" in self.measures:
            shutil.rmtree(case.raw, ignore_errors=True)
        span = self._watch("generate", case)["generate"]
        counts = span.facts["counts"]
        rows = counts["transactions"] + counts["customer_rows"]
        if "generator" not in self.measures:
            return
        files, size = written(case.raw)
        report.measurements.append(
            _measured(
                GENERATE,
                case,
                "customers, purchases, profiles, defects and truth into a file a table and day; "
                "own process, imports left out",
                span,
                files,
                size,
                rows=rows,
                rows_a_second=rows / span.seconds,
                counts=counts,
            )
        )

    def _pipeline(self, case: Case, report: Report) -> None:
        for name, task, home, includes in (
            (DUCK_WARM, "duck_warm", "duckdb", f"{_PIPELINE}; the connection did a week before"),
            (OURS_WARM, "ours_warm", "ours", f"{_PIPELINE}; the session did a week before"),
            (DUCK_COLD, "duck_cold", "duckdb-cold", f"{_PIPELINE}; a new process, start to exit"),
            (
                OURS_COLD,
                "ours_cold",
                "ours-cold",
                f"{_PIPELINE}; a new process with its JVM, start to exit",
            ),
        ):
            spans = self._watch(task, case)
            span = spans["process"] if "cold" in task else spans["load"]
            files, size = written(case.folder / home)
            report.measurements.append(
                _measured(
                    name, case, includes, span, files, size, steps=spans["load"].facts["steps"]
                )
            )
            if not self.keep and "cold" in task:
                shutil.rmtree(case.folder / home, ignore_errors=True)
        duck_home = case.folder / "duckdb"
        report.agreements[case.transactions] = gold_agreement(case.lakehouse, duck_home)
        report.silver[case.transactions] = silver_rows(case.lakehouse, duck_home)

    def _frames(self, case: Case, report: Report) -> None:
        if "pipeline" not in self.measures and not _has_all_days(case):
            self._watch("ours_warm", case)
        for name in ("ours", *LIBRARIES):
            span = self._watch(f"features_{name.lower()}", case)["features"]
            includes = (
                "silver/customer_days, as our load wrote it, to one row a customer as of the last "
                f"day, in zstd parquet{' with a Delta commit' if name == 'ours' else ''}; the "
                "second time in its own process"
            )
            report.measurements.append(_measured(FEATURES_BY.format(name), case, includes, span))
        made = {name: case.frames(name) for name in LIBRARIES}
        report.agreements.setdefault(case.transactions, []).extend(
            features_agreement(case.lakehouse, made)
        )

    def _dagster(self, case: Case, report: Report) -> None:
        span = self._watch("dagster", case)["run"]
        files, size = written(case.folder / "dagster")
        engine = span.facts["engine_seconds"]
        report.measurements.append(
            _measured(
                DAGSTER,
                case,
                f"{_PIPELINE}; as `customer360 run --steps etl` does it: definitions, events in "
                "SQLite, metadata for every partition; overhead is the time outside the engine's "
                "functions",
                span,
                files,
                size,
                engine_seconds=engine,
                overhead=(span.seconds - engine) / engine,
                steps=span.facts["steps"],
            )
        )

    def _days(self, case: Case, report: Report) -> None:
        late = self._late
        spans = self._watch("one_more_day", case, early=self.early, late=late, samples=self.samples)
        for after in (self.early, late):
            single = [spans[f"day {after + n}"] for n in range(1, self.samples + 1)]
            middle = sorted(single, key=lambda span: span.seconds)[len(single) // 2]
            gold = [_gold_seconds(span) for span in single]
            report.measurements.append(
                _measured(
                    ONE_DAY.format(after),
                    case,
                    "bronze, silver and gold with a new snapshot of all customers, and every "
                    f"check, for one day (with the days its late rows touch); median of "
                    f"{len(single)} days",
                    middle,
                    all_seconds=[span.seconds for span in single],
                    seconds_without_snapshots=statistics.median(
                        span.seconds - part for span, part in zip(single, gold, strict=True)
                    ),
                    steps=middle.facts["steps"],
                )
            )

    def _start(self, report: Report) -> None:
        case = Case(0, self.days, self.folder / _START, "2g")
        spans = self._watch("first_table", case)
        report.measurements.append(
            _measured(
                FIRST,
                case,
                "new process, start to exit: interpreter, imports, JVM, session, one table of "
                "ten rows written and counted; driver memory 2g, the default",
                spans["process"],
                session_seconds=spans["session, commit, read"].facts["session_seconds"],
            )
        )
        self.clean()


def _has_all_days(case: Case) -> bool:
    """Whether a sitting that kept its tables (``--keep``) left those of this data set."""
    tables = Tables(case.lakehouse)
    return (
        tables.exists(CUSTOMER_DAYS)
        and tables.newest(CUSTOMER_DAYS, "business_date") == case.days.last
    )


def _gold_seconds(span: Span) -> float:
    """Seconds of the snapshots of all customers, which grow with the customers."""
    tables = ("customer_features", "rfm_segments", "cohort_retention")
    steps = span.facts["steps"].items()
    return sum(seconds for step, seconds in steps if step.endswith(tables))


def _measured(
    name: str,
    case: Case,
    includes: str,
    span: Span,
    files: int | None = None,
    size: int | None = None,
    **more: Any,
) -> Measurement:
    return Measurement(
        name=name,
        transactions=case.transactions,
        includes=includes,
        seconds=span.seconds,
        cpu_seconds=span.cpu_seconds,
        peak_bytes=span.peak_bytes,
        files=files,
        bytes=size,
        load=span.load,
        more=more,
    )


def _machine() -> dict[str, Any]:
    names = (
        *("customer360", "duckdb", "pandas", "polars", "pyspark", "delta-spark", "dagster"),
        *("pyarrow", "numpy"),
    )
    return {
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": psutil.getloadavg()[0],
        "versions": {name: version(name) for name in names},
    }


def _targets(report: Report, size: int, early: int, late: int) -> list[Target]:
    """What is to be reached, held against the largest size that was measured."""
    full = size >= 10_000_000
    found: list[Target] = []

    def add(name: str, wanted: str, value: str, reached: bool, *, counts: bool = True) -> None:
        found.append(Target(name, wanted, value, reached if counts else None))

    ours, duck = report.get(OURS_WARM, size), report.get(DUCK_WARM, size)
    if ours and duck:
        ratio = ours.seconds / duck.seconds
        add("ours beside DuckDB, warm, 10 M", "≤ 4.0×", f"{ratio:.2f}×", ratio <= 4, counts=full)
    days = [(report.get(ONE_DAY.format(n), size), n) for n in (early, late)]
    for day, n in days:
        if day:
            add(f"one more day after {n}", "≤ 12 s", f"{day.seconds:.2f} s", day.seconds <= 12)
    if days[0][0] and days[1][0]:
        ratio = days[1][0].seconds / days[0][0].seconds
        add(f"day {late} beside day {early}", "≤ 1.3×", f"{ratio:.2f}×", ratio <= 1.3)
    made = report.get(GENERATE, size)
    if made:
        rate = made.more["rows_a_second"]
        add("generator", "≥ 1,000,000 rows/s", f"{rate:,.0f} rows/s", rate >= 1e6, counts=full)
        memory = made.peak_bytes / GIGABYTE
        add("generator's memory", "≤ 2 GB", f"{memory:.2f} GB", memory <= 2, counts=full)
    run = report.get(DAGSTER, size)
    if run:
        share = run.more["overhead"]
        add("Dagster over the engine, 10 M", "≤ 10 %", f"{share:.1%}", share <= 0.1, counts=full)
    first = report.get(FIRST, 0)
    if first:
        add(FIRST, "≤ 9 s", f"{first.seconds:.1f} s", first.seconds <= 9)
    return found
