from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.lakehouse.reading import engine
from customer360.silver import transactions as silver
from customer360.silver.keys import customer_key
from customer360_tests.silver.frames import SECRET, deduplicated, exchanges, shown, transactions

COLUMNS = Contract.load("silver/transactions").column_names


def prepared(
    spark: SparkSession, *rows: Mapping[str, str | None], time_zone: str = "UTC"
) -> DataFrame:
    return silver.prepared(
        transactions(spark, *rows),
        source="shop",
        secret=SECRET,
        time_zone=time_zone,
        currency="EUR",
    )


def key_of(spark: SparkSession, own_id: str) -> str:
    row = spark.range(1).select(customer_key("shop", F.lit(own_id), SECRET)).first()
    assert row is not None
    return row[0]


def test_what_names_a_person_is_masked_and_the_row_stays(spark: SparkSession) -> None:
    rows = prepared(
        spark,
        {"order_id": "ana@example.com", "category": "Gift for ana@example.com", "channel": "Web"},
        {
            "order_id": "R1",
            "related_order_id": "ana@example.com",
            "kind": "refund",
            "payment_type": "Visa 4111 1111 1111 1111",
            "product_id": "P-1",
        },
    )
    sale, refund = rows.orderBy("kind", ascending=False).collect()
    assert sale["excluded_because"] is None
    assert sale["order_id"].startswith("masked-")
    assert refund["related_order_id"] == sale["order_id"]
    assert (sale["category"], sale["channel"]) == ("masked", "web")
    assert (refund["order_id"], refund["payment_type"], refund["product_id"]) == (
        "R1",
        "masked",
        "P-1",
    )


def test_prepared_rows_are_typed_normalised_and_keyed(spark: SparkSession) -> None:
    rows = prepared(
        spark,
        {
            "order_id": " 007 ",
            "source_customer_id": " c1 ",
            "kind": "SALE",
            "currency": " eur ",
            "channel": " Web\u00a0 Shop",
            "payment_type": "Credit  Card",
            "installments": "3",
            "freight": "2.5",
            "category": " Home  & Garden ",
            "delivered_on": "2024-03-09",
            "review_score": "5",
            "reviewed_on": "2024-03-11",
        },
        {"order_id": "008", "source_customer_id": " ", "currency": None, "channel": ""},
    )
    columns = [name for name in COLUMNS if name != "customer_key"]
    assert shown(rows, *columns) == [
        (
            "shop", "007", "sale", "2024-03-01 10:00:00", "2024-03-01", "10.00", "EUR", "1",
            "web shop", "credit card", "3", "2.50", "Home & Garden", None, "2024-03-09", "5",
            "2024-03-11", "",
        ),
        (
            "shop", "008", "sale", "2024-03-01 10:00:00", "2024-03-01", "10.00", "EUR", "1",
            None, "card", None, None, "Books", None, None, None, None, "",
        ),
    ]  # fmt: skip
    assert shown(rows, "order_id", "customer_key", "excluded_because") == [
        ("007", key_of(spark, "c1"), None),
        ("008", None, None),
    ]
    types = dict(rows.dtypes)
    assert (types["amount"], types["occurred_at"], types["business_date"], types["items"]) == (
        "decimal(18,2)", "timestamp", "date", "int",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "dates"),
    [
        ("UTC", ["2024-03-01", "2024-03-01"]),
        ("America/Sao_Paulo", ["2024-02-29", "2024-03-01"]),
        ("Asia/Tokyo", ["2024-03-01", "2024-03-02"]),
    ],
)
def test_the_business_date_is_the_date_in_the_business_zone(
    spark: SparkSession, zone: str, dates: list[str]
) -> None:
    rows = prepared(
        spark,
        {"order_id": "a", "occurred_at": "2024-03-01 01:30:00"},
        {"order_id": "b", "occurred_at": "2024-03-01 23:30:00"},
        time_zone=zone,
    )
    assert [row[1] for row in shown(rows, "order_id", "business_date")] == dates


def test_what_is_no_transaction_is_excluded_with_its_reason_and_a_day(spark: SparkSession) -> None:
    rows = prepared(
        spark,
        {"order_id": "a"},
        {"order_id": "b", "amount": "-1.00", "excluded_because": "not_merchandise"},
        {"order_id": None},
        {"order_id": "c", "occurred_at": None, "_delivered_on": "2024-03-05"},
        {"order_id": "d", "kind": "gift"},
        {"order_id": "e", "kind": None},
        {"order_id": "f", "amount": None},
        {"order_id": "g", "amount": "-0.01"},
        {"order_id": "h", "amount": "0.00"},
        {"order_id": "i", "currency": "USD"},
    )
    assert shown(rows, "order_id", "excluded_because", "business_date") == [
        (None, "order_id_missing", "2024-03-01"),
        ("a", None, "2024-03-01"),
        ("b", "not_merchandise", "2024-03-01"),
        ("c", "occurred_at_missing", "2024-03-05"),
        ("d", "unknown_kind", "2024-03-01"),
        ("e", "unknown_kind", "2024-03-01"),
        ("f", "amount_missing", "2024-03-01"),
        ("g", "amount_negative", "2024-03-01"),
        ("h", None, "2024-03-01"),
        ("i", "other_currency", "2024-03-01"),
    ]


def test_unknown_customers_are_excluded_and_anonymous_sales_stay(spark: SparkSession) -> None:
    rows = prepared(
        spark,
        {"order_id": "a", "source_customer_id": "c1"},
        {"order_id": "b", "source_customer_id": "stranger"},
        {"order_id": "c", "source_customer_id": None},
        {"order_id": "d", "source_customer_id": "stranger", "amount": "-5"},
    )
    keys = spark.createDataFrame(
        [(key_of(spark, "c1"),), (key_of(spark, "c2"),)], "customer_key string"
    )
    assert shown(silver.known(rows, keys), "order_id", "excluded_because") == [
        ("a", None),
        ("b", "unknown_customer"),
        ("c", None),
        ("d", "amount_negative"),
    ]


def test_excluded_rows_go_to_quarantine_without_the_customers_own_id(spark: SparkSession) -> None:
    now = datetime(2024, 3, 9, 4, 5, 6, tzinfo=UTC)
    rows = prepared(
        spark,
        {"order_id": "a"},
        {"order_id": "b", "source_customer_id": "ana@example.com", "amount": "-2.50",
         "_row_hash": "77"},
    )  # fmt: skip
    (row,) = silver.rejected(rows, ingested_at=now, run_id="run-1").collect()
    assert row.asDict() | {"raw": None, "business_date": str(row.business_date)} == {
        "business_date": "2024-03-01",
        "reasons": ["amount_negative"],
        "raw": None,
        "_source_file": None,
        "_ingested_at": row._ingested_at,
        "_row_hash": 77,
        "run_id": "run-1",
    }
    raw = json.loads(row.raw)
    assert (raw["order_id"], raw["amount"], raw["kind"]) == ("b", -2.5, "sale")
    assert raw["customer_key"] == key_of(spark, "ana@example.com")
    assert "ana@" not in row.raw


def test_days_whose_customers_have_become_known_can_be_made_again(spark: SparkSession) -> None:
    now = datetime(2024, 3, 9, tzinfo=UTC)
    rows = prepared(
        spark,
        {"order_id": "a", "source_customer_id": "late"},
        {"order_id": "b", "source_customer_id": "late", "occurred_at": "2024-03-04 00:00:00"},
        {"order_id": "c", "source_customer_id": "never", "occurred_at": "2024-03-05 00:00:00"},
        {"order_id": "d", "source_customer_id": "late", "occurred_at": "2024-03-06 00:00:00",
         "excluded_because": "not_merchandise"},
    )  # fmt: skip
    nobody = spark.createDataFrame([], "customer_key string")
    excluded = silver.rejected(silver.known(rows, nobody), ingested_at=now, run_id="r")
    later = spark.createDataFrame([(key_of(spark, "late"),)], "customer_key string")
    with engine() as connection:
        connection.register("quarantine", excluded.toArrow())
        connection.register("customers", later.toArrow())
        found = connection.execute(silver.RECOVERABLE_DAYS).fetchall()
    assert sorted(found) == [(date(2024, 3, 1),), (date(2024, 3, 4),)]


def test_lines_become_orders(spark: SparkSession) -> None:
    lines = prepared(
        spark,
        # In time: line 2 first. It names no channel; line 1 does.
        {"line_key": "1", "occurred_at": "2024-03-01 10:05:00", "amount": "7.10", "items": "2",
         "category": "Toys", "channel": "web", "delivered_on": "2024-03-04", "freight": "1.50",
         "installments": "2"},
        {"line_key": "2", "occurred_at": "2024-03-01 10:00:00", "amount": "2.20", "items": "1",
         "category": "Books", "channel": None, "payment_type": "cash", "review_score": "4",
         "installments": "3"},
        {"line_key": "3", "occurred_at": "2024-03-01 10:06:00", "amount": "7.00", "items": "3",
         "category": "Garden", "channel": "app", "delivered_on": "2024-03-07", "review_score": "1",
         "reviewed_on": "2024-03-09", "freight": "0.25"},
        # The same order gives something back on the same day.
        {"line_key": "4", "kind": "refund", "occurred_at": "2024-03-01 12:00:00", "amount": "7.00",
         "items": "3", "category": "Garden", "related_order_id": "o1"},
        # The largest line of this order names no category.
        {"order_id": "o2", "line_key": "1", "amount": "9.00", "category": None},
        {"order_id": "o2", "line_key": "2", "amount": "1.00", "category": "Food"},
    )  # fmt: skip
    orders = silver.orders_from_lines(deduplicated(lines))
    assert orders.columns == list(COLUMNS)
    assert orders.schema["amount"].dataType.simpleString() == "decimal(18,2)"
    columns = [name for name in COLUMNS if name not in ("source", "customer_key", "currency")]
    assert shown(orders, *columns) == [
        ("o1", "refund", "2024-03-01 12:00:00", "2024-03-01", "7.00", "3", "web", "card", None,
         None, "Garden", "o1", None, None, None, ""),
        ("o1", "sale", "2024-03-01 10:00:00", "2024-03-01", "16.30", "6", "web", "cash", "3",
         "1.75", "Toys", None, "2024-03-07", "4", None, ""),
        ("o2", "sale", "2024-03-01 10:00:00", "2024-03-01", "10.00", "2", "web", "card", None,
         None, "Food", None, None, None, None, ""),
    ]  # fmt: skip
    assert {row[0] for row in shown(orders, "customer_key")} == {key_of(spark, "c1")}


def test_a_customer_named_on_one_line_is_the_orders_customer(spark: SparkSession) -> None:
    lines = prepared(
        spark,
        {"line_key": "1", "source_customer_id": None},
        {"line_key": "2", "source_customer_id": "c9"},
    )
    orders = silver.orders_from_lines(deduplicated(lines))
    assert shown(orders, "order_id", "customer_key") == [("o1", key_of(spark, "c9"))]


def test_sums_of_money_are_exact(spark: SparkSession) -> None:
    lines = prepared(spark, *({"line_key": str(n), "amount": "0.10"} for n in range(1000)))
    (row,) = silver.orders_from_lines(deduplicated(lines)).select("amount").collect()
    assert row.amount == Decimal("100.00")


def test_rows_that_are_orders_already_keep_all_silver_columns(spark: SparkSession) -> None:
    orders = silver.orders(deduplicated(prepared(spark, {"order_id": "a"})))
    assert orders.columns == list(COLUMNS)
    assert shown(orders, "order_id", "amount") == [("a", "10.00")]


def test_every_row_is_accounted_for_in_the_one_pass_that_writes(spark: SparkSession) -> None:
    received, excluded, settled = Observation(), Observation(), Observation()
    rows = prepared(
        spark,
        {"order_id": "a"},
        {"order_id": "a", "_delivered_on": "2024-03-04"},
        {"order_id": "a", "_delivered_on": "2024-03-05"},
        {"order_id": "b", "amount": "-1"},
        {"order_id": "c", "source_customer_id": "stranger"},
        {"order_id": "d", "excluded_because": "not_merchandise"},
        {"order_id": "e", "excluded_because": "of a kind nobody named"},
        {"order_id": "f", "source_customer_id": None},
    ).observe(received, *silver.received_counts())
    keys = spark.createDataFrame([(key_of(spark, "c1"),)], "customer_key string")
    judged = silver.known(rows, keys).observe(
        excluded, *silver.excluded_counts(["not_merchandise"])
    )
    orders = silver.orders(deduplicated(judged, observation=settled))
    assert shown(orders, "order_id") == [("a",), ("f",)]
    account = silver.Accounting.of(received.get, excluded.get, settled.get)
    assert account == silver.Accounting(
        rows_in=8,
        kept=2,
        duplicates=2,
        excluded={
            "amount_negative": 1,
            "not_merchandise": 1,
            "other": 1,
            "unknown_customer": 1,
        },
    )
    assert account.missing == 0


def test_rows_are_counted_even_when_none_is_left(spark: SparkSession) -> None:
    """Spark drops what lies below an empty shuffle, counters included, unless told not to."""
    received, excluded, settled = Observation(), Observation(), Observation()
    rows = prepared(spark, {"order_id": "a", "amount": "-1"}, {"order_id": "b", "kind": "gift"})
    rows = rows.observe(received, *silver.received_counts())
    rows = rows.observe(excluded, *silver.excluded_counts())
    assert shown(deduplicated(rows, observation=settled)) == []
    assert silver.Accounting.of(received.get, excluded.get, settled.get) == silver.Accounting(
        rows_in=2, kept=0, duplicates=0, excluded={"amount_negative": 1, "unknown_kind": 1}
    )


def test_a_row_lost_or_multiplied_shows_in_the_account() -> None:
    assert silver.Accounting(rows_in=10, kept=5, duplicates=2, excluded={"x": 2}).missing == 1
    assert silver.Accounting(rows_in=10, kept=9, duplicates=2, excluded={}).missing == -1


deliveries = st.lists(
    st.tuples(
        st.sampled_from([f"o{n}" for n in range(12)]),
        st.sampled_from(["", "1"]),
        st.sampled_from(["sale", "refund"]),
        st.sampled_from(["2024-03-01", "2024-03-02"]),  # business date
        st.sampled_from([None, "2024-03-02", "2024-03-05"]),  # delivered on
        st.integers(-3, 3),  # row hash: also stands for the content
    ),
    min_size=30,
    max_size=150,
)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=deliveries, data=st.data())
def test_the_last_delivery_wins_in_whatever_order_rows_come(spark, rows, data) -> None:
    def winners(order: list) -> list:
        staged = [
            {"order_id": o, "line_key": line, "kind": kind, "occurred_at": f"{day} 10:00:00",
             "_delivered_on": sent, "_row_hash": str(content), "channel": f"channel {content}"}
            for o, line, kind, day, sent, content in order
        ]  # fmt: skip
        kept = deduplicated(prepared(spark, *staged), partitions=3)
        return shown(kept, "order_id", "line_key", "kind", "business_date", "channel")

    stated: dict = {}
    for *line, sent, content in rows:
        # A refund without an id of its own is known by its content.
        own = content if line[2] == "refund" else None
        deliveries = stated.setdefault((*line, own), {})
        deliveries.setdefault(sent or "", set()).add(content)
    last = {line: deliveries[max(deliveries)] for line, deliveries in stated.items()}
    expected = sorted(
        (*line[:-1], f"channel {content}")
        for line, contents in last.items()
        for content in contents
        if len(contents) == 1  # else they conflict
    )
    assert winners(rows) == expected
    assert winners(data.draw(st.permutations(rows))) == expected


@pytest.mark.parametrize("partitions", [None, 3])
def test_one_shuffle_serves_deduplication_and_orders(spark: SparkSession, partitions) -> None:
    rows = prepared(spark, {"order_id": "a"}, {"order_id": "b"})
    kept = deduplicated(rows, partitions=partitions)
    assert exchanges(silver.orders(kept)) == 1
    assert exchanges(silver.orders_from_lines(kept)) == 1
    keys = F.broadcast(spark.createDataFrame([("x",)], "customer_key string"))
    assert exchanges(silver.orders(deduplicated(silver.known(rows, keys)))) == 1
