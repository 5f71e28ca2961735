"""Commands about the rows that were kept out: to see them, to mend them, to bring them in."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from errno import EISDIR
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from customer360.cli.common import (
    AsFormat,
    Format,
    Home,
    Quiet,
    Verbose,
    open_lakehouse,
    out,
    print_records,
    print_table,
    say,
    settings_of_deployment,
)
from customer360.cli.stopping import stoppable
from customer360.errors import SettingsError, counted_rows, listed
from customer360.home_lock import refuse_if_written, writing
from customer360.settings import Settings, remember

if TYPE_CHECKING:
    from customer360.deployment import Deployment
    from customer360.lakehouse.reading import Tables
    from customer360.pipeline.quarantine import Held, HeldRow
    from customer360.pipeline.row_edits import Outcome

PANEL = "Your own files"
HIDDEN = "(hidden)"
LINE = "_line"
_FILES = 2
_NAMED = 20
_ONLY_ITS_OWNER = 0o600

commands = typer.Typer()
_quarantine = typer.Typer(
    help="The rows that were kept out: list them, show them, bring them in.", no_args_is_help=True
)
commands.add_typer(_quarantine, name="quarantine", rich_help_panel=PANEL)


@_quarantine.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with all files.")] = False,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """List what is in quarantine, by table and reason: rows, money, days, files."""
    deployment, tables = _open(settings_of_deployment(home))
    from dataclasses import asdict

    from customer360.pipeline.quarantine import held

    groups = held(tables, deployment)
    if as_json:
        print_records([asdict(group) for group in groups], Format.JSON)
        return
    if not groups:
        say("Nothing is in quarantine.")
        return
    columns = ["table", "source", "reason", "rows", f"money ({deployment.currency})"]
    print_table(
        [*columns, "delivered", "files"],
        [_listed(group, columns[-1]) for group in groups],
        title="In quarantine; a row with two reasons is in two lines",
    )
    command = deployment.settings.command(f"quarantine show {groups[0].table.partition('/')[2]}")
    say(f"{command}  [dim]shows the rows[/dim]")


@_quarantine.command()
def show(
    table: Annotated[str, typer.Argument(help="As `quarantine list` names it.")],
    reason: Annotated[str | None, typer.Option(help="Only rows with this reason.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Rows at most. Default: 20; all with --to.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", "-o", help="Write a CSV, to be edited and replayed.")
    ] = None,
    personal: Annotated[
        bool, typer.Option("--personal", help="Personal data too; hidden by default.")
    ] = False,
    format: AsFormat = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Show the rows that were kept out of a table, with their reasons, or write them to a CSV."""
    settings = settings_of_deployment(home)
    from customer360.lakehouse.reading import Tables
    from customer360.pipeline.quarantine import held_rows, quarantine_named

    name = quarantine_named(Tables(settings.lakehouse_root), table)
    deployment, tables = _open(settings)
    from customer360.pipeline.elsewhere import REFUSED_ROWS, note_elsewhere
    from customer360.pipeline.row_edits import written

    at_most = limit if limit is not None or to is not None else 20
    rows = held_rows(tables, deployment, name, reason=reason, limit=at_most)
    hidden = {} if personal else _personal(deployment, rows)
    if to is None and format is Format.TABLE:
        _print_rows(rows, hidden)
    elif to is None:
        print_records([_record(row, hidden) for row in rows], format)
    else:
        if _is_kept(to):
            note_elsewhere(settings, REFUSED_ROWS, to, personal=personal)
        _write(to, written(rows, hidden), private=personal)
        say(f"{counted_rows(len(rows))}: {to}")
        left = sorted({column for names in hidden.values() for column in names if column != LINE})
        if left:
            say(f"without the personal columns {escape(listed(left))}: --personal writes them too")
        replay = deployment.settings.command(f"quarantine replay --edits {to} --by NAME")
        say(f"edit it, then: {replay}")


@_quarantine.command()
@stoppable()
def replay(
    context: typer.Context,
    table: Annotated[
        str | None, typer.Argument(help="Only rows of this table. Default: all tables.")
    ] = None,
    edits: Annotated[
        Path | None, typer.Option("--edits", help="CSV that `quarantine show --to` wrote.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Who made the edits; kept with each row.")
    ] = None,
    home: Home = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Load again what quarantine holds: after the mapping was mended, or with edited rows."""
    if edits is not None and not (by or "").strip():
        raise SettingsError("--edits needs --by NAME: edited rows carry who edited them")
    if by is not None and edits is None:
        raise SettingsError("--by needs --edits FILE: without edits the rows come as delivered")
    settings = settings_of_deployment(home)
    refuse_if_written(settings.home)
    from customer360.lakehouse.reading import Tables
    from customer360.pipeline.quarantine import held, quarantine_named
    from customer360.pipeline.row_edits import edits_from, keep, read_edits

    of_table = None
    if table is not None:
        of_table = quarantine_named(Tables(settings.lakehouse_root), table).partition("/")[2]
    stated = read_edits(edits, settings) if edits is not None else []
    deployment, tables = _open(settings)
    context.with_resource(writing(settings.home, "customer360 quarantine replay"))
    if edits is not None:
        new = edits_from(
            tables,
            deployment,
            stated,
            table=of_table,
            path=edits,
            by=(by or "").strip(),
            at=datetime.now(UTC),
        )
        if new:
            keep(open_lakehouse(settings), new)
        say(f"{len(new):,} of {counted_rows(len(stated))} in {edits} are edited anew")
    before = held(tables, deployment)
    if _load(settings, deployment, tables, of_table):
        _print_changes(before, held(tables, deployment))
    _print_outcomes(deployment, tables)


def _load(settings: Settings, deployment: Deployment, tables: Tables, table: str | None) -> bool:
    """Load again what waits; whether there was anything."""
    from customer360.cli.runs import cover
    from customer360.days import DayRange
    from customer360.deployment import Deployment
    from customer360.orchestration.partitions import made_as_of_dates
    from customer360.orchestration.run import load_again
    from customer360.pipeline.replay import edited_days, loads_of, waiting

    pending = waiting(tables, deployment, table)
    bounds = cover(deployment, {}, None, None)
    settings = settings.model_copy(update=bounds)
    covering = Deployment.of(settings)
    newest = covering.last_day()
    days = {day for day in pending.days if settings.start_date <= day <= newest}
    later = sorted(pending.days - days)
    if later:
        say(f"{escape(listed([str(day) for day in later]))}: loaded when the day is over")
    ranges = pending.within(days).ranges(newest)
    if not ranges:
        say("Nothing in quarantine waits to be loaded again.")
        return False
    remember(settings.home, bounds)
    as_of = max(made_as_of_dates(settings), default=None)
    load_again(settings, ranges, as_of, say)
    beyond = edited_days(tables, covering) - set(DayRange(settings.start_date, newest))
    if any(day < settings.start_date or settings.end_date for day in beyond):
        # The days of the deployment grow with what the rows say now, as they do with new files.
        bounds = {"start_date": min(settings.start_date, *beyond)}
        if settings.end_date:
            bounds["end_date"] = max(settings.end_date, *beyond)
        remember(settings.home, bounds)
        settings = settings.model_copy(update=bounds)
        newest = Deployment.of(settings).last_day()
        load_again(settings, loads_of(day for day in beyond if day <= newest), as_of, say)
    say(f"{settings.command('run --steps publish')}  [dim]brings the dashboard up to date[/dim]")
    return True


def _open(settings: Settings) -> tuple[Deployment, Tables]:
    from customer360.deployment import Deployment
    from customer360.lakehouse.reading import Tables

    return Deployment.of(settings), Tables(settings.lakehouse_root)


def _listed(group: Held, money: str) -> dict[str, object]:
    stated = "" if group.money is None else f"{group.money:,.2f}"
    if group.money is not None and group.unread:
        stated += f" and {counted_rows(group.unread)} unread"
    days = "whole"
    if group.first is not None:
        days = str(group.first) if group.first == group.last else f"{group.first} to {group.last}"
    return {
        "table": group.table,
        "source": group.source or "",
        "reason": group.reason,
        "rows": f"{group.rows:,}",
        money: stated,
        "delivered": days,
        "files": listed(group.files, _FILES),
    }


def _personal(deployment: Deployment, rows: list[HeldRow]) -> dict[str, tuple[str, ...]]:
    """What of the rows is not shown, by table; of a table of no active source, everything."""
    sources = {name: source for source in deployment.sources for name in source.tables}
    hidden = {}
    for table in {row.table for row in rows}:
        known = sources.get(table)
        names = {name for row in rows if row.table == table for name in row.values}
        personal = known.contract(table).personal_columns if known is not None else names
        hidden[table] = (*personal, LINE) if personal else ()
    return hidden


def _record(row: HeldRow, hidden: dict[str, tuple[str, ...]]) -> dict[str, object]:
    from customer360.pipeline.row_edits import row_name

    private = hidden.get(row.table, ())
    values = {
        name: HIDDEN if name in private and text is not None else text
        for name, text in row.values.items()
    }
    line = HIDDEN if row.line is not None and LINE in private else row.line
    return {
        "row": row_name(row.row),
        "table": row.table,
        "reasons": list(row.reasons),
        "file": row.file,
        "delivered": row.delivered_on,
        "edited_by": row.edited_by,
        "edited_at": row.edited_at,
        "values": values if row.line is None else line,
    }


def _print_rows(rows: list[HeldRow], hidden: dict[str, tuple[str, ...]]) -> None:
    if not rows:
        say("No such row is in quarantine.")
        return
    for row in rows:
        record = _record(row, hidden)
        when = f", delivered {row.delivered_on}" if row.delivered_on is not None else ""
        edited = f", edited by {row.edited_by}" if row.edited_by is not None else ""
        say(
            f"[bold]{record['row']}[/bold] {escape(', '.join(row.reasons))}  "
            f"[dim]{escape(f'{row.file or row.table}{when}{edited}')}[/dim]"
        )
        values = record["values"]
        if isinstance(values, dict):
            shown = "  ".join(f"{name}={'' if v is None else v}" for name, v in values.items())
        else:
            shown = str(values)
        say(f"  {escape(shown)}")
    if any(hidden.values()):
        say("[dim]personal data is hidden: --personal shows it[/dim]")


def _is_kept(path: Path) -> bool:
    """Whether what is written to ``path`` stays there."""
    return not path.is_relative_to("/dev") and not path.is_fifo()


def _write(path: Path, text: str, *, private: bool) -> None:
    """With the mark by which programs that show CSV know UTF-8.

    It is written beside and renamed: what was there before, and what a link points to, would keep
    the mode it has.
    """
    if not _is_kept(path):
        path.write_text(text, encoding="utf-8-sig", newline="")
        return
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        handle = os.open(scratch, flags, _ONLY_ITS_OWNER if private else 0o666)
        try:
            with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as file:
                file.write(text)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"--to {path}: {error.strerror}") from None


def _print_changes(before: list[Held], after: list[Held]) -> None:
    """What came in, and what is still refused."""
    was = {(group.table, group.source, group.reason): group.rows for group in before}
    now = {(group.table, group.source, group.reason): group.rows for group in after}
    lines: list[dict[str, object]] = [
        {
            "table": key[0],
            "reason": key[2],
            "before": f"{was.get(key, 0):,}",
            "now": f"{now.get(key, 0):,}",
        }
        for key in dict.fromkeys((*was, *now))
    ]
    if lines:
        out.print()
        print_table(["table", "reason", "before", "now"], lines, title="In quarantine")


def _print_outcomes(deployment: Deployment, tables: Tables) -> None:
    """What became of the edits there are."""
    from customer360.pipeline.row_edits import GONE, REFUSED, outcomes, row_name

    results: list[Outcome] = [
        outcome
        for source in deployment.sources
        for table in source.tables
        for outcome in outcomes(tables, source, table)
    ]
    if not results:
        return
    counts: dict[str, int] = {}
    for result in results:
        counts[result.what] = counts.get(result.what, 0) + 1
    say(f"Edited rows: {', '.join(f'{rows:,} {what}' for what, rows in counts.items())}")
    failed = [result for result in results if result.what in (REFUSED, GONE)]
    for result in failed[:_NAMED]:
        row, by = row_name(result.edit.row), result.edit.edited_by
        if result.what == REFUSED:
            say(f"  {row} of {result.edit.table}: {escape(', '.join(result.reasons))}")
        else:
            say(
                f"  {row} of {result.edit.table}, edited by {escape(by)}: no row that is delivered "
                "is like it any more"
            )
    if len(failed) > _NAMED:
        say(f"  and {len(failed) - _NAMED:,} more")
