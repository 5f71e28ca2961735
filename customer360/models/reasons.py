"""Why a model says what it says of a customer: a code, and the customer's own figures beside it.

Features that tell one story are one topic: their contributions are added, and one reason is given
once. A topic knows a few cases; the first that holds gives the code, and its values are the numbers
and texts that a sentence needs. Both are stored: ``reason_1`` with the code, as the contract of the
scores allows, and ``reason_1_values`` with a JSON object. Sentences are made where they are shown,
by `customer360.language.Language.reason`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

REASONS = ("reason_1", "reason_2", "reason_3")
"""Columns of the codes, the strongest first."""


def values_column(reason: str) -> str:
    """The column of a reason's values."""
    return f"{reason}_values"


REASON_COLUMNS = tuple(name for reason in REASONS for name in (reason, values_column(reason)))
"""All columns of the reasons, in the order of the contracts."""


class Case(NamedTuple):
    """What a topic may come to.

    Attributes:
        code: As stored; a text of the group ``reason`` in every language.
        holds: Of which rows it is said, if no case before it is; True for all.
        values: By name of the text's field, a value a row.
    """

    code: str
    holds: Any
    values: Mapping[str, Any] = {}


Topics = Mapping[str, tuple[Sequence[str], Callable[[pd.DataFrame], Sequence[Case]]]]
"""By topic: its features, and the cases of rows that have them."""


def whole(numbers: ArrayLike) -> Integers:
    """Counts and days, as whole numbers; a missing one is 0."""
    return np.round(np.nan_to_num(np.asarray(numbers, dtype=float))).astype(np.int64)


def rounded(numbers: ArrayLike, digits: int = 2) -> Floats:
    """Amounts to the cent, shares by four ``digits``; a missing number is 0."""
    return np.round(np.nan_to_num(np.asarray(numbers, dtype=float)), digits)


def stated(
    rows: pd.DataFrame, cases: Sequence[Case], shared: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Code and values of each row by the first case that holds.

    Args:
        rows: What the cases are of.
        cases: Of which every row has one.
        shared: Values that stand first whichever case holds.

    Returns:
        ``code`` and ``values`` (JSON), indexed as ``rows``.
    """
    codes, values = (np.full(len(rows), None, dtype=object) for _ in range(2))
    left = np.full(len(rows), True)
    for case in cases:
        here = left & np.asarray(case.holds, dtype=bool)
        if here.any():
            fields = {**(shared or {}), **case.values}
            codes[here] = case.code
            values[here] = _json({name: np.asarray(of)[here] for name, of in fields.items()}, here)
            left &= ~here
    return pd.DataFrame({"code": codes, "values": values}, index=rows.index)


def _json(fields: Mapping[str, Any], rows: NDArray[np.bool_]) -> list[str]:
    if not fields:
        return ["{}"] * int(rows.sum())
    lines = pd.DataFrame(fields).to_json(
        orient="records", lines=True, force_ascii=False, double_precision=4
    )
    return str(lines).strip("\n").split("\n")


def strongest(
    rows: pd.DataFrame,
    strength: Floats,
    topics: Topics,
    *,
    smallest: float,
    shared: Mapping[str, NDArray[Any]] | None = None,
) -> pd.DataFrame:
    """The three topics that speak loudest.

    Args:
        rows: Features.
        strength: How loud each topic of each row is.
        topics: All of them, in the order of ``strength``'s columns.
        smallest: Strength below which a topic is no reason.
        shared: Values of every topic's reasons, shaped as ``strength``.

    Returns:
        `REASON_COLUMNS`, indexed as ``rows``; ``None`` where fewer topics speak.
    """
    order = np.argsort(-strength, axis=1, kind="stable")[:, : len(REASONS)]
    order[np.take_along_axis(strength, order, axis=1) < smallest] = -1
    codes, values = (np.full(order.shape, None, dtype=object) for _ in range(2))
    for number, (_, cases) in enumerate(topics.values()):
        # A topic is a reason once at most in a row, so rows and places come in the same order.
        places = order == number
        if places.any():
            chosen = places.any(axis=1)
            some = rows[chosen]
            beside = {name: of[chosen, number] for name, of in (shared or {}).items()}
            stated_reasons = stated(some, cases(some), beside)
            codes[places], values[places] = stated_reasons["code"], stated_reasons["values"]
    columns = {
        name: of[:, place]
        for place, reason in enumerate(REASONS)
        for name, of in ((reason, codes), (values_column(reason), values))
    }
    return pd.DataFrame(columns, index=rows.index)


def no_reasons(rows: pd.DataFrame) -> pd.DataFrame:
    """Nothing to say of any of ``rows``."""
    empty = np.full((len(rows), len(REASON_COLUMNS)), None, dtype=object)
    return pd.DataFrame(empty, columns=list(REASON_COLUMNS), index=rows.index)


class Reason(NamedTuple):
    """A reason as it is stored: what `customer360.language.Language.reason` makes a sentence of."""

    code: str
    values: str | None


def reasons_in(row: Mapping[Any, Any], prefix: str = "") -> tuple[Reason, ...]:
    """The reasons of a stored row, the strongest first.

    Args:
        row: With columns `REASON_COLUMNS`; one of an older release has no values.
        prefix: What the columns' names begin with.
    """
    reasons = (
        Reason(row[prefix + name], row.get(prefix + values_column(name)))
        for name in REASONS
        if isinstance(row.get(prefix + name), str)
    )
    return tuple(reasons)
