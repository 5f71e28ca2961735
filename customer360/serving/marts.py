"""The dbt project that makes staging views and marts in the warehouse: running it.

dbt works in a process of its own. What it writes goes to the deployment's home, never into the
package; the password goes by an environment variable that dbt keeps out of its logs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psycopg import sql

from customer360.errors import Customer360Error
from customer360.gold.terms import NO_CONTACT
from customer360.models.campaign import Campaign
from customer360.serving.campaigns import CAMPAIGN_LISTS, members_of
from customer360.serving.warehouse import Login
from customer360.settings import Settings

PROJECT = Path(__file__).parent / "dbt"
"""Folder of the dbt project, with its profile."""

MARTS = "marts"

_INCREMENTAL = "marts.customer_snapshots"
"""The mart that keeps rows from build to build; its comment says which version made them."""

_PASSWORD = "DBT_ENV_SECRET_PASSWORD"
_FINGERPRINT = "MARTS_FINGERPRINT"
_STOPPING_SECONDS = 10
_HEADING = re.compile(r"Encountered an error:$|\w+ Error( in .*)?$|Failure in ")


class MartsError(Customer360Error):
    """dbt could not make a model, or not start; the message names the model and why."""


@dataclass(frozen=True)
class Failure:
    """Something of the project that did not go well: a model, or a test."""

    name: str
    is_test: bool
    reason: str


def environment(owner: Login) -> dict[str, str]:
    """Variables by which dbt reaches the warehouse as its owner.

    Raises:
        WarehouseError: The warehouse does not answer.
    """
    variables = owner.environment()
    return variables | {
        _PASSWORD: variables.pop("PGPASSWORD", ""),
        _FINGERPRINT: fingerprint(),
    }


def target_dir(settings: Settings) -> Path:
    """Where dbt leaves what it compiled and the results of its last run."""
    return settings.home.absolute() / "dbt" / "target"


def run_dbt(
    settings: Settings, owner: Login, arguments: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    """Run ``dbt`` with ``arguments``; its events come as they happen.

    A test that fails, or a model that cannot be made, is for the caller to find: `failures`.

    Raises:
        MartsError: dbt broke off before it ran anything.
    """
    logs = settings.home.absolute() / "dbt" / "logs"
    variables = _variables(Campaign.of(settings))
    yield from _events(arguments, environment(owner), target_dir(settings), logs, variables)


def build(settings: Settings, owner: Login) -> None:
    """Make every staging view and mart, and test them.

    Raises:
        MartsError: A model could not be made, or a test failed.
    """
    for _ in run_dbt(settings, owner, build_arguments(owner)):
        pass
    failed = failures(settings)
    if failed:
        raise MartsError(described(failed))


def build_arguments(owner: Login) -> list[str]:
    """``dbt build``, from scratch where the marts there are of another version of the project."""
    with owner.connect() as connection:
        made_by = connection.execute(
            "SELECT obj_description(to_regclass(%s), 'pg_class')", [_INCREMENTAL]
        ).fetchone()
    return ["build"] if made_by == (fingerprint(),) else ["build", "--full-refresh"]


def failures(settings: Settings) -> list[Failure]:
    """What did not go well in the last run, models first."""
    results = json.loads((target_dir(settings) / "run_results.json").read_text())["results"]
    failed = [
        Failure(
            name=result["unique_id"].split(".")[2],
            is_test=not result["unique_id"].startswith("model."),
            reason=_one_line(result["message"] or result["status"]),
        )
        for result in results
        if result["status"] in ("error", "fail", "runtime error")
    ]
    return sorted(failed, key=lambda failure: failure.is_test)


def described(failed: Sequence[Failure]) -> str:
    """Failures in one line: the first with its reason, the others counted."""
    first = failed[0]
    more = f"; and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"dbt {'test' if first.is_test else 'model'} {first.name}: {first.reason}{more}"


def row_count(owner: Login, mart: str) -> int:
    """Rows of a mart."""
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(MARTS, mart))
    with owner.connect() as connection:
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def write_docs(settings: Settings, owner: Login) -> Path:
    """Write dbt's documentation of sources, models, columns and lineage; a page on its own.

    Returns:
        The page: open it in a browser, no server is needed.

    Raises:
        MartsError: dbt could not read the warehouse.
    """
    for _ in run_dbt(settings, owner, ["docs", "generate", "--static"]):
        pass
    page = settings.home / "warehouse_docs" / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(target_dir(settings) / "static_index.html", page)
    return page


def manifest() -> dict[str, Any]:
    """The project as dbt has parsed it: models, columns, tests and what depends on what.

    Needs no warehouse. Parsing takes seconds, so it is done once for each version of the project
    and kept in the user's cache folder.

    Raises:
        MartsError: The project is broken.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "customer360"
    kept = cache / f"dbt-manifest-{fingerprint()}.json"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            target = Path(scratch)
            anywhere = {"PGUSER": "nobody", "PGDATABASE": "warehouse"}
            for _ in _events(["parse"], anywhere, target, target, _variables(Campaign())):
                pass
            # At once: several processes may load definitions at the same time.
            (target / "manifest.json").replace(kept)
    parsed: dict[str, Any] = json.loads(kept.read_text())
    return parsed


def fingerprint() -> str:
    """A short name for this version of the project and of dbt.

    What a contact costs and brings is not part of it: it is a setting, and changes no model that
    keeps rows.
    """
    variables = _variables(Campaign())
    of_tools = f"{version('dbt-core')} {version('dbt-postgres')} {variables}"
    digest = hashlib.sha256(of_tools.encode())
    for path in sorted(PROJECT.rglob("*")):
        if path.suffix in (".sql", ".yml"):
            digest.update(path.relative_to(PROJECT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _variables(economics: Campaign) -> str:
    """What the models need to know of the package and of a contact's costs, as dbt takes it."""
    lists = [
        {"name": campaign.name, "members": members_of(campaign, "customers", economics)}
        for campaign in CAMPAIGN_LISTS
    ]
    return json.dumps({"campaign_lists": lists, "no_contact": NO_CONTACT})


def _events(
    arguments: Sequence[str],
    variables: Mapping[str, str],
    target: Path,
    logs: Path,
    of_models: str,
) -> Iterator[Mapping[str, Any]]:
    results = target / "run_results.json"
    results.unlink(missing_ok=True)
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("dbt")), *arguments, "--vars", of_models],
        cwd=PROJECT,
        env=os.environ
        | variables
        | {
            "DBT_PROJECT_DIR": str(PROJECT),
            "DBT_PROFILES_DIR": str(PROJECT),
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(logs),
            "DBT_LOG_FORMAT": "json",
            "DBT_LOG_FORMAT_FILE": "text",
            "DBT_USE_COLORS": "false",
            "DBT_USE_COLORS_FILE": "false",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    messages = []
    try:
        for line in process.stdout or ():
            try:
                event = json.loads(line)
            except ValueError:
                # Of Python, not of dbt: it did not even start.
                messages.append(line.strip())
                continue
            if event["info"]["level"] == "error":
                messages.append(_one_line(event["info"]["msg"]))
            yield event
        if process.wait() and not results.exists():
            raise MartsError(
                f"dbt {' '.join(arguments)}: {messages[-1] if messages else 'failed'}; "
                f"see {logs / 'dbt.log'}"
            )
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_STOPPING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _one_line(message: str) -> str:
    """What is wrong, of a message of dbt that begins with headings and where it is."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    lines_of_content = (line for line in lines if not _HEADING.match(line))
    return next(lines_of_content, lines[0] if lines else "failed")
