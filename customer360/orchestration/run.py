"""The whole DAG in this process and one Spark session: what ``customer360 run`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import dagster as dg
from rich.markup import escape

from customer360.days import DayRange
from customer360.deployment import Deployment
from customer360.errors import Customer360Error, SettingsError, first_line
from customer360.orchestration import jobs
from customer360.orchestration.build import build_definitions
from customer360.orchestration.failure import first_failure
from customer360.orchestration.instance import open_instance
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.partitions import AS_OF_TAG
from customer360.orchestration.progress import Say, listen
from customer360.orchestration.run_history import record_runs
from customer360.orchestration.schedules import range_tags
from customer360.settings import Settings
from customer360.table_names import CUSTOMER_360

Steps = Literal["all", "etl", "train", "publish"]


class RunFailedError(Customer360Error):
    """A run did not succeed; the message names the first asset that failed, and why."""


@dataclass(frozen=True)
class Plan:
    """What to make.

    Attributes:
        days: Bronze and silver of these days.
        as_of: Gold snapshots, models and scores of these dates.
        steps: ``all``; ``etl`` leaves models out; ``train`` only trains and
            scores; ``publish`` only brings the warehouse up to date.
        models: Names of the models that ``train`` trains, as people know them; empty: all.
    """

    days: DayRange
    as_of: tuple[date, ...]
    steps: Steps = "all"
    models: tuple[str, ...] = ()

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
            SettingsError: A date is outside the partitions, or the range ends before it begins.
        """
        if first is None or last is None:
            found = deployment.available()
            first, last = first or found.first, last or found.last
        days = DayRange(first, last)
        dates = tuple(sorted(set(as_of))) or (days.last,)
        settings = deployment.settings
        for day in (days.first, days.last, *dates):
            if day < settings.start_date or day > deployment.last_day():
                raise SettingsError(
                    f"{day} is outside this deployment's days, {settings.start_date} to "
                    f"{deployment.last_day()}; see start_date and end_date in customer360.yaml"
                )
        return cls(days, dates, steps, tuple(models))


def run_plan(settings: Settings, plan: Plan, say: Say) -> None:
    """Carry out ``plan``, each step as a Dagster run that the UI shows.

    Loading and snapshots are separate runs, because an as-of date may lie outside the days that are
    loaded. Dagster marks all partitions of a snapshot run as made; the metadata of each says
    whether it has a snapshot, and with how many rows.

    Args:
        settings: The deployment.
        plan: What to make.
        say: Receives progress, a line at a time (rich markup).

    Raises:
        RunFailedError: An asset or a blocking check failed.
    """
    definitions = build_definitions(settings)
    every = plan.days.union(DayRange(plan.as_of[0], plan.as_of[-1]))
    tags = {AS_OF_TAG: ",".join(str(day) for day in plan.as_of)}
    work: dict[str, tuple[str, DayRange | None, dict[str, str]]] = {
        "load": (jobs.LOAD_RANGE, plan.days, {}),
        "snapshot": (jobs.SNAPSHOT, every, tags),
        "train": (jobs.TRAIN, every, tags),
        # The warehouse has no partitions: it knows itself what it lacks.
        "publish": (jobs.PUBLISH, None, {}),
    }
    chosen = {
        "all": ("load", "snapshot", "train", "publish"),
        "etl": ("load", "snapshot"),
        "train": ("train",),
        "publish": ("publish",),
    }[plan.steps]
    stop = listen(say)
    try:
        with open_instance(settings) as instance:
            try:
                for name in chosen:
                    job, days, more = work[name]
                    said = days if name == "load" else ",".join(str(day) for day in plan.as_of)
                    say(f"[bold]{name}[/bold] {said}")
                    only = _chosen(settings, plan.models) if name == "train" else None
                    _run(definitions, instance, job, days, more, only)
            finally:
                _record(settings, instance, say)
    finally:
        stop()


def _record(settings: Settings, instance: dg.DagsterInstance, say: Say) -> None:
    """Show the runs to the warehouse's readers: no daemon watches those of this process."""
    try:
        record_runs(settings, instance)
    except Exception as error:  # noqa: BLE001 - not worth a failure, and never in place of one
        told = escape(first_line(error))
        say(f"[yellow]the dashboard does not know of this run: {told}[/yellow]")


def _chosen(settings: Settings, models: Sequence[str]) -> Sequence[dg.AssetKey] | None:
    """Assets of these models; None for all of the job's."""
    if not models:
        return None
    # Made from the scores of all models, so it can only follow one where it has been made once.
    joined = (settings.lakehouse_dir / CUSTOMER_360).exists()
    return [*jobs.of_models(models), *([asset_key(CUSTOMER_360)] if joined else [])]


def _run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str,
    days: DayRange | None,
    tags: dict[str, str],
    only: Sequence[dg.AssetKey] | None,
) -> None:
    whole = days is not None and len(days) > 1
    result = definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        run_config={"loggers": {"progress": {}}},
        partition_key=str(days.first) if days and not whole else None,
        tags={**tags, **(range_tags(days) if days and whole else {})},
        asset_selection=only,
        raise_on_error=False,
    )
    if result.success:
        return
    failure = first_failure(result.all_events)
    failed = RunFailedError(
        f"{failure.step}: {failure.reason}"
        if failure.step
        else f"{job} failed: {failure.reason}; see run {result.run_id} in the Dagster UI"
    )
    if failure.trace:
        failed.add_note(failure.trace)
    raise failed
