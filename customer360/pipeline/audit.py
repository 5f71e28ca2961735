"""Independent counts over tables just written: what the asset checks report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.lakehouse.tables import days_predicate
from customer360.pipeline.workspace import Workspace
from customer360.table_names import AS_OF, CUSTOMERS, HEALTH, HISTORY, TRANSACTIONS


@dataclass(frozen=True)
class TransactionsAudit:
    """Keys that occur twice and customers that are not known; both should be zero."""

    repeated_keys: int
    unknown_customers: int


def audit_transactions(work: Workspace, days: Sequence[date]) -> TransactionsAudit:
    """Check silver/transactions of ``days`` against itself and against silver/customers."""
    lakehouse = work.lakehouse
    rows = lakehouse.read_days(TRANSACTIONS, "business_date", days)
    # A key's hash is a twentieth of the key; two different keys with one hash on one day would be
    # reported as a repeat, once in some 10^8 rows a day.
    key = F.xxhash64("source", "order_id", "kind", "entry").alias("key")
    repeated = (
        rows.select("business_date", key)
        .groupBy("business_date", "key")
        .count()
        .agg(F.count_if(F.col("count") > 1).alias("repeated"))
    )
    customers = lakehouse.read(CUSTOMERS).select("customer_key")
    unknown = (
        rows.where("customer_key IS NOT NULL")
        .select("customer_key")
        .distinct()
        .join(customers, "customer_key", "left_anti")
        .agg(F.count("*").alias("unknown"))
    )
    row = repeated.crossJoin(unknown).first()
    assert row is not None
    return TransactionsAudit(int(row["repeated"]), int(row["unknown"]))


@dataclass(frozen=True)
class CustomersAudit:
    """Rows of silver/customers, and keys that occur twice, which should be none."""

    rows: int
    repeated_keys: int


def audit_customers(work: Workspace) -> CustomersAudit:
    """Count customers and repeated keys."""
    keys = work.lakehouse.read(CUSTOMERS).groupBy("customer_key").count()
    row = keys.agg(F.sum("count"), F.count_if(F.col("count") > 1)).first()
    assert row is not None
    return CustomersAudit(int(row[0] or 0), int(row[1]))


@dataclass(frozen=True)
class HistoryAudit:
    """Versions, customers, and customers with exactly one current version: should be all."""

    versions: int
    customers: int
    current: int


def audit_history(work: Workspace) -> HistoryAudit:
    """Count versions, and customers with exactly one current version."""
    row = (
        work.lakehouse.read(HISTORY)
        .groupBy("customer_key")
        .agg(F.count("*").alias("versions"), F.count_if("is_current").alias("current"))
        .agg(F.sum("versions"), F.count("*"), F.count_if(F.col("current") == 1))
        .first()
    )
    assert row is not None
    return HistoryAudit(int(row[0] or 0), int(row[1]), int(row[2]))


@dataclass(frozen=True)
class SnapshotsAudit:
    """Rows by as-of date, and primary keys that occur twice, which should be none."""

    rows: Mapping[date, int]
    repeated_keys: int


def audit_snapshots(work: Workspace, contract: Contract, as_of: Sequence[date]) -> SnapshotsAudit:
    """Count rows and repeated primary keys of a gold table's snapshots."""
    rows = work.lakehouse.read_days(contract.table, AS_OF, as_of)
    by_key = rows.groupBy(*contract.primary_key).count()
    found = (
        by_key.groupBy(AS_OF)
        .agg(F.sum("count").alias("rows"), F.count_if(F.col("count") > 1).alias("repeated"))
        .collect()
    )
    counts = dict.fromkeys(as_of, 0) | {row[AS_OF]: int(row["rows"]) for row in found}
    return SnapshotsAudit(counts, sum(int(row["repeated"]) for row in found))


def revenue_of(work: Workspace, days: DayRange) -> tuple[Decimal, Decimal]:
    """Net revenue of ``days``: as gold/business_health states it, and from silver/transactions."""
    lakehouse = work.lakehouse
    within = days_predicate("business_date", list(days))
    stated = lakehouse.read(HEALTH).where(within).agg(F.sum("net_revenue").alias("stated"))
    signed = (
        F.when(F.col("kind") == "sale", F.col("amount"))
        .when(F.col("kind") == "refund", -F.col("amount"))
        .otherwise(F.lit(0).cast("decimal(18,2)"))
    )
    counted = lakehouse.read(TRANSACTIONS).where(within).agg(F.sum(signed).alias("counted"))
    row = stated.crossJoin(counted).first()
    assert row is not None
    return Decimal(row["stated"] or 0), Decimal(row["counted"] or 0)
