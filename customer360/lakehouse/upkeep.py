"""Keeping Delta tables small: files put together, and those removed that nobody can need.

By delta-rs, without an engine. Only while nobody else writes the tables: a file that a running
write has not committed yet looks like one that a killed write has left.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deltalake import DeltaTable

from customer360.errors import EnvironmentError360
from customer360.lakehouse.commits import committing
from customer360.lakehouse.delta_log import LOG_FOLDER, TableLogs

OPTIMIZE = "OPTIMIZE"
_DATA = "*.parquet"
_HADOOP_CHECKSUM = ".{}.crc"
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
        logs: The tables, on a disk of this machine.
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
    on_disk = [file.stat().st_size for file in _data_files(logs, table)]
    return TableSize(
        files=len(logs.open(table).file_uris()),
        bytes=active.bytes,
        files_on_disk=len(on_disk),
        bytes_on_disk=sum(on_disk),
        log_files=sum(1 for _ in (Path(logs.path(table)) / LOG_FOLDER).iterdir()),
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


def _folder(logs: TableLogs, table: str) -> Path:
    """Where the table lies, whatever links lead there: delta-rs names files so."""
    return Path(logs.path(table)).resolve()


def _data_files(logs: TableLogs, table: str) -> list[Path]:
    root = _folder(logs, table)
    return [file for file in root.rglob(_DATA) if LOG_FOLDER not in file.relative_to(root).parts]


def _remove_unneeded(logs: TableLogs, table: str, retention_hours: float) -> tuple[int, int]:
    """Remove what no reader can need, as VACUUM does, but without commits of its own.

    Returns:
        How many files no commit ever named, as a killed write leaves them; and how many were of
        versions past the retention.
    """
    root, delta = _folder(logs, table), logs.open(table)
    active = {_path(root, name) for name in delta.file_uris()}
    if missing := [file for file in active if not file.exists()]:
        raise EnvironmentError360(
            f"{table}: {len(missing):,} of its {len(active):,} files are not there, such as "
            f"{missing[0].name}: bring them back, by `customer360 restore` of a backup if need be; "
            "nothing was removed"
        )
    removed, past = _removed(delta, root, 0), _removed(delta, root, round(retention_hours))
    now, orphans, expired = time.time(), 0, 0
    for file in _data_files(logs, table):
        if file in active or (file in removed and file not in past):
            continue
        age_hours = (now - file.stat().st_mtime) / 3600
        if file not in removed:
            # A file younger than the log's memory of removals is in the log, if it ever was.
            if age_hours < _TOMBSTONES_KEPT_HOURS:
                orphans += 1
            elif age_hours < retention_hours:
                continue
            else:
                expired += 1
        else:
            expired += 1
        file.unlink(missing_ok=True)
        file.with_name(_HADOOP_CHECKSUM.format(file.name)).unlink(missing_ok=True)
    return orphans, expired


def _removed(delta: DeltaTable, root: Path, hours: int) -> set[Path]:
    """Files of former versions that the log still names, removed at least ``hours`` ago."""
    names = delta.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False)
    return {_path(root, name) for name in names}


def _path(root: Path, name: str) -> Path:
    """A file as delta-rs names it: absolute, or below the table."""
    path = Path(urlsplit(name).path if "://" in name else name)
    plain = path if path.is_absolute() else root / path
    return (plain if plain.exists() else Path(unquote(str(plain)))).resolve()
