"""What of a table's contract is held against the files just written: its key and its references.

The rules of a row need no check: a row that breaks one cannot be written
(`customer360.contracts.binding`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from customer360.contracts import Column, Contract
from customer360.orchestration.metadata import asset_key

if TYPE_CHECKING:
    from customer360.pipeline.workspace import Workspace

KEYS_UNIQUE = "keys_unique"


def contract_checks(contract: Contract) -> list[dg.AssetCheckSpec]:
    """The blocking checks that a table has by its contract; one without a key has none."""
    if not contract.primary_key:
        return []
    key = asset_key(contract.table)
    one_row = f"One row for each {', '.join(contract.primary_key)}."
    return [
        dg.AssetCheckSpec(KEYS_UNIQUE, asset=key, description=one_row, blocking=True),
        *(
            dg.AssetCheckSpec(
                _known(column),
                asset=key,
                description=f"Every {column.name} is in {column.referred[0]}.",
                blocking=True,
            )
            for column in contract.columns
            if column.referred is not None
        ),
    ]


def contract_results(
    work: Workspace, contract: Contract, days: Collection[date] | None = None
) -> list[dg.AssetCheckResult]:
    """The results of `contract_checks`: of the rows of ``days``, or of the whole table.

    ``days`` are of the column that the table is partitioned by.
    """
    if not contract.primary_key:
        return []
    from customer360.lakehouse.tables import days_predicate
    from customer360.pipeline.audit import audit_keys

    where = "true"
    if days is not None and contract.partition_by is not None:
        where = days_predicate(contract.partition_by, days)
    audit = audit_keys(work, contract, where)
    breaches = [(KEYS_UNIQUE, "repeated_keys", audit.repeated)]
    breaches += [
        (_known(contract.column(name)), f"unknown_{name}", breach)
        for name, breach in audit.unknown.items()
    ]
    return [
        dg.AssetCheckResult(
            asset_key=asset_key(contract.table),
            check_name=name,
            passed=breach.count == 0,
            description=breach.description,
            metadata={label: breach.count},
        )
        for name, label, breach in breaches
    ]


def _known(column: Column) -> str:
    """Name of the check of a reference: ``customers_known``."""
    assert column.referred is not None
    return f"{column.referred[0].partition('/')[2]}_known"
