"""Letters with marks, and characters that nobody sees: what normalisation knows of Unicode."""

from __future__ import annotations

import unicodedata
from functools import cache

INVISIBLE = "\u200b\ufeff\u00ad"
"""What everybody compares all the same: zero-width space, byte-order mark, soft hyphen."""

MARK = "[\u0300-\u036f]"
"""A combining mark, as a regular expression."""

# Latin letters with marks, all that NFC composes in names and addresses of Latin scripts.
_LATIN = (*range(0x00C0, 0x0250), *range(0x1E00, 0x1F00))


@cache
def compositions() -> tuple[tuple[str, str], ...]:
    """Decomposed and composed form of each letter, of full and of one-step decompositions."""
    pairs = {}
    for letter in map(chr, _LATIN):
        parts = unicodedata.decomposition(letter)
        if not parts or parts.startswith("<") or unicodedata.normalize("NFC", letter) != letter:
            continue
        pairs[unicodedata.normalize("NFD", letter)] = letter
        pairs["".join(chr(int(part, 16)) for part in parts.split())] = letter
    return tuple(sorted(pairs.items()))
