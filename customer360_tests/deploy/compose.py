"""deploy/compose.yaml as Compose reads it, for the tests of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
COMPOSE_DATABASE = DEPLOY / "compose.database.yaml"

_VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")

SECRETS = {
    "POSTGRES_PASSWORD": "of-the-superuser",
    "DATABASE_PASSWORD": "of-the-owner",
    "READER_PASSWORD": "of-the-reader",
    "CUSTOMER_KEY_SECRET": "thirty-two characters of a secret",
    "DASHBOARD_PASSWORD_HASH": "$2a$04$dashboard",
    "ENGINEER_PASSWORD_HASH": "$2a$04$engineer",
}
"""What .env.example leaves to be filled in."""


def stated() -> dict[str, Any]:
    """The file, its variables as they are written."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded


def variables() -> set[str]:
    """The variables that the file asks for."""
    return {match[1] for match in _VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8"))}


def example() -> dict[str, str]:
    """The variables of ``.env.example``, with what it gives them."""
    lines = (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value.strip("'") for name, _, value in pairs}


def filled_in(environment: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables replaced, as Compose replaces them."""
    text = COMPOSE.read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(lambda of: environment[of[1]], text))
    return loaded
