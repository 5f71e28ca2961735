"""The edits of rows as a load finds them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts.sql import sql_text
from customer360.pipeline.workspace import Workspace
from customer360.table_names import EDITS


def edits_of(work: Workspace, table: str) -> DataFrame | None:
    """The edits of bronze table ``table`` (without layers); None where there are none."""
    if not edits_print(work, table):
        return None
    return work.lakehouse.read(EDITS).where(F.col("table") == table)


def edits_print(work: Workspace, table: str) -> str:
    """Changes whenever an edit of ``table`` does; empty where there are none."""
    if not work.lakehouse.exists(EDITS):
        return ""
    ((edits, newest),) = work.tables.ask(
        f'SELECT count(*), max(edited_at) FROM edits WHERE "table" = {sql_text(table)}',
        edits=EDITS,
    )
    return f"\n{edits} edits, the newest of {newest}" if edits else ""
