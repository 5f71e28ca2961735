"""Files and a mapping taken to what silver makes of them, every row accounted for on the way."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyspark.sql import Row, SparkSession

from customer360.bronze import ingest
from customer360.silver import transactions
from customer360.silver.keys import customer_key_of
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping
from customer360.sources.mapped import REFUNDED

SECRET = b"known to the tests"
ORDERS = """
name: shop
time_zone: UTC
currency: EUR
date_format: "yyyy-MM-dd"
grain: orders
columns: {order_id: id, customer_id: who, occurred_at: day, amount: sum}
"""
"""The mapping of a plain file of orders: id, who, day, sum."""

EVER = (dt.date(1900, 1, 1), dt.date(2200, 1, 1))


@dataclass(frozen=True)
class Loaded:
    """What became of the rows of some files."""

    source: FilesSource
    rows: list[Row]
    quarantined: list[Row]
    names: dict[str, str]

    @property
    def good(self) -> list[Row]:
        here = (row for row in self.rows if not row._nothing)
        return [row for row in here if row.excluded_because is None]

    @property
    def net(self) -> Any:
        """Sales less refunds."""
        sign = {"sale": 1, "refund": -1, "cancelled": 0}
        return sum((row.amount * sign[row.kind] for row in self.good), Decimal(0))

    @property
    def amounts(self) -> dict[str, Any]:
        """Amount of each order's sale."""
        found: dict[str, Decimal] = {}
        for row in self.good:
            if row.kind == "sale":
                found[row.order_id] = found.get(row.order_id, Decimal(0)) + row.amount
        return found

    @property
    def days(self) -> dict[str, dt.date]:
        return {row.order_id: row.business_date for row in self.good}

    @property
    def excluded(self) -> Any:
        return Counter(row.excluded_because for row in self.rows if row.excluded_because)

    @property
    def reasons(self) -> Any:
        return Counter(reason for row in self.quarantined for reason in row.reasons)

    @property
    def customers(self) -> Any:
        """Good rows of each customer: None is nobody."""
        return Counter(self.names.get(row.customer_key) for row in self.good)


def load(
    spark: SparkSession, folder: Path, mapping: str, files: Mapping[str, str | bytes]
) -> Loaded:
    """Write ``files`` to ``folder`` and read them by ``mapping``, to the prepared transactions.

    Every row of the files is in bronze or in quarantine, and every row of bronze is staged; the
    days that the source tells beforehand are those of the rows.
    """
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_from(spark, folder, mapping)


def load_from(spark: SparkSession, path: Path, mapping: str) -> Loaded:
    """The same with files that are there."""
    source = FilesSource(parse_mapping(mapping, where="test.yaml"), path)
    available = source.available()
    (table,) = source.tables
    contract = source.contract(table)
    raw = source.read_raw(spark, table, *EVER)
    now = dt.datetime.now(dt.UTC)
    received = ingest.received(raw, contract, ingested_at=now, run_id="test").cache()
    quarantined = ingest.rejected(received, contract).collect()
    bronze = ingest.accepted(received, contract)
    staged = source.staged_transactions({table: bronze})
    prepared = transactions.prepared(
        staged,
        source=source.name,
        secret=SECRET,
        time_zone=source.time_zone,
        currency=source.currency,
    )
    rows = prepared.orderBy("occurred_at", "order_id", "line_key").collect()
    ids = {row[0] for row in staged.select("source_customer_id").collect()} - {None}
    kept = bronze.count()
    # In the files = bronze + quarantine; each row of bronze is staged, a refund beside it apart.
    assert received.count() == len(quarantined) + kept
    assert kept == sum(not row.line_key.endswith(REFUNDED) for row in rows)
    received.unpersist()
    # Days to come wait, and are none of a run's.
    today = dt.datetime.now(dt.UTC).date()
    good = (row.business_date for row in rows if row.excluded_because is None)
    days = {day for day in good if day <= today}
    if days and not source.mapping.date_in_name:
        assert available.first <= min(days) <= max(days) <= available.last
    names = {customer_key_of(source.name, id_, SECRET): id_ for id_ in ids}
    return Loaded(source, rows, quarantined, names)
