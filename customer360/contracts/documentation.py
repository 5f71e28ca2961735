"""The data model's documentation, rendered from the contracts: ``docs/data-model.md``.

``python -m customer360.contracts.documentation`` writes it; a test compares the file with what
the contracts say now.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from customer360.contracts.contract import (
    BOOKKEEPING,
    Column,
    Contract,
    packaged_tables,
)

PATH = Path("docs") / "data-model.md"

_LAYERS = {
    "bronze": "Rows as their source sent them: every column is text, and **must read as** says "
    "what that text has to be. A row that breaks a rule goes to quarantine instead.",
    "silver": "Typed, normalised, deduplicated.",
    "gold": "What people and models read. Snapshots are partitioned by as-of date and use only "
    "what happened up to that day's end.",
    "quarantine": "Rows that were kept out, one table for each that rows were kept out of.",
}
_HEADER = """# Data model

<!-- Written by `python -m customer360.contracts.documentation` from customer360/contracts; change
     the contracts, not this file. -->

Every table has a contract in the [Open Data Contract Standard](https://bitol.io), in
`customer360/contracts/<layer>/<table>.odcs.yaml`. This page is made from them. **personal** marks
personal data: it lives in bronze, in the quarantine of what bronze refused and its edits, and in
`silver/customers`, nowhere else. A column that is not *required* may be null.
"""


def data_model_markdown() -> str:
    """All packaged contracts as one Markdown page."""
    contracts = [Contract.load(table) for table in packaged_tables()]
    lines = [_HEADER]
    lines += _table(
        ("table", "one row is", "partition", "owner", "personal data"),
        [
            (
                f"[{_title(c)}](#{_anchor(c)})",
                c.grain or "",
                _code(c.partition_by),
                c.owner,
                "yes" if c.personal_columns else "no",
            )
            for c in contracts
        ],
    )
    lines.append("")
    for layer, meaning in _LAYERS.items():
        lines += [f"## {layer.capitalize()}", "", meaning, ""]
        if layer == "bronze":
            lines += list(_bookkeeping())
        for contract in contracts:
            if contract.layer == layer:
                lines += _section(contract)
    return "\n".join(lines).rstrip() + "\n"


def rule_texts(column: Column, values_of: str | None = None) -> list[str]:
    """The rules of a column in words, as the documentation shows them.

    Args:
        column: Whose rules.
        values_of: A column before it that allows the same values; they are listed once.
    """
    texts: list[str] = []
    if column.unique:
        texts.append("unique")
    if column.format is not None:
        texts.append(f"format `{column.format}`")
    if column.properties.get("decimalSeparator") is not None:
        texts.append(f"decimal separator `{column.properties['decimalSeparator']}`")
    signs = {
        "minimum": "≥",
        "exclusive_minimum": ">",
        "maximum": "≤",
        "exclusive_maximum": "<",
    }
    texts += [f"{signs[kind]} {bound}" for kind, bound in column.bounds.items()]
    if column.min_length is not None:
        texts.append(f"at least {column.min_length} characters")
    if column.max_length is not None:
        texts.append(f"at most {column.max_length} characters")
    if column.pattern is not None:
        texts.append(f"matches `{column.pattern}`")
    if values_of is not None:
        texts.append(f"as `{values_of}`")
    elif column.allowed_values:
        texts.append("one of " + ", ".join(f"`{value}`" for value in column.allowed_values))
    if column.references is not None:
        texts.append(f"refers to `{column.references}`")
    return [*texts, *column.notes]


def _section(contract: Contract) -> Iterator[str]:
    yield from (f"### {_title(contract)}", "", contract.description, "")
    facts = {
        "One row is": contract.grain,
        "Key": ", ".join(map(_code, contract.primary_key)),
        "Made of": ", ".join(map(_code, contract.reads)),
        "Partitioned by": _code(contract.partition_by),
        "Delivered": {"daily": "every day", "extract": "as a whole, replaced when it changes"}.get(
            contract.delivery or ""
        ),
        "Event time": _code(contract.event_time),
        "Kept for so long, by": _code(contract.expires_by),
        "Statistics kept of": ", ".join(map(_code, contract.indexed_columns)),
        "Owner": contract.owner,
    }
    yield from (f"- {name}: {value}" for name, value in facts.items() if value)
    yield from (f"- {note}" for note in contract.notes)
    yield ""
    alike = _with_the_same_values(contract)
    typed = "must read as" if contract.layer == "bronze" else "type"
    yield from _table(
        ("column", typed, "required", "description", "unit", "classification", "rules"),
        [
            (
                _code(column.name),
                column.logical_type if contract.layer == "bronze" else _code(column.physical_type),
                "yes" if column.required else "",
                column.description,
                column.unit or "",
                column.classification or "",
                "; ".join(rule_texts(column, alike.get(column.name))),
            )
            for column in contract.columns
        ],
    )
    yield ""
    for column in contract.columns:
        if column.meanings and column.name not in alike:
            yield from (f"Values of `{column.name}`:", "")
            yield from (f"- `{value}`: {text}" for value, text in column.meanings.items())
            yield ""


def _with_the_same_values(contract: Contract) -> dict[str, str]:
    """The first column of the same allowed values, by the names of those that follow it."""
    first: dict[tuple[object, ...], str] = {}
    return {
        column.name: before
        for column in contract.columns
        if column.allowed_values
        and (before := first.setdefault(column.allowed_values, column.name)) != column.name
    }


def _bookkeeping() -> Iterator[str]:
    yield from ("Ingestion adds these columns to every bronze table:", "")
    yield from _table(
        ("column", "type", "description"),
        [(_code(c.name), _code(c.physical_type), c.description) for c in BOOKKEEPING],
    )
    yield ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + " --- |" * len(header)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"


def _title(contract: Contract) -> str:
    # The one shape of all quarantine tables is kept under a name that no table has.
    return "quarantine/TABLE" if contract.table == "quarantine/any_table" else contract.table


def _anchor(contract: Contract) -> str:
    return "".join(c for c in _title(contract) if c.isalnum() or c in "_-").lower()


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PATH
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(data_model_markdown(), encoding="utf-8")
