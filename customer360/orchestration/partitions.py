"""The one partitioning of all tables, by business day, and the days a run is about."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

import dagster as dg

from customer360.days import DayRange, parse_day
from customer360.deployment import Deployment
from customer360.errors import SettingsError

AS_OF_TAG = "customer360/as_of"
"""Run tag that names the as-of dates of gold snapshots, separated by commas."""


def daily_partitions(deployment: Deployment) -> dg.DailyPartitionsDefinition:
    """Days from ``start_date`` to ``end_date``, or to yesterday while data keeps coming."""
    settings = deployment.settings
    past_end = settings.end_date + timedelta(days=1) if settings.end_date else None
    return dg.DailyPartitionsDefinition(
        start_date=settings.start_date.isoformat(),
        end_date=past_end.isoformat() if past_end else None,
        timezone=deployment.zone,
    )


def days_of(context: dg.AssetExecutionContext) -> DayRange:
    """The business days that this run is about: one partition or a range of them."""
    window = context.partition_time_window
    return DayRange(window.start.date(), window.end.date() - timedelta(days=1))


def as_of_dates(
    context: dg.AssetExecutionContext, days: DayRange, existing: Collection[date]
) -> list[date]:
    """The snapshots a run makes.

    Those the tag ``customer360/as_of`` names; without it the last day of the run, and those of its
    other days that have a snapshot already, which late data may have changed. So a run over two
    years of history makes one snapshot and not 730.

    Args:
        context: Of the running asset.
        days: The days of the run.
        existing: Days that have a snapshot.

    Raises:
        SettingsError: The tag names something that is not a date, or is outside the run.
    """
    tag = context.run.tags.get(AS_OF_TAG)
    if tag is None:
        return sorted({days.last} | {day for day in existing if day in days})
    asked = sorted({parse_day(part.strip(), f"tag {AS_OF_TAG}") for part in tag.split(",")})
    outside = [str(day) for day in asked if day not in days]
    if outside:
        raise SettingsError(
            f"tag {AS_OF_TAG}: {', '.join(outside)} is outside the run's days {days}; "
            "widen the partition range"
        )
    return asked
