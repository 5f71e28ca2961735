"""What people are told: where, which day, why, and the command that helps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from customer360.errors import shortened

_LONGEST_REASON = 600


class Kind(StrEnum):
    """What has happened, in the words of a subject line."""

    RUN_FAILED = "a run failed"
    CHECK_FAILED = "a check warns"
    STALE = "no new data"
    SENSOR_FAILED = "a look by itself failed"
    TEST = "a test message"


@dataclass(frozen=True)
class Alert:
    """One message.

    Attributes:
        kind: What has happened.
        where: The table, as ``layer/table``, or the job or sensor.
        day: The days that it is about, as text; blank where it is about none.
        reason: Why, in a line.
        command: What to type.
        key: Tells it from all others: the same is not told twice.
    """

    kind: Kind
    where: str
    day: str
    reason: str
    command: str
    key: str

    @property
    def subject(self) -> str:
        """The alert in one line."""
        day = f", {self.day}" if self.day else ""
        return " ".join(f"customer360: {self.kind}: {self.where}{day}".split())

    @property
    def body(self) -> str:
        """What the subject leaves out, a line each."""
        reason = shortened(" ".join(self.reason.split()), _LONGEST_REASON)
        return f"Why: {reason}\nWhat helps: {self.command}"
