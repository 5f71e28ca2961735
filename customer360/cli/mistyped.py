"""What is said of a command that was not typed as ``--help`` says: one line."""

from __future__ import annotations

import re
from typing import Protocol, runtime_checkable

import typer
from pydantic import ValidationError

from customer360.mistakes import must_be, own_words

_VALUE = re.compile(r"Invalid value for '(?P<name>[^']*)'(?: / '[^']*')*: ")


@runtime_checkable
class Mistyped(Protocol):
    """What Typer raises of words that no command knows: its class has no public name."""

    ctx: typer.Context | None
    exit_code: int

    def format_message(self) -> str:
        """What is wrong."""
        ...


def said_of(error: Mistyped) -> str | None:
    """The line for ``error``; None where the help was printed instead, as of a bare command."""
    message = error.format_message().strip().rstrip(".")
    if not message:
        return None
    of_value, cause = _VALUE.match(message), getattr(error, "__cause__", None)
    if of_value is not None and isinstance(cause, ValidationError):
        problem = cause.errors()[0]
        wanted = must_be(problem)
        message = f"{of_value['name']}: " + (
            f"{problem['input']!r} {wanted}" if wanted else own_words(problem)
        )
    else:
        message = message[:1].lower() + message[1:]
        message = re.sub(r" \(Possible options: (.*)\)$", r", did you mean \1?", message)
        message = re.sub(r"\. Did you mean", ", did you mean", message)
    typed = error.ctx.command_path if error.ctx is not None else "customer360"
    return f"{message.rstrip('?')}{'? See' if message.endswith('?') else '; see'} `{typed} --help`"
