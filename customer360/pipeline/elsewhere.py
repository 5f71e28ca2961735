"""What was written outside of the home, where no erasure reaches: a ledger in the exports folder.

Whoever must erase a person from all copies reads there where else to look.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from customer360.settings import Settings

ELSEWHERE = "elsewhere.jsonl"
"""In the exports folder: a line for each file or folder that personal data was written to."""

LISTS = "campaign lists"
PERSON_REPORTS = "reports about people"
REFUSED_ROWS = "rows of quarantine"


def note_elsewhere(settings: Settings, what: str, kept_in: Path, **facts: object) -> None:
    """Keep where something goes, before it is there.

    Args:
        settings: The deployment's.
        what: `LISTS`, `PERSON_REPORTS` or `REFUSED_ROWS`.
        kept_in: The folder or file.
        facts: What else is said of it; nothing about a person.
    """
    settings.exports_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"what": what, "created_at": now, **facts, "kept_in": str(kept_in.absolute())}
    with (settings.exports_dir / ELSEWHERE).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def written_elsewhere(settings: Settings) -> Mapping[str, set[str]]:
    """The folders and files, by what was written there."""
    places: dict[str, set[str]] = {}
    file = settings.exports_dir / ELSEWHERE
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for line in map(json.loads, filter(None, lines)):
        # Ledgers of older releases are of lists alone.
        places.setdefault(line.get("what", LISTS), set()).add(line["kept_in"])
    return places
