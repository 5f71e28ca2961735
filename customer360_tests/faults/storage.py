"""The disk fails, is full, or has a quota; and what a crash has left on it."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from customer360.home_lock import LOCK_FILE, NOTE_FILE
from customer360.lakehouse.commits import Moment, listening
from customer360_tests.faults.company import (
    FORGETTING,
    LOAD,
    NIGHT,
    PUBLISHING,
    SCORING,
    TRAINING,
    UPKEEP,
    Company,
)
from customer360_tests.faults.faults import WENT_ON, Fault, Night, NotInjectedError
from customer360_tests.faults.kills import numbered, where

DISK_BYTES = 512 << 20
LEAST_BYTES = 1 << 20


def errors(company: Company) -> Iterator[Fault]:
    """An I/O error right after a commit: the run goes on to its end, as failed."""
    for table, nth in numbered(company.commits[LOAD.name]):
        at = where(table, nth)
        yield Fault("I/O error after a commit", LOAD, at, _Error(table, nth, Moment.AFTER))


class _Error:
    def __init__(self, table: str, nth: int, at: Moment) -> None:
        self.table, self.nth, self.at = table, nth, at

    def __call__(self, night: Night) -> str:
        seen = 0

        def fail(moment: Moment, table: str) -> None:
            nonlocal seen
            if (moment, table) == (self.at, self.table):
                seen += 1
                if seen == self.nth:
                    raise OSError(errno.EIO, os.strerror(errno.EIO), f"{night.lakehouse}/{table}")

        with listening(fail):
            how = night.run()
        assert how != WENT_ON
        return how


def full_disk(disk: Path | None) -> Iterator[Fault]:
    """A disk with less room than the step needs; ``disk`` is one of `DISK_BYTES` for it."""
    for step in (LOAD, NIGHT, UPKEEP, FORGETTING, TRAINING, SCORING, PUBLISHING):
        for share in (0.05, 0.6) if step is LOAD else (0.6,):
            room = f"room for {share:.0%} of what it writes"
            yield Fault("disk full", step, room, _Full(share), on=disk)


class _Full:
    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, night: Night) -> str:
        home = night.settings.home.resolve()
        ballast = home.parent / "ballast"
        state = os.statvfs(home)
        free = state.f_bavail * state.f_frsize
        if free > DISK_BYTES:
            raise NotInjectedError("there is no small disk to fill")
        # A step that ends with less than it began with needs room on its way.
        grown = max(night.company.grown[night.step.name], LEAST_BYTES)
        room = int(self.share * grown)
        with ballast.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, max(free - room, 1))
        try:
            how = night.run()
        finally:
            ballast.unlink()
        if how == WENT_ON:
            raise NotInjectedError("there was room enough")
        return how


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of `DISK_BYTES`, in memory; None where this process may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "faults", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def quota(_: Company) -> Iterator[Fault]:
    """No file may be longer than so many bytes (``ulimit -f``), for Python and Java."""
    for step in (LOAD, NIGHT, TRAINING, PUBLISHING):
        yield Fault("quota", step, "64 KB a file", _Quota(64 << 10))


class _Quota:
    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, night: Night) -> str:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.most, self.most))

        how = night.process(limits=limit)
        if how == WENT_ON:
            raise NotInjectedError("no file was longer")
        return how


def leftovers(_: Company) -> Iterator[Fault]:
    """What a crash has left: it is in nobody's way."""
    for name, leave in _LEFT.items():
        for step in (NIGHT, UPKEEP):
            yield Fault("left by a crash", step, name, _Left(leave))


class _Left:
    def __init__(self, leave: Callable[[Night], None]) -> None:
        self.leave = leave

    def __call__(self, night: Night) -> str:
        self.leave(night)
        how = night.run()
        assert how == WENT_ON, how
        night.assert_equal()
        return how


def _half_a_file(night: Night) -> None:
    for table in ("silver/transactions", "gold/customer_features"):
        (night.lakehouse / table / "part-00000-half.snappy.parquet").write_bytes(b"PAR1\0\0")


def _half_a_commit(night: Night) -> None:
    for table in ("silver/transactions", "gold/customer_features"):
        log = night.lakehouse / table / "_delta_log"
        newest = max(log.glob("*.json")).name
        (log / f".{int(newest[:20]) + 1:020}.json.1234.tmp").write_text('{"commitInfo":{"ti')


def _a_lock(night: Night) -> None:
    (night.settings.home / LOCK_FILE).touch()
    (night.settings.home / NOTE_FILE).write_text('{"what": "customer360 ru', encoding="utf-8")


def _half_a_list(night: Night) -> None:
    folder = night.settings.home / "exports" / str(night.step.last)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".whales.csv.unfinished").write_text("customer", encoding="utf-8")


_LEFT: dict[str, Callable[[Night], None]] = {
    "half a data file": _half_a_file,
    "half a commit": _half_a_commit,
    "the lock and half a note of a dead process": _a_lock,
    "half a list": _half_a_list,
}
