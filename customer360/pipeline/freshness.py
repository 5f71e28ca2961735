"""Whether sales keep coming: the newest business date of silver/transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from customer360.deployment import Deployment
from customer360.lakehouse.reading import Tables
from customer360.table_names import TRANSACTIONS


@dataclass(frozen=True)
class Age:
    """How old the data are.

    Attributes:
        newest: The newest day with a sale or refund.
        days: Days since then, today included: 1 is yesterday.
    """

    newest: date
    days: int


def too_old(deployment: Deployment) -> Age | None:
    """The data's age where it is above ``freshness_days``; else None.

    A finished data set, and one that was never loaded, are never too old.
    """
    settings = deployment.settings
    tables = Tables(settings.lakehouse_root)
    if settings.end_date is not None or not tables.exists(TRANSACTIONS):
        return None
    newest = tables.newest(TRANSACTIONS, "business_date")
    if newest is None:
        return None
    age = Age(newest, (deployment.today() - newest).days)
    return age if age.days > settings.freshness_days else None
