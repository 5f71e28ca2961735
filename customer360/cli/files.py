"""Commands that look at the user's own files before anything is loaded."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from customer360.cli.common import (
    Format,
    Home,
    Verbose,
    must_be_there,
    out,
    print_records,
    say,
)
from customer360.errors import SettingsError, counted_rows
from customer360.settings import load_settings

if TYPE_CHECKING:
    from customer360.pipeline.check_files import Checked, Refused

PANEL = "Your own files"
commands = typer.Typer()


class TreeFormat(StrEnum):
    """How what is no table is printed: CSV has no rows for it."""

    TABLE = "table"
    JSON = "json"


@commands.command(rich_help_panel=PANEL)
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="Files, or a folder; default: the mapping's path."
        ),
    ] = None,
    mapping: Annotated[
        str, typer.Option(help="YAML of your files, or the name of one that ships.")
    ] = "",
    personal: Annotated[
        bool, typer.Option("--personal", help="Examples with personal data too; else hidden.")
    ] = False,
    format: Annotated[
        TreeFormat, typer.Option("--format", help="table or json.")
    ] = TreeFormat.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Tell what files would come to by a mapping, and what would be refused; write nothing."""
    if not mapping:
        raise SettingsError("check needs --mapping: a YAML file or the name of one that ships")
    for path in paths or []:
        must_be_there(path)
    from customer360.sources.files import FilesSource, load_mapping

    chosen = [path.absolute() for path in paths or []]
    source = FilesSource(
        load_mapping(mapping),
        chosen[0] if len(chosen) == 1 else None,
        only=chosen if len(chosen) > 1 else (),
    )
    source.available()  # what is wrong with the files as such is told before Spark starts
    from customer360.deployment import Deployment
    from customer360.lakehouse.session import spark_session
    from customer360.pipeline.check_files import check_source

    settings = load_settings(home)
    limits = Deployment(settings, (source,)).limits
    outcome = check_source(spark_session(settings), source, limits=limits, personal=personal)
    if format is TreeFormat.TABLE:
        _print(outcome, personal=personal)
    else:
        print_records([asdict(outcome)], Format.JSON)


@commands.command("map", rich_help_panel=PANEL)
def map_files(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files that are alike, or a folder.")
    ],
    to: Annotated[
        Path | None, typer.Option("--to", "-o", help="YAML to write; default: standard output.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the source; default: from the file's name.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Of the business, like Europe/London; no file says it.")
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="ISO code; default: what the files say.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Look at files and write a mapping to start from: columns, formats, what is to be decided."""
    if to is not None and to.exists():
        raise SettingsError(f"--to {to} is there already: name another, or take it away first")
    for path in paths:
        must_be_there(path)
    from customer360.sources.sniffing import draft

    drafted = draft(paths, name=name, time_zone=time_zone, currency=currency)
    if to is None:
        typer.echo(drafted.text, nl=False)
        return
    try:
        to.write_text(drafted.text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"--to {to}: {(error.strerror or str(error)).lower()}; name a file in a folder that is "
            "there and may be written"
        ) from None
    extent = (
        f"all rows ({drafted.rows:,})" if drafted.whole else f"only the first {drafted.rows:,} rows"
    )
    say(f"Written to {escape(str(to))}; {extent} were looked at.")
    for question in drafted.decide:
        say(f"To decide: {escape(question)}")
    files = escape(" ".join(shlex.quote(str(path)) for path in paths))
    if drafted.as_is:
        say(f"The ready mapping {drafted.ready} reads this as it is:")
    mapping = drafted.ready if drafted.as_is else shlex.quote(str(to))
    say(f"Then: customer360 check --mapping {escape(str(mapping))} {files}")


def _print(checked: Checked, *, personal: bool) -> None:
    from rich.table import Table

    from customer360.models.notes import in_english

    def money(value: object) -> str:
        return f"{value:,.2f} {checked.currency}"

    shown = Table(title="What would come in", title_justify="left", show_header=False)
    lines = {
        "rows in the files": f"{checked.rows:,}",
        "refused, to quarantine": f"{checked.refused:,}",
        "left out by a reason": f"{sum(exclusion.rows for exclusion in checked.excluded):,}",
        "repeats of a row, counted once": f"{checked.repeats:,}",
        "rows that later ones replace": f"{checked.corrections:,}",
        "days": f"{checked.first} to {checked.last}" if checked.first else "none",
        "orders": f"{checked.orders:,}",
        "refunds": f"{checked.refunds:,}",
        "cancelled": f"{checked.cancelled:,}",
        "customers": f"{checked.customers:,}",
        "orders without a customer": f"{checked.anonymous:,}",
        "sold": money(checked.sold),
        "given back": money(checked.given_back),
        "net": money(checked.sold - checked.given_back),
    }
    for name, value in lines.items():
        shown.add_row(name, value)
    out.print(shown)

    def named(refusal: Refused) -> str:
        means = f" ({in_english([refusal.says])})" if refusal.says else ""
        return escape(refusal.reason + means)

    for refusal in checked.quarantined:
        say(f"Quarantine, {named(refusal)}: {counted_rows(refusal.rows)}, such as")
        for example in refusal.examples:
            say(f"  [dim]{escape(example)}[/dim]")
    if checked.quarantined and not personal:
        say("[dim]what may be personal is hidden in them: --personal shows it[/dim]")
    for refusal in checked.set_aside:
        say(f"Without this value, {named(refusal)}: {counted_rows(refusal.rows)}")
    for exclusion in checked.excluded:
        worth = f", {money(exclusion.money)}" if exclusion.money is not None else ""
        say(f"Left out, {escape(exclusion.reason)}: {counted_rows(exclusion.rows)}{worth}")
    for stop in checked.stops:
        say(f"A run would stop: {escape(stop)}")
    for doubt in checked.suspicions:
        say(f"Look at this: {escape(doubt)}")
    if not (checked.quarantined or checked.set_aside or checked.excluded or checked.suspicions):
        say("Nothing is refused or left out, and nothing looks wrong.")
