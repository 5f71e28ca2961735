"""What leaves the lakehouse of a table's rows: no order's own id, and no text that few share."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.gold.product_affinity import PRODUCT_AFFINITY
from customer360.gold.rare_values import common_values, told_by
from customer360.models.reasons import REASON_COLUMNS
from customer360.pipeline.workspace import Workspace
from customer360.silver.keys import order_key
from customer360.table_names import AS_OF, ORDER_LINES


@contextmanager
def told_in_groups(
    rows: DataFrame,
    names: Collection[str],
    *,
    smallest: int,
    by: Sequence[str] = (),
    counted: DataFrame | None = None,
) -> Iterator[DataFrame]:
    """``rows`` without the values of ``names`` that too few share, for as long as they are needed.

    Args:
        rows: Of a table.
        names: Columns of text.
        smallest: Customers that a value needs; with 1 nothing is changed.
        by: Columns, of ``counted`` too, within whose values customers are counted.
        counted: Rows of which customers are counted, once; None: ``rows``.
    """
    texts = [name for name in rows.columns if name in names]
    if smallest <= 1 or not texts:
        yield rows
        return
    whole = rows if counted is None else counted
    common = common_values(whole, texts, smallest=smallest, by=by).persist()
    try:
        yield told_by(rows, texts, common, by=by)
    finally:
        common.unpersist()


@contextmanager
def published_rows(
    work: Workspace, table: str, rows: DataFrame, version: int
) -> Iterator[DataFrame]:
    """``rows`` as others may have them, for as long as they are needed.

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
    if table == PRODUCT_AFFINITY:
        yield _without_rare_pairs(work, keyed, smallest)
        return
    of_dates = contract.partition_by == AS_OF
    with told_in_groups(
        keyed,
        texts_of(contract),
        smallest=smallest,
        by=[AS_OF] if of_dates else (),
        counted=None if of_dates else work.lakehouse.read(table, version=version),
    ) as told:
        yield told


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
    if smallest <= 1:
        return rows
    lines = work.lakehouse.read(ORDER_LINES)
    common = common_values(lines, ["category"], smallest=smallest).select("value")
    for name in ("category_a", "category_b"):
        rows = rows.join(F.broadcast(common), rows[name] == common["value"], "left_semi")
    return rows
