"""What people read, in their language: the texts, and how numbers, money and dates are written."""

from __future__ import annotations

import functools
import math
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import yaml
from babel import Locale
from babel.dates import format_date
from babel.numbers import (
    format_compact_currency,
    format_currency,
    format_decimal,
    format_percent,
    get_currency_symbol,
)

from customer360.models.comparison import significant
from customer360.models.revenue.reasons import SENTENCES

LANGUAGES = {"en": "English", "pt": "Português"}
MODELS_LANGUAGE = "en"
"""In which the models say their reasons."""
MISSING = "–"

_LOCALES = {"en": Locale("en"), "pt": Locale("pt", "BR")}
_DAY = {"en": "d MMM y", "pt": "dd/MM/y"}
_WRITTEN_OUT = 10_000
"""Below it an amount is short enough to be written out."""


@functools.cache
def texts(language: str) -> Mapping[str, str]:
    """All texts of a language by dotted key, as ``texts/<language>.yaml`` nests them.

    The models say their reasons in English: those texts are the models' own.
    """
    packaged = resources.files("customer360.dashboard").joinpath("texts", f"{language}.yaml")
    found = dict(_flat(yaml.safe_load(packaged.read_text(encoding="utf-8"))))
    if language == MODELS_LANGUAGE:
        found |= {f"reason.{name}": text for name, text in SENTENCES.texts.items()}
    return found


def _flat(nested: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in nested.items():
        key = f"{above}{name}"
        found += _flat(value, f"{key}.") if isinstance(value, dict) else [(key, str(value).strip())]
    return found


@dataclass(frozen=True)
class Language:
    """Texts, numbers, money and dates as one language writes them.

    Attributes:
        code: One of `LANGUAGES`.
        currency: ISO 4217 code of all amounts.
        zone: Time zone of the business.
    """

    code: str = "en"
    currency: str = "USD"
    zone: str = "UTC"

    def __call__(self, key: str, /, **values: object) -> str:
        """The text of ``key``, its placeholders filled.

        Numbers of the kinds of `customer360.models.sentences` are written as the language does.
        """
        text = texts(self.code)[key]
        return _Writer(self).vformat(text, (), values) if values else text

    def named(self, group: str, name: str | None) -> str:
        """What ``name`` of the warehouse is called, by ``<group>.<name>``; itself if nobody said.

        For values that come from the data: a segment, a risk, the reason of a quarantine.
        """
        if name is None or pd.isna(name):
            return MISSING
        return texts(self.code).get(f"{group}.{name}", str(name).replace("_", " "))

    @property
    def locale(self) -> Locale:
        """Babel's rules of the language: how numbers, money and dates are written, and plurals."""
        return _LOCALES[self.code]

    @property
    def symbol(self) -> str:
        """How the currency is written before an amount; its code stands apart."""
        symbol = get_currency_symbol(self.currency, self.locale)
        return f"{symbol} " if symbol == self.currency else symbol

    def number(self, value: float | None, digits: int = 0) -> str:
        """``1,234.5``, or ``1.234,5``."""
        if value is None or pd.isna(value):
            return MISSING
        return str(format_decimal(value, _pattern(digits), self.locale))

    def significant(self, value: float) -> str:
        """``0.1234``, ``1,234``: see `customer360.models.comparison.significant`."""
        shown = significant(value)
        digits = len(shown.partition(".")[2])
        return self.number(float(shown.replace(",", "")), digits)

    def money(self, value: float | None, digits: int | None = None) -> str:
        """``$1,234``; two digits below 100 when ``digits`` does not say."""
        if value is None or pd.isna(value):
            return MISSING
        shown = digits if digits is not None else (2 if abs(value) < 100 else 0)
        pattern = self.locale.currency_formats["standard"].pattern
        own = pattern.replace("#,##0.00", _pattern(shown))
        return self._apart(
            format_currency(value, self.currency, own, self.locale, currency_digits=False)
        )

    def short_money(self, value: float | None) -> str:
        """``$1.23M``: for a card, where the size is what counts."""
        if value is None or pd.isna(value):
            return MISSING
        if abs(value) < _WRITTEN_OUT:
            return self.money(value)
        unit = 1000 ** (int(math.log10(abs(value))) // 3)
        if (
            round(abs(value) / unit, 2) >= 1000
        ):  # 999,999 is a million, and not a thousand thousands
            value = math.copysign(1000 * unit, value)
        return self._apart(
            format_compact_currency(value, self.currency, locale=self.locale, fraction_digits=2)
        )

    def _apart(self, amount: str) -> str:
        """A currency's code stands apart from its digits, where a sign need not."""
        return re.sub(rf"{self.currency}(?=\d)", f"{self.currency}\xa0", amount)

    def percent(self, share: float | None, digits: int = 1) -> str:
        """``12.3%`` of a share of 0.123."""
        if share is None or pd.isna(share):
            return MISSING
        return str(format_percent(share, f"{_pattern(digits)}%", self.locale))

    def day(self, value: date | None) -> str:
        """``31 Dec 2025``, or ``31/12/2025``."""
        if value is None or pd.isna(value):
            return MISSING
        return format_date(value, _DAY[self.code], self.locale)

    def moment(self, value: datetime | None) -> str:
        """``31 Dec 2025, 23:59 (America/Sao_Paulo)``: on the clocks of the business."""
        if value is None or pd.isna(value):
            return MISSING
        there = value.astimezone(ZoneInfo(self.zone))
        return f"{self.day(there)}, {there:%H:%M} ({self.zone})"

    def days(self, value: float | None) -> str:
        """``42 days``."""
        return MISSING if value is None or pd.isna(value) else self("days", days=value)

    def reason(self, sentence: str) -> str:
        """A sentence of a model in the language; as it is where the model was an older one.

        Texts in it (a category, a way to pay) are said as `named` by the name of the field, and
        numbers as the language writes them: in the models' own language too.
        """
        return self._said_again(sentence) or sentence

    def _said_again(self, sentence: str) -> str | None:
        found = SENTENCES.read(sentence)
        if found is None:
            return None
        name, values = found
        said: dict[str, object] = {}
        for field, value in values.items():
            if field == "reason":
                inner = self._said_again(str(value))
                if inner is None:
                    return None
                said[field] = inner
            else:
                said[field] = self.named(field, value) if isinstance(value, str) else value
        return self(f"reason.{name}", **said)


def _pattern(digits: int) -> str:
    """A number with so many digits behind the point, in CLDR's notation."""
    return "#,##0." + "0" * digits if digits else "#,##0"


class _Writer(string.Formatter):
    """Fills a text; numbers of the kinds of `customer360.models.sentences` by the language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: Any, kind: str) -> str:
        if "|" in kind:
            one, many = kind.split("|")
            form = self.language.locale.plural_form(round(value))
            return f"{self.language.number(value)} {one if form == 'one' else many}"
        if kind == "%":
            return self.language.percent(value, 0)
        if kind in ("d", ".2f"):
            return self.language.number(value, 2 if kind == ".2f" else 0)
        return str(super().format_field(value, kind))
