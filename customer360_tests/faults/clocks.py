"""Midnight comes while a run works, and the machine is in a zone that changes its clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from customer360.deployment import Deployment
from customer360_tests.faults.company import LOAD, NIGHT, SCORING, Company
from customer360_tests.faults.faults import WENT_ON, Fault, Night

_ZONES = ("America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati")
"""With daylight saving within the days; by half an hour; a day ahead of most."""


def all_kinds(_: Company) -> Iterator[Fault]:
    """Clocks, in the steps that know days."""
    for step in (LOAD, NIGHT, SCORING):
        yield Fault("midnight comes", step, "between two questions for the day", _midnight)
    for zone in _ZONES:
        yield Fault("clocks change", LOAD, f"a machine in {zone}", _In(zone))


def _midnight(night: Night) -> str:
    asked = 0

    def today(_: Deployment) -> date:
        nonlocal asked
        asked += 1
        return night.step.last + timedelta(days=1 if asked == 1 else 2)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Deployment, "today", today)
        how = night.run()
    assert how == WENT_ON, how
    night.assert_equal()
    return how


class _In:
    def __init__(self, zone: str) -> None:
        self.zone = zone

    def __call__(self, night: Night) -> str:
        how = night.process(TZ=self.zone)
        assert how == WENT_ON, how
        night.assert_equal()
        return how
