"""Who of a list may be written to."""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa
import pytest

from customer360.models.campaign import Campaign
from customer360.serving.campaigns import campaign_list, campaign_members
from customer360.serving.eligibility import judged
from customer360.serving.options import Contacts
from customer360_tests.serving.frames import asked, customer_360_of, customers_of, identifiers_of

KEYS = ("agreed", "refused", "never asked", "suppressed", "silent", "erased")
ANA: dict[str, Any] = {
    "name": "Ana Souza",
    "email": "ana.souza@gmail.com",
    "phone": "11987654321",
    "country": "BR",
}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


MEMBERS = customer_360_of({key: {"purchase_days": 1} for key in KEYS})
CUSTOMERS = customers_of(
    {
        "agreed": ANA,
        "refused": ANA | {"marketing_consent": False},
        "never asked": ANA | {"marketing_consent": None},
        "suppressed": {"email": "s@example.com"},
        "silent": {"email": "not an address", "phone": "12"},
    }
)
# The refusal is the stronger reason: it stands when the suppression list is emptied.
SUPPRESSED = identifiers_of(("email", sha256("s@example.com")), ("customer_key", "refused"))


def found(suppressed: pa.Table | None = None, **options: Any) -> pa.Table:
    """What is said of each member of a list of all of them."""
    members = campaign_members("customer_360", campaign_list("second_purchase"), Campaign())
    query = judged(
        f"({members})", "customers", None if suppressed is None else "suppressed", **options
    )
    tables = {"customer_360": MEMBERS, "customers": CUSTOMERS}
    return asked(query, **tables, **({} if suppressed is None else {"suppressed": suppressed}))


def by_key(rows: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["customer_key"]: row for row in rows.to_pylist()}


def reasons(rows: pa.Table) -> dict[str, str | None]:
    return {key: row["left_out"] for key, row in by_key(rows).items()}


def test_only_who_agreed_and_is_not_suppressed_stays() -> None:
    assert reasons(found(SUPPRESSED)) == {
        "agreed": None,
        "refused": "refused",
        "never asked": "never_asked",
        "suppressed": "suppressed",
        "silent": None,
        "erased": "unknown",
    }


def test_who_was_never_asked_stays_only_when_that_is_said() -> None:
    told = reasons(found(include_never_asked=True))
    stay = {key for key, reason in told.items() if reason is None}
    assert stay == {"agreed", "never asked", "silent", "suppressed"}
    assert (told["refused"], told["erased"]) == ("refused", "unknown")


def test_a_list_with_contacts_leaves_out_who_has_none() -> None:
    told = reasons(found(contact=Contacts.HASHED))
    assert told["silent"] == "no_contact"
    assert told["agreed"] is None


def test_hashed_contacts_are_what_each_platform_matches() -> None:
    table = found(contact=Contacts.HASHED)
    rows = by_key(table)
    agreed = rows["agreed"]
    assert agreed["google_email_sha256"] == sha256("anasouza@gmail.com")
    assert agreed["meta_email_sha256"] == sha256("ana.souza@gmail.com")
    assert agreed["google_phone_sha256"] == sha256("+5511987654321")
    assert agreed["meta_phone_sha256"] == sha256("5511987654321")
    assert not {"name", "email", "phone"} & set(table.column_names)
    assert rows["refused"]["google_email_sha256"] is None


def test_plain_contacts_are_those_of_who_stays() -> None:
    rows = by_key(found(contact=Contacts.PLAIN))
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
def test_any_identifier_suppresses_in_any_platforms_form(identifier: tuple[str, str]) -> None:
    assert reasons(found(identifiers_of(identifier)))["agreed"] == "suppressed"
