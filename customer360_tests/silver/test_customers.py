from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from customer360.lakehouse.tables import Lakehouse
from customer360.silver import customers as silver
from customer360_tests.silver.frames import SECRET, customers, shown
from customer360_tests.silver.test_transactions import key_of

TABLE = "silver/customers"


def prepared(spark: SparkSession, *rows: Mapping[str, str | None]) -> DataFrame:
    return silver.prepared(customers(spark, *rows), source="shop", secret=SECRET)


def test_profiles_are_typed_normalised_and_keyed(spark: SparkSession) -> None:
    rows = prepared(
        spark,
        {
            "source_customer_id": " c1 ",
            "name": "  ANA   LIMA ",
            "email": " Ana@Example.COM",
            "phone": "+55 (11) 98765-4321",
            "address": "Rua\tA,  1 ",
            "birth_date": "1990-02-28",
            "tax_id": "123.456.789-09",
            "city": "sao paulo",
            "state": "sp",
            "postal_code": " 01310 ",
            "country": " Brazil",
            "acquisition_channel": "Paid  Search",
            "loyalty_tier": "Gold",
            "marketing_consent": "true",
            "signed_up_on": "2023-01-02",
        },
        {"source_customer_id": " "},
    )
    assert rows.columns == list(silver.COLUMNS)
    assert shown(rows) == [
        (
            key_of(spark, "c1"), "shop", "c1", "Ana Lima", "ana@example.com", "+5511987654321",
            "Rua A, 1", "1990-02-28", "12345678909", "Sao Paulo", "SP", "01310", "Brazil",
            "paid search", "gold", "true", "2023-01-02", "2024-03-01 00:00:00", "2024-03-01", "1",
        )
    ]  # fmt: skip


def test_a_profile_without_a_time_counts_from_what_else_is_known(spark: SparkSession) -> None:
    rows = prepared(
        spark,
        {"source_customer_id": "a", "updated_at": None, "signed_up_on": "2023-05-06"},
        {"source_customer_id": "b", "updated_at": None},
        {"source_customer_id": "c", "updated_at": None, "_delivered_on": None},
    )
    assert shown(rows, "source_customer_id", "updated_at") == [
        ("a", "2023-05-06 00:00:00"),
        ("b", "2024-03-01 00:00:00"),
        ("c", "1970-01-01 00:00:00"),
    ]


def test_the_latest_profile_counts_and_the_earliest_sign_up(spark: SparkSession) -> None:
    rows: list[Mapping[str, str | None]] = [
        {"city": "Old", "updated_at": "2024-01-01 00:00:00", "signed_up_on": "2023-06-01",
         "_delivered_on": "2024-09-09"},
        {"city": "New", "updated_at": "2024-02-01 00:00:00", "signed_up_on": "2023-07-01",
         "_delivered_on": "2024-02-01"},
        {"city": "Lost", "updated_at": "2024-02-01 00:00:00", "_delivered_on": None,
         "_row_hash": "9"},
        {"source_customer_id": "c2", "city": "Low", "_row_hash": "-5"},
        {"source_customer_id": "c2", "city": "High", "_row_hash": "5"},
    ]  # fmt: skip
    for order in (rows, rows[::-1]):
        latest = silver.latest(prepared(spark, *order))
        assert latest.columns == list(silver.COLUMNS)
        columns = ("source_customer_id", "city", "signed_up_on", "updated_at", "_row_hash")
        assert shown(latest, *columns) == [
            ("c1", "New", "2023-06-01", "2024-02-01 00:00:00", "1"),
            ("c2", "High", None, "2024-03-01 00:00:00", "5"),
        ]


def merge(lakehouse: Lakehouse, rows: DataFrame) -> None:
    lakehouse.merge(TABLE, silver.latest(rows), silver.MERGE, columns=silver.COLUMNS)


def test_merging_again_or_something_older_changes_nothing(lakehouse: Lakehouse) -> None:
    spark = lakehouse.spark
    first = prepared(
        spark,
        {"city": "Lima", "updated_at": "2024-02-01 00:00:00", "signed_up_on": "2023-06-01"},
        {"source_customer_id": "c2", "city": "Rome"},
    )
    merge(lakehouse, first)
    before = shown(lakehouse.read(TABLE))
    merge(lakehouse, first)
    merge(
        lakehouse,
        prepared(
            spark,
            {"city": "Older", "updated_at": "2024-01-31 00:00:00", "_delivered_on": "2024-09-09"},
            {"source_customer_id": "c2", "city": "Delivered before", "_delivered_on": "2024-02-29"},
        ),
    )
    assert shown(lakehouse.read(TABLE)) == before


def test_merging_a_newer_profile_replaces_it_and_keeps_the_first_sign_up(
    lakehouse: Lakehouse,
) -> None:
    spark = lakehouse.spark
    merge(
        lakehouse,
        prepared(spark, {"city": "Lima", "loyalty_tier": "gold", "signed_up_on": "2023-06-01"},
                 {"source_customer_id": "c2", "city": "Rome", "signed_up_on": "2023-06-02"}),
    )  # fmt: skip
    merge(
        lakehouse,
        prepared(
            spark,
            {"city": "Cusco", "updated_at": "2024-04-01 00:00:00", "signed_up_on": "2023-09-09"},
            # Corrected without a new time: delivered later, so it counts.
            {"source_customer_id": "c2", "city": "Roma", "_delivered_on": "2024-03-02",
             "signed_up_on": "2022-01-01"},
            {"source_customer_id": "c3", "city": "Oslo"},
        ),
    )  # fmt: skip
    # An older profile that states an earlier sign-up.
    merge(
        lakehouse,
        prepared(spark, {"source_customer_id": "c3", "city": "Bergen",
                         "updated_at": "2024-01-01 00:00:00", "signed_up_on": "2020-02-02"}),
    )  # fmt: skip
    columns = ("source_customer_id", "city", "loyalty_tier", "signed_up_on", "updated_at")
    assert shown(lakehouse.read(TABLE), *columns) == [
        ("c1", "Cusco", None, "2023-06-01", "2024-04-01 00:00:00"),
        ("c2", "Roma", None, "2022-01-01", "2024-03-01 00:00:00"),
        ("c3", "Oslo", None, "2020-02-02", "2024-03-01 00:00:00"),
    ]


def derived(spark: SparkSession, when: str) -> DataFrame:
    """A customer of whom only transactions are known."""
    return prepared(spark, {"updated_at": when, "_delivered_on": None, "_row_hash": None})


def test_a_customer_without_a_profile_is_known_since_the_first_order(
    lakehouse: Lakehouse,
) -> None:
    for day in ("2024-03-03", "2024-03-01", "2024-03-02"):
        merge(lakehouse, derived(lakehouse.spark, f"{day} 10:00:00"))
    columns = ("source_customer_id", "updated_at", "_row_hash")
    assert shown(lakehouse.read(TABLE), *columns) == [("c1", "2024-03-01 10:00:00", None)]


def test_a_day_delivered_again_corrects_what_it_said_before(lakehouse: Lakehouse) -> None:
    """Whichever hash is greater; merged once more it changes nothing."""
    wrong = [{"source_customer_id": c, "city": "Lyma", "_row_hash": "5"} for c in ("c1", "c2")]
    right = [
        {"source_customer_id": "c1", "city": "Lima", "_row_hash": "1"},
        {"source_customer_id": "c2", "city": "Lima", "_row_hash": "9"},
    ]
    merge(lakehouse, prepared(lakehouse.spark, *wrong))
    for _ in range(2):
        merge(lakehouse, prepared(lakehouse.spark, *right))
        cities = shown(lakehouse.read(TABLE), "source_customer_id", "city")
        assert cities == [("c1", "Lima"), ("c2", "Lima")]


profiles = st.lists(
    st.tuples(
        st.sampled_from([f"c{n}" for n in range(12)]),
        st.sampled_from(["2024-01-01", "2024-01-02"]),  # updated
        st.sampled_from([None, "2024-02-01", "2024-02-02"]),  # delivered
        st.integers(-2, 2),  # row hash: also stands for the content
        st.sampled_from([None, "2023-01-01", "2023-01-02"]),  # signed up
    ),
    min_size=20,
    max_size=80,
)


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=profiles, seed=st.integers(0, 2**16), bought=st.booleans())
def test_batches_in_any_order_give_the_table_of_one_batch(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, rows, seed, bought
) -> None:
    def given_rows(some: list) -> DataFrame:
        return prepared(
            spark,
            *(
                {"source_customer_id": c, "updated_at": f"{at} 00:00:00", "_delivered_on": sent,
                 "_row_hash": str(content), "city": f"City {content}", "signed_up_on": signed}
                for c, at, sent, content, signed in some
            ),
        )  # fmt: skip

    everything = given_rows(rows)
    # All that a day delivered is in one batch.
    by_day = [
        [row for row in rows if row[2] == day] for day in sorted({r[2] for r in rows}, key=str)
    ]
    batches = [given_rows(some) for some in by_day]
    if bought:
        purchase = derived(spark, "2022-06-06 10:00:00")
        everything = everything.unionByName(purchase)
        batches.append(purchase)
    random.Random(seed).shuffle(batches)
    lakehouse = Lakehouse(spark, tmp_path_factory.mktemp("lakehouse"))
    for batch in batches:
        merge(lakehouse, batch)
    assert shown(lakehouse.read(TABLE)) == shown(silver.latest(everything))
