"""The commands of docs/deployment.md and of deploy/ are commands that there are."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer.main

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
    of_ones_own = {"deploy/.env", "deploy/settings.env"}
    assert {name for name in named - of_ones_own if not (PROJECT / name).exists()} == set()
