"""Texts that few customers share: told by a coarser one, or as `OTHER`.

Of a town where two customers live, or a category that one has bought, the value alone says who it
is. So what leaves the lakehouse, and what models learn from, has such values for groups of a least
size only. Rows are neither left out nor added up, so that totals stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

SMALLEST_GROUP = 5
"""Customers that must share a value, where nothing else is said."""

OTHER = "other"
"""Stands for a value that too few customers share."""

COARSER = {"city": "state"}
"""What tells a value of a column that too few share: that of another column, where enough do."""


def told_by(
    rows: DataFrame, names: Sequence[str], common: DataFrame, *, by: Sequence[str] = ()
) -> DataFrame:
    """``rows`` with only those values of ``names`` that are ``common``.

    Others are told as `COARSER` has it, where that is common, else as `OTHER`; null stays null.

    Args:
        rows: Of a table; their other columns stay as they are.
        names: Columns of text.
        common: As `common_values` gives them of these columns; asked for each of them.
        by: Columns within whose values customers were counted.

    Returns:
        The columns of ``rows``, in their order.
    """
    texts, marked = names, rows
    for name in texts:
        known = common.where(F.col("name") == name).select(
            *(F.col(column).alias(_beside(name, column)) for column in by),
            F.col("value").alias(_beside(name, "value")),
        )
        same = F.col(name) == F.col(_beside(name, "value"))
        for column in by:
            same &= F.col(column) == F.col(_beside(name, column))
        marked = marked.join(F.broadcast(known), same, "left")

    def shown(name: str) -> Column:
        if name not in texts:
            return F.col(name)
        coarser = COARSER.get(name)
        instead: Column = F.lit(OTHER)
        if coarser in texts:
            instead = F.coalesce(F.col(_beside(str(coarser), "value")), instead)
        is_common = F.col(_beside(name, "value")).isNotNull()
        told = F.when(is_common, F.col(name)).otherwise(instead)
        return F.when(F.col(name).isNotNull(), told).alias(name)

    return marked.select(*map(shown, rows.columns))


def common_values(
    counted: DataFrame, names: Sequence[str], *, smallest: int, by: Sequence[str] = ()
) -> DataFrame:
    """The values that at least ``smallest`` customers share: ``by``, ``name`` and ``value``.

    Args:
        counted: Rows with ``customer_key``; without a key, each counts as somebody.
        names: Its columns of text.
        smallest: Customers that a value needs.
        by: Columns within whose values customers are counted.
    """
    cells = F.array(*(F.struct(F.lit(n).alias("name"), F.col(n).alias("value")) for n in names))
    key = F.col("customer_key")
    people = F.count_distinct(key) + F.count_if(key.isNull())
    return (
        counted.select(*by, "customer_key", F.explode(cells).alias("cell"))
        .where(F.col("cell.value").isNotNull())
        .groupBy(*by, F.col("cell.name").alias("name"), F.col("cell.value").alias("value"))
        .agg(people.alias("people"))
        .where(F.col("people") >= smallest)
        .drop("people")
    )


def _beside(name: str, column: str) -> str:
    return f"__{name}__{column}"
