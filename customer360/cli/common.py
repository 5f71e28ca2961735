"""What the commands share: the application, its consoles, options and ways to print rows."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from customer360.days import parse_day
from customer360.errors import Customer360Error, SettingsError
from customer360.scratch import temporary_files_in
from customer360.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from customer360.lakehouse.tables import Lakehouse

app = typer.Typer(
    name="customer360",
    help="A Customer 360 lakehouse: raw transactions in, customers, churn and lifetime value out.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)

_AS_WIDE_AS_IT_IS = 100_000

LOCAL = ("127.0.0.1", "localhost", "::1")
"""Addresses that only this machine reaches."""


def _keep_temporary_files(context: typer.Context, home: Path | None) -> Path | None:
    """Let a command on a deployment that is there keep its temporary files in its home."""
    with suppress(Customer360Error):  # the command itself says what is wrong
        settings = load_settings(home)
        if settings.home.is_dir():
            context.with_resource(temporary_files_in(settings.scratch_dir))
    return home


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="Folder that holds the deployment.",
        show_default="data",
        callback=_keep_temporary_files,
    ),
]
EmptyHome = Annotated[
    Path | None,
    typer.Option("--home", help="Folder for the deployment.", show_default="data"),
]
"""`Home`, of a command that wants it empty: no temporary files are kept in it."""


def _say_nothing(quiet: bool) -> bool:
    out.quiet = quiet
    return quiet


Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Print nothing but errors and warnings.", callback=_say_nothing
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show the trace of an error.")]


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


AsFormat = Annotated[Format, typer.Option("--format", help="table, json or csv.")]


def say(line: str) -> None:
    """Print a line of text (rich markup); whole into a pipe, at a terminal broken between words."""
    out.print(line, highlight=False, soft_wrap=not out.is_terminal)


def day_of(text: str | None, option: str) -> date | None:
    """The day that an option gives; ``None`` when it is not given."""
    return None if text is None else parse_day(text, option)


def must_be_there(path: Path, option: str = "") -> None:
    """See that a file or folder that a command was given is there.

    Args:
        path: What was given.
        option: What stands before it in the command.

    Raises:
        SettingsError: It is not.
    """
    if path.is_symlink() and not path.exists():
        raise SettingsError(
            f"{option}{path}: is a link to {path.readlink()}, which leads nowhere; name a file or "
            "folder that is there"
        )
    if not path.exists():
        raise SettingsError(f"{option}{path}: there is no such file or folder")


def settings_of_deployment(home: Path | None) -> Settings:
    """Settings of a deployment that is there.

    Raises:
        SettingsError: There is none.
    """
    settings = load_settings(home)
    if not settings.home.is_dir():
        raise SettingsError(
            f"{settings.home} is no deployment: run `customer360 run` to make one, or name "
            "another by --home"
        )
    return settings


def settings_of_warehouse(home: Path | None) -> Settings:
    """Settings for who only needs the warehouse: of a deployment that is there, or of a server.

    Where warehouse_url or warehouse_reader_url names one, a machine may have no home at all.

    Raises:
        SettingsError: There is no deployment, and no server is named.
    """
    settings = load_settings(home)
    named = settings.warehouse_url or settings.warehouse_reader_url
    return settings if named else settings_of_deployment(home)


def open_lakehouse(settings: Settings) -> Lakehouse:
    """The deployment's tables, with a Spark session."""
    from customer360.lakehouse.session import spark_session
    from customer360.lakehouse.tables import Lakehouse

    return Lakehouse(spark_session(settings), settings.lakehouse_root)


def print_whole(what: RenderableType) -> None:
    """Print a table; into a pipe as wide as it is."""
    width = out.width
    if not out.is_terminal:
        out.width = _AS_WIDE_AS_IT_IS
    try:
        out.print(what)
    finally:
        out.width = width


def print_rich(columns: list[str], records: list[dict[str, object]]) -> None:
    """Rows as a table: at a terminal, wide ones with a row a column."""
    from rich.table import Table

    wide = len(columns) > 8 and out.is_terminal
    shown = Table(show_lines=wide)
    if wide:  # a row a column reads better than columns of one character
        shown.add_column("column")
        for number in range(len(records[:3])):
            shown.add_column(f"row {number + 1}")
        for name in columns:
            shown.add_row(name, *(escape(str(record[name])) for record in records[:3]))
        out.print(shown)
        if len(records) > 3:
            out.print(
                "[dim]3 rows shown; --columns a,b shows some columns of all, --format csv or json "
                "everything[/dim]"
            )
        return
    print_table(columns, records)


def print_table(
    columns: list[str], records: list[dict[str, object]], title: str | None = None
) -> None:
    """Rows as a table on the screen, a row a row however many columns there are."""
    from rich.table import Table

    shown = Table(title=title, title_justify="left")
    for name in columns:
        shown.add_column(name)
    for record in records:
        shown.add_row(*(escape(str(record[name])) for name in columns))
    print_whole(shown)


def print_json(what: object) -> None:
    """JSON on standard output."""
    print(json.dumps(what, default=str, ensure_ascii=False, indent=2))


def print_records(
    records: list[dict[str, object]], format: Format, columns: list[str] | None = None
) -> None:
    """Rows as JSON or CSV on standard output."""
    if format is Format.JSON:
        print_json(records)
        return
    import csv

    names = columns or list(records[0] if records else {})
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
