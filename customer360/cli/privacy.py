"""Commands for the privacy officer: what is held about a person, and forgetting them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from customer360.cli.common import Home, Verbose, open_lakehouse, say, settings_of_deployment
from customer360.cli.stopping import stoppable
from customer360.errors import SettingsError
from customer360.home_lock import refuse_if_written, writing
from customer360.settings import Settings

if TYPE_CHECKING:
    from customer360.lakehouse.reading import Tables
    from customer360.pipeline.workspace import Workspace
    from customer360.privacy.forget import Forgotten
    from customer360.privacy.people import Person

PANEL = "Privacy"
_SHORTEST_SECRET = 16
commands = typer.Typer()
privacy = typer.Typer(
    help="What is held about a person, and forgetting them.", no_args_is_help=True
)
commands.add_typer(privacy, name="privacy", rich_help_panel=PANEL)


class ReportFormat(StrEnum):
    """Which files are written."""

    JSON = "json"
    HTML = "html"
    BOTH = "both"


@privacy.command()
def report(
    customer: Annotated[
        str,
        typer.Argument(
            help="Id as its source states it (or source:id), customer key or its first 12 "
            "characters, e-mail or phone."
        ),
    ],
    format: Annotated[
        ReportFormat,
        typer.Option("--format", help="json: complete; html: a page for the person; or both."),
    ] = ReportFormat.BOTH,
    language: Annotated[str, typer.Option(help="Of the page: en or pt.")] = "en",
    to: Annotated[
        Path | None,
        typer.Option("--to", "-o", help="Folder. Default: privacy/reports in the home."),
    ] = None,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Write all that is held about a person: every row, where it came from and since when."""
    from customer360.deployment import Deployment
    from customer360.errors import listed
    from customer360.lakehouse.reading import Tables
    from customer360.language import LANGUAGES, Language
    from customer360.pipeline.workspace import Workspace
    from customer360.privacy.journal import reported
    from customer360.privacy.people import find_people
    from customer360.privacy.report import report_of, write_report

    if language not in LANGUAGES:
        raise SettingsError(f"--language {language}: expected one of {listed(list(LANGUAGES))}")
    settings = settings_of_deployment(home)
    deployment = Deployment.of(settings)
    people = find_people(Tables(settings.lakehouse_root), deployment, [customer])
    work = Workspace(open_lakehouse(settings), deployment, "privacy report")
    formats = ["json", "html"] if format is ReportFormat.BOTH else [format.value]
    said = Language(language, deployment.currency, deployment.zone)
    for person in people:
        reported(settings, person)
        made = report_of(work, person)
        files = write_report(settings, made, formats, said, to)
        rows = sum(len(held.rows) for held in made.tables)
        say(
            f"{person.source}:{escape(person.source_customer_id)}: {rows:,} rows in "
            f"{len(made.tables)} tables: {escape(', '.join(map(str, files)))}"
        )


@privacy.command()
@stoppable(go_on="customer360 privacy forget --resume, with the same --home")
def forget(
    context: typer.Context,
    customers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CUSTOMER…",
            help="Id as its source states it (or source:id), customer key or its first 12 "
            "characters, e-mail or phone.",
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A file that names one customer a line.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Who was forgotten after the backup that this home is of."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Finish an erasure that was stopped.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether that is meant.")] = False,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Erase people: from all tables and their history, the warehouse, lists, models and logs."""
    settings = settings_of_deployment(home)
    refuse_if_written(settings.home)
    from customer360.deployment import Deployment
    from customer360.lakehouse.reading import Tables
    from customer360.privacy import journal
    from customer360.privacy.forget import ErasureError, begin, refuse_unfinished
    from customer360.privacy.people import find_people, read_list

    deployment = Deployment.of(settings)
    if resume:
        erasure = journal.under_way(settings)
        if erasure is None:
            raise ErasureError("no erasure was stopped: there is nothing to resume")
        context.with_resource(writing(settings.home, "customer360 privacy forget"))
    else:
        refuse_unfinished(settings)
        named = [*(customers or []), *(read_list(file) if file is not None else [])]
        tables = Tables(settings.lakehouse_root)
        people = find_people(tables, deployment, named)
        if again:
            people = list(dict.fromkeys((*people, *_forgotten_before(settings, tables))))
            if not people:
                say("nobody in silver/customers was forgotten before")
                return
        if people and not yes:
            typer.confirm(
                f"{len(people):,} customers of {settings.home} will be erased; there is no way "
                "back. Go on?",
                abort=True,
            )
        context.with_resource(writing(settings.home, "customer360 privacy forget"))
        erasure = begin(deployment, people)
    say(f"[bold]forget[/bold] {len(erasure.people):,} customers (erasure {erasure.id})")
    from customer360.pipeline.workspace import Workspace
    from customer360.privacy.forget import forget as carry_out

    work = Workspace(open_lakehouse(settings), deployment, f"forget {erasure.id}")
    done = carry_out(work, erasure, lambda: _publish(settings, work), lambda line: say(f"  {line}"))
    _print_forgotten(done, settings)


def _forgotten_before(settings: Settings, tables: Tables) -> list[Person]:
    from customer360.pipeline.forgotten import forgotten_secret
    from customer360.pipeline.forgotten_since import forgotten_since
    from customer360.privacy.people import find_forgotten

    hashes = {each for known in forgotten_since(settings) for each in known.hashes}
    return find_forgotten(tables, hashes, lambda: forgotten_secret(settings))


@privacy.command("rotate-key")
@stoppable(go_on="customer360 privacy rotate-key --resume, with the same --home")
def rotate_key(
    context: typer.Context,
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", help="File with the new secret. Default: one is made."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Finish a rotation that was stopped.")
    ] = False,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Give every customer another key, in all tables, and leave nothing of the old ones."""
    settings = settings_of_deployment(home)
    refuse_if_written(settings.home)
    from customer360.deployment import Deployment
    from customer360.pipeline.workspace import Workspace
    from customer360.privacy.rotate import begin, rotate, under_way

    secret = None if secret_file is None else _secret_in(secret_file)
    context.with_resource(writing(settings.home, "customer360 privacy rotate-key"))
    deployment = Deployment.of(settings)
    rotation = under_way(settings) if resume else None
    work = Workspace(open_lakehouse(settings), deployment, "rotate-key")
    if rotation is None:
        rotation = begin(work, secret)
    # What is published afterwards is published with the new one.
    after = settings
    if settings.customer_key_secret and settings.next_secret_file.exists():
        given = {"customer_key_secret": settings.next_secret_file.read_text()}
        after = settings.model_copy(update=given)
    done = rotate(work, rotation, lambda: _publish(after, work), lambda line: say(f"  {line}"))
    say(f"{done.customers:,} customers have another key, in {done.tables} tables")
    if done.lists:
        say(f"{done.lists:,} campaign lists are written again with them, of who may be written to")
    for sentence in done.lists_left:
        say(f"[yellow]not written again, and deleted: {escape(sentence)}[/yellow]")
    if done.reports:
        say(
            f"{done.reports:,} files of reports about people are deleted: write one again by "
            f"`{settings.command('privacy report CUSTOMER')}`"
        )
    if done.set_yourself:
        say("set customer_key_secret to the new secret now: nothing works with the old one")
    for place in done.elsewhere:
        say(f"look there yourself: {escape(place)}")


def _secret_in(file: Path) -> str:
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "expected text in UTF-8").lower()
        raise SettingsError(
            f"--secret-file {file}: {reason}; name a file with the new secret in a line"
        ) from None
    if len(secret) < _SHORTEST_SECRET:
        raise SettingsError(
            f"--secret-file {file}: expected {_SHORTEST_SECRET} characters or more, found "
            f"{len(secret)}; `openssl rand -hex 32` makes a good one"
        )
    return secret


def _publish(settings: Settings, work: Workspace) -> None:
    from customer360.deployment import Deployment
    from customer360.orchestration.run import Plan, run_plan
    from customer360.pipeline.make_gold import snapshot_dates
    from customer360.table_names import FEATURES

    dates = snapshot_dates(work, FEATURES)
    if not dates:
        return
    deployment = Deployment.of(settings)
    plan = Plan.of(deployment, first=dates[-1], last=dates[-1], steps="publish")
    run_plan(settings, plan, lambda _: None)


def _print_forgotten(done: Forgotten, settings: Settings) -> None:
    rows = sum(done.rows.values())
    say(
        f"forgotten: {done.people:,} customers, {rows:,} rows in {len(done.rows)} tables, on "
        f"{done.lists} lists, named {done.quotations:,} times in logs"
    )
    if not done.rows:
        say("no table held anything of them; their ids are remembered all the same")
    kept = settings.forgotten_sales == "anonymous"
    say("their sales stay in the figures, of nobody" if kept else "their sales are removed")
    if done.models:
        say(
            f"trained with them: {escape(', '.join(done.models))}; train again by "
            f"`{settings.command('run --steps train')}`"
        )
    for place in done.elsewhere:
        say(f"look there yourself: {escape(place)}")
