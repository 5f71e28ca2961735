"""Which column plays which role of a mapping, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from customer360.contracts.attributes import customer_attributes
from customer360.contracts.numbers import SIGNS_OF
from customer360.sources.sniffing.values import Column
from customer360.sources.sniffing.words import ROLES, is_named, without_currency

MONEY = ("amount", "unit_price", "discount", "refunded", "freight")
COUNTS = ("quantity", "items", "installments")
TIMES = ("occurred_at", "changed_at", "refunded_at")
ATTRIBUTES = {name: each.logical_type for name, each in customer_attributes().items()}
"""What the values of each attribute of a customer are."""

DAYS = (
    *(name for name, kind in ATTRIBUTES.items() if kind == "date"),
    "delivered_on",
    "reviewed_on",
)
_IDS = ("order_id", "line_id", "product_id", "customer_id", "related_order_id")
_FRACTION = re.compile(r"\d+[.,]0*[1-9]\d*")
_SERIALS = {
    "excel": (20_000, 60_000),
    "unix": (800_000_000, 2_600_000_000),
    "unix-milliseconds": (800_000_000_000, 2_600_000_000_000),
}
_CODES = {*SIGNS_OF} | {sign.upper() for signs in SIGNS_OF.values() for sign in signs}


@dataclass(frozen=True)
class Chosen:
    """A column that plays a role.

    Attributes:
        column: The column.
        why: What speaks for it.
        also: Other columns that might be it.
    """

    column: Column
    why: str
    also: tuple[str, ...] = ()


def choose(columns: Sequence[Column]) -> dict[str, Chosen]:
    """The column of each role that one was found for.

    A column plays one role, but for an e-mail address that is the customer too.
    """
    scores = {
        (role, column.name): score
        for column in columns
        for role in ROLES
        if (score := _score(role, column)) > 0
    }
    if not any(role == "quantity" for role, _ in scores):
        scores = {at: score for at, score in scores.items() if at[0] != "unit_price"}
    named = {column.name: column for column in columns}
    order = {role: n for n, role in enumerate(ROLES)}
    place = {column.name: n for n, column in enumerate(columns)}
    ranked = sorted(scores, key=lambda at: (-scores[at], order[at[0]], place[at[1]]))
    choices: dict[str, Chosen] = {}
    taken: set[str] = set()
    for role, name in ranked:
        if role not in choices and name not in taken:
            others = [other for at, other in ranked if at == role and other != name]
            choices[role] = Chosen(named[name], "by its name", tuple(others))
            taken.add(name)
    _without_names(choices, [column for column in columns if column.name not in taken])
    return {role: choices[role] for role in ROLES if role in choices}


def serial_of(column: Column) -> str | None:
    """How numbers count time, if they lie where times do: see `customer360.contracts.times`."""
    values = [float(text) for text in column.texts if re.fullmatch(r"\d+(\.\d+)?", text)]
    if len(values) < 0.9 * max(1, len(column.texts)):
        return None
    for kind, (least, most) in _SERIALS.items():
        if sum(least <= value <= most for value in values) >= 0.9 * len(values):
            return kind
    return None


def _score(role: str, column: Column) -> float:
    """How well a column fits a role: 0 is not at all."""
    header = column.name if role not in MONEY else without_currency(column.name)
    at = [n for n, pattern in enumerate(ROLES[role]) if is_named(header, pattern)]
    if not at or not _fits(role, column):
        return 0
    score = 4.0 - at[0]
    if role == "customer_id" and column.unique and column.rows > 20:
        score -= 0.5  # a number of its own in every row is the order's
    if role == "unit_price":
        score += 0.5
    if role == "order_id" and column.unique:
        score += 0.5
    return score - (column.filled < column.rows / 2)


def _fits(role: str, column: Column) -> bool:
    """Whether a column's values may be those of a role."""
    if not column.filled:
        return False
    if role in MONEY or ATTRIBUTES.get(role) == "number":
        return column.is_number and not _is_time(column)
    if role in COUNTS or ATTRIBUTES.get(role) == "integer":
        return column.is_number and not any(map(_FRACTION.fullmatch, column.texts))
    if role in TIMES:
        return column.is_time or serial_of(column) is not None
    if role in DAYS:
        return column.times.read >= 0.3 * len(column.texts)
    if role == "email":
        return column.is_email
    if role == "currency":
        codes = sum(text.upper() in _CODES or text.isalpha() for text in column.texts)
        return codes == len(column.texts) and all(len(text) <= 3 for text in column.texts)
    if role == "review_score":
        return column.is_number
    if role == "name":  # people are not numbered, as orders are that a shop calls so
        return 2 * sum(any(map(str.isdigit, text)) for text in column.texts) < len(column.texts)
    parts = sum(_FRACTION.fullmatch(text) is not None for text in column.texts)
    if role in _IDS:
        return not _is_time(column) and parts < 0.1 * len(column.texts)
    return not _is_time(column) and parts < 0.5 * len(column.texts)


def _is_time(column: Column) -> bool:
    # Eight digits may be a number like others.
    return column.is_time and column.times.formats != ("yyyyMMdd",)


def _without_names(choices: dict[str, Chosen], left: Sequence[Column]) -> None:
    """Roles that no name told, from the values of columns without a role."""
    if "occurred_at" not in choices:
        times = [column for column in left if _is_time(column)]
        times.sort(key=lambda column: -column.filled)
        if times:
            why = "the only column of times" if len(times) == 1 else "the first column of times"
            choices["occurred_at"] = Chosen(times[0], why, tuple(c.name for c in times[1:]))
    if "amount" not in choices and "unit_price" not in choices:
        money = [c for c in left if c.is_number and not _is_time(c) and c.numbers.fraction]
        if money:
            why = "the only" if len(money) == 1 else "the last"
            others = tuple(column.name for column in money[:-1])
            choices["amount"] = Chosen(money[-1], f"{why} column of numbers with decimals", others)
    used = {chosen.column.name for chosen in choices.values()}
    if "order_id" not in choices:
        ids = [c for c in left if c.unique and c.name not in used and _fits("order_id", c)]
        ids = [c for c in ids if not c.is_email]
        if ids:
            why = "no name says so, but every row has a value of its own"
            choices["order_id"] = Chosen(ids[0], why, tuple(c.name for c in ids[1:]))
    if "customer_id" not in choices and "email" in choices:
        choices["customer_id"] = Chosen(
            choices["email"].column, "no other column tells customers apart"
        )
