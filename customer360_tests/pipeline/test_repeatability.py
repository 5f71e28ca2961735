"""The same input gives the same tables, however often and in whatever pieces it is loaded."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from customer360.days import DayRange
from customer360.sources.synthetic import Truth
from customer360_tests.deployments import Home, assert_same_content, content
from customer360_tests.pipeline.conftest import DAYS, Loaded, load, make_snapshots

BRONZE = ("bronze/synthetic_customers", "bronze/synthetic_transactions")
QUARANTINE = (
    "quarantine/synthetic_customers",
    "quarantine/synthetic_transactions",
    "quarantine/transactions",
)
SILVER = (
    "silver/customers",
    "silver/customer_history",
    "silver/transactions",
    "silver/customer_days",
)
GOLD = (
    "gold/customer_features",
    "gold/first_orders",
    "gold/rfm_segments",
    "gold/cohort_retention",
    "gold/business_health",
    "gold/churn_scores",
    "gold/lifetime_value",
    "gold/customer_360",
)
ALL = (*BRONZE, *QUARANTINE, *SILVER, *GOLD)


def test_the_data_has_what_could_break_it(at_once: tuple[Home, Loaded]) -> None:
    """Rows that come late, twice in a day and again on a later day, in both raw tables."""
    home, _ = at_once
    made = Counter((row["table"], row["defect"]) for row in truth_rows(home))
    for table, defect in (
        ("transactions", "late"),
        ("transactions", "duplicate_later"),
        ("transactions", "duplicate_same_day"),
        ("customers", "customer_late"),
        ("customers", "customer_duplicate_later"),
    ):
        assert sum(n for key, n in made.items() if key[0].endswith(table) and key[1] == defect) > 2


def truth_rows(home: Home) -> list[dict]:
    return Truth(home.source.folder).rows().to_pylist()


@pytest.mark.parametrize("tables", [BRONZE, QUARANTINE, SILVER, GOLD], ids=lambda t: t[0][:6])
def test_day_by_day_equals_at_once(at_once, day_by_day, tables) -> None:
    whole, pieces = at_once[0].lakehouse, day_by_day[0].lakehouse
    assert all(whole.rows(table) for table in tables)
    assert_same_content(pieces, whole, tables)


def test_a_late_row_mends_the_day_it_belongs_to(day_by_day: tuple[Home, dict]) -> None:
    """Each night restates exactly the days of the rows that came that night."""
    home, nights = day_by_day
    good = home.rows("bronze/synthetic_transactions")
    mended = 0
    for night, loaded in nights.items():
        events = {row["_event_date"] for row in good if row["_delivered_on"] == night}
        restated = set(loaded.transactions.days)
        assert events | {night} <= restated
        mended += len(restated - {night})
    assert mended >= 5
    kept = {row["order_id"]: row for row in home.rows("silver/transactions")}
    late = [row for row in truth_rows(home) if row["defect"] == "late" and row["row_id"] in kept]
    assert len(late) > 10
    for row in late:
        assert kept[row["row_id"]]["business_date"] == row["event_at"].date()


def test_the_same_range_twice_changes_nothing(at_once: tuple[Home, Loaded]) -> None:
    home, _ = at_once
    before = {table: content(home.lakehouse, table) for table in ALL}
    load(home, DAYS, "the same again")
    make_snapshots(home.workspace(), [DAYS.last])
    for table in ALL:
        assert content(home.lakehouse, table) == before[table], table


def test_a_trailing_window_changes_nothing(at_once: tuple[Home, Loaded]) -> None:
    """What the nightly run does: days that were loaded before are loaded again."""
    home, _ = at_once
    tables = (*BRONZE, *QUARANTINE, *SILVER, "gold/business_health")
    before = {table: content(home.lakehouse, table) for table in tables}
    load(home, DayRange(DAYS.last - timedelta(days=2), DAYS.last), "nightly")
    for table in tables:
        assert content(home.lakehouse, table) == before[table], table
