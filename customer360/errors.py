"""Errors a user can cause: one line that says what was wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Sequence


class Customer360Error(Exception):
    """Base of every error whose message is meant for the user and needs no stack trace."""


class SettingsError(Customer360Error):
    """A setting is missing or contradicts another; the message names it."""


class EnvironmentError360(Customer360Error):
    """The machine lacks something (Java, jars, disk, a free port); the message says what to do."""


class TableNotFoundError(Customer360Error):
    """A table that was asked for has not been made yet."""


class BrokenFileError(Customer360Error):
    """A raw file as a whole cannot be used: nothing of its table is written.

    Args:
        file: Name of the file as the user knows it.
        expected: What the contract wanted.
        found: What is there.
        remedy: What to do about it.
    """

    def __init__(self, file: str, expected: str, found: str, remedy: str = "") -> None:
        self.file = file
        self.expected = expected
        self.found = found
        tail = f"; {remedy}" if remedy else ""
        super().__init__(f"{file}: expected {expected}, found {found}{tail}")


def first_line(error: BaseException) -> str:
    """What an error says, without the lines of detail below; its class's name if it says nothing.

    libpq's first lines name neither passwords nor rows.
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def listed(values: Sequence[str], limit: int = 8) -> str:
    """Join ``values`` for a message, cut after ``limit`` with how many were left out."""
    shown = ", ".join(values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown


def shortened(text: str, limit: int = 100) -> str:
    """``text`` for a message, cut where it is longer than ``limit`` characters."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def counted_rows(count: int) -> str:
    """How many rows, for a message."""
    return f"{count:,} {'row' if count == 1 else 'rows'}"
