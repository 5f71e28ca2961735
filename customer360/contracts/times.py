"""How dates and times are written: one description, read alike by Spark and without it.

A format is a pattern in Spark's notation (``dd/MM/yyyy HH:mm``, with optional parts in brackets)
or one of `NUMBERS`. Before a text is read by either reader, it must match the regular expression
that `matching` makes of the pattern; so both accept the same texts:

- one digit is enough for ``dd``, ``MM``, ``HH``, ``mm``, ``ss`` where something stands between
  them; ``yyyy`` is always four digits, ``yy`` two;
- two-digit years lie in the hundred years that begin with a stated one (`YEARS_FROM` unless the
  mapping says another; birth dates: `BIRTH_YEARS_FROM`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby, product
from typing import TYPE_CHECKING, Any

from customer360.contracts.sql import literal

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = ("excel", "unix", "unix-milliseconds")
"""Times written as numbers: days since 1899-12-30, seconds and milliseconds since 1970 (UTC)."""

YEARS_FROM = 1970
"""First year that two digits mean, unless a mapping says otherwise: 70 is 1970, 69 is 2069."""

BIRTH_YEARS_FROM = 1920
"""First year that two digits of a birth date mean: it lies a lifetime before the orders."""

TWO_DIGIT_YEARS = "twoDigitYearsFrom"
"""Property of a column of times: they are read as people write them, two-digit years from here."""

PLAUSIBLE = "plausibleDates"
"""Property of a column of times: first and last day that can be meant; null is the default."""

EARLIEST = date(1980, 1, 1)
"""First day that a sale can be of, unless a mapping says otherwise: below it lie the days that
programs write for none (1970-01-01, 1900-01-01) and years that lost a digit."""

DAYS_AHEAD = 366
"""So far ahead of today a sale can be dated: what is later is a slip, or stands for never."""

READABLE = (date(1700, 1, 1), date(2250, 12, 31))
"""What bounds may be stated: days that both readers read alike."""

SEPARATOR = " | "
"""Stands between several formats in a contract."""

_NUMERIC = {
    "yyyy": (r"\d{4}", "%Y"),
    "uuuu": (r"\d{4}", "%Y"),
    "yy": (r"\d{2}", "%y"),
    "MM": (r"\d{2}", "%m"),
    "dd": (r"\d{2}", "%d"),
    "HH": (r"\d{2}", "%H"),
    "hh": (r"\d{2}", "%I"),
    "mm": (r"[0-5]\d", "%M"),
    "ss": (r"[0-5]\d", "%S"),
    **{"S" * n: (rf"\d{{{n}}}", "%f") for n in range(1, 7)},
}
_MONTHS = "January February March April May June July August September October November December"
_OTHER = {
    "MMMM": ("(?i:" + "|".join(_MONTHS.split()) + ")", "%B"),
    "MMM": ("(?i:" + "|".join(m[:3] for m in _MONTHS.split()) + ")", "%b"),
    "a": ("(?i:am|pm)", "%p"),
    "XXX": (r"(?:Z|[+-]\d{2}:\d{2})", "%z"),
    "XX": (r"(?:Z|[+-]\d{4})", "%z"),
    "X": (r"(?:Z|[+-]\d{4})", "%z"),
    "xxx": (r"[+-]\d{2}:\d{2}", "%z"),
    "xx": (r"[+-]\d{4}", "%z"),
    "Z": (r"[+-]\d{4}", "%z"),
}
_SHORT = ("M", "d", "H", "h", "m", "s")  # one letter of a pair: one digit or two
_SPARK_LETTERS = set("GyuMLdQqDEFahKkHmsSVzOXxZ")
_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'")
_EXAMPLE = "write it like yyyy-MM-dd HH:mm:ss"
_OF_PYTHON = {
    "%Y": "yyyy",
    "%y": "yy",
    "%m": "MM",
    "%d": "dd",
    "%H": "HH",
    "%I": "hh",
    "%M": "mm",
    "%S": "ss",
    "%f": "SSSSSS",
    "%b": "MMM",
    "%B": "MMMM",
    "%p": "a",
    "%z": "XX",
    "%T": "HH:mm:ss",
    "%F": "yyyy-MM-dd",
    "%-d": "d",
    "%-m": "M",
}
_DAYS_TO_1970 = 25569  # in a spreadsheet's count, which begins on 1899-12-30

_GUESSED_DAYS = (
    "yyyy-MM-dd",
    "dd/MM/yyyy",
    "MM/dd/yyyy",
    "dd.MM.yyyy",
    "dd-MM-yyyy",
    "MM-dd-yyyy",
    "yyyy/MM/dd",
    "yyyy.MM.dd",
    "yyyyMMdd",
    "dd/MM/yy",
    "MM/dd/yy",
    "dd.MM.yy",
    "dd-MM-yy",
    "dd MMM yyyy",
    "dd-MMM-yyyy",
    "dd-MMM-yy",
    "MMM d, yyyy",
    "d MMMM yyyy",
    "MMMM d, yyyy",
)
_GUESSED_TIMES = (
    "",
    " HH:mm",
    " HH:mm:ss",
    " hh:mm a",
    " hh:mm:ss a",
    " HH:mm:ss.SSS",
    " HH:mm:ss.SSSSSS",
    "'T'HH:mm:ss",
    "'T'HH:mm:ssXXX",
    "'T'HH:mm:ss.SSS",
    "'T'HH:mm:ss.SSSXXX",
    " HH:mm:ss Z",
    " HH:mm:ss XXX",
    " HH:mm:ssXXX",
    " HH:mm:ss 'UTC'",
)


def formats_in(stated: str) -> tuple[str, ...]:
    """The single formats of what a contract states, optional parts written out."""
    return tuple(
        dict.fromkeys(one for whole in stated.split(SEPARATOR) for one in _written_out(whole))
    )


def check_format(pattern: str) -> None:
    """Accept a format, or say what is wrong with it.

    Raises:
        ValueError: It is no pattern, lacks year, month or day, or holds letters that nothing here
            reads.
    """
    for one in formats_in(pattern):
        if one not in NUMBERS:
            python_format(one)


def has_offset(pattern: str) -> bool:
    """Times in this format are instants: they carry their offset, or count from one."""
    if pattern in NUMBERS:
        return pattern != "excel"
    return "%z" in python_format(pattern)


def python_format(pattern: str) -> str:
    """A single Spark pattern in Python's ``strptime`` notation.

    Raises:
        ValueError: See `check_format`.
    """
    if "%" in pattern:
        raise ValueError(
            f"{pattern!r} is Python's notation, Spark's is wanted; {_instead(_of_python(pattern))}"
        )
    parts: list[str] = []
    for token, verbatim in _tokens(pattern):
        if verbatim:
            parts.append(token)
        else:
            parts.append(_known(token, pattern)[1])
    python = "".join(parts)
    for what, letters in (
        ("year", ("%Y", "%y")),
        ("month", ("%m", "%b", "%B")),
        ("day", ("%d",)),
    ):
        if not any(letter in python for letter in letters):
            raise ValueError(f"{pattern!r} has no {what}; {_EXAMPLE}")
    return python


def matching(pattern: str) -> str:
    """Regular expression (of Java, RE2 and Python alike) that texts of a single format match."""
    if pattern == "excel":
        return r"^\d{1,6}(?:[.,]\d+)?$"
    if pattern in NUMBERS:
        return r"^-?\d{1,13}$" if pattern == "unix-milliseconds" else r"^-?\d{1,10}(?:\.\d+)?$"
    parts: list[str] = []
    for token, letters in _lenient(pattern):
        if not letters:
            parts.append(re.escape(token))
        elif token in _SHORT:
            parts.append(r"[0-5]?\d" if token in "ms" else r"\d{1,2}")
        else:
            parts.append(_known(token, pattern)[0])
    return "^" + "".join(parts) + "$"


def time_sql(text: str, stated: str, years_from: int) -> str:
    """SQL of the timestamp that ``text`` (trimmed) is in one of the formats; null where in none."""
    expressions = [_one_sql(text, pattern, years_from) for pattern in formats_in(stated)]
    return expressions[0] if len(expressions) == 1 else f"coalesce({', '.join(expressions)})"


def read_times(
    texts: pd.Series[str], stated: str, years_from: int, time_zone: str | None
) -> pd.Series[pd.Timestamp]:
    """What `time_sql` reads, without Spark: local times, not-a-time where ``texts`` are none.

    Args:
        texts: Trimmed.
        stated: One or several formats.
        years_from: First year of two-digit years.
        time_zone: Zone of the result, for formats that carry an offset.
    """
    import pandas as pd

    results = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[ns]")
    for pattern in formats_in(stated):
        rest = texts[results.isna()]
        rest = rest[_matches(rest, matching(pattern))]
        if not len(rest):
            continue
        times = _one_read(rest, pattern, years_from)
        if times.dt.tz is not None:
            times = times.dt.tz_convert(time_zone or "UTC").dt.tz_localize(None)
        results = results.where(
            results.notna(), times.astype("datetime64[ns]").reindex(results.index)
        )
    return results


def plausible_days(stated: Sequence[str | None], today: date) -> tuple[date, date]:
    """First and last day that can be meant, of the property `PLAUSIBLE`."""
    first, last = (date.fromisoformat(day) if day else None for day in stated)
    return first or EARLIEST, last or today + timedelta(days=DAYS_AHEAD)


def implausible_sql(value: str, stated: Sequence[str | None]) -> str:
    """SQL of whether a timestamp lies outside of `plausible_days`."""
    first, last = stated
    past = f"DATE'{last}' + 1" if last else f"current_date() + {DAYS_AHEAD + 1}"
    return (
        f"({value} < CAST(DATE'{first or EARLIEST}' AS timestamp) "
        f"OR {value} >= CAST({past} AS timestamp))"
    )


def swapped(stated: str) -> str | None:
    """The formats with day and month in each other's place; None where months have names."""
    formats = []
    for whole in stated.split(SEPARATOR):
        parts = re.split(r"('(?:[^']|'')*')", whole)
        letters = "".join(parts[::2])
        if whole in NUMBERS or "MMM" in letters or "d" not in letters:
            return None
        parts[::2] = [part.translate(str.maketrans("dM", "Md")) for part in parts[::2]]
        formats.append("".join(parts))
    return SEPARATOR.join(formats)


def guesses(texts: Sequence[str]) -> list[str]:
    """Formats that read all of ``texts``, the likeliest first, day and month both ways."""
    return [pattern for pattern, read in readings(texts).items() if bool(read.all())]


def readings(texts: Sequence[str]) -> dict[str, pd.Series[bool]]:
    """Formats that people use and that read some of ``texts``: which of them each reads.

    Day and month both ways; a time is read whole or not at all.
    """
    import pandas as pd

    series = pd.Series(list(texts), dtype="str").str.strip()
    masks = {}
    for day, time in product(_GUESSED_DAYS, _GUESSED_TIMES):
        if not _matches(series, matching(day + time)).any():
            continue
        read = read_times(series, day + time, YEARS_FROM, None).notna()
        if read.any():
            masks[day + time] = read
    return masks


def contradiction(patterns: Sequence[str]) -> str | None:
    """Two formats that read one text as different days, named; None where each text has one day."""
    import pandas as pd

    sample = datetime(2004, 3, 5, 6, 7, 8)  # noqa: DTZ001 - a text to try, no instant
    singles = [one for whole in patterns for one in formats_in(whole) if one not in NUMBERS]
    for first in singles:
        text = sample.strftime(python_format(first)).replace("%z", "")
        for second in singles:
            read: Any = read_times(pd.Series([text]), second, YEARS_FROM, "UTC").iloc[0]
            if not pd.isna(read) and f"{read:%Y-%m-%d}" != f"{sample:%Y-%m-%d}":
                return f"{first!r} and {second!r} both read {text!r}, as different days"
    return None


def _one_sql(text: str, pattern: str, years_from: int) -> str:
    guard = f"{text} RLIKE {literal(matching(pattern))}"
    if pattern == "excel":
        days = f"try_cast(replace({text}, ',', '.') AS decimal(20,12))"
        return (
            f"CASE WHEN {guard} THEN timestamp_seconds("
            f"CAST(round(({days} - {_DAYS_TO_1970}) * 86400) AS bigint)) END"
        )
    if pattern == "unix":
        return f"CASE WHEN {guard} THEN timestamp_seconds(try_cast({text} AS decimal(20,6))) END"
    if pattern == "unix-milliseconds":
        return f"CASE WHEN {guard} THEN timestamp_millis(try_cast({text} AS bigint)) END"
    spark = "".join(
        "".join(token for token, _ in run)
        if letters
        else "'" + "".join(token for token, _ in run).replace("'", "''") + "'"
        for letters, run in groupby(_lenient(pattern), key=lambda token: token[1])
    )
    read = f"try_to_timestamp({text}, {literal(spark)})"
    if "yy" in _letters(pattern):  # Spark's two digits are of 2000 to 2099
        late = f"year({read}) >= {years_from + 100}"
        early = f"year({read}) < {years_from}"
        read = (
            f"CASE WHEN {late} THEN {read} - INTERVAL 100 YEARS "
            f"WHEN {early} THEN {read} + INTERVAL 100 YEARS ELSE {read} END"
        )
    return f"CASE WHEN {guard} THEN {read} END"


def _one_read(texts: pd.Series[str], pattern: str, years_from: int) -> pd.Series[pd.Timestamp]:
    import pandas as pd

    parse: Any = pd.to_datetime  # its overloads do not know of every series
    if pattern == "excel":
        days = pd.to_numeric(texts.str.replace(",", "."))
        return parse(((days - _DAYS_TO_1970) * 86400).round(), unit="s", errors="coerce")
    if pattern in NUMBERS:
        unit = "s" if pattern == "unix" else "ms"
        return parse(pd.to_numeric(texts), unit=unit, errors="coerce", utc=True)
    form = python_format(pattern)
    times = parse(texts, format=form, errors="coerce", utc="%z" in form)
    if "%y" in form:
        century = pd.DateOffset(years=100)
        times = times.where(~(times.dt.year >= years_from + 100), times - century)
        times = times.where(~(times.dt.year < years_from), times + century)
    return times


def _matches(texts: pd.Series[str], pattern: str) -> pd.Series[bool]:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    matches = pc.match_substring_regex(pa.array(texts, pa.string()), pattern)
    return pd.Series(matches.fill_null(False).to_numpy(zero_copy_only=False), index=texts.index)


def _written_out(pattern: str) -> Iterable[str]:
    """The pattern without its brackets, longest first."""
    optional = re.search(r"\[([^\[\]]*)\]", pattern)
    if optional is None or pattern in NUMBERS:
        return [pattern]
    before, after = pattern[: optional.start()], pattern[optional.end() :]
    return [
        *_written_out(before + optional.group(1) + after),
        *_written_out(before + after),
    ]


def _tokens(pattern: str) -> list[tuple[str, bool]]:
    """Letters and literal texts of a single pattern, each with whether it is literal."""
    tokens: list[tuple[str, bool]] = []
    for token in _TOKEN.finditer(pattern):
        text = token.group(0)
        if text == "'":
            raise ValueError(f"{pattern!r} has a quotation mark that is not closed")
        if token.group(1) is not None:
            tokens.append((token.group(1).replace("''", "'") or "'", True))
        else:
            tokens.append((text, token.group(2) is None))
    return tokens


def _letters(pattern: str) -> list[str]:
    return [token for token, verbatim in _tokens(pattern) if not verbatim]


def _lenient(pattern: str) -> list[tuple[str, bool]]:
    """Tokens with whether they are letters; pairs that stand alone shortened to one letter."""
    tokens = _tokens(pattern)
    shortened = []
    for n, (token, verbatim) in enumerate(tokens):
        beside = [tokens[m] for m in (n - 1, n + 1) if 0 <= m < len(tokens)]
        digits = any(not other for _, other in beside)
        alone = not verbatim and not digits and token[:1] in _SHORT and len(token) == 2
        short = token[0] if alone else {"y": "yyyy"}.get(token, token)
        shortened.append((token if verbatim else short, not verbatim))
    return shortened


def _known(token: str, pattern: str) -> tuple[str, str]:
    if token in _SHORT:
        return _NUMERIC[token * 2]
    known = _NUMERIC.get("yyyy" if token == "y" else token) or _OTHER.get(token)
    if known is None:
        why = "is not supported" if token[0] in _SPARK_LETTERS else "means nothing"
        meant = pattern.translate(str.maketrans("DY", "dy"))
        raise ValueError(f"{token!r} in {pattern!r} {why}; {_instead(meant)}")
    return known


def _of_python(pattern: str) -> str:
    return re.sub("%-?.", lambda letter: _OF_PYTHON.get(letter[0], letter[0]), pattern)


def _instead(pattern: str) -> str:
    """What to write: ``pattern`` where it can be read, which it then says, else an example."""
    known = {*_NUMERIC, *_OTHER, *_SHORT}
    try:
        letters = _letters(pattern)
    except ValueError:
        letters = []
    parts = {letter[0] for letter in letters}
    if "%" in pattern or not set(letters) <= known or not {"y", "M", "d"} <= parts:
        return _EXAMPLE
    return f"write it as {pattern}"
