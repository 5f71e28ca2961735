"""The one partitioning of all tables, by business day, and the days a run is about."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from customer360.days import DayRange, parse_day
from customer360.deployment import Deployment
from customer360.errors import SettingsError

AS_OF_TAG = "customer360/as_of"
"""Run tag that names the as-of dates of gold snapshots, separated by commas."""


LOADED_TAG = "customer360/loaded"
"""Run tag that names the days loaded just before, as ``FIRST...LAST``, in a run of other days."""


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


def loaded_days(context: dg.AssetExecutionContext) -> DayRange | None:
    """The days that an unpartitioned asset's run is about; None where it does not say.

    Those of the tag ``customer360/loaded``, or the run's partitions, in which the assets before it
    were made.
    """
    tags = context.run.tags
    if LOADED_TAG in tags:
        first, _, last = tags[LOADED_TAG].partition("...")
        found = (first, last or first)
    elif ASSET_PARTITION_RANGE_START_TAG in tags:
        found = (tags[ASSET_PARTITION_RANGE_START_TAG], tags[ASSET_PARTITION_RANGE_END_TAG])
    elif PARTITION_NAME_TAG in tags:
        found = (tags[PARTITION_NAME_TAG], tags[PARTITION_NAME_TAG])
    else:
        return None
    return DayRange(*(parse_day(day, "a tag of the run") for day in found))


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
