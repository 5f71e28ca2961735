"""Nothing that grows with the customers is brought from Spark to the driver.

A deployment is run whole twice, the second time over four times as many customers, and the rows are
counted that each place in the package asks Spark for. What a place asks for may grow with the
days, which are few; where it grows with the customers there must be a bound, named here.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyspark.sql.classic.dataframe
import pytest
from pyspark.sql import SparkSession

import customer360
from customer360.deployment import Deployment
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


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Rows by the file of the package that asked for them."""
    crossed: Counter[str] = Counter()

    def counted(name: str) -> Callable[..., Any]:
        original = getattr(_FRAME, name)

        def asked(self: Any, *arguments: Any, **named: Any) -> Any:
            found = original(self, *arguments, **named)
            asker = _asker()
            if asker is not None:
                crossed[asker] += len(found)
            return found

        return asked

    with monkeypatch.context() as patched:
        for name in ("collect", "toArrow", "toPandas"):
            patched.setattr(_FRAME, name, counted(name))
        yield crossed


def _asker() -> str | None:
    """The file of the package that asked, unless Spark asked itself on its behalf."""
    frame = sys._getframe(2)
    path = Path(frame.f_code.co_filename)
    return str(path.relative_to(PACKAGE)) if path.is_relative_to(PACKAGE) else None


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
