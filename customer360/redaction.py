"""Texts and settings without what is secret in them, for whatever is shown or kept."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?<=://)[^\s/@:]*(?::\S*)?@")
"""Of an address; a password may hold what belongs into no address, such as a slash."""

_IN_QUERY = re.compile(r"(?i)([?&](?:[^=&\s]*(?:secret|passw|token)[^=&\s]*|sig)=)[^&\s]*")

_SECRET = re.compile(
    r"(?i)secret|passw|passphrase|token|(access|account|private|api|encryption)[._-]?key"
)
"""Names of properties: those that Spark redacts by itself, and those of further object stores."""


def without_credentials(text: str) -> str:
    """A text whose addresses name neither user nor password."""
    return _IN_QUERY.sub(r"\1…", _USERINFO.sub("", text))


def is_secret(name: str) -> bool:
    """Whether a property's name says that its value is a secret."""
    return _SECRET.search(name) is not None
