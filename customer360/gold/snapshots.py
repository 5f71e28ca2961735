"""The gold tables that are made as of a date, and what each is made of; loads no Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from customer360.contracts import Contract, packaged_tables
from customer360.table_names import AS_OF

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Inputs:
    """What the function ``snapshot`` of a table's module is given.

    Attributes:
        tables: By name (``layer/table``), the tables that the contract reads: of those that are
            snapshots themselves, the rows of ``as_of``; of others, all.
        as_of: The dates to make.
        time_zone: Where the business's days begin and end.
    """

    tables: Mapping[str, DataFrame]
    as_of: Sequence[date]
    time_zone: str = "UTC"

    def __getitem__(self, table: str) -> DataFrame:
        """The rows of one of the tables."""
        return self.tables[table]


def snapshot_tables() -> tuple[str, ...]:
    """The tables that a module of this package makes as of a date.

    Those that a model makes, or a look at models, do not say in their contracts what they read.
    """
    contracts = (Contract.load(name) for name in packaged_tables() if name.startswith("gold/"))
    return tuple(c.table for c in contracts if c.reads and c.partition_by == AS_OF)
