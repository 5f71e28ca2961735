from __future__ import annotations

from decimal import Decimal

import pytest
from pyspark.sql import DataFrame, SparkSession

from customer360.contracts import Contract
from customer360.gold.business_health import business_health
from customer360.gold.customer_features import customer_features
from customer360_tests.gold.frames import bought, customer_days, day, returned, rows_of, table

FIRST, SECOND, THIRD = (day(f"2024-03-0{n}") for n in (1, 2, 3))


@pytest.fixture(scope="module")
def transactions(spark: SparkSession) -> DataFrame:
    rows = [
        ("ana", "sale", day("2024-02-01"), Decimal(10), 1),
        ("ana", "sale", FIRST, Decimal("20.50"), 2),
        ("ana", "sale", FIRST, Decimal("9.50"), 1),
        ("ben", "sale", FIRST, Decimal(40), 4),
        (None, "sale", FIRST, Decimal(30), 3),
        (None, "refund", FIRST, Decimal(12), 1),
        ("ben", "cancelled", FIRST, Decimal(99), 9),
        ("ben", "refund", THIRD, Decimal(5), 1),
        ("cy", "sale", day("2024-03-04"), Decimal(1), 1),
    ]
    schema = "customer_key string, kind string, business_date date, amount decimal(18,2), items int"
    return table(spark, schema, rows)


@pytest.fixture(scope="module")
def days(spark: SparkSession) -> DataFrame:
    return customer_days(
        spark,
        [
            bought("ana", "2024-02-01", 10),
            bought("ana", FIRST, 30, orders=2, items=3),
            bought("ben", FIRST, 40, items=4),
            returned("ben", THIRD, 5),
            bought("cy", "2024-03-04", 1),
        ],
    )


def test_every_day_has_its_figures(transactions: DataFrame, days: DataFrame) -> None:
    health = business_health(transactions, days, FIRST, THIRD)
    assert tuple(health.columns) == Contract.load("gold/business_health").column_names
    first, second, third = (row.asDict() for row in health.orderBy("business_date").collect())
    assert first == {
        "business_date": FIRST,
        "orders": 4,
        "refunds": 1,
        "cancelled": 1,
        "items": 10,
        "gross_revenue": Decimal("100.00"),
        "refunded": Decimal("12.00"),
        "net_revenue": Decimal("88.00"),
        "anonymous_orders": 1,
        "anonymous_revenue": Decimal("18.00"),
        "active_customers": 2,
        "new_customers": 1,
        "returning_customers": 1,
        "average_order_value": 25.0,
    }
    nothing = {
        **dict.fromkeys(("orders", "refunds", "cancelled", "items", "anonymous_orders"), 0),
        **dict.fromkeys(("active_customers", "new_customers", "returning_customers"), 0),
        **dict.fromkeys(("gross_revenue", "refunded", "net_revenue"), Decimal("0.00")),
        "anonymous_revenue": Decimal("0.00"),
        "average_order_value": None,
    }
    assert second == nothing | {"business_date": SECOND}
    assert third == nothing | {
        "business_date": THIRD,
        "refunds": 1,
        "refunded": Decimal("5.00"),
        "net_revenue": Decimal("-5.00"),
    }


def test_one_day_alone_is_the_day_in_a_range(transactions: DataFrame, days: DataFrame) -> None:
    whole = rows_of(business_health(transactions, days, day("2024-02-01"), day("2024-03-04")))
    assert len(whole) == 33
    alone = rows_of(business_health(transactions, days, FIRST, FIRST))
    assert alone == [row for row in whole if row[0] == FIRST]


def test_known_first_purchases_give_the_same(transactions: DataFrame, days: DataFrame) -> None:
    for last in (THIRD, day("2024-04-30")):
        features = customer_features(days, [last])
        with_features = business_health(transactions, days, FIRST, THIRD, first_purchases=features)
        assert rows_of(with_features) == rows_of(business_health(transactions, days, FIRST, THIRD))
