"""Bronze to silver through the tables: every row is accounted for, keys are unique."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from customer360.contracts import Contract
from customer360.pipeline import audit
from customer360.sources.synthetic import Truth
from customer360_tests.deployments import Home
from customer360_tests.pipeline.conftest import DAYS, Loaded


def test_rows_are_accounted_for_as_the_truth_says(at_once: tuple[Home, Loaded]) -> None:
    home, loaded = at_once
    accounting = loaded.transactions.accounting["synthetic"]
    truth = [
        row
        for row in Truth(home.source.folder).rows().to_pylist()
        if row["table"].endswith("transactions")
    ]
    kept = {row["order_id"] for row in home.rows("silver/transactions")}
    assert accounting.missing == 0
    assert accounting.rows_in == home.lakehouse.read("bronze/synthetic_transactions").count()
    assert accounting.kept == home.lakehouse.read("silver/transactions").count()
    # Of an excluded order the duplicates are excluded too.
    repeated = [row for row in truth if row["effect"] == "duplicate" and row["row_id"] in kept]
    assert accounting.duplicates == len(repeated) > 10
    # A customer whose only profile row is in quarantine is as unknown as one who never existed.
    assert set(accounting.excluded) == {"unknown_customer"}
    unknown = [row for row in truth if row["effect"] == "excluded"]
    assert accounting.excluded["unknown_customer"] >= len(unknown) > 0
    assert not kept & {row["row_id"] for row in unknown}
    assert home.lakehouse.read("quarantine/transactions").count() == sum(
        accounting.excluded.values()
    )


def test_no_order_is_twice_in_silver(at_once: tuple[Home, Loaded]) -> None:
    home, _ = at_once
    orders = Counter(
        (row["source"], row["order_id"], row["kind"]) for row in home.rows("silver/transactions")
    )
    assert set(orders.values()) == {1}


def test_the_audits_find_nothing_and_count_right(at_once: tuple[Home, Loaded]) -> None:
    work = at_once[0].workspace()
    for table in ("transactions", "customers", "customer_history", "customer_days"):
        found = audit.audit_keys(work, Contract.load(f"silver/{table}"))
        assert {each.description for each in (found.repeated, *found.unknown.values())} == {None}
    customers = work.lakehouse.read("silver/customers").count()
    assert customers > 50
    history = audit.audit_history(work)
    assert history.current == history.customers == customers
    assert history.versions == work.lakehouse.read("silver/customer_history").count()
    here, there = audit.revenue_of(work, DAYS)
    assert here == there > 0


def test_history_holds_the_profile_of_every_instant(at_once: tuple[Home, Loaded]) -> None:
    """Versions of a customer follow one another without gap or overlap; the last is the profile."""
    home, _ = at_once
    current = {row["customer_key"]: row for row in home.rows("silver/customers")}
    versions: dict[str, list[dict]] = {}
    for row in home.rows("silver/customer_history"):
        versions.setdefault(row["customer_key"], []).append(row)
    assert set(versions) == set(current)
    for key, rows in versions.items():
        rows.sort(key=lambda row: row["valid_from"])
        for earlier, later in pairwise(rows):
            assert earlier["valid_to"] == later["valid_from"]
            assert not earlier["is_current"]
        assert rows[-1]["valid_to"] is None
        assert rows[-1]["is_current"]
        for name in ("city", "state", "country", "loyalty_tier", "marketing_consent"):
            assert rows[-1][name] == current[key][name]
