"""Personal data as those may see it who may not see personal data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from customer360.contracts import Contract
from customer360.table_names import CUSTOMERS

HIDDEN = "•••"


def masked_name(name: str) -> str:
    """``A••• S•••`` of Ana Souza: initials, and not even how long the names are."""
    return " ".join(f"{word[0]}{HIDDEN}" for word in name.split())


def masked_email(email: str) -> str:
    """``a•••@•••.com`` of an address: its first letter and the last part of its domain."""
    person, at, domain = email.partition("@")
    if not (person and at):
        return HIDDEN
    _, dot, last = domain.rpartition(".")
    return f"{person[0]}{HIDDEN}@{HIDDEN}{dot}{last if dot else ''}"


def masked_phone(phone: str) -> str:
    """``•••12``: the last two digits."""
    digits = [letter for letter in phone if letter.isdigit()]
    return HIDDEN + "".join(digits[-2:]) if len(digits) > 4 else HIDDEN


def hidden(value: str) -> str:
    """Nothing but that there is something."""
    return HIDDEN


_MASKS: Mapping[str, Callable[[str], str]] = {
    "name": masked_name,
    "email": masked_email,
    "phone": masked_phone,
}
"""What is left to be recognised by those who know the customer; of all else nothing is."""


def masked(rows: pd.DataFrame, *, allowed: bool) -> pd.DataFrame:
    """``rows`` with their personal columns masked, whichever of them are there.

    Args:
        rows: Rows of ``silver/customers``.
        allowed: Whether personal data may be seen: then nothing is masked.
    """
    if allowed:
        return rows
    shown = rows.copy()
    for name in Contract.load(CUSTOMERS).personal_columns:
        mask = _MASKS.get(name, hidden)
        if name in shown:
            shown[name] = [None if pd.isna(value) else mask(str(value)) for value in shown[name]]
    return shown
