"""Raw rows into bronze rows and quarantined rows: every row into exactly one of the two."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.checks import (
    CORRUPT_RECORD,
    keeps_every_rule,
    reasons,
    with_violations,
)
from customer360.contracts.spark import table_schema
from customer360.contracts.sql import quoted

WORTH = "_worth"
"""What a row is worth, beside the columns of a received row; null where nothing can be told."""

_RUN_ID = "_run_id"
# Stands for null in the hash, which would otherwise skip it: ("a", null) is not (null, "a").
_MISSING = r"'\0'"


def received(
    raw: DataFrame, contract: Contract, *, ingested_at: datetime, run_id: str
) -> DataFrame:
    """Raw rows with their bookkeeping columns and the rules they break.

    Args:
        raw: A source's rows: the contract's columns as text, ``_rescued``, ``_source_file``,
            ``_delivered_on`` and, for text files, ``_corrupt_record``.
        contract: The bronze table's contract.
        ingested_at: When this run learnt of the rows; must have a time zone.
        run_id: The run, as quarantine will name it.

    Returns:
        The same rows, plus ``_event_date``, ``_ingested_at``, ``_row_hash``, the run, `WORTH` and
        the masks of `customer360.contracts.checks.with_violations`. Give it to both `accepted` and
        `rejected`.

    Raises:
        ContractError: A column of the contract is missing.
        ValueError: ``ingested_at`` has no time zone.
    """
    if ingested_at.tzinfo is None:
        raise ValueError("ingested_at needs a time zone")
    checked = with_violations(_whole(raw), contract, event_date="_event_date", money=WORTH)
    return checked.withColumns(
        {
            "_ingested_at": F.timestamp_seconds(F.lit(ingested_at.timestamp())),
            "_row_hash": _row_hash(contract),
            _RUN_ID: F.lit(run_id),
        }
    )


def accepted(received: DataFrame, contract: Contract) -> DataFrame:
    """The bronze rows: those that keep every rule, columns in the table's stored order."""
    fields = table_schema(contract).fields
    return received.where(keeps_every_rule(contract)).select(*(quoted(f.name) for f in fields))


def rejected(received: DataFrame, contract: Contract) -> DataFrame:
    """The quarantine rows: those that break a rule, each with every reason and its raw text.

    ``raw`` is the row as JSON, nulls kept, with columns the contract does not know under
    ``_rescued``; for a row that could not be split it is the line as it stood in the file.
    """
    return received.where(~keeps_every_rule(contract)).select(
        F.col("_delivered_on"),
        reasons(None, contract).alias("reasons"),
        _raw(contract).alias("raw"),
        F.col("_source_file"),
        F.col("_ingested_at"),
        F.col("_row_hash"),
        F.col(_RUN_ID).alias("run_id"),
    )


def _whole(raw: DataFrame) -> DataFrame:
    """``raw`` with the optional columns of `Source.read_raw` filled in."""
    optional = {
        "_rescued": "string",
        "_source_file": "string",
        "_delivered_on": "date",
        CORRUPT_RECORD: "string",
    }
    absent = {n: F.lit(None).cast(t) for n, t in optional.items() if n not in raw.columns}
    return raw.withColumns(absent) if absent else raw


def _row_hash(contract: Contract) -> SparkColumn:
    """A hash of what the source said, in the contract's order whatever the file's order was."""
    texts = ", ".join(f"coalesce({quoted(name)}, {_MISSING})" for name in contract.column_names)
    return F.expr(
        f"CASE WHEN {CORRUPT_RECORD} IS NULL THEN xxhash64({texts}) "
        f"ELSE xxhash64({CORRUPT_RECORD}) END"
    )


def _raw(contract: Contract) -> SparkColumn:
    names = ", ".join(quoted(name) for name in contract.column_names)
    keep_nulls = "map('ignoreNullFields', 'false')"
    return F.expr(
        f"CASE WHEN {CORRUPT_RECORD} IS NOT NULL THEN {CORRUPT_RECORD} "
        f"WHEN _rescued IS NULL THEN to_json(struct({names}), {keep_nulls}) "
        f"ELSE to_json(struct({names}, _rescued), {keep_nulls}) END"
    )
