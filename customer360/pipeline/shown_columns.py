"""Which columns' values may stand in messages, descriptions and logs."""

from __future__ import annotations

from customer360.sources.base import Source
from customer360.sources.mapped import MappedSource
from customer360.sources.mapping import CUSTOMER_ROLES, PERSONAL_ROLES


def shown_columns(source: Source, table: str) -> frozenset[str]:
    """Columns of bronze table ``table`` that surely hold nothing personal.

    Of a mapped table those of roles that say nothing of a customer: what ``keep`` and the rules
    name may hold anything.
    """
    contract = source.contract(table)
    harmless = {column.name for column in contract.columns if column.classification is None}
    if not isinstance(source, MappedSource):
        return frozenset(harmless)
    roles: dict[str, set[str]] = {}
    for role, header in source.mapping.columns.pairs():
        roles.setdefault(header, set()).add(role)
    of_customers = {*CUSTOMER_ROLES, *PERSONAL_ROLES}
    return frozenset(
        name
        for name in harmless
        if (meant := roles.get(source.header_of(table, name))) and not meant & of_customers
    )
