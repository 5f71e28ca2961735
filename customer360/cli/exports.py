"""Commands that write files for other teams and tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from customer360.cli.common import (
    Format,
    Home,
    Quiet,
    Verbose,
    day_of,
    print_records,
    print_table,
    say,
    settings_of_deployment,
)
from customer360.serving.options import Contacts, FileFormat

if TYPE_CHECKING:
    from customer360.pipeline.export import Export

PANEL = "Serving"
commands = typer.Typer()


class FormatChoice(StrEnum):
    """Which files are written."""

    CSV = "csv"
    PARQUET = "parquet"
    BOTH = "both"


@commands.command(rich_help_panel=PANEL)
def export(
    name: Annotated[
        str | None, typer.Argument(metavar="LIST", help="Which list; see --list.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Show the lists and what they mean.")
    ] = False,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Day of the snapshot. Default: the newest.")
    ] = None,
    contacts: Annotated[
        Contacts | None,
        typer.Option(
            help="none: the pseudonymous key only; hashed: as ad platforms match them; plain: "
            "needs the setting export_personal_data. Default: the setting export_contacts."
        ),
    ] = None,
    include_never_asked: Annotated[
        bool,
        typer.Option("--include-never-asked", help="Keep who was never asked for consent."),
    ] = False,
    format: Annotated[
        FormatChoice, typer.Option("--format", help="csv, parquet or both.")
    ] = FormatChoice.BOTH,
    to: Annotated[
        Path | None,
        typer.Option("--to", "-o", help="Another folder than exports/<day> in the home."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say who would be on the list; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --list: as JSON.")] = False,
    home: Home = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a campaign list as CSV and Parquet, of who may be written to."""
    from customer360.lakehouse.delta_log import TableLogs
    from customer360.serving.campaigns import CAMPAIGN_LISTS, campaign_list
    from customer360.table_names import CUSTOMER_360

    if show or name is None:
        records: list[dict[str, object]] = [
            {
                "list": campaign.name,
                "who is on it": campaign.meaning,
                "ordered by": campaign.priority_means,
            }
            for campaign in CAMPAIGN_LISTS
        ]
        if as_json:
            print_records(records, Format.JSON)
        else:
            print_table(list(records[0]), records)
        return
    campaign = campaign_list(name)
    day = day_of(as_of, "--as-of")
    settings = settings_of_deployment(home)
    TableLogs(settings.lakehouse_root).require(CUSTOMER_360)
    from customer360.pipeline.export import ExportOptions, export_list, newest_snapshot

    usual = ExportOptions.of(settings)
    options = ExportOptions(
        contacts=contacts or usual.contacts,
        include_never_asked=include_never_asked or usual.include_never_asked,
        formats=tuple(FileFormat) if format is FormatChoice.BOTH else (FileFormat(format.value),),
        folder=to,
    )
    as_of_day = day or newest_snapshot(settings)
    _print_export(
        export_list(settings, campaign, as_of_day, options, run_id="command line", dry_run=dry_run)
    )


def _print_export(written: Export) -> None:
    manifest = written.manifest
    files = ", ".join(str(written.folder / file) for file in manifest["files"])
    say(
        f"{manifest['rows']:,} customers on the list {manifest['list']} of {manifest['as_of']}: "
        f"{files or f'would be written to {written.folder}; nothing is'}",
    )
    left_out = {reason: count for reason, count in manifest["left_out"].items() if count}
    if left_out:
        reasons = ", ".join(
            f"{count:,} {reason.replace('_', ' ')}" for reason, count in left_out.items()
        )
        say(f"left out: {reasons}")
