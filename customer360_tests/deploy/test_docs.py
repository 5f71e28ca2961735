"""The commands of docs/deployment.md and of deploy/ are commands that there are."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from typing import Any

import jinja2
import pytest
import typer.main
import yaml

from customer360.cli.common import app
from customer360_tests.deploy.compose import DEPLOY, PROJECT, stated
from customer360_tests.test_runbook import parsed

PAGE = (PROJECT / "docs" / "deployment.md").read_text(encoding="utf-8")
COMMANDS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def commands() -> set[str]:
    """What people, cron, Airflow and containers are told to start of ours."""
    blocks = re.findall(r"```(?:sh|cron)\n(.*?)```", PAGE, re.DOTALL)
    shell = "\n".join(blocks).replace("\\\n", " ")
    # Not its user, its namespace or its secret, which have the same name.
    names = "|".join(COMMANDS)
    found = re.findall(rf"[ /](customer360 (?:{names})\b[^\n#]*)", shell)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    found += re.findall(rf"[ \"](customer360 (?:{names})\b[^\n\"]*)", code)
    listed = re.findall(r"\[(\"customer360\".*?)\]", PAGE + DOCKERFILE)
    found += [shlex.join(re.findall(r'"([^"]+)"', each)) for each in listed]
    found += [shlex.join(service["command"]) for service in stated()["services"].values()
              if service.get("command", [""])[0] == "customer360"]  # fmt: skip
    return {re.sub(r'"?\$\([^)]*\)"?|\{\{.*?\}\}', "2026-01-31", each).strip() for each in found}


@pytest.mark.parametrize("line", sorted(commands()))
def test_the_parser_knows_the_command_and_its_options(line: str) -> None:
    words = shlex.split(line)[1:]
    if words != ["--help"]:
        parsed(words)


def test_each_kind_of_command_was_found() -> None:
    assert {"customer360 doctor", "customer360 --help"} <= commands()
    assert any(line.startswith("customer360 run --quiet --from") for line in commands())
    assert any(line.startswith("customer360 maintain --quiet") for line in commands())


def test_what_the_page_names_of_deploy_is_there() -> None:
    named = set(re.findall(r"deploy/[\w./-]*\w", PAGE))
    ignored = (PROJECT / ".gitignore").read_text().splitlines()
    of_ones_own = {line[1:] for line in ignored if line.startswith("/deploy/")} | {"deploy/.env"}
    assert {name for name in named - of_ones_own if not (PROJECT / name).exists()} == set()


def test_compose_finds_its_files_and_what_is_added_to_them() -> None:
    """It reads compose.override.yaml by itself only where no file is named."""
    assert re.findall(r"docker compose (?:-f|--file)\b", PAGE) == []
    (override,) = re.findall(r"```yaml\n# deploy/compose.override.yaml\n(.*?)```", PAGE, re.DOTALL)
    assert set(yaml.safe_load(override)["services"]) <= set(stated()["services"])


def test_who_is_asked_for_a_password_has_a_terminal() -> None:
    """And the image is the proxy's own."""
    image = stated()["services"]["proxy"]["image"]
    assert re.findall(r"^docker run .*hash-password", PAGE, re.MULTILINE) == [
        f"docker run --rm -it {image} caddy hash-password"
    ]


def test_every_installation_is_locked_and_whole() -> None:
    """Without its extras `uv sync` takes away what servers need; they may not compile it later."""
    found = re.findall(r"uv sync[^\n`]*", PAGE)
    assert found
    assert set(found) == {"uv sync --frozen --all-extras --no-dev --compile-bytecode"}


def test_commands_of_cron_and_upgrades_are_run_by_what_is_installed_for_them() -> None:
    installed = re.findall(
        r"install -m 755 (deploy/\S+) (/usr/local/sbin/customer360)$", PAGE, re.MULTILINE
    )
    assert set(installed) == {("deploy/systemd/customer360.sh", "/usr/local/sbin/customer360")}
    script = (DEPLOY / "systemd" / "customer360.sh").read_text()
    daemon = (DEPLOY / "systemd" / "customer360-daemon.service").read_text()
    (settings,) = re.findall(r"^(EnvironmentFile=\S+)$", daemon, re.MULTILINE)
    (user,) = re.findall(r"^User=(\S+)$", daemon, re.MULTILINE)
    assert f"--property={settings} " in script
    assert f"--uid={user} " in script
    # That file is root's alone and systemd's to read: no line of cron takes it for a shell's.
    for line in re.findall(r"```cron\n(.*?)```", PAGE, re.DOTALL)[0].splitlines():
        assert re.match(r"(\S+ +){5}root +/usr/local/sbin/customer360 ", line), line


def test_airflow_asks_for_the_days_that_are_over_in_each_release_of_it() -> None:
    """`ds` is the day of the run itself, which is refused, where Airflow 3 goes by cron."""
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    jinja = jinja2.Environment()
    jinja.filters["ds"] = lambda moment: f"{moment:%Y-%m-%d}"

    def ds_add(day: str, days: int) -> str:
        return str(date.fromisoformat(day) + timedelta(days))

    # Airflow 2 ends its interval when it runs; Airflow 3 has both ends there.
    ran = datetime(2026, 2, 3, 3, 15, tzinfo=UTC)
    told = jinja.from_string(code).render(
        data_interval_end=ran, macros={"ds_add": ds_add}, ds="2026-02-03"
    )
    assert re.findall(r"\d{4}-\d\d-\d\d", told) == ["2026-01-27", "2026-02-02"] * 2


def test_nobody_is_sent_to_an_index_for_a_package_that_is_not_there() -> None:
    """Releases are files of the project's own page."""
    pages = [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]
    sources = (PROJECT / "customer360").rglob("*.py")
    install = re.compile(r"install (?:--\S+ )*['\"`]*customer360(?:[\[=]|\b['\"`]*$)", re.MULTILINE)
    assert [file.name for file in (*pages, *sources) if install.search(file.read_text())] == []


def test_whom_a_database_is_trusted_by_is_a_file() -> None:
    """`system` means the OpenSSL of psycopg's own, which finds no certificate on any machine."""
    pages = [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]
    named = re.findall(r"&sslrootcert=([^&\"\s]+)", "".join(page.read_text() for page in pages))
    assert named
    assert [each for each in named if not each.startswith("/")] == []


def test_the_chart_is_of_the_release_of_dagster() -> None:
    assert set(re.findall(r"dagster/dagster --version (\S+)", PAGE)) == {version("dagster")}
