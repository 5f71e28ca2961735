"""Each command of the runbook is one: read by the parser, and run by a test, here or elsewhere."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.exceptions import TyperException

from customer360.cli.common import app
from customer360.models.churn.spec import CHURN
from customer360.models.tracking.connection import connected
from customer360.pipeline.run_models import tracking_of
from customer360.serving.warehouse import take_down
from customer360.settings import Settings, load_settings
from customer360_tests.alerts.servers import mail_server, webhook
from customer360_tests.deployments import PROJECT, Home, customer360

RUNBOOK = PROJECT / "docs" / "operations.md"
DAY = "2024-03-30"
"""The as-of date of the demo."""

_RANGE = "test_cli.py::test_a_range_and_as_of_dates"
_SERVERS = (
    "test_stopping.py::test_a_server_listens_to_this_machine_alone_and_sigterm_ends_all_it_started"
)
_COMMANDS = "orchestration/test_commands.py"
_SNAPSHOTS = "test_materialize_days_run_the_nightly_job_and_materialize_snapshots"
ELSEWHERE = {
    "customer360 doctor": "test_cli.py::test_doctor_and_version",
    "customer360 run": "test_cli.py::test_generate_run_and_again",
    "customer360 run --as-of DAY --as-of DAY --steps etl": _RANGE,
    "customer360 run --from DAY --to DAY": _RANGE,
    "customer360 run --as-of DAY": _RANGE,
    "customer360 check": "cases/test_check.py::check",
    "customer360 quarantine replay": (
        "test_quarantine_command.py::test_rows_are_listed_shown_edited_and_replayed"
    ),
    "customer360 quarantine replay --edits mine.csv --by 'Ana Sousa'": (
        "test_quarantine_command.py::test_rows_are_listed_shown_edited_and_replayed"
    ),
    "customer360 dev": _SERVERS,
    "customer360 dashboard": _SERVERS,
    "customer360 spark-server": (
        "cluster/test_connect.py::test_spark_connect_makes_what_a_session_of_ones_own_makes"
    ),
    "dagster-webserver": "browser/lineage.py::webserver",
    "dagster-daemon run": f"{_COMMANDS}::daemon",
    "dagster asset materialize": f"{_COMMANDS}::{_SNAPSHOTS}",
    (
        "dagster asset materialize -m customer360.definitions "
        "--select 'group:bronze or group:silver' --partition-range DAY...DAY"
    ): f"{_COMMANDS}::{_SNAPSHOTS}",
    (
        "dagster asset materialize -m customer360.definitions --select "
        '\'key:"gold/customer_features" or key:"gold/rfm_segments"\' --partition-range DAY...DAY'
    ): f"{_COMMANDS}::{_SNAPSHOTS}",
}
"""Commands that another test runs, and which: they take minutes, or serve until stopped."""

LONG = {"run --steps snapshot", "run --steps publish"}
"""How those begin that take minutes and no other test types."""

NOT_RUN = {"git pull"}
"""They would change the project itself."""


def commands() -> list[str]:
    """The commands of all code blocks and in the text, in order, each once."""
    text = RUNBOOK.read_text(encoding="utf-8")
    blocks = re.compile(r"```sh\n(.*?)```", re.DOTALL)
    lines = "\n".join(blocks.findall(text)).replace("\\\n", " ").splitlines()
    in_text = re.findall(r"`((?:customer360|make|dagster)[ -][^`]+)`", blocks.sub("", text))
    found = [line.partition(" #")[0] for line in lines] + in_text
    words = (shlex.split(re.sub(r"…|<date>", DAY, line)) for line in found)
    return list(dict.fromkeys(shlex.join(each) for each in words if each))


def of(*programs: str) -> list[str]:
    """The commands of these programs."""
    return [line for line in commands() if line.split()[0] in programs]


def without_days(line: str) -> str:
    """A command with ``DAY`` for each day in it."""
    return re.sub(r"\d{4}-\d\d-\d\d", "DAY", line)


def said_in(place: str) -> set[str]:
    """The texts in a function of the tests, ``file::function``, and in its module's constants."""
    file, _, name = place.partition("::")
    module = ast.parse((PROJECT / "customer360_tests" / file).read_text(encoding="utf-8"))
    (function,) = [
        node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    constants = [node for node in module.body if isinstance(node, ast.Assign)]
    return {
        node.value
        for part in (function, *constants)
        for node in ast.walk(part)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def parsed(words: list[str]) -> str:
    """The name of the command that ``words`` call, its arguments read as the program reads them."""
    command: Any = typer.main.get_command(app)
    names: list[str] = []
    rest = list(words)
    while hasattr(command, "commands"):
        name, *rest = rest
        command = command.commands[name]
        names.append(name)
    command.make_context(names[-1], rest)
    return " ".join(names)


def quick() -> list[str]:
    """The commands that this module runs in every suite."""
    lines = (line for line in of("customer360") if without_days(line) not in ELSEWHERE)
    return [line for line in lines if not is_long(line)]


def is_long(line: str) -> bool:
    return any(line.startswith(f"customer360 {each}") for each in LONG)


def test_every_command_is_run_or_named_with_the_test_that_runs_it() -> None:
    ours = {*quick(), *filter(is_long, commands()), *of("make", "export"), *NOT_RUN}
    assert {without_days(line) for line in set(commands()) - ours} == set(ELSEWHERE)


@pytest.mark.parametrize("line", ELSEWHERE)
def test_the_test_that_runs_it_has_its_words(line: str) -> None:
    words = [word for word in shlex.split(line) if "DAY" not in word]
    program = {"customer360"}  # the tests call it in their own ways
    assert set(words) - program <= said_in(ELSEWHERE[line])


@pytest.mark.parametrize("line", of("make"))
def test_the_target_is_there(line: str) -> None:
    done = subprocess.run(
        ["make", "-n", *line.split()[1:]], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", of("export"))
def test_what_is_exported_is_a_setting(line: str) -> None:
    for word in shlex.split(line)[1:]:
        name = word.partition("=")[0]
        setting = name.removeprefix("CUSTOMER360_").lower()
        assert name == "DAGSTER_HOME" or setting in Settings.model_fields, name


@pytest.mark.parametrize("line", of("customer360"))
def test_the_parser_knows_the_command_and_its_options(line: str) -> None:
    parsed(shlex.split(line)[1:])


def test_what_is_no_command_is_noticed() -> None:
    with pytest.raises(KeyError):
        parsed(["mend"])
    for line in ("backup", "run --steps everything", "export whales --contacts all"):
        with pytest.raises(TyperException):
            parsed(shlex.split(line))


@pytest.fixture
def copied(
    demo: Home,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """A copy of the demo, made as the runbook says; with a second version of a model."""
    backup, secrets = tmp_path / "first", tmp_path / "first.json"
    for words in (
        ("backup", backup, "--secrets", secrets, "--home", demo.folder),
        ("restore", backup, "--secrets", secrets, "--home", tmp_path / "home"),
    ):
        said = customer360(capsys, monkeypatch, *words)
        assert said.code == 0, said.err
    settings = load_settings(tmp_path / "home")
    with connected(tracking_of(settings)) as mlflow:
        client = mlflow.MlflowClient()
        first = client.get_model_version(CHURN.registered, "1")
        client.create_model_version(CHURN.registered, first.source, first.run_id, tags=first.tags)
    yield tmp_path / "home"
    take_down(settings)


def test_the_commands_do_what_the_runbook_says(
    copied: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the order of the page, on one home; names of a shop's own are those of the demo."""
    instead = {
        "/mnt/backups/shop-2026-11-26": str(tmp_path / "backup"),
        "/mnt/safe/shop-secrets.json": str(tmp_path / "secrets.json"),
        "/mnt/crm": str(tmp_path / "crm"),
        "2025-06-30": DAY,
        "shop_orders": "synthetic_transactions",
        "<table>": "synthetic_transactions",
        "LIST": "whales",
        "mine.csv": str(tmp_path / "mine.csv"),
        "restored": str(tmp_path / "restored"),
    }
    monkeypatch.setenv("CUSTOMER360_EXPORT_PERSONAL_DATA", "true")
    monkeypatch.setenv("CUSTOMER360_ALERT_EMAIL_TO", "ops@example.com")
    ran = set()
    with webhook() as hook, mail_server() as mail:
        monkeypatch.setenv("CUSTOMER360_ALERT_WEBHOOK_URL", hook.url)
        monkeypatch.setenv("CUSTOMER360_ALERT_SMTP_URL", f"smtp://{mail.host}:{mail.port}")
        for line in quick():
            words = [instead.get(word, word) for word in shlex.split(line)[1:]]
            name = parsed(words)
            where = [] if "--home" in words else ["--home", str(copied)]
            said = customer360(capsys, monkeypatch, *words, *where)
            assert said.code == 0, f"{line}: {said.err}"
            assert said.error_lines == [], line
            ran.add(name)
    # The test message first; then what there may be to tell of the demo's own runs, by both ways.
    assert "a test message" in hook.texts()[0]
    assert len(hook.posts) == len(mail.messages)
    take_down(load_settings(tmp_path / "restored"))
    assert ran >= {
        *("alert test", "alert send", "models", "promote", "rollback", "export", "reconcile"),
        *("quarantine list", "quarantine show", "maintain", "backup", "restore"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in commands() if is_long(line)])
def test_a_long_command_does_what_the_runbook_says(
    copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    said = customer360(capsys, monkeypatch, *shlex.split(line)[1:], "--home", copied)
    assert said.code == 0, said.err
