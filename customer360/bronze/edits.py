"""Rows as people have mended them: an edit stands in for the row that was delivered.

An edit names a row by its hash as delivered, so it holds wherever and however often the very row
comes, in files, lines and tables of a database alike, and does nothing to any other. It says which
columns get another text; or that the row is to be left out for good. Rows are mended before their
contract is checked: an edited row is in bronze or in quarantine like any other, and says who edited
it and when.
"""

from __future__ import annotations

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.checks import CORRUPT_RECORD
from customer360.contracts.sql import quoted

EDITED_ROW, EDITED_BY, EDITED_AT = MARKS = ("_edited_row", "_edited_by", "_edited_at")
"""Columns that tell of an edit: the row it is of, who made it, when. Null of rows as delivered."""

MARK_TYPES = dict(zip(MARKS, ("bigint", "string", "timestamp"), strict=True))
"""Their types in Spark."""

IS_LEFT_OUT = "_left_out"
"""Column beside received rows: whether an edit leaves the row out."""

ROW_HASH = "_row_hash"

_MISSING = r"'\0'"
_TEXTS = "map<string,string>"


def row_hash(contract: Contract) -> SparkColumn:
    """A hash of what the source said, in the contract's order whatever the file's order was."""
    # What stands for null would otherwise be skipped: ("a", null) is not (null, "a").
    texts = ", ".join(f"coalesce({quoted(name)}, {_MISSING})" for name in contract.column_names)
    return F.expr(
        f"CASE WHEN {CORRUPT_RECORD} IS NULL THEN xxhash64({texts}) "
        f"ELSE xxhash64({CORRUPT_RECORD}) END"
    )


def applied(rows: DataFrame, contract: Contract, edits: DataFrame) -> DataFrame:
    """``rows`` with those that have an edit as it says.

    Args:
        rows: Raw rows with all the optional columns of `Source.read_raw`.
        contract: The bronze table's.
        edits: Those of this table, as ``quarantine/edits`` has them, one a row; they fit the
            memory of a task.

    Returns:
        The rows, each once, with their ``_row_hash``, `MARKS` and `IS_LEFT_OUT`. A row that is left
        out stays as it was delivered.
    """
    hashed = rows.withColumn(ROW_HASH, row_hash(contract))
    joined = hashed.join(F.broadcast(_as_delivered(edits, contract)), ROW_HASH, "left")
    edited = F.col(EDITED_ROW).isNotNull() & ~F.col(IS_LEFT_OUT)
    changes = F.col("__changes")

    def mended(name: str) -> SparkColumn:
        changed = edited & F.map_contains_key(changes, F.lit(name))
        return F.when(changed, F.element_at(changes, name)).otherwise(F.col(quoted(name)))

    return (
        joined.withColumns(
            {name: mended(name) for name in contract.column_names}
            | {
                CORRUPT_RECORD: F.when(~edited, F.col(CORRUPT_RECORD)),
                IS_LEFT_OUT: F.coalesce(F.col(IS_LEFT_OUT), F.lit(False)),
            }
        )
        .withColumn(ROW_HASH, F.when(edited, row_hash(contract)).otherwise(F.col(ROW_HASH)))
        .drop("__changes")
    )


def _as_delivered(edits: DataFrame, contract: Contract) -> DataFrame:
    """``edits`` by the hash that their rows have under ``contract`` now.

    A mapping that has been mended may name more columns than when a row was edited. What the row
    said in them is among its rescued values, under the file's own names.
    """
    texts = F.from_json("delivered", _TEXTS)
    rescued = F.transform_keys(
        F.from_json(F.element_at(texts, "_rescued"), _TEXTS), lambda name, _: _bronze_name(name)
    )
    named = {
        name: F.when(F.map_contains_key("__texts", F.lit(name)), F.element_at("__texts", name))
        .when(F.map_contains_key("__rescued", F.lit(name)), F.element_at("__rescued", name))
        .otherwise(F.lit(None).cast("string"))
        for name in contract.column_names
    }
    return (
        edits.withColumns({"__texts": texts, "__rescued": rescued})
        .select(
            *(column.alias(name) for name, column in named.items()),
            F.col("line").alias(CORRUPT_RECORD),
            F.from_json("changes", _TEXTS).alias("__changes"),
            F.col("row").alias(EDITED_ROW),
            F.col("edited_by").alias(EDITED_BY),
            F.col("edited_at").alias(EDITED_AT),
            F.col("left_out").alias(IS_LEFT_OUT),
            # Of somebody who is forgotten the edit does not say any more what row it is of.
            F.when(F.col("delivered").isNull() & F.col("line").isNull(), F.col("row")).alias(
                "__row"
            ),
        )
        # Rows that differed in what the mapping names no more are alike now: the last edit counts.
        .groupBy(F.coalesce("__row", row_hash(contract)).alias(ROW_HASH))
        .agg(
            F.max_by(
                F.struct("__changes", *MARKS, IS_LEFT_OUT), F.struct(EDITED_AT, EDITED_ROW)
            ).alias("__edit")
        )
        .select(ROW_HASH, "__edit.*")
    )


def _bronze_name(header: SparkColumn) -> SparkColumn:
    """A file's name of a column as bronze spells it, but for names that would be alike."""
    plain = F.regexp_replace(F.trim(header), r"[ ,;{}()\n\t=`.]+", "_")
    return F.regexp_replace(plain, "^_+", "")
