"""A Dagster logger that says what is being made, and what went wrong, in a line each."""

import logging
import time
from collections.abc import Callable
from typing import Any

import dagster as dg
from rich.markup import escape

from customer360.orchestration.metadata import asset_name

Say = Callable[[str], None]

_listeners: list[Say] = []


def listen(say: Say) -> Callable[[], None]:
    """Send progress lines to ``say`` until the returned function is called."""
    _listeners.append(say)
    return lambda: _listeners.remove(say)


def expect(steps: int) -> None:
    """A run of so many steps is about to begin in this process: its lines count them."""
    _expected[:] = [steps]


_expected: list[int] = []


class _Progress(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._started: dict[str, float] = {}
        self._done = 0

    def emit(self, record: logging.LogRecord) -> None:
        event = _event_of(record)
        if event is None:
            if record.levelno >= logging.WARNING:
                _say(f"[yellow]{escape(_message(record))}[/yellow]")
            return
        step = asset_name(event.step_key or "")
        if event.event_type_value == "STEP_START":
            self._started[step] = time.monotonic()
            _say(f"[dim]… {step}[/dim]")
        elif event.event_type_value == "STEP_SUCCESS":
            seconds = time.monotonic() - self._started.get(step, time.monotonic())
            self._done += 1
            of = f"  {self._done} of {_expected[0]}" if _expected else ""
            _say(f"[green]✓[/green] {step} [dim]{seconds:.1f} s{of}[/dim]")
        elif event.event_type_value == "STEP_FAILURE":
            _say(f"[red]✗ {step}[/red]")


def _event_of(record: logging.LogRecord) -> Any:
    meta = getattr(record, "dagster_meta", None)
    return (meta or {}).get("dagster_event")


def _message(record: logging.LogRecord) -> str:
    meta = getattr(record, "dagster_meta", None) or {}
    return str(meta.get("orig_message") or record.getMessage())


def _say(line: str) -> None:
    for say in _listeners:
        say(line)


def _make_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    log = logging.getLogger("customer360.progress")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.handlers = [_Progress()]
    return log


progress_logger = dg.LoggerDefinition(
    _make_logger,
    description="One line when an asset starts and one when it is done: `customer360 run`.",
)
