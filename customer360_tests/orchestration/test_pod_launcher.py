"""On Kubernetes a run is shown as failed once what works on it is gone, and not before."""

from __future__ import annotations

import json
import logging
import socket
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import dagster_k8s.launcher
import pytest
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from kubernetes.client.rest import ApiException

from customer360.home_lock import Writer
from customer360.orchestration.dead_runs import PROCESS_TAG, name_of, process_tag
from customer360.orchestration.pod_launcher import PodRunLauncher

NAMESPACE = "customer360"
STARTED = datetime(2026, 1, 31, 3, 15, tzinfo=UTC)
EARLIER, LATER = STARTED.replace(minute=14), STARTED.replace(minute=50)


class Cluster:
    """What the launcher asks Kubernetes; it has no Jobs."""

    def __init__(self) -> None:
        self.pods: dict[str, tuple[str, datetime]] = {}
        self.is_up = True

    def read_namespaced_pod(self, name: str, namespace: str) -> Any:
        if not self.is_up:
            raise ApiException(status=503)
        if namespace != NAMESPACE or name not in self.pods:
            raise ApiException(status=404)
        phase, made = self.pods[name]
        return SimpleNamespace(
            metadata=SimpleNamespace(creation_timestamp=made), status=SimpleNamespace(phase=phase)
        )

    def read_namespaced_job_status(self, name: str, namespace: str) -> Any:
        raise ApiException(status=404)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def instance(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """One whose runs a launcher on ``cluster`` starts."""
    monkeypatch.setattr(dagster_k8s.launcher, "load_kubernetes_config", lambda **_: None)
    launcher = PodRunLauncher(
        service_account_name="dagster",
        instance_config_map="dagster-instance",
        dagster_home="/data/dagster",
        job_namespace=NAMESPACE,
        k8s_client_batch_api=cluster,
        k8s_client_core_api=cluster,
    )
    with dg.DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        monkeypatch.setattr(instance, "_run_launcher", launcher)
        yield instance


def monitored(instance: dg.DagsterInstance, run_id: str) -> tuple[dg.DagsterRunStatus, int]:
    """What Dagster's run monitoring makes of a run, and how many errors it met."""
    context: Any = SimpleNamespace(instance=instance, create_request_context=lambda: None)
    met = list(execute_run_monitoring_iteration(context, logging.getLogger(__name__)))
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status, sum(error is not None for error in met)


def started(
    instance: dg.DagsterInstance,
    *,
    pod: str,
    launched: bool = False,
) -> str:
    """A run that is at work in ``pod``, of a command or launched by Dagster."""
    run_id = str(uuid.uuid4())
    process = Writer(name_of(run_id), 7, STARTED.timestamp(), STARTED.timestamp(), pod)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(
        LoadableTargetOrigin(module_name="customer360.definitions")
    )
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "nightly")
    instance.add_run(
        dg.DagsterRun(
            job_name="nightly",
            run_id=run_id,
            status=dg.DagsterRunStatus.STARTED,
            tags={PROCESS_TAG: json.dumps(asdict(process))},
            remote_job_origin=origin if launched else None,
        )
    )
    return run_id


@pytest.mark.parametrize("noted", [True, False])
def test_a_run_in_the_process_of_a_command_is_left_alone(
    instance: dg.DagsterInstance, cluster: Cluster, noted: bool
) -> None:
    """It has no Job; looked at from within, while it works."""
    cluster.pods[socket.gethostname()] = ("Running", datetime.now(UTC) - timedelta(hours=1))
    run_id = str(uuid.uuid4())
    seen: list[Any] = []

    @dg.op
    def look() -> None:
        seen.append(monitored(instance, run_id))

    @dg.job
    def nightly() -> None:
        look()

    tags = process_tag(run_id) if noted else {}
    result = nightly.execute_in_process(instance=instance, run_id=run_id, tags=tags)
    assert result.success
    assert seen == [(dg.DagsterRunStatus.STARTED, 0)]


@pytest.mark.parametrize(
    ("pods", "status"),
    [
        ({"command": ("Running", EARLIER)}, dg.DagsterRunStatus.STARTED),
        ({"command": ("Failed", EARLIER)}, dg.DagsterRunStatus.FAILURE),
        ({"command": ("Succeeded", EARLIER)}, dg.DagsterRunStatus.FAILURE),
        ({"another": ("Running", EARLIER)}, dg.DagsterRunStatus.FAILURE),
        # Made anew by the same name, after the run had begun.
        ({"command": ("Running", LATER)}, dg.DagsterRunStatus.FAILURE),
    ],
)
def test_a_run_of_a_command_lives_as_long_as_its_pod(
    instance: dg.DagsterInstance,
    cluster: Cluster,
    pods: dict[str, tuple[str, datetime]],
    status: dg.DagsterRunStatus,
) -> None:
    cluster.pods |= pods
    run_id = started(instance, pod="command")
    assert monitored(instance, run_id) == (status, 0)
    if status is dg.DagsterRunStatus.FAILURE:
        said = [entry.message for entry in instance.all_logs(run_id)]
        assert any("the pod command, in which its command ran, has ended" in line for line in said)


def test_where_kubernetes_does_not_answer_no_run_is_ended(
    instance: dg.DagsterInstance, cluster: Cluster
) -> None:
    cluster.is_up = False
    run_id = started(instance, pod="command")
    assert monitored(instance, run_id) == (dg.DagsterRunStatus.STARTED, 1)


def test_a_run_that_was_launched_is_failed_without_its_job(
    instance: dg.DagsterInstance, cluster: Cluster
) -> None:
    """Also one whose pod is there: the Job is what counts."""
    cluster.pods["run"] = ("Running", EARLIER)
    run_id = started(instance, pod="run", launched=True)
    assert monitored(instance, run_id)[0] is dg.DagsterRunStatus.FAILURE
