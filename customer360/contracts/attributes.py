"""The attributes of a customer: what a source may say of one, beside who it is.

They are columns of ``silver/customers``; the roles of mappings, the staged rows, the history and
what is shown of a customer follow from its contract, so that another attribute is another column
there. Its ``businessName`` is what people read of the role, its ``header`` an example of how a
source calls it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from customer360.contracts.contract import Column, Contract

_OF_THE_ROW = (
    "customer_key",
    "source",
    "source_customer_id",
    "updated_at",
    "_delivered_on",
    "_row_hash",
)
"""Columns of ``silver/customers`` that say which customer, and when and by which row."""


@functools.cache
def customer_attributes() -> Mapping[str, Column]:
    """The attributes by name, in the order of the contract of ``silver/customers``."""
    contract = Contract.load("silver/customers")
    return {c.name: c for c in contract.columns if c.name not in _OF_THE_ROW}


def attributes_of(table: str) -> tuple[str, ...]:
    """The attributes among the columns of ``table`` (``layer/table``), in its order."""
    names = Contract.load(table).column_names
    return tuple(name for name in names if name in customer_attributes())
