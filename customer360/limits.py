"""When so much of the input is left out that a load must not go on: by rows, and by money."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

LONGEST_LINE = 4 << 20
"""Bytes of a line of text. Orders of a thousand columns have shorter ones; what is longer is a
mistake, and readers that hold a line at a time must not meet it."""


@dataclass(frozen=True)
class Limits:
    """What may be left out.

    Attributes:
        rows: Share of the rows.
        money: Share of the money.
        tolerance: So many rows may be more than their share, as long as the money is not.
    """

    rows: float
    money: float
    tolerance: int


@dataclass(frozen=True)
class LeftOut:
    """Rows and money that are left out, of how much.

    Attributes:
        rows: Rows left out.
        of_rows: All rows.
        money: What they are worth, as far as it can be told; of tables without money 0.
        of_money: What all rows are worth, without sign, in the source's own unit.
        unknown: Rows left out of which it cannot be told.
    """

    rows: int
    of_rows: int
    money: Decimal = Decimal(0)
    of_money: Decimal = Decimal(0)
    unknown: int = 0

    @property
    def share(self) -> float:
        """Share of the rows that are left out, 0 to 1."""
        return self.rows / self.of_rows if self.of_rows else 0.0

    @property
    def money_share(self) -> float:
        """Share of the money: of rows that cannot be told, all but one count as average ones.

        Of a single row nothing can be concluded: the tolerance is for it. All of the money, where
        it cannot be told of any row: nothing is left that could be read.
        """
        valued = self.of_rows - self.unknown
        if not self.of_money:
            return 1.0 if self.unknown and valued <= 0 else 0.0
        counted = self.unknown if self.unknown > 1 else 0
        guessed = self.of_money / valued * counted if valued > 0 else Decimal(0)
        return float((self.money + guessed) / (self.of_money + guessed))

    def over(self, limits: Limits) -> bool:
        """Whether the rows, or their money, are more than the limits allow."""
        if not self.rows:
            return False
        too_many = self.share > limits.rows and self.rows > limits.tolerance
        return too_many or self.money_share > limits.money
