"""Raw rows into bronze rows and quarantined rows: every row into exactly one of the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.bronze import edits as row_edits
from customer360.bronze import forgetting
from customer360.bronze.edits import IS_LEFT_OUT, MARK_TYPES, MARKS, ROW_HASH
from customer360.bronze.forgetting import FORGOTTEN, Forgotten
from customer360.contracts import Contract
from customer360.contracts.checks import (
    CORRUPT_RECORD,
    keeps_every_rule,
    reasons,
    violation_columns,
    with_violations,
)
from customer360.contracts.reasons import FORGOTTEN_PERSON, LEFT_OUT
from customer360.contracts.spark import table_schema
from customer360.contracts.sql import quoted
from customer360.sources.people import PersonColumns

WORTH = "_worth"
"""What a row is worth, beside the columns of a received row; null where nothing can be told."""


def nothing_left(key: Mapping[str, SparkColumn]) -> SparkColumn:
    """What quarantine has of a row of somebody forgotten: nothing, or the row's key alone.

    A table that is kept equal to a database knows by it that it has seen the row.

    Args:
        key: By name, the texts of the columns that tell the table's rows apart; none where its rows
            are not followed.
    """
    if not key:
        return F.lit("{}")
    named = F.struct(*(value.alias(name) for name, value in key.items()))
    return F.to_json(named, {"ignoreNullFields": "false"})


_RUN_ID = "_run_id"


def received(
    raw: DataFrame,
    contract: Contract,
    *,
    ingested_at: datetime,
    run_id: str,
    edits: DataFrame | None = None,
    people: PersonColumns | None = None,
    forgotten: Forgotten | None = None,
    lines: DataFrame | None = None,
) -> DataFrame:
    """Raw rows with their bookkeeping columns and the rules they break.

    Args:
        raw: A source's rows: the contract's columns as text, ``_rescued``, ``_source_file``,
            ``_delivered_on`` and, for text files, ``_corrupt_record``.
        contract: The bronze table's contract.
        ingested_at: When this run learnt of the rows; must have a time zone.
        run_id: The run, as quarantine will name it.
        edits: Those of the table in ``quarantine/edits``; None where there are none.
        people: How the rows are about people.
        forgotten: Who is to be forgotten; None where nobody is. Needs ``people``.
        lines: The raw rows with nothing observed on the way, where something is.

    Returns:
        The same rows, edited ones as their edits say, plus ``_event_date``, ``_ingested_at``,
        ``_row_hash``, the run, `WORTH`, what tells of an edit and the masks of
        `customer360.contracts.checks.with_violations`. Give it to both `accepted` and `rejected`.

    Raises:
        ContractError: A column of the contract is missing.
        ValueError: ``ingested_at`` has no time zone.
    """
    if ingested_at.tzinfo is None:
        raise ValueError("ingested_at needs a time zone")
    rows, added = _whole(raw), {}
    if edits is None:
        added = {name: F.lit(None).cast(kind) for name, kind in MARK_TYPES.items()}
        added |= {ROW_HASH: row_edits.row_hash(contract), IS_LEFT_OUT: F.lit(False)}
    else:
        rows = row_edits.applied(rows, contract, edits)
    if forgotten is not None and people is not None:
        rows = forgetting.marked(
            rows, people, forgotten, lines=None if lines is None else _whole(lines)
        )
    checked = with_violations(rows, contract, event_date="_event_date", money=WORTH)
    complete = checked.withColumns(
        {"_ingested_at": F.timestamp_seconds(F.lit(ingested_at.timestamp()))}
        | added
        | {_RUN_ID: F.lit(run_id)}
    )
    if forgotten is None or people is None:
        return complete.withColumn(FORGOTTEN, F.lit(False))
    return forgetting.blanked(complete, contract, people, forgotten)


def kept(contract: Contract) -> SparkColumn:
    """Whether a row from `received` belongs into bronze; into quarantine if not."""
    return keeps_every_rule(contract) & ~F.col(IS_LEFT_OUT)


def accepted(received: DataFrame, contract: Contract) -> DataFrame:
    """The bronze rows: those that are `kept`, columns in the table's stored order.

    The masks of their rules come with them, so that the write need not read the texts again.
    """
    names = (*table_schema(contract).names, *violation_columns(contract))
    return received.where(kept(contract)).select(*map(quoted, names))


def why_not(contract: Contract) -> SparkColumn:
    """Every reason why a row from `received` that is not `kept` is in quarantine."""
    return (
        F.when(F.col(FORGOTTEN), F.array(F.lit(FORGOTTEN_PERSON)))
        .when(F.col(IS_LEFT_OUT), F.array(F.lit(LEFT_OUT)))
        .otherwise(reasons(None, contract))
    )


def rejected(received: DataFrame, contract: Contract, key: Sequence[str] = ()) -> DataFrame:
    """The quarantine rows: the others, each with every reason and its raw text.

    ``raw`` is the row as JSON, nulls kept, with columns the contract does not know under
    ``_rescued``; for a row that could not be split it is the line as it stood in the file. Of an
    edited row it is what was made of it; of somebody forgotten `nothing_left`.

    Args:
        received: As `received` gives them.
        contract: The bronze table's.
        key: Columns, of nobody's own, by which a table that changes in place finds its rows.
    """
    left = nothing_left({name: F.col(quoted(name)) for name in key})
    return received.where(~kept(contract)).select(
        F.col("_delivered_on"),
        why_not(contract).alias("reasons"),
        F.when(F.col(FORGOTTEN), left).otherwise(_raw(contract)).alias("raw"),
        F.col("_source_file"),
        F.col("_ingested_at"),
        F.col("_row_hash"),
        F.col(_RUN_ID).alias("run_id"),
        *MARKS,
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


def _raw(contract: Contract) -> SparkColumn:
    names = ", ".join(quoted(name) for name in contract.column_names)
    keep_nulls = "map('ignoreNullFields', 'false')"
    return F.expr(
        f"CASE WHEN {CORRUPT_RECORD} IS NOT NULL THEN {CORRUPT_RECORD} "
        f"WHEN _rescued IS NULL THEN to_json(struct({names}), {keep_nulls}) "
        f"ELSE to_json(struct({names}, _rescued), {keep_nulls}) END"
    )
