"""Commands that look after a deployment: copies of it, and its upkeep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from customer360.cli.common import EmptyHome, Home, Quiet, Verbose, say, settings_of_deployment
from customer360.cli.stopping import stoppable
from customer360.home_lock import writing
from customer360.settings import load_settings

PANEL = "Runs"
commands = typer.Typer()

Secrets = Annotated[
    Path | None, typer.Option("--secrets", help="File of the secrets, to be kept elsewhere.")
]


@commands.command(rich_help_panel=PANEL)
@stoppable()
def backup(
    context: typer.Context,
    to: Annotated[Path, typer.Argument(metavar="TO", help="Folder of the backup; it is made.")],
    secrets: Secrets = None,
    home: Home = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Copy the whole deployment, but for its secrets, while nobody writes it."""
    settings = settings_of_deployment(home)
    from customer360.pipeline.backup import back_up
    from customer360.privacy.stores import outside_of_home

    context.with_resource(writing(settings.home, "customer360 backup"))
    manifest = back_up(settings, to, secrets)
    say(f"{len(manifest.files):,} files, {manifest.size:,} bytes, each with its SHA-256: {to}")
    if manifest.lakehouse is not None:
        say(
            f"the tables are in {manifest.lakehouse}, and not in it: let the bucket keep or copy "
            "them (docs/object-store.md); which versions they had is in it"
        )
    if manifest.warehouse == "elsewhere":
        say("the warehouse is another server's, which has backups of its own")
    for what in outside_of_home(settings):
        say(f"{what} is not in it: it lies outside of the home, and needs backups of its own")
    if secrets is not None:
        say(f"the secrets: {secrets}; with them the customer keys are no pseudonyms any more")
    else:
        say(f"the secrets are not in it: keep {settings.home / 'secrets'}, or use --secrets FILE")


@commands.command(rich_help_panel=PANEL)
@stoppable()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="Folder of a backup.")],
    secrets: Secrets = None,
    home: EmptyHome = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a deployment of a backup, in a home that is empty or not there."""
    settings = load_settings(home)
    from customer360.lakehouse.object_store import OWNER
    from customer360.pipeline.backup import restore as restore_into
    from customer360.pipeline.forgotten_since import forgotten_since

    manifest = restore_into(source, settings.home, secrets)
    say(
        f"restored what was backed up at {manifest.created_at}: {len(manifest.files):,} files, "
        f"{manifest.size:,} bytes, as they were"
    )
    if secrets is None and not load_settings(settings.home).customer_key_secret:
        say(
            f"before the next run: put the former secrets into {settings.home / 'secrets'}, "
            "customer_key above all"
        )
    if manifest.lakehouse is not None:
        say(
            f"the tables are those of {manifest.lakehouse}, as they are now; this home may write "
            f"them when the one it is a copy of is gone: delete {manifest.lakehouse}/{OWNER}"
        )
    since = forgotten_since(settings)
    if since:
        people = sum(each.people or 0 for each in since)
        command = settings.command("privacy forget --again")
        say(
            f"up to {people:,} people were forgotten after this backup, and no load brings them "
            f"in: forget them again by `{command}`"
        )
    say(f"look at it: {settings.command('tables')}")


@commands.command(rich_help_panel=PANEL)
@stoppable()
def maintain(
    context: typer.Context,
    home: Home = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Put small files together, and take away what is past its time: no row changes."""
    settings = settings_of_deployment(home)
    from customer360.orchestration.run import maintain as run_maintenance
    from customer360.pipeline.maintain import sizes

    context.with_resource(writing(settings.home, "customer360 maintain"))
    before = sizes(settings)
    run_maintenance(settings, say)
    after = sizes(settings)
    say(
        f"tables: {before.files:,} files and {before.bytes:,} bytes before, {after.files:,} files "
        f"and {after.bytes:,} bytes now"
    )
