"""How the text of a file is taken apart: encoding, delimiter, quotation marks, header."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import duckdb
from charset_normalizer import from_bytes

from customer360.errors import BrokenFileError
from customer360.sources import csv_files
from customer360.sources.text_form import WINDOWS_1252, TextForm, known_encoding

_WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# What shops' programs write; charset-normalizer chooses among them where Windows-1252 does not fit.
_LIKELY = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "cp850", "cp852", "cp866"),
    *("iso8859_2", "koi8_r", "mac_roman", "cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
_LINES = 500
_BEFORE = 30  # lines that may stand before the header
_WORD = re.compile(r"[^\W\d_]*[^\x00-\x7f]+[^\W\d_]*")
_SEP = re.compile(r"sep=.?", re.IGNORECASE)  # a line for Excel
_TYPED = re.compile(r"[-+(]?[^\w\s]?\s?\d[\d.,:/ T-]*|.+@.+")


@dataclass(frozen=True)
class SniffedText:
    """How a text is taken apart, and what was seen of that.

    Attributes:
        form: For the file as it is.
        evidence: By key of the mapping: what it was told from.
        decide: What the user is to look at.
    """

    form: TextForm
    evidence: dict[str, str] = field(default_factory=dict)
    decide: list[str] = field(default_factory=list)


def encoding_of(data: bytes) -> tuple[str, str, bool]:
    """The encoding of a text's beginning, what it was told from, and whether that is beyond doubt.

    Args:
        data: Bytes that end at the end of a line, or with the text.
    """
    for mark, name in _WIDE.items():
        if data.startswith(mark):
            return name, "a byte-order mark says so", True
    try:
        data.decode("utf-8")
        if data.isascii():
            return "utf-8", "nothing but ASCII", True
        marked = data.startswith(codecs.BOM_UTF8)
        return "utf-8", "a byte-order mark says so" if marked else "every byte reads as it", True
    except UnicodeDecodeError:
        pass
    telling = b"\n".join(line for line in data.splitlines()[:200_000] if not line.isascii())[:65536]
    western = telling.decode(WINDOWS_1252, errors="replace")
    if _fits_words(western):
        return "windows-1252", "not UTF-8, and its letters stand as in Western words", True
    best = from_bytes(telling, cp_isolation=_LIKELY).best()
    if best is None:
        return "windows-1252", "not UTF-8, and nothing tells what else", False
    name = known_encoding(best.encoding)
    return ("windows-1252" if name == WINDOWS_1252 else name), "not UTF-8; likely by letters", False


def _fits_words(text: str) -> bool:
    """Whether letters beyond ASCII are few in their words, and signs do not stand within words."""
    words = [word for word in _WORD.findall(text) if len(word) > 2]
    if not words:
        return "\ufffd" not in text
    strange = 0
    for word in words:
        beyond = [letter for letter in word if letter.isalpha() and not letter.isascii()]
        inside = [a for a in word[1:-1] if not a.isascii() and not a.isalpha() and a not in "’‘–—"]
        strange += len(beyond) > len(word) / 2 or bool(inside) or "\ufffd" in word
    return strange <= len(words) / 5


def sniff_text(copy: Path, name: str) -> SniffedText:
    """How a UTF-8 copy of a text's beginning is taken apart.

    Raises:
        BrokenFileError: There is no header, or a single column.
    """
    delimiter, quote, escape = _dialect(copy)
    if delimiter is None:
        raise BrokenFileError(
            name,
            "columns separated by comma, semicolon, tab or pipe",
            "a single column",
            "write a mapping by hand and state `delimiter:` if something else parts them",
        )
    form = TextForm(delimiter=delimiter, quote=quote or '"', escape=escape)
    skipped, evidence = _header(copy, form, name)
    form = replace(form, skip_lines=skipped)
    return _unclosed(copy, form, evidence)


def _dialect(copy: Path) -> tuple[str | None, str | None, str | None]:
    """Delimiter, quotation mark and escape character, by DuckDB's sniffer."""
    sniffed = None
    with duckdb.connect() as connection:
        for leniently in ("", ", null_padding=true"):  # the first wants rows of one length
            try:
                sniffed = connection.execute(
                    "SELECT Delimiter, Quote, Escape, len(Columns) "
                    f"FROM sniff_csv($file, all_varchar=true{leniently})",
                    {"file": str(copy)},
                ).fetchone()
            except duckdb.Error:
                continue
            if sniffed is not None and sniffed[3] > 1:
                break
    if sniffed is None or sniffed[3] < 2:
        return None, None, None
    delimiter, quote, escape = (None if value == "(empty)" else value for value in sniffed[:3])
    return delimiter, quote, escape if escape not in (None, quote) else None


def _header(copy: Path, form: TextForm, name: str) -> tuple[int, dict[str, str]]:
    """Lines before the header, and what was seen."""
    with copy.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader((line.replace("\0", "") for line in text), **csv_files.dialect(form))
        rows: list[tuple[int, list[str]]] = []
        before = 0
        try:
            for row in islice(reader, _LINES):
                rows.append((before, row))
                before = reader.line_num
        except csv.Error as error:
            raise BrokenFileError(name, "a CSV file with a header", str(error)) from None
    rows = [(line, row) for line, row in rows if not _SEP.fullmatch(form.delimiter.join(row))]
    lengths = Counter(len(row) for _, row in rows if len(row) > 1)
    usual = max(lengths, key=lambda n: (lengths[n], n)) if lengths else 0
    # Rows that all end with a delimiter are longer than their header.
    for width in (usual, usual - 1):
        for line, row in rows[:_BEFORE]:
            names = [value.strip() for value in row if value.strip()]
            if len(row) != width or len(names) < max(2, width - 1):
                continue
            if any(_TYPED.fullmatch(value) for value in names):
                break
            evidence = {"delimiter": f"{len(row)} columns"}
            if line:
                evidence["skip_lines"] = f"the header is in line {line + 1}"
            return line, evidence
    raise BrokenFileError(
        name,
        "a line with the columns' names",
        "values only",
        "give the file a first line with a name for each column",
    )


def _unclosed(copy: Path, form: TextForm, evidence: dict[str, str]) -> SniffedText:
    """The form, without quotation marks if one never closes and no value needs them."""
    utf8 = replace(form, encoding="utf-8")
    try:
        csv_files.look(copy, utf8)
    except BrokenFileError:
        plain = replace(form, quote=None, escape=None)
        with copy.open(encoding="utf-8-sig", newline="") as text:
            for _ in range(form.skip_lines):
                text.readline()
            lengths = {len(line.split(form.delimiter)) for line in text if line.strip()}
        if len(lengths) != 1:
            raise
        why = (
            "some value begins with a quotation mark that never closes, and every line has the "
            "same number of values if quotation marks are letters like others"
        )
        return SniffedText(plain, {**evidence, "quote": why})
    return SniffedText(form, evidence)
