r"""What people write of others where nobody expects it: e-mails, telephones and numbers of persons.

A category, a channel, a way to pay is free text to whoever types it, and goes from silver into
every table, chart and model; an order's id is known to the customer's mailbox. A text in which a
person can be read is masked where it comes into silver. The row stays, and its money with it.

- A *text* (category, channel, city …) that holds one becomes `MASKED`.
- An *id* (of an order or a product) becomes ``masked-`` and a keyed hash of it: still one order,
  and still the one that a refund refers to.

What is looked for, in a text and in an id:

- e-mail addresses, their ``@`` also as ``%40``;
- CPF, CNPJ and the social security number of the United States, written with their marks;
- telephones with a + and a country, or with the area in parentheses;
- numbers of cards in groups, of an issuer there is, whose check digit (Luhn) is right.

In a text, where a long number is never meant, also without marks: eleven digits (a CPF, or a mobile
number with its area), a card's sixteen or fifteen with a right check digit, numbers of a telephone
in groups, IBANs, and whatever stands behind words such as *phone*, *CPF* or *passport*. In an id it
is not: orders and products have numbers.

Names are not found: no pattern knows *Maria* from a brand.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from customer360.silver.keys import TELLING_APART_ONLY, order_key

MASKED = "masked"
"""Stands for a text in which a person could be read."""

MASKED_ID = "masked-"
"""How an id begins that stands for such a one."""

_BEGINS, _ENDS = r"(?<![\p{L}\p{N}])", r"(?![\p{L}\p{N}])"
_EMAIL = r"[\p{L}\p{N}._%+-] ?(?:@|%40) ?[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}{2}"
_CPF = rf"{_BEGINS}\d{{3}}\.\d{{3}}\.\d{{3}}[-/]\d{{2}}{_ENDS}|{_BEGINS}\d{{9}}-\d{{2}}{_ENDS}"
_CNPJ = rf"{_BEGINS}\d{{2}}\.\d{{3}}\.\d{{3}}/\d{{4}}-\d{{2}}{_ENDS}"
_SSN = r"(?<![\p{L}\p{N}-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\p{L}\p{N}-])"
_ABROAD = r"(?<![\p{L}\p{N}])\+[1-9](?:[ .()/-]{0,2}\d){7,14}(?!\d)"
_AREA = r"\(0?[1-9]\d{1,3}\) ?\d{3,5}[ .-]?\d{4}(?!\d)"
_CARD = (
    r"(?<![\p{L}\p{N}-])(?:(?:4\d|5\d|6\d|2[2-7])\d\d([ -])\d{4}\1\d{4}\1\d{4}"
    r"|3[47]\d\d([ -])\d{6}\2\d{5})(?![\p{L}\p{N}-])"
)
_MARKED = "|".join((_EMAIL, _CPF, _CNPJ, _SSN, _ABROAD, _AREA))
"""What is found in ids too, cards aside."""

_ELEVEN = r"(?<!\d)\d{11}(?!\d)"
_GROUPED = r"(?<!\d)(?:\d{2,3}[ .-]\d{3,5}|0\d{2,4}[ /-]\d{3,4})[ .-]?\d{4}(?!\d)"
_IBAN = (
    r"(?<![\p{L}\p{N}])(?i:AT|BE|BG|CH|CY|CZ|DE|DK|EE|ES|FI|FR|GB|GR|HR|HU|IE|IS|IT|LI|LT|LU|LV|MT|"
    r"NL|NO|PL|PT|RO|SE|SI|SK)\d\d(?: ?[\p{L}\p{N}]{4}){2,7}(?: ?[\p{L}\p{N}]{1,4})?"
    r"(?![\p{L}\p{N}])(?<=\d[ \p{L}\d]{0,4})"
)
_NAMED = (
    r"(?i)(?<![\p{L}\p{N}])(?:cpf|cnpj|rg|ssn|nif|nie|dni|nino|passport|passaporte|tel|telefone|"
    r"telephone|fone|phone|cel|celular|mobile|whatsapp|zap|call|ring|sms|ligar)[\p{L}]{0,2}[^\p{L}\p{N}]{0,4}"
    r"(?:n[o\u00ba\u00b0.]{1,2}[^\p{L}\p{N}]{0,2})?(?=[\p{L}]{0,2}[ .-]?\d)"
    r"[\p{L}\d](?:[ ./-]?[\p{L}\d]){5}"
)
_BARE_CARD = r"(?<!\d)(?:(?:4\d|5\d|6\d|2[2-7])\d{14}|3[47]\d{13})(?!\d)"
_UNMARKED = "|".join((_MARKED, _ELEVEN, _GROUPED, _IBAN, _NAMED))

_SHORTEST = 6  # a@b.co
_MAY_BE_TEXT = r"@|%40|(?:\d[^\d]{0,3}){6}"
_MAY_BE_ID = r"[@%+(]|\d[ .-]\d"
"""A plain look that most values do not pass, so that the others cost little."""


def masked_text(text: Column) -> Column:
    """``text``, or `MASKED` where a person can be read in it; null stays null.

    What only tells rows of somebody forgotten apart stays, though its digits may look like any.
    """
    found = _may_be(text, _MAY_BE_TEXT) & (
        (text.rlike(_UNMARKED) | _is_card(text, _CARD) | _is_card(text, _BARE_CARD))
        & ~text.rlike(TELLING_APART_ONLY)
    )
    return F.when(found, F.lit(MASKED)).otherwise(text)


def masked_id(text: Column, *, source: str, secret: bytes) -> Column:
    """``text``, or what stands for it where a person can be read in it; null stays null.

    Args:
        text: An id of a source's own.
        source: The source.
        secret: Of the deployment's keys.
    """
    found = _may_be(text, _MAY_BE_ID) & (text.rlike(_MARKED) | _is_card(text, _CARD))
    stands = F.concat(F.lit(MASKED_ID), F.left(order_key(source, text, secret), F.lit(32)))
    return F.when(found, stands).otherwise(text)


def _may_be(text: Column, pattern: str) -> Column:
    return (F.octet_length(text) >= _SHORTEST) & text.rlike(pattern)


def _is_card(text: Column, pattern: str) -> Column:
    """Whether the first number that looks like a card's has a right check digit."""
    digits = F.regexp_replace(F.regexp_extract(text, pattern, 0), "[ -]", "")
    return text.rlike(pattern) & F.call_function("luhn_check", digits)
