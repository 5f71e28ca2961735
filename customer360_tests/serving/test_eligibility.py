"""Who of a list may be written to."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from customer360.serving.campaigns import campaign_list, campaign_members
from customer360.serving.eligibility import judged
from customer360.serving.options import Contacts
from customer360_tests.gold.frames import table
from customer360_tests.serving.frames import customer_360_of, customers_of

KEYS = ("agreed", "refused", "never asked", "suppressed", "silent", "erased")
ANA: dict[str, Any] = {
    "name": "Ana Souza",
    "email": "ana.souza@gmail.com",
    "phone": "11987654321",
    "country": "BR",
}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def members(spark: SparkSession) -> DataFrame:
    once = {"purchase_days": 1}
    snapshot = customer_360_of(spark, dict.fromkeys(KEYS, once))
    return campaign_members(snapshot, campaign_list("second_purchase"))


@pytest.fixture(scope="module")
def customers(spark: SparkSession) -> DataFrame:
    return customers_of(
        spark,
        {
            "agreed": ANA,
            "refused": ANA | {"marketing_consent": False},
            "never asked": ANA | {"marketing_consent": None},
            "suppressed": {"email": "s@example.com"},
            "silent": {"email": "not an address", "phone": "12"},
        },
    )


@pytest.fixture(scope="module")
def suppressed(spark: SparkSession) -> DataFrame:
    hashed = sha256("s@example.com")
    # The refusal is the stronger reason: it stands when the suppression list is emptied.
    return table(
        spark, "kind string, value string", [("email", hashed), ("customer_key", "refused")]
    )


def reasons(frame: DataFrame) -> dict[str, str | None]:
    return {row["customer_key"]: row["left_out"] for row in frame.collect()}


def test_only_who_agreed_and_is_not_suppressed_stays(
    members: DataFrame, customers: DataFrame, suppressed: DataFrame
) -> None:
    assert reasons(judged(members, customers, suppressed)) == {
        "agreed": None,
        "refused": "refused",
        "never asked": "never_asked",
        "suppressed": "suppressed",
        "silent": None,
        "erased": "unknown",
    }


def test_who_was_never_asked_stays_only_when_that_is_said(
    members: DataFrame, customers: DataFrame
) -> None:
    found = reasons(judged(members, customers, include_never_asked=True))
    stay = {key for key, reason in found.items() if reason is None}
    assert stay == {"agreed", "never asked", "silent", "suppressed"}
    assert (found["refused"], found["erased"]) == ("refused", "unknown")


def test_a_list_with_contacts_leaves_out_who_has_none(
    members: DataFrame, customers: DataFrame
) -> None:
    found = reasons(judged(members, customers, contact=Contacts.HASHED))
    assert found["silent"] == "no_contact"
    assert found["agreed"] is None


def test_hashed_contacts_are_what_each_platform_matches(
    members: DataFrame, customers: DataFrame
) -> None:
    frame = judged(members, customers, contact=Contacts.HASHED)
    rows = {row["customer_key"]: row for row in frame.collect()}
    agreed = rows["agreed"]
    assert agreed["google_email_sha256"] == sha256("anasouza@gmail.com")
    assert agreed["meta_email_sha256"] == sha256("ana.souza@gmail.com")
    assert agreed["google_phone_sha256"] == sha256("+5511987654321")
    assert agreed["meta_phone_sha256"] == sha256("5511987654321")
    assert not {"name", "email", "phone"} & set(frame.columns)
    assert rows["refused"]["google_email_sha256"] is None


def test_plain_contacts_are_those_of_who_stays(members: DataFrame, customers: DataFrame) -> None:
    rows = {
        row["customer_key"]: row
        for row in judged(members, customers, contact=Contacts.PLAIN).collect()
    }
    agreed = rows["agreed"]
    assert (agreed["name"], agreed["email"]) == ("Ana Souza", "ana.souza@gmail.com")
    assert (agreed["phone"], agreed["source_customer_id"]) == ("+5511987654321", "id-agreed")
    assert (rows["refused"]["name"], rows["refused"]["email"]) == (None, None)


@pytest.mark.parametrize(
    "identifier",
    [
        ("customer_key", "agreed"),
        ("email", sha256("anasouza@gmail.com")),
        ("email", sha256("ana.souza@gmail.com")),
        ("phone", sha256("+5511987654321")),
        ("phone", sha256("5511987654321")),
    ],
)
def test_any_identifier_suppresses_in_any_platforms_form(
    spark: SparkSession, members: DataFrame, customers: DataFrame, identifier: tuple[str, str]
) -> None:
    listed = table(spark, "kind string, value string", [identifier])
    assert reasons(judged(members, customers, listed))["agreed"] == "suppressed"
