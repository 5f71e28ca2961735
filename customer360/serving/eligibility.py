"""Who of a list may be written to: consent, suppression, and a contact to write to.

Consent is today's, of ``silver/customers``, and not that of the snapshot's day: who has refused
since is left out of a list of yesterday too. Whoever has no row there any more is left out as well.
"""

from __future__ import annotations

from enum import StrEnum

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

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
    members: DataFrame,
    customers: DataFrame,
    suppressed: DataFrame | None = None,
    *,
    contact: Contacts = Contacts.NONE,
    include_never_asked: bool = False,
    default_country: str | None = None,
) -> DataFrame:
    """Every member with the contact columns and the reason to leave them out, if there is one.

    Args:
        members: As ``campaign_members`` gives them.
        customers: ``silver/customers``.
        suppressed: `IDENTIFIERS` of those who must not be written to; None for nobody.
        contact: Which contact columns are wanted.
        include_never_asked: Keep members whose consent is null.
        default_country: ISO 3166 code for phone numbers of customers without a country.

    Returns:
        `MEMBER_COLUMNS`, those of `CONTACT_COLUMNS`, and ``left_out``: a `LeftOut`, or null for who
        stays. Contact columns of who is left out are null.
    """
    if contact is Contacts.NONE:
        people = customers.select("customer_key", "marketing_consent")
    else:
        people = _with_contacts(customers, default_country)
    rows = members.join(people.withColumn("known", F.lit(True)), "customer_key", "left")
    if suppressed is None:
        rows = rows.withColumn("suppressed", F.lit(False))
    else:
        on_list = customers.join(members, "customer_key", "left_semi")
        named = suppressed_customers(on_list, suppressed, default_country=default_country)
        rows = rows.join(named.withColumn("suppressed", F.lit(True)), "customer_key", "left")
        rows = rows.fillna(False, ["suppressed"])
    names = CONTACT_COLUMNS[contact]
    rows = rows.withColumn("left_out", _left_out(contact, include_never_asked))
    stays = F.col("left_out").isNull()
    return rows.select(
        *MEMBER_COLUMNS, *(F.when(stays, F.col(name)).alias(name) for name in names), "left_out"
    )


def suppressed_customers(
    customers: DataFrame, suppressed: DataFrame, *, default_country: str | None = None
) -> DataFrame:
    """Those of the customers that any identifier of the suppression list names.

    Args:
        customers: ``silver/customers``, or some of its rows.
        suppressed: `IDENTIFIERS` of those who must not be written to.
        default_country: ISO 3166 code for phone numbers of customers without a country.

    Returns:
        ``customer_key``, each once.
    """
    own = {
        "customer_key": ("customer_key",),
        "email": ("google_email_sha256", "meta_email_sha256"),
        "phone": ("google_phone_sha256", "meta_phone_sha256"),
    }
    pairs = F.array(
        *(
            F.struct(F.lit(kind).alias("kind"), F.col(name).alias("value"))
            for kind, names in own.items()
            for name in names
        )
    )
    identified = _with_contacts(customers, default_country).select("customer_key", F.inline(pairs))
    return (
        identified.join(suppressed, list(IDENTIFIERS), "left_semi")
        .select("customer_key")
        .distinct()
    )


def _with_contacts(customers: DataFrame, default_country: str | None) -> DataFrame:
    """Customers with their contacts as each platform matches them, plain and hashed."""
    country = F.coalesce(F.col("country"), F.lit(default_country).cast("string"))
    people = contacts.with_e164(customers, "number", F.col("phone"), country).select(
        "customer_key",
        "source",
        "source_customer_id",
        "name",
        "marketing_consent",
        contacts.meta_email(F.col("email")).alias("email"),
        contacts.google_email(F.col("email")).alias("google_email"),
        F.col("number").alias("phone"),
    )
    return people.withColumns(
        {
            "google_email_sha256": contacts.sha256(F.col("google_email")),
            "google_phone_sha256": contacts.sha256(F.col("phone")),
            "meta_email_sha256": contacts.sha256(F.col("email")),
            "meta_phone_sha256": contacts.sha256(contacts.meta_phone(F.col("phone"))),
        }
    )


def _left_out(contact: Contacts, include_never_asked: bool) -> Column:
    consent = F.col("marketing_consent")
    reason = F.when(F.col("known").isNull(), LeftOut.UNKNOWN.value).when(
        ~consent, LeftOut.REFUSED.value
    )
    if not include_never_asked:
        reason = reason.when(consent.isNull(), LeftOut.NEVER_ASKED.value)
    reason = reason.when(F.col("suppressed"), LeftOut.SUPPRESSED.value)
    if contact is not Contacts.NONE:
        unreachable = F.col("email").isNull() & F.col("phone").isNull()
        reason = reason.when(unreachable, LeftOut.NO_CONTACT.value)
    return reason
