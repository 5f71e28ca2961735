"""What files would come to by a mapping: nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.bronze import ingest
from customer360.silver import transactions
from customer360.sources.base import Source

# Keys and hashes are needed to count by, and go nowhere.
_SECRET = b"nothing is kept"


@dataclass(frozen=True)
class Refused:
    """Rows that would be in quarantine for a reason, or left out of silver by it."""

    reason: str
    rows: int
    money: Decimal | None = None
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class Checked:
    """What would come in.

    Attributes:
        rows: Rows in the files.
        first: First business day of what counts.
        last: Last business day.
        orders: Different orders that were sold.
        refunds: Refunds; of lines, those of an order on a day are one.
        cancelled: Cancelled orders.
        customers: Different customers of what counts.
        anonymous: Orders that name no customer.
        sold: Money of the sales.
        given_back: Money of the refunds.
        currency: Of both.
        quarantined: Rows that break the contract, by reason.
        excluded: Rows that are no transactions, by reason.
        suspicions: What may be wrong although it can be read.
    """

    rows: int
    first: date | None
    last: date | None
    orders: int
    refunds: int
    cancelled: int
    customers: int
    anonymous: int
    sold: Decimal
    given_back: Decimal
    currency: str
    quarantined: Sequence[Refused] = ()
    excluded: Sequence[Refused] = ()
    suspicions: Sequence[str] = field(default_factory=tuple)


def check_source(spark: SparkSession, source: Source) -> Checked:
    """Read all of ``source`` as bronze and silver would, repeats once, and count.

    Raises:
        BrokenFileError: A file as a whole cannot be used.
    """
    days = source.available()
    table = source.transactions_table
    contract = source.contract(table)
    raw = source.read_raw(spark, table, days.first, days.last)
    received = ingest.received(raw, contract, ingested_at=datetime.now(UTC), run_id="check")
    quarantined = _quarantined(ingest.rejected(received, contract))
    bronze = {table: ingest.accepted(received, contract)}
    rows = transactions.prepared(
        source.staged_transactions(bronze),
        source=source.name,
        secret=_SECRET,
        time_zone=source.time_zone,
        currency=source.currency,
    )
    moved = transactions.moved_keys(rows)
    standing = None if moved.isEmpty() else transactions.standing_rows(rows, moved)
    settled = transactions.settled(rows, lines=source.order_lines, standing=standing)
    made = transactions.made_of(transactions.kept(settled), order_lines=source.order_lines)
    sale, refund = F.col("kind") == "sale", F.col("kind") == "refund"
    (total,) = made.agg(
        F.min("business_date").alias("first"),
        F.max("business_date").alias("last"),
        F.count_distinct(F.when(sale, F.col("order_id"))).alias("orders"),
        F.count_if(refund).alias("refunds"),
        F.count_if(F.col("kind") == "cancelled").alias("cancelled"),
        F.count_distinct(F.when(sale | refund, F.col("customer_key"))).alias("customers"),
        F.count_if(sale & F.col("customer_key").isNull()).alias("anonymous"),
        F.sum(F.when(sale, F.col("amount"))).alias("sold"),
        F.sum(F.when(refund, F.col("amount"))).alias("given_back"),
    ).collect()
    not_taken = rows.select("excluded_because", "amount").unionByName(
        transactions.conflicting(settled).select("excluded_because", "amount")
    )
    left_out = not_taken.where("excluded_because IS NOT NULL").groupBy("excluded_because")
    excluded = left_out.agg(F.count(F.lit(1)).alias("rows"), F.sum("amount").alias("money"))
    return Checked(
        rows=raw.count(),
        first=total.first,
        last=total.last,
        orders=total.orders,
        refunds=total.refunds,
        cancelled=total.cancelled,
        customers=total.customers,
        anonymous=total.anonymous,
        sold=total.sold or Decimal(0),
        given_back=total.given_back or Decimal(0),
        currency=source.currency,
        quarantined=quarantined,
        excluded=[
            Refused(row.excluded_because, row.rows, row.money)
            for row in sorted(excluded.collect(), key=lambda row: -row.rows)
        ],
        suspicions=[*source.suspicions(), *_repeated_ids(rows, source)],
    )


def _quarantined(rejected: DataFrame) -> list[Refused]:
    by_reason = (
        rejected.select(F.explode("reasons").alias("reason"), "raw")
        .groupBy("reason")
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.min(F.left("raw", F.lit(300))).alias("first"),
            F.max(F.left("raw", F.lit(300))).alias("last"),
        )
    )
    found = sorted(by_reason.collect(), key=lambda row: (-row["rows"], row["reason"]))
    return [
        Refused(
            row["reason"], row["rows"], examples=list(dict.fromkeys((row["first"], row["last"])))
        )
        for row in found
    ]


def _repeated_ids(rows: DataFrame, source: Source) -> list[str]:
    """Orders whose id stands on rows with other content: lines, or a key that is not whole."""
    if source.order_lines:
        return []
    said = F.xxhash64("customer_key", "occurred_at", "amount", "kind")
    sales = rows.where(F.col("excluded_because").isNull() & (F.col("kind") == "sale"))
    repeated = (
        sales.groupBy("order_id")
        .agg(F.count_distinct(said).alias("contents"), F.count(F.lit(1)).alias("rows"))
        .where("contents > 1")
    )
    (total,) = repeated.agg(F.count(F.lit(1)), F.min("order_id"), F.sum("rows")).collect()
    if not total[0]:
        return []
    return [
        f"{source.name}: {total[0]} order ids, {total[1]} for one, stand on {total[2]} rows that "
        "differ: if rows are lines of orders write `grain: lines`; if another column tells the "
        "orders apart, write `order_id: [that column, this column]`"
    ]
