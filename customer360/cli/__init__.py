"""The ``customer360`` command.

Each module here holds the commands of one subject; what they need is imported where they run, so
that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape

from customer360 import __version__
from customer360.cli import (
    alerts,
    dashboard,
    exports,
    files,
    models,
    privacy,
    quarantine,
    runs,
    spark,
    tables,
    upkeep,
    warehouse,
)
from customer360.cli.common import app, err, out, say
from customer360.cli.mistyped import Mistyped, said_of
from customer360.errors import Customer360Error
from customer360.machine_failures import in_other_words
from customer360.modes import only_for_owner

for _subject in (
    runs,
    alerts,
    upkeep,
    spark,
    files,
    quarantine,
    dashboard,
    tables,
    models,
    exports,
    warehouse,
    privacy,
):
    app.add_typer(_subject.commands)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    out.quiet = False  # what is quiet is one command
    if version:
        say(f"customer360 {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point: whatever goes wrong is one line on stderr, and exit code 1 (2: mistyped)."""
    only_for_owner()
    verbose = "--verbose" in sys.argv
    try:
        code = app(prog_name="customer360", standalone_mode=False)
    except typer.Abort:
        err.print("Aborted.")
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last one who can say it in one line
        if isinstance(error, Mistyped):
            said = said_of(error)
            if said is not None:
                _say_error(said)
            sys.exit(error.exit_code)
        if verbose:
            err.print_exception()
            for note in getattr(error, "__notes__", ()):
                err.print(note, markup=False, highlight=False)
        error = in_other_words(error)
        message = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, Customer360Error):
            message = f"{type(error).__name__}: {message}"
            message += "" if verbose else "; --verbose shows the trace"
        _say_error(message)
        sys.exit(1)
    if isinstance(code, int):  # of `typer.Exit`
        sys.exit(code)


def _say_error(message: str) -> None:
    err.print(f"[red]error:[/red] {escape(message)}", highlight=False, soft_wrap=True)
