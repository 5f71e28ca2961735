"""Who may read what a deployment keeps: its owner, and nobody else on the machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MAY_PASS = stat.S_IXGRP | stat.S_IXOTH

_given: int | None = None


def only_for_owner() -> None:
    """From now on the files of this process, and of what it starts, are its owner's alone."""
    global _given
    before = os.umask(_OTHERS)
    if _given is None:
        _given = before


def shared_mode() -> int:
    """Mode of a file that is written for others: as it was before `only_for_owner`."""
    if _given is None:
        current = os.umask(_OTHERS)
        os.umask(current)
        return 0o666 & ~current
    return 0o666 & ~_given


@contextmanager
def rewritten(file: Path) -> Iterator[Path]:
    """A file beside ``file``, with its mode, that takes its place when the block has written it."""
    beside = file.with_name(f".{file.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=stat.S_IMODE(file.stat().st_mode))
    yield beside
    beside.replace(file)


def tighten(home: Path) -> None:
    """Close ``home`` to others, and what lies in it at the top.

    Whoever may not enter the home reaches no file in it. What belongs to another owner is left to
    it: run as root, PostgreSQL has a user of its own, which must be able to pass through.
    """
    for path in (home, *_entries(home)):
        with suppress(OSError):
            found = path.lstat()
            if found.st_uid != os.geteuid() or stat.S_ISLNK(found.st_mode):
                continue
            allowed = _allowed(home) if path == home else 0
            if found.st_mode & _OTHERS & ~allowed:
                path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS | found.st_mode & allowed)


def open_to_others(home: Path) -> bool:
    """Whether others than its owner may look into ``home``, or anything where it is not there."""
    with suppress(OSError):
        return bool(home.stat().st_mode & _OTHERS & ~_allowed(home))
    return False


def _entries(home: Path) -> list[Path]:
    with suppress(OSError):
        return list(home.iterdir())
    return []


def _allowed(home: Path) -> int:
    """What others may do with a home: pass through it, where something in it is another's."""
    if os.geteuid() == 0 and any(path.lstat().st_uid != 0 for path in _entries(home)):
        return _MAY_PASS
    return 0
