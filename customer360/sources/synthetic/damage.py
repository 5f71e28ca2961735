"""Applies content defects to rendered columns and remembers what was there before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from customer360.sources.synthetic.defects import Defect, DefectRates

Ints = NDArray[np.int64]


class Damage:
    """The defective rows of one table: which, and what was done to them.

    Attributes:
        positions: Rows with a defect, ascending.
        codes: Their defects, as positions in the table's list of defects, from 1.
        column: Damaged column, or None for defects of delivery.
        reason: Contract rule that must catch the row, or None.
        clean: Text before the damage.
    """

    def __init__(self, codes: NDArray[Any], defects: tuple[Defect, ...]) -> None:
        self.positions: Ints = np.flatnonzero(codes)
        self.codes = codes[self.positions]
        n = len(self.positions)
        self.column: NDArray[np.object_] = np.full(n, None, dtype=object)
        self.reason: NDArray[np.object_] = np.full(n, None, dtype=object)
        self.clean: NDArray[np.object_] = np.full(n, None, dtype=object)
        self._code = {defect.name: code for code, defect in enumerate(defects, start=1)}
        self._values: dict[str, list[tuple[Ints, Sequence[str | None]]]] = {}

    def of(self, defect: str) -> Ints:
        """Which of :attr:`positions` have ``defect``."""
        return np.flatnonzero(self.codes == self._code[defect])

    def put(
        self,
        at: Ints,
        column: str,
        reason: str | None,
        clean: Sequence[str | None],
        damaged: Sequence[str | None],
    ) -> None:
        """Replace ``column`` of the defective rows ``at`` by ``damaged``."""
        if not len(at):
            return
        self.column[at] = column
        self.reason[at] = reason
        self.clean[at] = np.array(clean, dtype=object)
        self._values.setdefault(column, []).append((at, damaged))

    @property
    def patches(self) -> dict[str, tuple[Ints, list[str | None]]]:
        """By column: rows, ascending, and their new values."""
        changes = {}
        for column, parts in self._values.items():
            at = np.concatenate([part[0] for part in parts])
            values = [value for part in parts for value in part[1]]
            order = np.argsort(at, kind="stable")
            changes[column] = (self.positions[at[order]], [values[i] for i in order])
        return changes


def deliver(
    rng: np.random.Generator,
    rows: NDArray[Any],
    days: int,
    rates: DefectRates,
    defects: tuple[Defect, ...],
) -> NDArray[Any]:
    """Give rows their defects: sets ``defect``, moves late rows, appends duplicates.

    The first three of ``defects`` are the duplicate of the same day, the later duplicate and
    the late row; a row of the last day has no later day and stays as it is.
    """
    same, later, late = 1, 2, 3
    bounds = np.cumsum(rates.rates(defects))
    dice = rng.random(len(rows))
    hit = np.flatnonzero(dice < bounds[-1])
    code = np.searchsorted(bounds[:-1], dice[hit], side="right") + 1
    day = rows["delivered"][hit].astype(np.int64)
    room = np.minimum(days - 1 - day, rates.max_days_late)
    delay = np.where(room > 0, 1 + (rng.random(len(hit)) * room).astype(np.int64), 0)
    code[(room == 0) & ((code == later) | (code == late))] = 0

    copied = (code == same) | (code == later)
    copies = rows[hit[copied]]
    copies["defect"] = code[copied]
    copies["delivered"] = day[copied] + np.where(code[copied] == later, delay[copied], 0)
    rows["defect"][hit] = np.where(copied, 0, code)
    moved = code == late
    rows["delivered"][hit[moved]] = (day + delay)[moved]
    return np.concatenate([rows, copies])


def broken(value: str, variant: int) -> str:
    """``value`` with a character lost for good: no rule can tell what it was."""
    middle = len(value) // 2
    return (
        f"{value[:middle]}\ufffd{value[middle + 1 :]}",
        f"{value[:middle]}\x07{value[middle:]}",
        f"{value}\x1b[0m",
        f"{value[:middle]}\ufffd\ufffd{value[middle + 1 :]}",
    )[variant % 4]


def mojibake(value: str) -> str | None:
    """``value`` in UTF-8 misread as Latin-1, where that can be undone; None where it cannot.

    Undoing needs every byte to be a visible character: é becomes Ã©, but É a control character.
    """
    if value.isascii():
        return None
    wrong = value.encode().decode("latin-1")
    return None if any("\x7f" <= c <= "\xa0" for c in wrong) else wrong
