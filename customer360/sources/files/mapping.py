"""The YAML that says what the columns of a user's file mean.

A mapping, with everything it may say::

    name: shop                          # the source's name; its table is shop_lines or shop_orders
    description: Orders of the shop     # optional, for the documentation
    path: exports                       # optional; else the --path of the command
    files: "*.csv"                      # which files of the folder; also matches *.csv.gz
    date_in_name: "sales_{yyyy-MM-dd}.csv"   # optional instead of files: one delivery a day
    format: csv                         # or parquet
    delimiter: ","
    encoding: utf-8                     # or latin-1, utf-16
    decimal_separator: "."              # or ","
    time_zone: Europe/London            # of the times in the file
    currency: GBP
    date_format: "yyyy-MM-dd HH:mm:ss"  # of occurred_at, in Spark's notation
    day_format: "yyyy-MM-dd"            # of the columns that are days
    grain: lines                        # or orders: what a row is
    closed: false                       # true: a finished data set that no longer grows
    repeated_lines: drop                # or keep: rows alike in every column
    conflicts: quarantine               # optional, or stop: orders whose rows contradict each other
    columns:                            # what the project calls it: the file's header
      order_id: InvoiceNo
      customer_id: CustomerID           # optional; blank is an anonymous sale
      occurred_at: InvoiceDate
      amount: Amount                    # money of the row; or quantity and unit_price
      ...                               # see Columns
    keep: [Description]                 # further columns to keep in bronze
    cancellations:                      # the first that fits makes the row a refund
      - {column: InvoiceNo, starts_with: C}
      - {column: Status, equals: [cancelled], kind: cancelled}
      - {column: Quantity, below: 0}
    exclude:                            # the first that fits leaves the row out, by its reason
      - {reason: postage, column: StockCode, equals: [POST]}

Columns of the file that the mapping does not name are kept, as JSON, in ``_rescued``.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from customer360.sources import mapping as shared
from customer360.sources.mapping import RowMapping

BUILT_IN = ("synthetic", "olist", "cdnow", "files", "postgres")
"""Names that other sources have."""

_SPARK_LETTERS = set("GyuMLdQqDEFahKkHmsSVzOXxZ")
_PYTHON = {
    "yyyy": "%Y",
    "y": "%Y",
    "uuuu": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%m",
    "dd": "%d",
    "d": "%d",
    "HH": "%H",
    "H": "%H",
    "hh": "%I",
    "h": "%I",
    "mm": "%M",
    "m": "%M",
    "ss": "%S",
    "s": "%S",
    "a": "%p",
    "EEE": "%a",
    "EEEE": "%A",
    "XXX": "%z",
    "XX": "%z",
    "X": "%z",
    "xxx": "%z",
    "xx": "%z",
    "Z": "%z",
    **{"S" * n: "%f" for n in range(1, 7)},
}
_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'")


class FileMapping(RowMapping):
    """One kind of file; see the module's docstring."""

    path: Path | None = None
    files: str | None = None
    date_in_name: str | None = None
    format: Literal["csv", "parquet"] = "csv"
    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: Literal["utf-8", "latin-1", "utf-16"] = "utf-8"
    decimal_separator: Literal[".", ","] = "."
    date_format: str = "yyyy-MM-dd HH:mm:ss"
    day_format: str = "yyyy-MM-dd"

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name in BUILT_IN:
            raise ValueError(f"{name} is the name of another source; choose another")
        return name

    @field_validator("date_format", "day_format")
    @classmethod
    def _pattern(cls, pattern: str) -> str:
        python_format(pattern)
        return pattern

    @field_validator("date_in_name")
    @classmethod
    def _dated(cls, template: str | None) -> str | None:
        if template is not None:
            name_pattern(template)
        return template

    @model_validator(mode="after")
    def _consistent(self) -> FileMapping:
        if self.files is not None and self.date_in_name is not None:
            raise ValueError("files and date_in_name contradict each other: give one of them")
        return self

    @property
    def globs(self) -> tuple[str, ...]:
        """Patterns of the folder's files, gzipped ones included."""
        if self.date_in_name is not None:
            pattern = re.sub(r"\{[^}]*\}", "*", self.date_in_name)
        else:
            pattern = self.files or f"*.{self.format}"
        zipped = self.format == "csv" and not pattern.endswith((".gz", "*"))
        return (pattern, f"{pattern}.gz") if zipped else (pattern,)

    @property
    def has_offset(self) -> bool:
        """The file's times carry their own offset from UTC."""
        return "%z" in python_format(self.date_format)

    def delivered_on(self, file_name: str) -> date | None:
        """The day in a file's name, or null when it has none there."""
        if self.date_in_name is None:
            return None
        found = re.fullmatch(name_pattern(self.date_in_name), file_name)
        if found is None:
            return None
        try:
            return date(int(found["year"]), int(found["month"]), int(found["day"]))
        except ValueError:
            return None


def python_format(pattern: str) -> str:
    """A Spark date-time pattern in Python's ``strptime`` notation.

    Raises:
        ValueError: It is no pattern, lacks year, month or day, or has letters that only Spark
            knows.
    """
    example = "write it like yyyy-MM-dd HH:mm:ss"
    if "%" in pattern:
        raise ValueError(f"{pattern!r} is Python's notation, Spark's is wanted; {example}")
    parts: list[str] = []
    for token in _TOKEN.finditer(pattern):
        text = token.group(0)
        if text == "'":
            raise ValueError(f"{pattern!r} has a quotation mark that is not closed")
        if token.group(1) is not None:
            parts.append(token.group(1).replace("''", "'") or "'")
        elif token.group(2) is None:
            parts.append(text)
        elif text in _PYTHON:
            parts.append(_PYTHON[text])
        else:
            known = "is not supported" if text[0] in _SPARK_LETTERS else "means nothing"
            raise ValueError(f"{text!r} in {pattern!r} {known}; {example}")
    found = "".join(parts)
    for what, letters in (
        ("year", ("%Y", "%y")),
        ("month", ("%m", "%b", "%B")),
        ("day", ("%d",)),
    ):
        if not any(letter in found for letter in letters):
            raise ValueError(f"{pattern!r} has no {what}; {example}")
    return found


def name_pattern(template: str) -> str:
    """Regular expression of file names like ``sales_{yyyy-MM-dd}.csv``, gzipped or not.

    Raises:
        ValueError: There is a folder in it, or not one yyyy, one MM and one dd within braces.
    """
    example = "write it like sales_{yyyy-MM-dd}.csv"
    if "/" in template:
        raise ValueError(f"{template!r} names a folder, only the file's name may be dated")
    groups = {"yyyy": r"(?<year>\d{4})", "MM": r"(?<month>\d{2})", "dd": r"(?<day>\d{2})"}
    found: list[str] = []
    parts: list[str] = []
    for position, text in enumerate(re.split(r"\{([^}]*)\}", template)):
        for piece in re.findall(r"yyyy|MM|dd|.", text) if position % 2 else list(text):
            if position % 2 and piece in groups:
                found.append(piece)
                parts.append(groups[piece])
            elif position % 2 and piece.isalpha():
                raise ValueError(f"{piece!r} in the braces of {template!r} is unknown; {example}")
            else:
                parts.append({"*": ".*", "?": "."}.get(piece, re.escape(piece)))
    if sorted(found) != ["MM", "dd", "yyyy"]:
        raise ValueError(f"{template!r} must hold yyyy, MM and dd once, in braces; {example}")
    return "".join(parts).replace("(?<", "(?P<") + r"(\.gz)?"


def shipped_mappings() -> tuple[str, ...]:
    """Names of the mappings that ship with the package."""
    return shared.shipped(__package__)


def load_mapping(name: str | Path) -> FileMapping:
    """The mapping in a YAML file, or one of `shipped_mappings` by its name.

    A relative ``path`` in it is relative to the YAML file.

    Raises:
        SettingsError: There is no such file, or what is in it is wrong; one line says where.
    """
    found = shared.load(FileMapping, __package__, name)
    if found.path is not None and not found.path.is_absolute():
        found = found.model_copy(update={"path": Path(name).parent / found.path})
    return found


def parse_mapping(text: str, *, where: str) -> FileMapping:
    """The mapping in YAML ``text``; ``where`` names it in errors.

    Raises:
        SettingsError: It is not YAML, or says something wrong.
    """
    return shared.parse(FileMapping, text, where=where)
