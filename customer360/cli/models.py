"""Commands about the models: which there are, how good they are, what they say."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from customer360.cli.common import (
    AsFormat,
    Format,
    Home,
    Quiet,
    Verbose,
    day_of,
    err,
    open_lakehouse,
    out,
    print_json,
    print_records,
    print_rich,
    print_table,
    print_whole,
    say,
    settings_of_deployment,
)
from customer360.cli.stopping import stoppable
from customer360.errors import Customer360Error, SettingsError
from customer360.home_lock import refuse_if_written, writing
from customer360.models.explanation import Explanation, short
from customer360.models.registry import models_by_title
from customer360.models.revenue.spec import REVENUE
from customer360.models.spec import ModelSpec
from customer360.settings import Settings, load_settings

if TYPE_CHECKING:
    from customer360.pipeline.evaluate import Evaluation
    from customer360.pipeline.workspace import Workspace

PANEL = "Models"
PARTIAL = 3
"""Exit code of a command that has done what it could, and left rows out."""

commands = typer.Typer()


_BY_TITLE = models_by_title()

if TYPE_CHECKING:
    ModelName = str
else:  # the models that are declared, as people name them
    ModelName = StrEnum("ModelName", [(title, title) for title in _BY_TITLE])

OneModel = Annotated[ModelName, typer.Argument(help="Which model.")]
AnyModel = Annotated[
    ModelName | None, typer.Argument(help="Which model; all of them when not given.")
]


def _follow(spec: ModelSpec[Any], settings: Settings, before: str | None) -> None:
    """What lies beside the registry follows its champion; where it cannot, nothing changes."""
    from customer360.models import tracking
    from customer360.pipeline.registry import note_registry
    from customer360.pipeline.run_models import export, tracking_of

    try:
        export(spec, settings)
    except Customer360Error:
        if before is not None:
            tracking.promote(spec, before, tracking_of(settings))
        raise
    note_registry(settings)


def _workspace(settings: Settings) -> Workspace:
    from customer360.deployment import Deployment
    from customer360.pipeline.workspace import Workspace

    return Workspace(open_lakehouse(settings), Deployment.of(settings), run_id="command line")


def _train_from_warehouse(settings: Settings, model: ModelName | None, as_of: str | None) -> None:
    from customer360.models.notes import in_english
    from customer360.pipeline.run_models import tracking_of
    from customer360.pipeline.train_from_warehouse import train_revenue_from_warehouse
    from customer360.serving.warehouse import WarehouseError, reader_login
    from customer360.summary import model_table

    if model != REVENUE.title or as_of is not None:
        raise SettingsError(
            "--from-warehouse trains the revenue model, up to the days the table has: "
            "customer360 train revenue --from-warehouse"
        )
    login = reader_login(settings)
    if login is None:
        raise WarehouseError("there is no warehouse yet: `customer360 run` makes and fills it")
    training, logged = train_revenue_from_warehouse(settings, login)
    say(f"{logged.model_name} v{logged.version}: {training.status}")
    if training.because:
        say(escape(in_english(training.because)))
    say(escape(in_english([logged.verdict.reason])))
    print_whole(model_table(tracking_of(settings), [REVENUE]))


@commands.command(rich_help_panel=PANEL)
@stoppable()
def train(
    context: typer.Context,
    model: AnyModel = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Last day to learn from. Default: the newest.")
    ] = None,
    from_warehouse: Annotated[
        bool,
        typer.Option(
            "--from-warehouse",
            help="The revenue model from the warehouse's analytical base table, without Spark.",
        ),
    ] = False,
    home: Home = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a model, judge it, promote it if it is better, and score with the champion."""
    if from_warehouse:
        _train_from_warehouse(load_settings(home), model, as_of)
        return
    settings = load_settings(home)
    refuse_if_written(settings.home)
    day = day_of(as_of, "--as-of")
    from customer360.deployment import Deployment
    from customer360.orchestration.run import Plan, run_plan
    from customer360.pipeline.registry import note_registry
    from customer360.pipeline.run_models import tracking_of
    from customer360.summary import model_table

    plan = Plan.of(
        Deployment.of(settings),
        as_of=[day] if day else [],
        steps="train",
        models=[model] if model else [],
    )
    context.with_resource(writing(settings.home, "customer360 train"))
    run_plan(settings, plan, say)
    note_registry(settings)
    print_whole(model_table(tracking_of(settings), [_BY_TITLE[model]] if model else None))


@commands.command(rich_help_panel=PANEL)
def evaluate(
    model: AnyModel = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Last day of data to use. Default: the newest.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", "-o", help="HTML page; default: reports/ in the home."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables as Markdown, for a document.")
    ] = False,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Judge the models on a period they have not seen, beside naive rules and other packages.

    Trains afresh on the data that is there; registers nothing and scores nobody.
    """
    settings = load_settings(home)
    asked = day_of(as_of, "--as-of")
    from customer360.pipeline import evaluate as evaluation

    work = _workspace(settings)
    day = asked or evaluation.newest_day(work)
    evaluations = []
    for title in [model] if model else _BY_TITLE:
        with err.status(f"{title}: training and judging"):
            evaluations.append(evaluation.evaluate(work, _BY_TITLE[title], day))
        if markdown:
            out.print(evaluation.as_markdown(evaluations[-1]), markup=False, soft_wrap=True)
        else:
            _print_evaluation(evaluations[-1])
    target = report or settings.reports_dir / f"evaluation-{day}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(evaluation.as_html(evaluations), encoding="utf-8")
    say(f"\nWith plots: {target}")


def _print_evaluation(evaluation: Evaluation) -> None:
    say(f"\n[bold]{evaluation.model.title}[/bold]  {escape(evaluation.definition)}")
    if evaluation.fallback:
        say(escape(f"fallback: {evaluation.fallback}"))
    if evaluation.table.empty:
        out.print("Nothing was tested.")
    for title, rows in evaluation.shown.items():
        columns = [str(name) for name in rows.columns]
        values = rows.itertuples(index=False, name=None)
        print_table(columns, [dict(zip(columns, row, strict=True)) for row in values], title)
    out.print("[dim]* the best of the column[/dim]")
    for note in evaluation.notes:
        say(f"[dim]  {escape(note)}[/dim]")


@commands.command(rich_help_panel=PANEL)
def predict(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="CSV or Parquet, one row an order.")
    ],
    target: Annotated[
        Path, typer.Option("--output", "-o", help="Where the predictions go: .csv or .parquet.")
    ],
    model: Annotated[
        Path | None, typer.Option(help="A revenue model's .pkl; default: the champion's.")
    ] = None,
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Read a --model that this deployment did not write: it runs what is in it.",
        ),
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Day to predict from. Default: the file's newest order."),
    ] = None,
    home: Home = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Predict the revenue of customers in a file: first orders of new ones, or whole histories.

    Exit code 3: there are predictions, but rows with a bad value were left out.
    """
    day = day_of(as_of, "--as-of")
    # Who names a model needs no deployment.
    settings = load_settings(home) if model else settings_of_deployment(home)
    file = model or settings.revenue_pickle
    if not file.is_file():
        raise Customer360Error(
            f"{file}: there is no revenue model: run `customer360 train revenue` first, or give "
            "one by --model"
        )
    if not source.is_file():
        raise Customer360Error(f"{source}: there is no such file; name a CSV or Parquet of orders")
    from customer360.models.revenue.model import RevenueModel
    from customer360.models.revenue.prediction import predict_file
    from customer360.models.sealed import SECRET

    revenue = RevenueModel.load(file, settings.known_secret(SECRET), trusted=trust_pickle)
    outcome = predict_file(source, target, revenue, as_of=day)
    say(
        f"{outcome.customers:,} customers predicted for the {revenue.horizon_days} days after "
        f"{outcome.as_of}: {target}",
    )
    if outcome.without_purchase:
        say(
            f"{outcome.without_purchase:,} customers left out: they have bought nothing, or have "
            "given all of it back",
        )
    if outcome.undated_reviews:
        say(
            f"{outcome.undated_reviews:,} review scores not used: without reviewed_on nobody knows "
            "whether they were there by then",
        )
    if outcome.rejected:
        say(
            f"{outcome.rejected_rows:,} of {outcome.rows:,} rows left out; what is wrong with each "
            f"is in {outcome.rejected}",
        )
        raise typer.Exit(PARTIAL)


@commands.command(rich_help_panel=PANEL)
def explain(
    customer: Annotated[
        str,
        typer.Argument(
            help="customer_key, its first 12 characters, or the customer's id in the source."
        ),
    ],
    source: Annotated[
        str | None, typer.Option(help="Source of the id, where several are active.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Day of the snapshot. Default: the newest.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Explain one customer: what the models say of them, and why."""
    day = day_of(as_of, "--as-of")
    from customer360.pipeline.explain import explain_customer
    from customer360.short_keys import short_key

    facts = explain_customer(settings_of_deployment(home), customer, source=source, as_of=day)
    if as_json:
        print_json(facts.stated())
        return
    say(f"[bold]Customer {short_key(facts.customer_key)}[/bold] on {facts.as_of}")
    print_table(
        ["what is known", "value"],
        [
            {"what is known": name, "value": _known(name, value)}
            for name, value in facts.summary.items()
            if value is not None
        ],
    )
    if facts.unknown is not None:
        say(f"[yellow]{escape(facts.unknown)}[/yellow]")
    for name, explanation in facts.by_model.items():
        _print_explanation(name, explanation)


def _known(column: str, value: Any) -> object:
    """A value of ``gold/customer_360`` as people read it."""
    from customer360.language import CODED, Language

    if column in CODED:
        return Language("en").named(CODED[column], value)
    return short(value) if isinstance(value, float) else value


def _print_explanation(name: str, explanation: Explanation) -> None:
    if explanation.scores is None:
        out.print(explanation.headline)
        return
    say(f"\n[bold]{name.replace('_', ' ').capitalize()}[/bold]  {escape(explanation.headline)}")
    if explanation.table:
        print_table(
            list(explanation.table[0]),
            [
                {k: short(v) if v is None or isinstance(v, float) else v for k, v in row.items()}
                for row in explanation.table
            ],
        )
    for line in explanation.lines:
        say(escape(line))


@commands.command(rich_help_panel=PANEL)
def models(
    format: AsFormat = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """List the versions of the models: which one scores, and why each was promoted or not."""
    from customer360.pipeline.registry import known_versions

    versions = known_versions(settings_of_deployment(home))
    records: list[dict[str, object]] = [
        {
            "model": title,
            "version": version["version"],
            "alias": ", ".join(version["aliases"]),
            "as_of": version["as_of"],
            "figure": version["figure"],
            "status": _status(version),
            "verdict": _noted(version["verdict"]),
        }
        for title, spec in _BY_TITLE.items()
        for version in versions.get(spec.registered, [])
    ]
    if not records:
        raise Customer360Error("no model has been trained yet: run `customer360 run`")
    if format is Format.TABLE:
        print_rich(list(records[0]), records)
    else:
        print_records(records, format)


def _status(version: dict[str, Any]) -> str:
    """Whether a version was trained, or why a fallback stands in."""
    why = _noted(version["because"])
    return f"{version['status']}: {why}" if why else str(version["status"])


def _noted(notes: Sequence[Any]) -> str:
    """Notes as JSON holds them, in words."""
    from customer360.models.notes import Note, in_english

    return in_english(Note(*note) for note in notes)


@commands.command(rich_help_panel=PANEL)
def promote(
    model: OneModel,
    version: Annotated[str, typer.Argument(help="The version that shall score.")],
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Make a version of a model the champion, whatever its verdict; the next scoring uses it."""
    from customer360.models import tracking
    from customer360.pipeline.run_models import tracking_of

    settings = settings_of_deployment(home)
    before = tracking.promote(_BY_TITLE[model], version, tracking_of(settings))
    _follow(_BY_TITLE[model], settings, before)
    instead = f", in place of v{before}" if before else ""
    say(f"{model} v{version} is the champion now{instead}")


@commands.command(rich_help_panel=PANEL)
def rollback(
    model: OneModel,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Make the champion again that the present one replaced; the next scoring uses it."""
    from customer360.models import tracking
    from customer360.pipeline.run_models import tracking_of

    settings = settings_of_deployment(home)
    now, before = tracking.rollback(_BY_TITLE[model], tracking_of(settings))
    _follow(_BY_TITLE[model], settings, before)
    say(f"{model} v{now} is the champion again, in place of v{before}")


@commands.command(rich_help_panel=PANEL)
def uplift(
    campaign: Annotated[
        Path | None,
        typer.Option(
            help="CSV of a past campaign with a control group: customer_key or source_customer_id "
            "(with source), contacted (yes or no), date. Default: who was marked on the call list."
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            min=1, help="Days in which a purchase counts. Default: setting revenue_horizon_days."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Measure what a past campaign did, against those who were kept back; pages show it."""
    settings = settings_of_deployment(home)
    from customer360.deployment import Deployment
    from customer360.pipeline.uplift import marked_contacts, measure, read_campaign

    deployment = Deployment.of(settings)
    days, contacted_later = window or settings.revenue_horizon_days, 0
    if campaign is None:
        name = "call list"
        contacts, contacted_later = marked_contacts(settings, deployment.zone, days)
    else:
        sources = [source.name for source in deployment.sources]
        name, contacts = campaign.name, read_campaign(campaign, sources, settings.secret)
    # Spark starts when all that was typed is known to be right.
    done = measure(_workspace(settings), name, contacts, days, contacted_later)
    if as_json:
        print_json(done.stated())
        return
    found = done.uplift
    say(
        f"{escape(done.campaign)}, {done.first} to {done.last}: {found.contacted:,} of "
        f"{found.customers:,} customers were contacted; {found.bought_contacted:.1%} of them "
        f"bought within {done.window_days} days, and {found.bought_kept_back:.1%} of those kept "
        "back"
    )
    say(
        f"effect {found.effect:+.1%} (90% interval {found.effect_low:+.1%} to "
        f"{found.effect_high:+.1%}); success rate {found.success_rate:.3f} (setting "
        f"churn_success_rate is {settings.churn_success_rate:g})"
    )
    say(
        f"Qini coefficient {found.qini:.4f} (90% interval {found.qini_low:.4f} to "
        f"{found.qini_high:.4f}); 0 is no better than chance"
    )
    for count, why in (
        (done.waiting, "whose window is not over"),
        (done.unknown, "who had not bought before"),
        (done.contacted_later, "who were kept back, and contacted before the window was over"),
    ):
        if count:
            say(f"left out: {count:,} customers {why}")
