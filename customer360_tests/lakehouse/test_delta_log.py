"""What logs say of a table's rows, without reading one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from customer360.lakehouse.delta_log import TableLogs

D1, D2, D3, D4 = (date(2026, 1, day) for day in (1, 2, 3, 4))
TABLE = "silver/t"


def written(root: Path, *files: list[date | None], by: list[str] | None = None) -> TableLogs:
    """A table with these days, a commit a file."""
    logs = TableLogs(root)
    for days in files:
        rows = pa.table({"day": pa.array(days, pa.date32()), "n": range(len(days))})
        write_deltalake(logs.uri(TABLE), rows, mode="append", partition_by=by)
    return logs


@pytest.mark.parametrize(
    ("days", "bounds"),
    [
        ([], (0, 0)),
        ([D4], (0, 0)),
        ([D1], (2, 2)),
        ([D1, D4], (2, 2)),
        ([D2], (0, 3)),
        ([D2, D3], (3, 3)),
        ([D1, D2], (2, 5)),
    ],
)
def test_rows_of_days_are_bounded_by_statistics(
    tmp_path: Path, days: list[date], bounds: tuple[int, int]
) -> None:
    logs = written(tmp_path, [D1, D1, None], [D2, D2, D3])
    assert logs.rows_between(TABLE, "day", days) == bounds


def test_rows_of_days_are_known_by_their_folders(tmp_path: Path) -> None:
    logs = written(tmp_path, [D1, D1, D2], [D3], by=["day"])
    assert logs.rows_between(TABLE, "day", [D1, D3]) == (3, 3)


def test_without_statistics_all_rows_may_be_of_a_day(tmp_path: Path) -> None:
    logs = written(tmp_path, [D1, D1, D2])
    assert logs.rows_between(TABLE, "other", [D1]) == (0, 3)
