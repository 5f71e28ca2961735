"""Customer profiles: sign-ups and later changes, and how they look in the raw file."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from customer360.sources.synthetic import text
from customer360.sources.synthetic.behaviour import Behaviour
from customer360.sources.synthetic.damage import Damage, broken, mojibake
from customer360.sources.synthetic.defects import CUSTOMER_DEFECTS
from customer360.sources.synthetic.pools import countries, slug
from customer360.sources.synthetic.process import Customers, Purchases
from customer360.sources.synthetic.season import SECONDS_A_DAY

ROW = np.dtype(
    [
        ("number", "u4"),
        ("second", "u4"),
        ("signed_up", "u4"),
        ("delivered", "u2"),
        ("moves", "u2"),
        ("consents", "u2"),
        ("emails", "u2"),
        ("phones", "u2"),
        ("tier", "u1"),
        ("cohort", "u1"),
        ("defect", "u1"),
    ]
)
"""A profile row before it is text: how often each part had changed by then."""

TIERS = ("basic", "silver", "gold", "platinum")
_TIER_AT = (3, 8, 20)  # orders that lift a customer to the next tier
_MOVE, _CONSENT, _EMAIL, _PHONE, _TIER = range(1, 6)
_CHANGE_BOUNDS = np.cumsum([0.40, 0.30, 0.16, 0.14])

_BORN_FIRST = date(1942, 1, 1)
_BORN_DAYS = 23_000
# Salts of the attributes drawn from a customer's number.
(
    _COUNTRY, _FIRST, _LAST, _CITY, _STREET, _HOUSE, _POSTAL, _BIRTH, _TAX, _CALL, _AGREES, _MAIL,
    _VARIANT,
) = range(13)  # fmt: skip


def profile_rows(
    rng: np.random.Generator,
    behaviour: Behaviour,
    customers: Customers,
    purchases: Purchases,
    seconds: int,
) -> NDArray[Any]:
    """Sign-up and change rows of one chunk; ``seconds`` is the length of the range."""
    n = len(customers.number)
    signed_up = customers.signed_up
    left = np.maximum(seconds - 60 - signed_up, 0)
    changes = rng.poisson(behaviour.profile_changes_per_year * left / (365.25 * SECONDS_A_DAY))
    changed = np.repeat(np.arange(n), changes)
    when = (signed_up + 60)[changed] + (rng.random(len(changed)) * left[changed]).astype(np.int64)
    kind = 1 + np.searchsorted(_CHANGE_BOUNDS[:-1], rng.random(len(changed)), side="right")
    owners, times, kinds = [np.arange(n), changed], [signed_up, when], [np.zeros(n, int), kind]
    begins = np.cumsum(customers.orders) - customers.orders
    for orders in _TIER_AT:
        lifted = np.flatnonzero(customers.orders >= orders)
        owners.append(lifted)
        times.append(np.minimum(purchases.second[begins[lifted] + orders - 1] + 1, seconds - 1))
        kinds.append(np.full(len(lifted), _TIER))
    keys = (np.concatenate(owners) << 36) | (np.concatenate(times) << 4) | np.concatenate(kinds)
    keys.sort()
    owner, second, kind = keys >> 36, (keys >> 4) & 0xFFFFFFFF, keys & 0xF

    first = np.searchsorted(owner, np.arange(n))
    rows = np.zeros(len(keys), dtype=ROW)
    for name, change in (
        ("moves", _MOVE),
        ("consents", _CONSENT),
        ("emails", _EMAIL),
        ("phones", _PHONE),
        ("tier", _TIER),
    ):
        so_far = np.cumsum(kind == change)
        rows[name] = so_far - so_far[first][owner]
    rows["number"] = customers.number[owner]
    rows["second"] = second
    rows["signed_up"] = signed_up[owner]
    rows["delivered"] = second // SECONDS_A_DAY
    rows["cohort"] = customers.cohort[owner]
    # Two changes in one second are one row: the profile after both.
    superseded = (owner[1:] == owner[:-1]) & (second[1:] == second[:-1])
    return rows[np.append(~superseded, True)]


class ProfileText:
    """Renders profile rows as the raw table, all columns text."""

    columns = (
        "customer_id", "name", "email", "phone", "address", "city", "state", "postal_code",
        "country", "birth_date", "tax_id", "acquisition_channel", "loyalty_tier",
        "marketing_consent", "signed_up_on", "updated_at",
    )  # fmt: skip
    dictionaries = (
        "city", "state", "country", "acquisition_channel", "loyalty_tier", "marketing_consent",
        "signed_up_on",
    )  # fmt: skip

    def __init__(self, seed: int, behaviour: Behaviour, day_table: text.Bytes) -> None:
        self._seed = seed
        self._days = day_table
        self._cohorts = pa.array([cohort.name for cohort in behaviour.cohorts])
        nations = countries()
        self._country_bounds = np.cumsum([nation.share for nation in nations])[:-1]
        self._codes = pa.array([nation.code for nation in nations])
        self._phones = pa.array([nation.phone for nation in nations])
        self._pools: dict[str, tuple[Any, NDArray[np.int64], NDArray[np.int64]]] = {}
        for name in ("first_names", "last_names", "streets", "cities", "states"):
            pools = [getattr(nation, name) for nation in nations]
            sizes = np.array([len(pool) for pool in pools])
            values = pa.array([value for pool in pools for value in pool])
            self._pools[name] = values, np.cumsum(sizes) - sizes, sizes
        self._slugs = {
            name: pa.array([slug(value) for value in self._pools[name][0].to_pylist()])
            for name in ("first_names", "last_names")
        }
        self._birth_days = text.day_bytes(_BORN_FIRST, _BORN_DAYS)

    def render(self, rows: NDArray[Any]) -> tuple[Any, Damage]:
        """The raw table of ``rows``, damaged as they say, and the truth about the damage."""
        number = rows["number"]
        nation = np.searchsorted(
            self._country_bounds, self._hash(number, _COUNTRY) / 2.0**64, side="right"
        )
        first = self._pick("first_names", nation, self._hash(number, _FIRST))
        last = self._pick("last_names", nation, self._hash(number, _LAST))
        # What changes is drawn from the customer's number and the number of changes so far.
        home = number.astype(np.uint64) | (rows["moves"].astype(np.uint64) << np.uint64(32))
        call = number.astype(np.uint64) | (rows["phones"].astype(np.uint64) << np.uint64(32))
        town = self._pick("cities", nation, self._hash(home, _CITY))
        columns: dict[str, Any] = {
            "customer_id": text.identifiers("C", number, 2),
            "name": pc.binary_join_element_wise(
                self._pools["first_names"][0].take(first),
                self._pools["last_names"][0].take(last),
                " ",
            ),
            "email": self._email(rows, first, last),
            "phone": self._phone(nation, call),
            "address": self._address(nation, home),
            # Not dictionaries: those must not repeat a value, and would put all the world's
            # cities into each day's file. The writer makes its own of what a day holds.
            "city": self._pools["cities"][0].take(town),
            # Cities and states are pairs: the same position in both pools.
            "state": self._pools["states"][0].take(town),
            "postal_code": self._postal(nation, home),
            "country": pa.DictionaryArray.from_arrays(pa.array(nation), self._codes),
            "birth_date": text.strings(
                self._birth_days[text.chosen(self._hash(number, _BIRTH), _BORN_DAYS)],
                text.chosen(self._hash(number, _BIRTH + 100), 100) >= 5,
            ),
            "tax_id": self._tax_id(number),
            "acquisition_channel": pa.DictionaryArray.from_arrays(
                pa.array(rows["cohort"].astype(np.int32)), self._cohorts
            ),
            "loyalty_tier": pa.DictionaryArray.from_arrays(
                pa.array(rows["tier"].astype(np.int32)), pa.array(TIERS)
            ),
            "marketing_consent": self._consent(rows),
            "signed_up_on": text.strings(self._days[rows["signed_up"] // SECONDS_A_DAY]),
            "updated_at": text.times(self._days, rows["second"]),
        }
        damage = self._damage(rows, columns)
        for name, (positions, values) in damage.patches.items():
            columns[name] = text.patched(columns[name], positions, values)
        return pa.table([columns[name] for name in self.columns], names=list(self.columns)), damage

    def _hash(self, values: NDArray[Any], salt: int) -> NDArray[np.uint64]:
        return text.hashed(values, self._seed, salt)

    def _pick(self, pool: str, nation: NDArray[Any], hashes: NDArray[np.uint64]) -> Any:
        _, offsets, sizes = self._pools[pool]
        return pa.array((offsets[nation] + text.chosen(hashes, sizes[nation])).astype(np.int32))

    def _email(self, rows: NDArray[Any], first: Any, last: Any) -> Any:
        # The number makes the mailbox the customer's own, a letter each new one after a change.
        mailbox = pc.binary_join_element_wise(
            pc.cast(pa.array(rows["number"]), pa.string()),
            pa.array(("", *"bcdefghijklmnopqrstuvwxyz")).take(
                pa.array(np.minimum(rows["emails"], 25))
            ),
            "",
        )
        domains = pa.array(["@example.com", "@example.org", "@example.net"])
        hashes = self._hash(rows["number"] + 7919 * rows["emails"].astype(np.uint64), _MAIL)
        return pc.binary_join_element_wise(
            self._slugs["first_names"].take(first),
            pa.scalar("."),
            self._slugs["last_names"].take(last),
            mailbox,
            domains.take(pa.array(text.chosen(hashes, 3))),
            "",
        )

    def _phone(self, nation: NDArray[Any], call: NDArray[np.uint64]) -> Any:
        number = text.chosen(self._hash(call, _CALL), 10_000_000)
        # 555 numbers belong to nobody.
        return pc.binary_join_element_wise(
            self._phones.take(pa.array(nation)), text.strings(text.prefixed("555", number, 2)), " "
        )

    def _address(self, nation: NDArray[Any], home: NDArray[np.uint64]) -> Any:
        street = self._pools["streets"][0].take(
            self._pick("streets", nation, self._hash(home, _STREET))
        )
        house = pc.cast(pa.array(1 + text.chosen(self._hash(home, _HOUSE), 999)), pa.string())
        return pc.binary_join_element_wise(house, street, " ")

    def _postal(self, nation: NDArray[Any], home: NDArray[np.uint64]) -> Any:
        matrix = text.digits(text.chosen(self._hash(home, _POSTAL), 100_000_000), 2)
        short = text.strings(np.ascontiguousarray(matrix[:, :5]))
        dashed = np.empty((len(matrix), 9), dtype=np.uint8)
        dashed[:, :5], dashed[:, 5], dashed[:, 6:] = matrix[:, :5], ord("-"), matrix[:, 5:]
        brazil = self._codes.to_pylist().index("BR")
        return pc.if_else(pa.array(nation == brazil), text.strings(dashed), short)

    def _tax_id(self, number: NDArray[Any]) -> Any:
        hashes = self._hash(number, _TAX)
        given = text.chosen(self._hash(number, _TAX + 100), 10) < 6
        # Every one begins with 9, which no country gives out in this form.
        return text.strings(text.prefixed("9", text.chosen(hashes, 100_000_000), 2), given)

    def _consent(self, rows: NDArray[Any]) -> Any:
        agreed = text.chosen(self._hash(rows["number"], _AGREES), 100) < 70
        now = agreed ^ (rows["consents"] % 2 == 1)
        return pa.DictionaryArray.from_arrays(
            pa.array(now.astype(np.int32)), pa.array(["false", "true"])
        )

    def _damage(self, rows: NDArray[Any], columns: dict[str, Any]) -> Damage:
        damage = Damage(rows["defect"], CUSTOMER_DEFECTS)
        variant = text.chosen(
            self._hash(
                rows["number"][damage.positions] + rows["second"][damage.positions], _VARIANT
            ),
            60,
        )

        def clean(name: str, chosen: NDArray[np.int64]) -> list[str]:
            values: list[str] = columns[name].take(pa.array(chosen)).to_pylist()
            return values

        at, kinds = damage.of("customer_missing_id"), (None, "", "   ")
        damage.put(
            at, "customer_id", "customer_id:required",
            clean("customer_id", damage.positions[at]), [kinds[v % 3] for v in variant[at]],
        )  # fmt: skip
        at = damage.of("customer_bad_birth_date")
        dates = ("1985-13-40", "31/02/1990", "unknown", "1990-02-30")
        damage.put(
            at, "birth_date", "birth_date:format",
            clean("birth_date", damage.positions[at]), [dates[v % 4] for v in variant[at]],
        )  # fmt: skip
        at = damage.of("customer_bad_email")
        emails = clean("email", damage.positions[at])
        damage.put(
            at, "email", "email:format", emails,
            [
                (e.replace("@", " at "), e.split("@")[0], e.replace("@", "@@"))[v % 3]
                for e, v in zip(emails, variant[at], strict=True)
            ],
        )  # fmt: skip
        at = damage.of("customer_broken_text")
        names = clean("name", damage.positions[at])
        damage.put(
            at, "name", "name:pattern", names,
            [broken(name, int(v)) for name, v in zip(names, variant[at], strict=True)],
        )  # fmt: skip
        untidy = damage.of("customer_untidy_text")
        for third, (name, change) in enumerate(
            (("name", _untidy_name), ("city", _untidy_city), ("email", _untidy_email))
        ):
            at = untidy[variant[untidy] % 3 == third]
            values = clean(name, damage.positions[at])
            damage.put(
                at, name, None, values,
                [change(value, int(v) // 3) for value, v in zip(values, variant[at], strict=True)],
            )  # fmt: skip
        return damage


def _untidy_name(name: str, variant: int) -> str:
    return mojibake(name) or (f"  {name}", f"{name} ", name.replace(" ", "   "))[variant % 3]


def _untidy_city(city: str, variant: int) -> str:
    return (city.upper(), city.lower(), f" {city}  ", mojibake(city) or f"{city}\u00a0")[
        variant % 4
    ]


def _untidy_email(email: str, variant: int) -> str:
    return (email.upper(), f" {email}", f"{email}  ", email.capitalize())[variant % 4]
