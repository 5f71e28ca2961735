"""The files of deploy/ keep the rules of who reads them, as far as can be told without those."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import dagster_k8s.launcher
import pytest
import yaml
from dagster._core.code_pointer import CodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._serdes import ConfigurableClassData
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import construct_dagster_k8s_job
from kubernetes.client import ApiClient

from customer360 import __version__
from customer360.orchestration.instance import instance_settings
from customer360.orchestration.pod_launcher import PodRunLauncher
from customer360_tests.deploy.compose import (
    COMPOSE,
    COMPOSE_DATABASE,
    DEPLOY,
    PROJECT,
    SECRETS,
    example,
    stated,
    variables,
)

BIN = Path(sys.executable).parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def run(*command: str | Path, **environment: str) -> str:
    """What a checker says; it must find nothing."""
    done = subprocess.run(
        [str(word) for word in command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def checked_by_schema(schema: str, *files: Path) -> None:
    run(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


# The image -----------------------------------------------------------------------------------


def test_the_dockerfile_is_linted() -> None:
    run(BIN / "hadolint", DEPLOY / "Dockerfile")


def test_the_image_is_pinned_locked_and_not_root() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    stages = set(re.findall(r"^FROM \S+ AS (\w+)", DOCKERFILE, re.MULTILINE))
    assert all("@sha256:" in base for base in bases if base not in stages)
    assert all("--frozen" in line for line in DOCKERFILE.splitlines() if "uv sync" in line)
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", DOCKERFILE, re.MULTILINE)
    assert "HEALTHCHECK" in DOCKERFILE


def test_the_image_brings_what_its_process_could_not_add() -> None:
    """The cache is root's: jars, S3A's too, and dbt's manifest are made while it is built."""
    (layer,) = re.findall(r"^RUN (/opt.*?[^\\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
    made = {line.split("python ")[1].strip(" \\\n") for line in layer.split("&&")}
    assert made == {
        "-m customer360.lakehouse.jars",
        "-m customer360.lakehouse.jars s3a",
        '-c "from customer360.serving.marts import manifest; manifest()"',
    }


def test_what_the_image_copies_is_there_and_sent_to_the_engine() -> None:
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    copied = {word for line in copies for word in line.split()[:-1]}
    assert copied == sent
    assert all((PROJECT / path).exists() for path in copied)


# Compose -------------------------------------------------------------------------------------


def test_the_compose_file_keeps_the_specification() -> None:
    checked_by_schema("compose-spec", COMPOSE)


def test_what_the_compose_file_names_is_there() -> None:
    file = stated()
    services: dict[str, dict[str, Any]] = file["services"]
    for name, service in services.items():
        assert "image" in service, name
        assert set(service.get("depends_on", {})) <= set(services), name
        assert set(service["networks"]) <= set(file["networks"]), name
        assert set(service.get("environment", {})).isdisjoint({None}), name
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            there = (
                (DEPLOY / source).exists() if source.startswith(".") else source in file["volumes"]
            )
            assert there, mount
    for needed in services.values():
        for other, how in needed.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other], other


def test_every_variable_is_in_the_example_which_holds_no_secret() -> None:
    given = example()
    assert set(given) == variables()
    assert {name for name, value in given.items() if not value} == set(SECRETS)


def test_nothing_is_published_but_the_proxy() -> None:
    file = stated()
    published = {name for name, service in file["services"].items() if service.get("ports")}
    assert published == {"proxy"}
    assert file["networks"]["inside"]["internal"] is True
    # Who asks for no password is reached through the proxy alone.
    for name in ("webserver", "daemon", "dashboard", "postgres", "spark-master"):
        assert file["services"][name]["networks"] == ["inside"], name


def test_images_of_others_have_exact_versions() -> None:
    images = {service["image"] for service in stated()["services"].values()}
    others = {image for image in images if not image.startswith("$")}
    assert {image.partition(":")[0] for image in others} == {"postgres", "caddy"}
    assert all(re.fullmatch(r"\w+:\d+(\.\d+)+", image) for image in others), others


def test_the_dashboard_is_given_the_reader_alone() -> None:
    service = stated()["services"]["dashboard"]
    assert set(service["environment"]) == {"CUSTOMER360_WAREHOUSE_READER_URL"}
    assert service["env_file"] == []
    assert "volumes" not in service


def test_another_postgres_is_reached_by_all_who_need_it_and_ours_is_not_started() -> None:
    checked_by_schema("compose-spec", COMPOSE_DATABASE)
    services = stated()["services"]
    added = yaml.safe_load(COMPOSE_DATABASE.read_text())["services"]
    assert added.pop("postgres") == {"profiles": ["of-its-own"]}
    wait = [each["depends_on"]["postgres"] for each in services.values()
            if "postgres" in each.get("depends_on", ())]  # fmt: skip
    assert wait
    assert all(each == {"condition": "service_healthy", "required": False} for each in wait)
    assert "@postgres" not in COMPOSE.read_text()
    for name, service in services.items():
        if "@${DATABASE_HOST:-postgres}:" in str(service.get("environment")):
            networks = service["networks"] + added.get(name, {}).get("networks", [])
            assert "outside" in networks, name
    assert example()["DATABASE_HOST"] == "postgres"


def test_who_computes_knows_the_store_and_workers_no_other_secret() -> None:
    files = {
        name: [each["path"] for each in service.get("env_file", ())]
        for name, service in stated()["services"].items()
    }
    of_ours = ["settings.env", "store.env"]
    for name in ("prepare", "code", "webserver", "daemon", "mlflow"):
        assert files[name] == of_ours, name
    assert files["spark-worker"] == ["store.env"]
    ignored = (PROJECT / ".gitignore").read_text().splitlines()
    assert {f"/deploy/{name}" for name in of_ours} <= set(ignored)


def is_there(*command: str) -> bool:
    """Whether a program is on this machine, and does what is asked of it."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def compose() -> tuple[str, ...]:
    """Compose's command: of Docker's, as everybody has it, or a program of its own."""
    for words in (("docker", "compose"), ("docker-compose",)):
        if is_there(*words, "version"):
            return words
    pytest.skip("Compose is not here")


def test_compose_itself_reads_the_file(compose: tuple[str, ...], tmp_path: Path) -> None:
    filled = example() | SECRETS
    environment = tmp_path / ".env"
    environment.write_text("".join(f"{name}='{value}'\n" for name, value in filled.items()))
    words: list[str | Path] = [*compose, "--env-file", environment, "--file", COMPOSE]
    said = yaml.safe_load(run(*words, "--profile", "*", "config"))["services"]
    assert set(said) == set(stated()["services"])
    # With another PostgreSQL nobody waits for ours.
    said = yaml.safe_load(run(*words, "--file", COMPOSE_DATABASE, "config"))["services"]
    assert set(said) == set(stated()["services"]) - {"postgres", "spark-master", "spark-worker"}
    assert set(said["dashboard"]["networks"]) == {"inside", "outside"}


def test_caddy_itself_reads_its_file() -> None:
    sites = {name: value for name, value in example().items() if name.endswith(("SITE", "USER"))}
    hashes = [name for name in SECRETS if name.endswith("_HASH")]
    caddy: list[str | Path] = ["caddy"]
    if shutil.which("caddy") is None:
        image = stated()["services"]["proxy"]["image"]
        if not is_there("docker", "pull", "--quiet", image):
            pytest.skip("neither Caddy nor an engine that can fetch its image is here")
        given = [f"--env={name}" for name in (*sites, *hashes)]
        caddy = ["docker", "run", "--rm", f"--volume={DEPLOY}:{DEPLOY}:ro", *given, image, "caddy"]
    hashed = run(*caddy, "hash-password", "--plaintext", "open sesame").strip()
    run(
        *caddy, "validate", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile",
        **sites, **dict.fromkeys(hashes, hashed),
    )  # fmt: skip


def test_mlflow_starts_on_tables_that_were_brought_up_to_date() -> None:
    """It refuses those of an older release, and the code location waits for it."""
    migration = "customer360.models.tracking.migration"
    services = stated()["services"]
    prepare, mlflow = services["prepare"], services["mlflow"]
    assert migration in prepare["command"][-1]
    assert mlflow["depends_on"]["prepare"]["condition"] == "service_completed_successfully"
    name = "MLFLOW_BACKEND_STORE_URI"
    assert prepare["environment"][name] == mlflow["environment"][name]
    daemon = (DEPLOY / "systemd" / "customer360-daemon.service").read_text()
    assert re.search(rf"^ExecStartPre=\S+ -m {migration}$", daemon, re.MULTILINE)
    (pod,) = (pod for pod, container in containers() if container["name"] == "mlflow")
    (before,), (server,) = pod["initContainers"], pod["containers"]
    assert before["args"] == ["python", "-m", migration]
    assert before["env"][0] == server["env"][0]
    # It answers probes by any name, and everything else by these.
    hosts = {each["name"]: each.get("value", "") for each in server["env"]}
    assert "*" not in hosts["MLFLOW_SERVER_ALLOWED_HOSTS"]


def test_who_is_not_asked_whether_it_could_run_has_a_check_of_its_own() -> None:
    """The image's check, `customer360 doctor`, wants a home, a warehouse and MLflow."""
    services = stated()["services"]
    ours = {name for name, each in services.items() if each["image"].startswith("$")}
    assert {name for name in ours if "healthcheck" not in services[name]} == set()
    assert services["prepare"]["healthcheck"] == {"disable": True}
    for name in ("spark-master", "spark-worker"):
        port = services[name]["command"][services[name]["command"].index("--webui-port") + 1]
        assert f":{port}/" in services[name]["healthcheck"]["test"][-1]
    # PostgreSQL's first start answers by its socket before the databases are made.
    assert "--host" in services["postgres"]["healthcheck"]["test"]


def test_the_proxy_leads_to_services_that_there_are_and_asks_who_it_is() -> None:
    text = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    services = stated()["services"]
    sites = re.findall(r"^\{\$(\w+_SITE)\} \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    assert {name for name, _ in sites} == {name for name in variables() if name.endswith("_SITE")}
    for name, block in sites:
        (service, port) = re.findall(r"reverse_proxy ([\w-]+):(\d+)", block)[0]
        assert port in services[service]["command"], name
        assert "basic_auth" in block or "import engineers" in block, name
    assert set(re.findall(r"\{\$(\w+)\}", text)) == set(services["proxy"]["environment"])


# Kubernetes ----------------------------------------------------------------------------------

KUBERNETES = DEPLOY / "kubernetes"
VALUES = KUBERNETES / "dagster-values.yaml"
MANIFESTS = sorted(set(KUBERNETES.glob("*.yaml")) - {VALUES})


def objects() -> list[dict[str, Any]]:
    """All that the manifests make."""
    return [each for file in MANIFESTS for each in yaml.safe_load_all(file.read_text())]


def containers() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each pod of the manifests, with each of its containers."""
    pods = [each["spec"] for each in objects() if each["kind"] == "Pod"]
    pods += [each["spec"]["template"]["spec"] for each in objects() if each["kind"] == "Deployment"]
    return [
        (pod, container)
        for pod in pods
        for container in pod.get("initContainers", []) + pod["containers"]
    ]


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_manifests_keep_kubernetes_schemas(file: Path) -> None:
    run(BIN / "kubernetes-validate", "--strict", file)


def test_pods_are_not_root_and_have_bounds() -> None:
    assert containers()
    for pod, container in containers():
        assert pod["securityContext"]["runAsNonRoot"], container["name"]
        assert f"{pod['securityContext']['runAsUser']}:" in DOCKERFILE, container["name"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"], container["name"]


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> K8sRunLauncher:
    """What Dagster makes of the chart's values for its runs, outside of a cluster."""
    monkeypatch.setattr(dagster_k8s.launcher, "load_kubernetes_config", lambda **_: None)
    made = yaml.safe_load(VALUES.read_text())["runLauncher"]["config"]["customRunLauncher"]
    data = ConfigurableClassData(made["module"], made["class"], yaml.safe_dump(made["config"]))
    return data.rehydrate(as_type=PodRunLauncher)


def pod_of_a_run(launcher: K8sRunLauncher) -> dict[str, Any]:
    """The pod that is asked for where the code location hands on what the chart lets it."""
    values = yaml.safe_load(VALUES.read_text())
    (location,) = values["dagster-user-deployments"]["deployments"]
    handed_on = {
        "env_secrets": [each["name"] for each in location["envSecrets"]],
        "resources": location["resources"],
        "run_k8s_config": {"pod_spec_config": {"automount_service_account_token": True}},
        "volume_mounts": location["volumeMounts"],
        "volumes": location["volumes"],
    }
    origin = JobPythonOrigin(
        "nightly",
        RepositoryPythonOrigin(
            sys.executable,
            CodePointer.from_module("customer360.definitions", "defs", None),
            container_image="registry.example.com/customer360",
            container_context={"k8s": handed_on},
        ),
    )
    context = launcher.get_container_context_for_run(
        dg.DagsterRun("nightly", job_code_origin=origin)
    )
    job = construct_dagster_k8s_job(
        context.get_k8s_job_config("registry.example.com/customer360", launcher),
        args=["dagster"],
        job_name="dagster-run",
        user_defined_k8s_config=context.run_k8s_config,
    )
    spec: dict[str, Any] = ApiClient().sanitize_for_serialization(job)["spec"]["template"]["spec"]
    return spec


def test_pods_of_runs_are_not_root_and_have_bounds_and_the_home(launcher: K8sRunLauncher) -> None:
    values = yaml.safe_load(VALUES.read_text())
    pod = pod_of_a_run(launcher)
    (container,) = pod["containers"]
    # As the code location's own, which is as those of the manifests.
    (location,) = values["dagster-user-deployments"]["deployments"]
    assert pod["securityContext"] == location["podSecurityContext"]
    assert container["securityContext"] == location["securityContext"]
    assert container["resources"] == location["resources"]
    by_hand = next(pod for pod, container in containers() if container["name"] == "customer360")
    assert pod["securityContext"] == by_hand["securityContext"]
    for process in (values["dagsterWebserver"], values["dagsterDaemon"]):
        assert process["podSecurityContext"] == by_hand["securityContext"]
        assert process["securityContext"] == container["securityContext"]
    assert {"name": "home", "mountPath": "/data"} in container["volumeMounts"]


def test_runs_are_launched_as_the_chart_s_own_launcher_would(launcher: K8sRunLauncher) -> None:
    """It fills in names of the release for that one alone."""
    page = (PROJECT / "docs" / "deployment.md").read_text()
    assert set(re.findall(r"--namespace (\S+)", page)) == {launcher.job_namespace}
    # The chart names its account and its settings by the release.
    assert re.findall(r"helm upgrade --install (\S+)", page) == [launcher.service_account_name]
    assert launcher.instance_config_map == f"{launcher.service_account_name}-instance"
    values = yaml.safe_load(VALUES.read_text())
    assert launcher.postgres_password_secret == values["global"]["postgresqlSecretName"]
    assert launcher.dagster_home == values["global"]["dagsterHome"]
    assert launcher.image_pull_policy == values["dagsterDaemon"]["image"]["pullPolicy"]


def test_who_sees_the_home_has_the_settings_and_secrets_of_the_runs() -> None:
    for pod, container in containers():
        claims = [each.get("persistentVolumeClaim", {}) for each in pod["volumes"]]
        if container in pod["containers"] and {"claimName": "customer360-home"} in claims:
            assert container["envFrom"] == [
                {"configMapRef": {"name": "customer360"}},
                {"secretRef": {"name": "customer360"}},
            ], container["name"]


def test_what_pods_and_services_name_is_made() -> None:
    made = {(each["kind"], each["metadata"]["name"]) for each in objects()}
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod, _ in containers()
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert {("PersistentVolumeClaim", claim) for claim in claims} <= made
    services = {name for kind, name in made if kind == "Service"}
    assert {("Deployment", name) for name in services} <= made
    assert not any(kind == "Secret" for kind, _ in made)


def test_people_reach_services_that_there_are_by_ports_that_these_have() -> None:
    page = (PROJECT / "docs" / "deployment.md").read_text()
    told = set(re.findall(r"port-forward service/(\S+) (\d+)$", page, re.MULTILINE))
    ports = {
        (each["metadata"]["name"], str(port["port"]))
        for each in objects()
        if each["kind"] == "Service" and each["metadata"]["name"] != "spark-connect"
        for port in each["spec"]["ports"]
    }
    web = yaml.safe_load(VALUES.read_text())["dagsterWebserver"]["service"]["port"]
    assert told == ports | {("dagster-dagster-webserver", str(web))}
    # Whom the policy lets in beside ourselves is what the page tells to change.
    (policy,) = (each["spec"] for each in objects() if each["kind"] == "NetworkPolicy")
    (rule,) = policy["ingress"]
    ours, proxy = rule["from"]
    assert ours == {"podSelector": {}}
    (namespace,) = proxy["namespaceSelector"]["matchLabels"].values()
    assert f"of this namespace and of\n`{namespace}`" in page


def test_dagster_s_chart_is_told_what_our_own_settings_say() -> None:
    """Its schema is not here: these are the keys that its templates make dagster.yaml of."""
    values = yaml.safe_load(VALUES.read_text())
    ours = yaml.safe_load(instance_settings(postgres=True))
    # It always writes this one, and has runs in a PostgreSQL whatever it is told.
    assert values["dagsterDaemon"]["runMonitoring"].pop("pollIntervalSeconds") > 0
    assert set(ours.pop("storage")) == {"postgres"}
    assert ours == {
        "telemetry": values["telemetry"],
        "run_monitoring": snake_case(values["dagsterDaemon"]["runMonitoring"]),
        "run_retries": snake_case(values["dagsterDaemon"]["runRetries"]),
        "python_logs": snake_case(values["pythonLogs"]),
        "concurrency": {"runs": snake_case(values["concurrency"]["runs"])},
        **values["additionalInstanceConfig"],
    }
    (location,) = values["dagster-user-deployments"]["deployments"]
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in location["volumes"]]
    assert claims == ["customer360-home"]
    # An erasure looks for what Dagster keeps where its settings are.
    homes = {each["name"]: each["value"] for each in location["env"]}
    assert values["global"]["dagsterHome"] == homes["CUSTOMER360_HOME"] + "/dagster"
    # The chart of Dagster's own release.
    assert f"--version {version('dagster')} " in VALUES.read_text()


def snake_case(values: dict[str, Any]) -> dict[str, Any]:
    """Keys of the chart as Dagster spells them."""
    return {re.sub("[A-Z]", lambda of: f"_{of[0].lower()}", key): v for key, v in values.items()}


def test_dagster_s_web_server_may_bind_its_port_and_its_tables_are_migrated() -> None:
    """The chart starts it on the service's port, as our user, who has no capability."""
    values = yaml.safe_load(VALUES.read_text())
    web = values["dagsterWebserver"]
    assert web["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert web["service"]["port"] >= 1024
    assert web["readinessProbe"]["httpGet"]["port"] == web["service"]["port"]
    assert values["migrate"] == {"enabled": True}


def test_commands_on_kubernetes_find_dagster_s_runs_and_have_what_runs_have() -> None:
    """The chart's settings of Dagster, and the password that they name, as in a run's pod."""
    values = yaml.safe_load(VALUES.read_text())
    (pod,) = (each["spec"] for each in objects() if each["kind"] == "Pod")
    (container,) = pod["containers"]
    home = values["global"]["dagsterHome"]
    assert {"name": "DAGSTER_HOME", "value": home} in container["env"]
    (password,) = (each for each in container["env"] if each["name"] == "DAGSTER_PG_PASSWORD")
    assert password["valueFrom"]["secretKeyRef"] == {
        "name": values["global"]["postgresqlSecretName"], "key": "postgresql-password",
    }  # fmt: skip
    (mount,) = (each for each in container["volumeMounts"] if "subPath" in each)
    assert mount["mountPath"] == f"{home}/{mount['subPath']}" == f"{home}/dagster.yaml"
    (volume,) = (each for each in pod["volumes"] if each["name"] == mount["name"])
    # As the chart names it where it is installed as the page says.
    assert volume["configMap"]["name"] == "dagster-instance"
    assert "helm upgrade --install dagster " in (PROJECT / "docs" / "deployment.md").read_text()
    (location,) = values["dagster-user-deployments"]["deployments"]
    assert container["resources"] == location["resources"]


# systemd -------------------------------------------------------------------------------------

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_units_are_verified(tmp_path: Path) -> None:
    for unit in UNITS:
        # What is on this machine stands in for the programs, which it wants to find.
        text = re.sub(r"/opt/customer360/\.venv/bin/\S+", "/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    files = sorted(tmp_path.iterdir())
    # Without this option it warns, and ends well.
    run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *files)
    wrong = files[0].read_text().replace("NoNewPrivileges=", "NoNewPrivilege=")
    files[0].write_text(wrong)
    with pytest.raises(AssertionError, match="Unknown key 'NoNewPrivilege'"):
        run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *files)


def test_units_start_programs_that_there_are_with_options_that_these_know() -> None:
    for unit in UNITS:
        text = unit.read_text()
        assert "NoNewPrivileges=yes" in text, unit.name
        assert re.search(r"^(User=customer360|DynamicUser=yes)$", text, re.MULTILINE), unit.name
        for line in re.findall(r"^ExecStart\w*=(.+)$", text, re.MULTILINE):
            program, *words = line.split()
            assert (BIN / Path(program).name).exists(), line
            if Path(program).name != "python":
                subcommands = [word for word in words if re.fullmatch(r"[a-z]+", word)]
                options = [word for word in words if word.startswith("--")]
                told = run(BIN / Path(program).name, *subcommands[:2], "--help", COLUMNS="200")
                assert all(option in told for option in options), line


def test_the_web_server_reaches_the_sockets_of_the_daemon_s_code_servers() -> None:
    """Dagster makes them in /tmp, where it terminates a run by the one that started it."""
    web, daemon = (
        (DEPLOY / "systemd" / f"customer360-{name}.service").read_text()
        for name in ("webserver", "daemon")
    )
    assert "PrivateTmp=yes" in web
    assert "PrivateTmp=yes" in daemon
    users = [re.findall(r"^User=(.+)$", unit, re.MULTILINE) for unit in (web, daemon)]
    assert users[0] == users[1]
    unit = web.partition("[Service]")[0]
    assert "JoinsNamespaceOf=customer360-daemon.service" in unit.splitlines()


# Workflows -----------------------------------------------------------------------------------


def test_workflows_keep_their_schema() -> None:
    checked_by_schema("github-workflows", *(PROJECT / ".github" / "workflows").glob("*.yml"))


def test_no_image_is_published_that_was_not_tried() -> None:
    for name in ("ci", "release"):
        workflow = yaml.safe_load((PROJECT / f".github/workflows/{name}.yml").read_text())
        shell = [step.get("run", "") for step in workflow["jobs"]["image"]["steps"]]
        (built,) = (i for i, line in enumerate(shell) if "--file deploy/Dockerfile" in line)
        (tried,) = (i for i, line in enumerate(shell) if line.startswith("deploy/smoke-test.sh"))
        pushed = [i for i, line in enumerate(shell) if line.startswith("docker push")]
        assert built < tried < min([*pushed, len(shell)]), name
        assert bool(pushed) == (name == "release")


def test_shell_scripts_are_read_by_a_shell() -> None:
    scripts = sorted(DEPLOY.rglob("*.sh"))
    assert {script.name for script in scripts} == {
        "smoke-test.sh",
        "databases.sh",
        "customer360.sh",
    }
    for script in scripts:
        assert os.access(script, os.X_OK)
        run("sh", "-n", script)


def test_no_password_is_in_a_list_of_processes() -> None:
    text = (DEPLOY / "postgres" / "databases.sh").read_text()
    (command,) = re.findall(r"^psql (.*?) <<", text, re.MULTILINE | re.DOTALL)
    assert "PASSWORD" not in command
    assert set(re.findall(r"^\\getenv \w+ (\w+)$", text, re.MULTILINE)) == {
        "DATABASE_PASSWORD", "READER_PASSWORD",
    }  # fmt: skip


def test_the_smoke_test_takes_no_port_and_no_settings_of_what_runs_here() -> None:
    """Its copy of the compose file publishes a port that is free, in a folder without settings."""
    text = (DEPLOY / "smoke-test.sh").read_text()
    (change,) = re.findall(r"^sed '(s/ports:.*/)' compose\.yaml >\"\$scratch/", text, re.MULTILINE)
    changed = yaml.safe_load(run("sed", change, COMPOSE))["services"]["proxy"]
    assert stated()["services"]["proxy"]["ports"] == ["80:80", "443:443"]
    assert changed["ports"] == ["127.0.0.1::443"]
    assert '--file "$scratch/compose.yaml"' in text
    assert "settings.env" not in text


def test_the_release_names_every_image_and_a_new_one_takes_its_place() -> None:
    images = {file.name: set(re.findall(r"\S+/customer360:(\S+)", file.read_text()))
              for file in MANIFESTS}  # fmt: skip
    assert images == {file.name: {__version__} for file in MANIFESTS}
    (image,) = re.findall(r"repository: \S+/customer360\n +tag: (\S+)", VALUES.read_text())
    assert image == __version__
    bumped = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["bumpversion"]["files"]
    stating = {f"deploy/kubernetes/{name}" for name in [*images, VALUES.name]}
    assert stating <= {each["filename"] for each in bumped}
    for each in bumped:
        search = each["search"].format(current_version=__version__)
        assert search in (PROJECT / each["filename"]).read_text(), each["filename"]
