"""Files that are not kept for ever, of which people took their copies; rows: `pipeline.expire`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from customer360.pipeline.elsewhere import ELSEWHERE
from customer360.settings import Settings

_DAY_SECONDS = 86_400


def remove_expired(settings: Settings, *, now: float | None = None) -> Mapping[str, int]:
    """Remove the files of lists and reports that are older than ``retention_days`` says.

    What counts is when a file was written, and not the day that it is about. What was written
    elsewhere (``--to``) is not ours to remove; `ELSEWHERE` goes on saying where it is.

    Args:
        settings: The deployment's.
        now: Seconds since 1970; unset: the clock's.

    Returns:
        How many files went, by place; none of a place that keeps all.
    """
    places = {
        "exports": settings.exports_dir,
        "reports": settings.reports_dir,
        "privacy/reports": settings.person_reports_dir,
    }
    return {
        place: _removed(places[place], (time.time() if now is None else now) - days * _DAY_SECONDS)
        for place, days in settings.retention_days.items()
        if place in places
    }


def _removed(folder: Path, since: float) -> int:
    gone = 0
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name != ELSEWHERE and file.stat().st_mtime < since:
            file.unlink()
            gone += 1
    for emptied in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):  # something is in it
            emptied.rmdir()
    return gone
