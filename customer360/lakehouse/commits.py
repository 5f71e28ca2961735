"""The moments of a write: told to who listens, right before a commit and right after it.

So it can be proved of every commit that a run which ends there is made good by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


class Moment(StrEnum):
    """Where a write is."""

    BEFORE = "before"
    AFTER = "after"


Listener = Callable[[Moment, str], None]
"""Receives the moment and the table, ``layer/table``; what it raises ends the write's caller."""

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` of every write of this process, within."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def committing(table: str) -> Iterator[None]:
    """What is within writes ``table`` and commits it, or raises."""
    _tell(Moment.BEFORE, table)
    yield
    _tell(Moment.AFTER, table)


def _tell(moment: Moment, table: str) -> None:
    for listener in tuple(_listeners):
        listener(moment, table)
