from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import groupby

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from customer360.contracts import Contract
from customer360.silver import customers
from customer360.silver.customer_history import history
from customer360_tests.silver.frames import SECRET, shown
from customer360_tests.silver.frames import customers as staged_customers
from customer360_tests.silver.test_transactions import key_of

COLUMNS = Contract.load("silver/customer_history").column_names

VERSION = ("city", "valid_from", "valid_to", "is_current")


def changes(spark: SparkSession, *rows: Mapping[str, str | None]) -> DataFrame:
    return customers.prepared(staged_customers(spark, *rows), source="shop", secret=SECRET)


def lived(city: str | None, since: str, delivered: str = "2024-06-01", own_id: str = "c1") -> dict:
    return {
        "source_customer_id": own_id,
        "city": city,
        "updated_at": f"{since} 00:00:00",
        "_delivered_on": delivered,
    }


def test_versions_follow_each_other_without_gap_or_overlap(spark: SparkSession) -> None:
    found = history(
        changes(
            spark,
            lived("Lima", "2024-01-01"),
            lived("Lima", "2024-01-15"),  # the same profile again is the same version
            lived("Cusco", "2024-02-01"),
            lived("Lima", "2024-03-01"),  # back again is a new one
            lived(None, "2024-01-01", own_id="c2"),  # nothing known is a profile too
        )
    )
    assert found.columns == list(COLUMNS)
    of_c1 = found.where(found.customer_key == key_of(spark, "c1"))
    assert sorted(shown(of_c1, *VERSION), key=lambda row: row[1]) == [
        ("Lima", "2024-01-01 00:00:00", "2024-02-01 00:00:00", "false"),
        ("Cusco", "2024-02-01 00:00:00", "2024-03-01 00:00:00", "false"),
        ("Lima", "2024-03-01 00:00:00", None, "true"),
    ]
    of_c2 = found.where(found.customer_key == key_of(spark, "c2"))
    assert shown(of_c2, *VERSION) == [(None, "2024-01-01 00:00:00", None, "true")]


def test_any_tracked_attribute_makes_a_version_and_no_other_does(spark: SparkSession) -> None:
    base: dict[str, str | None] = {
        "city": "Lima", "state": "LI", "country": "Peru", "loyalty_tier": "gold",
        "marketing_consent": "true", "name": "Ana", "email": "a@x.org",
    }  # fmt: skip
    steps: list[dict[str, str | None]] = [
        {},
        {"name": "Ana Maria", "email": "b@x.org", "phone": "123"},  # personal data is not tracked
        {"state": "LM"},
        {"country": "PE"},
        {"loyalty_tier": "silver"},
        {"marketing_consent": "false"},
        {"marketing_consent": None},  # a blank says nothing
        {"marketing_consent": "true"},
    ]
    rows: list[Mapping[str, str | None]] = []
    profile = base
    for day, step in enumerate(steps, start=1):
        profile = profile | step
        rows.append(profile | {"updated_at": f"2024-01-0{day} 00:00:00"})
    found = shown(history(changes(spark, *rows)), "valid_from")
    assert [row[0][:10] for row in found] == [
        "2024-01-01", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-06", "2024-01-08",
    ]  # fmt: skip
    assert not {"name", "email", "phone", "address"} & set(COLUMNS)


def test_a_late_profile_splits_the_version_it_lies_in(spark: SparkSession) -> None:
    known = [lived("Lima", "2024-01-01"), lived("Lima", "2024-03-01")]
    first = history(changes(spark, *known))
    assert shown(first, *VERSION) == [("Lima", "2024-01-01 00:00:00", None, "true")]
    # Learnt later: in between the customer lived elsewhere.
    found = history(changes(spark, *known, lived("Cusco", "2024-02-01", "2024-07-01")))
    assert sorted(shown(found, *VERSION), key=lambda row: row[1]) == [
        ("Lima", "2024-01-01 00:00:00", "2024-02-01 00:00:00", "false"),
        ("Cusco", "2024-02-01 00:00:00", "2024-03-01 00:00:00", "false"),
        ("Lima", "2024-03-01 00:00:00", None, "true"),
    ]


def test_what_is_blank_stays_as_it_was_known_before(spark: SparkSession) -> None:
    found = history(
        changes(
            spark,
            lived("Lima", "2024-01-01") | {"marketing_consent": "false"},
            lived(None, "2024-02-01") | {"loyalty_tier": "gold"},
            lived(None, "2024-03-01"),
        )
    )
    columns = ("city", "loyalty_tier", "marketing_consent", "valid_from", "valid_to")
    assert sorted(shown(found, *columns), key=lambda row: row[3]) == [
        ("Lima", None, "false", "2024-01-01 00:00:00", "2024-02-01 00:00:00"),
        ("Lima", "gold", "false", "2024-02-01 00:00:00", None),
    ]


def test_of_a_yes_and_a_no_of_one_instant_the_no_is_the_version(spark: SparkSession) -> None:
    yes, no = (
        lived("Lima", "2024-01-01") | {"marketing_consent": said, "_row_hash": mark}
        for said, mark in (("true", "9"), ("false", "1"))
    )
    assert shown(history(changes(spark, yes, no)), "marketing_consent") == [("false",)]


def test_a_correction_of_the_same_instant_counts_when_delivered_later(spark: SparkSession) -> None:
    wrong, right = (
        lived("Lyma", "2024-01-01", "2024-01-01") | {"_row_hash": "9"},
        lived("Lima", "2024-01-01", "2024-01-02") | {"_row_hash": "1"},
    )
    for order in ((wrong, right), (right, wrong)):
        found = history(changes(spark, *order))
        assert shown(found, *VERSION) == [("Lima", "2024-01-01 00:00:00", None, "true")]


def test_a_customer_known_by_orders_only_has_one_version_since_the_first(
    spark: SparkSession,
) -> None:
    bought = [
        {"updated_at": f"{day} 10:00:00", "_delivered_on": None, "_row_hash": None}
        for day in ("2024-03-02", "2024-03-01")
    ]
    found = history(changes(spark, *bought))
    assert shown(found, *VERSION) == [(None, "2024-03-01 10:00:00", None, "true")]


PEOPLE = [f"c{n}" for n in range(15)]  # each a case of its own, all in one job

observed = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.integers(1, 6),  # day of January the profile became true
        st.sampled_from([None, 1, 2]),  # day of June it was delivered
        st.integers(0, 2),  # row hash, which stands for the content
    ),
    min_size=30,
    max_size=120,
)


def city(content: int) -> str:
    """Rows of different content may tell of the same city."""
    return "Lima" if content == 0 else f"City {content}"


def expected(rows: list) -> list[tuple]:
    """Versions by a plain reading of the definition, one customer at a time."""
    versions = []
    for own_id in {row[0] for row in rows}:
        at: dict[int, tuple[int, int]] = {}
        for who, day, sent, content in rows:
            if who == own_id:
                at[day] = max(at.get(day, (-1, -1)), (sent or 0, content))
        runs = [
            (name, next(iter(run))[0])
            for name, run in groupby(sorted(at.items()), key=lambda item: city(item[1][1]))
        ]
        for n, (name, since) in enumerate(runs):
            until = f"2024-01-0{runs[n + 1][1]} 00:00:00" if n + 1 < len(runs) else None
            versions.append(
                (own_id, name, f"2024-01-0{since} 00:00:00", until, str(until is None).lower())
            )
    return sorted(versions, key=lambda row: [str(value) for value in row])


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=observed, repeated=st.integers(0, 20), seed=st.integers(0, 2**16))
def test_versions_are_those_of_a_plain_reading_whatever_the_order(
    spark: SparkSession, rows, repeated, seed
) -> None:
    deliveries = rows + rows[:repeated]
    random.Random(seed).shuffle(deliveries)
    given_rows = changes(
        spark,
        *(
            lived(city(content), f"2024-01-0{day}", f"2024-06-0{sent}", own_id)
            | {"_row_hash": str(content)} | ({"_delivered_on": None} if sent is None else {})
            for own_id, day, sent, content in deliveries
        ),
    )  # fmt: skip
    keys = dict(shown(given_rows, "customer_key", "source_customer_id"))
    found = shown(history(given_rows), "customer_key", *VERSION)
    named = [(keys[row[0]], *row[1:]) for row in found]
    assert sorted(named, key=lambda row: [str(value) for value in row]) == expected(rows)
