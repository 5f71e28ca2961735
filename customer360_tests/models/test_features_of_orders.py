"""The features of a user's file, made by DuckDB, beside those that Spark makes in the pipeline."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from customer360.gold.customer_features import customer_features
from customer360.gold.first_orders import first_orders
from customer360.lakehouse.reading import engine
from customer360.models.revenue.features import FEATURES, revenue_features
from customer360.models.revenue.order_file import ORDER_SCHEMA
from customer360.models.revenue.prediction import features_of_orders
from customer360.silver import (
    customer_days,
    customer_history,
    customers,
    text,
    text_sql,
    transactions,
)
from customer360.silver.keys import customer_key
from customer360.sources import staged

AS_OF = date(2024, 3, 31)
FIRST = datetime(2024, 1, 1)

CUSTOMERS = ("ana", " ana ", "ben", "Ben", "cy", "  ", "dé")
TEXTS = (
    None, "Books", " books ", "Toys  and\u00a0games", "JOGOS", "Jo\u0301ias", "a\tb", "\u200b",
    "São", "x\u0323\u0302 e\u0302\u0301", "中\u0301文",
)  # fmt: skip
PLACES = (
    None, "sp", "SP ", "São Paulo", "SA\u0303O PAULO", "rio de janeiro", "McDonald", "  ",
    "o\u0301", "\u00ad", "rio  grande\u3000do sul", "Î\u0301LE",
)  # fmt: skip


def orders_of(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as `order_file.checked` gives them."""
    numbered = [{"row": number} | row for number, row in enumerate(rows, 1)]
    return pa.Table.from_pylist(numbered, schema=ORDER_SCHEMA)


def by_duck(orders: pa.Table, as_of: date) -> list[dict[str, Any]]:
    with engine() as connection:
        connection.register("orders", orders)
        found = connection.sql(features_of_orders("orders", as_of)).to_arrow_table()
    return sorted(found.to_pylist(), key=lambda row: row["customer_key"])


def by_spark(spark: SparkSession, orders: pa.Table, as_of: date) -> list[dict[str, Any]]:
    """The pipeline's own functions, on a source whose customer keys are its ids."""
    frame = spark.createDataFrame(orders)
    sold = transactions.orders(
        transactions.prepared(
            staged.transactions(
                frame,
                order_id=F.lpad(F.col("row").cast("string"), 18, "0"),
                source_customer_id=F.col("customer_id"),
                occurred_at=F.col("ordered_at"),
                **{
                    name: F.col(name)
                    for name in ORDER_SCHEMA.names
                    if name not in ("row", "customer_id", "ordered_at", "state", "country")
                },
            ),
            source="file",
            secret=b"known to the tests",
            time_zone="UTC",
            currency="XXX",
        )
    )
    stated = customers.prepared(
        staged.customers(
            frame.where(F.coalesce("state", "country").isNotNull()),
            source_customer_id=F.col("customer_id"),
            state=F.col("state"),
            country=F.col("country"),
            updated_at=F.col("ordered_at"),
            _row_hash=F.col("row"),
        ),
        source="file",
        secret=b"known to the tests",
    )
    features = revenue_features(
        customer_features(customer_days.customer_days(sold), [as_of]),
        first_orders(sold, customer_history.history(stated), [as_of]),
    )
    own_id = text.identifier(F.col("customer_id"))
    keys = frame.select(
        own_id.alias("own_id"),
        customer_key("file", own_id, b"known to the tests").alias("customer_key"),
    ).distinct()
    found = features.join(keys, "customer_key").withColumn("customer_key", F.col("own_id"))
    rows = found.select("as_of", "customer_key", *FEATURES).toArrow().to_pylist()
    return sorted(rows, key=lambda row: row["customer_key"])


def assert_same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert [row["customer_key"] for row in ours] == [row["customer_key"] for row in theirs]
    for left, right in zip(ours, theirs, strict=True):
        for name, value in left.items():
            other = right[name]
            if isinstance(value, float) and isinstance(other, float):
                same = math.isclose(value, other, rel_tol=1e-12)
            else:
                same = value == other
            assert same, f"{left['customer_key']}: {name} is {value!r} here and {other!r} there"


def test_many_orders_give_the_features_that_the_pipeline_makes(spark: SparkSession) -> None:
    """Ties, refunds, several orders a day and a minute, reviews and deliveries to come."""
    rng = np.random.default_rng(5)

    def one_of(values: tuple[Any, ...]) -> Any:
        return values[rng.integers(len(values))]

    rows = []
    for _ in range(2_000):
        at = FIRST + timedelta(days=int(rng.integers(0, 91)), hours=int(rng.choice([0, 9, 23])))
        rows.append(
            {
                "customer_id": f"{one_of(CUSTOMERS)}{rng.integers(0, 60)}",
                "ordered_at": at,
                "amount": Decimal(int(rng.choice([0, 500, 1234, 99999]))) / 100,
                "kind": str(rng.choice(["sale", "sale", "sale", "refund"])),
                "items": one_of((None, 1, 2)),
                "category": one_of(TEXTS),
                "channel": one_of(TEXTS),
                "payment_type": one_of(TEXTS),
                "installments": one_of((None, 1, 12)),
                "freight": one_of((None, Decimal("0.00"), Decimal("5.55"))),
                "delivered_on": one_of((None, at.date(), at.date() + timedelta(days=20))),
                "review_score": one_of((None, 1, 5)),
                "reviewed_on": one_of((None, at.date(), at.date() + timedelta(days=30))),
                "state": one_of(PLACES),
                "country": one_of(PLACES),
            }
        )
    orders = orders_of(rows)
    for as_of in (AS_OF, date(2024, 2, 15)):
        assert_same(by_duck(orders, as_of), by_spark(spark, orders, as_of))


orders = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(("ana", "ben", " ben ")),
        "ordered_at": st.datetimes(FIRST, datetime(2024, 4, 2), timezones=st.none()).map(
            lambda at: at.replace(hour=at.hour // 12 * 12, minute=0, second=0, microsecond=0)
        ),
        "amount": st.sampled_from((Decimal("0.00"), Decimal("10.00"), Decimal("10.01"))),
        "kind": st.sampled_from(("sale", "refund")),
        "category": st.sampled_from(TEXTS),
        "items": st.none() | st.integers(0, 3),
        "freight": st.none() | st.sampled_from((Decimal("0.00"), Decimal("1.50"))),
        "delivered_on": st.none() | st.dates(date(2024, 3, 1), date(2024, 5, 1)),
        "review_score": st.none() | st.integers(1, 5),
        "reviewed_on": st.none() | st.dates(date(2024, 3, 1), date(2024, 5, 1)),
        "state": st.sampled_from(PLACES),
        "country": st.sampled_from(PLACES),
    }
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(orders, max_size=12))
def test_any_orders_give_the_features_that_the_pipeline_makes(
    spark: SparkSession, rows: list[dict[str, Any]]
) -> None:
    table = orders_of(rows)
    assert_same(by_duck(table, AS_OF), by_spark(spark, table, AS_OF))


@pytest.mark.parametrize("name", ["identifier", "tidy", "composed", "cased", "region", "phone"])
def test_texts_are_normalised_as_spark_does(spark: SparkSession, name: str) -> None:
    told = {
        "+55 (11) 98765-4321 ramal 12", "ext. 5", "x", "EXT", "0113 496#3", "no phone", "",
        "a\x0bb", "A\x0bB  ", "é́", "ÉCOLE d'été", "o'neill", "mary-ann smith",
    }  # fmt: skip
    given = sorted(told | {value for value in (*TEXTS, *PLACES, *CUSTOMERS) if value})
    rows = pa.table({"given": pa.array(given, pa.string())})
    column: Column = getattr(text, name)(F.col("given"))
    theirs = spark.createDataFrame(rows).select("given", column.alias("made")).toArrow()
    with engine() as connection:
        connection.register("rows", rows)
        query = f"SELECT given, {getattr(text_sql, name)('given')} AS made FROM rows"
        ours = connection.sql(query).to_arrow_table()
    assert dict(zip(*ours.to_pydict().values(), strict=True)) == dict(
        zip(*theirs.to_pydict().values(), strict=True)
    )
