"""Sentences with figures in them, by templates: said of many rows at once, and read back.

A template is text with fields, as of `str.format`, of these kinds:

- ``{ago:day|days}``: a whole number, and the word for one or for any other: ``1 day``;
- ``{spent:d}``: a whole number;
- ``{value:.2f}``: an amount with two decimals;
- ``{share:%}``: a share in whole percent: ``21 %``;
- ``{channel}``: text.

The template that a sentence was said by recognises it. So what is stored as a sentence can be said
in another language, by a template with the same fields.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.object_]
Values = Mapping[str, float | str]
"""Values of a sentence's fields, by name."""

_INTEGER = "-?[0-9]+"


@dataclass(frozen=True)
class Template:
    """One way to say something.

    Attributes:
        text: With its fields.
    """

    text: str

    @cached_property
    def parts(self) -> tuple[tuple[str, str | None, str], ...]:
        """Plain text, then name and kind of the field behind it; None for no field."""
        parsed = string.Formatter().parse(self.text)
        return tuple((plain, name, kind or "") for plain, name, kind, _ in parsed)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What its sentences look like."""
        looks = (
            re.escape(plain) + ("" if name is None else _look(name, kind))
            for plain, name, kind in self.parts
        )
        return re.compile("".join(looks), re.DOTALL)

    def said(self, values: Mapping[str, Any], rows: int) -> Texts:
        """Its sentences of ``rows`` rows, given an array by field; a missing number is 0."""
        columns: list[list[Any]] = []
        whole = ""
        for plain, name, kind in self.parts:
            whole += plain.replace("%", "%%")
            if name is not None:
                written, more = _written(values[name], kind)
                whole += written
                columns += more
        if not columns:
            return np.full(rows, whole % (), dtype=object)
        return np.array([whole % row for row in zip(*columns, strict=True)], dtype=object)

    def read(self, sentence: str) -> Values | None:
        """The values in one of its sentences; None for another sentence."""
        found = self.pattern.fullmatch(sentence)
        if found is None:
            return None
        kinds = {name: kind for _, name, kind in self.parts if name is not None}
        return {name: _value(text, kinds[name]) for name, text in found.groupdict().items()}


@dataclass(frozen=True)
class Sentences:
    """All that somebody can say.

    Attributes:
        texts: The templates by name.
    """

    texts: Mapping[str, str]

    @cached_property
    def templates(self) -> Mapping[str, Template]:
        """The templates, ready to say and to read."""
        return {name: Template(text) for name, text in self.texts.items()}

    def say(self, cases: Mapping[str, Any], **values: Any) -> Texts:
        """One sentence a row.

        Args:
            cases: Rows (True for all that are left) by name of the template that is for them; of
                several the first is. Every row needs one.
            values: An array by field, a row each; at least one.
        """
        rows = len(next(iter(values.values())))
        said = np.full(rows, None, dtype=object)
        left = np.full(rows, True)
        for name, holds in cases.items():
            here = left & np.asarray(holds, dtype=bool)
            if here.all():
                return self.templates[name].said(values, rows)
            if here.any():
                some = {field: np.asarray(array)[here] for field, array in values.items()}
                said[here] = self.templates[name].said(some, int(here.sum()))
                left &= ~here
        return said

    def read(self, sentence: str) -> tuple[str, Values] | None:
        """Name of the template that ``sentence`` is of, and its values; None for no template."""
        for name, template in self._most_words_first:
            values = template.read(sentence)
            if values is not None:
                return name, values
        return None

    @cached_property
    def _most_words_first(self) -> Iterable[tuple[str, Template]]:
        """What ``first paid by {payment_type}`` says of unknown means has a template of its own."""
        return sorted(
            self.templates.items(), key=lambda item: -sum(len(p[0]) for p in item[1].parts)
        )


def _written(values: Any, kind: str) -> tuple[str, list[list[Any]]]:
    """How Python's ``%`` writes a field, and the columns of what it writes there."""
    if not kind:
        return "%s", [np.asarray(values, dtype=object).tolist()]
    numbers = np.nan_to_num(np.asarray(values, dtype=float))
    if kind == ".2f":
        return "%.2f", [numbers.tolist()]
    whole = np.round(numbers * 100 if kind == "%" else numbers).astype(np.int64)
    if "|" in kind:
        one, many = kind.split("|")
        return "%d %s", [whole.tolist(), np.where(whole == 1, one, many).tolist()]
    return "%d %%" if kind == "%" else "%d", [whole.tolist()]


def _look(name: str, kind: str) -> str:
    """Pattern of the texts of a field, with its value as a group."""
    if not kind:
        return f"(?P<{name}>.*)"
    if "|" in kind:
        return f"(?P<{name}>{_INTEGER}) (?:{kind})"
    if kind == "%":
        return f"(?P<{name}>{_INTEGER}) %"
    return f"(?P<{name}>{_INTEGER}{'[.][0-9]{2}' if kind == '.2f' else ''})"


def _value(text: str, kind: str) -> float | str:
    if not kind:
        return text
    return float(text) / 100 if kind == "%" else float(text)
