"""An erasure that is under way: whom it is of, kept until nothing of them is left to be found.

What has been erased cannot be looked up again. So an erasure that is killed goes on with what it
knew when it began; the file that says so is the last to go.
"""

from __future__ import annotations

import getpass
import json
import os
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from customer360.pipeline.forgotten import forgotten_secret
from customer360.privacy.people import Person
from customer360.settings import Settings, write_whole
from customer360.silver.keys import customer_key_of
from customer360.sources.people import CUSTOMER

FOLDER = "privacy"
_UNDER_WAY = "erasure.json"
_AUDIT = "audit.jsonl"


@dataclass(frozen=True)
class Erasure:
    """Whom an erasure is of, and what is known of them.

    Attributes:
        id: Its name, in the audit and in ``quarantine/forgotten``.
        started_at: When it began, UTC.
        people: They.
        words: Texts that name them and nobody else: addresses, numbers, ids, names, keys.
        files: Raw files that others own in which they stand.
        since: The first day on which one of them bought; None where none did.
        fresh: By table, snapshots that were not stale when it began; None before that is known.
    """

    id: str
    started_at: datetime
    people: tuple[Person, ...]
    words: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    since: date | None = None
    fresh: Mapping[str, Collection[date]] | None = None

    @classmethod
    def of(cls, people: Sequence[Person]) -> Erasure:
        """A new one of ``people``."""
        now = datetime.now(UTC).replace(microsecond=0)
        return cls(uuid.uuid4().hex[:12], now, tuple(people))

    def knowing(self, words: Collection[str], files: Collection[str]) -> Erasure:
        """The same, which also knows these."""
        return replace(
            self,
            words=tuple(sorted({*self.words, *words})),
            files=tuple(sorted({*self.files, *files})),
        )


def folder_of(settings: Settings) -> Path:
    """Where the journal and the audit are."""
    return settings.home / FOLDER


def under_way(settings: Settings) -> Erasure | None:
    """The erasure that was begun and is not over; None where there is none."""
    file = folder_of(settings) / _UNDER_WAY
    if not file.exists():
        return None
    stated = json.loads(file.read_text(encoding="utf-8"))
    return Erasure(
        id=stated["id"],
        started_at=datetime.fromisoformat(stated["started_at"]),
        people=tuple(Person(*each) for each in stated["people"]),
        words=tuple(stated["words"]),
        files=tuple(stated["files"]),
        since=date.fromisoformat(stated["since"]) if stated["since"] else None,
        fresh=None if stated["fresh"] is None else dates_of(stated["fresh"]),
    )


def note(settings: Settings, erasure: Erasure) -> None:
    """Keep ``erasure`` as the one that is under way, readable by its owner only."""
    stated = {
        "id": erasure.id,
        "started_at": erasure.started_at.isoformat(),
        "people": [(p.source, p.source_customer_id, p.customer_key) for p in erasure.people],
        "words": erasure.words,
        "files": erasure.files,
        "since": erasure.since.isoformat() if erasure.since else None,
        "fresh": None if erasure.fresh is None else texts_of(erasure.fresh),
    }
    write_whole(folder_of(settings) / _UNDER_WAY, json.dumps(stated, ensure_ascii=False))


def texts_of(dates: Mapping[str, Collection[date]]) -> dict[str, list[str]]:
    """Dates by table, as JSON has them."""
    return {table: sorted(map(str, days)) for table, days in dates.items()}


def dates_of(texts: Mapping[str, Collection[str]]) -> dict[str, set[date]]:
    """The dates that `texts_of` wrote."""
    return {table: {date.fromisoformat(day) for day in days} for table, days in texts.items()}


def rotation_file(settings: Settings) -> Path:
    """What says that a rotation of the customer key is under way."""
    return folder_of(settings) / "rotation.json"


def aside_file(settings: Settings, table: str) -> Path:
    """Where the rows of a table are that the warehouse alone has, while it is made anew.

    Args:
        settings: The deployment's.
        table: One of `customer360.serving.kept_tables.KEPT`.
    """
    return folder_of(settings) / f"{table.rpartition('.')[2]}.jsonl"


def over(settings: Settings) -> None:
    """Forget the erasure that was under way: it is done."""
    (folder_of(settings) / _UNDER_WAY).unlink(missing_ok=True)


def audited(settings: Settings, **facts: Any) -> None:
    """Add a line to the audit; it must say nothing about a person."""
    folder = folder_of(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **facts}
    handle = os.open(folder / _AUDIT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")


def reported(settings: Settings, person: Person) -> None:
    """Note in the audit that somebody asked for all that is held about ``person``, and who did.

    The person is named by a keyed hash, which cannot be turned back when they are forgotten.
    """
    secret = forgotten_secret(settings)
    about = customer_key_of(f"{person.source}/{CUSTOMER}", person.source_customer_id, secret)
    try:
        by = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        by = str(os.getuid())
    audited(settings, what="report", by=by, about=about)


def reports_folder(settings: Settings) -> Path:
    """Where reports about people are, unless they are written elsewhere."""
    return settings.person_reports_dir


def forget_reports(settings: Settings, people: Sequence[Person]) -> None:
    """Delete the reports about ``people``."""
    for person in people:
        for file in reports_folder(settings).glob(f"{person.customer_key[:16]}-*"):
            file.unlink()


def audit(settings: Settings) -> list[dict[str, Any]]:
    """The audit, oldest first."""
    return lines_of(folder_of(settings) / _AUDIT)


def lines_of(file: Path) -> list[dict[str, Any]]:
    """The objects that a file holds, one a line; none where there is no file."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
