"""Who of a list may be written to: consent, suppression, and a contact to write to.

Consent is today's, of ``silver/customers``, and not that of the snapshot's day: who has refused
since is left out of a list of yesterday too. Whoever has no row there any more is left out as well.

Functions take names of tables in DuckDB (or queries in brackets) and return queries, for
connections that `customer360.serving.contacts.prepare` made ready.
"""

from __future__ import annotations

from enum import StrEnum

from customer360.contracts.sql import sql_text
from customer360.serving import contacts
from customer360.serving.campaigns import MEMBER_COLUMNS
from customer360.serving.options import Contacts


class LeftOut(StrEnum):
    """Why a member is left out of a list; the first that is true, in this order."""

    UNKNOWN = "unknown"  # not in silver/customers, as after an erasure
    REFUSED = "refused"
    NEVER_ASKED = "never_asked"
    SUPPRESSED = "suppressed"
    NO_CONTACT = "no_contact"


CONTACT_COLUMNS: dict[Contacts, tuple[str, ...]] = {
    Contacts.NONE: (),
    Contacts.HASHED: (
        "google_email_sha256",
        "google_phone_sha256",
        "meta_email_sha256",
        "meta_phone_sha256",
    ),
    Contacts.PLAIN: ("source", "source_customer_id", "name", "email", "phone"),
}
"""Columns that a list has beside those of its members."""

IDENTIFIERS = ("kind", "value")
"""Columns of a suppression list: kind of identifier, and the identifier.

``customer_key`` has the key; ``email`` and ``phone`` the SHA-256 of what a platform matches.
"""


def judged(
    members: str,
    customers: str,
    suppressed: str | None = None,
    *,
    contact: Contacts = Contacts.NONE,
    include_never_asked: bool = False,
    default_country: str | None = None,
) -> str:
    """Every member with the contact columns and the reason to leave them out, if there is one.

    Args:
        members: As ``campaign_members`` gives them.
        customers: ``silver/customers``.
        suppressed: `IDENTIFIERS` of those who must not be written to; None for nobody.
        contact: Which contact columns are wanted.
        include_never_asked: Keep members whose consent is null.
        default_country: ISO 3166 code for phone numbers of customers without a country.

    Returns:
        A query of `MEMBER_COLUMNS`, those of `CONTACT_COLUMNS`, and ``left_out``: a `LeftOut`, or
        null for who stays. Contact columns of who is left out are null.
    """
    # Whoever is no member need not be normalised and hashed.
    own = f"(SELECT * FROM {customers} SEMI JOIN _members USING (customer_key))"
    people = (
        f"SELECT customer_key, marketing_consent FROM {own}"
        if contact is Contacts.NONE
        else _with_contacts(own, default_country)
    )
    named = "SELECT NULL::VARCHAR AS customer_key WHERE false"
    if suppressed is not None:
        named = suppressed_customers(own, suppressed, default_country=default_country)
    shown = ", ".join(
        [
            *(f"_members.{name}" for name in MEMBER_COLUMNS),
            *(
                f"CASE WHEN left_out IS NULL THEN {name} END AS {name}"
                for name in CONTACT_COLUMNS[contact]
            ),
            "left_out",
        ]
    )
    return f"""WITH _members AS MATERIALIZED (SELECT * FROM {members}),
        _people AS ({people}),
        _named AS ({named}),
        _judged AS (
            SELECT _members.customer_key AS member, _people.* EXCLUDE (customer_key),
                {_left_out(contact, include_never_asked)} AS left_out
            FROM _members
            LEFT JOIN _people ON _people.customer_key = _members.customer_key
            LEFT JOIN _named ON _named.customer_key = _members.customer_key
        )
    SELECT {shown} FROM _members JOIN _judged ON _members.customer_key = member"""


def suppressed_customers(
    customers: str, suppressed: str, *, default_country: str | None = None
) -> str:
    """Those of the customers that any identifier of the suppression list names.

    Args:
        customers: ``silver/customers``, or some of its rows.
        suppressed: `IDENTIFIERS` of those who must not be written to.
        default_country: ISO 3166 code for phone numbers of customers without a country.

    Returns:
        A query of ``customer_key``, each once.
    """
    own = {
        "customer_key": ("customer_key",),
        "email": ("google_email_sha256", "meta_email_sha256"),
        "phone": ("google_phone_sha256", "meta_phone_sha256"),
    }
    pairs = ", ".join(
        f"{{'kind': '{kind}', 'value': {name}}}" for kind, names in own.items() for name in names
    )
    return f"""SELECT DISTINCT customer_key
    FROM (SELECT customer_key, unnest([{pairs}], recursive := true)
        FROM ({_with_contacts(customers, default_country)}))
    SEMI JOIN {suppressed} USING ({", ".join(IDENTIFIERS)})"""


def contacts_of(customers: str, contact: Contacts, default_country: str | None) -> str:
    """How to reach customers, as an exported list says it.

    Args:
        customers: Columns of ``silver/customers``: key, source and its id, name, e-mail, phone and
            country.
        contact: Which contact columns are wanted.
        default_country: ISO 3166 code for phone numbers of customers without a country.

    Returns:
        A query of ``customer_key`` and those of `CONTACT_COLUMNS`.
    """
    people = f"SELECT *, NULL::BOOLEAN AS marketing_consent FROM {customers}"
    columns = ", ".join(("customer_key", *CONTACT_COLUMNS[contact]))
    return f"SELECT {columns} FROM ({_with_contacts(f'({people})', default_country)})"


def _with_contacts(customers: str, default_country: str | None) -> str:
    """Customers with their contacts as each platform matches them, plain and hashed."""
    country = f"coalesce(country, {sql_text(default_country)})"
    number = contacts.e164("phone", country)
    return f"""SELECT customer_key, source, source_customer_id, name, marketing_consent,
        meta_email AS email, number AS phone,
        {contacts.sha256("google_email")} AS google_email_sha256,
        {contacts.sha256("number")} AS google_phone_sha256,
        {contacts.sha256("meta_email")} AS meta_email_sha256,
        {contacts.sha256(contacts.meta_phone("number"))} AS meta_phone_sha256
    FROM (SELECT *, {contacts.meta_email("email")} AS meta_email,
            {contacts.google_email("email")} AS google_email, {number} AS number
        FROM {customers})"""


def _left_out(contact: Contacts, include_never_asked: bool) -> str:
    """The first reason that is true, as SQL; null for none."""
    reasons = {
        LeftOut.UNKNOWN: "_people.customer_key IS NULL",
        LeftOut.REFUSED: "NOT marketing_consent",
        LeftOut.NEVER_ASKED: "marketing_consent IS NULL",
        LeftOut.SUPPRESSED: "_named.customer_key IS NOT NULL",
        LeftOut.NO_CONTACT: "email IS NULL AND phone IS NULL",
    }
    if include_never_asked:
        del reasons[LeftOut.NEVER_ASKED]
    if contact is Contacts.NONE:
        del reasons[LeftOut.NO_CONTACT]
    cases = " ".join(f"WHEN {holds} THEN '{reason.value}'" for reason, holds in reasons.items())
    return f"CASE {cases} END"
