from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from customer360.contracts import Column, Contract
from customer360.errors import TableNotFoundError
from customer360.lakehouse.history import drop_history
from customer360.lakehouse.reading import Tables
from customer360.lakehouse.tables import Folders, Lakehouse
from customer360.pipeline.workspace import changed_days, days_note

NAMES = Contract.from_columns(
    "silver/names",
    [Column("day", "date", "date"), Column("name")],
    description="Names of days.",
    indexed_columns=["name"],
)
D1, D2 = date(2024, 1, 1), date(2024, 1, 2)


def write(lakehouse: Lakehouse, day: date, *names: str, folders: Folders = Folders.DAY) -> None:
    frame = lakehouse.spark.createDataFrame(
        [(day, name) for name in names], "day date, name string"
    )
    lakehouse.replace_days(NAMES, frame, "day", [day], folders=folders, note=days_note([day]))


def bytes_below(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def names(lakehouse: Lakehouse) -> list[str]:
    return sorted(row.name for row in lakehouse.read(NAMES.table).collect())


CHECKPOINTS = "spark.databricks.delta.properties.defaults.checkpointInterval"


@pytest.mark.parametrize("folders", [Folders.DAY, Folders.MONTH])
def test_nothing_is_left_of_rows_that_were_replaced(lakehouse: Lakehouse, folders: Folders) -> None:
    """Nor in Delta's own checkpoint, which comes at every tenth commit unless it is told to."""
    folder = Path(lakehouse.path(NAMES.table))
    lakehouse.spark.conf.set(CHECKPOINTS, "2")
    try:
        write(lakehouse, D1, "canaryperson", "bob", folders=folders)
    finally:
        lakehouse.spark.conf.unset(CHECKPOINTS)
    for _ in range(2):
        write(lakehouse, D2, "eve", folders=folders)
    write(lakehouse, D1, "bob", folders=folders)
    assert list(folder.glob("_delta_log/*.checkpoint*.parquet"))
    assert b"canaryperson" in bytes_below(folder)  # statistics say it in plain text
    version = lakehouse.version(NAMES.table)

    dropped = drop_history(lakehouse, NAMES.table)

    assert dropped.files >= 2
    assert b"canaryperson" not in bytes_below(folder)
    assert names(lakehouse) == ["bob", "eve"]
    assert lakehouse.version(NAMES.table) == version
    assert len([f for f in folder.rglob("*.parquet") if "_delta_log" not in str(f)]) == 2


def test_notes_and_versions_go_on(lakehouse: Lakehouse) -> None:
    write(lakehouse, D1, "ada")
    write(lakehouse, D2, "eve")
    drop_history(lakehouse, NAMES.table)
    assert changed_days(lakehouse, NAMES.table, None, 1) == {D1, D2}
    assert changed_days(lakehouse, NAMES.table, 0, 1) == {D2}
    write(lakehouse, D1, "ann")
    assert lakehouse.version(NAMES.table) == 2
    assert changed_days(lakehouse, NAMES.table, 1, 2) == {D1}
    assert names(lakehouse) == ["ann", "eve"]


def test_earlier_versions_are_known_to_be_gone(lakehouse: Lakehouse) -> None:
    write(lakehouse, D1, "ada")
    write(lakehouse, D1, "ann")
    drop_history(lakehouse, NAMES.table)
    tables = Tables(lakehouse.root)
    assert not tables.keeps(NAMES.table, 0)
    assert tables.keeps(NAMES.table, 1)
    with pytest.raises(TableNotFoundError, match="version 0"):
        tables.open(NAMES.table, version=0)


def test_it_can_be_repeated_also_when_it_was_stopped_on_its_way(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    from customer360.lakehouse import history

    folder = Path(lakehouse.path(NAMES.table))
    write(lakehouse, D1, "canaryperson")
    write(lakehouse, D1, "ada")
    kept = history._keep_note_only
    stopped = iter([False, True])

    def stop(system: Any, path: str) -> None:
        if next(stopped):
            raise KeyboardInterrupt
        kept(system, path)

    monkeypatch.setattr(history, "_keep_note_only", stop)
    with pytest.raises(KeyboardInterrupt):
        drop_history(lakehouse, NAMES.table)
    monkeypatch.undo()
    assert names(lakehouse) == ["ada"]

    drop_history(lakehouse, NAMES.table)
    drop_history(lakehouse, NAMES.table)

    assert b"canaryperson" not in bytes_below(folder)
    assert names(lakehouse) == ["ada"]


def test_a_table_that_is_not_there_is_named(lakehouse: Lakehouse) -> None:
    with pytest.raises(TableNotFoundError, match="silver/nothing"):
        drop_history(lakehouse, "silver/nothing")
