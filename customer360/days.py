"""Ranges of business days, inclusive at both ends as people write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from customer360.errors import SettingsError


@dataclass(frozen=True, order=True)
class DayRange:
    """The days ``first`` to ``last``, both included.

    Raises:
        SettingsError: ``last`` is before ``first``.
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise SettingsError(
                f"date range ends before it begins: {self.first} to {self.last}; swap the two"
            )

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=n) for n in range(len(self)))

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def __str__(self) -> str:
        return f"{self.first}...{self.last}" if self.first != self.last else str(self.first)

    def union(self, other: DayRange) -> DayRange:
        """The smallest range that holds both."""
        return DayRange(min(self.first, other.first), max(self.last, other.last))


def ranges_of(days: Iterable[date], within: timedelta = timedelta(days=1)) -> tuple[DayRange, ...]:
    """The ranges that hold ``days``, in order; days no further than ``within`` apart are in one."""
    ranges: list[DayRange] = []
    for day in sorted(set(days)):
        if ranges and day - ranges[-1].last <= within:
            ranges[-1] = DayRange(ranges[-1].first, day)
        else:
            ranges.append(DayRange(day, day))
    return tuple(ranges)


def parse_day(text: str, setting: str) -> date:
    """Read an ISO date, or say which setting holds something else.

    Raises:
        SettingsError: ``text`` is not ``YYYY-MM-DD``.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{setting}: {text!r} is not a date like 2025-12-31") from None
