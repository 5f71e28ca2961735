"""One writer at a time in a deployment's home.

The lock is the operating system's (``flock``), on a file in the home: it goes with the process that
holds it, however that process ends, so it can never be stale. The note beside it only says who
holds it, for whoever is kept waiting. Both are of one machine; of a lakehouse in an object store,
a note in the store itself keeps other homes and copies out (`lakehouse.object_store.claim`).
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from customer360.errors import Customer360Error, EnvironmentError360
from customer360.modes import tighten

LOCK_FILE = "writing.lock"
NOTE_FILE = "writing.json"

_ONLY_ITS_OWNER = 0o600
# A clock that is set right while a process runs moves the start that is worked out for it.
_SAME_START_SECONDS = 2.0
# Between taking the lock and writing the note, nobody can tell who holds it.
_NOTE_SECONDS = 1.0
_POLL_SECONDS = 0.5
_LOOK_AGAIN_SECONDS = 30.0


class HomeBusyError(Customer360Error):
    """Another process writes the home; the message names it."""


@dataclass(frozen=True)
class Writer:
    """Who holds a home.

    Attributes:
        what: What it does, for people: ``customer360 run``.
        pid: Its process.
        process_started: When that process started, in seconds since 1970: two processes may have
            had one number.
        since: When it took the home, in seconds since 1970.
        host: Its machine or container.
    """

    what: str
    pid: int
    process_started: float
    since: float
    host: str

    @classmethod
    def this_process(cls, what: str) -> Writer:
        """This process, from now on."""
        return cls(
            what, os.getpid(), psutil.Process().create_time(), time.time(), socket.gethostname()
        )

    @property
    def shown(self) -> str:
        """``customer360 run (process 4711, since 2026-01-31 02:00:07 CET)``."""
        since = datetime.fromtimestamp(self.since).astimezone()
        elsewhere = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"{self.what} (process {self.pid}{elsewhere}, since {since:%Y-%m-%d %H:%M:%S %Z})"

    def is_alive(self) -> bool:
        """Whether this very process runs; one of another host is believed."""
        if self.host != socket.gethostname():
            return True
        try:
            started = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True
        return abs(started - self.process_started) < _SAME_START_SECONDS


@contextmanager
def writing(
    home: Path,
    what: str,
    *,
    wait_seconds: float = 0.0,
    tell: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold ``home`` while it is written, alone among all processes of this machine.

    It is closed to other users than its owner. A process that holds it already goes on: what is
    inside belongs to it.

    Args:
        home: The deployment's folder; made if it is not there.
        what: What this process does, as others are told while they wait.
        wait_seconds: How long to wait for another process; 0 refuses at once.
        tell: Receives one line for each process that is waited for.

    Raises:
        HomeBusyError: Another process holds it, still after ``wait_seconds``; or another home
            writes its lakehouse.
        EnvironmentError360: The home cannot be written, or its object store not be reached.
    """
    lock = _lock(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        _acquire(lock, home, wait_seconds, tell)
    except OSError as error:
        raise EnvironmentError360(
            f"{lock.lock_file}: {error.strerror}; a run needs a home that it may write"
        ) from error
    note = home / NOTE_FILE
    outermost = lock.lock_counter == 1
    try:
        if outermost:
            tighten(home)
            _write(note, Writer.this_process(what))
            _claim_lakehouse(home)
        yield
    finally:
        if outermost:
            note.unlink(missing_ok=True)
        lock.release()


def _claim_lakehouse(home: Path) -> None:
    """Let no other home write the lakehouse of this one, where it is in an object store."""
    # Settings, and what speaks to a store, are loaded by whoever writes, and not by who asks.
    from customer360.settings import load_settings

    uri = load_settings(home).lakehouse_uri
    if uri is not None:
        from customer360.lakehouse.object_store import claim

        claim(uri, home)


def refuse_if_written(home: Path) -> None:
    """Raise at once what `writing` would; makes and holds nothing.

    Raises:
        HomeBusyError: Another process holds ``home``.
    """
    if not (home / LOCK_FILE).exists():
        return
    lock = _lock(home)
    # Where the file may not be opened, `writing` says so, once there is something to write.
    with suppress(OSError):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise _busy(home, 0) from None
        lock.release()


def writer_of(home: Path) -> Writer | None:
    """Who holds ``home``, as far as its note tells; None where the process named is not alive."""
    try:
        noted = Writer(**json.loads((home / NOTE_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return noted if noted.is_alive() else None


def _lock(home: Path) -> FileLock:
    # One object for a file and process: it counts how often it was taken.
    return FileLock(
        home.resolve() / LOCK_FILE, mode=_ONLY_ITS_OWNER, thread_local=False, is_singleton=True
    )


def _acquire(
    lock: FileLock, home: Path, wait_seconds: float, tell: Callable[[str], None] | None
) -> None:
    until = time.monotonic() + wait_seconds
    announced = None
    patience = 0.0
    while True:
        try:
            lock.acquire(timeout=patience, poll_interval=_POLL_SECONDS)
            return
        except Timeout:
            left = until - time.monotonic()
            if left <= 0:
                raise _busy(home, wait_seconds) from None
        writer = _shown(home)
        if tell is not None and writer != announced:
            tell(f"waiting for {writer}, which writes {home}")
            announced = writer
        patience = min(left, _LOOK_AGAIN_SECONDS)


def _busy(home: Path, waited: float) -> HomeBusyError:
    after = f", still after {waited:,.0f} s" if waited else ""
    return HomeBusyError(
        f"{home} is being written by {_shown(home)}{after}; run this again when that has ended"
    )


def _shown(home: Path) -> str:
    until = time.monotonic() + _NOTE_SECONDS
    while (writer := writer_of(home)) is None and time.monotonic() < until:
        time.sleep(0.05)
    return writer.shown if writer else "another process"


def _write(note: Path, writer: Writer) -> None:
    scratch = note.with_suffix(".part")
    scratch.unlink(missing_ok=True)
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _ONLY_ITS_OWNER)
    with os.fdopen(handle, "w") as stream:
        json.dump(asdict(writer), stream)
    scratch.replace(note)
