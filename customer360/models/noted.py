"""What MLflow said last, kept beside a local tracking database for as long as that is unchanged.

MLflow takes seconds to load; a command that only tells what the registry holds need not wait for
it, unless somebody has trained or promoted since. A tracking server is always asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from customer360 import __version__

FOLDER = "noted"
"""Beside the database: a file for each thing that was asked."""

_FORM = 2
"""Raised whenever what is noted takes another form."""

_SQLITE = "sqlite:///"
_CHANGES = slice(24, 28)
"""Bytes of SQLite's header that count the transactions (sqlite.org/fileformat2.html)."""


def local_database(uri: str) -> Path | None:
    """The file of a SQLite tracking URI; None for a server."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def noted(uri: str, what: str, ask: Callable[[], Any]) -> Any:
    """What ``ask`` returns, or returned when the tracking database was as it is now.

    Args:
        uri: MLflow's tracking URI.
        what: Name of the thing that is asked.
        ask: Asks MLflow; returns what JSON can hold. What it raises is not noted.
    """
    database = local_database(uri)
    before = None if database is None else _state(database)
    if database is None or before is None:
        return ask()
    note = _file(database, what)
    kept = _read(note)
    if kept.get("of") == before:
        return kept["said"]
    answer = ask()
    # Opening a database for the first time, MLflow changes it.
    if _state(database) == before:
        _write(note, {"of": before, "said": answer})
    return answer


def last_noted(uri: str, what: str) -> Any | None:
    """What was answered last, though the database may have changed since; None for nothing."""
    database = local_database(uri)
    return None if database is None else _read(_file(database, what)).get("said")


def _file(database: Path, what: str) -> Path:
    return database.parent / FOLDER / f"{what}.json"


def _state(database: Path) -> list[Any] | None:
    """Changes with every write to the database; None where that cannot be told."""
    try:
        with database.open("rb") as stream:
            changes = stream.read(_CHANGES.stop)[_CHANGES].hex()
        status = database.stat()
    except OSError:
        return None
    # With a write-ahead log, the file itself stays as it is for a while.
    if database.with_name(f"{database.name}-wal").exists():
        return None
    return [f"{__version__}/{_FORM}", changes, status.st_size, status.st_mtime_ns]


def _read(note: Path) -> dict[str, Any]:
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(note: Path, content: dict[str, Any]) -> None:
    """Keep it, or go without: a home that may only be read can be asked all the same."""
    unfinished = note.with_suffix(".unfinished")
    try:
        note.parent.mkdir(exist_ok=True)
        unfinished.write_text(json.dumps(content), encoding="utf-8")
        unfinished.replace(note)
    except OSError:
        return
