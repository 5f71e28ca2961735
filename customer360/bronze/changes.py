"""What changed in a table that is kept equal to its source, row by row or day by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.bronze import ingest
from customer360.bronze.edits import MARKS
from customer360.contracts import Contract
from customer360.contracts.checks import violation_columns
from customer360.contracts.reasons import DELETED
from customer360.contracts.sql import quoted

REJECTED = "rejected"


def changes(
    received: DataFrame,
    contract: Contract,
    key: Sequence[str],
    bronze: DataFrame,
    present: DataFrame | None,
) -> DataFrame:
    """What must be done to ``bronze`` so that it holds ``received``.

    Args:
        received: As `ingest.received` gives them, each key once.
        contract: The bronze table's.
        key: Columns that tell rows apart.
        bronze: The table as it is.
        present: The keys that the source still has; None: nothing was deleted.

    Returns:
        Bronze rows to be put in place of those of their key, ``_gone`` null; rows of ``bronze`` to
        be taken out, ``_gone`` saying why: they broke their contract (`REJECTED`) or the source
        has them no more (`DELETED`). ``_was_on`` is the event date that ``bronze`` knows. Rows
        that are equal already are not there.
    """
    new = ingest.accepted(received, contract)
    names = [quoted(name) for name in key]
    known = bronze.select(
        *names, F.col("_row_hash").alias("_known_hash"), F.col("_event_date").alias("_was_on")
    )
    put = (
        new.join(known, list(key), "left")
        .where(F.col("_known_hash").isNull() | (F.col("_known_hash") != F.col("_row_hash")))
        .select(*(quoted(name) for name in new.columns), "_was_on")
        .withColumn("_gone", F.lit(None).cast("string"))
    )
    broken = received.where(~ingest.kept(contract)).select(*names)
    keeps = {name: F.lit(0).cast("bigint") for name in violation_columns(contract)}
    taken = _taken(bronze.join(broken, list(key), "left_semi"), REJECTED)
    if present is not None:
        gone = _taken(bronze.join(present, list(key), "left_anti"), DELETED)
        taken = taken.unionByName(gone)
    return put.unionByName(taken.withColumns(keeps))


def merge_clauses(key: Sequence[str], columns: Sequence[str]) -> str:
    """Clauses of the MERGE of `changes` (``source``) into the table (``target``)."""
    same = " AND ".join(f"target.{quoted(name)} = source.{quoted(name)}" for name in key)
    names = ", ".join(quoted(name) for name in columns)
    values = ", ".join(f"source.{quoted(name)}" for name in columns)
    sets = ", ".join(f"{quoted(name)} = source.{quoted(name)}" for name in columns)
    return (
        f"ON {same} WHEN MATCHED AND source._gone IS NOT NULL THEN DELETE "
        f"WHEN MATCHED THEN UPDATE SET {sets} "
        f"WHEN NOT MATCHED AND source._gone IS NULL THEN INSERT ({names}) VALUES ({values})"
    )


def deleted(
    rows: DataFrame, contract: Contract, *, ingested_at: datetime, run_id: str
) -> DataFrame:
    """Quarantine rows for bronze rows that the source has no more.

    ``_ingested_at`` is when it was noticed.
    """
    raw = F.to_json(
        F.struct(*(quoted(name) for name in contract.column_names)), {"ignoreNullFields": "false"}
    )
    return rows.select(
        F.col("_delivered_on"),
        F.array(F.lit(DELETED)).alias("reasons"),
        raw.alias("raw"),
        F.col("_source_file"),
        F.timestamp_seconds(F.lit(ingested_at.timestamp())).alias("_ingested_at"),
        F.col("_row_hash"),
        F.lit(run_id).alias("run_id"),
        *MARKS,
    )


def is_deleted() -> str:
    """SQL that is true of quarantine rows made by `deleted`."""
    return f"array_contains(reasons, '{DELETED}')"


def without(quarantine: DataFrame, keys: DataFrame, *, how: str = "left_anti") -> DataFrame:
    """Quarantine rows whose key is not in ``keys`` (``how`` "left_semi": is in them)."""
    names = keys.columns
    own = {f"__{n}": F.get_json_object("raw", f"$['{name}']") for n, name in enumerate(names)}
    renamed = keys.select(*(F.col(quoted(name)).alias(f"__{n}") for n, name in enumerate(names)))
    return quarantine.withColumns(own).join(renamed, list(own), how).drop(*own)


def digest(rows: DataFrame) -> DataFrame:
    """Rows and sum of row hashes of each event date: equal where a day's rows are."""
    return rows.groupBy("_event_date").agg(
        F.count(F.lit(1)).alias("rows"),
        F.sum(F.col("_row_hash").cast("decimal(38,0)")).alias("hashes"),
    )


def differing_days(before: DataFrame, after: DataFrame) -> set[date]:
    """Event dates on which two states of a table differ; reads a row a day of each."""
    digests = [
        {(row[0], row[1], row[2]) for row in digest(rows).collect()} for rows in (before, after)
    ]
    return {day for day, *_ in digests[0] ^ digests[1] if day is not None}


def _taken(rows: DataFrame, why: str) -> DataFrame:
    return rows.withColumn("_was_on", F.col("_event_date")).withColumn("_gone", F.lit(why))
