"""What to tell of rows that bronze refused: where they stand, what was wanted, what to write."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from customer360.contracts import Column, Contract
from customer360.contracts.numbers import DECIMAL
from customer360.contracts.reasons import OTHER_CURRENCY
from customer360.contracts.sql import sql_text
from customer360.contracts.times import guesses
from customer360.errors import counted_rows, listed
from customer360.limits import LeftOut, Limits
from customer360.pipeline.bronze_accounts import BronzeLoaded
from customer360.pipeline.shown_columns import shown_columns
from customer360.pipeline.workspace import Workspace
from customer360.quoting import shown_code
from customer360.silver.transactions import CLOSED_ORDER, CONFLICTS, UNKNOWN_CUSTOMER, Accounting
from customer360.sources.base import Source
from customer360.sources.files import FilesSource
from customer360.sources.mapped import NEGATIVE_AMOUNT
from customer360.table_names import REJECTED, TRANSACTIONS, quarantine_of

_LOOKED_AT = 200
_LONGEST = 60
_ENGLISH = re.compile(r"[^\d.,]*\d{1,3}(,\d{3})+(\.\d+)?[^\d.,]*")
_COMMA = re.compile(r"[^\d.,]*(\d{1,3}(\.\d{3})+|\d+),\d{1,2}[^\d.,]*")


@dataclass(frozen=True)
class _Example:
    """Where a refused value stands, and others that were refused with it; None: not to be shown."""

    file: str
    value: str | None
    others: Sequence[str]


def explained(work: Workspace, source: Source, table: str, loaded: BronzeLoaded) -> str:
    """Why a load has stopped, in one line: the commonest reason, with an example and a remedy.

    The value of a column is shown only where it surely holds nothing personal.
    """
    reason = max(loaded.reasons, key=lambda name: (loaded.reasons[name], name))
    column_name, _, kind = reason.rpartition(":")
    contract = source.contract(table)
    shown = column_name in shown_columns(source, table)
    example = _example(work, table, reason, column_name, shown)
    if isinstance(source, FilesSource) and example.value in example.others:  # else it was cut
        assert example.value is not None
        header = source.header_of(table, column_name)
        example = replace(example, file=source.place_of(example.file, header, example.value))
    settings = work.deployment.settings
    look = f"`{settings.command(f'show quarantine/{table}')}`"
    if isinstance(source, FilesSource):
        look = f"`customer360 check --mapping MAPPING FILE`, or {look}"
    return (
        f"{share_of(loaded.refused, work.deployment.limits, source.currency)} of bronze/{table} "
        f"are in quarantine, {loaded.reasons[reason]:,} for {reason}: "
        f"{_sentence(source, table, contract, column_name, kind, example)}. Look by {look}; if "
        f"these rows shall be left out all the same, {accepting(loaded.refused, work)}"
    )


def share_of(left_out: LeftOut, limits: Limits, currency: str) -> str:
    """How much is left out, in words: rows, and money where that is over its limit."""
    rows = f"{left_out.rows:,} of {left_out.of_rows:,} rows ({left_out.share:.1%}"
    if left_out.money_share > limits.money:
        worth = f", {left_out.money:,.2f} of {left_out.of_money:,.2f} {currency}"
        unread = f", of {counted_rows(left_out.unknown)} unreadable" if left_out.unknown else ""
        return f"{rows}{worth}{unread})"
    return f"{rows})"


def accepting(left_out: LeftOut, work: Workspace) -> str:
    """What to set so that so much is left out without a stop."""
    limits, needed = work.deployment.limits, []
    if left_out.share > limits.rows and left_out.rows > limits.tolerance:
        needed.append("CUSTOMER360_QUARANTINE_LIMIT")
    if left_out.money_share > limits.money:
        needed.append("CUSTOMER360_QUARANTINE_MONEY_LIMIT")
    return f"set {' and '.join(needed)} to the share that may be missing"


def _example(work: Workspace, table: str, reason: str, column_name: str, shown: bool) -> _Example:
    rows = work.tables.ask(
        f"""
        SELECT _source_file, raw FROM rows WHERE list_contains(reasons, {sql_text(reason)})
        ORDER BY _ingested_at DESC, _source_file, raw LIMIT {_LOOKED_AT}
        """,
        rows=quarantine_of(table),
    )
    if not rows:
        return _Example(table, None, ())
    file = rows[0][0] or table
    values = [str(value) for value in (_value(raw, column_name) for _, raw in rows) if value]
    if not values or not shown:
        return _Example(file, None, ())
    return _Example(file, values[0][:_LONGEST], values)


def _value(raw: str, column: str) -> object:
    try:
        row = json.loads(raw)
    except ValueError:
        return None
    return row.get(column) if isinstance(row, dict) else None


def _sentence(
    source: Source, table: str, contract: Contract, name: str, kind: str, example: _Example
) -> str:
    if kind == "malformed":
        return (
            f"{example.file}: rows that have not as many fields as the header; delimiter, quote "
            "or short_rows in the mapping may differ from the file's"
        )
    column, header = contract.column(name), source.header_of(table, name)
    expected, remedy = _wanted(column, kind, example.others)
    found = "another value" if example.value is None else _quoted(example.value)
    if kind == "required":
        found = "nothing"
    tail = f"; {remedy}" if remedy else ""
    return f"{example.file}: column {header} has {found}, expected {expected}{tail}"


def _quoted(value: str) -> str:
    code = shown_code(value)
    return f"'{code}'" if code == value.strip() else code


def _wanted(column: Column, kind: str, values: Sequence[str]) -> tuple[str, str]:
    """What a column should have, in the mapping's notation, and what to write instead."""
    if kind == "format" and column.logical_type in ("timestamp", "date"):
        key = "day_format" if column.logical_type == "date" else "date_format"
        likely = guesses(values) if values else []
        written = " or ".join(f'{key}: "{pattern}"' for pattern in likely[:2])
        return f'{key}: "{column.format}"', f"write {written}" if written else ""
    if kind == "type" and column.logical_type in ("number", "integer"):
        mark = column.properties.get(DECIMAL) or "."
        return f'a number with decimal_separator: "{mark}"', _marks(values, mark)
    if kind == "implausible_date":
        return "a day that a sale can be of", "mend it, or write dates_from or dates_to"
    if kind == "spreadsheet_number":
        return "all of its digits", "export it as text: a spreadsheet has cut it"
    if kind == "required":
        return "a value", "leave such rows out by exclude if they are no orders"
    limits = {
        "minimum": f"at least {column.minimum}",
        "maximum": f"at most {column.maximum}",
        "allowed_values": f"one of {listed(list(map(str, column.allowed_values)))}",
    }
    return limits.get(kind, f"what {kind} of its contract says"), ""


def _marks(values: Sequence[str], mark: str) -> str:
    """Which marks the numbers seem to be written with."""
    if values and mark != "." and all(_ENGLISH.fullmatch(v) or "," not in v for v in values):
        return 'write decimal_separator: "." and thousands_separator: ","'
    if values and all(_ENGLISH.fullmatch(value) for value in values):
        return 'write thousands_separator: ","'
    if values and mark != "," and all(_COMMA.fullmatch(value) for value in values):
        return 'write decimal_separator: ","'
    return ""


_REMEDIES = {
    UNKNOWN_CUSTOMER: "deliver the profiles of these customers: the rows are taken when they come",
    NEGATIVE_AMOUNT: "write cancellations: [{column: …, below: 0}] if they are refunds, discounts: "
    "if they are lines that take something off their order",
    "amount_negative": "state what a sale below zero is in the mapping, or mend the source",
    OTHER_CURRENCY: "write rates: for these currencies, or name the currency's column",
    "unknown_kind": "the kinds are sale, refund and cancelled",
    "amount_missing": "mend the source: an order without an amount is none",
}


def exclusions_explained(
    work: Workspace, source: Source, account: Accounting, *, named: bool = True
) -> str:
    """Why silver leaves so much out, in one line: the commonest reason, an order and a remedy.

    Args:
        work: Where the rows are.
        source: Whose they are.
        account: What became of its rows.
        named: Whether the order is told by its id, which readers of the warehouse must not know.
    """
    unintended = {
        reason: rows
        for reason, rows in account.excluded.items()
        if reason not in (*source.stated_exclusions, *CONFLICTS, CLOSED_ORDER)
    }
    reason = max(unintended, key=lambda name: (unintended[name], name))
    examples = work.tables.ask(
        f"""
        SELECT _source_file, raw ->> '$.order_id', raw ->> '$.amount', raw ->> '$.currency'
        FROM rows WHERE list_contains(reasons, {sql_text(reason)})
        AND (raw ->> '$.source') = {sql_text(source.name)}
        ORDER BY _ingested_at DESC, _source_file, raw LIMIT 1
        """,
        rows=REJECTED,
    )
    such = ""
    if examples:
        file, order, amount, currency = examples[0]
        worth = f" of {Decimal(amount):,.2f} {currency}" if amount else ""
        such = (
            f", such as {f'order {order}' if named else 'an order'}{worth} in {file or source.name}"
        )
    remedy = _REMEDIES.get(reason, "")
    look = f"`{work.deployment.settings.command(f'show {REJECTED}')}`"
    return (
        f"{share_of(account.untold, work.deployment.limits, source.currency)} of {source.name} are "
        f"left out of {TRANSACTIONS} though nobody said so, {unintended[reason]:,} for {reason}"
        f"{such}"
        f"{f'; {remedy}' if remedy else ''}. Look by {look}; to leave them out all the same, name "
        "them by a rule under exclude in the mapping, or "
        f"{accepting(account.untold, work)}"
    )
