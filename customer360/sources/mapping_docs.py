"""The page of all keys of a mapping, rendered from its models: ``docs/mappings.md``.

``python -m customer360.sources.mapping_docs`` writes it; a test compares the file with what the
models say now. What is written wrong is told by trying it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from customer360.contracts import SET_ASIDE, Column
from customer360.errors import SettingsError
from customer360.sources.files.mapping import FileMapping
from customer360.sources.files.source import FilesSource
from customer360.sources.mapping import (
    Cancellation,
    Columns,
    Condition,
    Exclusion,
    parse,
)
from customer360.sources.postgres.mapping import PostgresMapping, SoftDelete, Watermark

PATH = Path("docs") / "mappings.md"

LEAST: Mapping[str, Any] = {
    "name": "shop",
    "time_zone": "UTC",
    "currency": "EUR",
    "grain": "lines",
    "columns": {
        "order_id": "id",
        "line_id": "line",
        "occurred_at": "at",
        "amount": "sum",
        "currency": "ccy",
    },
}
"""A mapping to which each key's example may be added."""

_HEADER = """# Mappings: every key

<!-- Written by `python -m customer360.sources.mapping_docs` from the models in
     customer360/sources; change those, not this file. -->

A mapping is a YAML file that says what the columns of your files or tables mean. `customer360 map
FILE…` looks at files and writes one to start from; `customer360 check --mapping M FILE…` tells what
would come in by it. This page has every key, its default, an example, and what is said where it is
written wrong. [Adding a source](adding-a-source.md) tells what becomes of the rows.

The least that a mapping of files holds:

```yaml
name: shop
time_zone: Europe/London
currency: GBP
grain: orders
columns: {order_id: id, customer_id: customer, occurred_at: placed, amount: total}
```

A key that is not known stops the command, which names those that are.
"""

_SHARED = {
    "Every mapping": (
        ("name", "description", "time_zone", "currency", "grain", "closed", "columns", "keep"),
        "",
    ),
    "What rows are": (
        (
            *("cancellations", "discounts", "exclude", "conflicts", "repeated_lines", "anonymous"),
            *("null_words", "amounts_in", "dates_from", "dates_to", "rates"),
        ),
        "",
    ),
}
_OF_FILES = {
    "Files": (("path", "files", "date_in_name", "format", "sheet"), ""),
    "How text is taken apart": (
        (
            "delimiter",
            "encoding",
            "quote",
            "escape",
            "skip_lines",
            "short_rows",
            "fill_down",
            "expands",
        ),
        "Control characters (NUL first) go no further than the file. A row of which every field is "
        "blank is none. Files that Spark cannot read as they are (another encoding, lines before "
        "the header, `fill_down`, spreadsheets) are copied once into `raw/files` of the home.",
    ),
    "Numbers": (
        ("decimal_separator", "thousands_separator"),
        "A thousands mark is one only before every group of exactly three digits: under a decimal "
        "comma `2.500` is 2500, and `24.90` goes to quarantine; nothing is multiplied by guessing. "
        "With neither mark stated, commas are read where there is no doubt (`1,234.56`, "
        "`1,234,567`), and `1,234` alone is refused. Money of India and its neighbours may be "
        "parted as it is there (`12,34,567.00`). Blanks of all kinds and apostrophes part "
        "thousands always. `(12.50)`, `12.50-` and `-12.50` are negative. The currency's signs may "
        "stand beside an amount; those of another currency make it unreadable.",
    ),
    "Dates": (
        ("date_format", "day_format", "two_digit_years_from"),
        "One digit is enough for `dd`, `MM` and `HH`, and white space around a time does not "
        "matter. Two formats that read one text as different "
        "days are refused. Values that show that day and month were taken for each other stop the "
        "run before anything is written, with the format to write; where no day is after the "
        "twelfth, `run` and `check` say so.",
    ),
}
_OF_TABLES = {
    "A database": (
        ("table", "query", "key", "watermark", "deletes", "partition_by", "partitions"),
        "The server knows the columns' types: of the keys above, those of files, text, numbers and "
        "dates are not for tables. Where a watermark stood is kept with bronze's own commit: a run "
        "that was killed reads the same again. By `deletes: snapshot` a row that is gone is "
        "recorded in quarantine as `deleted_at_source`, and one that came back, or that the "
        "watermark missed, is read again. By a column, marked is `true`, a number but 0, a time, "
        "or a word such as `Y`, `yes`, `t`, `x`, `deleted`; not marked is null, blank, `false`, 0, "
        "`N`, `no`, `f`, `infinity` and the like; of a column with other words, `equals` names "
        "those that mark a row. A plain table is cut by where its rows lie on disk; all slices "
        "read one snapshot.",
    ),
}
_KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "timestamp": "a time, by `date_format`",
    "date": "a day, by `day_format`",
    "boolean": "yes or no: `true`, `1`, `sim`, `ja`, `opted in` and the like, or `false`, `0`, "
    "`não`, `nein`, `unsubscribed`",
}


def mappings_markdown() -> str:
    """The page of all keys and roles, `PATH`, from the models of mappings and their contracts."""
    lines = [_HEADER]
    for title, (keys, explanation) in {**_SHARED, **_OF_FILES}.items():
        lines += _section(title, FileMapping, keys, explanation)
    lines += _roles()
    lines += _section(
        "Conditions",
        Condition,
        tuple(Condition.model_fields),
        "What `cancellations`, `discounts` and `exclude` list: a column and exactly one test of "
        "it. Text is trimmed first, and case matters; a blank value fits no condition but "
        "`blank: true`. Tests of text see the text as it stands in the file.",
    )
    further: dict[str, type[BaseModel]] = {
        "Of `cancellations`": Cancellation,
        "Of `exclude`": Exclusion,
    }
    for title, rule in further.items():
        own = tuple(name for name in rule.model_fields if name not in Condition.model_fields)
        lines += _table(rule, own, title)
    for title, (keys, explanation) in _OF_TABLES.items():
        lines += _section(title, PostgresMapping, keys, explanation)
    inside: dict[str, type[BaseModel]] = {"Of `watermark`": Watermark, "Of `deletes`": SoftDelete}
    for title, inner in inside.items():
        lines += _table(inner, tuple(inner.model_fields), title)
    return "\n".join(lines).rstrip() + "\n"


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by their names in YAML."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def with_key(model: type[BaseModel], key: str, value: object) -> str:
    """YAML of the least mapping with one key more."""
    data = {**LEAST, key: value}
    if model is PostgresMapping and key != "query":
        data = {"table": "orders", **data}
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def _section(
    title: str, model: type[BaseModel], keys: Sequence[str], explanation: str
) -> Iterator[str]:
    yield from (f"## {title}", "")
    yield from _table(model, keys, "Key")
    if explanation:
        yield from (explanation, "")


def _table(model: type[BaseModel], keys: Sequence[str], title: str) -> Iterator[str]:
    fields = fields_of(model)
    wrong = any(_wrong(fields[key]) is not None for key in keys)
    yield from _row(
        [title, "Default", "What it is", "Example", *(["Written wrong"] if wrong else [])]
    )
    yield "|" + " --- |" * (5 if wrong else 4)
    for key in keys:
        field = fields[key]
        cells = [f"`{key}`", _default(field), field.description or "", _example(key, field)]
        yield from _row([*cells, *([_refusal(model, key, field)] if wrong else [])])
    yield ""


def _row(cells: Sequence[str]) -> Iterator[str]:
    yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    return "" if value is None else f"`{_yaml(value)}`" if value not in ([], {}) else "none"


def _example(key: str, field: FieldInfo) -> str:
    return f"`{key}: {_yaml(field.examples[0])}`" if field.examples else ""


def _wrong(field: FieldInfo) -> object:
    extra = field.json_schema_extra
    return extra.get("wrong") if isinstance(extra, dict) else None


def _refusal(model: type[BaseModel], key: str, field: FieldInfo) -> str:
    """What is said of a value written wrong, as it is said."""
    wrong = _wrong(field)
    if wrong is None:
        return ""
    try:
        parse(_mapping(model), with_key(model, key, wrong), where="M")
    except SettingsError as error:
        return f"`{_yaml(wrong)}`: {str(error).removeprefix('mapping M: ')}"
    raise ValueError(f"{key}: {wrong!r} is not refused")


def _mapping(model: type[BaseModel]) -> type[FileMapping] | type[PostgresMapping]:
    return PostgresMapping if model is PostgresMapping else FileMapping


def _yaml(value: object) -> str:
    """A value on one line of YAML."""
    shown = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False
    )
    return shown.removesuffix("\n").removesuffix("\n...").strip()


def _roles() -> Iterator[str]:
    """Roles of columns, with what bronze's contract says of each."""
    yield from ("## Columns: the roles", "")
    yield (
        "Under `columns`, each role names a column of the source; what is absent is null. "
        "`order_id` and `related_order_id` may be several columns, which together are the id "
        "(`[store, receipt]` is `store|receipt`); `amount` may be several, which are added: but "
        "for the first they may be blank. `amount` must be given, or `quantity` and `unit_price`. "
        "A row that has no value where one is needed, or one that does not read, goes to "
        "quarantine with that reason (`<column>:required`, `<column>:type`). What describes the "
        "sale or the customer is *set aside* instead: read as blank and counted; the sale stays."
    )
    yield ""
    yield from _row(["Role", "What it is", "Example", "Must read as", "Blank", "Bad value"])
    yield "|" + " --- |" * 6
    for role, field in Columns.model_fields.items():
        column = _in_contract(role)
        yield from _row(
            [
                f"`{role}`" + (" (must be given)" if field.is_required() else ""),
                field.description or "",
                _example(role, field),
                _reads_as(column),
                "quarantine" if column.required else "may be",
                _bad(column),
            ]
        )
    yield ""
    yield (
        "White space of all kinds around identifiers is taken away; `17850.0` is `17850`: a "
        "program made it of a number column with gaps. A customer that is an e-mail address is "
        "compared without case. `4.50012E+11` as an order's number is what a spreadsheet left of "
        "a long one, many of which became the same text: such rows go to quarantine as "
        "`spreadsheet_number`; export the column as text."
    )
    yield ""


def _in_contract(role: str) -> Column:
    """The column of bronze's contract that a role's column becomes."""
    columns = {"order_id": "id", "occurred_at": "at", role: "it"}
    money = {"amount": "sum"} if role != "unit_price" else {"quantity": "pieces"}
    refunds = {"refunded": "back"} if role == "refunded_at" else {}
    mapping = parse(
        FileMapping,
        yaml.safe_dump({**LEAST, "columns": {**money, **refunds, **columns}}),
        where=role,
    )
    return FilesSource(mapping).contract(mapping.table).column("it")


def _reads_as(column: Column) -> str:
    text = _KINDS[column.logical_type]
    if column.format == "email":
        text = "an e-mail address"
    bounds = column.bounds
    if "minimum" in bounds and "maximum" in bounds:
        text += f", {bounds['minimum']} to {bounds['maximum']}"
    elif "minimum" in bounds:
        text += f", {bounds['minimum']} or more"
    return text


def _bad(column: Column) -> str:
    if column.logical_type == "string" and column.format is None:
        return ""
    return "set aside" if column.properties.get(SET_ASIDE) else "quarantine"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PATH
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(mappings_markdown(), encoding="utf-8")
