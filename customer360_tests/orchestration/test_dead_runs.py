"""A run whose process is killed does not stay running for good."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import uuid
from dataclasses import asdict
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from customer360.days import DayRange
from customer360.home_lock import Writer
from customer360.models.tracking import unfinished
from customer360.orchestration import run
from customer360.orchestration.dead_runs import PROCESS_TAG, end_dead_runs, name_of
from customer360.orchestration.failure import first_failure
from customer360.orchestration.instance import open_instance
from customer360.orchestration.jobs import PUBLISH
from customer360.orchestration.progress import progress_logger
from customer360.orchestration.run import Plan
from customer360.orchestration.run_history import runs_sensor
from customer360.pipeline.run_models import tracking_of
from customer360.settings import load_settings

pytestmark = pytest.mark.integration

ONE_DAY = DayRange(date(2026, 1, 1), date(2026, 1, 1))


@dg.asset
def nothing() -> None:
    """Made at once."""


NOTHING_TO_PUBLISH = dg.Definitions(
    assets=[nothing],
    jobs=[dg.define_asset_job(PUBLISH)],
    loggers={"progress": progress_logger},
)

_RUN = """
import sys
import dagster as dg
from customer360.orchestration.instance import open_instance
from customer360.orchestration.resources import SparkResource
from customer360.settings import load_settings

@dg.asset
def table(spark: SparkResource):
    sys.stdin.read()

settings = load_settings(sys.argv[1])
with open_instance(settings) as instance:
    dg.materialize([table], instance=instance, resources={"spark": SparkResource.of(settings)})
"""


def test_a_killed_run_is_shown_as_failed_and_a_living_one_is_left_alone(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    with open_instance(settings) as instance:
        with subprocess.Popen(
            [sys.executable, "-c", _RUN, str(tmp_path)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stderr is not None
            while b"STEP_START" not in (line := process.stderr.readline()):
                assert line, "it ended"
            end_dead_runs(settings, instance)
            (run,) = instance.get_runs()
            assert run.status is dg.DagsterRunStatus.STARTED
            process.kill()
        with dg.build_sensor_context(instance=instance) as context:
            runs_sensor(settings).evaluate_tick(context)
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.FAILURE
        events = [entry.dagster_event for entry in instance.all_logs(run.run_id)]
        told = first_failure([event for event in events if event])
    assert told.reason.startswith(f"its process ({process.pid}) ended without a word")


def test_what_a_killed_run_was_logging_is_closed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow is asked only then: it takes seconds to load."""
    run_id = str(uuid.uuid4())
    gone = Writer(name_of(run_id), 1, 0.0, 0.0, socket.gethostname())
    dead = dg.DagsterRun(
        job_name="gold",
        run_id=run_id,
        status=dg.DagsterRunStatus.STARTED,
        tags={PROCESS_TAG: json.dumps(asdict(gone))},
    )
    asked: list[str] = []
    monkeypatch.setattr(unfinished, "end_dead_trainings", lambda where: asked.append(where.uri))
    settings = load_settings(tmp_path)
    with open_instance(settings) as instance:
        end_dead_runs(settings, instance)
        instance.add_run(dead)
        settings.mlflow_dir.mkdir(parents=True)
        end_dead_runs(settings, instance)
        end_dead_runs(settings, instance)
    assert asked == [tracking_of(settings).uri]


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_the_next_run_closes_one_that_was_killed_at_any_moment(
    tmp_path: Path, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No daemon need be there: `customer360 run` looks first."""
    run_id = str(uuid.uuid4())
    gone = Writer(name_of(run_id), 1, 0.0, 0.0, socket.gethostname())
    dead = dg.DagsterRun(
        job_name="gold",
        run_id=run_id,
        status=dg.DagsterRunStatus(status),
        tags={PROCESS_TAG: json.dumps(asdict(gone))},
    )
    settings = load_settings(tmp_path)
    with open_instance(settings) as instance:
        instance.add_run(dead)
        monkeypatch.setattr(run, "build_definitions", lambda _: NOTHING_TO_PUBLISH)
        run.run_plan(settings, Plan(ONE_DAY, (), "publish"), lambda line: None)
        closed = instance.get_run_by_id(run_id)
        (ran,) = [each for each in instance.get_runs() if each.run_id != run_id]
    assert closed is not None
    assert closed.status is dg.DagsterRunStatus.FAILURE
    # It was known whose the new one is before its first step.
    assert json.loads(ran.tags[PROCESS_TAG])["what"] == name_of(ran.run_id)
    assert ran.status is dg.DagsterRunStatus.SUCCESS


def test_a_run_that_is_started_again_is_not_taken_for_the_one_before(tmp_path: Path) -> None:
    """It inherits the tags of that one, until a process works on it."""
    gone = Writer("Dagster's run 00000000", 1, 0.0, 0.0, socket.gethostname())
    run = dg.DagsterRun(
        job_name="gold",
        run_id=str(uuid.uuid4()),
        status=dg.DagsterRunStatus.STARTED,
        tags={PROCESS_TAG: json.dumps(asdict(gone))},
    )
    settings = load_settings(tmp_path)
    with open_instance(settings) as instance:
        instance.add_run(run)
        end_dead_runs(settings, instance)
        (found,) = instance.get_runs()
    assert found.status is dg.DagsterRunStatus.STARTED
