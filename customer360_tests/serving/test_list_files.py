"""A list's files: what is in them, who may read them, and what a kill leaves."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer360.serving.list_files import (
    Counted,
    scratch_folder,
    swap_in,
    write_files,
)
from customer360.serving.options import FileFormat

SCHEMA = pa.schema(
    {
        "customer_key": pa.string(),
        "name": pa.string(),
        "phone": pa.string(),
        "priority": pa.float64(),
        "left_out": pa.string(),
    }
)
BOTH = tuple(FileFormat)


def batch(*rows: tuple[Any, ...]) -> pa.RecordBatch:
    names = SCHEMA.names
    return pa.RecordBatch.from_pylist(
        [dict(zip(names, row, strict=True)) for row in rows], schema=SCHEMA
    )


TWO_BATCHES = (
    batch(
        ("a", "Ana", "+5511987654321", 9.5, None),
        ("b", None, None, 8.0, "refused"),
        ("c", '=HYPERLINK("http://x")', None, -7.0, None),
    ),
    batch(("d", None, None, None, "suppressed"), ("e", "Eva, Ltd", None, None, None)),
)


def export(
    folder: Path,
    batches: Iterable[pa.RecordBatch] = TWO_BATCHES,
    formats: Sequence[FileFormat] = BOTH,
    *,
    private: bool = False,
) -> tuple[Counted, dict[str, Any]]:
    with scratch_folder(folder, "whales") as scratch:
        counted = write_files(batches, SCHEMA, scratch, "whales", formats, private=private)
        return counted, swap_in(scratch, folder, "whales", formats, {"rows": counted.rows})


def test_the_files_hold_who_stays_with_ranks_without_gaps(tmp_path: Path) -> None:
    counted, _ = export(tmp_path)
    assert counted == Counted(
        rows=3,
        left_out={
            "unknown": 0,
            "refused": 1,
            "never_asked": 0,
            "suppressed": 1,
            "no_contact": 0,
        },
    )
    parquet = pq.read_table(tmp_path / "whales.parquet")
    assert parquet.column_names == ["rank", "customer_key", "name", "phone", "priority"]
    assert parquet["rank"].to_pylist() == [1, 2, 3]
    assert parquet["customer_key"].to_pylist() == ["a", "c", "e"]


def test_a_spreadsheet_finds_no_formula_in_what_customers_call_themselves(tmp_path: Path) -> None:
    export(tmp_path)
    with (tmp_path / "whales.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == ["Ana", '\'=HYPERLINK("http://x")', "Eva, Ltd"]
    # A phone number is digits after its +, and an amount is a number: both stay usable.
    assert (rows[0]["phone"], rows[1]["priority"]) == ("+5511987654321", "-7")
    assert pq.read_table(tmp_path / "whales.parquet")["name"][1].as_py().startswith("=HYPER")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_every_start_of_a_formula_is_disarmed(tmp_path: Path, start: str) -> None:
    export(tmp_path, [batch(("a", f"{start}1", None, 1.0, None))])
    with (tmp_path / "whales.csv").open(newline="") as stream:
        assert next(csv.DictReader(stream))["name"] == f"'{start}1"


def test_the_manifest_has_the_checksum_and_size_of_each_file(tmp_path: Path) -> None:
    _, manifest = export(tmp_path)
    assert json.loads((tmp_path / "whales.manifest.json").read_text()) == manifest
    assert set(manifest["files"]) == {"whales.csv", "whales.parquet"}
    for name, stated in manifest["files"].items():
        content = (tmp_path / name).read_bytes()
        assert stated == {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        }


def test_a_list_of_nobody_has_its_header(tmp_path: Path) -> None:
    counted, _ = export(tmp_path, [])
    assert counted.rows == 0
    assert (tmp_path / "whales.csv").read_text().splitlines() == [
        '"rank","customer_key","name","phone","priority"'
    ]
    assert pq.read_table(tmp_path / "whales.parquet").num_rows == 0


def test_files_with_contacts_are_their_owners_alone(tmp_path: Path) -> None:
    export(tmp_path, private=True)
    for name in ("whales.csv", "whales.parquet"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_an_export_that_dies_while_it_writes_leaves_the_former_list(tmp_path: Path) -> None:
    export(tmp_path)
    before = contents(tmp_path)

    def dies() -> Iterable[pa.RecordBatch]:
        yield TWO_BATCHES[1]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(tmp_path, dies())
    assert contents(tmp_path) == before


def test_an_export_that_dies_before_its_manifest_leaves_the_former_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path)
    before = contents(tmp_path)
    monkeypatch.setattr(json, "dumps", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(tmp_path, TWO_BATCHES[1:])
    assert contents(tmp_path) == before


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".whales.part"
    left.mkdir()
    (left / "whales.csv").write_text("half a list with contacts")
    export(tmp_path)
    assert set(contents(tmp_path)) == {"whales.csv", "whales.parquet", "whales.manifest.json"}


def test_a_format_that_is_not_written_any_more_is_not_left_behind(tmp_path: Path) -> None:
    export(tmp_path)
    export(tmp_path, TWO_BATCHES[1:], [FileFormat.CSV])
    assert set(contents(tmp_path)) == {"whales.csv", "whales.manifest.json"}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
