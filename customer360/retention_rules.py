"""What ``retention_days`` may say: which tables rows can leave by their age, and how soon.

By which day a row's age counts is said by its table's contract (``expires_by``). What has no such
day, or would leave figures wrong, cannot be named, and the message says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customer360.contracts import Contract
from customer360.contracts.contract import packaged_tables
from customer360.errors import SettingsError, listed
from customer360.settings import CONTACTS_KEPT, FILES_KEPT
from customer360.table_names import CUSTOMERS, HEALTH, HISTORY, REJECTED, quarantine_of

if TYPE_CHECKING:
    from customer360.deployment import Deployment

LAYERS = ("bronze", "quarantine", "gold")
"""Layers that one figure can be stated for."""

_LOADED_AGAIN = ("trailing_days",)
_LOOKED_BACK_ON = {
    "bronze": _LOADED_AGAIN,
    "quarantine": _LOADED_AGAIN,
    # Scores are judged when what they foretold has come or not.
    "gold": (*_LOADED_AGAIN, "revenue_horizon_days", "churn_horizon_days"),
    # Models are taught and tested on profiles of days so far back.
    "silver": (*_LOADED_AGAIN, "lifetime_value_holdout_days", "revenue_horizon_days"),
    # What a contact did is measured when its window is over.
    CONTACTS_KEPT: ("contact_pause_days", "revenue_horizon_days"),
}
"""By layer, the settings that look back on its rows."""


def days_kept(retention: Mapping[str, int], table: str) -> int | None:
    """For how many days rows of ``table`` are kept; None: for ever. A table's own figure wins."""
    layer = table.partition("/")[0]
    return retention.get(table, retention.get(layer) if layer in LAYERS else None)


def of_tables(retention: Mapping[str, int]) -> bool:
    """Whether rows of any table, here or in the warehouse, are not kept for ever."""
    return bool(set(retention) - set(FILES_KEPT))


def refuse_impossible(retention: Mapping[str, int], others: Mapping[str, Any]) -> None:
    """Nothing, where rows can be kept for so long and no longer.

    Args:
        retention: The setting ``retention_days``.
        others: Other settings, by name.

    Raises:
        ValueError: A name is none that can be kept for a time, or less is kept than another setting
            looks back on.
    """
    for name, days in retention.items():
        if name in FILES_KEPT:
            continue
        problem = None if name in (*LAYERS, CONTACTS_KEPT) else _problem(name)
        if problem:
            raise ValueError(f"{name}: {problem}")
        for setting in _LOOKED_BACK_ON[name.partition("/")[0]]:
            back = others.get(setting)
            if back is not None and days <= back:
                raise ValueError(
                    f"{name}: {days} days are not more than {setting} ({back}) looks back on; keep "
                    f"{back + 1} or more, or lower {setting}"
                )


def _problem(name: str) -> str | None:
    """Why rows of what is named so cannot be kept for a time; None where they can."""
    layer, _, table = name.partition("/")
    if layer == "bronze" and table:
        return "silver is made of all of bronze together, so state one figure for `bronze`"
    if layer == "quarantine" and table:
        return None if Contract.load(name).expires_by else "what it says is needed for ever"
    if name in packaged_tables():
        if Contract.load(name).expires_by:
            return None
        if name == CUSTOMERS:
            return "it holds one row a customer, as long as there is one; see privacy forget"
        if name == HEALTH:
            return "it sums up the business's days and names nobody, so its rows stay"
        return "figures of a customer count from the first purchase on, so its rows stay"
    known = [
        *FILES_KEPT,
        CONTACTS_KEPT,
        *LAYERS,
        *(
            each
            for each in packaged_tables()
            if each == HISTORY or (each.startswith("gold/") and Contract.load(each).expires_by)
        ),
        quarantine_of("TABLE"),
    ]
    return f"no such table; known are {', '.join(known)}"


def refuse_for_sources(deployment: Deployment) -> None:
    """Nothing, where the tables of the deployment's sources can be kept for so long.

    Raises:
        SettingsError: One is of no daily deliveries, or there is no such table.
    """
    retention = deployment.settings.retention_days
    if not of_tables(retention):
        return
    tables = {table: source for source in deployment.sources for table in source.tables}
    whole = [table for table, source in tables.items() if source.delivery(table) != "daily"]
    if "bronze" in retention and whole:
        raise SettingsError(
            f"setting retention_days: bronze: {whole[0]} comes as a whole or is followed in its "
            "database, so bronze holds what its source holds: let rows go there, and leave out "
            "`bronze`"
        )
    for name in retention:
        table = name.removeprefix("quarantine/")
        if name in (table, REJECTED):
            continue
        if table not in tables:
            known = listed([REJECTED, *map(quarantine_of, set(tables) - set(whole))])
            raise SettingsError(f"setting retention_days: no table {name}; known are {known}")
        if table in whole:
            raise SettingsError(
                f"setting retention_days: {name}: {table} comes as a whole, so what of it is "
                "refused stays as long as its source holds it"
            )
