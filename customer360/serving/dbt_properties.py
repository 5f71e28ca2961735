"""What the contracts say of the dbt models' columns, written into the models' properties.

``python -m customer360.serving.dbt_properties`` writes the files below ``dbt/models`` again; a test
compares them with what the contracts say now. Of a column that a model takes over from a table, the
description, the type, and the values that its test accepts are the contract's; of a staging model,
so is the key that its rows are tested by. What else a file says is its own.

A staging model takes its columns from the table that its SQL selects from; other models name the
tables under ``config: {meta: {contracts: [layer/table, …]}}``. Of tables under ``whole``, all
columns are listed that their copy in the warehouse has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from customer360.contracts import Column, Contract, packaged_tables
from customer360.serving.marts import PROJECT
from customer360.serving.publishing import postgres_type
from customer360.serving.tables import copy_of

WIDTH = 100
_SOURCE = re.compile(r"source\('(\w+)', '(\w+)'\)")


class _Indented(yaml.SafeDumper):
    """Lists stand further in than what they are of."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def property_files() -> Iterator[Path]:
    """The files that describe models and sources, in order."""
    unit_tests = PROJECT / "models" / "marts" / "unit_tests.yml"
    return (file for file in sorted(PROJECT.glob("models/*/*.yml")) if file != unit_tests)


def filled(file: Path) -> str:
    """The text of ``file`` with all that the contracts say in it."""
    stated: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    for source in stated.get("sources", ()):
        for table in source["tables"]:
            name = f"{source['name']}/{table['name']}"
            if name in packaged_tables():
                table["description"] = Contract.load(name).description
    for model in stated.get("models", ()):
        _fill(model, file)
    return yaml.dump(stated, Dumper=_Indented, sort_keys=False, allow_unicode=True, width=WIDTH)


def _fill(model: dict[str, Any], file: Path) -> None:
    staged = _SOURCE.findall(file.with_name(f"{model['name']}.sql").read_text(encoding="utf-8"))
    own = ["/".join(table) for table in staged if "/".join(table) in packaged_tables()]
    named = model.get("config", {}).get("meta", {}).get("contracts", [])
    contracts = [Contract.load(table) for table in (*own, *named)]
    taken = {column.name: column for contract in contracts for column in contract.columns}
    for table in model.get("config", {}).get("meta", {}).get("whole", []):
        _list_all(model["columns"], table)
    for column in model["columns"]:
        if column["name"] in taken:
            _describe(column, taken[column["name"]])
    for table in own:
        for test in model.get("data_tests", ()):
            if "unique_combination" in test:
                key = list(Contract.load(table).primary_key)
                test["unique_combination"]["arguments"]["columns"] = key


def _list_all(columns: list[dict[str, Any]], table: str) -> None:
    """List the columns of a table's copy that are missing, each behind the one before it there."""
    names = [column["name"] for column in columns]
    place = 0
    for name in dict(copy_of(table).columns):
        if name not in names:
            columns.insert(place, {"name": name})
            names.insert(place, name)
        place = names.index(name) + 1


def _describe(column: dict[str, Any], contract: Column) -> None:
    column["data_type"] = postgres_type(contract.physical_type)
    column["description"] = contract.description
    for test in column.get("data_tests", ()):
        if "accepted_values" in test and contract.allowed_values:
            # Quotes are doubled: dbt puts the values into SQL as they are.
            values = [str(value).replace("'", "''") for value in contract.allowed_values]
            test["accepted_values"]["arguments"]["values"] = values


def main() -> None:
    """Write the properties again."""
    for file in property_files():
        file.write_text(filled(file), encoding="utf-8")


if __name__ == "__main__":
    main()
