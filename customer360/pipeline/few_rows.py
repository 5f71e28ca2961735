"""Which rows are so few that every task may have all of them, known before Spark reads any.

Rows that are sent everywhere spare a shuffle of the rows they are joined to, and end the driver
where they do not fit it. How many come grows with the days that are loaded and with the customers:
so nothing is sent that was not found to be few, and of all else Spark learns the size as it runs.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.lakehouse.tables import days_predicate
from customer360.pipeline.workspace import Workspace

FEW_ROWS = 1_000_000
"""As many ids of 64 characters are some 100 MB."""


def are_few(rows: int) -> bool:
    """Whether so many may be sent everywhere."""
    return rows <= FEW_ROWS


def few_on(work: Workspace, table: str, column: str, days: Collection[date]) -> bool:
    """Whether ``table`` has few rows on ``days``.

    Its log says so, or, where a file has many rows of other days as well, a count without Spark.

    Args:
        work: Where.
        table: ``layer/table``, which is there.
        column: Its date column that says of which day a row is.
        days: Which.
    """
    least, most = work.lakehouse.rows_between(table, column, days)
    if are_few(most) or not are_few(least):
        return are_few(most)
    query = f"SELECT count(*) FROM rows WHERE {days_predicate(column, days)}"
    ((rows,),) = work.tables.ask(query, rows=table)
    return are_few(rows)


def sent_if(few: bool, rows: DataFrame) -> DataFrame:
    """``rows``, to be sent to every task of a join where they are ``few``."""
    return F.broadcast(rows) if few else rows
