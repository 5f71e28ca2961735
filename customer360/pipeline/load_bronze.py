"""Raw deliveries to bronze and quarantine, with every row accounted for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from urllib.parse import unquote

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.bronze import ingest
from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.errors import BrokenFileError
from customer360.pipeline.bronze_accounts import DELIVERY_DAY, WHOLE, BronzeLoaded, DeliveryCount
from customer360.pipeline.follow_changes import follow_changes
from customer360.pipeline.workspace import Workspace
from customer360.sources.base import ChangingSource, Source
from customer360.sources.readers import shown_name
from customer360.table_names import quarantine_of


def load_bronze(work: Workspace, source: Source, table: str, days: DayRange) -> BronzeLoaded:
    """Bring bronze table ``table`` up to what was delivered on ``days``.

    A daily delivery replaces its days; an extract replaces the whole table, and only when its
    files or its contract changed; a table that changes in place is followed.

    Raises:
        BrokenFileError: A raw file cannot be used; nothing is written.
        DatabaseSourceError: The database cannot be read as its mapping says.
    """
    if isinstance(source, ChangingSource):
        return follow_changes(work, source, table)
    try:
        if source.delivery(table) == "daily":
            return _load_days(work, source, table, days)
        return _load_extract(work, source, table, days)
    except Exception as error:  # which class Spark's errors have depends on the kind of session
        broken = _as_broken_file(error, table)
        if broken is None:
            raise
        raise broken from None


def _received(work: Workspace, source: Source, table: str, days: DayRange) -> DataFrame:
    raw = source.read_raw(work.spark, table, days.first, days.last)
    return ingest.received(
        raw, source.contract(table), ingested_at=work.started_at, run_id=work.run_id
    )


def _load_days(work: Workspace, source: Source, table: str, days: DayRange) -> BronzeLoaded:
    contract = source.contract(table)
    received = _received(work, source, table, days)
    bronze = work.lakehouse.replace_days(
        f"bronze/{table}",
        ingest.accepted(received, contract).repartition(DELIVERY_DAY),
        DELIVERY_DAY,
        list(days),
        index=contract.indexed_columns,
    )
    quarantine = work.lakehouse.replace_days(
        quarantine_of(table),
        # A shuffle of few rows; to coalesce instead would check all raw rows in one task.
        ingest.rejected(received, contract).repartition(1),
        DELIVERY_DAY,
        list(days),
        partitioned=False,
        index=[DELIVERY_DAY],
    )
    # Counted apart from the split, so that the split is proved and not assumed. Parquet and
    # Delta answer these from their footers and statistics.
    raw = source.read_raw(work.spark, table, days.first, days.last)
    counts = _counts_by_day(
        {
            "raw": raw,
            "bronze": work.lakehouse.read_days(f"bronze/{table}", DELIVERY_DAY, list(days)),
            "quarantined": work.lakehouse.read_days(quarantine_of(table), DELIVERY_DAY, list(days)),
        },
        days,
    )
    return BronzeLoaded(bronze, quarantine, counts, _reasons(work, table, days))


def _load_extract(work: Workspace, source: Source, table: str, days: DayRange) -> BronzeLoaded:
    contract = source.contract(table)
    lakehouse = work.lakehouse
    print_now = _extract_print(source, table, contract)
    known = next((json.loads(n) for _, n in lakehouse.notes(f"bronze/{table}") if n), None)
    if known is not None and known["extract"] == print_now:
        return BronzeLoaded(
            None, None, _whole(work, table, int(known["raw"])), _reasons(work, table)
        )
    received = _received(work, source, table, days)
    raw_rows = source.read_raw(work.spark, table, days.first, days.last).count()
    quarantine = lakehouse.replace_all(
        quarantine_of(table), ingest.rejected(received, contract), index=[DELIVERY_DAY]
    )
    # Bronze last: its note says that both are done.
    bronze = lakehouse.replace_all(
        f"bronze/{table}",
        ingest.accepted(received, contract),
        index=contract.indexed_columns,
        note=json.dumps({"extract": print_now, "raw": raw_rows}),
    )
    return BronzeLoaded(bronze, quarantine, _whole(work, table, raw_rows), _reasons(work, table))


def _extract_print(source: Source, table: str, contract: Contract) -> str:
    stated = f"{source.fingerprint(table)}\n{contract!r}"
    return hashlib.sha256(stated.encode()).hexdigest()


def _whole(work: Workspace, table: str, raw_rows: int) -> dict[str, DeliveryCount]:
    bronze = work.lakehouse.read(f"bronze/{table}").count()
    quarantined = work.lakehouse.read(quarantine_of(table)).count()
    return {WHOLE: DeliveryCount(raw_rows, bronze, quarantined)}


def _counts_by_day(frames: Mapping[str, DataFrame], days: DayRange) -> dict[str, DeliveryCount]:
    found: dict[str, dict[date, int]] = {}
    for name, frame in frames.items():
        rows = frame.groupBy(DELIVERY_DAY).agg(F.count(F.lit(1))).collect()
        found[name] = {row[0]: row[1] for row in rows}
    seen = set(days).union(*found.values())
    return {
        str(day): DeliveryCount(**{name: counts.get(day, 0) for name, counts in found.items()})
        for day in sorted(seen)
    }


def _reasons(work: Workspace, table: str, days: DayRange | None = None) -> dict[str, int]:
    frame = work.lakehouse.read(quarantine_of(table))
    if days is not None:
        frame = work.lakehouse.read_days(quarantine_of(table), DELIVERY_DAY, list(days))
    rows = frame.select(F.explode("reasons").alias("reason")).groupBy("reason").count().collect()
    return {row["reason"]: row["count"] for row in sorted(rows)}


def _as_broken_file(error: Exception, table: str) -> BrokenFileError | None:
    """A file that turns out unreadable only while Spark reads it, named; None for other errors."""
    text = str(error)
    if "FAILED_READ_FILE" not in text and "CANNOT_READ_FILE" not in text:
        return None
    found = re.search(r"file:(/\S+?)[.,]?(\s|$)", text)
    return BrokenFileError(
        shown_name(Path(unquote(found[1]))) if found else table,
        f"a readable file of bronze/{table}",
        "one that breaks off or is damaged",
        "deliver it again; nothing was written",
    )
