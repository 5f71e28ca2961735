"""The audits behind the blocking checks find what they are there to find."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.lakehouse.tables import Lakehouse, days_predicate
from customer360.pipeline import audit
from customer360.pipeline.bronze_accounts import BronzeLoaded, DeliveryCount
from customer360_tests.deployments import Home
from customer360_tests.pipeline.conftest import DAYS, Loaded
from customer360_tests.stored import put

ORDERS = Contract.load("silver/transactions")


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
        put(lakehouse, table, home.lakehouse.read(table))
    return replace(home.workspace(), lakehouse=lakehouse)


def test_repeated_orders_and_unknown_customers_are_found(work) -> None:
    rows = work.lakehouse.read("silver/transactions")
    one = rows.orderBy("order_id").limit(1)
    stranger = one.withColumn("customer_key", F.lit("f" * 64)).withColumn("order_id", F.lit("new"))
    put(work.lakehouse, "silver/transactions", rows.unionByName(one).unionByName(stranger))
    found = audit.audit_keys(work, ORDERS)
    assert (found.repeated.count, found.unknown["customer_key"].count) == (1, 1)
    told = [name for name in ORDERS.primary_key if name != "order_id"]  # which is the customer's
    (key,) = one.select(*told).collect()
    assert found.repeated.description == (
        "silver/transactions breaks its contract: 1 keys on several rows, e.g. "
        + ", ".join(f"{name} {value}" for name, value in key.asDict().items())
        + "; nothing is made of it: correct what makes the table, and run again"
    )
    assert found.unknown["customer_key"].description == (
        "silver/transactions breaks its contract: 1 values not in silver/customers, e.g. "
        f"customer_key {'f' * 64}; nothing is made of it: correct what makes the table, and run "
        "again"
    )


def test_only_the_days_asked_for_are_checked(work) -> None:
    first, middle, last = DAYS.first, DAYS.first + timedelta(days=3), DAYS.last
    rows = work.lakehouse.read("silver/transactions")
    one = rows.where(F.col("business_date") == F.lit(middle)).orderBy("order_id").limit(1)
    put(work.lakehouse, "silver/transactions", rows.unionByName(one))

    def repeated(*days: date) -> int:
        return audit.audit_keys(work, ORDERS, days_predicate("business_date", days)).repeated.count

    assert (repeated(first, last), repeated(first, middle, last), repeated()) == (0, 1, 0)


def test_repeated_customers_and_two_current_versions_are_found(work) -> None:
    rows = work.lakehouse.read("silver/customers")
    put(work.lakehouse, "silver/customers", rows.unionByName(rows.limit(1)))
    assert audit.audit_keys(work, Contract.load("silver/customers")).repeated.count == 1
    versions = work.lakehouse.read("silver/customer_history")
    again = versions.where("is_current").limit(1)
    put(work.lakehouse, "silver/customer_history", versions.unionByName(again))
    found = audit.audit_history(work)
    assert found.customers - found.current == 1


def test_repeated_keys_of_a_snapshot_are_found(work) -> None:
    rows = work.lakehouse.read("gold/rfm_segments")
    customers = rows.count()
    put(work.lakehouse, "gold/rfm_segments", rows.unionByName(rows.limit(1)))
    contract, before = Contract.load("gold/rfm_segments"), DAYS.last - timedelta(days=1)
    assert audit.audit_keys(work, contract).repeated.count == 1
    assert audit.audit_keys(work, contract, f"as_of = '{before}'").repeated.count == 0
    counts = audit.rows_by_date(work, "gold/rfm_segments", [before, DAYS.last])
    assert counts == {before: 0, DAYS.last: customers + 1}


def test_revenue_that_does_not_reconcile_is_found(work) -> None:
    rows = work.lakehouse.read("gold/business_health")
    lost = rows.where(F.col("business_date") != F.lit(DAYS.last))
    put(work.lakehouse, "gold/business_health", lost)
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
