"""Nothing that grows with the customers is brought from Spark, or from the tables, to the driver.

A deployment is run whole twice, the second time over four times as many customers, and the rows are
counted that each place in the package asks Spark or DuckDB for. What a place asks for may grow with
the days, which are few; where it grows with the customers there must be a bound, named here.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa
import pyspark.sql.classic.dataframe
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

import customer360
from customer360.deployment import Deployment
from customer360.lakehouse import reading
from customer360.lakehouse.reading import Tables
from customer360.orchestration.run import Plan, run_plan
from customer360.settings import load_settings
from customer360.sources.synthetic import DefectRates
from customer360_tests.deployments import make_home

FIRST, LAST = date(2024, 1, 1), date(2024, 4, 30)
CUSTOMERS, TIMES = 250, 4
MOST_TRAINING_ROWS = 300
# Rows of two models, for training, validation and test, and the counts by date beside them.
DATES_LEARNT_FROM = 6

SAMPLED = {
    "models/sampling.py": "training rows, as many as the settings allow",
    "models/lifetime_value/validation.py": "a sample of the holdout, of a fixed size",
    "exploration/aggregates.py": "a sample for correlations, of a fixed size",
}
HISTOGRAMS = {
    # Customers with the same figures are one row: they are ever fewer in relation to the customers,
    # and there are no more than combinations of days.
    "models/lifetime_value/cells.py": "frequency, recency and T",
    "models/churn/rows.py": "frequency and recency",
    "pipeline/forecast.py": "the same as of the day, and sales by day",
    "models/windows.py": "days between purchases",
}
"""Places that bring more rows for more customers, and why that has an end."""

NOISE = 1.2

PACKAGE = Path(customer360.__file__).parent
_FRAME = pyspark.sql.classic.dataframe.DataFrame
_READING = reading.__file__
_BRINGING: tuple[tuple[type, tuple[str, ...]], ...] = (
    (_FRAME, ("collect", "toArrow", "toPandas")),
    (Tables, ("ask", "find", "values")),
)


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Rows by the file of the package that asked for them."""
    crossed: Counter[str] = Counter()

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def asked(self: Any, *arguments: Any, **named: Any) -> Any:
            found = original(self, *arguments, **named)
            asker = _asker()
            if asker is not None:
                crossed[asker] += len(found)
            return found

        return asked

    def counted_on_the_way(original: Callable[..., Any]) -> Callable[..., Any]:
        def asked(self: Any, *arguments: Any, **named: Any) -> Iterator[Any]:
            asker = _asker()
            rows = original(self, *arguments, **named)
            return rows if asker is None else _each_counted(rows, crossed, asker)

        return asked

    with monkeypatch.context() as patched:
        for kind, names in _BRINGING:
            for name in names:
                patched.setattr(kind, name, counted(getattr(kind, name)))
        patched.setattr(_FRAME, "toLocalIterator", counted_on_the_way(_FRAME.toLocalIterator))
        yield crossed


def _each_counted(rows: Iterator[Any], crossed: Counter[str], asker: str) -> Iterator[Any]:
    for row in rows:
        crossed[asker] += 1
        yield row


def _asker() -> str | None:
    """The file of the package that asked, unless Spark asked itself on its behalf."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename == _READING:
        frame = frame.f_back  # `Tables.newest` asks `Tables.values`
    path = Path(frame.f_code.co_filename) if frame else Path()
    return str(path.relative_to(PACKAGE)) if path.is_relative_to(PACKAGE) else None


def test_rows_are_counted_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = Tables(tmp_path)
    write_deltalake(tables.uri("silver/t"), pa.table({"n": [1, 2, 3]}))
    with counting(monkeypatch) as crossed:
        tables.ask("FROM r", r="silver/t")  # by a test
        # And by a place of the package, which this file is from here on.
        monkeypatch.setattr(sys.modules[__name__], "PACKAGE", Path(__file__).parent)
        tables.ask("FROM r", r="silver/t")
        tables.find("silver/t", {"n": 1})
        tables.newest("silver/t", "n")
    assert crossed == {Path(__file__).name: 3 + 1 + 3}


@pytest.mark.whole
@pytest.mark.timeout(1_500)  # two whole deployments
def test_no_more_rows_cross_for_more_customers(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crossed = []
    for customers in (CUSTOMERS, TIMES * CUSTOMERS):
        home = make_home(
            spark,
            tmp_path / str(customers),
            first=FIRST,
            last=LAST,
            customers=customers,
            defects=DefectRates(),
            churn_max_training_rows=MOST_TRAINING_ROWS,
            revenue_max_training_rows=MOST_TRAINING_ROWS,
        )
        settings = load_settings(home.folder)
        with counting(monkeypatch) as rows:
            run_plan(settings, Plan.of(Deployment.of(settings)), lambda line: None)
        crossed.append(rows)
    few, many = crossed
    assert {"pipeline/load_bronze.py", *SAMPLED, *HISTOGRAMS} <= set(few), "it does not count all"
    growing = {place for place in many if many[place] > NOISE * few[place]}
    assert growing <= {*SAMPLED, *HISTOGRAMS}
    for place in HISTOGRAMS:
        assert many[place] < TIMES * few[place], f"{place}: as many more as there are customers"
    assert many["models/sampling.py"] <= DATES_LEARNT_FROM * MOST_TRAINING_ROWS
