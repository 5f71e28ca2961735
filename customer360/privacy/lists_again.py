"""Campaign lists of the exports folder written again, when customers have other keys."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from customer360.errors import Customer360Error
from customer360.pipeline.elsewhere import ELSEWHERE
from customer360.pipeline.export import ExportOptions, export_list
from customer360.privacy.forget_files import remove_leftovers
from customer360.serving.campaigns import campaign_list
from customer360.serving.list_files import MANIFEST
from customer360.serving.options import Contacts, FileFormat
from customer360.settings import Settings


@dataclass(frozen=True)
class ListsAgain:
    """What became of the lists.

    Attributes:
        written: How many were written again.
        left: The others, which are gone: of each the day and name, why, and the command that
            writes it.
    """

    written: int
    left: tuple[str, ...]


def write_lists_again(settings: Settings) -> ListsAgain:
    """Export each list again as it was exported, of the snapshot of its day.

    Who may be written to is judged as of today: who has refused or is suppressed since is left out.
    How long a list is kept goes on counting from when it was first written. What cannot be made,
    and whatever no manifest states, is deleted.

    Args:
        settings: The deployment's, with the secret of the keys that customers have now.
    """
    remove_leftovers(settings)
    written = 0
    left: list[str] = []
    stay: set[Path] = {settings.exports_dir / ELSEWHERE}
    for manifest in sorted(settings.exports_dir.rglob(f"*.{MANIFEST}")):
        # An older release stated less.
        facts: dict[str, Any] = {
            "contacts": Contacts.NONE.value,
            "include_never_asked": False,
            "files": {},
        }
        facts |= json.loads(manifest.read_text(encoding="utf-8"))
        since = manifest.stat().st_mtime
        try:
            files = _exported_again(settings, manifest, facts)
        except Customer360Error as error:
            again = settings.command(f"export {_arguments(facts)}")
            left.append(f"{facts['list']} of {facts['as_of']}: {error}; write it by `{again}`")
            continue
        for file in files:
            os.utime(file, (since, since))
        stay.update(files)
        written += 1
    for file in settings.exports_dir.rglob("*"):
        if file.is_file() and file not in stay:
            file.unlink()
    return ListsAgain(written, tuple(left))


def _exported_again(settings: Settings, manifest: Path, facts: Mapping[str, Any]) -> list[Path]:
    """Export a list as its manifest says it was; its files, the manifest among them."""
    as_of = date.fromisoformat(facts["as_of"])
    usual = manifest.parent == settings.exports_dir / str(as_of)
    formats = tuple(each for each in FileFormat if f"{facts['list']}.{each}" in facts["files"])
    options = ExportOptions(
        contacts=Contacts(facts["contacts"]),
        include_never_asked=facts["include_never_asked"],
        formats=formats or tuple(FileFormat),
        folder=None if usual else manifest.parent,
    )
    done = export_list(settings, campaign_list(facts["list"]), as_of, options, run_id="rotate-key")
    return [manifest, *(manifest.with_name(name) for name in done.manifest["files"])]


def _arguments(facts: Mapping[str, Any]) -> str:
    arguments = f"{facts['list']} --as-of {facts['as_of']}"
    if facts["contacts"] != Contacts.NONE:
        arguments += f" --contacts {facts['contacts']}"
    if facts["include_never_asked"]:
        arguments += " --include-never-asked"
    return arguments
