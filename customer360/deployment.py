"""A deployment: settings, the active sources they name, and what follows from both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.errors import SettingsError
from customer360.limits import Limits
from customer360.settings import Settings
from customer360.sources.base import Source
from customer360.sources.registry import active_sources
from customer360.table_names import ORDER_LINES


@dataclass(frozen=True)
class Deployment:
    """Settings and sources of one home folder.

    Raises:
        SettingsError: Two sources have the same name, or different currencies; or their tables
            cannot be kept for as long as ``retention_days`` says and no longer.
    """

    settings: Settings
    sources: tuple[Source, ...]

    @classmethod
    def of(cls, settings: Settings) -> Deployment:
        """The deployment that ``settings`` describe."""
        return cls(settings, tuple(active_sources(settings)))

    def __post_init__(self) -> None:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SettingsError(f"setting sources: {twice[0]} is active twice; name it once")
        if len({source.currency for source in self.sources}) > 1:
            pairs = ", ".join(f"{source.name} in {source.currency}" for source in self.sources)
            raise SettingsError(
                f"setting sources: one deployment has one currency, but {pairs}; "
                "give each its own --home"
            )
        if self.settings.retention_days:
            from customer360.retention_rules import refuse_for_sources

            refuse_for_sources(self)

    @property
    def currency(self) -> str:
        """The one currency of all amounts."""
        return self.sources[0].currency

    def zone_of(self, source: Source) -> str:
        """Zone that decides the business date of the source's transactions."""
        return self.settings.time_zone or source.time_zone

    @property
    def zone(self) -> str:
        """The business's zone: as set, or the sources' own when they agree, or UTC."""
        zones = {source.time_zone for source in self.sources}
        return self.settings.time_zone or (zones.pop() if len(zones) == 1 else "UTC")

    def makes(self, table: str) -> bool:
        """Whether ``table`` is made here: order lines, and what reads them, need a source of some.

        Or one that had some: a table that is there does not keep what is no longer so.

        Args:
            table: As ``layer/table``.
        """
        if table == ORDER_LINES:
            has_lines = any(source.has_lines for source in self.sources)
            return has_lines or self.settings.has_table(ORDER_LINES)
        return all(self.makes(read) for read in Contract.load(table).reads)

    @property
    def limits(self) -> Limits:
        """How much may be left out before a load stops."""
        settings = self.settings
        money = settings.quarantine_money_limit
        return Limits(
            settings.quarantine_limit,
            settings.quarantine_limit if money is None else money,
            settings.quarantine_tolerance,
        )

    @property
    def secret(self) -> bytes:
        """Secret of the customer keys."""
        return self.settings.secret()

    def available(self) -> DayRange:
        """The business days that the active sources hold, together; days to come are none."""
        ranges = [source.available() for source in self.sources]
        days = ranges[0]
        for other in ranges[1:]:
            days = days.union(other)
        return days

    def today(self) -> date:
        """The day that it is for the business."""
        return datetime.now(UTC).astimezone(ZoneInfo(self.zone)).date()

    def is_not_over(self, day: date) -> bool:
        """Whether ``day`` is today or still to come: it is loaded when it is whole."""
        return day >= self.today()

    def last_day(self) -> date:
        """The newest day there can be data for: the end of a closed data set, or yesterday."""
        yesterday = self.today() - timedelta(days=1)
        end = self.settings.end_date
        return min(end, yesterday) if end else yesterday
