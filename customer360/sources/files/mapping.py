"""The YAML that says what the columns of a user's file mean.

A mapping, with what most need (``docs/mappings.md`` has every key)::

    name: shop                          # the source's name; its table is shop_lines or shop_orders
    description: Orders of the shop     # optional, for the documentation
    path: exports                       # optional; else the --path of the command
    files: "*.csv"                      # which files of the folder; also matches *.csv.gz
    date_in_name: "sales_{yyyy-MM-dd}.csv"   # optional instead of files: one delivery a day
    format: csv                         # or parquet, xlsx; spreadsheets are known by their ending
    sheet: Sales                        # of a spreadsheet; else its first
    delimiter: ","
    encoding: utf-8                     # or windows-1252, latin-1, utf-16, what Python knows
    decimal_separator: "."              # or ","
    thousands_separator: ","
    time_zone: Europe/London            # of the times in the file
    currency: GBP
    date_format: "yyyy-MM-dd HH:mm:ss"  # of occurred_at, in Spark's notation; or a list; or excel
    day_format: "yyyy-MM-dd"            # of the columns that are days
    dates_from: 1980-01-01              # optional: what lies before is no sale's date
    dates_to: 2030-12-31                # optional; else a year from today
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
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from customer360.contracts.times import (
    BIRTH_YEARS_FROM,
    SEPARATOR,
    YEARS_FROM,
    check_format,
    contradiction,
    formats_in,
    has_offset,
)
from customer360.sources import mapping as shared
from customer360.sources.copies import SPREADSHEETS
from customer360.sources.mapping import RowMapping
from customer360.sources.text_form import EXPANDS, TextForm, known_encoding


def _one_or_more(value: object) -> object:
    if isinstance(value, list) and not value:
        raise ValueError("is an empty list; write it like yyyy-MM-dd HH:mm:ss")
    return value[0] if isinstance(value, list) and len(value) == 1 else value


BUILT_IN = ("synthetic", "olist", "cdnow", "files", "postgres")
"""Names that other sources have."""

Formats = Annotated[str | list[str], BeforeValidator(_one_or_more)]


class FileMapping(RowMapping):
    """One kind of file; see the module's docstring."""

    path: Path | None = Field(
        None,
        description="File or folder, relative to the YAML; else the command's `--path`.",
        examples=["exports"],
    )
    files: str | None = Field(
        None,
        description="Which files of a folder, by a pattern; those that also end in `.gz` are "
        "meant too. Unset, those with the format's ending.",
        examples=["sales_*.csv"],
    )
    date_in_name: str | None = Field(
        None,
        description="Instead of `files`: each file is the delivery of the day in its name.",
        examples=["sales_{yyyy-MM-dd}.csv"],
        json_schema_extra={"wrong": "sales_{date}.csv"},
    )
    format: Literal["csv", "parquet", "xlsx"] = Field(
        "csv",
        description="What the files are. Spreadsheets are known by the ending of their names too.",
        examples=["parquet"],
        json_schema_extra={"wrong": "json"},
    )
    sheet: str | None = Field(
        None, description="Of a spreadsheet; unset, its first.", examples=["Sales 2024"]
    )
    delimiter: str = Field(
        ",",
        min_length=1,
        max_length=1,
        description='What stands between values; `"\\t"` is a tab.',
        examples=[";"],
        json_schema_extra={"wrong": "||"},
    )
    quote: str = Field(
        '"',
        max_length=4,
        description="What stands around values that hold a delimiter or line break; `none` where "
        "values are never quoted. One that never closes stops the load and is named by its line.",
        examples=["none"],
        json_schema_extra={"wrong": "no"},
    )
    escape: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="What stands before a quotation mark within a quoted value; unset, the mark "
        "is doubled.",
        examples=["\\"],
    )
    encoding: str = Field(
        "utf-8",
        description="Any that Python knows; `ansi` is `windows-1252`. Latin-1 with characters that "
        "only Windows-1252 has is read as that.",
        examples=["windows-1252"],
        json_schema_extra={"wrong": "windows"},
    )
    skip_lines: int = Field(
        0,
        ge=0,
        description="Lines before the header.",
        examples=[3],
        json_schema_extra={"wrong": -1},
    )
    expands: int = Field(
        EXPANDS,
        ge=1,
        description="How many times its own size a gzipped file or spreadsheet may unpack to. One "
        "that goes beyond, and beyond 100 MB, is taken for a trap or a mistake and stops the load.",
        examples=[1000],
        json_schema_extra={"wrong": 0},
    )
    short_rows: Literal["refuse", "fill"] = Field(
        "refuse",
        description="`fill`: a row that ends early has blanks at its end, instead of going to "
        "quarantine as `row:malformed`.",
        examples=["fill"],
    )
    fill_down: list[str] = Field(
        default_factory=list,
        description="Columns whose blanks mean what the row above says: the first tells orders "
        "apart, the others are filled within an order.",
        examples=[["Order", "Customer", "Date"]],
    )
    decimal_separator: Literal[".", ","] | None = Field(
        None,
        description="What parts decimals; the other of point and comma then parts thousands. "
        'Unset: a point; `","` reads `1.234,50`.',
        examples=[","],
        json_schema_extra={"wrong": ";"},
    )
    thousands_separator: Literal[".", ",", " ", "'", ""] | None = Field(
        None,
        description='What parts thousands, `""` for nothing. Unset, see below.',
        examples=[","],
        json_schema_extra={"wrong": "_"},
    )
    date_format: Formats = Field(
        "yyyy-MM-dd HH:mm:ss",
        description="Of times (`occurred_at`, `refunded_at`, `changed_at`) in Spark's notation, or "
        "several as a list, with optional parts in brackets. Also `excel` (days since 1899-12-30), "
        "`unix` and `unix-milliseconds`.",
        examples=["dd/MM/yyyy[ HH:mm]"],
        json_schema_extra={"wrong": "%d/%m/%Y"},
    )
    day_format: Formats = Field(
        "yyyy-MM-dd",
        description="Of columns that are days.",
        examples=["dd.MM.yyyy"],
        json_schema_extra={"wrong": "MM/yyyy"},
    )
    two_digit_years_from: int = Field(
        YEARS_FROM,
        ge=1900,
        le=2100,
        description="`yy` lies in the hundred years from here: 97 is 1997, 12 is 2012. Birth "
        f"dates: from {BIRTH_YEARS_FROM}.",
        examples=[1950],
        json_schema_extra={"wrong": 97},
    )

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name in BUILT_IN:
            raise ValueError(f"{name} is the name of another source; choose another")
        return name

    @field_validator("date_format", "day_format")
    @classmethod
    def _pattern(cls, pattern: str | list[str]) -> str | list[str]:
        every = [pattern] if isinstance(pattern, str) else pattern
        for one in every:
            if SEPARATOR.strip() in one:
                raise ValueError(f"{one!r} holds |; give several formats as a list")
            check_format(one)
        problem = contradiction(every)
        if problem is not None:
            raise ValueError(f"{problem}; state the one that the files have")
        return pattern

    @field_validator("encoding")
    @classmethod
    def _encoding(cls, name: str) -> str:
        return known_encoding(name)

    @field_validator("quote")
    @classmethod
    def _quote(cls, quote: str) -> str:
        if len(quote) != 1 and quote != "none":
            raise ValueError(f"{quote!r} must be one character, or none where no value is quoted")
        return quote

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
        if self.columns.refunded_at is not None and self.date_in_name is not None:
            raise ValueError(
                "columns.refunded_at is for files that hold everything, not one a day: leave it "
                "out, and refunds count on the day of their sale"
            )
        decimal, thousands = self.decimal_separator or ".", self.thousands_separator
        if thousands == decimal:
            raise ValueError(
                f"thousands_separator {thousands!r} is the decimal separator too; state "
                f'decimal_separator: "{"," if decimal == "." else "."}" if that parts decimals'
            )
        instants = {has_offset(one) for one in formats_in(self.time_formats)}
        if len(instants) > 1:
            raise ValueError(
                "date_format: some of its formats carry an offset from UTC and some do not; "
                "state formats of one kind"
            )
        return self

    @property
    def globs(self) -> tuple[str, ...]:
        """Patterns of the folder's files, gzipped ones included."""
        if self.date_in_name is not None:
            pattern = re.sub(r"\{[^}]*\}", "*", self.date_in_name)
        else:
            pattern = self.files or f"*.{self.format}"
        zipped = self.format == "csv" and not pattern.endswith((".gz", "*", *SPREADSHEETS))
        return (pattern, f"{pattern}.gz") if zipped else (pattern,)

    @property
    def has_offset(self) -> bool:
        """The file's times carry their own offset from UTC."""
        return any(has_offset(one) for one in formats_in(self.time_formats))

    @property
    def time_formats(self) -> str:
        """The formats of times, as a contract states them."""
        every = [self.date_format] if isinstance(self.date_format, str) else self.date_format
        return SEPARATOR.join(every)

    @property
    def day_formats(self) -> str:
        """The formats of days, as a contract states them."""
        every = [self.day_format] if isinstance(self.day_format, str) else self.day_format
        return SEPARATOR.join(every)

    @property
    def text(self) -> TextForm:
        """How the files' text is to be taken apart."""
        return TextForm(
            delimiter=self.delimiter,
            encoding=self.encoding,
            quote=None if self.quote == "none" else self.quote,
            escape=self.escape,
            skip_lines=self.skip_lines,
            short_rows=self.short_rows == "fill",
            fill_down=tuple(self.fill_down),
            sheet=self.sheet,
            expands=self.expands,
        )

    def delivered_on(self, file_name: str) -> date | None:
        """The day in a file's name, or null when it has none there."""
        if self.date_in_name is None:
            return None
        parts = re.fullmatch(name_pattern(self.date_in_name), file_name)
        if parts is None:
            return None
        try:
            return date(int(parts["year"]), int(parts["month"]), int(parts["day"]))
        except ValueError:
            return None


def name_pattern(template: str) -> str:
    """Regular expression of file names like ``sales_{yyyy-MM-dd}.csv``, gzipped or not.

    Raises:
        ValueError: There is a folder in it, or not one yyyy, one MM and one dd within braces.
    """
    example = "write it like sales_{yyyy-MM-dd}.csv"
    if "/" in template:
        raise ValueError(f"{template!r} names a folder, only the file's name may be dated")
    groups = {"yyyy": r"(?<year>\d{4})", "MM": r"(?<month>\d{2})", "dd": r"(?<day>\d{2})"}
    dated: list[str] = []
    parts: list[str] = []
    for position, text in enumerate(re.split(r"\{([^}]*)\}", template)):
        for piece in re.findall(r"yyyy|MM|dd|.", text) if position % 2 else list(text):
            if position % 2 and piece in groups:
                dated.append(piece)
                parts.append(groups[piece])
            elif position % 2 and piece.isalpha():
                raise ValueError(f"{piece!r} in the braces of {template!r} is unknown; {example}")
            else:
                parts.append({"*": ".*", "?": "."}.get(piece, re.escape(piece)))
    if sorted(dated) != ["MM", "dd", "yyyy"]:
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
    mapping = shared.load(FileMapping, __package__, name)
    if mapping.path is not None and not mapping.path.is_absolute():
        mapping = mapping.model_copy(update={"path": Path(name).parent / mapping.path})
    return mapping


def parse_mapping(text: str, *, where: str) -> FileMapping:
    """The mapping in YAML ``text``; ``where`` names it in errors.

    Raises:
        SettingsError: It is not YAML, or says something wrong.
    """
    return shared.parse(FileMapping, text, where=where)
