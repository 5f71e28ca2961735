"""Forgetting people in what a home holds beside its tables: lists, reports, models, logs."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from customer360 import scratch
from customer360.modes import rewritten
from customer360.pipeline.backup import backups_of, remove_killed, shown_backup
from customer360.pipeline.elsewhere import (
    LISTS,
    PERSON_REPORTS,
    REFUSED_ROWS,
    written_elsewhere,
)
from customer360.pipeline.run_models import tracking_of
from customer360.pipeline.suppression import by_former_keys
from customer360.privacy.known import KEY
from customer360.privacy.scrub import Words, scrub_folder, scrub_sqlite
from customer360.privacy.scrub_postgres import scrub_postgres
from customer360.privacy.stores import other_stores, postgres_stores, sqlite_of_mlflow
from customer360.serving.list_files import MANIFEST, stated_files
from customer360.serving.options import FileFormat
from customer360.settings import Settings, write_whole

_EXAMPLES = ("input_example.json", "serving_input_example.json")
_SCRUBBED = ("dagster", "dbt", "warehouse_docs", "reports")
"""Folders of a home in which errors and conditions may quote somebody."""

_WAYS = {
    LISTS: "they were exported there",
    PERSON_REPORTS: "they were written there",
    REFUSED_ROWS: "they were written there, to be edited",
}
"""How what is outside of the home came there."""


def forget_lists(settings: Settings, keys: Collection[str]) -> int:
    """Take customers off the campaign lists in the exports folder; on how many they were.

    Each list is put in place whole, its manifest last, which says the rows and checksums that it
    has now. What exports and backups left that were killed goes.
    """
    remove_leftovers(settings)
    remove_killed(settings)
    _forget_suppressed(settings, keys)
    changed = 0
    stated: set[Path] = set()
    for manifest in sorted(settings.exports_dir.rglob(f"*.{MANIFEST}")):
        facts = json.loads(manifest.read_text(encoding="utf-8"))
        files = _files_of(manifest, facts)
        stated.update(files)
        gone = max((_without(file, keys) for file in files), default=0)
        there = stated_files(files)
        if there == facts.get("files"):
            continue
        # Also where one that was stopped here had changed the list and not its manifest.
        facts["rows"] = max((_table(file).num_rows for file in files), default=0)
        facts["forgotten"] = facts.get("forgotten", 0) + gone
        with rewritten(manifest) as beside:
            beside.write_text(
                json.dumps(facts | {"files": there}, indent=2) + "\n", encoding="utf-8"
            )
        changed += 1
    for format in FileFormat:
        for file in settings.exports_dir.rglob(f"*.{format}"):
            if file not in stated:
                file.unlink()
    return changed


def remove_leftovers(settings: Settings) -> None:
    """Delete what exports left in the exports folder that were killed."""
    for left in settings.exports_dir.rglob(".*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        elif left.exists():
            left.unlink()


def _forget_suppressed(settings: Settings, keys: Collection[str]) -> None:
    """Who has left needs no key by which they are suppressed; the list itself is its owner's."""
    file = by_former_keys(settings)
    if not file.exists():
        return
    lines = file.read_text(encoding="utf-8").splitlines()
    stay = [line for line in lines if line not in keys]
    if stay != lines:
        write_whole(file, "\n".join((*stay, "")))


def lists_with(settings: Settings, keys: Collection[str]) -> list[str]:
    """Campaign lists in the exports folder that somebody of ``keys`` is on, as ``day/list``."""
    on = set()
    for manifest in settings.exports_dir.rglob(f"*.{MANIFEST}"):
        facts = json.loads(manifest.read_text(encoding="utf-8"))
        if any(_theirs(_table(file), keys)[1] for file in _files_of(manifest, facts)):
            on.add(f"{facts['as_of']}/{facts['list']}")
    return sorted(on)


def elsewhere(settings: Settings) -> list[str]:
    """What was copied out of the home, a sentence each: somebody else must look there."""
    written = written_elsewhere(settings)
    return [
        *(
            f"{what} in {place}: {_WAYS[what]}"
            for what in _WAYS
            for place in sorted(written.get(what, ()))
        ),
        *(f"the backup {shown_backup(folder)}" for folder in backups_of(settings)),
    ]


def forget_temporary_files(settings: Settings) -> list[str]:
    """Delete rows that processes have put aside and left; what somebody must look at, a sentence.

    In a folder that was set for them other deployments may keep theirs, too.
    """
    folder = settings.scratch_dir
    if settings.temp_dir is None:
        left = scratch.clear(folder)
    else:
        scratch.remove_leftovers(folder)
        left = scratch.left_by_others(folder)
    return [
        f"temporary files in {each}: a process of another machine left them; delete them when it "
        "has ended"
        for each in left
    ]


def forget_examples(settings: Settings) -> int:
    """Delete rows of customers that older releases logged as examples of a model's input."""
    count = 0
    for name in _EXAMPLES:
        for file in settings.mlflow_dir.rglob(name):
            file.unlink()
            count += 1
    return count


@dataclass(frozen=True)
class Quotations:
    """What became of texts that named somebody.

    Attributes:
        taken_out: How often one was found and taken out.
        left: Where one still is, for a person to look after, a sentence each.
    """

    taken_out: int
    left: tuple[str, ...] = ()


def forget_quotations(settings: Settings, words: Words) -> Quotations:
    """Take what names somebody out of logs, events and reports, wherever these are kept.

    Raises:
        ScrubError: Another process keeps a database from being cleaned, or it is not reached.
        TrackingError: The MLflow server does not answer.
    """
    folders = [settings.home / name for name in _SCRUBBED]
    count = sum(scrub_folder(folder, words) for folder in folders if folder.is_dir())
    left = [f"{store}: texts there may name them" for store in other_stores(settings)]
    # Of MLflow the database: its models are files that no word belongs in.
    databases = {file.absolute() for file in settings.mlflow_dir.glob("*.db")}
    if (own := sqlite_of_mlflow(settings)) is not None and own.exists():
        databases.add(own.absolute())
    count += sum(scrub_sqlite(file, words) for file in sorted(databases))
    for store in postgres_stores(settings):
        count += scrub_postgres(store.title, store.conninfo, store.tables, words)
        left.append(f"{store.title}: the write-ahead log and the backups of its server")
    if settings.tracking_uri.startswith("http"):
        from customer360.models.tracking.scrubbing import scrub_server

        found, there = scrub_server(tracking_of(settings), words.taken_out)
        count, left = count + found, [*left, *there]
    elif not settings.tracking_uri.startswith(("sqlite", "postgresql", "file:", "/")):
        left.append("MLflow's database: tags, parameters and descriptions may name them")
    return Quotations(count, tuple(left))


def _files_of(manifest: Path, facts: Mapping[str, Any]) -> list[Path]:
    """The files of a list that its manifest states, and that are there."""
    files = (manifest.with_name(file) for file in facts.get("files", {}))
    return [file for file in files if file.exists()]


def _table(file: Path) -> pa.Table:
    if file.suffix == f".{FileFormat.CSV}":
        texts = pacsv.ConvertOptions(column_types={KEY: pa.string()})
        return pacsv.read_csv(file, convert_options=texts)
    return pq.read_table(file)


def _theirs(table: pa.Table, keys: Collection[str]) -> tuple[Any, int]:
    """Which rows of a list are somebody's of ``keys``, and how many."""
    theirs = pc.is_in(table[KEY], value_set=pa.array(sorted(keys), pa.string()))
    return theirs, int(pc.sum(theirs).as_py() or 0)


def _without(file: Path, keys: Collection[str]) -> int:
    """Take rows that are somebody's of ``keys`` off a list; how many they were."""
    table = _table(file)
    theirs, gone = _theirs(table, keys)
    if gone:
        with rewritten(file) as beside:
            if file.suffix == f".{FileFormat.CSV}":
                _filter_csv(file, beside, keys)
            else:
                pq.write_table(table.filter(pc.invert(theirs)), beside, compression="zstd")
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
        position = next(rows).index(KEY)
        after.writelines(lines)
        lines.clear()
        for row in rows:
            if row[position] not in keys:
                after.writelines(lines)
            lines.clear()
