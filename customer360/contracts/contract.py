"""A data contract: what a table's columns are, read from Open Data Contract Standard YAML.

The YAML is parsed by ``open-data-contract-standard`` (pydantic models of ODCS 3.x) and then
reduced to the two small dataclasses below, which is all that the rest of the project reads.
What the standard allows but nothing here would enforce is refused: a rule that is written
down and silently not checked is worse than no rule.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pydantic
import yaml
from open_data_contract_standard.model import (
    CustomProperty,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)

from customer360.errors import Customer360Error

LAYERS = ("bronze", "silver", "gold", "quarantine")
MONEY = "money"
"""Property of a contract: the columns whose products, added, are the money of a row."""
MONEY_IN = "moneyIn"
"""Property of a contract: the column that names a row's currency, and the texts, in capitals, that
stand there for the source's own. Other money has no worth in it."""
SET_ASIDE = "setAside"
"""Custom property of a bronze column that describes rather than counts: a value that breaks a rule
is read as null, and its row stays."""
PERSONAL = "personal"
"""The classification that marks personal data (LGPD, GDPR)."""

QUASI_IDENTIFIER = "quasi-identifier"
"""The classification of texts that tell who somebody is where few share them: masked where a person
can be read in one, and published only where enough customers share it."""
ROW_IDENTIFIER = "identifier"
"""The classification of a source's own ids of orders: published as keyed hashes only."""

LOGICAL_TYPES = ("string", "integer", "number", "boolean", "date", "timestamp", "array")
STRING_FORMATS = ("email", "uuid", "uri", "ipv4")
INTEGER_FORMATS = ("i8", "i16", "i32", "i64")
DELIVERIES = ("daily", "extract")

_SUFFIX = ".odcs.yaml"
_RANGE = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": (*_RANGE, "format"),
    "number": _RANGE,
    "boolean": (),
    "date": (*_RANGE, "format"),
    "timestamp": (*_RANGE, "format", "timezone", "defaultTimezone"),
    "array": (),
}
_TYPED_AS: Mapping[str, tuple[str, ...]] = {
    "string": ("string",),
    "integer": ("tinyint", "smallint", "int", "integer", "bigint", "long"),
    "number": ("float", "double", "decimal"),
    "boolean": ("boolean",),
    "date": ("date",),
    "timestamp": ("timestamp", "timestamp_ntz"),
    "array": ("array",),
}


class ContractError(Customer360Error):
    """A contract that cannot be read, or a table that does not have its contract's columns."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    ``minimum`` and the other bounds are numbers for numeric columns and ISO text for dates
    and timestamps. ``references`` is ``layer.table.column``. ``meanings`` says what allowed
    values stand for. ``properties`` holds the ODCS custom properties: ``unit`` is one of them;
    ``decimalSeparator: ","`` reads text such as ``1.234,50`` (more of these in
    `customer360.contracts.numbers`, ``times`` and ``identifiers``). Raises `ContractError` on a
    rule that does not fit the column's type.
    """

    name: str
    logical_type: str = "string"
    physical_type: str = "string"
    required: bool = False
    unique: bool = False
    description: str = ""
    business_name: str = field(default="", repr=False)
    unit: str | None = None
    classification: str | None = None
    minimum: float | int | str | None = None
    maximum: float | int | str | None = None
    exclusive_minimum: float | int | str | None = None
    exclusive_maximum: float | int | str | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    allowed_values: tuple[Any, ...] = ()
    references: str | None = None
    notes: tuple[str, ...] = ()
    meanings: Mapping[Any, str] = field(default_factory=dict, hash=False)
    properties: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ContractError(f"column {self.name or '(no name)'}: {problem}")

    @property
    def is_personal(self) -> bool:
        """Whether the column holds personal data."""
        return self.classification == PERSONAL

    @property
    def referred(self) -> tuple[str, str] | None:
        """The table (``layer/table``) and column that values of this one must be in."""
        if self.references is None:
            return None
        layer, table, column = self.references.split(".")
        return f"{layer}/{table}", column

    @property
    def bounds(self) -> Mapping[str, float | int | str]:
        """The bounds that are set, by rule kind, in the order they are checked."""
        every = {
            "minimum": self.minimum,
            "exclusive_minimum": self.exclusive_minimum,
            "maximum": self.maximum,
            "exclusive_maximum": self.exclusive_maximum,
        }
        return {kind: bound for kind, bound in every.items() if bound is not None}

    def _problem(self) -> str | None:
        if not self.name:
            return "needs a name"
        if self.logical_type not in LOGICAL_TYPES:
            return f"logicalType is {self.logical_type!r}, must be one of {_listed(LOGICAL_TYPES)}"
        physical = re.split(r"[(<]", self.physical_type.lower())[0].strip()
        if physical != "string" and physical not in _TYPED_AS[self.logical_type]:
            return (
                f"physicalType {self.physical_type} does not hold logicalType {self.logical_type}"
            )
        return self._rule_problem()

    def _rule_problem(self) -> str | None:
        is_text = self.logical_type == "string"
        if self.bounds and self.logical_type in ("string", "boolean", "array"):
            return f"a {self.logical_type} has no minimum or maximum"
        if not is_text and (
            self.pattern is not None or self.min_length is not None or self.max_length is not None
        ):
            return f"a {self.logical_type} has no pattern, minLength or maxLength"
        for kind, bound in self.bounds.items():
            problem = _bound_problem(self.logical_type, kind, bound)
            if problem:
                return problem
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                return f"pattern {self.pattern!r} is not a regular expression: {error}"
        formats = {"string": STRING_FORMATS, "integer": INTEGER_FORMATS}.get(self.logical_type)
        if self.format is not None and formats and self.format not in formats:
            return f"format is {self.format!r}, must be one of {_listed(formats)}"
        if self.format is not None and self.logical_type in ("number", "boolean", "array"):
            return f"a {self.logical_type} has no format"
        expected: tuple[type, ...] = (str,)
        if self.logical_type in ("integer", "number"):
            expected = (int, float)
        for value in self.allowed_values:
            if not isinstance(value, expected) or isinstance(value, bool):
                return f"allowed value {value!r} is not {self.logical_type}; quote text in YAML"
        return None


@dataclass(frozen=True)
class Contract:
    """A table's contract: ``table`` is ``layer/table``, e.g. ``silver/transactions``.

    ``columns`` are the columns the contract states. A bronze table is stored with
    bookkeeping columns beside them: see `stored_columns`. ``properties`` holds the ODCS
    custom properties of the schema object (partitionBy, eventTime, delivery, indexedColumns,
    reads, and whatever else the file says). Raises `ContractError` when these contradict the
    columns.
    """

    table: str
    description: str
    owner: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    partition_by: str | None = None
    grain: str | None = None
    notes: tuple[str, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ContractError(f"contract {self.table}: {problem}")

    @property
    def layer(self) -> str:
        """The layer: bronze, silver, gold or quarantine."""
        return self.table.partition("/")[0]

    @property
    def name(self) -> str:
        """The table's name without its layer."""
        return self.table.partition("/")[2]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the contract's columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def stored_columns(self) -> tuple[Column | Bookkeeping, ...]:
        """All columns of the table on disk: a bronze table's bookkeeping comes last."""
        return (*self.columns, *(BOOKKEEPING if self.layer == "bronze" else ()))

    @property
    def personal_columns(self) -> tuple[str, ...]:
        """Names of the columns that hold personal data."""
        return self._classified(PERSONAL)

    @property
    def quasi_identifiers(self) -> tuple[str, ...]:
        """Names of the columns whose rare values tell who somebody is."""
        return self._classified(QUASI_IDENTIFIER)

    @property
    def row_identifiers(self) -> tuple[str, ...]:
        """Names of the columns that hold a source's own ids of orders."""
        return self._classified(ROW_IDENTIFIER)

    def _classified(self, classification: str) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if c.classification == classification)

    @property
    def event_time(self) -> str | None:
        """Bronze: the text column that says when the row's event took place."""
        value = self.properties.get("eventTime")
        return None if value is None else str(value)

    @property
    def delivery(self) -> str | None:
        """Bronze: ``daily`` (a delivery a day) or ``extract`` (the whole file, replaced)."""
        value = self.properties.get("delivery")
        return None if value is None else str(value)

    @property
    def expires_by(self) -> str | None:
        """The column whose day says when a row is past its time; None: rows have no age of own.

        Stated, or that of the delivery in bronze, or the as-of date of a snapshot.
        """
        value = self.properties.get("expiresBy")
        if value is not None:
            return str(value)
        if self.layer == "bronze" and self.delivery == "daily":
            return "_delivered_on"
        return "as_of" if self.layer == "gold" and self.partition_by == "as_of" else None

    @property
    def reads(self) -> tuple[str, ...]:
        """The tables (``layer/table``) that this one is made of, where the contract says so."""
        return tuple(self.properties.get("reads") or ())

    @property
    def indexed_columns(self) -> tuple[str, ...]:
        """The columns that Delta keeps statistics of, since readers filter on them."""
        return tuple(self.properties.get("indexedColumns") or ())

    def column(self, name: str) -> Column:
        """The contract's column of that name; `ContractError` when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(
            f"contract {self.table}: no column {name!r}; it has {_listed(self.column_names)}"
        )

    @classmethod
    def load(cls, table: str) -> Contract:
        """The contract that ships for ``table``; `ContractError` when there is none.

        What bronze refuses has the same shape in every ``quarantine/...`` table, so any such name
        loads; what silver keeps out, and edits, have contracts of their own.
        """
        return _load(table)

    @classmethod
    def from_path(cls, path: Path | str, table: str | None = None) -> Contract:
        """The contract in a YAML file of the user's own.

        ``table`` overrides the ``physicalName`` (``layer/table``) that the file states.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ContractError(f"contract {path}: cannot be read: {error}") from error
        return cls.from_yaml(text, where=str(path), table=table)

    @classmethod
    def from_yaml(cls, text: str, *, where: str, table: str | None = None) -> Contract:
        """The contract in ODCS YAML text; ``where`` names its origin in errors."""
        try:
            return _Reader(where).contract(text, table)
        except ContractError as error:
            message = str(error)
            if not message.startswith(f"contract {where}"):
                message = f"contract {where}: {message.removeprefix('contract ')}"
            raise ContractError(message) from error

    @classmethod
    def from_columns(
        cls,
        table: str,
        columns: Iterable[Column],
        *,
        description: str,
        owner: str = "data-engineering",
        primary_key: Sequence[str] = (),
        event_time: str | None = None,
        delivery: str | None = None,
        indexed_columns: Sequence[str] = (),
        partition_by: str | None = None,
        grain: str | None = None,
        notes: Sequence[str] = (),
        excluded_where: str | None = None,
        money: Sequence[Sequence[str]] = (),
        money_in: Mapping[str, Sequence[str]] | None = None,
    ) -> Contract:
        """A contract made by a program, as the ``files`` source makes one from its mapping.

        ``excluded_where`` is an SQL condition of the columns' texts: rows that fit it need not
        keep the rules. ``money`` names the columns whose products, added, are the money of a row;
        ``money_in``, of one column that names its currency, what stands there for its own.
        """
        stated = {
            "eventTime": event_time,
            "delivery": delivery,
            "indexedColumns": list(indexed_columns) or None,
            "partitionBy": partition_by,
            "excludedWhere": excluded_where,
            "money": [list(names) for names in money] or None,
            "moneyIn": {name: list(codes) for name, codes in (money_in or {}).items()} or None,
        }
        return _complete(
            table=table,
            description=description,
            owner=owner,
            columns=tuple(columns),
            primary_key=tuple(primary_key),
            grain=grain,
            notes=tuple(notes),
            properties={name: value for name, value in stated.items() if value is not None},
        )

    def _problem(self) -> str | None:
        layer, _, name = self.table.partition("/")
        if layer not in LAYERS or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            return f"the table must be named layer/table, the layer one of {_listed(LAYERS)}"
        if not self.columns:
            return "has no columns"
        names = [column.name.lower() for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            return f"states column {twice[0]} more than once"
        stored = {column.name for column in self.stored_columns}
        named: list[tuple[str, str | None]] = [
            ("partitionBy", self.partition_by),
            ("eventTime", self.event_time),
            *(("indexedColumns", column) for column in self.indexed_columns),
            *(("primaryKey", column) for column in self.primary_key),
            *(("money", name) for names in self.properties.get("money") or () for name in names),
        ]
        for what, column in named:
            if column is not None and column not in stored:
                return f"{what} names {column!r}, which is not a column of the table"
        if self.partition_by in self.indexed_columns:
            return f"indexedColumns names the partition column {self.partition_by!r}; remove it"
        if self.delivery is not None and self.delivery not in DELIVERIES:
            return f"delivery is {self.delivery!r}, must be one of {_listed(DELIVERIES)}"
        if self.layer == "bronze":
            return self._bronze_problem()
        return None

    def _bronze_problem(self) -> str | None:
        if self.delivery is None:
            return "a bronze table must state the custom property delivery: daily or extract"
        for column in self.columns:
            if column.name.startswith("_"):
                return f"column {column.name}: names beginning with _ are bookkeeping's; rename it"
            if column.physical_type != "string":
                return f"column {column.name}: a bronze column is text; physicalType is string"
        if self.event_time is not None and self.column(self.event_time).logical_type not in (
            "date",
            "timestamp",
        ):
            return f"eventTime {self.event_time!r} must be a date or a timestamp"
        return None


@dataclass(frozen=True)
class Bookkeeping:
    """A column that ingestion adds to every bronze table; its name begins with ``_``."""

    name: str
    logical_type: str
    physical_type: str
    required: bool
    description: str


BOOKKEEPING = (
    Bookkeeping(
        "_rescued",
        "string",
        "string",
        False,
        "JSON of the columns the file had and the contract has not; null when there were none.",
    ),
    Bookkeeping("_source_file", "string", "string", True, "The file the row was read from."),
    Bookkeeping(
        "_delivered_on",
        "date",
        "date",
        False,
        "The day whose delivery held the row; null for tables that come as one extract.",
    ),
    Bookkeeping(
        "_event_date",
        "date",
        "date",
        False,
        "The date of the event time as the source wrote it, for data skipping; null when the "
        "table has no event time.",
    ),
    Bookkeeping("_ingested_at", "timestamp", "timestamp", True, "When the row was ingested, UTC."),
    Bookkeeping(
        "_row_hash",
        "integer",
        "bigint",
        True,
        "xxHash64 of the contract's columns in the contract's order, missing told from empty.",
    ),
    Bookkeeping(
        "_edited_row",
        "integer",
        "bigint",
        False,
        "Of a row that was edited: the row's id in `quarantine/edits`; null of rows as delivered.",
    ),
    Bookkeeping("_edited_by", "string", "string", False, "Who edited the row."),
    Bookkeeping("_edited_at", "timestamp", "timestamp", False, "When it was edited, UTC."),
)
"""The columns of a bronze table that are not the source's own, in stored order."""


def packaged_tables() -> tuple[str, ...]:
    """The tables whose contracts ship with the package, in the order of the layers."""
    tables: list[str] = []
    for layer in LAYERS:
        folder = resources.files(__package__).joinpath(layer)
        if folder.is_dir():
            names = sorted(entry.name for entry in folder.iterdir())
            tables += [
                f"{layer}/{name.removesuffix(_SUFFIX)}" for name in names if name.endswith(_SUFFIX)
            ]
    return tuple(tables)


@functools.cache
def _load(table: str) -> Contract:
    layer, _, name = table.partition("/")
    if layer not in LAYERS or not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ContractError(
            f"contract {table}: a table is named layer/table, the layer one of {_listed(LAYERS)}"
        )
    folder = resources.files(__package__).joinpath(layer)
    own = layer != "quarantine" or folder.joinpath(name + _SUFFIX).is_file()
    file = name if own else "any_table"
    source = folder.joinpath(file + _SUFFIX)
    if not source.is_file():
        raise ContractError(
            f"contract {table}: none ships with the package (no contracts/{layer}/{file}{_SUFFIX})"
        )
    where = f"{layer}/{file}{_SUFFIX}"
    contract = Contract.from_yaml(source.read_text(encoding="utf-8"), where=where)
    if not own:
        return replace(contract, table=table)
    if contract.table != table:
        raise ContractError(
            f"contract {where}: schema physicalName is {contract.table!r}, must be {table!r}"
        )
    return contract


def _complete(**stated: Any) -> Contract:
    """A contract with the partition column it states, or the one that its delivery implies."""
    properties = stated["properties"]
    partition_by = properties.get("partitionBy")
    if partition_by is None and properties.get("delivery") == "daily":
        partition_by = "_delivered_on"
    return Contract(partition_by=partition_by, **stated)


class _Reader:
    """Reads one ODCS document; every error names the file and the property."""

    def __init__(self, where: str) -> None:
        self.where = where

    def contract(self, text: str, table: str | None) -> Contract:
        document = self._document(text)
        schema = document.schema_ or []
        if len(schema) != 1:
            raise self._error("schema", f"must hold exactly one table, holds {len(schema)}")
        (table_object,) = schema
        at = f"schema.{table_object.name or '0'}"
        name = table or table_object.physicalName
        if not name:
            raise self._error(f"{at}.physicalName", "must be layer/table")
        owner = document.team.name if document.team and hasattr(document.team, "name") else None
        if not owner:
            raise self._error("team.name", "must name the owner of the table")
        if not (table_object.description or "").strip():
            raise self._error(f"{at}.description", "is missing")
        listed = table_object.properties or []
        keyed = [p for p in listed if p.primaryKey]
        keyed.sort(key=lambda p: p.primaryKeyPosition or 0)
        return _complete(
            table=name,
            description=_one_line(table_object.description),
            owner=owner,
            columns=tuple(self._column(p, f"{at}.{p.name or i}") for i, p in enumerate(listed)),
            primary_key=tuple(str(p.name) for p in keyed),
            grain=_one_line(table_object.dataGranularityDescription) or None,
            notes=tuple(self._notes(table_object, at)),
            properties=self._custom(table_object.customProperties, at),
        )

    def _error(self, at: str, problem: str) -> ContractError:
        return ContractError(f"contract {self.where}: {at} {problem}")

    def _document(self, text: str) -> OpenDataContractStandard:
        # The C loader reads a contract in a tenth of the time, and Dagster loads them all.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            data = yaml.load(text, Loader=loader)  # noqa: S506 - safe in both spellings
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" at line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "cannot be parsed"
            raise ContractError(
                f"contract {self.where}: is not YAML{line}: {_one_line(problem)}"
            ) from error
        if not isinstance(data, dict):
            raise ContractError(f"contract {self.where}: is not a mapping of ODCS properties")
        for at, name in _unknown(OpenDataContractStandard, data):
            raise self._error(at + name, "is not a property of the standard; check its spelling")
        try:
            document = OpenDataContractStandard(**data)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in _readable(first["loc"], data))
            raise self._error(at, f"is wrong: {first['msg']}") from error
        if document.kind != "DataContract":
            raise self._error("kind", f"is {document.kind!r}, must be 'DataContract'")
        if not (document.apiVersion or "").startswith("v3."):
            raise self._error("apiVersion", f"is {document.apiVersion!r}, must be v3.x")
        return document

    def _column(self, stated: SchemaProperty, at: str) -> Column:
        if not stated.name:
            raise self._error(f"{at}.name", "is missing")
        logical = stated.logicalType or ""
        if logical not in LOGICAL_TYPES:
            raise self._error(
                f"{at}.logicalType", f"is {logical!r}, must be one of {_listed(LOGICAL_TYPES)}"
            )
        if not stated.physicalType:
            raise self._error(f"{at}.physicalType", "is missing")
        options = {k: _plain(v) for k, v in (stated.logicalTypeOptions or {}).items()}
        for option in options:
            if option not in _OPTIONS[logical]:
                known = _listed(_OPTIONS[logical]) or "none"
                raise self._error(
                    f"{at}.logicalTypeOptions.{option}", f"is not an option of {logical}: {known}"
                )
        custom = self._custom(stated.customProperties, at)
        try:
            return Column(
                name=stated.name,
                logical_type=logical,
                physical_type=stated.physicalType,
                required=bool(stated.required),
                unique=bool(stated.unique),
                description=_one_line(stated.description),
                business_name=stated.businessName or "",
                unit=None if custom.get("unit") is None else str(custom["unit"]),
                classification=stated.classification,
                minimum=options.get("minimum"),
                maximum=options.get("maximum"),
                exclusive_minimum=options.get("exclusiveMinimum"),
                exclusive_maximum=options.get("exclusiveMaximum"),
                min_length=options.get("minLength"),
                max_length=options.get("maxLength"),
                pattern=options.get("pattern"),
                format=options.get("format"),
                allowed_values=tuple(self._allowed(stated, at)),
                references=self._reference(stated, at),
                notes=tuple(self._notes(stated, at)),
                meanings={e.value: e.description for e in stated.enum or [] if e.description},
                properties=custom,
            )
        except ContractError as error:
            raise self._error(at, str(error).partition(": ")[2]) from error

    def _allowed(self, stated: SchemaProperty, at: str) -> Iterator[Any]:
        for i, entry in enumerate(stated.enum or []):
            if entry.value is None:
                raise self._error(f"{at}.enum.{i}.value", "is missing")
            yield entry.value
        for i, rule in enumerate(stated.quality or []):
            if rule.metric == "invalidValues":
                yield from (rule.arguments or {}).get("validValues", [])
            elif rule.type != "text":
                raise self._error(
                    f"{at}.quality.{i}", "is not checked here; use enum, logicalTypeOptions or text"
                )

    def _notes(self, stated: SchemaProperty | SchemaObject, at: str) -> Iterator[str]:
        for i, rule in enumerate(stated.quality or []):
            if rule.type == "text":
                if not rule.description:
                    raise self._error(f"{at}.quality.{i}.description", "is missing")
                yield _one_line(rule.description)
            elif isinstance(stated, SchemaObject):
                raise self._error(f"{at}.quality.{i}", "is not checked here; use type: text")

    def _reference(self, stated: SchemaProperty, at: str) -> str | None:
        links = stated.relationships or []
        if not links:
            return None
        if len(links) > 1 or not isinstance(links[0].to, str):
            raise self._error(f"{at}.relationships", "must hold one reference to one column")
        if not re.fullmatch(r"\w+\.\w+\.\w+", links[0].to):
            raise self._error(f"{at}.relationships.0.to", "must be layer.table.column")
        return links[0].to

    def _custom(self, stated: list[CustomProperty] | None, at: str) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        for i, entry in enumerate(stated or []):
            if not entry.property:
                raise self._error(f"{at}.customProperties.{i}.property", "is missing")
            properties[entry.property] = entry.value
        return properties


def _bound_problem(logical_type: str, kind: str, bound: Any) -> str | None:
    if logical_type in ("integer", "number"):
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            return f"{kind} {bound!r} is not a number"
        return None
    kinds: Mapping[str, type[datetime.date]] = {
        "date": datetime.date,
        "timestamp": datetime.datetime,
    }
    try:
        kinds[logical_type].fromisoformat(str(bound))
    except ValueError:
        return f"{kind} {bound!r} is not a {logical_type} in ISO form"
    return None


def _unknown(model: Any, data: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Properties the standard does not know: pydantic would drop a misspelt rule in silence."""
    fields = {(f.alias or name): f.annotation for name, f in model.model_fields.items()}
    for key, value in data.items():
        if key not in fields:
            yield at, str(key)
            continue
        inner = _model_in(fields[key])
        if inner is None:
            continue
        if isinstance(value, dict):
            yield from _unknown(inner, value, f"{at}{key}.")
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, dict):
                    label = item.get("name") or i
                    yield from _unknown(inner, item, f"{at}{key}.{label}.")


def _model_in(annotation: Any) -> type[pydantic.BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        model = _model_in(part)
        if model is not None:
            return model
    return None


def _readable(location: Sequence[int | str], data: Any) -> Iterator[int | str]:
    """A pydantic location with list positions replaced by the names of what stands there."""
    here = data
    for part in location:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
        named = here.get("name") if isinstance(here, dict) and isinstance(part, int) else None
        yield named or part


def _plain(value: Any) -> Any:
    """YAML reads an unquoted date as a date; bounds are kept as ISO text."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
