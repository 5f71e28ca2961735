"""Raw to bronze: nothing is lost, broken rows say why, a broken file writes nothing."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from customer360.contracts import Contract
from customer360.errors import BrokenFileError
from customer360.pipeline.load_bronze import load_bronze
from customer360.sources.synthetic import Truth
from customer360_tests.deployments import Home
from customer360_tests.pipeline.conftest import DAYS, Loaded, copied

TABLES = ("synthetic_customers", "synthetic_transactions")


def raw_rows(home: Home, table: str) -> dict[date, int]:
    """Raw rows by delivery day, counted from the files themselves."""
    part = home.source.folder / table.removeprefix("synthetic_")
    return {
        date.fromisoformat(folder.name.removeprefix("date=")): sum(
            pq.read_metadata(file).num_rows for file in folder.glob("*.parquet")
        )
        for folder in part.iterdir()
    }


@pytest.mark.parametrize("table", TABLES)
def test_every_raw_row_is_in_bronze_or_quarantine(at_once: tuple[Home, Loaded], table: str) -> None:
    home, loaded = at_once
    raw = raw_rows(home, table)
    bronze = Counter(row["_delivered_on"] for row in home.rows(f"bronze/{table}"))
    quarantine = Counter(row["_delivered_on"] for row in home.rows(f"quarantine/{table}"))
    assert set(raw) == set(DAYS)
    for day in DAYS:
        assert raw[day] == bronze[day] + quarantine[day], day
        count = loaded.bronze[table].counts[str(day)]
        assert (count.raw, count.bronze, count.quarantined) == (
            raw[day],
            bronze[day],
            quarantine[day],
        )
    assert loaded.bronze[table].not_conserved == {}
    assert loaded.bronze[table].quarantined > 0


@pytest.mark.parametrize("table", TABLES)
def test_quarantine_holds_the_rows_that_are_broken_and_why(
    at_once: tuple[Home, Loaded], table: str
) -> None:
    """The generator knows which rows it broke, and which rule of the contract must catch each."""
    home, loaded = at_once
    part = table.removeprefix("synthetic_")
    broken = [
        row
        for row in Truth(home.source.folder).rows().to_pylist()
        if row["effect"] == "quarantined" and row["table"].endswith(part)
    ]
    expected = Counter((row["delivered_on"], row["reason"]) for row in broken)
    held = home.rows(f"quarantine/{table}")
    assert Counter((row["_delivered_on"], row["reasons"][0]) for row in held) == expected
    assert loaded.bronze[table].reasons == Counter(row["reason"] for row in broken)
    columns = set(Contract.load(f"bronze/{table}").column_names)
    for row in held:
        assert set(json.loads(row["raw"])) <= columns
        assert row["_source_file"].endswith(".parquet")


def delivery(home: Home, day: date) -> Path:
    return home.source.folder / "transactions" / f"date={day}" / "part-0.parquet"


def without_a_column(file: Path) -> None:
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["amount"]), file)


def garbage(file: Path) -> None:
    file.write_bytes(b"PAR1 this is no parquet file PAR1")


def damaged_inside(file: Path) -> None:
    """Its footer is whole, its data is not: found only while the rows are read."""
    found = bytearray(file.read_bytes())
    found[4 : len(found) // 2] = b"\x00" * (len(found) // 2 - 4)
    file.write_bytes(bytes(found))


def missing(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_a_column, "amount"),
        (garbage, "parquet"),
        (damaged_inside, "damaged"),
        (missing, "found"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_file_is_named_and_nothing_is_written(
    at_once: tuple[Home, Loaded], tmp_path: Path, damage, message: str
) -> None:
    bad = date(2024, 1, 5)
    with copied(at_once[0], tmp_path) as home:
        damage(delivery(home, bad))
        with pytest.raises(BrokenFileError, match=message) as error:
            load_bronze(home.workspace(), home.source, "synthetic_transactions", DAYS)
        assert f"date={bad}" in str(error.value)
        assert "\n" not in str(error.value)
        written = [
            table
            for table in ("bronze/synthetic_transactions", "quarantine/synthetic_transactions")
            if home.lakehouse.exists(table) and home.lakehouse.read(table).count()
        ]
        assert written == []
