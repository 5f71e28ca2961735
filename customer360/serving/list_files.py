"""A campaign list as files: CSV and Parquet written from a stream, swapped in with a manifest."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from customer360.modes import shared_mode
from customer360.serving.eligibility import LeftOut
from customer360.serving.options import FileFormat

MANIFEST = "manifest.json"
"""Suffix of a list's manifest."""

_DIGITS_ONLY = ("phone",)
"""Text columns that begin with + but hold nothing else than digits: no formula can be in them."""


@dataclass(frozen=True)
class Counted:
    """What a stream held: rows that stay, and how many were left out by reason."""

    rows: int
    left_out: dict[str, int]


@contextmanager
def scratch_folder(folder: Path, name: str) -> Iterator[Path]:
    """An empty folder beside the files of list ``name``, readable by its owner, gone at the end.

    What a killed export left there is removed. Exports into the same folder wait for each other.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the process ends, however it ends
        scratch = folder / f".{name}.part"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        os.close(lock)


def write_files(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    scratch: Path,
    name: str,
    formats: Sequence[FileFormat],
    *,
    private: bool,
) -> Counted:
    """Write the rows of ``batches`` that stay, with their rank, one batch at a time.

    Args:
        batches: In the list's order, with ``left_out`` as `eligibility.judged` gives it.
        schema: Of the batches.
        scratch: Where ``<name>.<format>`` is written.
        name: Of the list.
        formats: Which files.
        private: Readable by the owner only; else as other programs' files are.
    """
    kept = schema.remove(schema.get_field_index("left_out"))
    target = kept.insert(0, pa.field("rank", pa.int64()))
    counts = {reason.value: 0 for reason in LeftOut}
    rows = 0
    with _writers(scratch, name, formats, target, private) as writers:
        for batch in batches:
            table = pa.Table.from_batches([batch]).cast(schema)
            for group in pc.value_counts(table["left_out"].drop_null()).to_pylist():
                counts[group["values"]] += group["counts"]
            stays = table.filter(pc.is_null(table["left_out"])).drop_columns("left_out")
            if not stays.num_rows:
                continue
            ranks = pa.array(range(rows + 1, rows + 1 + stays.num_rows), pa.int64())
            rows += stays.num_rows
            ranked = stays.add_column(0, target.field("rank"), ranks)
            for format, writer in writers.items():
                writer.write_table(without_formulas(ranked) if format is FileFormat.CSV else ranked)
    return Counted(rows, counts)


def without_formulas(table: pa.Table) -> pa.Table:
    """Text cells that a spreadsheet would run as a formula get an apostrophe in front.

    They begin with = + - @, a tab or a carriage return (OWASP, "CSV Injection"); what customers
    call themselves is theirs to choose. Parquet files keep the text as it is.
    """
    for position, field in enumerate(table.schema):
        if pa.types.is_string(field.type) and field.name not in _DIGITS_ONLY:
            harmless = pc.replace_substring_regex(
                table[field.name], pattern=r"\A([=+\-@\t\r])", replacement=r"'\1"
            )
            table = table.set_column(position, field, harmless)
    return table


def swap_in(
    scratch: Path, folder: Path, name: str, formats: Sequence[FileFormat], facts: dict[str, Any]
) -> dict[str, Any]:
    """Put the written files and their manifest in place of the former ones, the manifest last.

    All the work is done by then, so that the list is never there half; a reader who wants to be
    sure compares the files with the manifest's SHA-256. A file of a format that was not written
    this time goes with the former manifest.

    Args:
        scratch: Where the files are.
        folder: Where they belong.
        name: Of the list.
        formats: Which files.
        facts: What else the manifest states.

    Returns:
        The manifest.
    """
    written = [f"{name}.{format}" for format in formats]
    manifest = facts | {"files": stated_files([scratch / file for file in written])}
    last = f"{name}.{MANIFEST}"
    (scratch / last).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    (scratch / last).chmod(stat.S_IMODE((scratch / written[0]).stat().st_mode))
    for file in (*written, last):
        (scratch / file).replace(folder / file)
    for format in set(FileFormat) - set(formats):
        (folder / f"{name}.{format}").unlink(missing_ok=True)
    return manifest


@contextmanager
def _writers(
    scratch: Path, name: str, formats: Sequence[FileFormat], schema: pa.Schema, private: bool
) -> Iterator[dict[FileFormat, Any]]:
    """An open writer of Arrow tables for each format."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with ExitStack() as opened:
        writers: dict[FileFormat, Any] = {}
        for format in formats:
            handle = os.open(scratch / f"{name}.{format}", flags, 0o600)
            if not private:
                os.fchmod(handle, shared_mode())
            stream = opened.enter_context(os.fdopen(handle, "wb"))
            writers[format] = opened.enter_context(
                pacsv.CSVWriter(stream, schema)
                if format is FileFormat.CSV
                else pq.ParquetWriter(stream, schema, compression="zstd")
            )
        yield writers


def stated_files(files: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """What a manifest states of each of ``files``, by its name."""
    return {file.name: {"sha256": _sha256(file), "bytes": file.stat().st_size} for file in files}


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
