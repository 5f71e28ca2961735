"""Customer keys as people see them: their first 12 characters, by which they are found again."""

from __future__ import annotations

import re

SHORT = 12
"""Two of ten million customers share so many hexadecimal digits once in six deployments."""

_BEGUN = re.compile(rf"(?P<key>[0-9a-f]{{{SHORT},63}})…?", re.IGNORECASE)


def short_key(customer_key: str) -> str:
    """The customer key as lists and titles show it."""
    return customer_key[:SHORT]


def begun_key(text: str) -> str | None:
    """How a key begins that somebody gives shortened, in lower case; None for all other texts."""
    begun = _BEGUN.fullmatch(text.strip())
    return None if begun is None else begun["key"].lower()
