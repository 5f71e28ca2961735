"""Identifiers as spreadsheets and people leave them, brought to the text that was meant.

A contract's column with the property `IDENTIFIER` is read this way:

- white space of every kind is taken from both ends, no-break blanks and control characters too;
- ``17850.0``, which a program makes of a number column with gaps, is ``17850``;
- the words of ``nullWords`` are no identifier, in capital letters or small;
- a customer's identifier that is an e-mail address is compared without case.

``4.50012E+11`` is what a spreadsheet leaves of a long number: many numbers became this one text, so
it identifies nothing. Such a row breaks the rule ``spreadsheet_number``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from customer360.contracts.sql import literal

IDENTIFIER = "identifier"
"""Property of a contract's column: ``customer``, or ``row`` for what tells rows apart."""

NULL_WORDS = "nullWords"
"""Property of a contract's column: texts that mean that there is no value."""

CUSTOMER, ROW = "customer", "row"

_SPACE = r"[\s\p{Z}\p{Cc}\x{FEFF}\x{200B}]+"
AROUND = f"^{_SPACE}|{_SPACE}$"
"""Regular expression (Java's) of white space of every kind at either end of a text."""
_WHOLE = r"^(-?[0-9]+)\.0$"


def identifier_sql(text: str, properties: Mapping[str, Any]) -> str:
    """SQL of the identifier in ``text`` (trimmed of blanks); null where it is none."""
    plain = f"{_clean(text)} AND NOT endswith({text}, '.0')"
    whole = f"regexp_replace({_trimmed(text)}, {literal(_WHOLE)}, '$1')"
    value = f"CASE WHEN {plain} THEN {text} ELSE {whole} END"
    nothing = is_null_word(value, properties.get(NULL_WORDS) or (), any_case=True)
    cases = [f"WHEN {value} = '' OR {nothing} THEN NULL"]
    if properties[IDENTIFIER] == CUSTOMER:
        cases.append(f"WHEN contains({value}, '@') THEN lower({value})")
    return f"CASE {' '.join(cases)} ELSE {value} END"


def trimmed_sql(text: str) -> str:
    """SQL of ``text`` without white space of any kind at its ends."""
    return f"CASE WHEN {_clean(text)} THEN {text} ELSE {_trimmed(text)} END"


def _clean(text: str) -> str:
    """SQL condition: ``text`` begins and ends with what is plainly no white space."""
    return " AND ".join(f"{end}({text}, 1) BETWEEN '!' AND '~'" for end in ("left", "right"))


def _trimmed(text: str) -> str:
    return f"regexp_replace({text}, {literal(AROUND)}, '')"


def is_null_word(text: str, words: Sequence[str], *, any_case: bool = False) -> str:
    """SQL condition: ``text`` is one of ``words``."""
    if not words:
        return "false"
    short = max(len(word.encode()) for word in words)
    listed = ", ".join(literal(word.lower() if any_case else word) for word in words)
    compared = f"lower({text})" if any_case else text
    return f"(octet_length({text}) <= {short} AND {compared} IN ({listed}))"


def damaged_sql(value: str) -> str:
    """SQL condition: a spreadsheet wrote a long number in powers of ten, and lost its end."""
    shape = literal(r"^\d(?:[.,]\d+)?[eE]\+\d{2,3}$")
    return f"(contains({value}, '+') AND {value} RLIKE {shape})"
