"""What runs inside a measured process: ``python -m benchmarks.worker TASK ARGUMENTS``.

Each task marks the stretch that counts with ``span``; ``benchmarks.meter`` watches from outside.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import partial, wraps
from pathlib import Path
from typing import Any

from benchmarks.data import SECRET, Case, event_log, written
from benchmarks.meter import MARK
from customer360.days import DayRange
from customer360.table_names import CUSTOMER_DAYS, FEATURES, FIRST_ORDERS

WARM_UP_DAYS = 7


def _tell(message: dict[str, Any]) -> None:
    print(MARK + json.dumps(message), flush=True)
    sys.stdin.readline()


@contextmanager
def span(name: str) -> Iterator[dict[str, Any]]:
    """A stretch that is measured; what is put into the dictionary is reported with it."""
    facts: dict[str, Any] = {}
    _tell({"event": "begin", "name": name})
    begun = time.perf_counter()
    yield facts
    seconds = time.perf_counter() - begun
    _tell({"event": "end", "name": name, "seconds": seconds, "facts": facts})


def _small(case: Case) -> DayRange:
    last = min(case.days.last, case.days.first + timedelta(days=WARM_UP_DAYS - 1))
    return DayRange(case.days.first, last)


# Tasks ------------------------------------------------------------------------------------


def generate(case: Case) -> None:
    """Raw files; imports are not counted, the pools that Faker fills are."""
    with span("generate") as facts:
        facts["counts"] = case.generate().counts


def ours_warm(case: Case) -> None:
    """Bronze to gold in a session that did a week's worth once before, in another home."""
    from benchmarks import ours

    small = _small(case)
    warm_up = ours.workspace(case.deployment(case.home("warm-up")))
    ours.load(warm_up, small, [small.last])
    work = ours.workspace(case.deployment(case.home("ours")))
    with span("load") as facts:
        facts["steps"] = ours.load(work, case.days, [case.days.last])


def ours_cold(case: Case) -> None:
    """Bronze to gold, first thing in a new process."""
    from benchmarks import ours

    work = ours.workspace(case.deployment(case.home("ours-cold")))
    with span("load") as facts:
        facts["steps"] = ours.load(work, case.days, [case.days.last])


def duck_warm(case: Case) -> None:
    """DuckDB's bronze to gold on a connection that did a week's worth once before."""
    from benchmarks.duck import DuckPipeline, connect

    connection, small = connect(), _small(case)
    warm_up = DuckPipeline(case.raw, case.home("warm-up"), SECRET.encode(), connection)
    warm_up.load(small, small.last)
    pipeline = DuckPipeline(case.raw, case.home("duckdb"), SECRET.encode(), connection)
    with span("load") as facts:
        facts["steps"] = pipeline.load(case.days, case.days.last)


def duck_cold(case: Case, memory: str | None = None) -> None:
    """DuckDB's bronze to gold, first thing in a new process."""
    from benchmarks.duck import DuckPipeline, connect

    connection = connect(memory, case.folder / "duckdb-spill")
    pipeline = DuckPipeline(case.raw, case.home("duckdb-cold"), SECRET.encode(), connection)
    with span("load") as facts:
        facts["steps"] = pipeline.load(case.days, case.days.last)


def dagster(case: Case) -> None:
    """`customer360 run --steps etl` in a warm session; the engine's part is clocked inside."""
    engine = _engine_clock()
    from customer360.orchestration.run import Plan, run_plan

    small = _small(case)
    home = case.home("warm-up")
    run_plan(case.settings(home), Plan(small, (small.last,), "etl"), _log)
    settings = case.settings(case.home("dagster"))
    engine.clear()
    with span("run") as facts:
        run_plan(settings, Plan(case.days, (case.days.last,), "etl"), _log)
        facts["engine_seconds"] = sum(engine.values())
        facts["steps"] = dict(engine)


def scale(case: Case, events: str, *, explained: bool) -> None:
    """All days but the last, that day, the features again, and every model; see `scale.py`."""
    from benchmarks import ours
    from customer360.lakehouse.reading import Tables
    from customer360.models.registry import MODELS
    from customer360.pipeline.make_gold import make_snapshots
    from customer360.pipeline.run_models import score, train

    home = case.home("scale")
    quick = {"lifetime_value_intervals": False, "score_reasons": False}
    work = ours.workspace(case.deployment(home, spark_conf=event_log(Path(events)), **quick))
    last, before = case.days.last, case.days.last - timedelta(days=1)

    def stage(name: str, work_of_it: Callable[[], object]) -> None:
        with span(name) as facts:
            facts["from"] = time.time()
            work_of_it()
            facts["to"] = time.time()
            facts["files"], facts["bytes"] = written(home / "lakehouse")

    stage("bronze to gold", lambda: ours.load(work, DayRange(case.days.first, before), [before]))
    stage("one more day", lambda: ours.load(_next_run(work), DayRange(last, last), [last]))
    stage("features again", lambda: make_snapshots(work, FEATURES, [last]))
    stage("first orders", lambda: make_snapshots(work, FIRST_ORDERS, [last]))
    for spec in MODELS:
        stage(f"train {spec.title}", partial(train, work, spec, last))
        stage(f"score {spec.title}", partial(score, work, spec, [last]))
    if explained:
        settings = work.deployment.settings.model_copy(update=dict.fromkeys(quick, True))
        whole = replace(work, deployment=replace(work.deployment, settings=settings))
        for spec in MODELS:
            stage(f"score {spec.title}, whole", partial(score, whole, spec, [last]))
    with span("tables") as facts:
        log = Tables(home / "lakehouse")
        for table in log.tables():
            found = log.details(table)
            facts[table] = [found.rows, len(log.open(table).file_uris()), found.bytes]


def _log(line: str) -> None:
    print(line, flush=True)


def _engine_clock() -> dict[str, float]:
    """Seconds inside the functions that assets call, by function, counted from now on.

    Assets import them when they run, so that they find these.
    """
    from customer360.pipeline import audit, load_bronze, load_silver, make_gold

    took: dict[str, float] = {}

    def clocked(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                name = function.__name__
                took[name] = took.get(name, 0.0) + time.perf_counter() - begun

        return timed

    named = {
        load_bronze: ("load_bronze",),
        load_silver: (
            "load_customers",
            "load_customer_history",
            "load_transactions",
            "load_customer_days",
        ),
        make_gold: (
            "make_snapshots",
            "make_business_health",
        ),
        audit: (
            "audit_keys",
            "audit_history",
            "revenue_of",
        ),
    }
    for module, functions in named.items():
        for function in functions:
            setattr(module, function, clocked(getattr(module, function)))
    return took


def one_more_day(case: Case, early: int, late: int, samples: int) -> None:
    """A day at a time, after ``early`` days and after ``late`` days of history.

    The day before the first that counts is loaded alone too, so that its plans are warm.
    """
    from benchmarks import ours

    work = ours.workspace(case.deployment(case.home("days")))

    def day(n: int) -> date:
        return case.days.first + timedelta(days=n - 1)

    def load(first: int, last: int) -> ours.Steps:
        days = DayRange(day(first), day(last))
        return ours.load(_next_run(work), days, [days.last])

    loaded = 0
    for after in (early, late):
        load(loaded + 1, after - 1)
        load(after, after)
        for n in range(after + 1, after + samples + 1):
            with span(f"day {n}") as facts:
                facts["steps"] = load(n, n)
        loaded = after + samples


def _next_run(work: Any) -> Any:
    """The same workspace as a later run."""
    from customer360.pipeline.workspace import Workspace

    return Workspace(work.lakehouse, work.deployment, work.run_id)


def first_table(case: Case) -> None:
    """A session, a first Delta commit and a read of it."""
    from customer360.contracts import Column, Contract
    from customer360.lakehouse.session import spark_session
    from customer360.lakehouse.tables import Lakehouse

    settings = case.settings(case.home("first"))
    with span("session, commit, read") as facts:
        begun = time.perf_counter()
        spark = spark_session(settings)
        facts["session_seconds"] = time.perf_counter() - begun
        lakehouse = Lakehouse(spark, settings.lakehouse_root)
        numbers = Contract.from_columns(
            "silver/first", [Column("number", "integer", "bigint")], description="Ten numbers."
        )
        lakehouse.replace_all(numbers, spark.range(10).toDF("number"))
        facts["rows"] = lakehouse.read(numbers.table).count()
    assert facts["rows"] == 10


def _second_time(make: Callable[[], object]) -> None:
    """Measure ``make`` when it has been done once: files are cached and code is warm."""
    make()
    with span("features"):
        make()


def features_ours(case: Case) -> None:
    """The pipeline's own step, Delta commit included, in the home of `ours_warm`."""
    from benchmarks import ours
    from customer360.pipeline.make_gold import make_snapshots

    work = ours.workspace(case.deployment(case.home("ours", fresh=False)))
    _second_time(lambda: make_snapshots(work, FEATURES, [case.days.last]))


def features_duckdb(case: Case) -> None:
    """The query that `customer360 predict` asks of a user's file."""
    import duckdb
    from deltalake import DeltaTable

    from customer360.gold.features_sql import customer_features

    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")

    def make() -> None:
        days = f"read_parquet({DeltaTable(case.lakehouse / CUSTOMER_DAYS).file_uris()!r})"
        query = customer_features(days, case.days.last)
        connection.execute(f"COPY ({query}) TO '{to}' (FORMAT parquet, COMPRESSION zstd)")

    to = case.frames("DuckDB") / "data.parquet"
    _second_time(make)


def features_pandas(case: Case) -> None:
    """The features by pandas, on Arrow's types."""
    import pandas as pd
    from deltalake import DeltaTable

    from benchmarks.frames import READ, pandas_features

    def make() -> None:
        table = DeltaTable(case.lakehouse / CUSTOMER_DAYS)
        days = table.to_pandas(columns=list(READ), types_mapper=pd.ArrowDtype)
        pandas_features(days, case.days.last).to_parquet(to, compression="zstd", index=False)

    to = case.frames("pandas") / "data.parquet"
    _second_time(make)


def features_polars(case: Case) -> None:
    """The features by Polars, lazily: it streams what goes to a file."""
    import polars as pl

    from benchmarks.frames import polars_features

    def make() -> None:
        days = pl.scan_delta(case.lakehouse / CUSTOMER_DAYS)
        polars_features(days, case.days.last).sink_parquet(to, compression="zstd")

    to = case.frames("Polars") / "data.parquet"
    _second_time(make)


TASKS: dict[str, Callable[..., None]] = {
    task.__name__: task
    for task in (
        generate,
        ours_warm,
        ours_cold,
        duck_warm,
        duck_cold,
        dagster,
        one_more_day,
        first_table,
        features_ours,
        features_duckdb,
        features_pandas,
        features_polars,
        scale,
    )
}


def main() -> None:
    """Run the task named on the command line."""
    name, given = sys.argv[1], json.loads(sys.argv[2])
    case = Case(
        transactions=given.pop("transactions"),
        days=DayRange(*(date.fromisoformat(day) for day in given.pop("days"))),
        folder=Path(given.pop("folder")),
        driver_memory=given.pop("driver_memory"),
    )
    TASKS[name](case, **given)


if __name__ == "__main__":
    main()
