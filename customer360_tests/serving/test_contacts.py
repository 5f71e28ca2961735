"""Contact fields against what the platforms publish."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa
import pytest

from customer360.serving import contacts
from customer360_tests.serving.frames import asked

# Google, "Format user data" of the Data Manager API (developers.google.com/data-manager/api/
# get-started/formatting), and the tests of Google's own utility (github.com/googleads/
# data-manager-php, FormatterTest).
GOOGLE_EMAILS = {
    "QuinnY@EXAMPLE.com": "quinny@example.com",
    "Jefferson.Loves.hiking@gmail.com": "jeffersonloveshiking@gmail.com",
    "Jefferson.LOVES.Hiking@googlemail.com": "jeffersonloveshiking@googlemail.com",
    " Jane . Doe+shoes@gmail.com ": "janedoe+shoes@gmail.com",
    "quinn": None,
    " @googlemail.com": None,
    " ...@gmail.com": None,
    "": None,
}
# Meta, "Customer information parameters": trimmed and in lower case, nothing more.
META_EMAILS = {
    " John_Smith@gmail.com ": "john_smith@gmail.com",
    "Jane.Doe@gmail.com": "jane.doe@gmail.com",
    "nobody": None,
}
# A number as silver/customers keeps it, the country beside it, and E.164.
PHONES = {
    ("+18005550100", "BR"): "+18005550100",  # Google: (800)555-0100
    ("8005550100", "US"): "+18005550100",
    ("18005550100", "US"): "+18005550100",  # Google: "1 800 555 0100"
    ("+441134960987", None): "+441134960987",  # Google
    ("01134960987", "GB"): "+441134960987",
    ("441134960987", "GB"): "+441134960987",  # Google: "international no prefix"
    ("+4401134960987", "GB"): "+441134960987",  # written +44 (0)113 496 0987
    ("00441134960987", "US"): "+441134960987",
    ("11987654321", "BR"): "+5511987654321",
    ("011987654321", "BR"): "+5511987654321",
    ("5511987654321", "br"): "+5511987654321",
    ("55987654321", "BR"): "+5555987654321",  # area code 55, not the country's code
    ("0612345678", "IT"): "+390612345678",  # Italy keeps the zero
    ("+5511987654321x12", "BR"): "+5511987654321",
    ("11987654321", None): None,
    ("11987654321", "Brazil"): None,
    ("12345", "US"): None,
    ("12345678", "BR"): None,  # without its area code
    ("987654321", "BR"): None,
    ("5550100", "US"): None,
    ("30123456", "DE"): "+4930123456",
    ("+0123456789", None): None,
    ("+1234567890123456", None): None,  # sixteen digits
    (None, "US"): None,
}


def mapped(values: Iterable[str], function: Callable[[str], str]) -> dict[str, str | None]:
    given = pa.table({"given": pa.array(list(values), pa.string())})
    found = asked(f"SELECT given, {function('given')} AS made FROM rows", rows=given)
    return dict(zip(found["given"].to_pylist(), found["made"].to_pylist(), strict=True))


def test_emails_are_normalised_as_google_publishes() -> None:
    assert mapped(GOOGLE_EMAILS, contacts.google_email) == GOOGLE_EMAILS


def test_emails_are_normalised_as_meta_publishes() -> None:
    assert mapped(META_EMAILS, contacts.meta_email) == META_EMAILS


def test_phones_become_e164_by_the_customers_country() -> None:
    phones, countries = zip(*PHONES, strict=True)
    given = pa.table(
        {"phone": pa.array(phones, pa.string()), "country": pa.array(countries, pa.string())}
    )
    query = f"SELECT phone, country, {contacts.e164('phone', 'country')} AS number FROM rows"
    found = asked(query, rows=given)
    assert {(row["phone"], row["country"]): row["number"] for row in found.to_pylist()} == PHONES


@pytest.mark.parametrize(
    ("text", "published"),
    [
        # Google's utility: testProcessEmailAddressHex, testProcessPhoneNumberHex
        (
            "alexz@example.com",
            "509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a",
        ),
        ("+18005550100", "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30"),
        # Meta's "Customer information parameters": em and ph
        (
            "john_smith@gmail.com",
            "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
        ),
        ("16505551212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        # TikTok's "Customer File audiences"
        (
            "janedoe@gmail.com",
            "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69",
        ),
    ],
)
def test_hashes_are_those_that_the_platforms_publish(text: str, published: str) -> None:
    assert mapped([text], contacts.sha256) == {text: published}


def test_metas_phone_is_the_digits_of_e164() -> None:
    assert mapped(["+16505551212"], contacts.meta_phone) == {"+16505551212": "16505551212"}
