"""What is said of a value that pydantic refuses, in the words of who wrote it and not of types."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

NAME = r"^[a-z][a-z0-9_]*$"
"""What a source or a reason may be called."""

CURRENCY = r"^[A-Z]{3}$"
"""ISO 4217 codes."""

COUNTRY = r"^[A-Z]{2}$"
"""ISO 3166 codes."""

_DAY = "a day like 2024-12-31"
_SHAPES: Mapping[str, str] = {
    "string_type": "text; put it in quotation marks",
    "list_type": "a list: begin each of its entries with `- `",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "date_from_datetime_parsing": _DAY,
    "date_from_datetime_inexact": _DAY,
    "date_parsing": _DAY,
    "date_type": _DAY,
    "path_type": "a file or folder",
}
"""What a value of another shape has to be, by pydantic's name of the mistake."""

_PATTERNS = {
    NAME: "small letters, digits and _, a letter first",
    CURRENCY: "an ISO code of three capital letters, like EUR",
    COUNTRY: "an ISO code of two capital letters, like BR",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "greater_than": ("gt", "more than"),
    "less_than": ("lt", "less than"),
}


def must_be(problem: ErrorDetails) -> str | None:
    """What a refused value has to be, as ``must be a whole number``.

    Returns:
        None where only the model's own words say it.
    """
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in _SHAPES:
        return f"must be {_SHAPES[kind]}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"must be {words} {context[name]}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "string_pattern_mismatch":
        means = _PATTERNS.get(context["pattern"])
        return f"must be {means}" if means else f"must match {context['pattern']}"
    return None


def own_words(problem: ErrorDetails) -> str:
    """What a validator of ours, or pydantic, says of a value that `must_be` has no words for."""
    text = str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
    if problem["type"] == "value_error":
        return text
    return re.sub(r"^(Input|String|List|Value) should ", "must ", text[:1].upper() + text[1:])


def meant(name: str, known: Iterable[str]) -> str | None:
    """The name of ``known`` that somebody who wrote ``name`` likely meant."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)), None)
