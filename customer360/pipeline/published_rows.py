"""What leaves the lakehouse of a table's rows: no order's own id, and no text that few share."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.gold.product_affinity import PRODUCT_AFFINITY
from customer360.gold.rare_values import common_values, without_rare_values
from customer360.models.reasons import REASON_COLUMNS
from customer360.pipeline.workspace import Workspace
from customer360.silver.keys import order_key
from customer360.table_names import AS_OF, ORDER_LINES


def published_rows(work: Workspace, table: str, rows: DataFrame, version: int) -> DataFrame:
    """``rows`` as others may have them.

    An order's id is a keyed hash; texts that fewer customers share than the setting
    ``published_group_min`` says are told by coarser ones or as ``other``. Customers are counted in
    each snapshot, or in the whole of a table that has none. Of ``gold/product_affinity`` pairs with
    such a category are left out.

    Args:
        work: Where the tables are.
        table: Whose rows.
        rows: Some of them; of a snapshot all or none.
        version: Version of the table.
    """
    contract = Contract.load(table)
    smallest = work.deployment.settings.published_group_min
    keyed = rows
    ids = [name for name in contract.row_identifiers if name in rows.columns]
    if ids:
        secret = work.deployment.secret
        keyed = rows.withColumns(
            {name: order_key(F.col("source"), F.col(name), secret) for name in ids}
        )
    texts = texts_of(contract)
    if not texts or smallest <= 1:
        return keyed
    if table == PRODUCT_AFFINITY:
        return _without_rare_pairs(work, keyed, smallest)
    if contract.partition_by == AS_OF:
        return without_rare_values(keyed, texts, smallest=smallest, by=[AS_OF])
    whole = work.lakehouse.read(table, version=version)
    return without_rare_values(keyed, texts, smallest=smallest, counted=whole)


def texts_of(contract: Contract) -> list[str]:
    """The columns whose rare values are grouped.

    Reasons of models state texts too: models are given none that is rare.
    """
    return [name for name in contract.quasi_identifiers if name not in REASON_COLUMNS]


def rules_of(work: Workspace, table: str) -> str:
    """What rows of the table are published by: with other rules all are published anew."""
    contract = Contract.load(table)
    said = []
    if contract.row_identifiers:
        said.append("ids hashed")
    if texts_of(contract):
        said.append(f"groups of {work.deployment.settings.published_group_min}")
    return "".join(f"; {each}" for each in said)


def _without_rare_pairs(work: Workspace, rows: DataFrame, smallest: int) -> DataFrame:
    lines = work.lakehouse.read(ORDER_LINES)
    common = common_values(lines, ["category"], smallest=smallest).select("value")
    for name in ("category_a", "category_b"):
        rows = rows.join(F.broadcast(common), rows[name] == common["value"], "left_semi")
    return rows
