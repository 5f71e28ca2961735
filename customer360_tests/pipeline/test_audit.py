"""The audits behind the blocking checks find what they are there to find."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.lakehouse.tables import Lakehouse
from customer360.pipeline import audit
from customer360.pipeline.bronze_accounts import BronzeLoaded, DeliveryCount
from customer360_tests.deployments import Home
from customer360_tests.pipeline.conftest import DAYS, Loaded


@pytest.fixture
def work(at_once: tuple[Home, Loaded], lakehouse: Lakehouse):
    """A workspace over copies of the silver and gold tables that may be spoilt."""
    home, _ = at_once
    for table in (
        "silver/customers",
        "silver/transactions",
        "silver/customer_history",
        "gold/rfm_segments",
        "gold/business_health",
    ):
        lakehouse.replace_all(table, home.lakehouse.read(table))
    return replace(home.workspace(), lakehouse=lakehouse)


def test_repeated_orders_and_unknown_customers_are_found(work) -> None:
    rows = work.lakehouse.read("silver/transactions")
    one = rows.orderBy("order_id").limit(1)
    stranger = one.withColumn("customer_key", F.lit("f" * 64)).withColumn("order_id", F.lit("new"))
    work.lakehouse.replace_all("silver/transactions", rows.unionByName(one).unionByName(stranger))
    found = audit.audit_transactions(work, list(DAYS))
    assert (found.repeated_keys, found.unknown_customers) == (1, 1)


def test_only_the_days_asked_for_are_checked(work) -> None:
    first, middle, last = DAYS.first, DAYS.first + timedelta(days=3), DAYS.last
    rows = work.lakehouse.read("silver/transactions")
    one = rows.where(F.col("business_date") == F.lit(middle)).orderBy("order_id").limit(1)
    work.lakehouse.replace_all("silver/transactions", rows.unionByName(one))
    assert audit.audit_transactions(work, [first, last]).repeated_keys == 0
    assert audit.audit_transactions(work, [first, middle, last]).repeated_keys == 1
    assert audit.audit_transactions(work, []).repeated_keys == 0


def test_repeated_customers_and_two_current_versions_are_found(work) -> None:
    rows = work.lakehouse.read("silver/customers")
    work.lakehouse.replace_all("silver/customers", rows.unionByName(rows.limit(1)))
    assert audit.audit_customers(work).repeated_keys == 1
    versions = work.lakehouse.read("silver/customer_history")
    again = versions.where("is_current").limit(1)
    work.lakehouse.replace_all("silver/customer_history", versions.unionByName(again))
    found = audit.audit_history(work)
    assert found.customers - found.current == 1


def test_repeated_keys_of_a_snapshot_are_found(work) -> None:
    rows = work.lakehouse.read("gold/rfm_segments")
    customers = rows.count()
    work.lakehouse.replace_all("gold/rfm_segments", rows.unionByName(rows.limit(1)))
    found = audit.audit_snapshots(work, Contract.load("gold/rfm_segments"), [DAYS.last])
    assert found.repeated_keys == 1
    assert found.rows == {DAYS.last: customers + 1}
    before = DAYS.last - timedelta(days=1)
    elsewhere = audit.audit_snapshots(work, Contract.load("gold/rfm_segments"), [before])
    assert (elsewhere.repeated_keys, elsewhere.rows) == (0, {before: 0})


def test_revenue_that_does_not_reconcile_is_found(work) -> None:
    rows = work.lakehouse.read("gold/business_health")
    lost = rows.where(F.col("business_date") != F.lit(DAYS.last))
    work.lakehouse.replace_all("gold/business_health", lost)
    here, there = audit.revenue_of(work, DAYS)
    assert here < there
    (one,) = rows.where(F.col("business_date") == F.lit(DAYS.first)).collect()
    first = audit.revenue_of(work, DayRange(DAYS.first, DAYS.first))
    assert first == (one["net_revenue"], one["net_revenue"])
    assert first[0] > 0


def test_a_lost_row_and_a_multiplied_row_are_not_conserved() -> None:
    counts = {
        "2024-01-01": DeliveryCount(raw=10, bronze=9, quarantined=1),
        "2024-01-02": DeliveryCount(raw=10, bronze=9, quarantined=0),
        "2024-01-03": DeliveryCount(raw=10, bronze=10, quarantined=1),
    }
    loaded = BronzeLoaded(None, None, counts, {})
    assert set(loaded.not_conserved) == {"2024-01-02", "2024-01-03"}
    assert loaded.refused.share == 2 / 30
