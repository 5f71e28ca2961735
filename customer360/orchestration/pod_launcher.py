"""How Dagster starts runs on Kubernetes, and tells those that work from those that are dead.

Dagster's run monitoring asks the launcher how the worker of each run is. `K8sRunLauncher` looks for
the Job that it starts a run by; a run of `customer360 run` works in the process of its command and
has none, so it would be shown as failed after minutes while it works. Deployments name this
launcher in `deploy/kubernetes/dagster-values.yaml`; it needs the extra `production`.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster_k8s import K8sRunLauncher
from kubernetes.client.rest import ApiException

from customer360.home_lock import Writer
from customer360.orchestration.dead_runs import process_of

_ENDED = ("Succeeded", "Failed")
_NOT_FOUND = 404
# Between the clocks of a node and of Kubernetes' own server.
_CLOCKS_SECONDS = 60.0


class PodRunLauncher(K8sRunLauncher):
    """A Job for each run that is launched; runs of commands live as long as their pods."""

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """How the worker of ``run`` is: its Job, or the pod of the command that works on it.

        Of a command's run nothing is asked but whether its pod is there; that a process died in a
        pod that lives on, the next command in it notices (`dead_runs`).
        """
        if run.remote_job_origin is not None:  # only such can be launched
            return super().check_run_worker_health(run)
        process = process_of(run)
        if process is None or not self._is_gone(process):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        # Not FAILED: Dagster would ask for what the Job has to say.
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, f"the pod {process.host}, in which its command ran, has ended"
        )

    def _is_gone(self, process: Writer) -> bool:
        """Whether the pod of ``process``, whose name is its host's, is there no more."""
        try:
            pod = self._api_client.core_api.read_namespaced_pod(process.host, self.job_namespace)
        except ApiException as error:
            if error.status == _NOT_FOUND:
                return True
            raise  # the monitoring tells of it, leaves the run alone, and asks again
        # A later pod may have the name.
        made = pod.metadata.creation_timestamp.timestamp()
        return pod.status.phase in _ENDED or made > process.process_started + _CLOCKS_SECONDS
