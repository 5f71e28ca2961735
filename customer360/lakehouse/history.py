"""Leaving nothing of what a table was: neither old files nor what its log says of them.

Delta keeps the files of earlier versions until VACUUM, and its log keeps, for longer, the least and
greatest values of every file that was ever added, in commits, in checkpoints and in checksums, and
the conditions that rows were replaced by. VACUUM touches no log, and the clean-up of the log only
what is older than a day. What must be gone today is taken out here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from pyarrow import fs

from customer360.lakehouse.delta_log import LOG_FOLDER, TableLogs

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")
_LAST_CHECKPOINT = "_last_checkpoint"
# Of a commit's own description: what may quote values of rows.
_QUOTES_VALUES = ("operationParameters",)


@dataclass(frozen=True)
class HistoryDropped:
    """What `drop_history` took away: files that held rows, and their bytes."""

    files: int
    bytes: int


def drop_histories(tables: TableLogs) -> None:
    """`drop_history` of all tables there are."""
    for table in tables.tables():
        drop_history(tables, table)


def drop_history(tables: TableLogs, table: str) -> HistoryDropped:
    """Take away all that ``table`` was before its newest version; its rows stay as they are.

    Versions go on counting, and the notes of all commits stay, for other tables say by them what
    they were made of. No earlier version can be read any more. Nobody may write the table
    meanwhile, nor read an earlier version. A call that is killed is made good by another.

    Args:
        tables: Where it is.
        table: ``layer/table``.

    Raises:
        TableNotFoundError: There is no such table.
    """
    delta = tables.open(table)
    newest = int(delta.version())
    delta.create_checkpoint()
    system, root = tables.filesystem(table)
    # Paths in the log are URL-encoded where a partition's value has such characters.
    live = {_plain(path) for path in delta.get_add_actions().column("path").to_pylist()}
    for file in _files(system, f"{root}/{LOG_FOLDER}"):
        name = file.base_name
        commit, checkpoint = _COMMIT.fullmatch(name), _CHECKPOINT.fullmatch(name)
        if commit is not None and int(commit[1]) <= newest:
            _keep_note_only(system, file.path)
        elif checkpoint is not None:
            if int(checkpoint[1]) < newest:
                system.delete_file(file.path)
        elif commit is None and name != _LAST_CHECKPOINT:
            system.delete_file(file.path)
    gone = [
        file
        for file in _files(system, root)
        if f"/{LOG_FOLDER}/" not in file.path and _plain(file.path[len(root) + 1 :]) not in live
    ]
    for file in gone:
        system.delete_file(file.path)
    return HistoryDropped(len(gone), sum(file.size for file in gone))


def _keep_note_only(system: fs.FileSystem, path: str) -> None:
    """Leave of a commit who made it when, and its note; a checkpoint says what the table is."""
    with system.open_input_stream(path) as stream:
        text = stream.read().decode()
    kept = []
    for line in text.splitlines():
        action = json.loads(line) if line.strip() else {}
        if "commitInfo" in action:
            info = {k: v for k, v in action["commitInfo"].items() if k not in _QUOTES_VALUES}
            kept.append(json.dumps({"commitInfo": info}))
    content = "\n".join(kept) + "\n"
    if content == text:
        return
    # An object appears whole or not at all; a file must be written beside and renamed for that.
    is_file = isinstance(system, fs.LocalFileSystem)
    target = f"{path}.new" if is_file else path
    with system.open_output_stream(target) as stream:
        stream.write(content.encode())
    if is_file:
        system.move(target, path)


def _files(system: fs.FileSystem, folder: str) -> Iterator[fs.FileInfo]:
    for entry in system.get_file_info(fs.FileSelector(folder, recursive=True)):
        if entry.type == fs.FileType.File:
            yield entry


def _plain(path: str) -> str:
    return unquote(path)
