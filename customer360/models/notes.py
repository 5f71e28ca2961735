"""What a reader of a model must know: codes with typed values, in words where they are shown.

Why a fallback stands in for a model, what was left out of a training, what its figures do not say:
each is a `Note`, whose text in every language is ``note.<code>`` of `customer360.language`. They
are kept with the model as JSON.
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
        values: Of the text's fields: numbers, texts, or the note that says why.
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
    """The notes that `stored` made ``text`` of; a text of an older release is one note."""
    if not text:
        return ()
    try:
        return tuple(Note(*each) for each in json.loads(text))
    except ValueError:
        return (Note("said", {"text": text}),)
