"""What the values of a column are: numbers and their marks, times and their formats."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer360.contracts.numbers import SIGNS_OF
from customer360.contracts.times import contradiction, has_offset, readings, swapped

MOST = 2_000
"""So many different values of a column are looked at."""

_SIGNS = sorted(
    {sign for signs in SIGNS_OF.values() for sign in signs} | set(SIGNS_OF), key=len, reverse=True
)
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)), re.IGNORECASE)
_AROUND = re.compile(r"^[\s(+\-−–]+|[\s)\-−–]+$")
_BODY = re.compile(r"(?=.*\d)[\d.,'’\s]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_WHOLE = re.compile(r"\d+|\d{1,3}(?:[\s'’]\d{3})+")
_THREE = re.compile(r"[1-9]\d{0,2}([.,])\d{3}")
_GROUPS = re.compile(r"\d{1,3}(?:([.,])\d{3}){2,}")
_FRACTION = re.compile(r"[\d\s'’]*([.,])\d+")
_BOTH = re.compile(r"\d{1,3}(?:([.,])\d{3})+([.,])\d+")


@dataclass(frozen=True)
class Numbers:
    """What the different values of a column are as numbers.

    Attributes:
        read: Values that are numbers, whatever their marks.
        negative: Of them, those below zero.
        decimal: By mark: values of which it surely parts the decimals.
        thousands: By mark: values of which it surely parts the thousands.
        three: By mark: values such as 1.234 that may be either.
        fraction: Values with decimals.
        signs: Currency signs beside values.
    """

    read: int = 0
    negative: int = 0
    decimal: Counter[str] = field(default_factory=Counter)
    thousands: Counter[str] = field(default_factory=Counter)
    three: Counter[str] = field(default_factory=Counter)
    fraction: int = 0
    signs: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Times:
    """Formats that read the different values of a column as times.

    Attributes:
        formats: Those that together read the most, as a mapping states them; none where few are
            times.
        read: Values that they read.
        other: With day and month the other way round, where that reads values too.
        other_read: How many.
        unclear: Both ways read all that either reads: nothing in the column tells which is right.
    """

    formats: tuple[str, ...] = ()
    read: int = 0
    other: tuple[str, ...] = ()
    other_read: int = 0
    unclear: bool = False

    @property
    def instants(self) -> bool:
        """The formats carry their offset from UTC."""
        return any(has_offset(one) for one in self.formats)


@dataclass(frozen=True)
class Column:
    """A column and its values.

    Attributes:
        name: As the file has it.
        rows: Rows that were looked at.
        filled: Of them, those with a value.
        distinct: Different values.
        texts: Different values, up to `MOST`.
        stored: The file itself stores them as times.
    """

    name: str
    rows: int
    filled: int
    distinct: int
    texts: Sequence[str]
    stored: bool = False

    @property
    def unique(self) -> bool:
        """Every row has a value of its own."""
        return self.filled == self.rows == self.distinct

    @functools.cached_property
    def numbers(self) -> Numbers:
        """The values as numbers."""
        return numbers_in(self.texts)

    @functools.cached_property
    def times(self) -> Times:
        """The values as times."""
        if self.stored:
            return Times(("yyyy-MM-dd HH:mm:ss",), len(self.texts))
        return times_in(self.texts)

    @property
    def is_number(self) -> bool:
        """Most values are numbers."""
        return bool(self.texts) and self.numbers.read >= 0.6 * len(self.texts)

    @property
    def is_time(self) -> bool:
        """Most values are dates or times."""
        return bool(self.texts) and self.times.read >= 0.5 * len(self.texts)

    @property
    def is_email(self) -> bool:
        """Most values are e-mail addresses."""
        return self._share(_EMAIL) >= 0.6

    def _share(self, pattern: re.Pattern[str]) -> float:
        matches = sum(pattern.fullmatch(text) is not None for text in self.texts)
        return matches / len(self.texts) if self.texts else 0.0


def columns_of(rows: pa.Table, stored: Iterable[str]) -> list[Column]:
    """The columns of a sample's rows."""
    columns = []
    for name in rows.column_names:
        column = rows.column(name)
        different = pc.drop_null(pc.unique(column))
        step = max(1, len(different) // MOST)
        texts = different.take(pa.array(range(0, len(different), step), pa.int64())).to_pylist()
        columns.append(
            Column(
                name,
                rows.num_rows,
                len(column) - column.null_count,
                len(different),
                texts[:MOST],
                name in set(stored),
            )
        )
    return columns


def numbers_in(texts: Sequence[str]) -> Numbers:
    """What ``texts``, all different, are as numbers."""
    counts = Numbers()
    read = negative = fraction = 0
    for text in texts:
        without, signs = _SIGN.subn("", text, count=1)
        body = _AROUND.sub("", _AROUND.sub("", without)).strip()
        if not _BODY.fullmatch(body):
            continue
        if three := _THREE.fullmatch(body):
            counts.three[three.group(1)] += 1
        elif groups := _GROUPS.fullmatch(body):
            counts.thousands[groups.group(1)] += 1
        elif (both := _BOTH.fullmatch(body)) and both.group(1) != both.group(2):
            counts.thousands[both.group(1)] += 1
            counts.decimal[both.group(2)] += 1
            fraction += 1
        elif part := _FRACTION.fullmatch(body):
            counts.decimal[part.group(1)] += 1
            fraction += 1
        elif not _WHOLE.fullmatch(body):
            continue
        read += 1
        negative += any(mark in without for mark in "-−–(")
        if signs and (stated := _SIGN.search(text)):
            counts.signs[stated.group(0)] += 1
    return Numbers(
        read, negative, counts.decimal, counts.thousands, counts.three, fraction, counts.signs
    )


def times_in(texts: Sequence[str]) -> Times:
    """The formats of ``texts``, all different."""
    if not texts:
        return Times()
    if sum(any(letter.isdigit() for letter in text) for text in texts[:50]) < len(texts[:50]) / 2:
        return Times()
    # A few tell whether it is worth looking at all.
    few = [texts[n] for n in range(0, len(texts), max(1, len(texts) // 40))]
    if len(texts) > len(few) and not readings(few):
        return Times()
    masks = readings(texts)
    if not masks:
        return Times()
    best = _together(masks, [])
    read = _read_by(masks, best)
    turned = tuple(other for one in best if (other := swapped(one)) in masks and other != one)
    other_read = int(_read_by(masks, turned).sum()) if turned else 0
    return Times(best, int(read.sum()), turned, other_read, other_read == int(read.sum()))


def _together(masks: dict[str, pd.Series[bool]], chosen: list[str]) -> tuple[str, ...]:
    """Formats that read the most, each adding to what those before it read."""
    most = len(next(iter(masks.values())))
    while len(chosen) < 4:
        left = ~_read_by(masks, chosen) if chosen else pd.Series([True] * most)
        gains = {
            one: int((mask & left).sum())
            for one, mask in masks.items()
            if one not in chosen and _fit(one, chosen)
        }
        best = max(gains, key=lambda one: gains[one], default=None)
        if best is None or gains[best] < max(1, most / 200):
            break
        chosen.append(best)
    return tuple(chosen)


def _fit(pattern: str, chosen: Sequence[str]) -> bool:
    """Whether a format may stand beside others in a mapping."""
    if not chosen:
        return True
    same = has_offset(pattern) == has_offset(chosen[0])
    return same and contradiction([*chosen, pattern]) is None


def _read_by(masks: dict[str, pd.Series[bool]], patterns: Sequence[str]) -> pd.Series[bool]:
    read = pd.Series([False] * len(next(iter(masks.values()))))
    for pattern in patterns:
        read = read | masks[pattern]
    return read


@dataclass(frozen=True)
class Marks:
    """How the numbers of a file are written.

    Attributes:
        decimal: What a mapping has to say of the decimals; None where it need not.
        mark: What parts the decimals.
        why: What it was told from.
        decide: What the user is to look at.
    """

    decimal: str | None
    mark: str
    why: str = ""
    decide: str = ""


def marks_of(columns: Sequence[Column]) -> Marks:
    """The marks in columns of numbers."""
    votes: Counter[str] = Counter()
    three: Counter[str] = Counter()
    thousands: Counter[str] = Counter()
    for column in columns:
        votes += column.numbers.decimal
        three += column.numbers.three
        thousands += column.numbers.thousands
    point, comma = votes["."] + thousands[","], votes[","] + thousands["."]
    named = ", ".join(column.name for column in columns)
    if not point and not comma:
        if not three:
            return Marks(None, ".")
        mark = max(three, key=lambda one: three[one])
        other = "," if mark == "." else "."
        return Marks(
            None,
            ".",
            decide=f"decimal_separator: numbers such as 1{mark}234 ({three[mark]} values of "
            f'{named}) are unclear: write "{other}" if {mark} parts thousands, "{mark}" if it '
            "parts decimals",
        )
    mark, most, least = (".", point, comma) if point >= comma else (",", comma, point)
    decide = ""
    if least:
        other = "comma" if mark == "." else "point"
        decide = (
            f"decimal_separator: {most} values have it so, but {least} have a {other} where it "
            "cannot part thousands: such rows go to quarantine"
        )
    if mark == "." and not thousands and not three[","] and not least:
        return Marks(None, ".")
    why = f"of {most} values of {named}"
    if least:
        why += f"; {least} have the other"
    return Marks(mark, mark, why, decide)
