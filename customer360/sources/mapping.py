"""What the YAML mappings of all sources share: what a row's columns mean, and how YAML is read.

``files`` and ``postgres`` each add where their rows come from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from customer360.contracts.attributes import customer_attributes
from customer360.contracts.times import READABLE
from customer360.errors import SettingsError, listed
from customer360.mistakes import CURRENCY, NAME, meant, must_be, own_words
from customer360.yaml_text import UnreadableYamlError, read_yaml

CUSTOMER_ROLES = tuple(customer_attributes())
"""Roles that describe the customer rather than the order."""

PERSONAL_ROLES = (
    "customer_id",
    *(name for name, attribute in customer_attributes().items() if attribute.is_personal),
)
"""Roles that hold personal data."""

ANONYMOUS = (
    "0",
    "-1",
    "-",
    "guest",
    "anonymous",
    "null",
    "none",
    "nil",
    "nan",
    "n/a",
    "#n/a",
    "\\N",
    "undefined",
)
"""Customer ids that exports write where there is no customer, in capital letters or small."""

NULL_WORDS = ("NULL", "null", "\\N", "NaN", "nan", "N/A", "n/a", "#N/A", "None", "(null)", "<NA>")
"""What programs write where there is no value."""


def _texts(value: object) -> object:
    """Let a list of one be written without brackets, and codes that YAML reads as numbers."""
    values = value if isinstance(value, list) else [value]
    return [str(v) if isinstance(v, int | float) and not isinstance(v, bool) else v for v in values]


Texts = Annotated[list[str], BeforeValidator(_texts), Field(min_length=1)]
Words = Annotated[list[str], BeforeValidator(_texts)]


def _columns(value: object) -> object:
    """A list of one column is that column."""
    for part in value if isinstance(value, list) else [value]:
        if not isinstance(part, str):
            raise ValueError(f"{part!r} is not text; put it in quotation marks")
    return value[0] if isinstance(value, list) and len(value) == 1 else value


SeveralColumns = Annotated[str | list[str], BeforeValidator(_columns)]


class Strict(BaseModel):
    """Keys that it does not know are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OrderColumns(Strict):
    """The source's column of everything there is to know of an order; what is absent is null.

    ``order_id`` and ``related_order_id`` may be several columns, which together are the id;
    ``amount`` may be several, which are added.
    """

    order_id: SeveralColumns = Field(
        description="The order; for lines, the same in all its lines.", examples=["InvoiceNo"]
    )
    occurred_at: str = Field(
        description="When the order was placed or refunded, local time.", examples=["InvoiceDate"]
    )
    changed_at: str | None = Field(
        None,
        description="When the row last changed: of an order's rows the last counts.",
        examples=["updated_at"],
    )
    customer_id: str | None = Field(
        None, description="The customer; blank is an anonymous sale.", examples=["CustomerID"]
    )
    line_id: str | None = Field(
        None, description="Tells the lines of an order apart.", examples=["line_no"]
    )
    amount: SeveralColumns | None = Field(
        None, description="Money of the row.", examples=[["Net", "Tax", "Shipping"]]
    )
    quantity: str | None = Field(None, description="Pieces of the line.", examples=["Quantity"])
    unit_price: str | None = Field(None, description="Price of a piece.", examples=["UnitPrice"])
    discount: str | None = Field(
        None,
        description="Taken off the amount (or quantity x unit_price), with or without minus.",
        examples=["Discount Amount"],
    )
    refunded: str | None = Field(
        None,
        description="What was given back of this sale; becomes a refund of its own.",
        examples=["Refunded Amount"],
    )
    refunded_at: str | None = Field(
        None,
        description="When it was given back, local time; blank is when the order was placed.",
        examples=["Refunded at"],
    )
    currency: str | None = Field(
        None,
        description="ISO code of the row's money; blank is the mapping's currency.",
        examples=["Currency"],
    )
    items: str | None = Field(
        None, description="Pieces of the order; for lines, use quantity.", examples=["items"]
    )
    channel: str | None = Field(None, description="Sales channel.", examples=["channel"])
    category: str | None = Field(
        None, description="Category of what was sold.", examples=["category"]
    )
    product_id: str | None = Field(
        None, description="Product of the line, as the source calls it.", examples=["StockCode"]
    )
    payment_type: str | None = Field(
        None, description="How it was paid.", examples=["Payment Method"]
    )
    installments: str | None = Field(
        None, description="Payments that the order was split into.", examples=["installments"]
    )
    freight: str | None = Field(
        None, description="Shipping charged, a part of the amount.", examples=["Shipping"]
    )
    related_order_id: SeveralColumns | None = Field(
        None, description="For a refund: the order refunded.", examples=["original_order"]
    )
    delivered_on: str | None = Field(
        None, description="Day the customer had it.", examples=["delivered"]
    )
    review_score: str | None = Field(
        None, description="The customer's score, 1 to 5.", examples=["stars"]
    )
    reviewed_on: str | None = Field(
        None, description="Day the customer gave the score.", examples=["reviewed"]
    )

    @model_validator(mode="after")
    def _money(self) -> Self:
        if self.amount is None and (self.quantity is None or self.unit_price is None):
            raise ValueError("amount is missing: name it, or both quantity and unit_price")
        if self.amount is not None and self.unit_price is not None:
            raise ValueError("amount and unit_price contradict each other: name one of them")
        if self.refunded_at is not None and self.refunded is None:
            raise ValueError("refunded_at needs refunded: the column of what was given back")
        return self

    def roles(self) -> dict[str, str]:
        """Role to the source's column, for the roles that are one column."""
        given = self.model_dump()
        return {role: header for role, header in given.items() if isinstance(header, str)}

    def headers(self, role: str) -> tuple[str, ...]:
        """The source's columns of a role: none, one, or several."""
        given = getattr(self, role)
        if given is None:
            return ()
        return (given,) if isinstance(given, str) else tuple(given)

    def pairs(self) -> list[tuple[str, str]]:
        """Every role with each of its columns."""
        return [(role, header) for role in type(self).model_fields for header in self.headers(role)]


if TYPE_CHECKING:
    Columns = OrderColumns
else:
    # The attributes of a customer are the contract's: see `customer360.contracts.attributes`.
    Columns = create_model(
        "Columns",
        __base__=OrderColumns,
        __doc__="The source's column of everything the project wants to know.",
        **{
            name: (
                str | None,
                Field(
                    None,
                    description=attribute.business_name or attribute.description,
                    examples=[attribute.properties.get("header", name)],
                ),
            )
            for name, attribute in customer_attributes().items()
        },
    )


class Condition(Strict):
    """A test of one column: exactly one of the tests must be given.

    Text is trimmed first and case matters; a blank value fits no condition but ``blank: true``.
    """

    column: str = Field(description="The source's column that is tested.", examples=["status"])
    equals: Texts | None = Field(
        None, description="The text is one of these.", examples=[["refunded", "returned"]]
    )
    starts_with: Texts | None = Field(
        None, description="The text begins with one of these.", examples=[["C"]]
    )
    matches: str | None = Field(
        None, description="Regular expression, found anywhere.", examples=["^(?!USD$)"]
    )
    blank: bool | None = Field(
        None, description="Nothing is there (true), or something (false).", examples=[False]
    )
    below: float | None = Field(None, description="The number is less.", examples=[0])
    at_most: float | None = Field(None, description="The number is less or equal.", examples=[0])
    above: float | None = Field(None, description="The number is greater.", examples=[1000])
    at_least: float | None = Field(
        None, description="The number is greater or equal.", examples=[1]
    )

    @property
    def test(self) -> tuple[str, Any]:
        """Name and value of the test."""
        given = [(name, getattr(self, name)) for name in _TESTS if getattr(self, name) is not None]
        return given[0]

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        given = [name for name in _TESTS if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"found {listed(given)}" if given else "found none"
            raise ValueError(f"give exactly one of {', '.join(_TESTS)}; {found}")
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except re.error as error:
                raise ValueError(
                    f"matches: {self.matches!r} is not a regular expression that both Python "
                    f"and Spark know: {error}"
                ) from None
        return self


_TESTS = ("equals", "starts_with", "matches", "blank", "below", "at_most", "above", "at_least")


class Cancellation(Condition):
    """How a row that takes something back looks."""

    kind: Literal["refund", "cancelled"] = Field(
        "refund",
        description="Money given back, or an order that never came to be.",
        examples=["cancelled"],
    )


class Exclusion(Condition):
    """How a row that is no transaction looks, and how that is called in the accounts."""

    reason: str = Field(
        pattern=NAME,
        description="How the accounts call it, in small letters.",
        examples=["test_order"],
    )
    only: Literal["sale", "refund", "cancelled"] | None = Field(
        None, description="Apply it to rows of this kind only.", examples=["sale"]
    )


class RowMapping(Strict):
    """What the rows of a source are, wherever they are kept."""

    name: str = Field(
        pattern=NAME,
        max_length=60,
        description="The source's name: a part of every customer key, and of its table's name. "
        "Changed, all customers are new ones.",
        examples=["shop"],
        json_schema_extra={"wrong": "My Shop"},
    )
    description: str | None = Field(
        None, description="For the documentation.", examples=["Orders of the shop"]
    )
    time_zone: str = Field(
        description="IANA zone of times that carry no offset, and of the business's days.",
        examples=["Europe/London"],
        json_schema_extra={"wrong": "London"},
    )
    currency: str = Field(
        pattern=CURRENCY,
        description="ISO 4217 code of all amounts. Rows of which `columns.currency` says another "
        "are left out as `other_currency`, or converted by `rates`.",
        examples=["EUR"],
        json_schema_extra={"wrong": "€"},
    )
    grain: Literal["orders", "lines"] = Field(
        description="What a row is: an order (or refund), or a line of one.",
        examples=["lines"],
        json_schema_extra={"wrong": "rows"},
    )
    closed: bool = Field(
        False,
        description="The data set no longer grows: the newest day that it has is complete.",
        examples=[True],
        json_schema_extra={"wrong": "finished"},
    )
    repeated_lines: Literal["drop", "keep"] = Field(
        "drop",
        description="Whether lines alike in every column are one line delivered twice, or count "
        "each.",
        examples=["keep"],
        json_schema_extra={"wrong": "sum"},
    )
    anonymous: Words = Field(
        list(ANONYMOUS),
        description="Customer ids that are nobody, in capital letters or small: their orders "
        "count as anonymous sales. `[]` for none.",
        examples=[["0", "guest"]],
    )
    null_words: Words = Field(
        list(NULL_WORDS),
        description="Texts that mean that there is no value. `[]` for none.",
        examples=[["-", "n.a."]],
    )
    amounts_in: Literal["units", "minor_units"] = Field(
        "units",
        description="Whether amounts count whole units or the smallest coin: as `minor_units` "
        "1050 is 10.50 EUR, 1050 JPY, 1.05 KWD (ISO 4217).",
        examples=["minor_units"],
        json_schema_extra={"wrong": "cents"},
    )
    dates_from: date | None = Field(
        None,
        description="First day that a sale can be of; unset, 1980-01-01. What lies before "
        "(1970-01-01, 1900-01-01, a year that lost a digit) goes to quarantine as "
        "`<column>:implausible_date`.",
        examples=[date(1995, 1, 1)],
        json_schema_extra={"wrong": "last year"},
    )
    dates_to: date | None = Field(
        None,
        description="Last such day; unset, 366 days after today, whenever that is. What lies after "
        "(2062, 9999-12-31) goes to quarantine likewise; what lies between today and then waits "
        "for its day.",
        examples=[date(2024, 12, 31)],
        json_schema_extra={"wrong": "never"},
    )
    rates: dict[str, float] = Field(
        default_factory=dict,
        description="What one unit of another currency is worth: its rows are converted instead "
        "of left out. Needs `columns.currency`.",
        examples=[{"USD": 0.92}],
        json_schema_extra={"wrong": {"dollar": 0.92}},
    )
    conflicts: Literal["quarantine", "stop"] | None = Field(
        None,
        description="What becomes of an order of which several rows are equally good: it is kept "
        "out, or none may be. Unset, they are kept out as long as they are few.",
        examples=["stop"],
        json_schema_extra={"wrong": "ignore"},
    )
    columns: Columns = Field(
        description="What the project calls a column, and what the source calls it: the roles.",
        examples=[{"order_id": "id", "occurred_at": "placed", "amount": "total"}],
        json_schema_extra={"wrong": {"order_id": "id", "occurred_at": "placed"}},
    )
    keep: list[str] = Field(
        default_factory=list,
        description="Further columns that bronze keeps under their own names. Whatever else a "
        "file has is kept as JSON.",
        examples=[["Description"]],
        json_schema_extra={"wrong": "Description"},
    )
    cancellations: list[Cancellation] = Field(
        default_factory=list,
        description="The first condition that a row fits makes it a refund, or a cancelled order "
        "by `kind: cancelled`.",
        examples=[[{"column": "status", "equals": ["refunded"]}]],
        json_schema_extra={"wrong": [{"column": "status"}]},
    )
    discounts: list[Condition] = Field(
        default_factory=list,
        description="Lines that fit one of these are taken off their order. Needs `grain: lines`. "
        "Without it a line below zero is left out as `negative_amount`.",
        examples=[[{"column": "sku", "starts_with": ["VOUCHER"]}]],
    )
    exclude: list[Exclusion] = Field(
        default_factory=list,
        description="The first condition that a row fits leaves it out, by its `reason`. Such rows "
        "need not keep any other rule: totals are written so.",
        examples=[[{"reason": "total", "column": "id", "equals": ["Total"]}]],
        json_schema_extra={"wrong": [{"column": "id", "equals": ["Total"]}]},
    )

    @field_validator("rates")
    @classmethod
    def _rates(cls, rates: dict[str, float]) -> dict[str, float]:
        for code, rate in rates.items():
            if not re.fullmatch("[A-Z]{3}", code) or not 0 < rate < 1e9:
                raise ValueError(
                    f"{code}: {rate} must be a currency's ISO code and what one unit of it is "
                    "worth, like EUR: 1.08"
                )
        return rates

    @field_validator("dates_from", "dates_to")
    @classmethod
    def _readable(cls, day: date | None) -> date | None:
        if day is not None and not READABLE[0] <= day <= READABLE[1]:
            raise ValueError(f"{day} must be a day from {READABLE[0]} to {READABLE[1]}")
        return day

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{zone!r} is not an IANA time zone like Europe/London") from None
        return zone

    @model_validator(mode="after")
    def _lines(self) -> RowMapping:
        for role in ("line_id", "product_id"):
            if self.grain == "orders" and self.columns.headers(role):
                raise ValueError(f"columns.{role} needs grain: lines")
        if self.grain == "orders" and self.discounts:
            raise ValueError("discounts are lines of an order: they need grain: lines")
        if self.dates_from and self.dates_to and self.dates_to < self.dates_from:
            raise ValueError(
                f"dates_to {self.dates_to} is before dates_from {self.dates_from}; swap the two"
            )
        if self.rates and self.columns.currency is None:
            raise ValueError("rates need columns.currency: the column that names each currency")
        return self

    @property
    def table(self) -> str:
        """The source's bronze table."""
        return f"{self.name}_{self.grain}"

    @property
    def plausible_dates(self) -> list[str | None]:
        """First and last day that a sale can be of, as stated, for `times.plausible_days`."""
        return [day.isoformat() if day else None for day in (self.dates_from, self.dates_to)]

    def rules(self) -> tuple[Condition, ...]:
        """Everything that is asked of a row's values."""
        return (*self.cancellations, *self.discounts, *self.exclude)

    def stated_columns(self) -> list[str]:
        """The source's columns that the mapping names, each once."""
        stated = [
            *(header for _, header in self.columns.pairs()),
            *(rule.column for rule in self.rules()),
            *self.keep,
        ]
        return list(dict.fromkeys(stated))


MappingT = TypeVar("MappingT", bound=RowMapping)


def shipped(package: str) -> tuple[str, ...]:
    """Names of the mappings that ship in the folder ``mappings`` of ``package``."""
    folder = resources.files(package).joinpath("mappings")
    return tuple(
        sorted(
            entry.name.removesuffix(".yaml")
            for entry in folder.iterdir()
            if entry.name.endswith(".yaml")
        )
    )


def load(model: type[MappingT], package: str, name: str | Path) -> MappingT:
    """The mapping in a YAML file, or one of those that ship with ``package`` by its name.

    Raises:
        SettingsError: There is no such file, or what is in it is wrong; one line says where.
    """
    file = Path(name)
    if str(name) in shipped(package) and not file.is_file():
        text = resources.files(package).joinpath("mappings", f"{name}.yaml").read_text("utf-8")
        return parse(model, text, where=f"{name}.yaml")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SettingsError(
            f"mapping {name}: expected UTF-8 text, found other bytes; save it as UTF-8"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"mapping {name}: {(error.strerror or str(error)).lower()}; give a YAML file or the "
            f"name of a mapping that ships ({listed(shipped(package))})"
        ) from None
    return parse(model, text, where=file.name)


def parse(model: type[MappingT], text: str, *, where: str) -> MappingT:
    """The mapping in YAML ``text``; ``where`` names it in errors.

    Raises:
        SettingsError: It is not YAML, or says something wrong.
    """
    try:
        data = read_yaml(text)
    except UnreadableYamlError as error:
        raise SettingsError(
            f"mapping {where}: {error}; a mapping is three levels of keys and values"
        ) from None
    if not isinstance(data, dict):
        actual = "nothing" if data is None else f"only {str(data)[:40]!r}"
        raise SettingsError(
            f"mapping {where}: expected keys such as name, columns, time_zone, each on a line of "
            f"its own as `name: shop`, found {actual}"
        )
    try:
        return model(**{str(key): value for key, value in data.items()})
    except ValidationError as error:
        raise SettingsError(f"mapping {where}: {_problem(error, model)}") from None


def _problem(error: ValidationError, model: type[BaseModel]) -> str:
    """The first problem, and how many more there are."""
    problems = error.errors()
    # A misspelt key is the likely cause of the key that is missing: name it first.
    problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    # Of a value that may be one of two things, the thing is no key.
    own = [str(part) for part in first["loc"] if str(part) != "str" and "[" not in str(part)]
    at = ".".join(own)
    if first["type"] == "missing":
        message = f"is missing{_written_like(model, first['loc'])}"
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return f"{at} {message}{more}"
    if first["type"] == "extra_forbidden":
        known = _known(model, first["loc"])
        near = meant(str(first["loc"][-1]), known)
        remedy = f"write {near} if that is meant" if near else f"known are {', '.join(known)}"
        message = f"is not a key of a mapping; {remedy}"
    elif first["type"] == "string_too_long" and first["ctx"]["max_length"] == 1:
        message = f"{first['input']!r} must be one character, such as ';'"
    elif first["type"] == "model_type":
        message = f"{first['input']!r} must be keys with values, like {_like(model, first['loc'])}"
    elif first["type"] == "dict_type":
        message = f"{first['input']!r} must be keys with values, like {{EUR: 1.08}}"
    elif first["type"] == "value_error":
        message = own_words(first)
    else:
        message = f"{first['input']!r} {must_be(first) or own_words(first)}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{at}{': ' if at else ''}{message}{more}"


def _written_like(model: type[BaseModel], location: Sequence[int | str]) -> str:
    """How to write the key that is missing at ``location``; "" where nothing shows it."""
    field = _model_at(model, location[:-1]).model_fields.get(str(location[-1]))
    example = (field.examples or [None])[0] if field is not None else None
    return f": write it like `{location[-1]}: {example}`" if isinstance(example, str) else ""


def _like(model: type[BaseModel], location: Sequence[int | str]) -> str:
    """The first key with a value of what stands at ``location``."""
    name, field = next(iter(_model_at(model, location).model_fields.items()))
    return f"{{{field.alias or name}: {(field.examples or ['…'])[0]}}}"


def _known(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys that are known where the misspelt one stands."""
    fields = _model_at(model, location[:-1]).model_fields
    return [field.alias or name for name, field in fields.items()]


def _model_at(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel]:
    """The model of what stands at ``location``, as far as it is one."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as ``list[Cancellation]`` or ``Columns | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (_model_in(inner) for inner in get_args(annotation))
    return next((inner for inner in models if inner is not None), None)
