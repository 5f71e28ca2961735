"""The ``customer360`` command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from customer360 import __version__
from customer360.days import parse_day
from customer360.errors import Customer360Error, EnvironmentError360, SettingsError
from customer360.settings import Settings, load_settings, remember

if TYPE_CHECKING:
    from customer360.deployment import Deployment
    from customer360.lakehouse.tables import Lakehouse

app = typer.Typer(
    name="customer360",
    help="A Customer 360 lakehouse: raw transactions in, customers, churn and lifetime value out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)

Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder that holds the deployment.", show_default="data"),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show the trace of an error.")]


class Steps(StrEnum):
    """Which part of the DAG runs."""

    ALL = "all"
    ETL = "etl"
    TRAIN = "train"


class ModelName(StrEnum):
    """The models that are trained, as people name them."""

    CHURN = "churn"
    LIFETIME_VALUE = "lifetime-value"

    @property
    def registered(self) -> str:
        """Its name in the registry."""
        return f"customer360_{self.replace('-', '_')}"


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def _day(text: str | None, option: str) -> date | None:
    return None if text is None else parse_day(text, option)


@app.command()
def run(
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="synthetic, cdnow, olist or files; repeat for several. Remembered in the home."
        ),
    ] = None,
    path: Annotated[
        Path | None, typer.Option(help="File or folder of the olist or files source.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(help="YAML that describes your files, or the name of one that ships."),
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
        Steps, typer.Option(help="all; etl: without models; train: models and scores only.")
    ] = Steps.ALL,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Run the whole DAG: bronze, silver, gold, models and scores."""
    from customer360.deployment import Deployment
    from customer360.orchestration.run import Plan, run_plan

    chosen = _chosen_sources(load_settings(home), source, path, mapping)
    forgotten = {name: None for name, value in chosen.items() if value is None}
    settings = load_settings(home, **chosen).model_copy(update=forgotten)
    deployment = Deployment.of(settings)
    days = _cover(deployment, chosen, _day(first, "--from"), _day(last, "--to"))
    settings = settings.model_copy(update=days)
    deployment = Deployment.of(settings)
    plan = Plan.of(
        deployment,
        first=_day(first, "--from"),
        last=_day(last, "--to"),
        as_of=[parse_day(text, "--as-of") for text in as_of or []],
        steps=steps.value,
    )
    remember(settings.home, chosen | days)
    run_plan(settings, plan, lambda line: out.print(line, highlight=False))
    _print_summary(deployment, plan.as_of[-1])


def _chosen_sources(
    known: Settings, source: list[str] | None, path: Path | None, mapping: list[str] | None
) -> dict[str, object]:
    """What the arguments say about sources, as settings."""
    chosen: dict[str, object] = {}
    if mapping:
        chosen["files_mapping"] = [
            str(Path(name).absolute()) if Path(name).exists() else name for name in mapping
        ]
        source = source or ["files"]
        chosen["files_path"] = None  # of another mapping; --path below says which is this one's
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
        if not path.exists():
            raise SettingsError(f"--path {path}: there is no such file or folder")
        chosen[f"{takers[0]}_path"] = path.absolute()
    return chosen


def _cover(
    deployment: Deployment, chosen: dict[str, object], first: date | None, last: date | None
) -> dict[str, object]:
    """Partition bounds that hold the sources' days: a deployment's days only ever grow."""
    settings = deployment.settings
    found = deployment.available()
    start = min(found.first, first or found.first)
    bounds: dict[str, object] = {}
    if "start_date" not in settings.model_fields_set or start < settings.start_date:
        bounds["start_date"] = start
    if not all(source.closed for source in deployment.sources):
        if settings.end_date is not None:
            bounds["end_date"] = None  # data keeps coming, so partitions do
    else:
        end = max(found.last, last or found.last)
        if settings.end_date is None or end > settings.end_date:
            bounds["end_date"] = end
    return bounds


def _print_summary(deployment: Deployment, as_of: date) -> None:
    from customer360.pipeline.run_models import tracking_of
    from customer360.summary import summary

    settings = deployment.settings
    parts = summary(
        _lakehouse(settings),
        tracking_of(settings),
        as_of=as_of,
        currency=deployment.currency,
    )
    for part in parts:
        out.print()
        out.print(part)
    at = "" if settings.home == Path("data") else f" --home {settings.home}"
    out.print("\n[bold]Where to go next[/bold]")
    for command, why in (
        (f"customer360 dev{at}", "the lineage, runs and schedules in Dagster's UI"),
        (f"customer360 show gold/customer_360{at}", "one row a customer, with what to do next"),
        (f"customer360 tables{at}", "all tables"),
    ):
        out.print(f"  {command}  [dim]{why}[/dim]", highlight=False)


def _lakehouse(settings: Settings) -> Lakehouse:
    from customer360.lakehouse.session import spark_session
    from customer360.lakehouse.tables import Lakehouse

    return Lakehouse(spark_session(settings), settings.lakehouse_dir)


@app.command()
def generate(
    customers: Annotated[int, typer.Option(min=1, help="Customers.")] = 20_000,
    first: Annotated[str, typer.Option("--from", help="First day.")] = "2024-01-01",
    last: Annotated[str, typer.Option("--to", help="Last day.")] = "2025-12-31",
    seed: Annotated[int, typer.Option(help="Same seed, same data.")] = 42,
    defects: Annotated[
        float, typer.Option(min=0, help="Multiplies the rates of all injected defects.")
    ] = 1.0,
    overwrite: Annotated[bool, typer.Option(help="Replace data of other arguments.")] = False,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Make synthetic customers and transactions, as daily raw files with the truth beside them."""
    from customer360.sources.synthetic import Behaviour, DefectRates, generate

    settings = load_settings(home)
    folder = settings.raw_dir / "synthetic"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("Generating", total=None)
        manifest = generate(
            folder,
            customers=customers,
            start=parse_day(first, "--from"),
            end=parse_day(last, "--to"),
            seed=seed,
            defects=DefectRates().scaled(defects),
            behaviour=Behaviour(),
            overwrite=overwrite,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    out.print(
        f"{manifest.counts['transactions']:,} transaction rows of {customers:,} customers, "
        f"{first} to {last}, seed {seed}: {folder}",
        highlight=False,
    )


@app.command()
def tables(
    format: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """List the tables: rows, partitions, bytes, version."""
    from dataclasses import asdict

    from customer360.summary import table_of_tables

    lakehouse = _lakehouse(load_settings(home))
    details = [lakehouse.details(name) for name in lakehouse.tables()]
    if format is Format.TABLE:
        out.print(table_of_tables(details))
    else:
        _print_records([asdict(table) for table in details], format)


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="layer/table, for example gold/rfm_segments.")],
    where: Annotated[str | None, typer.Option(help="SQL condition.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 20,
    format: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Print rows of a table."""
    from pyspark.errors import PySparkException

    frame = _lakehouse(load_settings(home)).read(table)
    try:
        frame = frame.where(where) if where else frame
        records = [row.asDict(recursive=True) for row in frame.limit(limit).collect()]
    except PySparkException as error:
        first = str(error).strip().splitlines()[0]
        raise SettingsError(f"--where {where!r} on {table}: {first}") from error
    if format is Format.TABLE:
        _print_rich(frame.columns, records)
    else:
        _print_records(records, format, frame.columns)


def _print_rich(columns: list[str], records: list[dict[str, object]]) -> None:
    from rich.table import Table

    wide = len(columns) > 8
    shown = Table(show_lines=wide)
    if wide:  # a row a column reads better than columns of one character
        shown.add_column("column")
        for number in range(len(records[:3])):
            shown.add_column(f"row {number + 1}")
        for name in columns:
            shown.add_row(name, *(escape(str(record[name])) for record in records[:3]))
        out.print(shown)
        if len(records) > 3:
            out.print("[dim]3 rows shown; --format csv or json prints all[/dim]")
        return
    for name in columns:
        shown.add_column(name)
    for record in records:
        shown.add_row(*(escape(str(record[name])) for name in columns))
    out.print(shown)


def _print_records(
    records: list[dict[str, object]], format: Format, columns: list[str] | None = None
) -> None:
    if format is Format.JSON:
        print(json.dumps(records, default=str, ensure_ascii=False, indent=2))
        return
    import csv

    names = columns or list(records[0] if records else {})
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)


@app.command()
def models(
    format: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """List the versions of the models: which one scores, and why each was promoted or not."""
    from customer360.models.tracking import registered_versions
    from customer360.pipeline.run_models import tracking_of

    tracking = tracking_of(load_settings(home))
    records: list[dict[str, object]] = [
        {
            "model": name.value,
            "version": version.version,
            "alias": ", ".join(version.aliases),
            "as_of": version.as_of,
            "status": version.status,
            "verdict": version.verdict,
        }
        for name in ModelName
        for version in registered_versions(name.registered, tracking)
    ]
    if not records:
        raise Customer360Error("no model has been trained yet: run `customer360 run`")
    if format is Format.TABLE:
        _print_rich(list(records[0]), records)
    else:
        _print_records(records, format)


@app.command()
def promote(
    model: Annotated[ModelName, typer.Argument(help="Which model.")],
    version: Annotated[str, typer.Argument(help="The version that shall score.")],
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Make a version of a model the champion, whatever its verdict; the next scoring uses it."""
    from customer360.models import tracking
    from customer360.pipeline.run_models import tracking_of

    before = tracking.promote(model.registered, version, tracking_of(load_settings(home)))
    instead = f", in place of v{before}" if before else ""
    out.print(f"{model} v{version} is the champion now{instead}", highlight=False)


@app.command()
def rollback(
    model: Annotated[ModelName, typer.Argument(help="Which model.")],
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Make the champion again that the present one replaced; the next scoring uses it."""
    from customer360.models import tracking
    from customer360.pipeline.run_models import tracking_of

    now, before = tracking.rollback(model.registered, tracking_of(load_settings(home)))
    out.print(f"{model} v{now} is the champion again, in place of v{before}", highlight=False)


@app.command()
def doctor(home: Home = None, verbose: Verbose = False) -> None:
    """Check what this machine needs: Java, Python, disk, memory, ports, jars."""
    from customer360.doctor import healthy, render, run_checks

    checks = run_checks(load_settings(home))
    out.print(render(checks))
    if not healthy(checks):
        raise typer.Exit(1)


@app.command()
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
    out.print(f"Dagster's UI: http://{host}:{port}  (Ctrl-C stops it)", highlight=False)
    try:
        done = subprocess.run(command, env=dagster_environment(settings), check=False)
    except KeyboardInterrupt:
        return
    raise typer.Exit(done.returncode)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        out.print(__version__, highlight=False)
        raise typer.Exit


def main() -> None:
    """Entry point: whatever goes wrong is one line on stderr and exit code 1."""
    verbose = "--verbose" in sys.argv
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the last one who can say it in one line
        if verbose:
            err.print_exception()
            for note in getattr(error, "__notes__", ()):
                err.print(note, markup=False, highlight=False)
        said = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, Customer360Error):
            said = f"{type(error).__name__}: {said}"
            said += "" if verbose else "; --verbose shows the trace"
        err.print(f"[red]error:[/red] {escape(said)}", highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
