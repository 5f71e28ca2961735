"""As-of dates as Dagster keeps them: in order of date, whatever came first, and by neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from customer360.days import DayRange
from customer360.orchestration.jobs import NIGHTLY
from customer360.orchestration.partitions import (
    AS_OF_PARTITIONS,
    RANGE_END,
    RANGE_START,
    add_as_of_dates,
    append_as_of_dates,
    known_as_of_dates,
    range_tags,
    runs_of,
)
from customer360.orchestration.schedules import gold_sensor
from customer360.settings import load_settings

MARCH, JUNE, SEPTEMBER, DECEMBER = (
    date(2025, 3, 31), date(2025, 6, 30), date(2025, 9, 30), date(2025, 12, 31),
)  # fmt: skip


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp() as found:
        yield found


def test_dates_are_kept_in_order_of_date(instance: dg.DagsterInstance) -> None:
    add_as_of_dates(instance, [DECEMBER])
    add_as_of_dates(instance, [SEPTEMBER, MARCH, DECEMBER])
    assert known_as_of_dates(instance) == [MARCH, SEPTEMBER, DECEMBER]
    # As the UI adds one: at the end. The next date that is added puts it in its place.
    instance.add_dynamic_partitions("as_of", [str(JUNE)])
    assert known_as_of_dates(instance) == [MARCH, SEPTEMBER, DECEMBER, JUNE]
    add_as_of_dates(instance, [date(2026, 1, 1)])
    assert known_as_of_dates(instance) == [MARCH, JUNE, SEPTEMBER, DECEMBER, date(2026, 1, 1)]


def test_what_was_made_of_a_date_stays_known_when_one_before_it_is_added(
    instance: dg.DagsterInstance,
) -> None:
    @dg.asset(partitions_def=AS_OF_PARTITIONS)
    def snapshot() -> None: ...

    add_as_of_dates(instance, [DECEMBER])
    dg.materialize([snapshot], partition_key=str(DECEMBER), instance=instance)
    add_as_of_dates(instance, [MARCH])
    assert instance.get_materialized_partitions(snapshot.key) == {str(DECEMBER)}


def test_neighbours_are_one_run_and_what_lies_between_is_left_alone(
    instance: dg.DagsterInstance,
) -> None:
    add_as_of_dates(instance, [MARCH, JUNE, SEPTEMBER, DECEMBER])
    assert runs_of(instance, [MARCH, JUNE]) == [DayRange(MARCH, JUNE)]
    assert runs_of(instance, [MARCH, JUNE, DECEMBER]) == [
        DayRange(MARCH, JUNE),
        DayRange(DECEMBER, DECEMBER),
    ]


def test_a_partition_that_is_no_date_is_passed_over(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("as_of", ["Christmas"])
    add_as_of_dates(instance, [MARCH])
    assert known_as_of_dates(instance) == [MARCH]


def test_appended_dates_leave_the_order_of_the_others(instance: dg.DagsterInstance) -> None:
    """A run over a range of them stays a run over the same dates."""
    add_as_of_dates(instance, [MARCH, DECEMBER])
    append_as_of_dates(instance, [JUNE, MARCH])
    assert known_as_of_dates(instance) == [MARCH, DECEMBER, JUNE]
    # March and December, then June: no range of them has no other date in it.
    assert runs_of(instance, [MARCH, JUNE]) == [DayRange(MARCH, MARCH), DayRange(JUNE, JUNE)]


def test_a_partition_that_is_no_date_is_in_no_run(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("as_of", [str(MARCH), "Easter", str(JUNE)])
    assert runs_of(instance, [MARCH, JUNE]) == [DayRange(MARCH, MARCH), DayRange(JUNE, JUNE)]


def test_gold_follows_every_load_since_the_last_look(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    @dg.op
    def load() -> None: ...

    @dg.job(name=NIGHTLY)
    def nightly() -> None:
        load()

    def ended(first: int, last: int) -> None:
        days = DayRange(date(2025, 12, first), date(2025, 12, last))
        nightly.execute_in_process(instance=instance, tags=range_tags(days))

    sensor = gold_sensor(load_settings(tmp_path), [])
    ended(1, 2)
    first = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    (request,) = first.run_requests or ()
    assert request.tags[RANGE_START] == request.tags[RANGE_END] == "2025-12-02"
    ended(1, 4)
    ended(3, 3)
    both = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=first.cursor))
    (request,) = both.run_requests or ()
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("2025-12-02", "2025-12-04")
    none = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=both.cursor))
    assert not none.run_requests
