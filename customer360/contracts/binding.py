"""What binds a table to its contract: no row that breaks it is written.

A frame on its way into a table is given the contract's columns in their order; a column too many,
one too few or of another type is an error before anything runs. The rules of a row are one
condition in the projection that the write makes anyway: of a row that breaks one, Spark's task
fails, and with it the write, of which Delta has committed nothing by then. Only then are the rows
read once more, to say which rule it was, how often, and of which key.

Unlike Delta's own constraints, this needs no commit of its own when a contract changes, names all
rules that are broken, and asks nothing of who reads the tables.

Keys and references need other rows: they are held against the files just written
(`customer360.pipeline.audit`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts.checks import (
    breaks_a_rule,
    stored_rules,
    violation_columns,
    with_violations,
)
from customer360.contracts.contract import Contract, ContractError
from customer360.contracts.spark import table_schema
from customer360.contracts.sql import literal, quoted
from customer360.errors import counted_rows, listed

BROKEN = "customer360: a row breaks the contract of its table"
"""What the engine's error says of a row that must not be written."""

_REASON, _KEY = "_reason", "_key"


class BrokenContractError(ContractError):
    """Rows that break a table's contract; nothing of the write was committed.

    Args:
        message: The line for the user.
        rows: By the reason that names a rule, the rows that break it before any other.
    """

    def __init__(self, message: str, rows: Mapping[str, int]) -> None:
        self.rows = rows
        super().__init__(message)


def bound(
    frame: DataFrame, contract: Contract, *, untouched: Sequence[str] = (), beside: bool = False
) -> DataFrame:
    """``frame`` as the contract has it, of which a row that breaks a rule cannot be written.

    Args:
        frame: The rows of a table. Those of bronze bring the masks of
            `customer360.contracts.checks.with_violations`, so that no text is read twice; where
            they do not, their texts are read here.
        contract: The table's.
        untouched: Columns that stay as they are in the plan, because the writer wants rows in
            their order.
        beside: Other columns may stand beside the contract's, and stay: a MERGE acts by them.

    Returns:
        The contract's stored columns, in their order; behind them those that may stand beside.

    Raises:
        ContractError: A column is missing, unknown, or of another type.
    """
    rows = _of_contract(frame, contract)
    others = _others(rows, contract)
    if others and not beside:
        raise ContractError(
            f"{contract.table} cannot be written: its contract has no column {listed(others)}"
        )
    names = [column.name for column in contract.stored_columns]
    # The condition hangs on a column that rows are not put in order by, so that no order is lost.
    ordering = {*untouched, *contract.primary_key, contract.partition_by}
    carrier = next((name for name in reversed(names) if name not in ordering), names[-1])
    looked_at = (
        f"CASE WHEN {breaks_a_rule(contract)} THEN raise_error({literal(BROKEN)}) "
        f"ELSE {quoted(carrier)} END AS {quoted(carrier)}"
    )
    own = (looked_at if name == carrier else quoted(name) for name in names)
    return rows.selectExpr(*own, *map(quoted, others))


def is_broken(error: BaseException) -> bool:
    """Whether a write failed because of a row that `bound` let the engine look at."""
    return BROKEN in str(error)


def broken(frame: DataFrame, contract: Contract) -> BrokenContractError:
    """The error of a write that `is_broken`: which rules, in how many rows, and a key of each.

    Args:
        frame: As it was given to `bound`; it is computed once more.
        contract: The table's.
    """
    rules = " ".join(
        f"WHEN {condition} THEN {literal(rule.reason)}"
        for rule, condition in stored_rules(contract)
    )
    key = ", ".join(quoted(name) for name in _shown_key(contract))
    counts = (
        _of_contract(frame, contract)
        .selectExpr(f"CASE {rules} END AS reason", f"struct({key}) AS key")
        .where("reason IS NOT NULL")
        .groupBy("reason")
        .agg(F.count(F.lit(1)).alias("rows"), F.min("key").alias("key"))
        .orderBy(F.desc("rows"), "reason")
        .collect()
    )
    examples = []
    for reason, rows, example in counts:
        shown = ", ".join(f"{name} {value}" for name, value in example.asDict().items())
        examples.append(f"{reason} in {counted_rows(rows)}, e.g. {shown}")
    return BrokenContractError(
        f"{contract.table} breaks its contract: {listed(examples, 3) or 'a row of it did'}; "
        "nothing was written: correct what makes the table, or the rule in "
        f"contracts/{contract.layer}/{contract.name}.odcs.yaml",
        {reason: rows for reason, rows, _ in counts},
    )


def _shown_key(contract: Contract) -> tuple[str, ...]:
    """Columns that tell which row is meant, and name no person."""
    key = contract.primary_key or (contract.column_names[0],)
    names = [column.name for column in contract.stored_columns]
    if contract.layer in ("bronze", "quarantine"):
        key = tuple(name for name in ("_source_file", "_row_hash") if name in names) or key
    classified = {column.name for column in contract.columns if column.classification}
    return tuple(name for name in key if name not in classified)


def _of_contract(frame: DataFrame, contract: Contract) -> DataFrame:
    """``frame``, which has the columns of the contract; of bronze, with the masks of its rules."""
    stated = {field.name: field.dataType.simpleString() for field in table_schema(contract).fields}
    given = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    absent = [name for name in stated if name not in given]
    if absent:
        raise ContractError(
            f"{contract.table} cannot be written: the rows lack column {listed(absent)} of its "
            "contract"
        )
    other = [
        f"{name} is {given[name]}, by its contract {kind}"
        for name, kind in stated.items()
        if given[name] != kind
    ]
    if other:
        raise ContractError(f"{contract.table} cannot be written: column {listed(other)}")
    if contract.layer == "bronze" and not set(violation_columns(contract)) <= set(given):
        return with_violations(frame, contract)
    return frame


def _others(rows: DataFrame, contract: Contract) -> list[str]:
    """Columns that are neither the contract's nor the masks of its rules."""
    own = {column.name for column in contract.stored_columns}
    if contract.layer == "bronze":
        own.update(violation_columns(contract))
    return [name for name in rows.columns if name not in own]
