"""Where a process keeps its temporary files: in the home, for its owner only, and not for long.

Rows stand in them: what Spark and DuckDB put aside when memory is short, copies of files, models
on their way to MLflow. In the machine's own temporary folder they would outlive a process that is
killed, beyond the home that a person is erased from.

Each process has a folder, named for it. Whoever comes next removes those of processes that are
dead: a process that is killed cannot.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ONLY_ITS_OWNER = 0o700
_SAME_START_SECONDS = 2


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Keep the temporary files of this process in a folder of its own in ``folder``, within.

    `tempfile`, and what asks it, use that folder; it goes when the process ends, and not before:
    Java goes on using it. What dead processes of this machine left is removed. The environment
    stays as it is, so that servers that are started put their sockets where a path is short enough
    for one. Where the folder cannot be made, the machine's own is used as before.

    Args:
        folder: Such as ``<home>/tmp``; made, and closed to others.
    """
    before = tempfile.tempdir
    with suppress(OSError):
        tempfile.tempdir = str(_made(folder.absolute()))
    try:
        yield
    finally:
        tempfile.tempdir = before


def _made(folder: Path) -> Path:
    own = folder / _own_name()
    if not own.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=_ONLY_ITS_OWNER)
        folder.chmod(_ONLY_ITS_OWNER)
        remove_leftovers(folder)
        own.mkdir(mode=_ONLY_ITS_OWNER)
        atexit.register(_leave, own, os.getpid())
    return own


@contextmanager
def machines_own() -> Iterator[None]:
    """Use the machine's temporary folder within: for what is shared by processes, and stays."""
    own, tempfile.tempdir = tempfile.tempdir, None
    try:
        yield
    finally:
        tempfile.tempdir = own


def remove_leftovers(folder: Path) -> int:
    """Remove what processes of this machine that are dead have left in ``folder``; how many did."""
    left = [one for one in _folders(folder) if not _is_in_use(one)]
    for one in left:
        shutil.rmtree(one, ignore_errors=True)
    return len(left)


def clear(folder: Path) -> list[Path]:
    """Remove all that processes have left in ``folder``, those of other machines too.

    A machine is known by its name, and a container has another one each time: what is said to be
    another's is most often a dead one's of this. A process there that lives loses what it has put
    aside, and keeps its folder.

    Returns:
        Folders of other machines that could not be emptied.
    """
    remove_leftovers(folder)
    for one in _of_others(folder):
        for left in one.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                with suppress(OSError):
                    left.unlink()
    return left_by_others(folder)


def left_by_others(folder: Path) -> list[Path]:
    """Folders in ``folder`` in which processes of other machines have left something."""
    return [one for one in _of_others(folder) if any(one.iterdir())]


def _of_others(folder: Path) -> list[Path]:
    here = socket.gethostname()
    return sorted(one for one in _folders(folder) if one.name.split("~")[-1] != here)


def _folders(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [one for one in folder.iterdir() if one.is_dir() and len(one.name.split("~")) == 3]
    return []


def _own_name() -> str:
    import psutil

    # The start tells it from another process that has the same number later on.
    return f"{os.getpid()}~{int(psutil.Process().create_time())}~{socket.gethostname()}"


def _is_in_use(folder: Path) -> bool:
    """Whether the process of a folder lives, or one that it has started and that outlived it.

    Of another machine, which may share the home, it is believed.
    """
    import psutil

    number, started, host = folder.name.split("~")
    if host != socket.gethostname() or not (number.isdigit() and started.isdigit()):
        return True
    with suppress(psutil.NoSuchProcess):
        own = psutil.Process(int(number)).create_time()
        if abs(own - int(started)) <= _SAME_START_SECONDS:
            return True
    named = str(folder.absolute())
    return any(
        named in argument
        for process in psutil.process_iter(["cmdline"])
        for argument in process.info["cmdline"] or ()
    )


def _leave(own: Path, process: int) -> None:
    if os.getpid() == process:  # and not one that it has forked
        shutil.rmtree(own, ignore_errors=True)
