"""Text that is to stay text where Streamlit reads Markdown."""

from __future__ import annotations

import re

_SPECIAL = frozenset("\\`*_{}[]()#+-.!|<>$:~")

_FOUND_LATER = re.compile(
    r"((?<=http)|(?<=https)|(?<=www))(?=[:.])|(?=@)|(?<=:)(?=[\w+-])", re.IGNORECASE
)
"""Where addresses of the web and of e-mail, emoji and icons are broken up.

Streamlit looks for them in the text that Markdown has left, so no backslash keeps them from it.
"""

_JOINER = "\u2060"
"""Is not seen, and breaks no line."""


def plain(text: str) -> str:
    """Text of the data as text: nothing in it is Markdown, and nothing becomes a link."""
    broken_up = _FOUND_LATER.sub(_JOINER, text)
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in broken_up)


def without_formulas(text: str) -> str:
    """Text of ours, with Markdown in it: two dollar signs of amounts would be a formula."""
    return text.replace("$", "\\$")
