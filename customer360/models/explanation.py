"""What a model says of one customer: a score in words, what it is made of, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from customer360.models.tracking.stored import Champion


@dataclass(frozen=True)
class ScoredCustomer:
    """One customer's score, and what there is to explain it by.

    Attributes:
        scores: Their row of the model's scores; ``None`` when it has not scored them.
        find: Their row of a snapshot of the same day, by the table's name; or no row.
        champion: The version that scores today, which need not have made the score.
    """

    scores: Mapping[str, Any] | None
    find: Callable[[str], pa.Table]
    champion: Callable[[], Champion[Any]]


@dataclass(frozen=True)
class Explanation:
    """What a model says of one customer, for people at a terminal.

    Attributes:
        scores: Their row of the model's scores; ``None`` when it has not scored them.
        headline: The score in words, without the model's name; or why there is none.
        table: What it is made of, a record a row; the keys are headings.
        lines: What else to say.
    """

    scores: Mapping[str, Any] | None
    headline: str
    table: Sequence[Mapping[str, object]] = ()
    lines: Sequence[str] = ()


def short(value: float | None) -> str:
    """A figure of any size as people read it: ``1,234.50``, ``0.0123``; empty when not known."""
    if value is None or math.isnan(value):
        return ""
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"
