"""What the warehouse holds: as-of dates, the deployment's facts, when it was published."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from customer360.dashboard.connection import Reading


@dataclass(frozen=True)
class Published:
    """What there is to see.

    Attributes:
        as_of: Dates with a row a customer, the newest first; none in an empty warehouse.
        published_at: When the newest table was published.
        facts: ``serving.deployment``: currency, zone, sources and settings, by name.
        suppression_known: Whether the last publish could read the suppression list, or there is
            none; otherwise who is suppressed is of the last that could be read.
    """

    as_of: tuple[date, ...] = ()
    published_at: datetime | None = None
    facts: dict[str, str] = field(default_factory=dict)
    suppression_known: bool = True


def published(reading: Reading) -> Published:
    """What there is to see, also in a warehouse that is empty or half built."""
    facts = reading.frame_if("serving.deployment", "SELECT name, value FROM serving.deployment")
    newest = (
        reading.value("SELECT max(published_at) FROM serving.publications")
        if reading.has("serving.publications")
        else None
    )
    suppression_known = newest is None or reading.value(
        "SELECT EXISTS (SELECT FROM serving.publications "
        "WHERE table_name = 'serving/suppressed_customers')"
    )
    # Few rows an as-of date; asking the customers would read them all.
    dates = reading.frame_if(
        "marts.segment_summary",
        "SELECT DISTINCT as_of FROM marts.segment_summary ORDER BY as_of DESC",
    )
    return Published(
        tuple(dates["as_of"]) if len(dates) else (),
        newest,
        dict(zip(facts["name"], facts["value"], strict=True)) if len(facts) else {},
        bool(suppression_known),
    )
