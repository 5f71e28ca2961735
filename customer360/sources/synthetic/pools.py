"""Names, places and the like: made once by Faker, then drawn from by number.

Faker makes some ten thousand names a second; a million customers need a million in one. Five
locales bring the accents that real customer files have (and that break on the way).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from faker import Faker

_SEED = 20240101  # Pools are the same for every data set; the data's own seed draws from them.


@dataclass(frozen=True)
class Country:
    """What customers of one country are called and where they live."""

    code: str
    share: float
    phone: str
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    states: tuple[str, ...]


_LOCALES = (
    ("US", "en_US", 0.56, "+1", 400),
    ("BR", "pt_BR", 0.16, "+55", 60),
    ("ES", "es_ES", 0.08, "+34", 40),
    ("DE", "de_DE", 0.12, "+49", 60),
    ("FR", "fr_FR", 0.08, "+33", 60),
)


@lru_cache(maxsize=1)
def countries() -> tuple[Country, ...]:
    """The pools, made by Faker at first use (about a second)."""
    return tuple(_country(*row) for row in _LOCALES)


def _country(code: str, locale: str, share: float, phone: str, cities: int) -> Country:
    # Only the two providers that are used: loading all takes seconds.
    faker = Faker(locale, providers=["faker.providers.person", "faker.providers.address"])
    faker.seed_instance(_SEED)
    # The city decides the state, so that places stay consistent.
    state: Callable[[], str] = {
        "US": lambda: str(
            faker.state_abbr(include_territories=False, include_freely_associated_states=False)
        ),
        "BR": lambda: str(faker.estado_sigla()),
        "ES": lambda: str(faker.autonomous_community()),
        "DE": lambda: str(faker.state()),
        "FR": lambda: str(faker.region()),
    }[code]
    towns = _distinct(faker.city, cities, repairable=True)
    return Country(
        code=code,
        share=share,
        phone=phone,
        first_names=_distinct(faker.first_name, 500),
        last_names=_distinct(faker.last_name, 500),
        streets=_distinct(faker.street_name, 800),
        cities=towns,
        states=tuple(state() for _ in towns),
    )


def _distinct(draw: Callable[[], str], size: int, *, repairable: bool = False) -> tuple[str, ...]:
    """Up to ``size`` different values; if ``repairable``, ones whose capitals can be restored."""
    values: dict[str, None] = {}
    for _ in range(size * 8):
        value = draw()
        if not repairable or value == " ".join(word.capitalize() for word in value.split(" ")):
            values[value] = None
        if len(values) == size:
            break
    return tuple(values)


def slug(name: str) -> str:
    """``name`` as it appears in an e-mail address: ASCII letters only."""
    plain = (
        unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    )
    return re.sub(r"[^a-z]+", "", plain.lower()) or "customer"
