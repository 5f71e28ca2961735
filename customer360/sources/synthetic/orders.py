"""Orders and refunds as compact records, and how they look in the raw file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from customer360.sources.synthetic import text
from customer360.sources.synthetic.behaviour import Behaviour
from customer360.sources.synthetic.damage import Damage, broken
from customer360.sources.synthetic.defects import TRANSACTION_DEFECTS
from customer360.sources.synthetic.process import (
    CATEGORIES,
    CHANNELS,
    MAX_ITEMS,
    PAYMENT_TYPES,
    Customers,
    Purchases,
)
from customer360.sources.synthetic.season import SECONDS_A_DAY

CURRENCY = "USD"
UNKNOWN_FROM = 90_000_000
"""Customer numbers from here on belong to nobody."""

ROW = np.dtype(
    [
        ("order", "u8"),
        ("customer", "u4"),
        ("second", "u4"),
        ("cents", "u4"),
        ("delivered", "u2"),
        ("items", "u1"),
        ("channel", "u1"),
        ("category", "u1"),
        ("payment", "u1"),
        ("refund", "u1"),
        ("defect", "u1"),
    ]
)
"""An order, or the refund of the order of the same number, before it is text."""

_VARIANT = 200


def order_rows(
    rng: np.random.Generator,
    behaviour: Behaviour,
    customers: Customers,
    purchases: Purchases,
    seconds: int,
) -> NDArray[Any]:
    """Records of one chunk: its orders, numbered from 1, then their refunds."""
    n = len(purchases.second)
    sales = np.zeros(n, dtype=ROW)
    sales["order"] = np.arange(1, n + 1)
    sales["customer"] = customers.number[purchases.owner]
    sales["second"] = purchases.second
    sales["cents"] = purchases.cents
    sales["items"] = purchases.items
    sales["channel"] = purchases.channel
    sales["category"] = purchases.category
    sales["payment"] = purchases.payment

    refunded = np.flatnonzero(rng.random(n) < behaviour.refund_rate)
    refunds = sales[refunded]
    # Never on the day of the order, so that the order's own day keeps its revenue.
    wait = SECONDS_A_DAY * (1 + np.minimum(rng.standard_exponential(len(refunded)) * 8, 29))
    when = refunds["second"] + wait.astype(np.int64)
    # Seven in ten come back whole; the others in part, never rounded to nothing.
    part = np.where(rng.random(len(refunded)) < 0.7, 1.0, 0.2 + 0.6 * rng.random(len(refunded)))
    cents = np.maximum(np.rint(refunds["cents"] * part), 1)
    kept = when < seconds
    refunds = refunds[kept]
    refunds["second"] = when[kept]
    refunds["cents"] = cents[kept]
    refunds["items"] = np.where(part[kept] == 1.0, refunds["items"], 1)
    refunds["refund"] = 1
    rows = np.concatenate([sales, refunds])
    rows["delivered"] = rows["second"] // SECONDS_A_DAY
    return rows


class _Words:
    """A column of few different values: numbers into a pool that damage may enlarge."""

    def __init__(self, pool: tuple[str, ...], index: NDArray[Any]) -> None:
        self._pool = {value: position for position, value in enumerate(pool)}
        self._index = index.astype(np.int16)

    def at(self, positions: NDArray[np.int64]) -> list[str]:
        values = list(self._pool)
        return [values[i] for i in self._index[positions]]

    def patch(self, positions: NDArray[np.int64], values: list[str | None]) -> None:
        self._index[positions] = [
            self._pool.setdefault(str(value), len(self._pool)) for value in values
        ]

    def array(self) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(self._index), pa.array(list(self._pool)))


class OrderText:
    """Renders order records as the raw table, all columns text."""

    columns = (
        "order_id", "kind", "related_order_id", "customer_id", "occurred_at", "amount",
        "currency", "items", "channel", "category", "payment_type",
    )  # fmt: skip
    dictionaries = ("kind", "currency", "items", "channel", "category", "payment_type")

    def __init__(self, seed: int, day_table: text.Bytes) -> None:
        self._seed = seed
        self._days = day_table

    def render(self, rows: NDArray[Any]) -> tuple[Any, Damage]:
        """The raw table of ``rows``, damaged as they say, and the truth about the damage."""
        refund = rows["refund"].astype(bool)
        order = text.prefixed("O", rows["order"], 3)
        own = order.copy()
        own[refund, 0] = ord("R")
        columns: dict[str, Any] = {
            "order_id": text.strings(own),
            "related_order_id": text.strings(order, refund),
            "customer_id": text.identifiers("C", rows["customer"], 2),
            "occurred_at": text.times(self._days, rows["second"]),
            "amount": text.money(rows["cents"]),
        }
        words = {
            "kind": _Words(("sale", "refund"), rows["refund"]),
            "currency": _Words((CURRENCY,), np.zeros(len(rows))),
            "items": _Words(tuple(str(n) for n in range(MAX_ITEMS + 1)), rows["items"]),
            "channel": _Words(CHANNELS, rows["channel"]),
            "category": _Words(CATEGORIES, rows["category"]),
            "payment_type": _Words(PAYMENT_TYPES, rows["payment"]),
        }
        damage = self._damage(rows, columns, words)
        for name, (positions, values) in damage.patches.items():
            if name in words:
                words[name].patch(positions, values)
            else:
                columns[name] = text.patched(columns[name], positions, values)
        columns |= {name: word.array() for name, word in words.items()}
        return pa.table([columns[name] for name in self.columns], names=list(self.columns)), damage

    def _damage(
        self, rows: NDArray[Any], columns: dict[str, Any], words: dict[str, _Words]
    ) -> Damage:
        damage = Damage(rows["defect"], TRANSACTION_DEFECTS)
        hashes = text.hashed(rows["order"][damage.positions], self._seed, _VARIANT)
        variant = text.chosen(hashes, 840)

        def clean(name: str, at: NDArray[np.int64]) -> list[str]:
            chosen = damage.positions[at]
            if name in words:
                return words[name].at(chosen)
            values: list[str] = columns[name].take(pa.array(chosen)).to_pylist()
            return values

        def put(name: str, rule: str | None, at: NDArray[np.int64], change: Any) -> None:
            values = clean(name, at)
            damage.put(
                at,
                name,
                rule and f"{name}:{rule}",
                values,
                [change(value, int(v)) for value, v in zip(values, variant[at], strict=True)],
            )

        put("customer_id", "required", damage.of("missing_customer"), _missing)
        put("customer_id", None, damage.of("unknown_customer"), _stranger)
        put("occurred_at", "format", damage.of("bad_date"), _bad_date)
        at = damage.of("wrong_type")
        put("amount", "type", at[variant[at] % 5 < 3], _not_money)
        put("items", "type", at[variant[at] % 5 >= 3], _not_a_number)
        put("amount", "minimum", damage.of("negative_amount"), lambda value, _: f"-{value}")
        put("currency", "allowed_values", damage.of("unknown_currency"), _other_currency)
        at = damage.of("broken_text")
        texts = ("category", "channel", "payment_type")
        for third, name in enumerate(texts):
            put(name, "pattern", at[variant[at] % 3 == third], lambda v, n: broken(v, n // 3))
        at = damage.of("untidy_text")
        for quarter, name in enumerate((*texts, "customer_id")):
            change = _padded if name == "customer_id" else _untidy
            put(name, None, at[variant[at] % 4 == quarter], change)
        return damage


def _missing(_: str, variant: int) -> str | None:
    return (None, "", "  ")[variant % 3]


def _stranger(_: str, variant: int) -> str:
    return f"C{UNKNOWN_FROM + variant:08d}"


def _bad_date(when: str, variant: int) -> str:
    year, month, rest = when[:4], when[5:7], when[8:]
    return (
        f"{rest[:2]}/{month}/{year}{rest[2:]}",  # written another way
        f"{year}-13-{rest}",
        f"{year}-02-30{rest[2:]}",
        f"{year}-{month}-{rest[:2]} 25:61:00",
        "0000-00-00 00:00:00",
        "yesterday",
    )[variant % 6]


def _not_money(amount: str, variant: int) -> str:
    # Beside words, decimal commas and currency signs: what spreadsheets make of numbers.
    return ("twelve", "N/A", amount.replace(".", ","), f"${amount}")[variant // 5 % 4]


def _not_a_number(items: str, variant: int) -> str:
    return ("two", f"{items} pcs", "?")[variant // 5 % 3]


def _other_currency(_: str, variant: int) -> str:
    return ("XXX", "US$", "ZZZ", "EURO", "???")[variant % 5]


def _untidy(value: str, variant: int) -> str:
    spread = value.replace(" ", "  ") if " " in value else f"\u00a0{value}"
    return (value.upper(), f" {value.lower()} ", f"{value}   ", spread)[variant // 4 % 4]


def _padded(value: str, variant: int) -> str:
    return (f" {value}", f"{value} ", f"  {value}  ")[variant // 4 % 3]
