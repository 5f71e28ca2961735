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
from collections.abc import Mapping
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from customer360.errors import SettingsError, listed

BUILT_IN = ("synthetic", "olist", "cdnow", "files", "postgres")
"""Names that other sources have."""

PERSONAL_ROLES = (
    "customer_id",
    "name",
    "email",
    "phone",
    "address",
    "birth_date",
    "tax_id",
    "postal_code",
)
"""Roles that hold personal data."""

CUSTOMER_ROLES = (
    "name",
    "email",
    "phone",
    "address",
    "birth_date",
    "tax_id",
    "city",
    "state",
    "postal_code",
    "country",
    "acquisition_channel",
    "loyalty_tier",
    "marketing_consent",
    "signed_up_on",
)
"""Roles that describe the customer rather than the order."""

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
_NAME = r"^[a-z][a-z0-9_]*$"


def _texts(value: object) -> object:
    """Let a list of one be written without brackets, and codes that YAML reads as numbers."""
    values = value if isinstance(value, list) else [value]
    return [str(v) if isinstance(v, int | float) and not isinstance(v, bool) else v for v in values]


Texts = Annotated[list[str], BeforeValidator(_texts), Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(_Strict):
    """The file's header of everything the project wants to know; what is absent is null."""

    order_id: str = Field(description="The order; for lines, the same in all its lines.")
    occurred_at: str = Field(description="When the order was placed or refunded, local time.")
    customer_id: str | None = Field(None, description="The customer; blank is an anonymous sale.")
    line_id: str | None = Field(None, description="Tells the lines of an order apart.")
    amount: str | None = Field(None, description="Money of the row.")
    quantity: str | None = Field(None, description="Pieces of the line.")
    unit_price: str | None = Field(None, description="Price of a piece.")
    items: str | None = Field(None, description="Pieces of the order; for lines, use quantity.")
    channel: str | None = Field(None, description="Sales channel.")
    category: str | None = Field(None, description="Category of what was sold.")
    payment_type: str | None = Field(None, description="How it was paid.")
    installments: str | None = Field(None, description="Payments that the order was split into.")
    freight: str | None = Field(None, description="Shipping charged, a part of the amount.")
    related_order_id: str | None = Field(None, description="For a refund: the order refunded.")
    delivered_on: str | None = Field(None, description="Day the customer had it.")
    review_score: str | None = Field(None, description="The customer's score, 1 to 5.")
    reviewed_on: str | None = Field(None, description="Day the customer gave the score.")
    name: str | None = Field(None, description="Name of the customer.")
    email: str | None = Field(None, description="E-mail address of the customer.")
    phone: str | None = Field(None, description="Telephone number of the customer.")
    address: str | None = Field(None, description="Street address of the customer.")
    birth_date: str | None = Field(None, description="Birth date of the customer.")
    tax_id: str | None = Field(None, description="Tax number of the customer.")
    city: str | None = Field(None, description="City of the customer.")
    state: str | None = Field(None, description="State or region of the customer.")
    postal_code: str | None = Field(None, description="Postal code of the customer.")
    country: str | None = Field(None, description="Country of the customer.")
    acquisition_channel: str | None = Field(None, description="What brought the customer.")
    loyalty_tier: str | None = Field(None, description="Tier in the loyalty programme.")
    marketing_consent: str | None = Field(None, description="May the customer be written to?")
    signed_up_on: str | None = Field(None, description="Day the customer signed up.")

    @model_validator(mode="after")
    def _money(self) -> Columns:
        if self.amount is None and (self.quantity is None or self.unit_price is None):
            raise ValueError("amount is missing: name it, or both quantity and unit_price")
        if self.amount is not None and self.unit_price is not None:
            raise ValueError("amount and unit_price contradict each other: name one of them")
        return self

    def roles(self) -> dict[str, str]:
        """Role to the file's header, for the roles that are mapped."""
        return {role: header for role, header in self.model_dump().items() if header is not None}


class Condition(_Strict):
    """A test of one column of the file: exactly one of the tests must be given.

    Text is trimmed first and case matters; a blank value fits no condition.
    """

    column: str
    equals: Texts | None = None
    starts_with: Texts | None = None
    matches: str | None = Field(None, description="Regular expression, found anywhere.")
    below: float | None = None
    at_most: float | None = None
    above: float | None = None
    at_least: float | None = None

    @property
    def test(self) -> tuple[str, Any]:
        """Name and value of the test."""
        given = [(name, getattr(self, name)) for name in _TESTS if getattr(self, name) is not None]
        return given[0]

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        given = [name for name in _TESTS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(_TESTS)}, not {len(given)}")
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except re.error as error:
                raise ValueError(f"matches is not a regular expression: {error}") from None
        return self


_TESTS = ("equals", "starts_with", "matches", "below", "at_most", "above", "at_least")


class Cancellation(Condition):
    """How a row that takes something back looks."""

    kind: Literal["refund", "cancelled"] = "refund"


class Exclusion(Condition):
    """How a row that is no transaction looks, and how that is called in the accounts."""

    reason: str = Field(pattern=_NAME)
    only: Literal["sale", "refund", "cancelled"] | None = Field(
        None, description="Apply it to rows of this kind only."
    )


class FileMapping(_Strict):
    """One kind of file; see the module's docstring."""

    name: str = Field(pattern=_NAME, max_length=60)
    description: str | None = None
    path: Path | None = None
    files: str | None = None
    date_in_name: str | None = None
    format: Literal["csv", "parquet"] = "csv"
    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: Literal["utf-8", "latin-1", "utf-16"] = "utf-8"
    decimal_separator: Literal[".", ","] = "."
    time_zone: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    date_format: str = "yyyy-MM-dd HH:mm:ss"
    day_format: str = "yyyy-MM-dd"
    grain: Literal["orders", "lines"]
    closed: bool = False
    repeated_lines: Literal["drop", "keep"] = "drop"
    columns: Columns
    keep: list[str] = Field(default_factory=list)
    cancellations: list[Cancellation] = Field(default_factory=list)
    exclude: list[Exclusion] = Field(default_factory=list)

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name in BUILT_IN:
            raise ValueError(f"{name} is the name of another source; choose another")
        return name

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{zone!r} is not an IANA time zone like Europe/London") from None
        return zone

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
        if self.grain == "orders" and self.columns.line_id is not None:
            raise ValueError("columns.line_id needs grain: lines")
        return self

    @property
    def table(self) -> str:
        """The source's bronze table."""
        return f"{self.name}_{self.grain}"

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
    folder = resources.files(__package__).joinpath("mappings")
    return tuple(
        sorted(
            entry.name.removesuffix(".yaml")
            for entry in folder.iterdir()
            if entry.name.endswith(".yaml")
        )
    )


def load_mapping(name: str | Path) -> FileMapping:
    """The mapping in a YAML file, or one of `shipped_mappings` by its name.

    A relative ``path`` in it is relative to the YAML file.

    Raises:
        SettingsError: There is no such file, or what is in it is wrong; one line says where.
    """
    file = Path(name)
    if str(name) in shipped_mappings() and not file.is_file():
        text = resources.files(__package__).joinpath("mappings", f"{name}.yaml").read_text("utf-8")
        return parse_mapping(text, where=f"{name}.yaml")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SettingsError(f"mapping {name}: expected UTF-8 text, found other bytes") from None
    except OSError as error:
        raise SettingsError(
            f"mapping {name}: {(error.strerror or str(error)).lower()}; give a YAML file or the "
            f"name of a mapping that ships ({listed(shipped_mappings())})"
        ) from None
    found = parse_mapping(text, where=file.name)
    if found.path is not None and not found.path.is_absolute():
        found = found.model_copy(update={"path": file.parent / found.path})
    return found


def parse_mapping(text: str, *, where: str) -> FileMapping:
    """The mapping in YAML ``text``; ``where`` names it in errors.

    Raises:
        SettingsError: It is not YAML, or says something wrong.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or "cannot be parsed").split())
        raise SettingsError(f"mapping {where}: is not YAML{line}: {problem}") from None
    if not isinstance(data, dict):
        raise SettingsError(f"mapping {where}: expected keys such as name, columns, time_zone")
    try:
        return FileMapping(**{str(key): value for key, value in data.items()})
    except ValidationError as error:
        raise SettingsError(f"mapping {where}: {_problem(error, data)}") from None


def _problem(error: ValidationError, data: Mapping[str, Any]) -> str:
    """The first problem, and how many more there are."""
    problems = error.errors()
    # A misspelt key is the likely cause of the key that is missing: name it first.
    problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    at = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "missing":
        message = "is missing"
    elif first["type"] == "extra_forbidden":
        message = f"is not a key of a mapping; known are {', '.join(_known(first['loc']))}"
    elif first["type"] == "string_type":
        message = f"{first['input']!r} is not text; put it in quotation marks"
    elif first["type"] == "string_pattern_mismatch":
        message = f"{first['input']!r} must match {first['ctx']['pattern']}"
    elif first["type"] == "literal_error":
        message = f"{first['input']!r} must be {first['ctx']['expected']}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{at}{': ' if at and message != 'is missing' else ' '}{message}{more}".strip()


def _known(location: tuple[int | str, ...]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "columns": Columns,
        "cancellations": Cancellation,
        "exclude": Exclusion,
    }
    model = models.get(str(location[0]), FileMapping) if len(location) > 1 else FileMapping
    return list(model.model_fields)
