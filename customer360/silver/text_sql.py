"""What `customer360.silver.text` does, as expressions of DuckDB's SQL: for what runs without Spark.

Each function takes an expression and returns one. Equal texts come out as there, but for letters
whose capital is not one letter: Spark writes ß as SS, DuckDB leaves it.
"""

from __future__ import annotations

from customer360.silver.compositions import INVISIBLE, MARK, compositions

_BLANK = r"[\p{Z}\s\p{Cc}]+"


def identifier(text: str) -> str:
    """Trim only, blank is null."""
    return f"nullif(trim({text}, ' '), '')"


def tidy(text: str) -> str:
    """Trim, collapse white space to single blanks, drop invisible characters; blank is null."""
    marks = ("  ", "\t", "\n", "\r")
    dirty = " OR ".join([_not_ascii(text), *(f"contains({text}, '{mark}')" for mark in marks)])
    clean = f"regexp_replace(translate({text}, '{INVISIBLE}', ''), '{_BLANK}', ' ', 'g')"
    return identifier(f"CASE WHEN {dirty} THEN {clean} ELSE {text} END")


def composed(text: str) -> str:
    """Unicode normal form C for Latin letters, so that ``e`` + accent equals ``é``."""
    letters = f"regexp_extract_all({text}, '(?s).{MARK}*')"
    table = ", ".join(f"'{apart}': '{letter}'" for apart, letter in compositions())
    known = f"list_transform({letters}, lambda c: coalesce(MAP {{{table}}}[c], c))"
    return (
        f"CASE WHEN regexp_matches({text}, '{MARK}') THEN array_to_string({known}, '') "
        f"ELSE {text} END"
    )


def cased(name: str) -> str:
    """The case of a tidy name mended, only where all its letters have the same."""
    words = f"string_split(lower({name}), ' ')"
    mended = f"array_to_string(list_transform({words}, lambda w: upper(w[1]) || w[2:]), ' ')"
    return f"CASE WHEN {name} IN (upper({name}), lower({name})) THEN {mended} ELSE {name} END"


def region(name: str) -> str:
    """A tidy state or province: up to three letters are an abbreviation, in upper case."""
    return f"CASE WHEN length({name}) <= 3 THEN upper({name}) ELSE {cased(name)} END"


def phone(text: str) -> str:
    """Digits, with a leading ``+`` and an extension after ``x`` kept: ``+5511987654321x12``."""
    spaced = rf"regexp_replace(lower(trim({text}, ' ')), '(ext(ension|\.)?|ramal|x|#)', 'x', 'g')"
    digits = f"regexp_replace({spaced}, '[^0-9x]', '', 'g')"
    number = f"CASE WHEN starts_with({spaced}, '+') THEN '+' || {digits} ELSE {digits} END"
    return f"CASE WHEN regexp_matches({digits}, '[0-9]') THEN {number} END"


def _not_ascii(text: str) -> str:
    return f"strlen({text}) <> length({text})"
