"""How the text of a file is to be taken apart, and the encodings there are."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

WINDOWS_1252 = "cp1252"

EXPANDS = 250
"""How many times its own size a compressed file may unpack to, unless its mapping says otherwise.

Rows of text shrink to a tenth or a twentieth, sparse ones to a hundredth; one letter over and over,
to a thousandth.
"""


@dataclass(frozen=True)
class TextForm:
    """How rows and values are found in a file's text.

    Attributes:
        delimiter: Stands between values.
        encoding: As `known_encoding` gives it.
        quote: Stands around values that hold the delimiter or line breaks; None: nothing is quoted.
        escape: Stands before a quotation mark within a quoted value; None: it is doubled.
        skip_lines: Lines before the header.
        short_rows: Rows that end early lack values at their end, instead of being broken.
        fill_down: Columns whose blanks mean what the row above says, within an order: the first of
            them tells orders apart.
        sheet: Of a spreadsheet: the sheet's name; None is its first.
        expands: How many times its own size a compressed file may unpack to.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    quote: str | None = '"'
    escape: str | None = None
    skip_lines: int = 0
    short_rows: bool = False
    fill_down: tuple[str, ...] = ()
    sheet: str | None = None
    expands: int = EXPANDS


def known_encoding(name: str) -> str:
    """The encoding's usual name; ``windows-1252``, ``ansi`` and ``cp1252`` are one.

    Raises:
        ValueError: There is no such encoding of text.
    """
    try:
        codec = codecs.lookup({"ansi": WINDOWS_1252}.get(name.lower(), name))
        "a".encode(codec.name)
    except (LookupError, TypeError, ValueError):
        raise ValueError(
            f"{name!r} is no encoding; usual ones are utf-8, windows-1252, latin-1, utf-16, cp850, "
            "iso-8859-2, iso-8859-15, cp1250, cp1251, shift_jis and gb18030"
        ) from None
    return {"iso8859-1": "latin-1", "utf-8-sig": "utf-8"}.get(codec.name, codec.name)
