"""The two staged forms every source's rows are brought into before silver.

``transactions`` and ``customers`` take the columns a source can give, by name, and add the rest
as typed nulls, so that all sources agree on names, order and types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer360.contracts import Contract
from customer360.contracts.attributes import customer_attributes

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_OWN = ("_source_file", "_delivered_on", "_row_hash")

TRANSACTION_COLUMNS = {
    "order_id": "string",
    "line_key": "string",
    "source_customer_id": "string",
    "kind": "string",
    "occurred_at": "timestamp",
    "amount": "decimal(18,2)",
    "currency": "string",
    "items": "int",
    "channel": "string",
    "payment_type": "string",
    "installments": "int",
    "freight": "decimal(18,2)",
    "category": "string",
    "related_order_id": "string",
    "delivered_on": "date",
    "review_score": "int",
    "reviewed_on": "date",
    "changed_at": "timestamp",
    "excluded_because": "string",
    "_delivered_on": "date",
    "_row_hash": "bigint",
}
"""Columns of staged transactions. ``line_key`` tells an order's rows apart ("" where a row is an
order); a null ``source_customer_id`` is an anonymous sale; ``occurred_at`` is UTC; ``amount`` is
money, never negative, of the direction that ``kind`` (sale, refund, cancelled) says; ``freight``
is the part of it that was charged for shipping; ``changed_at`` (UTC) is when the source last
changed the row, null where it does not say;
``excluded_because`` names the rule by which the row is no transaction, else null."""

CUSTOMER_COLUMNS = {
    "source_customer_id": "string",
    **{name: attribute.physical_type for name, attribute in customer_attributes().items()},
    "updated_at": "timestamp",
    "_delivered_on": "date",
    "_row_hash": "bigint",
}
"""Columns of staged customers; ``updated_at`` (UTC) is when the profile became true."""


def typed(bronze: DataFrame, contract: Contract, *also: str) -> DataFrame:
    """Bronze text as the contract's types: the very reading that the row check made.

    Text is trimmed and blank is null; numbers are decimal(38,12), integers bigint, timestamps as
    the source wrote them. ``_source_file``, ``_delivered_on`` and ``_row_hash`` stay, and the
    columns that ``also`` names.
    """
    from customer360.contracts.checks import typed_value

    own = [name for name in (*_OWN, *also) if name in bronze.columns]
    return bronze.select(
        *(typed_value(column).alias(column.name) for column in contract.columns), *own
    )


def transactions(rows: DataFrame, **columns: Column) -> DataFrame:
    """``rows`` as staged transactions, with their ``_source_file`` where they have one.

    ``line_key`` is "" and ``_delivered_on`` and ``_row_hash`` are the rows' own, unless given. A
    source of lines may give ``takes_off`` beside the columns: true of a discount, whose amount is
    below zero and is taken off its order. A source whose rows say more than what was sold or given
    back may give ``states``: a hash of what tells one refund of an order from another, which is
    ``_row_hash`` unless given. A source that states refunds beside their sale may give ``nothing``:
    true of such a refund when nothing was given back. It settles what was said before and is no
    transaction.
    """
    from pyspark.sql import functions as F

    defaults = {"line_key": F.lit("")}
    types = TRANSACTION_COLUMNS
    if "_source_file" in rows.columns:
        types = types | {"_source_file": "string"}
    if "takes_off" in columns:
        types = types | {"takes_off": "boolean"}
    if "nothing" in columns:
        types = types | {"nothing": "boolean"}
    if "states" in columns:
        types = types | {"states": "bigint"}
    return _select(rows, types, defaults | columns)


def customers(rows: DataFrame, **columns: Column) -> DataFrame:
    """``rows`` as staged customers; ``_delivered_on`` and ``_row_hash`` as in `transactions`.

    Of customers known only by their transactions there is no profile: such rows have neither,
    and ``updated_at`` is the first transaction.
    """
    return _select(rows, CUSTOMER_COLUMNS, columns)


def _select(rows: DataFrame, types: dict[str, str], columns: dict[str, Column]) -> DataFrame:
    from pyspark.sql import functions as F

    unknown = sorted(set(columns) - set(types))
    if unknown:
        raise TypeError(f"not a staged column: {', '.join(unknown)}")
    own = {name: F.col(name) for name in _OWN if name in rows.columns and name in types}
    given = own | columns
    return rows.select(
        *(given.get(name, F.lit(None)).cast(kind).alias(name) for name, kind in types.items())
    )
