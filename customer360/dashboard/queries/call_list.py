"""Whom to call: the members of a campaign list who may be contacted, and who was already.

A list is that of `customer360.serving.campaigns`, as the marts and the exports have it. Who may be
contacted is a matter of today, whatever day the list is of: ``may_contact`` of
``marts.customer_360``. Whom to contact now is `to_contact`, for the retention page too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
from psycopg import sql

from customer360.dashboard.connection import Reading
from customer360.models.campaign import Campaign
from customer360.serving.campaigns import (
    CAMPAIGN_LISTS,
    action_on,
    campaign_list,
    expected_profit,
    members_of,
)
from customer360.serving.contact_log import DRAWN, MARKED_LATELY, draw
from customer360.serving.kept_tables import CONTACTS

MOST_SHOWN = 1_000
"""So many rows are shown; all of them are in the file."""

MOST_LISTED = 100_000
"""So many rows are in the file, and can be marked at once."""

Marks = tuple[int, datetime | None]
"""How many contacts there are and when the newest was marked: what answers about them hang on."""

NO_MARKS: Marks = (0, None)

_COLUMNS = (
    "customer_key",
    *sorted({campaign.priority for campaign in CAMPAIGN_LISTS} | {"value_at_stake"}),
    "has_left",
    "churn_risk",
    "segment",
    "next_best_action",
    "last_purchase_on",
    "days_since_last_purchase",
    "mean_days_between_purchases",
    "expected_gap_days",
    "purchase_days",
    "churn_reason_1",
    "churn_reason_1_values",
    "contacted_at",
    "in_control",
)
PROFILE = ("customer_key", "source", "source_customer_id", "name", "email", "phone", "country")
"""Columns of `profiles`, as far as they are published."""


@dataclass(frozen=True)
class Wanted:
    """Whom of a list.

    Attributes:
        campaign: Name of the list.
        economics: What a contact costs and brings.
        segments: Any of these; empty: all.
        contacted: With those too who were contacted, or kept back, lately.
        never_asked: With those too whose consent is not known.
        pause_days: For so long who was contacted is off the list.
        control_days: For so long who was kept back is.
        control_share: Share of the customers that marking keeps back.
    """

    campaign: str
    economics: Campaign
    segments: tuple[str, ...] = ()
    contacted: bool = False
    never_asked: bool = False
    pause_days: int = 30
    control_days: int = 91
    control_share: float = 0.0


@dataclass(frozen=True)
class Summary:
    """A list in numbers.

    Attributes:
        customers: Whom to contact: who may be, was not lately, and is not to be kept back.
        value_at_stake: What they may take along, in currency; None where of nobody it is known.
        expected_profit: Of contacting all of them; None likewise.
        to_keep_back: Those beside them whom marking keeps back.
        contacted: Who was contacted lately, and is still on the list.
        kept_back: Who was kept back as control lately, and is still on the list.
        never_asked: Whose consent is not known; 0 where they are listed too.
        refused: Who refused, or is suppressed.
    """

    customers: int
    value_at_stake: float | None
    expected_profit: float | None
    to_keep_back: int
    contacted: int
    kept_back: int
    never_asked: int
    refused: int


def marks(reading: Reading) -> Marks:
    """What there is of contacts now; asked for at every run, as no publication goes with it."""
    if not reading.has(CONTACTS):
        return NO_MARKS
    count = reading.value(f"SELECT count(*) FROM {CONTACTS}")
    return int(count), reading.value(f"SELECT max(contacted_at) FROM {CONTACTS}")


def people(
    reading: Reading, customers: str, as_of: date, wanted: Wanted
) -> tuple[str, dict[str, Any]]:
    """SQL of ``customers`` with ``contacted_at`` and ``in_control`` of their last contact.

    Args:
        reading: A moment.
        customers: SQL of rows with ``customer_key``; it may use the placeholder ``as_of``.
        as_of: Day of the rows.
        wanted: For how long a contact counts, and whom marking keeps back.

    Returns:
        The query, and the values of its placeholders and of those of `to_contact`.
    """
    marked = (
        f"""SELECT DISTINCT ON (customer_key) customer_key, contacted_at, in_control
        FROM {CONTACTS} WHERE {MARKED_LATELY}
        ORDER BY customer_key, contacted_at DESC"""
        if reading.has(CONTACTS)
        else """SELECT NULL::text AS customer_key, NULL::timestamptz AS contacted_at,
        NULL::boolean AS in_control LIMIT 0"""
    )
    query = f"""SELECT members.*, marked.contacted_at, marked.in_control
        FROM ({customers}) AS members
        LEFT JOIN ({marked}) AS marked ON marked.customer_key = members.customer_key"""
    return query, {
        "as_of": as_of,
        "pause_days": wanted.pause_days,
        "control_days": wanted.control_days,
        **draw(as_of, wanted.control_share),
    }


def _members(reading: Reading, as_of: date, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """All of the list, as `people`."""
    customers = "(SELECT * FROM marts.customer_360 WHERE as_of = %(as_of)s)"
    members = members_of(campaign_list(wanted.campaign), customers, wanted.economics)
    query, values = people(reading, members, as_of, wanted)
    if wanted.segments:
        query += " WHERE segment = ANY(%(segments)s)"
        values["segments"] = list(wanted.segments)
    return query, values


def contactable(wanted: Wanted) -> str:
    """SQL of who may be contacted."""
    return "may_contact IS NOT FALSE" if wanted.never_asked else "may_contact"


def to_contact(wanted: Wanted) -> str:
    """SQL of whom of `people` to contact now."""
    return f"{contactable(wanted)} AND contacted_at IS NULL AND NOT {DRAWN}"


def summary(reading: Reading, as_of: date, wanted: Wanted, known: Marks) -> Summary:
    """The list in numbers.

    Args:
        reading: A moment.
        as_of: Day of the list.
        wanted: Whom.
        known: The contacts that there are, so that an answer is not kept beyond them.
    """
    members, values = _members(reading, as_of, wanted)
    may, now = contactable(wanted), to_contact(wanted)
    row = reading.frame(
        sql.SQL(
            f"""
            SELECT count(*) FILTER (WHERE {now}) AS customers,
                   sum(value_at_stake) FILTER (WHERE {now}) AS value_at_stake,
                   sum(expected_profit) FILTER (WHERE {now}) AS expected_profit,
                   count(*) FILTER (WHERE {may} AND contacted_at IS NULL AND {DRAWN})
                       AS to_keep_back,
                   count(*) FILTER (WHERE {may} AND NOT in_control) AS contacted,
                   count(*) FILTER (WHERE {may} AND in_control) AS kept_back,
                   count(*) FILTER (WHERE may_contact IS NULL) AS never_asked,
                   count(*) FILTER (WHERE NOT may_contact) AS refused
            FROM ({members}) AS people
            """
        ),
        values,
    ).iloc[0]
    return Summary(
        int(row["customers"]),
        _known(row["value_at_stake"]),
        _known(row["expected_profit"]),
        int(row["to_keep_back"]),
        int(row["contacted"]),
        int(row["kept_back"]),
        0 if wanted.never_asked else int(row["never_asked"]),
        int(row["refused"]),
    )


def _known(total: Any) -> float | None:
    return None if pd.isna(total) else float(total)


def rows(
    reading: Reading, as_of: date, wanted: Wanted, known: Marks, limit: int = MOST_SHOWN
) -> pd.DataFrame:
    """The first ``limit`` of the list, in its order.

    ``contacted_at`` and ``in_control`` are of who was marked lately; ``to_keep_back`` says of the
    others whom marking keeps back.

    Args:
        reading: A moment.
        as_of: Day of the list.
        wanted: Whom.
        known: As for `summary`.
        limit: So many.
    """
    members, values = _members(reading, as_of, wanted)
    shown = {name: name for name in _COLUMNS}
    shown["next_best_action"] = action_on(campaign_list(wanted.campaign))
    columns = ", ".join(f"{column} AS {name}" for name, column in shown.items())
    where = contactable(wanted) + ("" if wanted.contacted else " AND contacted_at IS NULL")
    return reading.frame(
        sql.SQL(
            f"SELECT {columns}, contacted_at IS NULL AND {DRAWN} AS to_keep_back "
            f"FROM ({members}) AS people WHERE {where} "
            # To cents, as the marts and the exports order their lists.
            "ORDER BY round(priority::numeric, 2) DESC NULLS LAST, customer_key LIMIT %(limit)s"
        ),
        values | {"limit": limit},
    )


def is_known(reading: Reading, as_of: date, wanted: Wanted) -> bool:
    """Whether what the list is ordered by is known of anybody: a purchase model may be missing.

    Args:
        reading: A moment.
        as_of: Day of the list.
        wanted: Whom.
    """
    return bool(
        reading.value(
            f"SELECT EXISTS (SELECT FROM (SELECT *, {expected_profit(wanted.economics)} "
            "AS expected_profit FROM marts.customer_360 WHERE as_of = %(as_of)s) AS judged "
            f"WHERE ({campaign_list(wanted.campaign).priority}) IS NOT NULL)",
            {"as_of": as_of},
        )
    )


def profiles(reading: Reading, keys: tuple[str, ...]) -> pd.DataFrame:
    """How to reach customers: ``customer_key`` and what of a contact is published."""
    known = reading.columns("silver.customers")
    columns = [sql.Identifier(name) for name in PROFILE if name in known]
    return reading.frame_if(
        "silver.customers",
        sql.SQL("SELECT {} FROM silver.customers WHERE customer_key = ANY(%(keys)s)").format(
            sql.SQL(", ").join(columns)
        ),
        {"keys": list(keys)},
    )
