"""Draws customers and their purchases from the behaviour: numpy only, a chunk at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from customer360.sources.synthetic.behaviour import Behaviour
from customer360.sources.synthetic.season import SECONDS_A_DAY, ShopTime

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CATEGORIES = (
    "Electronics",
    "Home & Garden",
    "Fashion",
    "Health & Beauty",
    "Toys & Games",
    "Sports",
    "Books",
    "Groceries",
    "Pet Supplies",
    "Office",
)
CHANNELS = ("web", "app", "store", "marketplace")
PAYMENT_TYPES = ("credit_card", "debit_card", "wallet", "bank_transfer", "gift_card")
_CATEGORY_SHARES = (0.17, 0.15, 0.16, 0.12, 0.08, 0.08, 0.07, 0.09, 0.05, 0.03)
_CHANNEL_SHARES = (0.44, 0.31, 0.15, 0.10)
_PAYMENT_SHARES = (0.46, 0.20, 0.19, 0.09, 0.06)
_HABIT = int(0.6 * 65_536)  # how often a customer keeps to the usual channel and category
MAX_CENTS = 400_000_000
MAX_ITEMS = 8


@dataclass(frozen=True)
class Customers:
    """One chunk of customers; arrays have one value a customer.

    Attributes:
        number: The customer's number, from 1.
        cohort: Index into the behaviour's cohorts.
        purchase_rate: Lambda, purchases a day of shop time while alive.
        dropout: p, the chance to leave for good after each repeat purchase.
        mean_order_value: The customer's own mean, in dollars.
        signed_up: Second of the sign-up since the start of the range.
        born: First purchase, in shop days since the start.
        last: Last purchase, in shop days.
        orders: Purchases in the range: 0 for those who never buy.
        dead: Whether the customer left within the range (at the last purchase).
    """

    number: Ints
    cohort: Ints
    purchase_rate: Floats
    dropout: Floats
    mean_order_value: Floats
    signed_up: Ints
    born: Floats
    last: Floats
    orders: Ints
    dead: NDArray[np.bool_]


@dataclass(frozen=True)
class Purchases:
    """The orders of one chunk, by customer, then time.

    Attributes:
        owner: Position of the customer in the chunk.
        second: Seconds since the start's midnight.
        cents: Amount.
        items: Pieces.
        channel: Index into :data:`CHANNELS`.
        category: Index into :data:`CATEGORIES`.
        payment: Index into :data:`PAYMENT_TYPES`.
    """

    owner: Ints
    second: Ints
    cents: Ints
    items: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    category: NDArray[np.uint8]
    payment: NDArray[np.uint8]


class Process:
    """The behaviour on a range of days, ready to draw from."""

    def __init__(self, behaviour: Behaviour, clock: ShopTime) -> None:
        self.behaviour = behaviour
        self.clock = clock
        parameters = [behaviour.of(cohort) for cohort in behaviour.cohorts]
        self._alpha = np.array([row.alpha for row in parameters])
        self._a = np.array([row.a for row in parameters])
        self._v = np.array([row.v for row in parameters])
        # New customers come as the shop is busy, growing over the years.
        days = np.arange(clock.days)
        wins = clock.weights * (1 + behaviour.acquisition_growth) ** (days / 365.25)
        self._won = np.cumsum(wins) / wins.sum()
        self._cohort_of_month = _cohort_table(behaviour)
        self._month = np.array([(clock.start + timedelta(int(day))).month for day in days])
        self._items = _table(_item_shares())
        self._categories = _table(_CATEGORY_SHARES)
        self._channels = _table(_CHANNEL_SHARES)
        self._payments = _table(_PAYMENT_SHARES)

    def draw(
        self, rng: np.random.Generator, first_number: int, n: int
    ) -> tuple[Customers, Purchases]:
        """Draw ``n`` customers, numbered from ``first_number``, and their purchases."""
        behaviour, clock = self.behaviour, self.clock
        day = np.searchsorted(self._won, rng.random(n), side="right").clip(0, clock.days - 1)
        born = clock.elapsed[day] + rng.random(n) * clock.weights[day]
        born = np.minimum(born, np.nextafter(clock.elapsed[day + 1], 0))
        cohort = self._draw_cohort(rng, day)
        rate = rng.standard_gamma(behaviour.r, n) / self._alpha[cohort]
        dropout = rng.beta(self._a[cohort], behaviour.b, n)
        scale = rng.standard_gamma(behaviour.q, n) / self._v[cohort]  # nu
        buys = rng.random(n) >= behaviour.never_buyers

        # Repeat purchases: so many while alive for ever, cut where the customer dies.
        left = clock.total - born
        potential = rng.poisson(rate * left)
        # A vanishing p would overflow the geometric; nobody lives that many purchases.
        fatal = rng.geometric(np.maximum(dropout, 1e-9))
        repeats = np.where(buys, np.minimum(potential, fatal), 0)
        dead = buys & (fatal <= potential)
        # Times of purchases given their number are sorted uniforms; of N the first K are the
        # K-th (a beta) and K - 1 uniforms before it. So nothing is drawn only to be cut off.
        cut = dead & (fatal < potential)
        horizon = np.ones(n)
        horizon[cut] = rng.beta(fatal[cut], potential[cut] - fatal[cut] + 1)
        orders = np.where(buys, repeats + 1, 0)
        owner = np.repeat(np.arange(n), orders)
        ends = np.cumsum(orders)
        place = rng.random(len(owner))
        place[ends[cut] - 1] = 1.0
        place[(ends - orders)[buys]] = 0.0
        place *= (horizon * left)[owner]
        place += born[owner]
        # One flat sort: a customer's times stay in the customer's block of the line.
        line = owner * (clock.total + 1.0)
        place += line
        place.sort()
        place -= line
        np.minimum(place, np.nextafter(clock.total, 0), out=place)
        second = clock.seconds(place)

        last = born.copy()
        last[buys] = place[ends[buys] - 1]
        # The subtraction above costs a few of the last bits of the first purchase's time.
        signed_up = self._sign_ups(rng, clock.seconds(born), buys)
        customers = Customers(
            number=np.arange(first_number, first_number + n),
            cohort=cohort,
            purchase_rate=rate,
            dropout=dropout,
            mean_order_value=behaviour.p / scale,
            signed_up=signed_up,
            born=born,
            last=np.maximum(last, born),
            orders=orders,
            dead=dead,
        )
        return customers, self._purchases(rng, customers, owner, second, scale)

    def _draw_cohort(self, rng: np.random.Generator, day: Ints) -> Ints:
        bounds = self._cohort_of_month[self._month[day] - 1]
        return (rng.random(len(day))[:, None] >= bounds[:, :-1]).sum(axis=1)

    def _sign_ups(self, rng: np.random.Generator, first: Ints, buys: NDArray[np.bool_]) -> Ints:
        """Most sign up minutes before the first order, some days before."""
        n = len(first)
        minutes = 30 + (rng.random(n) * 900).astype(np.int64)
        earlier = (rng.standard_exponential(n) * 5 * SECONDS_A_DAY).astype(np.int64)
        ahead = np.where(buys, np.where(rng.random(n) < 0.25, earlier + minutes, minutes), 0)
        return np.maximum(first - ahead, 0)

    def _purchases(
        self,
        rng: np.random.Generator,
        customers: Customers,
        owner: Ints,
        second: Ints,
        scale: Floats,
    ) -> Purchases:
        n = len(owner)
        cents = np.rint(rng.standard_gamma(self.behaviour.p, n) * (100.0 / scale)[owner])
        # Sixteen bits each are plenty for shares of a few percent.
        dice = rng.integers(0, 65_536, size=(4, n), dtype=np.uint16)
        usual = rng.integers(0, 65_536, size=(3, len(customers.number)), dtype=np.uint16)
        # The lower bits of one word say whether habit rules, another word what chance brings.
        habit = rng.integers(0, 65_536, size=(2, n), dtype=np.uint16) < _HABIT
        return Purchases(
            owner=owner,
            second=second,
            cents=cents.clip(1, MAX_CENTS).astype(np.int64),
            items=self._items[dice[0]],
            category=np.where(
                habit[0], self._categories[usual[0]][owner], self._categories[dice[1]]
            ),
            channel=np.where(habit[1], self._channels[usual[1]][owner], self._channels[dice[2]]),
            payment=np.where(dice[3] & 1, self._payments[usual[2]][owner], self._payments[dice[3]]),
        )


def _cohort_table(behaviour: Behaviour) -> Floats:
    """Upper bounds of each cohort's probability, one row a month."""
    table = np.zeros((12, len(behaviour.cohorts)))
    for position, cohort in enumerate(behaviour.cohorts):
        for month in cohort.months or range(1, 13):
            table[month - 1, position] = cohort.share
    bounds: Floats = np.cumsum(table / table.sum(axis=1, keepdims=True), axis=1)
    return bounds


def _item_shares() -> tuple[float, ...]:
    """Pieces in an order: one and a few more, at most MAX_ITEMS (index = pieces)."""
    shares = [0.0] + [0.5**n for n in range(1, MAX_ITEMS + 1)]
    return tuple(share / sum(shares) for share in shares)


def _table(shares: tuple[float, ...]) -> NDArray[np.uint8]:
    """Look-up table from 16 random bits to an index drawn with ``shares``."""
    bounds = np.rint(np.cumsum(shares) / sum(shares) * 65_536)
    return np.searchsorted(bounds, np.arange(65_536), side="right").astype(np.uint8)


def customers_for(orders: int, behaviour: Behaviour, start: date, end: date) -> int:
    """How many customers make about ``orders`` orders from ``start`` to ``end``.

    Found by drawing a fixed sample of customers, so it costs some milliseconds and is the same
    every time; heavy buyers make the outcome vary by about a percent.
    """
    sample = 50_000
    process = Process(behaviour, ShopTime(start, end, behaviour.seasonality))
    customers, _ = process.draw(np.random.default_rng(0), 1, sample)
    return max(1, round(orders * sample / max(1, int(customers.orders.sum()))))
