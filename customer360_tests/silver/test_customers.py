from __future__ import annotations

import random
from collections.abc import Mapping

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from customer360.contracts import Contract
from customer360.silver import customers as silver
from customer360_tests.silver.frames import SECRET, customers, shown
from customer360_tests.silver.test_transactions import key_of

COLUMNS = Contract.load("silver/customers").column_names


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
    assert rows.columns == list(COLUMNS)
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
        assert latest.columns == list(COLUMNS)
        columns = ("source_customer_id", "city", "signed_up_on", "updated_at", "_row_hash")
        assert shown(latest, *columns) == [
            ("c1", "New", "2023-06-01", "2024-02-01 00:00:00", "1"),
            ("c2", "High", None, "2024-03-01 00:00:00", "5"),
        ]


def test_a_blank_says_nothing_and_each_attribute_keeps_its_latest_value(
    spark: SparkSession,
) -> None:
    rows = prepared(
        spark,
        {"city": "Lima", "email": "a@x.org", "loyalty_tier": "gold", "phone": "123",
         "updated_at": "2024-01-01 00:00:00"},
        {"city": "Cusco", "email": " ", "updated_at": "2024-02-01 00:00:00"},
        {"email": "b@x.org", "updated_at": "2024-01-15 00:00:00", "_delivered_on": "2024-09-09"},
        {"updated_at": "2024-03-01 00:00:00", "_row_hash": "7"},
    )  # fmt: skip
    columns = ("city", "email", "loyalty_tier", "phone", "updated_at", "_row_hash")
    assert shown(silver.latest(rows), *columns) == [
        ("Cusco", "b@x.org", "gold", "123", "2024-03-01 00:00:00", "7")
    ]


CONSENT = {
    "refused": (["2024-01-01 false", "2024-02-01 -"], "false"),
    "agreed": (["2024-01-01 true", "2024-02-01 -"], "true"),
    "asked_again": (["2024-01-01 false", "2024-02-01 -", "2024-03-01 true"], "true"),
    "took_back": (["2024-01-01 true", "2024-03-01 false", "2024-02-01 true"], "false"),
    "both_at_once": (["2024-01-01 true", "2024-01-01 false"], "false"),
    "never_asked": (["2024-01-01 -"], None),
}


def test_a_refusal_stands_until_a_later_yes(spark: SparkSession) -> None:
    rows = [
        {"source_customer_id": who, "updated_at": f"{said.split()[0]} 00:00:00",
         "marketing_consent": None if said.endswith("-") else said.split()[1],
         "_row_hash": str(n)}
        for who, (all_said, _) in CONSENT.items()
        for n, said in enumerate(all_said)
    ]  # fmt: skip
    right = sorted((who, now) for who, (_, now) in CONSENT.items())
    for order in (rows, rows[::-1]):
        found = silver.latest(prepared(spark, *order))
        assert shown(found, "source_customer_id", "marketing_consent") == right


def test_a_yes_delivered_later_does_not_take_a_refusal_of_the_same_instant_back(
    spark: SparkSession,
) -> None:
    rows = prepared(
        spark,
        {"marketing_consent": "false", "_delivered_on": "2024-03-01"},
        {"marketing_consent": "true", "_delivered_on": "2024-03-05", "_row_hash": "9"},
    )
    assert shown(silver.latest(rows), "marketing_consent") == [("false",)]


def test_a_customer_without_a_profile_is_known_since_the_first_order(spark: SparkSession) -> None:
    bought = [
        {"updated_at": f"{day} 10:00:00", "_delivered_on": None, "_row_hash": None}
        for day in ("2024-03-03", "2024-03-01", "2024-03-02")
    ]
    columns = ("source_customer_id", "city", "updated_at", "_row_hash")
    found = silver.latest(prepared(spark, *bought))
    assert shown(found, *columns) == [("c1", None, "2024-03-01 10:00:00", None)]
    found = silver.latest(prepared(spark, *bought, {"city": "Rome"}))
    assert shown(found, *columns) == [("c1", "Rome", "2024-03-01 00:00:00", "1")]


profiles = st.lists(
    st.tuples(
        st.sampled_from([f"c{n}" for n in range(12)]),
        st.integers(1, 4),  # day of January it became true
        st.sampled_from([None, 1, 2]),  # day of February it was delivered
        st.integers(-2, 2),  # row hash: also stands for the content
        st.sampled_from([None, "2023-01-01", "2023-01-02"]),  # signed up
        st.booleans(),  # whether it names a city
        st.sampled_from([None, "true", "false"]),  # consent
    ),
    min_size=20,
    max_size=80,
)


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=profiles, seed=st.integers(0, 2**16))
def test_the_merge_is_that_of_a_plain_reading_of_the_rules(spark: SparkSession, rows, seed) -> None:
    expected = []
    for who in sorted({row[0] for row in rows}):
        own = [row for row in rows if row[0] == who]
        named = [row for row in own if row[5]]
        city = max(named, key=lambda r: (r[1], r[2] or 0, r[3]))[3] if named else None
        asked = [row for row in own if row[6] is not None]
        consent = max(asked, key=lambda r: (r[1], r[6] == "false"))[6] if asked else None
        signed = min((row[4] for row in own if row[4]), default=None)
        expected.append((who, None if city is None else f"City {city}", consent, signed))
    shuffled = random.Random(seed).sample(rows, len(rows))
    for order in (rows, shuffled):
        found = silver.latest(
            prepared(
                spark,
                *(
                    {"source_customer_id": who, "updated_at": f"2024-01-0{at} 00:00:00",
                     "_delivered_on": sent and f"2024-02-0{sent}", "_row_hash": str(content),
                     "city": f"City {content}" if has_city else None, "signed_up_on": signed,
                     "marketing_consent": consent}
                    for who, at, sent, content, signed, has_city, consent in order
                ),
            )
        )  # fmt: skip
        columns = ("source_customer_id", "city", "marketing_consent", "signed_up_on")
        assert shown(found, *columns) == expected


def test_of_rows_that_decide_alike_the_newest_is_named(spark: SparkSession) -> None:
    said = {"signed_up_on": "2023-01-02", "marketing_consent": "true", "city": "Lugo"}
    rows = prepared(
        spark,
        *(
            said | {"_delivered_on": f"2024-03-0{day}", "_row_hash": str(10 - day)}
            for day in (1, 2, 3, 4)
        ),
    )
    for order in (rows, rows.orderBy("_delivered_on"), rows.orderBy("_row_hash")):
        assert shown(silver.deciding(order)) == [("6",)]
