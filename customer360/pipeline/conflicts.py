"""Orders whose rows contradict each other: how many are too many, and what to tell the user."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from pyspark.sql import functions as F

from customer360.contracts.sql import quoted
from customer360.errors import listed
from customer360.limits import LeftOut, Limits
from customer360.pipeline.shown_columns import shown_columns
from customer360.pipeline.workspace import Workspace
from customer360.quoting import shown_code
from customer360.silver.transactions import (
    CONFLICTING_CUSTOMERS,
    CONFLICTING_DISCOUNTS,
    CONFLICTING_ROWS,
    CONFLICTS,
    Accounting,
)
from customer360.sources.base import Source
from customer360.table_names import REJECTED

_LOOKED_AT = 60
"""Rows that an explanation is made from, however many there are."""
_EXAMPLES = 2
_VALUES = 4
_WHAT = {
    CONFLICTING_CUSTOMERS: "name two customers",
    CONFLICTING_ROWS: "contradict each other",
    CONFLICTING_DISCOUNTS: "take more off than was sold",
}


def too_many(source: Source, account: Accounting, limits: Limits) -> bool:
    """Whether a load with these conflicts must not go on.

    Where the mapping says what becomes of them (``conflicts``), it is obeyed; else they may be no
    more than what may be left out.
    """
    if not account.conflicts or source.conflicts == "quarantine":
        return False
    if source.conflicts == "stop":
        return True
    left_out = LeftOut(account.conflicts, account.rows_in, account.money_in_conflict, account.money)
    return left_out.over(limits)


def explained(work: Workspace, source: Source, account: Accounting, *, named: bool = True) -> str:
    """What is in conflict, with examples, and what in the mapping would settle it: one line.

    Values are shown of columns that surely hold nothing personal only.

    Args:
        work: Where the rows are.
        source: Whose they are.
        account: What became of its rows.
        named: Whether orders are told by their ids, which readers of the warehouse must not know.
    """
    conflicting = (
        work.lakehouse.read(REJECTED)
        .where(F.arrays_overlap("reasons", F.array(*map(F.lit, CONFLICTS))))
        .select(
            F.get_json_object("raw", "$.source").alias("source"),
            F.get_json_object("raw", "$.order_id").alias("order_id"),
            F.col("reasons")[0].alias("reason"),
            "_row_hash",
        )
        .where(F.col("source") == source.name)
        .orderBy("order_id", "_row_hash")
        .limit(_LOOKED_AT)
        .collect()
    )
    contract = source.contract(source.transactions_table)
    shown = shown_columns(source, source.transactions_table)
    hashes = sorted({row["_row_hash"] for row in conflicting if row["_row_hash"] is not None})
    stated = (
        work.lakehouse.read(f"bronze/{source.transactions_table}")
        .where(F.col("_row_hash").isin(hashes))
        .select("_row_hash", "_rescued", *(quoted(name) for name in contract.column_names))
        .limit(_LOOKED_AT)
        .collect()
    )
    content = {row["_row_hash"]: _fields(row.asDict()) for row in stated}
    orders: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in conflicting:
        orders[row["order_id"]].append(content.get(row["_row_hash"], {}))
    reasons = {row["reason"] for row in conflicting}
    examples = "; ".join(
        _example(order if named else "an order", rows, shown)
        for order, rows in list(orders.items())[:_EXAMPLES]
    )
    what = next(meaning for reason, meaning in _WHAT.items() if reason in reasons)
    rows = f"{account.conflicts:,} rows of {source.name} are"
    if account.conflicts == 1:
        rows = f"1 row of {source.name} is"
    return (
        f"{rows} of orders whose rows {what}: {examples}. "
        f"{_remedy(source, list(orders.values()), reasons)}; see "
        f"`{work.deployment.settings.command('quarantine show transactions')}`"
    )


def _remedy(source: Source, orders: list[list[Mapping[str, Any]]], reasons: set[str]) -> str:
    apart = listed(_telling_apart(orders), 4)
    if CONFLICTING_CUSTOMERS in reasons:
        return (
            "If the order's number begins anew (a store, a year), name what else tells orders "
            "apart in order_id"
        )
    if reasons == {CONFLICTING_DISCOUNTS}:
        return (
            "If what is taken off was paid in another way (a gift card), leave it out by exclude "
            "rather than by discounts"
        )
    if source.order_lines:
        column = f": {apart} would" if apart else ""
        return (
            f"Name as line_id what tells the lines of an order apart{column}; or as changed_at "
            "the time of a row's last change"
        )
    column = f" and `line_id: {apart}`, which tells them apart" if apart else ""
    return (
        f"If a row is a line of an order, write `grain: lines`{column}; if it is a later state of "
        "it, name the time of the change as changed_at, or leave the other states out by exclude"
    )


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    """A bronze row's own columns, those that the mapping does not name among them."""
    try:
        rescued = json.loads(row.get("_rescued") or "{}")
    except ValueError:
        rescued = {}
    own = {name: value for name, value in row.items() if not name.startswith("_")}
    return own | (rescued if isinstance(rescued, dict) else {})


def _differing(rows: list[Mapping[str, Any]]) -> list[str]:
    names = {name: None for row in rows for name in row}
    return [name for name in names if len({row.get(name) for row in rows}) > 1]


def _telling_apart(orders: list[list[Mapping[str, Any]]]) -> list[str]:
    """Columns that have a value of its own in each row of every order: texts before amounts."""
    several = [rows for rows in orders if len(rows) > 1]
    names = list({name: None for rows in several for row in rows for name in row})

    def apart(name: str) -> bool:
        values = [[row.get(name) for row in rows] for rows in several]
        return all(None not in each and len(set(each)) == len(each) for each in values)

    return sorted(
        (name for name in names if apart(name)),
        key=lambda name: _is_number(several[0][0].get(name)),
    )


def _is_number(value: Any) -> bool:
    text = str(value)
    return any(c.isdigit() for c in text) and not any(c.isalpha() for c in text)


def _example(order: str, rows: list[Mapping[str, Any]], shown: Collection[str]) -> str:
    values = [
        f"{name} {listed([shown_code(str(row.get(name))) for row in rows], _VALUES)}"
        if name in shown
        else name
        for name in _differing(rows)[:_VALUES]
    ]
    return f"{order} stands on {len(rows)} rows that differ in {', '.join(values) or 'nothing'}"
