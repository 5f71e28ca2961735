"""What loading a bronze table did: where every raw row went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from customer360.contracts.reasons import SETTLED
from customer360.limits import LeftOut

if TYPE_CHECKING:
    from customer360.lakehouse.delta_log import Commit

DELIVERY_DAY = "_delivered_on"
WHOLE = "whole"
"""Name of the one partition of an extract."""


@dataclass(frozen=True)
class DeliveryCount:
    """Rows of one delivery day: what was raw, what is in bronze, what is in quarantine.

    And what came and was only counted, as it is of a day that is closed.
    """

    raw: int
    bronze: int
    quarantined: int
    expired: int = 0

    @property
    def conserved(self) -> bool:
        """Whether no row was lost or multiplied."""
        return self.raw == self.bronze + self.quarantined + self.expired


@dataclass(frozen=True)
class BronzeLoaded:
    """What loading one bronze table did.

    Attributes:
        bronze: The commit of the bronze table; None when an unchanged extract was left alone.
        quarantine: The commit of its quarantine table; None where it was left alone, also because
            no row was refused and none had been of these days.
        counts: By delivery day (ISO), or ``whole`` for an extract.
        reasons: Refused rows by reason, those that are only counted among them; a row with two
            reasons counts in both.
        deleted: Rows in quarantine because the source has them no more; they count as neither
            raw nor quarantined.
        dropped: Rows in quarantine for good: an edit leaves them out, or they were of somebody who
            is forgotten.
        set_aside: Values that describe and could not be used, by reason: their rows are in bronze
            and are read without them.
        left_out: Quarantined rows and their money, of how much; None where an unchanged extract
            was loaded by an older release.
        closed: Days that were asked for and not loaded, because they are closed.
    """

    bronze: Commit | None
    quarantine: Commit | None
    counts: Mapping[str, DeliveryCount]
    reasons: Mapping[str, int]
    deleted: int = 0
    dropped: int = 0
    set_aside: Mapping[str, int] = field(default_factory=dict)
    left_out: LeftOut | None = None
    closed: int = 0

    @property
    def raw(self) -> int:
        """Raw rows of the load."""
        return sum(count.raw for count in self.counts.values())

    @property
    def quarantined(self) -> int:
        """Quarantined rows of the load."""
        return sum(count.quarantined for count in self.counts.values())

    @property
    def expired(self) -> int:
        """Rows of the load that were only counted."""
        return sum(count.expired for count in self.counts.values())

    @property
    def refused(self) -> LeftOut:
        """Rows that quarantine waits to be rid of, and their money, of how much."""
        return self.left_out or LeftOut(self.quarantined - self.dropped, self.raw)

    @property
    def not_conserved(self) -> dict[str, DeliveryCount]:
        """Delivery days on which raw rows are not bronze rows plus quarantined rows."""
        return {day: count for day, count in self.counts.items() if not count.conserved}


def settled(reasons: Mapping[str, int]) -> int:
    """Of quarantined rows by reason, those that are there for good."""
    return sum(reasons.get(reason, 0) for reason in SETTLED)


def left_out(observed: Mapping[str, Any], rows: int, of_rows: int) -> LeftOut:
    """What is in quarantine, of the values of `contracts.checks.money_counts`."""
    return LeftOut(
        rows,
        of_rows,
        Decimal(observed.get("money_refused") or 0),
        Decimal(observed.get("money") or 0),
        int(observed.get("worth_unknown") or 0),
    )
