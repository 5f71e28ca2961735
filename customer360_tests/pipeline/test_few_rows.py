"""Rows are sent to every task where they are known to be few, and Spark is not asked for it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from customer360.lakehouse.reading import Tables
from customer360.pipeline import few_rows
from customer360.pipeline.few_rows import few_on

TABLE = "bronze/shop_orders"
DAYS = [date(2026, 1, day) for day in range(1, 6)]


@pytest.mark.parametrize(
    ("days", "few", "asked"),
    [
        (DAYS[:1], True, True),  # four rows in a file of twenty
        (DAYS[:2], True, True),
        (DAYS[:3], False, True),
        (DAYS, False, False),
        ([date(2026, 2, 1)], True, False),
    ],
)
def test_the_log_is_asked_and_rows_counted_only_where_it_cannot_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: list[date], few: bool, asked: bool
) -> None:
    monkeypatch.setattr(few_rows, "FEW_ROWS", 10)
    tables = Tables(tmp_path)
    write_deltalake(tables.uri(TABLE), pa.table({"day": DAYS * 4}))
    asking, questions = tables.ask, list[str]()

    def ask(query: str, **named: str) -> list[tuple[Any, ...]]:
        questions.append(query)
        return asking(query, **named)

    monkeypatch.setattr(tables, "ask", ask)
    work: Any = SimpleNamespace(lakehouse=tables, tables=tables)
    assert few_on(work, TABLE, "day", days) is few
    assert bool(questions) is asked
