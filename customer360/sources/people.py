"""Which columns of raw rows tell who a person is, as each source states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

CUSTOMER = "customer"
"""Kind of identifier: the source's own id of the customer, as silver has it."""


@dataclass(frozen=True)
class PersonColumns:
    """How the rows of a bronze table are about people; kinds are the same in all of its source.

    Attributes:
        links: By kind of identifier, the column (typed as silver reads it) that tells whose row it
            is: `CUSTOMER`, or another kind that rows of the customer lead to.
        leads: By kind of identifier, what else is the customer's, by a row that is.
        keys: Columns of texts that tell orders and their lines apart.
        told_apart_by_all: Rows have no number of their own: all that one says tells it apart.
        kept: Columns of texts that describe a sale and nobody: its state, its currency.
        identifying: Columns whose values are one person's, wherever they stand: addresses and
            numbers of theirs.
        left_out: Whether a row is none by what it says of a person, so that it is no sale of nobody
            either; None: none is.
        profile: The rows say who somebody is, and nothing that happened.
    """

    links: Mapping[str, Column] = field(default_factory=dict)
    leads: Mapping[str, Column] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    told_apart_by_all: bool = False
    kept: tuple[str, ...] = ()
    identifying: tuple[str, ...] = ()
    left_out: Column | None = None
    profile: bool = False
