"""Normalisation of texts people typed: same thing, same text; nothing that cannot be undone."""

from __future__ import annotations

from functools import cache

from pyspark.sql import Column
from pyspark.sql import functions as F

from customer360.silver.compositions import INVISIBLE, MARK, compositions

# Every separator, line break and control character, as Java's regular expressions name them.
_BLANK = r"[\p{Z}\s\p{Cc}]+"


def tidy(text: Column) -> Column:
    """Trim, collapse white space to single blanks, drop invisible characters; blank is null."""
    return _not_blank(F.trim(_collapsed(text)))


def identifier(text: Column) -> Column:
    """Trim only, blank is null: identifiers are compared as they came, case and zeros kept."""
    return _not_blank(F.trim(text))


def composed(text: Column) -> Column:
    """Unicode normal form C for Latin letters, so that ``e`` + accent equals ``é``.

    Spark has no normalisation; letters are looked up in a table made from Python's Unicode data.
    Other scripts stay as they are.
    """
    letters = F.regexp_extract_all(text, F.lit(f"(?s).{MARK}*"), F.lit(0))
    table = F.str_to_map(F.lit(_table_of_letters()), F.lit("\n"), F.lit("\t"))
    joined = F.array_join(F.transform(letters, lambda c: F.coalesce(table[c], c)), "")
    return F.when(_not_ascii(text) & text.rlike(MARK), joined).otherwise(text)


def cased(name: Column) -> Column:
    """The case of a tidy name mended, only where all its letters have the same.

    ``MARIA SILVA`` and ``maria silva`` become ``Maria Silva``; ``Ana de Souza`` and ``McDonald``
    stay as their owners write them.
    """
    one_case = (name == F.upper(name)) | (name == F.lower(name))
    return F.when(one_case, F.initcap(name)).otherwise(name)


def email(text: Column) -> Column:
    """Lower case without any white space; blank is null."""
    return _not_blank(F.lower(F.replace(_collapsed(text), F.lit(" "), F.lit(""))))


def phone(text: Column) -> Column:
    """Digits, with a leading ``+`` and an extension after ``x`` kept: ``+5511987654321x12``."""
    spaced = F.regexp_replace(F.lower(F.trim(text)), r"(ext(ension|\.)?|ramal|x|#)", "x")
    digits = F.regexp_replace(spaced, "[^0-9x]", "")
    number = F.when(spaced.startswith("+"), F.concat(F.lit("+"), digits)).otherwise(digits)
    return F.when(number.rlike("[0-9]"), number)


def code(text: Column) -> Column:
    """A postal code: upper case, single blanks, leading zeros kept because it stays a text."""
    return F.upper(tidy(text))


def tax_id(text: Column) -> Column:
    """Letters and digits only, upper case: ``123.456.789-09`` equals ``12345678909``."""
    return _not_blank(F.upper(F.regexp_replace(text, r"[^\p{L}\p{Nd}]", "")))


def region(name: Column) -> Column:
    """A tidy state or province: up to three letters are an abbreviation, in upper case."""
    return F.when(F.length(name) <= 3, F.upper(name)).otherwise(cased(name))


def _collapsed(text: Column) -> Column:
    """White space as single blanks.

    The regular expression, dear at ten million rows, runs only where a plain look at the bytes
    finds something it could change. The look itself is short on purpose: a check for each kind of
    blank, on a few columns, and the compiled method passes the 8,000 bytes beyond which the JVM
    only interprets it.
    """
    dirty = _not_ascii(text)  # perhaps a no-break space
    for blank in ("  ", "\t", "\n", "\r"):
        dirty = dirty | F.contains(text, F.lit(blank))
    clean = F.regexp_replace(F.translate(text, INVISIBLE, ""), _BLANK, " ")
    return F.when(dirty, clean).otherwise(text)


def _not_ascii(text: Column) -> Column:
    return F.length(text) != F.octet_length(text)


def _not_blank(text: Column) -> Column:
    return F.nullif(text, F.lit(""))


@cache
def _table_of_letters() -> str:
    """``decomposed<tab>composed`` lines."""
    return "\n".join(f"{apart}\t{letter}" for apart, letter in compositions())
