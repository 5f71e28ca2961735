from __future__ import annotations

from itertools import product

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.attributes import attributes_of, customer_attributes
from customer360.gold.customer_360 import ACTION_RULES, customer_360, next_best_action
from customer360.gold.customer_features import customer_features
from customer360.gold.rfm_segments import rfm_segments
from customer360.models.lifetime_value.scoring import LEAVING_FIGURES
from customer360.table_names import HISTORY, RFM
from customer360_tests.gold.frames import bought, customer_days, day, rows_of, table, timestamps

AS_OF, EARLIER = day("2024-03-10"), day("2024-02-10")
PERSONAL = {
    *("source_customer_id", "name", "email", "phone", "address", "birth_date", "tax_id"),
    "postal_code",
}


@pytest.fixture(scope="module")
def features(spark: SparkSession) -> DataFrame:
    days = customer_days(
        spark,
        [
            bought("ana", "2024-01-10", 100, review=5.0),
            bought("ana", "2024-02-09", 60),
            bought("ben", "2024-03-01", 10, channel="shop"),
        ],
    )
    return customer_features(days, [EARLIER, AS_OF])


@pytest.fixture(scope="module")
def churn_scores(spark: SparkSession) -> DataFrame:
    schema = "as_of date, customer_key string, churn_probability double, risk string"
    return table(spark, schema, [(AS_OF, "ana", 0.9, "high")])


@pytest.fixture(scope="module")
def lifetime_value(spark: SparkSession) -> DataFrame:
    schema = (
        "as_of date, customer_key string, probability_alive double, "
        "expected_purchases_365d double, expected_order_value double, "
        "expected_revenue_365d double, discounted_value_12m double, has_left double, "
        "overdue double, expected_gap_days double, revenue_if_kept_365d double, "
        "leaving_share_365d double"
    )
    ana = (AS_OF, "ana", 0.5, 2.0, 60.0, 120.0, 110.0, 0.6, 0.7, 30.0, 170.0, 0.5)
    ben = (AS_OF, "ben", 0.9, 1.0, 10.0, 10.0, 9.0, 0.8, 0.1, 90.0, 15.0, 0.25)
    return table(spark, schema, [ana, ben])


@pytest.fixture(scope="module")
def customers(spark: SparkSession) -> DataFrame:
    schema = "customer_key string, name string, email string, acquisition_channel string"
    return table(spark, schema, [("ana", "Ana Souza", "ana@example.org", "search")])


def history(spark: SparkSession, *versions: tuple[str, str, str, str | None]) -> DataFrame:
    """Versions of (customer, city, valid from, valid to)."""
    frame = table(
        spark, "customer_key string, city string, valid_from string, valid_to string", versions
    )
    known = {"state": F.lit("SP"), "country": F.lit("BR"), "loyalty_tier": F.lit("gold")}
    others = {
        name: F.lit(None).cast(customer_attributes()[name].physical_type)
        for name in attributes_of(HISTORY)
        if name not in (*known, "city")
    }
    return timestamps(frame, "valid_from", "valid_to").withColumns(known | others)


def test_a_row_for_each_customer_and_date_holds_all_that_is_known(
    spark: SparkSession,
    features: DataFrame,
    churn_scores: DataFrame,
    lifetime_value: DataFrame,
    customers: DataFrame,
) -> None:
    profiles = history(spark, ("ana", "Santos", "2024-01-01 00:00:00", None))
    segments = rfm_segments(features)
    rows = customer_360(features, segments, churn_scores, lifetime_value, profiles, customers)
    assert tuple(rows.columns) == Contract.load("gold/customer_360").column_names
    assert rows_of(rows, "as_of", "customer_key") == [
        (EARLIER, "ana"),
        (AS_OF, "ana"),
        (AS_OF, "ben"),
    ]
    ana = rows.where((F.col("customer_key") == "ana") & (F.col("as_of") == F.lit(AS_OF)))
    assert ana.collect()[0].asDict() == {
        "as_of": AS_OF,
        "customer_key": "ana",
        "first_purchase_on": day("2024-01-10"),
        "last_purchase_on": day("2024-02-09"),
        "days_since_last_purchase": 30,
        "purchase_days": 2,
        "orders": 2,
        "items": 2,
        "refunds": 0,
        "net_revenue": 160.0,
        "net_revenue_90d": 160.0,
        "net_revenue_365d": 160.0,
        "refund_rate": 0.0,
        "average_order_value": 80.0,
        "mean_days_between_purchases": 30.0,
        "overdue_ratio": 1.0,
        "last_category": "Books",
        "last_channel": "web",
        "r_score": 2,
        "f_score": 4,
        "m_score": 4,
        "rfm_score": "244",
        "segment": "at_risk",
        "churn_probability": 0.9,
        "churn_risk": "high",
        "probability_alive": 0.5,
        "has_left": 0.6,
        "overdue": 0.7,
        "expected_gap_days": 30.0,
        "value_at_stake": 170.0 * 0.5,
        "expected_purchases_365d": 2.0,
        "expected_order_value": 60.0,
        "expected_revenue_365d": 120.0,
        "discounted_value_12m": 110.0,
        "city": "Santos",
        "state": "SP",
        "country": "BR",
        "loyalty_tier": "gold",
        "marketing_consent": None,
        "acquisition_channel": "search",
        "next_best_action": "win_back_with_offer",
    }
    ben = rows.where("customer_key = 'ben'")
    unknown = ("churn_risk", "value_at_stake", "city", "acquisition_channel")
    assert rows_of(ben, *unknown) == [(None, None, None, None)]


@pytest.mark.parametrize(
    ("has_left", "kept", "share", "risk", "at_stake"),
    [
        (0.5, 170.0, 0.5, "high", 85.0),
        (0.49, 170.0, 0.25, "medium", 42.5),
        (0.25, 100.0, 0.0, "medium", 0.0),
        (0.24, 0.0, 1.0, "low", 0.0),
        (None, None, None, "high", None),  # as the churn scores have it
    ],
)
def test_risk_is_of_having_left_and_the_stake_what_leaving_takes_of_one_who_is_kept(
    spark: SparkSession,
    features: DataFrame,
    churn_scores: DataFrame,
    lifetime_value: DataFrame,
    customers: DataFrame,
    has_left: float | None,
    kept: float | None,
    share: float | None,
    risk: str,
    at_stake: float | None,
) -> None:
    told = {"has_left": has_left, "revenue_if_kept_365d": kept, "leaving_share_365d": share}
    value = lifetime_value.withColumns({n: F.lit(v).cast("double") for n, v in told.items()})
    segments = rfm_segments(features)
    rows = customer_360(features, segments, churn_scores, value, history(spark), customers)
    ana = rows.where((F.col("customer_key") == "ana") & (F.col("as_of") == F.lit(AS_OF)))
    assert rows_of(ana, "churn_risk", "value_at_stake") == [(risk, at_stake)]


def test_scores_of_a_release_that_knew_less_have_their_risk(
    spark: SparkSession,
    features: DataFrame,
    churn_scores: DataFrame,
    lifetime_value: DataFrame,
    customers: DataFrame,
) -> None:
    less = lifetime_value.drop(*LEAVING_FIGURES)
    segments = rfm_segments(features)
    rows = customer_360(features, segments, churn_scores, less, history(spark), customers)
    ana = rows.where((F.col("customer_key") == "ana") & (F.col("as_of") == F.lit(AS_OF)))
    assert rows_of(ana, "churn_risk", "has_left", "value_at_stake") == [("high", None, None)]


def test_nothing_in_it_names_a_person(
    spark: SparkSession,
    features: DataFrame,
    churn_scores: DataFrame,
    lifetime_value: DataFrame,
    customers: DataFrame,
) -> None:
    profiles = history(spark).withColumn("email", F.lit("ana@example.org"))
    segments = rfm_segments(features)
    rows = customer_360(features, segments, churn_scores, lifetime_value, profiles, customers)
    assert PERSONAL.isdisjoint(rows.columns)
    assert "example.org" not in str(rows.collect())
    assert "Souza" not in str(rows.collect())


@pytest.mark.parametrize(
    ("time_zone", "cities"),
    [
        # Midnight after 2024-03-10 in UTC: Rio has begun. In São Paulo (UTC-3) it is 03:00 UTC.
        ("UTC", ["Santos", "Santos"]),
        ("America/Sao_Paulo", ["Santos", "Rio"]),
    ],
)
def test_the_profile_is_the_one_at_the_end_of_the_day(
    spark: SparkSession,
    features: DataFrame,
    churn_scores: DataFrame,
    lifetime_value: DataFrame,
    customers: DataFrame,
    time_zone: str,
    cities: list[str],
) -> None:
    profiles = history(
        spark,
        ("ana", "Santos", "2024-01-01 00:00:00", "2024-03-11 00:00:00"),
        ("ana", "Rio", "2024-03-11 00:00:00", None),
    )
    rows = customer_360(
        features,
        rfm_segments(features),
        churn_scores,
        lifetime_value,
        profiles,
        customers,
        time_zone=time_zone,
    )
    found = rows.where("customer_key = 'ana'").orderBy("as_of").collect()
    assert [row["city"] for row in found] == cities


def test_a_history_that_begins_later_lends_its_earliest_profile(
    spark: SparkSession,
    features: DataFrame,
    churn_scores: DataFrame,
    lifetime_value: DataFrame,
    customers: DataFrame,
) -> None:
    profiles = history(
        spark,
        ("ana", "Santos", "2024-02-20 00:00:00", "2024-03-05 00:00:00"),
        ("ana", "Rio", "2024-03-05 00:00:00", None),
        ("ben", "Belém", "2024-05-01 00:00:00", "2024-06-01 00:00:00"),
        ("ben", "Natal", "2024-06-01 00:00:00", None),
        ("no purchase", "Recife", "2024-01-01 00:00:00", None),
    )
    rows = customer_360(
        features, rfm_segments(features), churn_scores, lifetime_value, profiles, customers
    )
    assert rows_of(rows, "as_of", "customer_key", "city") == [
        (EARLIER, "ana", "Santos"),
        (AS_OF, "ana", "Rio"),
        (AS_OF, "ben", "Belém"),
    ]


def test_every_customer_has_an_action_and_every_rule_is_used(spark: SparkSession) -> None:
    everything = product(
        Contract.load(RFM).column("segment").allowed_values,
        ("high", "medium", "low", None),
        range(1, 6),
        (True, False, None),
    )
    schema = "segment string, churn_risk string, m_score int, marketing_consent boolean"
    frame = table(spark, schema, everything)
    rows = frame.withColumn("action", next_best_action()).collect()
    assert {row["action"] for row in rows if row["marketing_consent"] is False} == {
        "do_not_contact"
    }
    allowed = {row["action"] for row in rows if row["marketing_consent"] is not False}
    assert allowed == {rule.action for rule in ACTION_RULES}
    chosen = {
        (row["segment"], row["churn_risk"], row["m_score"]): row["action"]
        for row in rows
        if row["marketing_consent"] is None
    }
    assert chosen["champions", "low", 5] == "reward_and_ask_for_referrals"
    assert chosen["champions", "high", 5] == "retain_with_offer"
    assert chosen["new_customers", "high", 1] == "guide_to_second_purchase"
    assert chosen["new_customers", None, 1] == "guide_to_second_purchase"
    assert chosen["loyal_customers", "medium", 4] == "offer_premium_products"
    assert chosen["loyal_customers", "medium", 3] == "offer_bundles"
    assert chosen["cant_lose_them", "high", 5] == "call_in_person"
    assert chosen["at_risk", "low", 2] == "win_back_by_email"
    assert chosen["lost", "high", 5] == "spend_nothing"
    assert chosen["lost", None, 3] == "spend_nothing"
    # The campaign list win_back has them.
    assert chosen["lost", None, 4] == "win_back_by_email"
