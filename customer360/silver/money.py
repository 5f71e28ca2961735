"""The money of a load of silver/transactions, taken on the way as its rows are.

Received = kept + duplicates + corrections + excluded + conflicts, to the cent. What is kept is what
the table then holds, whether its rows are orders or were made of lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from customer360.silver.transactions import CONFLICT, CORRECTION, DUPLICATE, KEPT, OUTCOME

_OUTCOMES = {
    "money_kept": KEPT,
    "money_duplicates": DUPLICATE,
    "money_corrections": CORRECTION,
    "money_conflicts": CONFLICT,
}


def received_money(currency: str) -> tuple[Column, ...]:
    """To ``observe`` on ``prepared`` rows of the days being made, of a source of ``currency``."""
    own = F.col("currency") == currency
    return (
        F.sum("amount").alias("money_received"),
        F.sum(F.when(own, F.abs("amount"))).alias("money_stated"),
    )


def excluded_money() -> tuple[Column, ...]:
    """To ``observe`` on rows whose exclusion is settled."""
    left_out = F.col("excluded_because").isNotNull()
    return (F.sum(F.when(left_out, F.col("amount"))).alias("money_excluded"),)


def settled_money() -> tuple[Column, ...]:
    """To ``observe`` on ``settled`` rows: the money of each outcome."""
    return tuple(
        F.sum(F.when(F.col(OUTCOME) == outcome, F.col("amount"))).alias(name)
        for name, outcome in _OUTCOMES.items()
    )


@dataclass(frozen=True)
class LoadedMoney:
    """Where the money of a load went: amounts as they are in silver, whatever their kind.

    Attributes:
        received: Of all rows.
        stated: Of all rows in the source's currency, without sign: what bronze's texts state.
        excluded: Of rows left out, in whatever currency; conflicts aside.
        kept: Of rows that are in the table.
        duplicates: Of rows that say what another says.
        corrections: Of rows that a later one puts right.
        conflicts: Of orders that are kept out because their rows contradict each other.
    """

    received: Decimal
    stated: Decimal
    excluded: Decimal
    kept: Decimal
    duplicates: Decimal
    corrections: Decimal
    conflicts: Decimal

    @classmethod
    def of(cls, *observed: Mapping[str, Any]) -> LoadedMoney:
        """From the three observations' values, in any order."""
        sums = {name: value for values in observed for name, value in values.items()}
        names = ("received", "stated", "excluded", "kept", "duplicates", "corrections", "conflicts")
        return cls(*(Decimal(sums[f"money_{name}"] or 0) for name in names))

    @property
    def missing(self) -> Decimal:
        """Money received less money accounted for: 0, or it was lost or multiplied."""
        settled = self.kept + self.duplicates + self.corrections + self.conflicts
        return self.received - settled - self.excluded
