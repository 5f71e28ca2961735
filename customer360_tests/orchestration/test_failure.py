"""A failed step says why in the line that Dagster shows first."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from customer360.errors import SettingsError
from customer360.orchestration.failure import failing_in_one_line, first_failure


def failed(error: Exception, *, generator: bool) -> dg.ExecuteInProcessResult:
    def once() -> dg.MaterializeResult[None]:
        raise error

    def step_by_step() -> Iterator[dg.MaterializeResult[None]]:
        yield once()

    body = dg.multi_asset(name="silver__customers", specs=[dg.AssetSpec(["silver", "customers"])])(
        failing_in_one_line(step_by_step if generator else once)
    )
    # An instance of its own: Dagster otherwise asks the one that was opened last in this process,
    # which another test may have closed.
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([body], instance=instance, raise_on_error=False)


@pytest.mark.parametrize("generator", [True, False])
@pytest.mark.parametrize(
    ("error", "line", "reason"),
    [
        (
            SettingsError("start_date: is after end_date"),
            "start_date: is after end_date",
            "start_date: is after end_date",
        ),
        (ValueError("no such\ncolumn"), "ValueError: no such", "no such"),
    ],
)
def test_the_cause_comes_first_and_its_trace_after(
    error: Exception, line: str, reason: str, generator: bool
) -> None:
    result = failed(error, generator=generator)
    (event,) = [event for event in result.all_events if event.is_step_failure]
    shown = event.step_failure_data.error
    assert shown is not None
    assert shown.message.strip() == f"dagster._core.definitions.events.Failure: {line}"
    assert event.step_failure_data.user_failure_data is not None
    assert event.step_failure_data.user_failure_data.description == line
    assert shown.cause is not None
    assert shown.cause.cls_name == type(error).__name__
    told_as = first_failure(result.all_events)
    assert (told_as.step, told_as.reason) == ("silver/customers", reason)
    assert told_as.kind == type(error).__name__
