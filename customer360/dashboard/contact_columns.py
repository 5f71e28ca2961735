"""How to reach the customers of a list: masked or plain on the page, plain or hashed in a file."""

from __future__ import annotations

import duckdb
import pandas as pd
import pyarrow as pa

from customer360.dashboard import masks
from customer360.dashboard.queries.call_list import PROFILE
from customer360.serving import contacts
from customer360.serving.eligibility import CONTACT_COLUMNS, contacts_of
from customer360.serving.options import Contacts

SHOWN = ("name", "phone", "email")
"""What of a contact is shown, in order."""


def kinds(profiles: pd.DataFrame, *, allowed: bool) -> tuple[Contacts, ...]:
    """What a file may say of how to reach people, the best for a call first.

    Args:
        profiles: As `customer360.dashboard.queries.call_list.profiles` gives them.
        allowed: Whether personal data may be seen.
    """
    if not {"email", "phone"} & set(profiles.columns):
        return (Contacts.NONE,)
    return (
        (Contacts.PLAIN, Contacts.HASHED, Contacts.NONE)
        if allowed
        else (Contacts.NONE, Contacts.HASHED)
    )


def with_shown(rows: pd.DataFrame, profiles: pd.DataFrame, *, allowed: bool) -> pd.DataFrame:
    """``rows`` with name, phone and e-mail in front, as far as known; masked if need be."""
    there = [name for name in SHOWN if name in profiles]
    shown = masks.masked(profiles[["customer_key", *there]], allowed=allowed) if there else None
    if shown is None or not len(rows):
        return rows
    joined = rows.merge(shown, "left", "customer_key")
    # A column that nobody has something in only takes room.
    there = [name for name in there if joined[name].notna().any()]
    return joined[[*there, *rows.columns]]


def with_exported(
    rows: pd.DataFrame, profiles: pd.DataFrame, contact: Contacts, default_country: str | None
) -> pd.DataFrame:
    """``rows`` with the contact columns that an exported list has beside them.

    Args:
        rows: With ``customer_key``.
        profiles: Of at least these customers.
        contact: Which columns; see `customer360.serving.eligibility.CONTACT_COLUMNS`.
        default_country: ISO 3166 code for phone numbers of customers without a country.
    """
    if contact is Contacts.NONE:
        return rows
    table = pa.table(
        {
            name: pa.array(
                [None if pd.isna(each) else str(each) for each in profiles[name]]
                if name in profiles
                else [None] * len(profiles),
                pa.string(),
            )
            for name in PROFILE
        }
    )
    with duckdb.connect() as connection:
        contacts.prepare(connection)
        connection.register("profiles", table)
        found = connection.sql(contacts_of("profiles", contact, default_country)).df()
    joined = rows.merge(found, "left", "customer_key")
    return joined[["customer_key", *CONTACT_COLUMNS[contact], *rows.columns.drop("customer_key")]]
