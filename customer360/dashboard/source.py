"""Answers of the warehouse, each asked for once as long as nothing new is published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import streamlit as st

from customer360.dashboard.connection import PublishedMeanwhileError, Reader, Reading

P = ParamSpec("P")
T = TypeVar("T")

KEPT_ANSWERS = 500
KEPT_SECONDS = 3_600


@dataclass(frozen=True)
class Source:
    """A warehouse at one publication.

    Attributes:
        reader: Who asks.
        place: Which warehouse, without password.
        version: Which publication: `Reading.version`.
    """

    reader: Reader
    place: str
    version: str

    def ask(
        self, query: Callable[Concatenate[Reading, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The answer of a function of `customer360.dashboard.queries`, kept for the next time.

        Raises:
            PublishedMeanwhileError: The warehouse is at another publication by now.
            NotMadeError: A table or column is not there.
            WarehouseError: The server does not answer.
        """
        name = f"{query.__module__}.{query.__qualname__}"
        return cast(T, _answer(self, query, self.place, self.version, name, args, kwargs))

    def ask_now(self, query: Callable[[Reading], T]) -> T:
        """The answer of this moment, of what changes without a publication.

        Raises:
            WarehouseError: The server does not answer.
        """
        with self.reader.reading() as reading:
            return query(reading)


@st.cache_data(show_spinner=False, max_entries=KEPT_ANSWERS, ttl=KEPT_SECONDS)
def _answer(
    _source: Source,
    _query: Callable[..., Any],
    place: str,
    version: str,
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    with _source.reader.reading() as reading:
        if reading.version() != version:
            raise PublishedMeanwhileError("the warehouse has just been published anew")
        return _query(reading, *args, **kwargs)
