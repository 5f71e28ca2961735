"""Why a run failed, in one line: for Dagster's UI, `customer360 run` and `serving.runs`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import dagster as dg

from customer360.errors import Customer360Error, first_line
from customer360.machine_failures import in_other_words
from customer360.orchestration.metadata import asset_name

Body = TypeVar("Body", bound=Callable[..., Any])

TOLD_BY = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
}
"""Kinds of events that `first_failure` looks at."""

NO_REASON = "no reason was kept"


def failing_in_one_line(body: Body) -> Body:
    """Let an asset's error be what Dagster shows of the failed step, in one line.

    Dagster would say that an error occurred while it executed the step, and why only under two
    traces. They are still there, below.
    """

    @functools.wraps(body)
    def generator(*args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from body(*args, **kwargs)
        except Exception as error:
            error = in_other_words(error)
            raise _shown(error) from error

    @functools.wraps(body)
    def function(*args: Any, **kwargs: Any) -> Any:
        try:
            return body(*args, **kwargs)
        except Exception as error:
            error = in_other_words(error)
            raise _shown(error) from error

    return cast("Body", generator if inspect.isgeneratorfunction(body) else function)


def _shown(error: Exception) -> dg.Failure:
    reason = first_line(error)
    if not isinstance(error, Customer360Error):
        reason = f"{type(error).__name__}: {reason}"
    return dg.Failure(reason, allow_retries=False)


@dataclass(frozen=True)
class Failure:
    """What failed first in a run.

    Attributes:
        step: The asset, as ``layer/table``; None where the run failed outside of all of them.
        reason: One line. That of an error may quote the row that it is about.
        kind: Class of the error; None where the reason is no error's, and quotes no row.
        trace: Python's, where there is one.
        check: The check that failed; None where none did.
        warns: Whether the check only warns.
        for_readers: The reason without what readers of the warehouse must not know; None: as it is.
    """

    step: str | None
    reason: str
    kind: str | None = None
    trace: str | None = None
    check: str | None = None
    warns: bool = False
    for_readers: str | None = None


_FOR_READERS = "for_readers"


def told_to_readers(reason: str) -> dict[str, Any]:
    """Metadata of a check whose description names orders: the same without; none of no reason."""
    return {_FOR_READERS: reason} if reason else {}


def first_failure(events: Sequence[dg.DagsterEvent]) -> Failure:
    """The first failure that a failed run's events tell of.

    Args:
        events: Those of the kinds `TOLD_BY`, in their order; others are passed over. A check that
            fails comes before the failure of the step that it stops, and explains more.
    """
    for event in events:
        if (failed := _failed_check(event)) is not None and not failed.warns:
            return failed
        if event.is_step_failure:
            step = asset_name(event.step_key) if event.step_key else None
            return _failure(step, event.step_failure_data.error)
    for event in events:
        if event.event_type is dg.DagsterEventType.RUN_FAILURE:
            error = event.job_failure_data.error if event.event_specific_data else None
            if error is not None:
                return _failure(None, error)
            return Failure(None, _one_line(event.message or NO_REASON))
    return Failure(None, NO_REASON)


def failed_checks(events: Sequence[dg.DagsterEvent], *, warning: bool = False) -> list[Failure]:
    """The checks that failed among a run's events; one that does not block lets its run end well.

    Args:
        events: Those of a run.
        warning: Also those that only warn.
    """
    failed = [failure for event in events if (failure := _failed_check(event)) is not None]
    return [failure for failure in failed if warning or not failure.warns]


def failure_of(step: str | None, error: Any) -> Failure:
    """Why ``step`` failed, from the error that Dagster has kept; its type has no public name."""
    return _failure(step, error)


def _failed_check(event: dg.DagsterEvent) -> Failure | None:
    if event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    check = event.asset_check_evaluation_data
    if check.passed:
        return None
    reason = check.description or f"the check {check.check_name} failed"
    told = check.metadata.get(_FOR_READERS)
    return Failure(
        check.asset_key.to_user_string(),
        _one_line(reason),
        check=check.check_name,
        warns=check.severity is not dg.AssetCheckSeverity.ERROR,
        for_readers=_one_line(str(told.value)) if told else None,
    )


def _failure(step: str | None, error: Any) -> Failure:
    """The innermost cause; a user error speaks for itself, whatever brought it about.

    ``error`` is what Dagster keeps of one: class, message, trace and cause; its type has no public
    name.
    """
    trace = error.to_string() if error else None
    while error is not None and error.cause is not None and not _is_ours(error):
        error = error.cause
    lines = [line for line in (error.message if error else "").splitlines() if line.strip()]
    if not error or not lines:
        return Failure(step, NO_REASON, trace=trace)
    kind = error.cls_name or "Error"
    if _is_ours(error):
        return Failure(step, lines[0].partition(": ")[2], kind, trace)
    reason = lines[0].rpartition("Error: ")[2]
    # The first line of Java's errors only says that there is one.
    reason = next((line.removeprefix(": ") for line in lines if line.startswith(": ")), reason)
    return Failure(step, reason, kind, trace)


def _is_ours(error: Any) -> bool:
    """Whether it was raised for the user: Python names our errors by their module."""
    return bool(error.message.startswith("customer360."))


def _one_line(text: str) -> str:
    return " ".join(text.split())
