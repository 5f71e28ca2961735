"""The two partitionings, days and as-of dates, and what a run is about.

Bronze, silver and the business's days are partitioned by business day. What is made as of a date
has the as-of dates that exist as its partitions: a deployment of two years has a handful.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from itertools import groupby

import dagster as dg

from customer360.days import DayRange, parse_day
from customer360.deployment import Deployment
from customer360.errors import SettingsError
from customer360.settings import Settings
from customer360.table_names import AS_OF, FEATURES

AS_OF_PARTITIONS = dg.DynamicPartitionsDefinition(name="as_of")
"""The as-of dates of this deployment, in order of date."""

_PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def daily_partitions(deployment: Deployment) -> dg.DailyPartitionsDefinition:
    """Days from ``start_date`` to ``end_date``, or to yesterday while data keeps coming."""
    settings = deployment.settings
    past_end = settings.end_date + timedelta(days=1) if settings.end_date else None
    return dg.DailyPartitionsDefinition(
        start_date=settings.start_date.isoformat(),
        end_date=past_end.isoformat() if past_end else None,
        timezone=deployment.zone,
    )


def range_tags(days: DayRange) -> dict[str, str]:
    """Tags that make one run of all partitions from the first to the last of ``days``."""
    return {RANGE_START: str(days.first), RANGE_END: str(days.last)}


def days_of(context: dg.AssetExecutionContext) -> DayRange:
    """The business days that this run is about: one partition or a range of them."""
    window = context.partition_time_window
    return DayRange(window.start.date(), window.end.date() - timedelta(days=1))


def as_of_dates(context: dg.AssetExecutionContext, deployment: Deployment) -> list[date]:
    """The as-of dates that this run makes, in order.

    Raises:
        SettingsError: A partition is not a date, or not one of this deployment's days; or there is
            none: a range of partitions that were added in another order is empty.
    """
    if not context.partition_keys:
        requested = context.partition_key_range
        raise SettingsError(
            f"there is no as-of date from {requested.start} to {requested.end}, in the order in "
            "which Dagster knows them; `customer360 run --as-of` puts them in order of date"
        )
    dates = sorted(parse_day(key, "as-of partition") for key in context.partition_keys)
    for day in dates:
        check_day(deployment, day)
    return dates


def check_day(deployment: Deployment, day: date, *, as_of: bool = False) -> None:
    """Nothing, where ``day`` is one of the deployment's; ``as_of`` if it is a snapshot's date.

    Raises:
        SettingsError: It is not.
    """
    first, last = deployment.settings.start_date, deployment.last_day()
    if last == deployment.today() - timedelta(days=1) and last < day:
        raise SettingsError(
            f"{day} is not over yet, and days are loaded when they are whole: write "
            f"{'--as-of' if as_of else '--to'} {last}; what is of later days waits, and is taken "
            "when its day is over"
        )
    if not first <= day <= last:
        raise SettingsError(
            f"{day} is outside this deployment's days, {first} to {last}; see start_date and "
            "end_date in customer360.yaml"
        )


def known_as_of_dates(instance: dg.DagsterInstance) -> list[date]:
    """As-of dates that Dagster knows; a partition that is no date is passed over."""
    dates = []
    for key in _keys(instance):
        try:
            dates.append(date.fromisoformat(key))
        except ValueError:
            continue
    return dates


def add_as_of_dates(instance: dg.DagsterInstance, dates: Collection[date]) -> None:
    """Let Dagster know of as-of dates, kept in order of date.

    A range of dynamic partitions is one of the order in which they were added. So dates that come
    after a new one are taken out and added again, one by one, which leaves all that was made of
    them as it is. Only while nothing else runs: see `append_as_of_dates`.
    """
    known = append_as_of_dates(instance, dates)
    name = str(AS_OF_PARTITIONS.name)
    wanted = sorted(known)
    kept = 0
    while kept < len(known) and known[kept] == wanted[kept]:
        kept += 1
    for key in wanted[kept:]:
        instance.delete_dynamic_partition(name, key)
        instance.add_dynamic_partitions(name, [key])


def append_as_of_dates(instance: dg.DagsterInstance, dates: Collection[date]) -> list[str]:
    """Let Dagster know of as-of dates, after those that it knows, and say all in its order.

    A range of partitions that a run is at stays what it is.
    """
    known = _keys(instance)
    new = sorted({str(day) for day in dates} - set(known))
    if new:
        instance.add_dynamic_partitions(str(AS_OF_PARTITIONS.name), new)
    return [*known, *new]


def made_as_of_dates(settings: Settings, table: str = FEATURES) -> list[date]:
    """As-of dates that ``table`` has in the lakehouse, in order, whether Dagster knows of them."""
    from customer360.lakehouse.delta_log import TableLogs

    made = TableLogs(settings.lakehouse_root).partition_values(table, AS_OF)
    return [date.fromisoformat(day) for day in made]


def runs_of(instance: dg.DagsterInstance, dates: Sequence[date]) -> list[DayRange]:
    """Ranges of as-of partitions that hold ``dates`` and no other: each is one run's.

    Args:
        instance: Which knows the dates.
        dates: In order.
    """
    place = {key: n for n, key in enumerate(_keys(instance))}
    ranges = []
    # Neighbours among the partitions keep their distance to their places among the dates.
    for _, group in groupby(enumerate(dates), lambda each: place[str(each[1])] - each[0]):
        neighbours = [day for _, day in group]
        ranges.append(DayRange(neighbours[0], neighbours[-1]))
    return ranges


def days_of_run(run: dg.DagsterRun) -> DayRange | None:
    """The partitions that a run is of, whether days or as-of dates; None: its tags name none."""
    first = run.tags.get(RANGE_START) or run.tags.get(_PARTITION)
    last = run.tags.get(RANGE_END) or run.tags.get(_PARTITION)
    if first is None or last is None:
        return None
    return DayRange(date.fromisoformat(first), date.fromisoformat(last))


def _keys(instance: dg.DagsterInstance) -> list[str]:
    return list(instance.get_dynamic_partitions(str(AS_OF_PARTITIONS.name)))
