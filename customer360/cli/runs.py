"""Commands that make a deployment: data, runs, the environment they need."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from customer360.cli.common import (
    LOCAL,
    AsFormat,
    Format,
    Home,
    Quiet,
    Verbose,
    day_of,
    err,
    must_be_there,
    open_lakehouse,
    out,
    print_records,
    print_whole,
    say,
)
from customer360.cli.processes import serve
from customer360.cli.stopping import stoppable
from customer360.days import DayRange, parse_day
from customer360.errors import EnvironmentError360, SettingsError, listed
from customer360.home_lock import refuse_if_written, writing
from customer360.settings import Settings, load_settings, remember

if TYPE_CHECKING:
    from customer360.deployment import Deployment
    from customer360.orchestration.run import Plan

PANEL = "Runs"
commands = typer.Typer()


class Steps(StrEnum):
    """Which part of the DAG runs."""

    ALL = "all"
    ETL = "etl"
    SNAPSHOT = "snapshot"
    TRAIN = "train"
    PUBLISH = "publish"


@commands.command(rich_help_panel=PANEL)
@stoppable()
def run(
    context: typer.Context,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="synthetic, cdnow, olist, files or postgres; repeat for several. Remembered in "
            "the home."
        ),
    ] = None,
    path: Annotated[
        Path | None, typer.Option(help="File or folder of the olist or files source.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(help="YAML of your files or tables, or the name of one that ships."),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First day; default: all that the sources have.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day.")] = None,
    as_of: Annotated[
        list[str] | None,
        typer.Option("--as-of", help="Date of a gold snapshot; repeat for several. Default: --to."),
    ] = None,
    steps: Annotated[
        Steps,
        typer.Option(
            help="all; etl: without models; snapshot: gold of --as-of only, and its scores where "
            "there are some; train: models and scores only; publish: the warehouse only."
        ),
    ] = Steps.ALL,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be made; write nothing.")
    ] = False,
    home: Home = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run the whole DAG: bronze, silver, gold, models and scores, the warehouse."""
    if not dry_run:
        refuse_if_written(load_settings(home).home)
    first_day, last_day = day_of(first, "--from"), day_of(last, "--to")
    dates = [parse_day(text, "--as-of") for text in as_of or []]
    chosen = _chosen_sources(load_settings(home), source, path, mapping)
    from customer360.deployment import Deployment
    from customer360.orchestration.run import Plan, run_plan

    forgotten = {name: None for name, value in chosen.items() if value is None}
    settings = load_settings(home, **chosen).model_copy(update=forgotten)
    deployment = Deployment.of(settings)
    days = cover(deployment, chosen, first_day, last_day)
    for doubt in (doubt for active in deployment.sources for doubt in active.suspicions()):
        say(f"Look at this: {escape(doubt)}")
    settings = settings.model_copy(update=days)
    deployment = Deployment.of(settings)
    plan = Plan.of(
        deployment,
        first=first_day,
        last=last_day,
        as_of=dates,
        steps=steps.value,
    )
    if dry_run:
        _say_plan(deployment, plan)
        return
    # Until the command has ended, and with it what it has started.
    context.with_resource(writing(settings.home, "customer360 run"))
    remember(settings.home, chosen | days)
    _say_what_waits(deployment, last_day)
    run_plan(settings, plan, say)
    _print_summary(deployment, plan.as_of[-1])


def _say_plan(deployment: Deployment, plan: Plan) -> None:
    """What a run would make; nothing is written."""
    dates = listed([str(day) for day in plan.as_of])
    sources = listed([source.name for source in deployment.sources])
    meaning = {
        "load": f"load {plan.days} from {sources}: bronze and silver",
        "snapshot": f"make the snapshot of {dates}: gold",
        "score": f"score {dates} by the models that there are",
        "train": f"train {listed(plan.models) if plan.models else 'all models'} up to "
        f"{plan.as_of[-1]}, and score {dates}",
        "publish": "publish gold and its scores to the warehouse, build the marts, write the lists",
    }
    say(f"In {deployment.settings.home}, this run would")
    for part in plan.parts:
        say(f"  {meaning[part]}")
    say("Nothing was written.")


def _chosen_sources(
    known: Settings, source: list[str] | None, path: Path | None, mapping: list[str] | None
) -> dict[str, object]:
    """What the arguments say about sources, as settings."""
    chosen: dict[str, object] = {}
    if mapping:
        meant = source or known.sources
        of_tables = "postgres" in meant
        if of_tables and "files" in meant:
            raise SettingsError(
                "--mapping is for one source, files or postgres; set the mappings by "
                "CUSTOMER360_FILES_MAPPING and CUSTOMER360_POSTGRES_MAPPING instead"
            )
        chosen["postgres_mapping" if of_tables else "files_mapping"] = [
            str(Path(name).absolute()) if Path(name).exists() else name for name in mapping
        ]
        source = source or (known.sources if of_tables else ["files"])
        if not of_tables:
            # Of another mapping; --path below says which is this one's.
            chosen["files_path"] = None
    if source:
        chosen["sources"] = list(dict.fromkeys(source))
    active = chosen.get("sources", known.sources)
    assert isinstance(active, list)
    if path is not None:
        takers = [name for name in active if name in ("olist", "files")]
        if len(takers) != 1:
            raise SettingsError(
                f"--path is for one source, olist or files, but the sources are "
                f"{', '.join(active)}; set the paths by CUSTOMER360_OLIST_PATH and "
                "CUSTOMER360_FILES_PATH instead"
            )
        must_be_there(path, "--path ")
        chosen[f"{takers[0]}_path"] = path.absolute()
    return chosen


def cover(
    deployment: Deployment, chosen: dict[str, object], first: date | None, last: date | None
) -> dict[str, object]:
    """Partition bounds that hold the sources' days: a deployment's days only ever grow."""
    settings = deployment.settings
    available = deployment.available()
    # What is still to come waits for its day: it does not move the end of a finished data set.
    newest = min(available.last, deployment.today())
    start = min(available.first, first or available.first)
    bounds: dict[str, object] = {}
    if "start_date" not in settings.model_fields_set or start < settings.start_date:
        bounds["start_date"] = start
    if not all(source.closed for source in deployment.sources):
        if settings.end_date is not None:
            bounds["end_date"] = None  # data keeps coming, so partitions do
    else:
        end = max(newest, last or newest)
        if settings.end_date is None or end > settings.end_date:
            bounds["end_date"] = end
    return bounds


def _say_what_waits(deployment: Deployment, last: date | None) -> None:
    """That the sources have days which are not over, where the end was left to them."""
    newest = deployment.available().last
    if last is None and deployment.is_not_over(newest):
        day = "today" if newest == deployment.today() else f"days up to {newest}"
        say(
            f"Orders of {day} wait until their day is over: this run goes to "
            f"{deployment.last_day()}"
        )


def _print_summary(deployment: Deployment, as_of: date) -> None:
    from customer360.pipeline.registry import note_registry
    from customer360.pipeline.run_models import tracking_of
    from customer360.summary import summary

    settings = deployment.settings
    note_registry(settings)
    parts = summary(
        open_lakehouse(settings),
        tracking_of(settings),
        deployment,
        as_of=as_of,
    )
    for part in parts:
        out.print()
        print_whole(part)
    out.print("\n[bold]Where to go next[/bold]")
    for words, why in (
        ("dashboard", "customers, segments, who is leaving, what each is worth"),
        ("dev", "the lineage, runs and schedules in Dagster's UI"),
        ("show gold/customer_360", "one row a customer, with what to do next"),
        ("tables", "all tables"),
    ):
        say(f"  {settings.command(words)}  [dim]{why}[/dim]")


@commands.command(rich_help_panel=PANEL)
@stoppable()
def generate(
    context: typer.Context,
    customers: Annotated[int, typer.Option(min=1, help="Customers.")] = 20_000,
    first: Annotated[str, typer.Option("--from", help="First day.")] = "2024-01-01",
    last: Annotated[str, typer.Option("--to", help="Last day.")] = "2025-12-31",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same data.")] = 42,
    defects: Annotated[
        float, typer.Option(min=0, help="Multiplies the rates of all injected defects.")
    ] = 1.0,
    overwrite: Annotated[bool, typer.Option(help="Replace data of other arguments.")] = False,
    home: Home = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make synthetic customers and transactions, as daily raw files with the truth beside them."""
    from customer360.sources.synthetic import Behaviour, DefectRates, generate

    settings = load_settings(home)
    days = DayRange(parse_day(first, "--from"), parse_day(last, "--to"))
    context.with_resource(writing(settings.home, "customer360 generate"))
    folder = settings.raw_dir / "synthetic"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("Generating", total=None)
        manifest = generate(
            folder,
            customers=customers,
            start=days.first,
            end=days.last,
            seed=seed,
            defects=DefectRates().scaled(defects),
            behaviour=Behaviour(),
            overwrite=overwrite,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    say(
        f"{manifest.counts['transactions']:,} transaction rows of {customers:,} customers, "
        f"{first} to {last}, seed {seed}: {folder}",
    )


@commands.command(rich_help_panel=PANEL)
def doctor(
    format: AsFormat = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Check what this machine needs: Java, Python, disk, memory, ports, jars."""
    from dataclasses import asdict

    from customer360.doctor import healthy, render, run_checks

    checks = run_checks(load_settings(home))
    if format is Format.TABLE:
        print_whole(render(checks))
    else:
        print_records([asdict(check) for check in checks], format)
    if not healthy(checks):
        raise typer.Exit(1)


@commands.command(rich_help_panel=PANEL)
def dev(
    port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address of the UI.")] = "127.0.0.1",
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Start Dagster's UI and daemon on this deployment, until Ctrl-C."""
    from customer360.doctor import check_port
    from customer360.orchestration.instance import dagster_environment

    settings = load_settings(home)
    check = check_port(port, host)
    if check.status != "ok":
        raise EnvironmentError360(f"port {port}: {check.found}; {check.remedy}")
    where = (
        ["-w", "workspace.yaml"]
        if Path("workspace.yaml").exists()
        else ["-m", "customer360.definitions"]
    )
    dagster = shutil.which("dagster", path=os.pathsep.join([str(Path(sys.executable).parent)]))
    command = [dagster or "dagster", "dev", *where, "--host", host, "--port", str(port)]
    if host not in LOCAL:
        err.print(
            f"Dagster's UI asks for no password: whoever reaches {host} sees and runs everything.",
            highlight=False,
        )
    say(f"Dagster's UI: http://{host}:{port}  (Ctrl-C stops it)")
    raise typer.Exit(serve(command, dagster_environment(settings)) or 0)
