"""Forgetting people in what a home holds beside its tables: lists, reports, models, logs."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from customer360.pipeline.backup import BACKUPS
from customer360.pipeline.export import ELSEWHERE
from customer360.privacy.scrub import Words, scrub_folder, scrub_sqlite
from customer360.serving.list_files import MANIFEST
from customer360.serving.options import FileFormat
from customer360.settings import Settings

_KEY = "customer_key"
_EXAMPLES = ("input_example.json", "serving_input_example.json")
_SCRUBBED = ("dagster", "dbt", "warehouse_docs", "reports")
"""Folders of a home in which errors and conditions may quote somebody."""


def forget_lists(settings: Settings, keys: Collection[str]) -> int:
    """Take customers off the campaign lists in the exports folder; on how many they were.

    Each list is put in place whole, its manifest last, which says the rows and checksums that it
    has now. What an export left that was killed goes.
    """
    for left in settings.exports_dir.rglob(".*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        elif left.exists():
            left.unlink()
    changed = 0
    stated: set[Path] = set()
    for manifest in sorted(settings.exports_dir.rglob(f"*.{MANIFEST}")):
        facts = json.loads(manifest.read_text(encoding="utf-8"))
        files = [manifest.with_name(file) for file in facts.get("files", {})]
        stated.update(files)
        gone = max((_without(file, keys) for file in files if file.exists()), default=0)
        there = {
            file.name: {"sha256": _sha256(file), "bytes": file.stat().st_size}
            for file in files
            if file.exists()
        }
        if there == facts.get("files"):
            continue
        # Also where one that was stopped here had changed the list and not its manifest.
        facts["rows"] = max((_table(file).num_rows for file in files if file.exists()), default=0)
        facts["forgotten"] = facts.get("forgotten", 0) + gone
        _put(manifest, json.dumps(facts | {"files": there}, indent=2).encode() + b"\n")
        changed += 1
    for format in FileFormat:
        for file in settings.exports_dir.rglob(f"*.{format}"):
            if file not in stated:
                file.unlink()
    return changed


def lists_with(settings: Settings, keys: Collection[str]) -> list[str]:
    """Campaign lists in the exports folder that somebody of ``keys`` is on, as ``day/list``."""
    on = set()
    for manifest in settings.exports_dir.rglob(f"*.{MANIFEST}"):
        facts = json.loads(manifest.read_text(encoding="utf-8"))
        files = [manifest.with_name(file) for file in facts.get("files", {})]
        if any(_theirs(_table(file), keys)[1] for file in files if file.exists()):
            on.add(f"{facts['as_of']}/{facts['list']}")
    return sorted(on)


def elsewhere(settings: Settings) -> list[str]:
    """What was copied out of the home, a sentence each: somebody else must look there."""
    lists = {line["kept_in"] for line in _lines(settings.exports_dir / ELSEWHERE)}
    backups = {line["kept_in"] for line in _lines(settings.home / BACKUPS)}
    return [
        *(f"campaign lists in {folder}: they were exported there" for folder in sorted(lists)),
        *(f"the backup {folder}" for folder in sorted(backups)),
    ]


def _lines(file: Path) -> list[dict[str, Any]]:
    """The objects that a file holds, one a line; none where there is no file."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]


def forget_examples(settings: Settings) -> int:
    """Delete rows of customers that older releases logged as examples of a model's input."""
    count = 0
    for name in _EXAMPLES:
        for file in settings.mlflow_dir.rglob(name):
            file.unlink()
            count += 1
    return count


def forget_quotations(settings: Settings, words: Words) -> int:
    """Take what names somebody out of logs, events and reports; how often it stood there.

    Raises:
        ScrubError: Another process keeps a database from being cleaned.
    """
    folders = [settings.home / name for name in _SCRUBBED]
    count = sum(scrub_folder(folder, words) for folder in folders if folder.is_dir())
    # Of MLflow the database: its models are files that no word belongs in.
    return count + sum(scrub_sqlite(file, words) for file in settings.mlflow_dir.glob("*.db"))


def _table(file: Path) -> pa.Table:
    if file.suffix == f".{FileFormat.CSV}":
        texts = pacsv.ConvertOptions(column_types={_KEY: pa.string()})
        return pacsv.read_csv(file, convert_options=texts)
    return pq.read_table(file)


def _theirs(table: pa.Table, keys: Collection[str]) -> tuple[Any, int]:
    """Which rows of a list are somebody's of ``keys``, and how many."""
    theirs = pc.is_in(table[_KEY], value_set=pa.array(sorted(keys), pa.string()))
    return theirs, int(pc.sum(theirs).as_py() or 0)


def _without(file: Path, keys: Collection[str]) -> int:
    """Take rows that are somebody's of ``keys`` off a list; how many they were."""
    table = _table(file)
    theirs, gone = _theirs(table, keys)
    if gone:
        beside = file.with_name(f".{file.name}.new")
        beside.unlink(missing_ok=True)
        beside.touch(mode=file.stat().st_mode & 0o777)
        if file.suffix == f".{FileFormat.CSV}":
            _filter_csv(file, beside, keys)
        else:
            pq.write_table(table.filter(pc.invert(theirs)), beside, compression="zstd")
        beside.replace(file)
    return gone


def _filter_csv(file: Path, beside: Path, keys: Collection[str]) -> None:
    """Leave rows out; the others stay to the byte."""
    with (
        file.open(newline="", encoding="utf-8") as before,
        beside.open("w", newline="", encoding="utf-8") as after,
    ):
        lines: list[str] = []

        def noted() -> Iterator[str]:
            for line in before:
                lines.append(line)
                yield line

        rows = csv.reader(noted())
        position = next(rows).index(_KEY)
        after.writelines(lines)
        lines.clear()
        for row in rows:
            if row[position] not in keys:
                after.writelines(lines)
            lines.clear()


def _put(file: Path, content: bytes) -> None:
    beside = file.with_name(f".{file.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(
        os.open(beside, os.O_WRONLY | os.O_CREAT, file.stat().st_mode & 0o777), "wb"
    ) as stream:
        stream.write(content)
    beside.replace(file)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
