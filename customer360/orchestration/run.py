"""The whole DAG in this process and one Spark session: what ``customer360 run`` does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import dagster as dg
from rich.markup import escape

from customer360.days import DayRange
from customer360.deployment import Deployment
from customer360.errors import Customer360Error, SettingsError, first_line, listed
from customer360.lakehouse.delta_log import TableLogs
from customer360.models.registry import MODELS, models_by_title
from customer360.orchestration import jobs
from customer360.orchestration.alerts import send_due
from customer360.orchestration.build import build_definitions
from customer360.orchestration.dead_runs import end_dead_runs, process_tag
from customer360.orchestration.failure import Failure, failed_checks, first_failure
from customer360.orchestration.instance import open_instance
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.partitions import (
    add_as_of_dates,
    check_day,
    made_as_of_dates,
    range_tags,
    runs_of,
)
from customer360.orchestration.progress import Say, expect, listen
from customer360.orchestration.run_history import record_runs
from customer360.settings import Settings
from customer360.table_names import CUSTOMER_360

Steps = Literal["all", "etl", "snapshot", "train", "publish"]


class RunFailedError(Customer360Error):
    """A run did not succeed; the message names the first asset that failed, and why."""


@dataclass(frozen=True)
class Plan:
    """What to make.

    Attributes:
        days: Bronze and silver of these days.
        as_of: Gold snapshots, models and scores of these dates.
        steps: ``all``; ``etl`` leaves models out; ``snapshot`` only makes snapshots, and scores
            again those that were scored, by the models there are; ``train`` only trains and
            scores; ``publish`` only brings the warehouse up to date.
        models: Names of the models that ``train`` trains, as people know them; empty: all.
    """

    days: DayRange
    as_of: tuple[date, ...]
    steps: Steps = "all"
    models: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """What is done, in order: ``load``, ``snapshot``, ``score``, ``train``, ``publish``."""
        return {
            "all": ("load", "snapshot", "train", "publish"),
            "etl": ("load", "snapshot"),
            "snapshot": ("snapshot", "score"),
            "train": ("train",),
            "publish": ("publish",),
        }[self.steps]

    @classmethod
    def of(
        cls,
        deployment: Deployment,
        *,
        first: date | None = None,
        last: date | None = None,
        as_of: Sequence[date] = (),
        steps: Steps = "all",
        models: Sequence[str] = (),
    ) -> Plan:
        """The plan that these arguments describe; what is not given, the sources decide.

        Raises:
            SettingsError: A date is outside the partitions or what the sources have, or the range
                ends before it begins.
        """
        if first is None or last is None:
            available = deployment.available()
            if first is not None and first > available.last:
                raise SettingsError(
                    f"--from {first} is after the last day that the sources have, "
                    f"{available.last}: give an earlier one, or --to as well"
                )
            if last is not None and last < available.first:
                raise SettingsError(
                    f"--to {last} is before the first day that the sources have, "
                    f"{available.first}: give a later one, or --from as well"
                )
            if last is None and deployment.is_not_over(available.first):
                raise SettingsError(
                    f"the sources hold nothing before {available.first}, and that day is not over: "
                    "days are loaded when they are whole; run it again when it is"
                )
            yesterday = deployment.today() - timedelta(days=1)
            first, last = first or available.first, last or min(available.last, yesterday)
        days = DayRange(first, last)
        dates = tuple(sorted(set(as_of))) or (days.last,)
        for day in (days.first, days.last):
            check_day(deployment, day)
        for day in dates:
            check_day(deployment, day, as_of=bool(as_of))
        return cls(days, dates, steps, tuple(models))


def run_plan(settings: Settings, plan: Plan, say: Say) -> None:
    """Carry out ``plan``, each step as a Dagster run that the UI shows.

    Loading and snapshots are separate runs, as days and as-of dates are different partitions.

    Args:
        settings: The deployment.
        plan: What to make.
        say: Receives progress, a line at a time (rich markup).

    Raises:
        RunFailedError: An asset or a blocking check failed.
    """
    dates = ",".join(str(day) for day in plan.as_of)
    failed: list[Failure] = []
    with _running(settings, say) as (definitions, instance):
        again: Sequence[date] = ()
        for name in plan.parts:
            if name == "snapshot" and plan.steps != "snapshot":  # which makes what it is asked for
                stale = _stale(settings, plan.as_of, scores=plan.steps == "all")
                _tell(stale, "their days have changed", say)
                older = _older(settings, plan.as_of) if plan.steps == "all" else []
                _tell(older, "an older release made them", say)
                again = sorted({*stale, *older})
            steps = list(_steps(name, settings, plan, again, instance))
            if steps:
                say(f"[bold]{name}[/bold] {plan.days if name == 'load' else dates}")
            for step in steps:
                failed += _run(definitions, instance, step)
        _raise_first(failed)


def load_again(settings: Settings, days: Sequence[DayRange], as_of: date | None, say: Say) -> None:
    """Load several ranges of days again, and then the snapshot of ``as_of`` where there is one.

    Args:
        settings: The deployment.
        days: Ranges, each a run.
        as_of: Date of the snapshot; None: there is none to be made again.
        say: Receives progress, a line at a time (rich markup).

    Raises:
        RunFailedError: An asset or a blocking check failed.
    """
    failed: list[Failure] = []
    with _running(settings, say) as (definitions, instance):
        for each in days:
            say(f"[bold]load[/bold] {each}")
            failed += _run(definitions, instance, _Step(jobs.LOAD_RANGE, each))
        if as_of is not None:
            plan = Plan(days[-1], (as_of,), "etl")
            again = _stale(settings, plan.as_of, scores=False)
            _tell(again, "their days have changed", say)
            say(f"[bold]snapshot[/bold] {as_of}")
            for step in _steps("snapshot", settings, plan, again, instance):
                failed += _run(definitions, instance, step)
        _raise_first(failed)


def maintain(settings: Settings, say: Say) -> None:
    """The job `maintain`, in this process.

    Args:
        settings: The deployment.
        say: Receives progress, a line at a time (rich markup).

    Raises:
        RunFailedError: An asset failed.
    """
    with _running(settings, say) as (definitions, instance):
        _run(definitions, instance, _Step(jobs.MAINTAIN, None))


@contextmanager
def _running(settings: Settings, say: Say) -> Iterator[tuple[dg.Definitions, dg.DagsterInstance]]:
    """What a run in this process needs; that it was is shown to the warehouse's readers."""
    definitions = build_definitions(settings)
    stop = listen(say)
    try:
        with open_instance(settings) as instance:
            end_dead_runs(settings, instance)  # no daemon may be there to notice them
            try:
                yield definitions, instance
            finally:
                _record(settings, instance, say)
                _tell_people(settings, instance, say)
    finally:
        stop()


@dataclass(frozen=True)
class _Step:
    """One Dagster run.

    Attributes:
        job: Its job.
        partitions: From the first to the last of its partitions; None: it has none.
        only: The assets of the job that it makes; None: all.
    """

    job: str
    partitions: DayRange | None
    only: Sequence[dg.AssetKey] | None = None


def _stale(settings: Settings, as_of: Sequence[date], *, scores: bool) -> list[date]:
    """Snapshots beside ``as_of`` whose days this run has changed, as far back as it mends them.

    Scores are looked at only by a run that makes them.
    """
    from customer360.lakehouse.reading import Tables
    from customer360.pipeline.stale_snapshots import NOTED, in_window, stale_snapshots

    noted = [table for table in NOTED if scores or table != CUSTOMER_360]
    stale = set(stale_snapshots(Tables(settings.lakehouse_root), noted)) - set(as_of)
    newest = max([*as_of, *made_as_of_dates(settings)])
    return in_window(stale, newest, settings.trailing_days)


def _older(settings: Settings, as_of: Sequence[date]) -> list[date]:
    """Snapshots beside ``as_of`` that an older release made, of those that are published.

    Each table is published as far back as its own dates go: scores of weeks further than features
    of days.
    """
    from customer360.lakehouse.reading import Tables
    from customer360.pipeline.older_snapshots import RECODED, older_snapshots

    tables = Tables(settings.lakehouse_root)
    older: set[date] = set()
    for table in RECODED:
        kept = made_as_of_dates(settings, table)[-settings.warehouse_snapshots :]
        older.update(older_snapshots(tables, table, set(kept) - set(as_of)))
    return sorted(older)


def _tell(again: Sequence[date], why: str, say: Say) -> None:
    if again:
        say(f"also the snapshots of {listed([str(day) for day in again])}: {why}")


def _steps(
    name: str,
    settings: Settings,
    plan: Plan,
    again: Sequence[date],
    instance: dg.DagsterInstance,
) -> Iterator[_Step]:
    """The runs of a step of the plan.

    Args:
        name: The step.
        settings: The deployment.
        plan: The plan.
        again: Further as-of dates to make again.
        instance: Which knows the as-of dates.
    """
    if name == "load":
        yield _Step(jobs.LOAD_RANGE, plan.days)
        return
    if name == "publish":
        # The warehouse has no partitions: it knows itself what it lacks.
        yield _Step(jobs.PUBLISH, None)
        return
    # Also what an older release made, or a run that was killed here: Dagster then shows it.
    add_as_of_dates(instance, [*plan.as_of, *again, *made_as_of_dates(settings)])
    if name == "snapshot":
        dates = sorted({*plan.as_of, *again})
        yield from (_Step(jobs.SNAPSHOT, each) for each in runs_of(instance, dates))
        return
    joined = made_as_of_dates(settings, CUSTOMER_360)
    if name == "score":
        dates = [day for day in plan.as_of if day in joined]
        yield from (_Step(jobs.SCORE, each) for each in runs_of(instance, dates))
        for spec in MODELS:
            scored = set(made_as_of_dates(settings, spec.scores)).difference(joined)
            dates = [day for day in plan.as_of if day in scored]
            for each in runs_of(instance, dates):
                yield _Step(jobs.SCORE, each, jobs.scored_by([spec]))
        return
    models, scores = _chosen(settings, plan.models)
    known = {day for spec in MODELS for day in made_as_of_dates(settings, spec.scores)}
    again = [day for day in again if day in known.union(joined)]
    if len(plan.as_of) == 1 and not again:
        (only,) = runs_of(instance, plan.as_of)
        yield _Step(jobs.TRAIN, only, None if scores is None else [*models, *scores])
        return
    # What scores is the newest model, whatever date it scores.
    yield _Step(jobs.RETRAIN, DayRange(plan.as_of[-1], plan.as_of[-1]), models)
    for each in runs_of(instance, sorted({*plan.as_of, *again})):
        yield _Step(jobs.SCORE, each, scores)


def _record(settings: Settings, instance: dg.DagsterInstance, say: Say) -> None:
    """Show the runs to the warehouse's readers: no daemon watches those of this process."""
    try:
        record_runs(settings, instance)
    except Exception as error:  # noqa: BLE001 - not worth a failure, and never in place of one
        reason = escape(first_line(error))
        say(f"[yellow]the dashboard does not know of this run: {reason}[/yellow]")


def _tell_people(settings: Settings, instance: dg.DagsterInstance, say: Say) -> None:
    """Send what alerts there are: no daemon may be there to do it."""
    try:
        send_due(settings, instance)
    except Customer360Error as error:
        say(f"[yellow]an alert was not sent: {escape(str(error))}[/yellow]")


def _chosen(
    settings: Settings, models: Sequence[str]
) -> tuple[Sequence[dg.AssetKey], Sequence[dg.AssetKey] | None]:
    """The models to train, and what is made with them; None for all that a job makes."""
    chosen = [models_by_title()[name] for name in models] if models else MODELS
    keys = [asset_key(spec.asset) for spec in chosen]
    if not models:
        return keys, None
    # Made from the scores of all models, so it can only follow one where it has been made once.
    joined = TableLogs(settings.lakehouse_root).exists(CUSTOMER_360)
    return keys, [*jobs.scored_by(chosen), *([asset_key(CUSTOMER_360)] if joined else [])]


def _run(definitions: dg.Definitions, instance: dg.DagsterInstance, step: _Step) -> list[Failure]:
    """Carry out a step.

    Returns:
        Checks that failed and stopped nothing, to be raised when all else is done.

    Raises:
        RunFailedError: The step failed.
    """
    run_id = str(uuid.uuid4())
    job = definitions.resolve_job_def(step.job)
    only = None if step.only is None else set(step.only)
    expect(len(job.get_subset(asset_selection=only).graph.nodes if only else job.graph.nodes))
    result = job.execute_in_process(
        instance=instance,
        run_config={"loggers": {"progress": {}}},
        run_id=run_id,
        tags={
            **(range_tags(step.partitions) if step.partitions else {}),
            **process_tag(run_id),  # from its first moment: it may be killed in the next
        },
        asset_selection=step.only,
        raise_on_error=False,
    )
    if result.success:
        return failed_checks(result.all_events)
    failure = first_failure(result.all_events)
    failed = RunFailedError(
        f"{failure.step}: {failure.reason}"
        if failure.step
        else f"{step.job} failed: {failure.reason}; see run {result.run_id} in the Dagster UI"
    )
    if failure.trace:
        failed.add_note(failure.trace)
    raise failed


def _raise_first(failed: Sequence[Failure]) -> None:
    """Let a run fail whose steps are done, where a check failed that did not stop them."""
    if failed:
        raise RunFailedError(f"{failed[0].step}: {failed[0].reason}")
