"""gold/first_orders: the first purchase as it was known at the end of a day, and not later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.gold.first_orders import first_orders
from customer360.gold.purchases import NoAsOfDateError
from customer360_tests.gold.frames import day, rows_of, table
from customer360_tests.silver.frames import exchanges

TRANSACTIONS = (
    "source string, order_id string, customer_key string, kind string, occurred_at timestamp, "
    "business_date date, amount decimal(18,2), items int, channel string, payment_type string, "
    "installments int, freight decimal(18,2), category string, delivered_on date, "
    "review_score int, reviewed_on date"
)
HISTORY = (
    "customer_key string, state string, country string, valid_from timestamp, valid_to timestamp"
)
AS_OF = day("2024-03-31")


def order(customer: str | None, on: str | date, amount: str, **known: Any) -> tuple[Any, ...]:
    """A sale; ``hour`` orders those of a day, everything else is a column."""
    when = day(on) if isinstance(on, str) else on
    hour = known.pop("hour", 10)
    row: dict[str, Any] = {
        "source": "shop",
        "order_id": f"{when}-{hour}",
        "customer_key": customer,
        "kind": "sale",
        "occurred_at": datetime(when.year, when.month, when.day, hour),
        "business_date": when,
        "amount": Decimal(amount),
        "items": 1,
        "channel": "web",
        "payment_type": "card",
        "installments": None,
        "freight": None,
        "category": "Books",
        "delivered_on": None,
        "review_score": None,
        "reviewed_on": None,
    }
    row |= {n: day(v) if n.endswith("_on") and isinstance(v, str) else v for n, v in known.items()}
    return tuple(row.values())


def made(
    spark: SparkSession,
    orders: list[tuple[Any, ...]],
    *as_of: date,
    history: Mapping[str, list[tuple[Any, ...]]] | None = None,
) -> DataFrame:
    versions = [(who, *rest) for who, rows in (history or {}).items() for rest in rows]
    return first_orders(
        table(spark, TRANSACTIONS, orders), table(spark, HISTORY, versions), as_of or [AS_OF]
    )


def test_the_first_purchase_day_is_told_and_its_largest_sale(spark: SparkSession) -> None:
    rows = made(
        spark,
        [
            order("ana", "2024-01-05", "20.00", items=2, freight=Decimal("4.00"), category="Toys"),
            order("ana", "2024-01-05", "60.00", hour=12, items=None, freight=Decimal("12.00"),
                  channel="app", payment_type="voucher", installments=3),
            order("ana", "2024-02-01", "999.00", category="Later"),
            # All given back on the day it was bought: no purchase, so the next day is the first.
            order("ben", "2024-01-01", "10.00", category="Returned"),
            order("ben", "2024-01-01", "10.00", hour=11, kind="refund"),
            order("ben", "2024-01-02", "0.00", category=None),
            order("cy", "2024-01-01", "5.00", kind="cancelled"),
            order(None, "2024-01-01", "5.00"),
        ],
    )  # fmt: skip
    columns = Contract.load("gold/first_orders").column_names
    assert tuple(rows.columns) == columns
    shown = [c for c in columns if c not in ("as_of", "state", "country")]
    assert rows_of(rows, *shown) == [
        ("ana", day("2024-01-05"), 80.0, 2, "Books", "app", "voucher", 3, 16.0, 0.2, False, None,
         None),
        ("ben", day("2024-01-02"), 0.0, 1, None, "web", "card", None, None, None, False, None,
         None),
    ]  # fmt: skip


def test_a_delivery_and_a_review_are_told_from_their_day_on(spark: SparkSession) -> None:
    orders = [
        order("ana", "2024-01-05", "9.00", delivered_on="2024-01-12", review_score=2,
              reviewed_on="2024-01-15"),
        order("ben", "2024-01-05", "9.00", review_score=5),
    ]  # fmt: skip
    dates = [day(f"2024-01-{n}") for n in ("11", "12", "14", "15")]
    columns = ("customer_key", "as_of", "first_delivered", "first_delivery_days")
    assert rows_of(made(spark, orders, *dates), *columns, "first_review_score") == [
        ("ana", dates[0], False, None, None),
        ("ana", dates[1], True, 7, None),
        ("ana", dates[2], True, 7, None),
        ("ana", dates[3], True, 7, 2),
        # Nobody knows when this score was given.
        *(("ben", at, False, None, None) for at in dates),
    ]


def test_the_profile_is_that_of_the_day_and_nobody_knew_it_before(spark: SparkSession) -> None:
    moved = datetime(2024, 2, 1)
    dates = [day("2024-01-09"), day("2024-01-10"), day("2024-01-31"), day("2024-02-01")]
    versions = [("SP", "BR", datetime(2024, 1, 10, 8), moved), ("RJ", "BR", moved, None)]
    found = made(spark, [order("ana", "2024-01-01", "9.00")], *dates, history={"ana": versions})
    states = dict(rows_of(found, "as_of", "state"))
    assert [states[at] for at in dates] == [None, "SP", "SP", "RJ"]


def test_customers_are_there_from_their_first_purchase_on(spark: SparkSession) -> None:
    orders = [order("ana", "2024-01-05", "9.00"), order("ben", "2024-01-07", "9.00")]
    dates = [day(f"2024-01-0{n}") for n in (4, 5, 6, 7)]
    found = rows_of(made(spark, orders, *dates, dates[0]), "as_of", "customer_key")
    assert found == [(dates[1], "ana"), (dates[2], "ana"), (dates[3], "ana"), (dates[3], "ben")]
    with pytest.raises(NoAsOfDateError):
        first_orders(table(spark, TRANSACTIONS, orders), table(spark, HISTORY, []), [])


def test_orders_are_moved_once_for_all_dates(spark: SparkSession) -> None:
    orders = [order("ana", "2024-01-05", "9.00")]
    one, two = made(spark, orders), made(spark, orders, AS_OF, day("2024-02-01"))
    # The other exchange brings the customers' profiles together, where they are not broadcast.
    assert exchanges(one) == exchanges(two) <= 2


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ana", "ben"]),
        st.integers(-40, 40),  # days from the as-of date to the order
        st.integers(0, 23),
        st.integers(0, 50),
        st.sampled_from(["sale", "sale", "refund"]),
        st.one_of(st.none(), st.integers(0, 60)),  # days to the delivery, and to the review
        st.one_of(st.none(), st.integers(0, 60)),
        st.integers(1, 5),
    ),
    max_size=10,
    unique_by=lambda event: event[:3],
)


def _orders(events: list[tuple[Any, ...]], *, known_only: bool = False) -> list[tuple[Any, ...]]:
    """The orders; ``known_only`` leaves out what had not happened at the end of `AS_OF`."""
    rows = []
    for who, after, hour, amount, kind, arrived, reviewed, score in events:
        on = AS_OF + timedelta(days=after)
        delivered = None if arrived is None else on + timedelta(days=arrived)
        told = None if reviewed is None else on + timedelta(days=reviewed)
        if known_only and on > AS_OF:
            continue
        if known_only and delivered is not None and delivered > AS_OF:
            delivered = None
        if known_only and told is not None and told > AS_OF:
            told = None
        rows.append(
            order(
                who, on, f"{amount}.00", hour=hour, kind=kind, delivered_on=delivered,
                review_score=None if told is None else score, reviewed_on=told,
            )
        )  # fmt: skip
    return rows


@given(EVENTS)
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_what_comes_after_a_day_does_not_change_what_was_known_on_it(
    spark: SparkSession, events: list[tuple[Any, ...]]
) -> None:
    moved = datetime(2024, 4, 1)  # the day after
    then: dict[str, list[tuple[Any, ...]]] = {"ana": [("SP", "BR", datetime(2024, 1, 1), None)]}
    later: dict[str, list[tuple[Any, ...]]] = {
        "ana": [("SP", "BR", datetime(2024, 1, 1), moved), ("RJ", "BR", moved, None)],
        "ben": [("MG", "BR", moved, None)],
    }
    at_the_time = made(spark, _orders(events, known_only=True), history=then)
    in_hindsight = made(spark, _orders(events), AS_OF, AS_OF + timedelta(days=30), history=later)
    assert rows_of(in_hindsight.where(F.col("as_of") == F.lit(AS_OF))) == rows_of(at_the_time)
