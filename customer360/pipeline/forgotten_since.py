"""Who was forgotten after a backup: what the backup, and the home that is made of it, know of them.

An erasure puts its hashes into every backup that it reaches (`NOTE`); a home that is made of such a
backup has those that its own table lacks in `since_file`. Both hold hashes and numbers alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from customer360.lakehouse.reading import Tables
from customer360.settings import Settings, load_settings, write_whole
from customer360.table_names import FORGOTTEN

NOTE = "forgotten.jsonl"
"""In a backup: who was forgotten of the deployment, `Known` a line."""

SECRET = "forgotten"
"""Name of the secret behind the hashes."""

_HASH = "hash"


@dataclass(frozen=True)
class Known:
    """Whom an erasure was of, so that they are known again.

    Attributes:
        erasure: Its name.
        people: How many people; None where that is not known.
        hashes: The hashes of all that identifies them.
    """

    erasure: str
    people: int | None
    hashes: list[str]


def make_secret(settings: Settings) -> None:
    """Make the secret behind the hashes where it was never made: it must be older than a backup.

    By it those are known, in a home made of the backup, who are forgotten later.
    """
    if not settings.has_table(FORGOTTEN) and not since_file(settings).exists():
        settings.kept_secret(SECRET)


def since_file(settings: Settings) -> Path:
    """Who was forgotten after the backup that the home was made of, until they are again."""
    return settings.home / "privacy" / "forgotten_since.jsonl"


def forgotten_since(settings: Settings) -> list[Known]:
    """The erasures of after the backup that the home was made of."""
    return _read(since_file(settings))


def note_in_backups(
    settings: Settings, backups: Iterable[Path], people: Mapping[str, int]
) -> list[Path]:
    """Let backups say who was forgotten by now, so that a home made of one knows it.

    Args:
        settings: The deployment's.
        backups: Folders of backups.
        people: By erasure, how many people it was of, as far as that is known.

    Returns:
        Those that are not there or cannot be written.
    """
    known = _known(settings, people)
    left = []
    for folder in backups:
        try:
            if not folder.is_dir():
                raise FileNotFoundError(folder)
            write_whole(folder / NOTE, _as_text(known))
        except OSError:
            left.append(folder)
    return left


def keep_since(backup: Path, home: Path) -> None:
    """Let a home that is made of ``backup`` know who was forgotten after it."""
    settings = load_settings(home)
    tables = Tables(settings.lakehouse_root)
    has_table = tables.exists(FORGOTTEN)
    known = tables.values(FORGOTTEN, "erasure") if has_table else set()
    since = {each.erasure: each for each in (*_read(backup / NOTE), *forgotten_since(settings))}
    later = [each for each in since.values() if each.erasure not in known]
    if later:
        write_whole(since_file(settings), _as_text(later))


def _known(settings: Settings, people: Mapping[str, int]) -> list[Known]:
    """All erasures of the deployment, and those that it was told of when it was restored."""
    hashes: dict[str, list[str]] = {}
    tables = Tables(settings.lakehouse_root)
    if tables.exists(FORGOTTEN):
        for batch in tables.dataset(FORGOTTEN).to_batches(columns=["erasure", _HASH]):
            for row in batch.to_pylist():
                hashes.setdefault(row["erasure"], []).append(row[_HASH])
    own = [Known(name, people.get(name), sorted(found)) for name, found in sorted(hashes.items())]
    return [*own, *(each for each in forgotten_since(settings) if each.erasure not in hashes)]


def _read(file: Path) -> list[Known]:
    if not file.exists():
        return []
    return [Known(**json.loads(line)) for line in file.read_text("utf-8").splitlines() if line]


def _as_text(known: Iterable[Known]) -> str:
    return "".join(json.dumps(asdict(each)) + "\n" for each in known)
