"""Each `customer360 …` command in the runbook is one: read by the parser, run where it is cheap."""

from __future__ import annotations

import re
import shlex
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
from customer360.settings import load_settings
from customer360_tests.alerts.servers import mail_server, webhook
from customer360_tests.deployments import PROJECT, Home, customer360

RUNBOOK = PROJECT / "docs" / "operations.md"
DAY = "2024-03-30"
"""The as-of date of the demo."""

HEAVY = {"run", "quarantine replay", "doctor"}
"""Commands that start Spark for minutes, or look at this very machine: they are read alone."""


def commands() -> list[str]:
    """The commands of all code blocks, in order, each once."""
    blocks = re.findall(r"```sh\n(.*?)```", RUNBOOK.read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = (line.partition(" #")[0].strip() for line in lines)
    return list(dict.fromkeys(line for line in found if line.startswith("customer360 ")))


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


@pytest.mark.parametrize("line", commands())
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
        "mine.csv": str(tmp_path / "mine.csv"),
        "restored": str(tmp_path / "restored"),
    }
    monkeypatch.setenv("CUSTOMER360_EXPORT_PERSONAL_DATA", "true")
    monkeypatch.setenv("CUSTOMER360_ALERT_EMAIL_TO", "ops@example.com")
    ran = set()
    with webhook() as hook, mail_server() as mail:
        monkeypatch.setenv("CUSTOMER360_ALERT_WEBHOOK_URL", hook.url)
        monkeypatch.setenv("CUSTOMER360_ALERT_SMTP_URL", f"smtp://{mail.host}:{mail.port}")
        for line in commands():
            words = [instead.get(word, word) for word in shlex.split(line)[1:]]
            name = parsed(words)
            if name in HEAVY:
                continue
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
