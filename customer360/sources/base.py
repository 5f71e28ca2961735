"""What every source offers the pipeline."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.sources.people import PersonColumns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Delivery = Literal["daily", "extract"]
Conflicts = Literal["quarantine", "stop"]


class Source(ABC):
    """A place raw data comes from.

    Attributes:
        name: Short name, part of every customer key; bronze tables begin with ``<name>_``.
        currency: ISO code of all the source's amounts.
        time_zone: IANA zone of the source's local times.
        closed: The data set no longer grows, so partitions end with its last day.
        order_lines: Staged rows are order lines, to be summed to orders.
        has_lines: It tells what an order is made of, line by line: its rows are lines, or
            `staged_lines` gives those of its orders.
        has_customers: The source has its own customer master: a transaction whose customer is
            not in it is excluded. Otherwise customers derive from transactions.
        states_keys: Rows have ids of their own, which stay when a row is corrected. Where a key is
            made of all that a row says, no row is ever found again under it with other content.
        conflicts: What becomes of an order of which several rows are equally good: it is kept out
            of silver (``quarantine``), or the load stops (``stop``); None: kept out as long as
            these are few.
        event_dates_in_utc: The event times carry their offset, so bronze's ``_event_date`` is
            the UTC date and not the local one.
        exclusion_reasons: What it may give in ``excluded_because``; silver's accounts name each.
        stated_exclusions: Reasons for which rows are left out because the user said so: however
            many they are, nothing is wrong.
        splits_rows: A row may become two transactions, a sale and the refund beside it.
        tables: Bronze tables, without the layer.
        cache: Where copies lie of files that cannot be read as they are; None: there are none.
        transactions_table: The one of ``tables`` whose rows are the transactions.
    """

    name: str
    currency: str
    time_zone: str
    closed: bool
    order_lines: bool
    has_lines: bool = False
    has_customers: bool
    states_keys: bool = True
    conflicts: Conflicts | None = None
    event_dates_in_utc: bool = False
    exclusion_reasons: tuple[str, ...] = ()
    stated_exclusions: tuple[str, ...] = ()
    splits_rows: bool = False
    tables: tuple[str, ...]
    transactions_table: str
    cache: Path | None = None

    @property
    def event_zones(self) -> frozenset[str]:
        """Zones in which bronze's ``_event_date`` may be stated."""
        return frozenset({"UTC" if self.event_dates_in_utc else self.time_zone})

    def contract(self, table: str) -> Contract:
        """The contract of bronze table ``table``."""
        return Contract.load(f"bronze/{table}")

    def delivery(self, table: str) -> Delivery:
        """``daily`` when raw rows come in one folder or file a day, else ``extract``."""
        return "daily" if self.contract(table).properties.get("delivery") == "daily" else "extract"

    def header_of(self, table: str, column: str) -> str:
        """What the source itself calls a column of bronze table ``table``."""
        return column

    @abstractmethod
    def available(self) -> DayRange:
        """First and last business day that the raw data holds.

        Raises:
            BrokenFileError: The raw data is missing or unreadable.
        """

    def suspicions(self) -> list[str]:
        """What `available` saw that may be wrong although it can be read, a sentence each."""
        return []

    @abstractmethod
    def fingerprint(self, table: str) -> str:
        """Changes when the files behind an extract change: names, sizes, modification times."""

    @abstractmethod
    def read_raw(self, spark: SparkSession, table: str, start: date, end: date) -> DataFrame:
        """Raw rows of ``table`` as text.

        Args:
            spark: The session.
            table: Bronze table, without the layer.
            start: First delivery day, for daily deliveries; extracts come whole.
            end: Last delivery day, included.

        Returns:
            The contract's columns as text, ``_rescued`` (JSON of columns the contract does not
            know, or null), ``_source_file``, ``_delivered_on`` (date; null for extracts) and,
            for text files, ``_corrupt_record`` (the raw line where it could not be split).

        Raises:
            BrokenFileError: A file misses a column, is unreadable or wrongly delimited.
        """

    def key_of_nobody(self, table: str) -> tuple[str, ...]:
        """Bronze columns that stay of a refused row of somebody forgotten, so that it is found."""
        return ()

    def drop_copies(self) -> None:
        """Delete copies of its files that were made to be read; they are made again when needed."""
        if self.cache is not None:
            shutil.rmtree(self.cache, ignore_errors=True)

    def person_columns(self, table: str) -> PersonColumns:
        """How the rows of bronze table ``table`` are about people; of nobody, unless it says so."""
        return PersonColumns()

    @abstractmethod
    def staged_customers(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """Profile rows, one for each time a profile was stated, from the bronze tables."""

    @abstractmethod
    def staged_transactions(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """Transactions (orders or order lines) from the bronze tables, typed, not deduplicated."""

    def staged_lines(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """What orders are made of, where the staged transactions are orders: each line once.

        Returns:
            ``order_id`` and ``line_key`` (string), ``product_id``, ``category`` (string or null),
            ``quantity`` (pieces), ``amount`` (money, of which ``freight`` is the shipping).

        Raises:
            NotImplementedError: The source has no such lines.
        """
        raise NotImplementedError(f"{self.name} has no lines beside its orders")


@dataclass(frozen=True)
class Poll:
    """What was read at once of a table that changes in place.

    Attributes:
        raw: Rows as `Source.read_raw` gives them: all there are, or those that may have changed.
        rows: How many, by the source's own count.
        whole: ``raw`` holds all rows there are.
        watermark: Up to where changes are known now, to be given to the next poll; None where
            only a whole one finds them.
        keys: The keys of all rows there are, where the source was asked to find deleted rows and
            ``raw`` does not hold them all.
    """

    raw: DataFrame
    rows: int
    whole: bool
    watermark: str | None
    keys: DataFrame | None = None


class ChangingSource(Source):
    """A source whose rows change in place, as a database's do: bronze is kept equal to it.

    Attributes:
        finds_deleted: A row that bronze has and the source has no more is taken from bronze and
            recorded in quarantine.
    """

    finds_deleted: bool = False

    @abstractmethod
    def key(self, table: str) -> tuple[str, ...]:
        """Bronze columns that tell rows apart; none where polls are whole and deletes unnoticed."""

    def key_of_nobody(self, table: str) -> tuple[str, ...]:
        """The key, by which bronze is kept equal to the source; none where it is a person's own."""
        key = self.key(table)
        return () if set(key) & set(self.contract(table).personal_columns) else key

    @abstractmethod
    def poll(
        self, spark: SparkSession, table: str, watermark: str | None
    ) -> AbstractContextManager[Poll]:
        """One state of the table, which its frames read as long as the ``with`` lasts.

        Args:
            spark: The session.
            table: Bronze table, without the layer.
            watermark: Where an earlier poll stood; None reads everything.
        """
