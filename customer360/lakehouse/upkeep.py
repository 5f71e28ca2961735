"""Keeping Delta tables small: files put together, and those removed that nobody can need.

By delta-rs, without an engine. Only while nobody else writes the tables: a file that a running
write has not committed yet looks like one that a killed write has left.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from deltalake import DeltaTable
from pyarrow import fs

from customer360.errors import EnvironmentError360
from customer360.lakehouse.commits import committing
from customer360.lakehouse.delta_log import LOG_FOLDER, TableLogs

OPTIMIZE = "OPTIMIZE"
_DATA = ".parquet"
_HADOOP_CHECKSUM = ".{}.crc"
_SECOND_NS = 1_000_000_000
_TOMBSTONES_KEPT_HOURS = 168
"""Delta's own: for so long the log says of a file that it was removed."""


@dataclass(frozen=True)
class TableSize:
    """What a table takes.

    Attributes:
        files: Data files that its newest version is made of.
        bytes: Their bytes.
        files_on_disk: All data files in its folder: also of former versions, and of killed writes.
        bytes_on_disk: Their bytes.
        log_files: Files of its log.
    """

    files: int
    bytes: int
    files_on_disk: int
    bytes_on_disk: int
    log_files: int


@dataclass(frozen=True)
class Upkeep:
    """What was done to a table.

    Attributes:
        table: ``layer/table``.
        before: Its size before.
        after: Its size after.
        compacted: Files that were put together to fewer.
        orphans: Files removed that no commit ever named.
        expired: Files removed of versions past the retention.
    """

    table: str
    before: TableSize
    after: TableSize
    compacted: int
    orphans: int
    expired: int


def keep_up(logs: TableLogs, table: str, *, optimize_after: int, retention_hours: float) -> Upkeep:
    """Put small files together, and remove what is past its time; no row changes.

    Args:
        logs: The tables.
        table: ``layer/table``.
        optimize_after: Commits since the last time after which files are put together.
        retention_hours: For so long a reader of a former version finds its files.

    Raises:
        TableNotFoundError: There is no such table.
        EnvironmentError360: Files that it is made of are not there; nothing was removed.
    """
    before = size_of(logs, table)
    compacted = 0
    if commits_since(logs, table) >= optimize_after:
        with committing(table):
            done = logs.open(table).optimize.compact()
        compacted = int(done["numFilesRemoved"])
    orphans, expired = _remove_unneeded(logs, table, retention_hours)
    logs.open(table).cleanup_metadata()
    return Upkeep(table, before, size_of(logs, table), compacted, orphans, expired)


def size_of(logs: TableLogs, table: str) -> TableSize:
    """What ``table`` takes now."""
    active = logs.details(table)
    _, root, files = _listed(logs, table)
    on_disk = [files[path].size for path in _data_files(root, files)]
    in_log = f"{root}/{LOG_FOLDER}/"
    return TableSize(
        files=len(logs.open(table).file_uris()),
        bytes=active.bytes,
        files_on_disk=len(on_disk),
        bytes_on_disk=sum(on_disk),
        log_files=sum(path.startswith(in_log) for path in files),
    )


def commits_since(logs: TableLogs, table: str) -> int:
    """Commits of ``table`` since its files were put together last; all where they never were."""
    count = 0
    for entry in logs.open(table).history():
        operation = str(entry.get("operation", ""))
        if operation == OPTIMIZE:
            return count
        count += not operation.startswith("VACUUM")
    return count


def _listed(logs: TableLogs, table: str) -> tuple[fs.FileSystem, str, dict[str, fs.FileInfo]]:
    """Where the table lies, and every file of it, by its path there."""
    system, root = logs.filesystem(table)
    found = system.get_file_info(fs.FileSelector(root, recursive=True))
    return system, root, {each.path: each for each in found if each.type == fs.FileType.File}


def _data_files(root: str, files: Mapping[str, fs.FileInfo]) -> list[str]:
    in_log = f"{root}/{LOG_FOLDER}/"
    return [path for path in files if path.endswith(_DATA) and not path.startswith(in_log)]


def _remove_unneeded(logs: TableLogs, table: str, retention_hours: float) -> tuple[int, int]:
    """Remove what no reader can need, as VACUUM does, but without commits of its own.

    Returns:
        How many files no commit ever named, as a killed write leaves them; and how many were of
        versions past the retention.
    """
    (system, root, files), delta = _listed(logs, table), logs.open(table)
    active = {_path(root, name, files) for name in delta.file_uris()}
    if missing := [path for path in active if path not in files]:
        raise EnvironmentError360(
            f"{table}: {len(missing):,} of its {len(active):,} files are not there, such as "
            f"{PurePosixPath(missing[0]).name}: bring them back, by `customer360 restore` of a "
            "backup if need be; nothing was removed"
        )
    removed = _removed(delta, root, 0, files)
    past = _removed(delta, root, round(retention_hours), files)
    now, orphans, expired = time.time(), 0, 0
    for path in _data_files(root, files):
        if path in active or (path in removed and path not in past):
            continue
        age_hours = (now - files[path].mtime_ns / _SECOND_NS) / 3600
        if path not in removed:
            # A file younger than the log's memory of removals is in the log, if it ever was.
            if age_hours < _TOMBSTONES_KEPT_HOURS:
                orphans += 1
            elif age_hours < retention_hours:
                continue
            else:
                expired += 1
        else:
            expired += 1
        file = PurePosixPath(path)
        checksum = str(file.with_name(_HADOOP_CHECKSUM.format(file.name)))
        for gone in (path, checksum):
            if gone in files:
                system.delete_file(gone)
    return orphans, expired


def _removed(
    delta: DeltaTable, root: str, hours: int, files: Mapping[str, fs.FileInfo]
) -> set[str]:
    """Files of former versions that the log still names, removed at least ``hours`` ago."""
    names = delta.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False)
    return {_path(root, name, files) for name in names}


def _path(root: str, name: str, files: Mapping[str, fs.FileInfo]) -> str:
    """A file as delta-rs names it (a URI, an absolute path, or below the table) as it is listed."""
    parts = urlsplit(name)
    plain = name
    if parts.scheme:
        plain = parts.path if parts.scheme == "file" else f"{parts.netloc}{parts.path}"
    if not plain.startswith(f"{root}/"):
        plain = f"{root}/{plain}"
    return plain if plain in files else unquote(plain)
