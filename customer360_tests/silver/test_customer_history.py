from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import groupby

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from customer360.lakehouse.tables import Lakehouse
from customer360.silver import customers
from customer360.silver.customer_history import COLUMNS, history
from customer360_tests.silver.frames import SECRET, shown
from customer360_tests.silver.frames import customers as staged_customers
from customer360_tests.silver.test_transactions import key_of

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
        {"marketing_consent": None},
    ]
    rows: list[Mapping[str, str | None]] = []
    profile = base
    for day, step in enumerate(steps, start=1):
        profile = profile | step
        rows.append(profile | {"updated_at": f"2024-01-0{day} 00:00:00"})
    found = shown(history(changes(spark, *rows)), "valid_from")
    assert [row[0][:10] for row in found] == [
        "2024-01-01", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-06", "2024-01-07",
    ]  # fmt: skip
    assert not {"name", "email", "phone", "address"} & set(COLUMNS)


def test_a_late_profile_splits_the_version_it_lies_in(spark: SparkSession) -> None:
    first = history(changes(spark, lived("Lima", "2024-01-01"), lived("Lima", "2024-03-01")))
    assert shown(first, *VERSION) == [("Lima", "2024-01-01 00:00:00", None, "true")]
    # Learnt later: in between the customer lived elsewhere.
    found = history(changes(spark, lived("Cusco", "2024-02-01", "2024-07-01")), first)
    assert sorted(shown(found, *VERSION), key=lambda row: row[1]) == [
        ("Lima", "2024-01-01 00:00:00", "2024-02-01 00:00:00", "false"),
        ("Cusco", "2024-02-01 00:00:00", "2024-03-01 00:00:00", "false"),
        ("Lima", "2024-03-01 00:00:00", None, "true"),
    ]


def test_a_correction_of_the_same_instant_counts_when_delivered_later(spark: SparkSession) -> None:
    wrong, right = (
        lived("Lyma", "2024-01-01", "2024-01-01") | {"_row_hash": "9"},
        lived("Lima", "2024-01-01", "2024-01-02") | {"_row_hash": "1"},
    )
    for one, other in ((wrong, right), (right, wrong)):
        found = history(changes(spark, other), history(changes(spark, one)))
        assert shown(found, *VERSION) == [("Lima", "2024-01-01 00:00:00", None, "true")]


def test_a_day_delivered_again_corrects_what_it_said_before(spark: SparkSession) -> None:
    wrong = history(changes(spark, lived("Lyma", "2024-01-01") | {"_row_hash": "9"}))
    right = changes(spark, lived("Lima", "2024-01-01") | {"_row_hash": "1"})
    found = history(right, wrong)
    assert shown(found, *VERSION) == [("Lima", "2024-01-01 00:00:00", None, "true")]
    assert shown(history(right, found)) == shown(found)


def test_only_customers_in_the_changes_come_back(spark: SparkSession) -> None:
    existing = history(
        changes(spark, lived("Lima", "2024-01-01"), lived("Rome", "2024-01-01", own_id="c2"))
    )
    found = history(changes(spark, lived("Oslo", "2024-01-05", own_id="c2")), existing)
    assert {row[0] for row in shown(found, "customer_key")} == {key_of(spark, "c2")}
    assert len(shown(found)) == 2


def test_a_customer_known_by_orders_only_has_one_version_since_the_first(
    spark: SparkSession,
) -> None:
    def bought(day: str) -> DataFrame:
        since = {"updated_at": f"{day} 10:00:00", "_delivered_on": None, "_row_hash": None}
        return changes(spark, since)

    at_once = history(bought("2024-03-01").unionByName(bought("2024-03-02")))
    later = history(bought("2024-03-02"))
    assert shown(history(bought("2024-03-01"), later)) == shown(at_once)
    assert shown(at_once, *VERSION) == [(None, "2024-03-01 10:00:00", None, "true")]


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
@given(
    rows=observed, repeated=st.integers(0, 20), seed=st.integers(0, 2**16), parts=st.integers(1, 3)
)
def test_deliveries_in_any_order_and_repeated_equal_all_at_once(
    spark: SparkSession, rows, repeated, seed, parts
) -> None:
    def given_rows(some: list) -> DataFrame:
        return changes(
            spark,
            *(
                lived(city(content), f"2024-01-0{day}", f"2024-06-0{sent}", own_id)
                | {"_row_hash": str(content)} | ({"_delivered_on": None} if sent is None else {})
                for own_id, day, sent, content in some
            ),
        )  # fmt: skip

    deliveries = rows + rows[:repeated]
    random.Random(seed).shuffle(deliveries)
    schema = history(given_rows(rows[:1])).schema
    table = spark.createDataFrame([], schema)
    # All that a day delivered is in one batch, and comes whole when it comes again.
    by_day = [[row for row in deliveries if (row[2] or 0) % parts == n] for n in range(parts)]
    for batch in by_day + by_day[:1]:
        if batch:
            made = history(given_rows(batch), table)
            # As the writer does: all rows of the customers touched, in place of the old ones.
            kept = table.join(made.select("customer_key").distinct(), "customer_key", "left_anti")
            table = spark.createDataFrame(kept.unionByName(made).collect(), schema)
    at_once = history(given_rows(rows))
    assert shown(table) == shown(at_once)
    keys = dict(shown(given_rows(rows), "customer_key", "source_customer_id"))
    named = [(keys[row[0]], *row[1:]) for row in shown(at_once, "customer_key", *VERSION)]
    assert sorted(named, key=lambda row: [str(value) for value in row]) == expected(rows)


def test_the_history_survives_its_table(lakehouse: Lakehouse) -> None:
    table = "silver/customer_history"
    steps = [
        [lived("Lima", "2024-01-01"), lived("Rome", "2024-01-01", own_id="c2")],
        [lived("Cusco", "2024-02-01")],
        [lived("Lima", "2024-03-01"), lived("Lima", "2024-01-20")],
    ]
    for step in steps[::-1]:
        rows = changes(lakehouse.spark, *step)
        existing = lakehouse.read(table) if lakehouse.exists(table) else None
        lakehouse.replace_groups(
            table,
            history(rows, existing),
            rows.select("customer_key").distinct(),
        )
    everything = changes(lakehouse.spark, *(row for step in steps for row in step))
    assert shown(lakehouse.read(table)) == shown(history(everything))
