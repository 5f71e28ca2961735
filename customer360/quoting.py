"""What a message may quote of people's data: numbers, dates and codes; of all else the shape.

Messages are kept (in Dagster's store, in logs) and read by others than those who may see the data.
A column that should hold no personal data may: rows are shifted, a header is missing, a mapping
names the wrong column. So it is the text that decides, and not only the column.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Sequence

from customer360.errors import listed

_LONGEST = 60
_LONGEST_NUMBER = 10
"""Digits from which a number may be a telephone's, a card's or a person's."""

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(
    r"[(+-]?\s*(?:[^\W\d_]{1,3}\$?|[^\w\s])?\s*"
    r"(?:\d{1,3}(?:[.,' \u00a0\u202f]\d{3})+|\d*)(?:[.,]\d+)?(?:[eE][+-]?\d+)?"
    r"\s*(?:[^\W\d_]{3}|[^\w\s])?[)-]?"
)
_YEAR = r"(?:1[5-9]|2[0-9])\d\d"
_PART = r"(?:\d{1,2}|[^\W\d_]+)(?:st|nd|rd|th|[.º°])?"
_GAP = r"(?:[-/.,]\s?|\s)(?:de\s|of\s)?"
_DATE = re.compile(
    rf"(?:[^\W\d_]+,?\s)?(?:\d{{4}}{_GAP}{_PART}{_GAP}\d{{1,2}}"
    rf"|{_PART}{_GAP}{_PART}{_GAP}(?:\d{{4}}|\d\d)"
    rf"|{_YEAR}[01]\d[0-3]\d(?:\d{{4}}|\d{{6}})?|{_PART}{_GAP}{_YEAR}|\d{{1,2}}[-/.]\d{{1,2}})"
    r"(?:[T,]?\s*\d{1,2}[:.h]\d{1,2}(?:[:.]\d{1,2}(?:[.,]\d{1,9})?)?"
    r"(?:\s?[^\W\d_]{1,3}\.?(?:[^\W\d_]\.?)?)?(?:\s?[+-]\d{2}:?\d{2})?)?",
    re.IGNORECASE,
)
_CODE = re.compile(r"[^\W\d_]{1,4}")


def shown(text: str) -> str:
    """``text`` as a message may quote it: as it is where it is a number or a date, else its shape.

    A number of more digits than amounts have, as a telephone's, is told by how many there are.

    >>> shown("31/12/2024 23:59")
    '31/12/2024 23:59'
    >>> shown("1.234,50")
    '1.234,50'
    >>> shown("Maria Silva")
    'text of 11 characters'
    """
    text = text.strip()
    digits = sum(c.isdigit() for c in text)
    if digits and len(text) <= _LONGEST:
        if _DATE.fullmatch(text) and _words_of_dates() >= _words(text):
            return text
        few = digits <= _LONGEST_NUMBER
        if few and _NUMBER.fullmatch(text) and _words_of_amounts() >= _words(text):
            return text
    if digits and digits == len(text):
        return f"a number of {digits} digits"
    return f"text of {len(text)} {'character' if len(text) == 1 else 'characters'}"


def shown_code(text: str) -> str:
    """`shown`, of a column of codes: a word of up to four letters, such as EUR, is one."""
    text = text.strip()
    return text if _CODE.fullmatch(text) else shown(text)


def shown_header(names: Sequence[str], wanted: Collection[str], limit: int = 12) -> str:
    """The names in a file's first line; their shapes where it `is_row`."""
    if not is_row(names, wanted):
        return f"only {listed(list(names), limit)}"
    what = "1 value" if len(names) == 1 else f"{len(names)} values"
    shapes = listed([_shape(name) for name in names], limit)
    return f"a first line of {what}, which seem to be data and no names: {shapes}"


def is_row(names: Sequence[str], wanted: Collection[str]) -> bool:
    """Whether a file's first line seems to be no header but somebody's row.

    It is a header where it has a name that is ``wanted``, whatever its case, or where nothing in it
    looks like a value: no number, no date, no e-mail address.
    """
    known = {name.strip().lower() for name in wanted}
    return any(map(_is_value, names)) and not any(name.strip().lower() in known for name in names)


def without_rows(message: str) -> str:
    """What Arrow says of a text file that it cannot take apart, without the row that it quotes."""
    head = re.split(r"(?<=got \d)\d*:|: '|\b[Rr]ow: ", message, maxsplit=1)[0]
    return re.sub(r"\s*'[^']*'", "", head).rstrip(" :")


def _is_value(text: str) -> bool:
    text = text.strip()
    digits = sum(c.isdigit() for c in text)
    return "@" in text or digits >= 4 or (digits > 0 and shown(text) == text)


def _shape(text: str) -> str:
    text = text.strip()
    if not text:
        return "nothing"
    digits = sum(c.isdigit() for c in text)
    if digits and _NUMBER.fullmatch(text):
        return "a number"
    if digits and _DATE.fullmatch(text) and _words_of_dates() >= _words(text):
        return "a date"
    return shown(text)


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text))


@functools.cache
def _words_of_dates() -> frozenset[str]:
    """Names of months and days, and what else stands in dates, of languages that people write."""
    from babel.dates import get_day_names, get_month_names

    names = [
        name
        for locale in ("en", "pt", "es", "fr", "de", "it")
        for of in (get_month_names, get_day_names)
        for name in (
            *of("wide", locale=locale).values(),
            *of("abbreviated", locale=locale).values(),
        )
    ]
    others = "t z am pm a p m utc gmt h de of st nd rd th sept"
    return frozenset(word for name in (*names, others) for word in _words(name))


@functools.cache
def _words_of_amounts() -> frozenset[str]:
    from babel.numbers import list_currencies

    return frozenset(code.lower() for code in list_currencies()) | {"e", "r", "us", "kr", "rs", "c"}
