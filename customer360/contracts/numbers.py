"""Numbers as people write them: which marks a text may hold, and its value in SQL.

A column is read this way when its contract says how its numbers are written (`WRITTEN`):
``decimalSeparator``, ``thousandsSeparator``, ``currencySigns``. Then

- a thousands mark is one only where it stands before every group of exactly three digits: under a
  decimal comma ``1.234,50`` and ``2.500`` are read, ``24.90`` is not a number. Nothing is
  multiplied by guessing;
- with a decimal separator stated, the other of point and comma parts thousands. With none stated
  the point is decimal, and commas part thousands only where that is beyond doubt (``1,234.56``,
  ``1,234,567``): ``1,234`` alone is refused;
- blanks of all kinds and apostrophes part thousands always;
- money of India and its neighbours may be parted by commas as it is there, before the last three
  digits and every two before them (``12,34,567.00``);
- a minus may stand before or after, as may parentheses around (``(12.50)`` is -12.50);
- the currency's own signs are passed over (``R$ 12,50``); those of another currency are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from customer360.contracts.sql import literal, sql_text

DECIMAL, THOUSANDS, SIGNS = "decimalSeparator", "thousandsSeparator", "currencySigns"
WRITTEN = (DECIMAL, THOUSANDS, SIGNS)
"""Properties of a contract's column that say how its numbers are written."""

_BLANK = r"[\s\p{Z}\x{FEFF}\x{200B}]"
_ALWAYS = r"\s\p{Z}'\x{2019}"  # part thousands whatever was stated
_LAKHS = r"[1-9]\d?(?:,\d{2})+,\d{3}"
_COUNT_IN_LAKHS = frozenset(("BDT", "INR", "LKR", "NPR", "PKR"))
_MINUS = r"\-\x{2212}\x{2013}"

SIGNS_OF: Mapping[str, tuple[str, ...]] = {
    "AUD": ("$", "A$", "AU$"),
    "ARS": ("$", "AR$"),
    "BGN": ("лв.", "лв"),
    "BRL": ("R$",),
    "CAD": ("$", "C$", "CA$"),
    "CHF": ("Fr.", "SFr."),
    "CLP": ("$",),
    "CNY": ("¥", "￥", "元"),
    "COP": ("$",),
    "CZK": ("Kč",),
    "DKK": ("kr.", "kr"),
    "EUR": ("€",),
    "GBP": ("£",),
    "HKD": ("$", "HK$"),
    "HUF": ("Ft",),
    "ILS": ("₪",),
    "INR": ("₹", "Rs.", "Rs"),
    "ISK": ("kr.", "kr"),
    "JPY": ("¥", "￥", "円"),
    "KRW": ("₩", "원"),
    "MXN": ("$", "MX$"),
    "NGN": ("₦",),
    "NOK": ("kr.", "kr"),
    "NZD": ("$", "NZ$"),
    "PHP": ("₱",),
    "PLN": ("zł",),
    "RON": ("lei",),
    "RUB": ("₽", "руб."),
    "SEK": ("kr.", "kr"),
    "SGD": ("$", "S$"),
    "THB": ("฿",),
    "TRY": ("₺", "TL"),
    "UAH": ("₴",),
    "USD": ("$", "US$"),
    "VND": ("₫", "đ"),
    "ZAR": ("R",),
}
"""Signs by ISO 4217 code, as shops write them; the code itself is understood beside them."""


def signs_of(currency: str) -> tuple[str, ...]:
    """What may stand beside an amount of ``currency``: its code and its signs."""
    return (currency, *SIGNS_OF.get(currency, ()))


def decimal_sql(text: str, properties: Mapping[str, Any], kind: str) -> str:
    """SQL of the value of ``text`` as ``kind`` (a decimal type); null where it is no number.

    What is written plainly takes the plain cast: only what that does not read is looked at twice.

    Args:
        text: SQL of the text, trimmed.
        properties: Of the contract's column.
        kind: Spark's type.
    """
    decimal = properties.get(DECIMAL) or "."
    sign = f"CASE WHEN {text} RLIKE {literal(f'[{_MINUS}(]')} THEN '-' ELSE '' END"
    number = f"regexp_extract({text}, {literal(_pattern(properties))}, 1)"
    digits = f"regexp_replace({number}, {literal(f'[^0-9{_escaped(decimal)}]')}, '')"
    pointed = digits if decimal == "." else f"translate({digits}, {literal(decimal)}, '.')"
    as_written = f"try_cast(concat({sign}, {pointed}) AS {kind})"
    if decimal == ".":
        plain = f"try_cast({text} AS {kind})"
    else:
        plain = (
            f"CASE WHEN NOT contains({text}, '.') "
            f"THEN try_cast(translate({text}, {literal(decimal)}, '.') AS {kind}) END"
        )
    return f"coalesce({plain}, {as_written})"


def largest_sql(text: str, kind: str) -> str:
    """SQL of the most that digits in ``text`` can mean; null where there are none.

    For what does not read as its column states it: the last mark parts decimals, unless three
    digits follow it. Nothing is made of this but the question whether it matters.
    """
    marks = f"regexp_replace({text}, '[^0-9.,]', '')"
    digits = f"regexp_replace({text}, '[^0-9]', '')"
    fraction = f"regexp_extract({marks}, '[.,]([0-9]{{1,2}})$', 1)"
    whole = f"left({digits}, length({digits}) - length({fraction}))"
    return f"try_cast(concat({whole}, '.', {fraction}) AS {kind})"


def duckdb_decimal_sql(text: str, properties: Mapping[str, Any]) -> str:
    """DuckDB's SQL of the value of ``text``, for lists: null where it is not plainly written.

    What it reads, `decimal_sql` reads alike; DuckDB's patterns cannot say all that the other's do.

    Args:
        text: SQL of the text.
        properties: Of the contract's column.
    """
    kind = "decimal(38,6)"
    if not any(name in properties for name in WRITTEN):
        return f"try_cast(trim({text}) AS {kind})"
    stated, decimal = properties.get(DECIMAL), properties.get(DECIMAL) or "."
    other = properties.get(THOUSANDS) or {".": ",", ",": "."}[decimal]
    blank = r"[\s\p{Z}]*"
    signs = "|".join(re.escape(sign) for sign in properties.get(SIGNS) or ())
    around = rf"^{blank}(?i:{signs})?{blank}|{blank}(?i:{signs})?{blank}$"
    mark, point = re.escape(other), re.escape(decimal)
    fraction = rf"({point}\d+)"
    beyond_doubt = stated is None and properties.get(THOUSANDS) is None
    grouped = rf"[1-9]\d{{0,2}}({mark}\d{{3}})+{fraction}{'' if beyond_doubt else '?'}"
    number = rf"-?(\d+{fraction}?|{grouped})"
    bare = f"regexp_replace({text}, {sql_text(around)}, '', 'g')"
    digits = f"translate(replace({bare}, {sql_text(other)}, ''), {sql_text(decimal)}, '.')"
    fits = f"regexp_full_match({bare}, {sql_text(number)})"
    return f"CASE WHEN {fits} THEN try_cast({digits} AS {kind}) END"


def _pattern(properties: Mapping[str, Any]) -> str:
    """The whole text of a number; group 1 is the number without sign and currency."""
    stated, thousands = properties.get(DECIMAL), properties.get(THOUSANDS)
    decimal = stated or "."
    other = thousands if thousands is not None else {".": ",", ",": "."}[decimal]
    fraction = rf"{_escaped(decimal)}\d+"
    marks = _ALWAYS + (_escaped(other) if other.strip() else "")
    if stated is None and thousands is None:  # a comma only beyond doubt
        grouped = (
            rf"[1-9]\d{{0,2}}([{_ALWAYS}])\d{{3}}(?:\2\d{{3}})*"
            rf"|[1-9]\d{{0,2}}(?:,\d{{3}})+(?=\.\d)|[1-9]\d{{0,2}}(?:,\d{{3}}){{2,}}"
        )
    else:
        grouped = rf"[1-9]\d{{0,2}}([{marks}])\d{{3}}(?:\2\d{{3}})*"
    if other == "," and not _COUNT_IN_LAKHS.isdisjoint(properties.get(SIGNS) or ()):
        grouped += f"|{_LAKHS}"
    number = rf"((?:{grouped}|\d+)(?:{fraction})?|{fraction})"
    signs = "|".join(rf"\Q{sign}\E" for sign in properties.get(SIGNS) or ())
    money = f"(?i:{signs})?" if signs else ""
    minus = rf"[{_MINUS}]"
    # Parentheses come as a pair, and nothing is negative twice.
    return (
        rf"^(?=[^()]*$|[^()]*\([^()]*\)[^()]*$)(?!.*[{_MINUS}(].*[{_MINUS}(])"
        rf"{_BLANK}*(?:[+(]|{minus})?{_BLANK}*{money}{_BLANK}*(?:[+(]|{minus})?{_BLANK}*"
        rf"{number}"
        rf"{_BLANK}*(?:\)|{minus})?{_BLANK}*{money}{_BLANK}*(?:\)|{minus})?{_BLANK}*$"
    )


def _escaped(mark: str) -> str:
    return "".join(f"\\x{{{ord(letter):X}}}" for letter in mark)


_NO_MINOR = frozenset(
    (
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
        *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    )
)
_THREE = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def minor_digits(currency: str) -> int:
    """Decimal places of the smallest coin by ISO 4217: 2 of most currencies, 0 of yen."""
    return 0 if currency in _NO_MINOR else 3 if currency in _THREE else 2
