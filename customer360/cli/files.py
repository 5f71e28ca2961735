"""Commands that look at the user's own files before anything is loaded."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from customer360.cli.common import Format, Home, Verbose, out, print_records, say
from customer360.errors import SettingsError, counted_rows
from customer360.settings import load_settings

if TYPE_CHECKING:
    from customer360.pipeline.check_files import Checked, Refused

PANEL = "Your own files"
commands = typer.Typer()


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
    format: Annotated[Format, typer.Option("--format", help="table or json.")] = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Tell what files would come to by a mapping, and what would be refused; write nothing."""
    if not mapping:
        raise SettingsError("check needs --mapping: a YAML file or the name of one that ships")
    _must_be_there(paths or [])
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
    found = check_source(spark_session(settings), source, limits=limits, personal=personal)
    if format is Format.TABLE:
        _print(found, personal=personal)
    else:
        print_records([asdict(found)], format)


@commands.command("map", rich_help_panel=PANEL)
def map_files(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files that are alike, or a folder.")
    ],
    to: Annotated[
        Path | None, typer.Option(help="YAML to write; default: standard output.")
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
        raise SettingsError(f"{to}: is there already; give another --to, or take it away first")
    _must_be_there(paths)
    from customer360.sources.sniffing import draft

    found = draft(paths, name=name, time_zone=time_zone, currency=currency)
    if to is None:
        typer.echo(found.text, nl=False)
        return
    try:
        to.write_text(found.text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{to}: {(error.strerror or str(error)).lower()}") from None
    looked = f"all rows ({found.rows:,})" if found.whole else f"only the first {found.rows:,} rows"
    say(f"Written to {escape(str(to))}; {looked} were looked at.")
    for each in found.decide:
        say(f"To decide: {escape(each)}")
    files = escape(" ".join(shlex.quote(str(path)) for path in paths))
    if found.as_is:
        say(f"The ready mapping {found.ready} reads this as it is:")
    which = found.ready if found.as_is else shlex.quote(str(to))
    say(f"Then: customer360 check --mapping {escape(str(which))} {files}")


def _must_be_there(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise SettingsError(f"{path}: there is no such file or folder")


def _print(found: Checked, *, personal: bool) -> None:
    from rich.table import Table

    def money(value: object) -> str:
        return f"{value:,.2f} {found.currency}"

    shown = Table(title="What would come in", title_justify="left", show_header=False)
    lines = {
        "rows in the files": f"{found.rows:,}",
        "refused, to quarantine": f"{found.refused:,}",
        "left out by a reason": f"{sum(each.rows for each in found.excluded):,}",
        "repeats of a row, counted once": f"{found.repeats:,}",
        "rows that later ones replace": f"{found.corrections:,}",
        "days": f"{found.first} to {found.last}" if found.first else "none",
        "orders": f"{found.orders:,}",
        "refunds": f"{found.refunds:,}",
        "cancelled": f"{found.cancelled:,}",
        "customers": f"{found.customers:,}",
        "orders without a customer": f"{found.anonymous:,}",
        "sold": money(found.sold),
        "given back": money(found.given_back),
        "net": money(found.sold - found.given_back),
    }
    for name, value in lines.items():
        shown.add_row(name, value)
    out.print(shown)

    def named(each: Refused) -> str:
        return escape(each.reason) + (f" ({escape(each.says)})" if each.says else "")

    for each in found.quarantined:
        say(f"Quarantine, {named(each)}: {counted_rows(each.rows)}, such as")
        for example in each.examples:
            say(f"  [dim]{escape(example)}[/dim]")
    if found.quarantined and not personal:
        say("[dim]what may be personal is hidden in them: --personal shows it[/dim]")
    for each in found.set_aside:
        say(f"Without this value, {named(each)}: {counted_rows(each.rows)}")
    for each in found.excluded:
        worth = f", {money(each.money)}" if each.money is not None else ""
        say(f"Left out, {escape(each.reason)}: {counted_rows(each.rows)}{worth}")
    for stop in found.stops:
        say(f"A run would stop: {escape(stop)}")
    for doubt in found.suspicions:
        say(f"Look at this: {escape(doubt)}")
    if not (found.quarantined or found.set_aside or found.excluded or found.suspicions):
        say("Nothing is refused or left out, and nothing looks wrong.")
