"""What can be chosen about a campaign list; light, because the command's help needs it."""

from __future__ import annotations

from enum import StrEnum


class Contacts(StrEnum):
    """What a list says of how to reach its members.

    ``none``: nothing but the pseudonymous key. ``hashed``: e-mail and phone as Google and as Meta
    match them. ``plain``: name, e-mail, phone and the source's own id, for the company's own CRM.
    """

    NONE = "none"
    HASHED = "hashed"
    PLAIN = "plain"


class FileFormat(StrEnum):
    """Formats of a list; the value is the file's suffix."""

    CSV = "csv"
    PARQUET = "parquet"
