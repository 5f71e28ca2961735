"""A language: its texts, and how it writes numbers, money and dates.

Texts have fields, as of `str.format`, which are filled in the language's own way where they name
one of these kinds:

- ``{gap:day|days}``: a whole number and its noun, a form for each of the language's plural
  categories in CLDR's order (the last one for all that have none): ``1 day``;
- ``{since:ago}``: how many days before the one that is looked at: ``3 days ago``, or ``on the
  last day``;
- ``{spent:d}``: a whole number; ``{value:.2f}``: one with so many decimals;
- ``{value:g}``: a number whose size is not known beforehand;
- ``{share:%}``: a share, in whole percent; ``{share:.1%}``: with so many decimals;
- ``{as_of:day}``: a day, as ISO 8601 writes it;
- ``{channel}``: text.
"""

from __future__ import annotations

import functools
import json
import math
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

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

MISSING = "–"

CODED = {"segment": "segment", "churn_risk": "risk", "next_best_action": "action"}
"""Columns of ``gold/customer_360`` that hold codes: the group of their words, for `named`."""

_PLURALS = ("zero", "one", "two", "few", "many", "other")
"""CLDR's plural categories, in its order."""

_DECIMALS = re.compile(r"\.(\d)f")
_PERCENT = re.compile(r"(?:\.(\d))?%")

_WRITTEN_OUT = 10_000
"""Below it an amount is short enough to be written out."""


@functools.cache
def texts(language: str) -> Mapping[str, str]:
    """All texts of a language by dotted key, as ``<language>.yaml`` nests them."""
    packaged = resources.files("customer360.language").joinpath(f"{language}.yaml")
    return dict(_flat(yaml.safe_load(packaged.read_text(encoding="utf-8"))))


def _flat(nested: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in nested.items():
        key = f"{above}{name}"
        pairs += _flat(value, f"{key}.") if isinstance(value, dict) else [(key, str(value).strip())]
    return pairs


def _languages() -> Iterator[str]:
    for file in resources.files("customer360.language").iterdir():
        code, _, ending = file.name.partition(".")
        if ending == "yaml":
            yield code


LANGUAGES = {code: texts(code)["language.name"] for code in sorted(_languages())}
"""What each language calls itself, by its code."""


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

        Numbers of the module's kinds are written as the language does.
        """
        text = texts(self.code)[key]
        return _Writer(self).vformat(text, (), values) if values else text

    def named(self, group: str, name: str | None) -> str:
        """What a code of the data is called, by ``<group>.<name>``; itself if nobody said.

        For values that come from the data: a segment, a risk, the reason of a quarantine.
        """
        if name is None or _missing(name):
            return MISSING
        return texts(self.code).get(f"{group}.{name}", str(name).replace("_", " "))

    def figure(self, name: str) -> str:
        """What a figure of a model is called: ``purchases_mae`` is ``mae`` of the purchases."""
        for key in texts(self.code):
            group, _, part = key.partition(".")
            if group == "figure_of" and name.startswith(f"{part}_"):
                return self(key, figure=self.figure(name.removeprefix(f"{part}_")))
        return self.named("figure", name)

    def worded(self, group: str, text: str) -> str:
        """A text of people's data by ``<group>.<text>``, where there is a word; else as it is."""
        return texts(self.code).get(f"{group}.{text}", text)

    @property
    def locale(self) -> Locale:
        """Babel's rules of the language: how numbers, money and dates are written, and plurals."""
        return _locale(texts(self.code)["language.locale"])

    @property
    def tag(self) -> str:
        """The language as browsers and screen readers know it (BCP 47): ``pt-BR``."""
        return str(self.locale).replace("_", "-")

    @property
    def symbol(self) -> str:
        """How the currency is written before an amount; its code stands apart."""
        symbol = get_currency_symbol(self.currency, self.locale)
        return f"{symbol} " if symbol == self.currency else symbol

    def number(self, value: float | Decimal | None, digits: int = 0) -> str:
        """``1,234.5``, or ``1.234,5``."""
        if value is None or _missing(value):
            return MISSING
        return str(format_decimal(_rounded(value, digits), _pattern(digits), self.locale))

    def significant(self, value: float) -> str:
        """A figure whose size is not known beforehand: ``0.1235``, ``1,235``, ``123,457``.

        Four significant digits, or more where that many are before the point; never an exponent,
        so that a small figure is read alike wherever the point is a comma. NaN is the empty text.
        """
        if not math.isfinite(value):
            return "" if math.isnan(value) else str(value)
        # What is left of adding up to nothing is nothing.
        if abs(value) < 1e-9:
            return self.number(0)
        if abs(value) >= _WRITTEN_OUT:
            return self.number(value)
        shown = Decimal(f"{value:.4g}")
        return self.number(shown, max(0, -int(shown.as_tuple().exponent)))

    def money(self, value: float | None, digits: int | None = None) -> str:
        """``$1,234``; two digits below 100 when ``digits`` does not say."""
        if value is None or _missing(value):
            return MISSING
        shown = digits if digits is not None else (2 if abs(value) < 100 else 0)
        pattern = self.locale.currency_formats["standard"].pattern
        own = pattern.replace("#,##0.00", _pattern(shown))
        return self._apart(
            format_currency(
                _rounded(value, shown), self.currency, own, self.locale, currency_digits=False
            )
        )

    def short_money(self, value: float | None) -> str:
        """``$1.23M``: for a card, where the size is what counts."""
        if value is None or _missing(value):
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

    @property
    def short_forms(self) -> dict[str, str]:
        """What stands behind the digits of `short_money`, by SI's prefix: ``M``, ``B``, or `` mi``.

        Charts write by SI's prefixes, in which a thousand million is a ``G``.
        """
        forms = self.locale.compact_currency_formats["short"]["other"]
        return {si: forms[str(1000**power)].suffix[0] for power, si in enumerate("kMGT", 1)}

    def _apart(self, amount: str) -> str:
        """A currency's code stands apart from its digits, where a sign need not."""
        return re.sub(rf"{self.currency}(?=\d)", f"{self.currency}\xa0", amount)

    def percent(self, share: float | None, digits: int = 1) -> str:
        """``12.3%`` of a share of 0.123."""
        if share is None or _missing(share):
            return MISSING
        return str(format_percent(_rounded(share, digits + 2), f"{_pattern(digits)}%", self.locale))

    def change(self, share: float | None, digits: int = 1) -> str:
        """``+12.3%``: a share by which something has changed, with its sign; ``0.0%`` has none."""
        if share is None or _missing(share):
            return MISSING
        return f"{'+' if _rounded(share, digits + 2) > 0 else ''}{self.percent(share, digits)}"

    def day(self, value: date | None) -> str:
        """``31 Dec 2025``, or ``31/12/2025``."""
        if value is None or _missing(value):
            return MISSING
        return format_date(value, texts(self.code)["language.day"], self.locale)

    def month(self, value: date | None) -> str:
        """``Dec 2025``, or ``dez. 2025``."""
        if value is None or _missing(value):
            return MISSING
        return format_date(value, "MMM y", self.locale)

    def moment(self, value: datetime | None) -> str:
        """``31 Dec 2025, 23:59 (America/Sao_Paulo)``: on the clocks of the business."""
        if value is None or _missing(value):
            return MISSING
        local = value.astimezone(ZoneInfo(self.zone))
        return f"{self.day(local)}, {local:%H:%M} ({self.zone})"

    def days(self, value: float | None) -> str:
        """``42 days``."""
        return MISSING if value is None or _missing(value) else self("days", days=value)

    def ago(self, days: float | None) -> str:
        """``3 days ago`` or, of the day itself that is looked at, ``on the last day``.

        It is not called today: figures are of the as-of date, which is over.
        """
        if days is None or _missing(days):
            return MISSING
        return self("ago.days", days=days) if round(days) else self("ago.last_day")

    def reason(self, code: str, values: str | None) -> str:
        """Why a model says what it says, as a sentence.

        Texts in it (a category, a way to pay) are said as `named` by the name of the field, and
        numbers as the language writes them.

        Args:
            code: As it is stored, in ``reason_1``.
            values: What is stored beside it, in ``reason_1_values``: a JSON object. A reason
                without is of an older release, and is shown as it is.

        Returns:
            The sentence; the code where this release has no words for it, as for one of a newer
            release.
        """
        if values is None or _missing(values):
            return code
        fields: dict[str, Any] = json.loads(values)
        effect = fields.pop("effect", None)
        written = {
            name: self.named(name, value) if isinstance(value, str) else value
            for name, value in fields.items()
        }
        sentence = self._said(f"reason.{code}", written)
        if sentence is None:
            return code
        if effect is None:
            return sentence
        return self._said(f"effect.{effect}", {"reason": sentence}) or sentence

    def note(self, code: str, values: Mapping[str, Any]) -> str:
        """What a reader of a model must know, as a sentence without its full stop.

        Args:
            code: Of `customer360.models.notes.Note`.
            values: Of the note. A note among them is a pair of code and values, and several are a
                list of these; a text may be a code that has a name by the name of its field.

        Returns:
            The sentence; the code where this release has no words for it.
        """
        written = {name: self._written(name, value) for name, value in values.items()}
        return self._said(f"note.{code}", written) or code

    def _written(self, name: str, value: Any) -> Any:
        """A value of a note, ready for its text."""
        match value:
            case [str() as code, dict() as values]:
                return self.note(code, values)
            case list() | tuple():
                return ", ".join(str(self._written(name, each)) for each in value)
            case str() if name == "figure":
                return self.figure(value)
            case _:
                return texts(self.code).get(f"{name}.{value}", value)

    def _said(self, key: str, values: Mapping[str, Any]) -> str | None:
        """The text of ``key``; None where it is not known, or has fields that have no value."""
        try:
            return self(key, **values)
        except KeyError:
            return None


@functools.cache
def _locale(name: str) -> Locale:
    return Locale.parse(name)


def _missing(value: object) -> bool:
    """Whether ``value`` is NaN or NaT, which alone differ from themselves."""
    return bool(value != value)


def _rounded(value: float | Decimal, digits: int) -> Decimal:
    """``value`` to so many decimals, halves away from zero; a nothing has no sign."""
    exact = Decimal(str(value))
    # What is larger has no decimals to speak of.
    if not exact.is_finite() or abs(exact) >= 10**20:
        return exact
    return exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) + 0


def _pattern(digits: int) -> str:
    """A number with so many digits behind the point, in CLDR's notation."""
    return "#,##0." + "0" * digits if digits else "#,##0"


class _Writer(string.Formatter):
    """Fills a text; numbers of the module's kinds by the language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: Any, kind: str) -> str:
        if value is None:
            return MISSING
        if "|" in kind:
            forms, locale = kind.split("|"), self.language.locale
            used = [name for name in _PLURALS if name in {*locale.plural_form.tags, "other"}]
            form = used.index(locale.plural_form(round(value)))
            return f"{self.language.number(value)} {forms[min(form, len(forms) - 1)]}"
        if kind == "ago":
            return self.language.ago(value)
        if kind == "d":
            return self.language.number(value)
        if kind == "g":
            return self.language.significant(value)
        if kind == "day":
            return self.language.day(date.fromisoformat(value))
        if decimals := _DECIMALS.fullmatch(kind):
            return self.language.number(value, int(decimals[1]))
        if percent := _PERCENT.fullmatch(kind):
            return self.language.percent(value, int(percent[1] or 0))
        return str(super().format_field(value, kind))
