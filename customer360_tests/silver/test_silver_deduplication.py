from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import Observation, SparkSession

from customer360.contracts import Contract
from customer360.lakehouse.tables import Lakehouse
from customer360.silver import transactions as silver
from customer360_tests.silver.frames import SECRET, deduplicated, shown, transactions

D1, D2, D3 = date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 3)


def sale(order: str, day: date, amount: str, delivered: date, content: int = 1) -> dict:
    return {
        "order_id": order,
        "occurred_at": f"{day} 10:00:00",
        "amount": amount,
        "_delivered_on": str(delivered),
        "_row_hash": str(content),
    }


DELIVERED = {
    D1: [
        sale("a", D1, "10.00", D1),
        sale("a", D1, "10.00", D1),  # the same row twice in one file
        sale("b", D1, "20.00", D1),
        sale("c", D1, "30.00", D1, content=5),
        sale("c", D1, "33.00", D1, content=9),  # two contents in one file: a conflict, until D3
        sale("e", D1, "-50.00", D1),
    ],
    D2: [
        sale("a", D1, "10.00", D2),  # the same row again, a day later
        sale("b", D2, "21.00", D2) | {"kind": "refund"},  # beside the sale, not in its place
    ],
    D3: [
        sale("c", D1, "31.00", D3, content=2),  # a correction wins over both, two days later
        sale("d", D2, "40.00", D3),  # late
        sale("d", D2, "40.00", D3),
    ],
}
TABLE = [
    ("2024-03-01", "a", "sale", "10.00"),
    ("2024-03-01", "b", "sale", "20.00"),
    ("2024-03-01", "c", "sale", "31.00"),
    ("2024-03-02", "b", "refund", "21.00"),
    ("2024-03-02", "d", "sale", "40.00"),
]


def load(lakehouse: Lakehouse, received: set[date], days: list[date]) -> silver.Accounting:
    """Make ``days`` of silver from all that was ``received`` so far, as a run does."""
    spark: SparkSession = lakehouse.spark
    staged = transactions(spark, *(row for day in sorted(received) for row in DELIVERED[day]))
    came, excluded, kept = Observation(), Observation(), Observation()
    rows = silver.prepared(staged, source="shop", secret=SECRET, time_zone="UTC", currency="EUR")
    rows = rows.where(rows.business_date.isin(days)).observe(came, *silver.received_counts())
    rows = rows.observe(excluded, *silver.excluded_counts())
    orders = silver.orders(deduplicated(rows, partitions=2, observation=kept))
    lakehouse.replace_days(Contract.load("silver/transactions"), orders, "business_date", days)
    account = silver.Accounting.of(came.get, excluded.get, kept.get)
    assert account.missing == 0
    return account


def table(lakehouse: Lakehouse) -> list[tuple]:
    columns = ("business_date", "order_id", "kind", "amount")
    return shown(lakehouse.read("silver/transactions"), *columns)


def test_silver_deduplication(lakehouse: Lakehouse) -> None:
    """Duplicates within a day and across days leave one row, the one delivered last."""
    account = load(lakehouse, {D1, D2, D3}, [D1, D2, D3])
    assert table(lakehouse) == TABLE
    assert account == silver.Accounting(
        rows_in=11, kept=5, duplicates=3, corrections=2, excluded={"amount_negative": 1}
    )


def test_a_duplicate_that_arrives_days_later_changes_nothing(lakehouse: Lakehouse) -> None:
    load(lakehouse, {D1}, [D1])
    before = shown(lakehouse.read("silver/transactions"))
    assert [row[3] for row in table(lakehouse)] == ["10.00", "20.00"]
    load(lakehouse, {D1, D2}, [D1])
    assert shown(lakehouse.read("silver/transactions")) == before


def test_day_by_day_with_a_trailing_window_equals_all_at_once(lakehouse: Lakehouse) -> None:
    trailing = 3
    received: set[date] = set()
    for day in DELIVERED:
        received.add(day)
        load(lakehouse, received, [day - timedelta(days=n) for n in range(trailing)])
        load(lakehouse, received, [day])  # a run repeated
    assert table(lakehouse) == TABLE


def test_each_day_is_one_file(lakehouse: Lakehouse) -> None:
    load(lakehouse, {D1, D2, D3}, [D1, D2, D3])
    assert lakehouse.last_commit("silver/transactions").files == 2
