"""What a reader must know beside the figures: codes with typed values, worded where they are shown.

Why a fallback stands in for a model, why a version scores or does not, what its figures do not say,
what it is compared with: each is a `Note`, whose text in every language is ``note.<code>`` of
`customer360.language`. Those of a model are kept with it as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from customer360.language import Language

_ENGLISH = Language("en")


class Note(NamedTuple):
    """One thing to know.

    Attributes:
        code: Its text, among those of the group ``note``.
        values: Of the text's fields: numbers, days as ISO 8601 writes them, codes, texts, or notes.
    """

    code: str
    values: Mapping[str, Any] = {}


def in_english(notes: Iterable[Note]) -> str:
    """The notes as a line, for logs, reports and terminals."""
    return "; ".join(_ENGLISH.note(*note) for note in notes)


def stored(notes: Sequence[Note]) -> str:
    """The notes as JSON, to be kept; empty for none."""
    return json.dumps(notes, ensure_ascii=False) if notes else ""


def notes_in(text: str) -> tuple[Note, ...]:
    """The notes that `stored` made ``text`` of; any other text, of an older release, is one."""
    if not text:
        return ()
    try:
        kept = json.loads(text)
    except ValueError:
        kept = None
    if isinstance(kept, list) and all(_is_note(each) for each in kept):
        return tuple(Note(*each) for each in kept)
    return (Note("said", {"text": text}),)


def _is_note(kept: object) -> bool:
    """Whether it is a note as JSON has it: a code, and an object of values."""
    match kept:
        case [str(), dict()]:
            return True
        case _:
            return False


def status_in(status: str, because: str) -> tuple[str, tuple[Note, ...]]:
    """What is kept of a model's standing: "trained" or "fallback", and why a fallback stands in.

    Args:
        status: As it is kept; an older release kept why behind it: "fallback: too few customers".
        because: Why, as `stored` made it; empty where nothing is kept.
    """
    standing, _, why = status.partition(": ")
    return standing, notes_in(because) or notes_in(why)
