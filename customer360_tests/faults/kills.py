"""The process, or its Java, comes to its end: at a commit, and at any time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from customer360_tests.faults.company import (
    FORGETTING,
    LOAD,
    NIGHT,
    PUBLISHING,
    SCORING,
    TRAINING,
    UPKEEP,
    Company,
    Step,
)
from customer360_tests.faults.faults import KILLED, WENT_ON, Fault, Night, NotInjectedError, ended

_BY_TIME = {LOAD: 4, NIGHT: 4, FORGETTING: 3, TRAINING: 4, SCORING: 2, PUBLISHING: 4}
"""How many kills by time; publishing has no commits of Delta's."""


def at_commits(company: Company) -> Iterator[Fault]:
    """SIGKILL of process and Java: before, in and after each commit of a first load.

    Of other steps in it, or after it: what is before a commit is after another.
    """
    moments = {
        LOAD: ("before", "in", "after"),
        NIGHT: ("in",),
        UPKEEP: ("after",),
        FORGETTING: ("after",),
        SCORING: ("after",),
    }
    for step, chosen in moments.items():
        for table, nth in numbered(company.commits[step.name]):
            for moment in chosen:
                yield Fault(
                    f"SIGKILL {moment} a commit",
                    step,
                    where(table, nth),
                    _Killed(table, nth, moment),
                )


def by_time(_: Company) -> Iterator[Fault]:
    """SIGKILL at a moment that nobody has chosen."""
    chance = random.Random(1)
    for step, times in _BY_TIME.items():
        for number in range(times):
            share = (number + chance.random()) / times
            yield Fault(
                "SIGKILL at any time", step, f"after {share:.0%} of it", _KilledAfter(share)
            )


def java(company: Company) -> Iterator[Fault]:
    """Java alone is killed, and Java's memory runs out."""
    kinds = {"kill java": "SIGKILL of Java alone", "fill java": "Java out of memory"}
    for what, kind in kinds.items():
        for step in (LOAD, NIGHT, SCORING):
            for table, nth in list(numbered(company.commits[step.name]))[-3:-2]:
                yield Fault(kind, step, where(table, nth), _Struck(what, table, nth))


def stopped(company: Company) -> Iterator[Fault]:
    """Whoever runs it stops it: Ctrl-C, or SIGTERM of a service manager."""
    for what in ("SIGINT", "SIGTERM"):
        for step in (LOAD, SCORING):
            for table, nth in list(numbered(company.commits[step.name]))[2:3]:
                yield Fault(what, step, where(table, nth), _Struck(what, table, nth))


def numbered(commits: list[str]) -> Iterator[tuple[str, int]]:
    """Tables, and which commit of theirs it is, from 1."""
    seen: Counter[str] = Counter()
    for table in commits:
        seen[table] += 1
        yield table, seen[table]


def where(table: str, nth: int) -> str:
    """A commit, as the page names it."""
    return table if nth == 1 else f"{table}, commit {nth}"


class _Killed:
    def __init__(self, table: str, nth: int, moment: str) -> None:
        self.table, self.nth, self.moment = table, nth, moment

    def __call__(self, night: Night) -> str:
        how = night.process(night.accident("kill", self.moment, self.table, self.nth))
        if how == WENT_ON and self.moment == "in":
            raise NotInjectedError("the commit wrote no file of data")
        assert how == KILLED, how
        return how


class _Struck:
    def __init__(self, what: str, table: str, nth: int) -> None:
        self.what, self.table, self.nth = what, table, nth

    def __call__(self, night: Night) -> str:
        how = night.process(night.accident(self.what, "before", self.table, self.nth))
        assert how not in (KILLED, WENT_ON), how
        return how


class _KilledAfter:
    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, night: Night) -> str:
        process = night.start()
        after_lines(night.step, process, self.share)
        time.sleep(self.share)  # and not only where an asset begins or ends
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        how = ended(process)
        if how == WENT_ON:
            raise NotInjectedError("it was done")
        return how


_LINES = {LOAD: 24, NIGHT: 24, FORGETTING: 8, TRAINING: 34, SCORING: 28, PUBLISHING: 40}
"""Some lines that each step prints while it works."""


def after_lines(step: Step, process: subprocess.Popen[str], share: float) -> None:
    """Wait until a process has come so far with ``step``.

    Its lines come as assets begin and end: whatever the load of the machine, a share of them is a
    place in the step.
    """
    assert process.stdout is not None
    wanted = 1 + int(share * _LINES[step])
    for count, _ in enumerate(process.stdout, 1):
        if count >= wanted:
            return
