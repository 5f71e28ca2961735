"""Upkeep changes no row, leaves what a reader needs, and takes away all else."""

from __future__ import annotations

import os
import shutil
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from customer360.errors import EnvironmentError360
from customer360.lakehouse.delta_log import TableLogs
from customer360.lakehouse.reading import Tables
from customer360.lakehouse.upkeep import commits_since, keep_up, size_of

TABLE = "silver/customer_days"
WEEK = 168.0


@pytest.fixture
def logs(tmp_path: Path) -> TableLogs:
    """A table of two days, each written in twelve commits; names are in no statistics."""
    root = tmp_path / TABLE
    for number in range(24):
        rows = {"day": [date(2026, 1, 1 + number % 2)], "number": [number], "name": [f"n{number}"]}
        write_deltalake(
            root,
            pa.table(rows),
            mode="append",
            partition_by=["day"],
            configuration={"delta.dataSkippingStatsColumns": "number"},
        )
    return TableLogs(tmp_path)


def rows(logs: TableLogs) -> list[tuple[object, ...]]:
    found = Tables(Path(logs.root)).ask("SELECT * FROM t ORDER BY number", t=TABLE)
    return [tuple(row) for row in found]


def leave(logs: TableLogs, *, hours_old: float = 0) -> Path:
    """A data file that no commit names, as a write leaves it that is killed."""
    root = Path(logs.path(TABLE))
    some = next(root.rglob("*.parquet"))
    left = some.with_name("part-of-a-killed-write.parquet")
    shutil.copy(some, left)
    left.with_name(f".{left.name}.crc").write_text("checksum")
    then = time.time() - hours_old * 3600
    os.utime(left, (then, then))
    return left


def upkeep(logs: TableLogs, hours: float = WEEK, after: int = 20):
    return keep_up(logs, TABLE, optimize_after=after, retention_hours=hours)


def test_small_files_become_one_a_day_and_former_versions_stay_readable(logs: TableLogs) -> None:
    before = rows(logs)
    done = upkeep(logs)
    assert rows(logs) == before
    assert (done.before.files, done.after.files, done.compacted) == (24, 2, 24)
    assert done.after.files_on_disk == 26  # who reads a former version finds its files
    former = DeltaTable(logs.uri(TABLE), version=10)
    assert former.to_pyarrow_table().num_rows == 11
    assert (done.orphans, done.expired) == (0, 0)


def test_columns_that_are_kept_out_of_statistics_stay_out(logs: TableLogs) -> None:
    upkeep(logs)
    stated = logs.open(TABLE).get_add_actions(flatten=True).to_struct_array().to_pylist()
    assert all("min.number" in each and "min.name" not in each for each in stated)
    log = "".join(
        file.read_text() for file in (Path(logs.path(TABLE)) / "_delta_log").glob("*.json")
    )
    assert '"n23' not in log


def test_files_are_put_together_only_where_much_was_written_since(logs: TableLogs) -> None:
    assert commits_since(logs, TABLE) == 24
    assert upkeep(logs, after=25).compacted == 0
    upkeep(logs)
    assert commits_since(logs, TABLE) == 0
    assert upkeep(logs).compacted == 0


def test_files_of_former_versions_go_when_their_time_is_over(logs: TableLogs) -> None:
    before = rows(logs)
    upkeep(logs)
    done = upkeep(logs, hours=0)
    assert (done.expired, done.after.files_on_disk) == (24, 2)
    assert rows(logs) == before
    assert upkeep(logs, hours=0).expired == 0


def test_what_killed_writes_left_goes_at_once_with_its_checksum(logs: TableLogs) -> None:
    before = rows(logs)
    left = leave(logs)
    done = upkeep(logs, after=100)
    assert (done.orphans, done.expired) == (1, 0)
    assert not left.exists()
    assert not left.with_name(f".{left.name}.crc").exists()
    assert done.after == size_of(logs, TABLE)
    assert (done.before.files_on_disk, done.after.files_on_disk) == (25, 24)
    assert rows(logs) == before


def test_a_file_that_the_log_may_have_forgotten_goes_by_its_age(logs: TableLogs) -> None:
    """After a week Delta's log does not say any more that a file was of a former version."""
    left = leave(logs, hours_old=200)
    done = upkeep(logs, hours=300)
    assert (done.orphans, done.expired, left.exists()) == (0, 0, True)
    done = upkeep(logs, hours=180)
    assert (done.orphans, done.expired, left.exists()) == (0, 1, False)


def test_upkeep_of_what_needs_none_changes_nothing(logs: TableLogs) -> None:
    upkeep(logs)
    version = logs.version(TABLE)
    done = upkeep(logs)
    assert logs.version(TABLE) == version
    assert done.before == done.after


@pytest.mark.parametrize("linked", ["home", "table"])
def test_a_table_that_a_link_leads_to_keeps_all_its_files(
    logs: TableLogs, tmp_path: Path, linked: str
) -> None:
    """A home on another disk is often a link; delta-rs names files by where they lie."""
    whole = rows(logs)
    real = Path(logs.root)
    if linked == "home":
        seen = TableLogs(tmp_path / "link")
        Path(seen.root).symlink_to(real, target_is_directory=True)
    else:
        seen = TableLogs(tmp_path / "other")
        place = Path(seen.path(TABLE))
        place.parent.mkdir(parents=True)
        place.symlink_to(real / TABLE, target_is_directory=True)
    left = leave(seen)
    done = upkeep(seen)
    assert (done.orphans, left.exists()) == (1, False)
    assert upkeep(seen, hours=0).expired == 24
    assert rows(seen) == rows(logs) == whole


def test_upkeep_removes_nothing_where_the_tables_files_are_not_found(logs: TableLogs) -> None:
    left = leave(logs)
    next(file for file in Path(logs.path(TABLE)).rglob("*.parquet") if file != left).unlink()
    with pytest.raises(EnvironmentError360, match=f"^{TABLE}: 1 of its 24 files are not there"):
        upkeep(logs, after=100)
    assert left.exists()
