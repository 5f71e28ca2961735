"""A shop's files and mapping, loaded as a run loads them, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.deployment import Deployment
from customer360.lakehouse.tables import Lakehouse
from customer360.pipeline import audit, load_silver
from customer360.pipeline.account import reconcile
from customer360.pipeline.bronze_accounts import BronzeLoaded
from customer360.pipeline.load_bronze import load_bronze
from customer360.pipeline.load_silver import TransactionsLoaded
from customer360.pipeline.workspace import Workspace
from customer360.settings import Settings
from customer360.silver.transactions import Accounting
from customer360.sources.base import Source
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping
from customer360_tests.deployments import columns_of, rows_of

_CHANGES = count(1)


@dataclass(frozen=True)
class Loaded:
    """What one load did."""

    bronze: BronzeLoaded
    silver: TransactionsLoaded

    @property
    def account(self) -> Accounting:
        (account,) = self.silver.accounting.values()
        return account


@dataclass(frozen=True)
class Shop:
    """A deployment of one mapped source; ``history`` is made where a test looks at it."""

    work: Workspace
    folder: Path
    history: bool = False

    @property
    def source(self) -> Source:
        return self.work.deployment.sources[0]

    @property
    def lakehouse(self) -> Lakehouse:
        return self.work.lakehouse

    def deliver(self, name: str, *lines: str) -> None:
        """Put a file there, or another in its place."""
        file = self.folder / name
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        # Another modification time, however fast the clock's ticks and the test follow.
        os.utime(file, ns=(0, next(_CHANGES) * 1_000_000_000))

    def withdraw(self, name: str) -> None:
        (self.folder / name).unlink()

    def load(self, first: date | None = None, last: date | None = None) -> Loaded:
        """Bronze and silver of the days, all of the deployment's where none are named."""
        every = self._every_day()
        days = DayRange(first or every.first, last or first or every.last)
        bronze = self._load_people(days)
        silver = load_silver.load_transactions(self.work, days)
        load_silver.load_customer_days(self.work, days)
        assert not audit.rows_astray(self.work, silver.days, silver.accounting)
        assert not audit.money_astray(self.work, silver.days, silver.money)
        if self.source.has_lines:
            assert audit.lines_astray(self.work, silver.days).description is None
        assert not reconcile(self.work.tables, self.work.deployment).differences
        loaded = Loaded(bronze, silver)
        assert loaded.account.missing == 0
        return loaded

    def load_profiles(self, day: date) -> None:
        """Of one day's delivery, what it says of customers."""
        self._load_people(DayRange(day, day))

    def receive(self, days: DayRange | None = None) -> BronzeLoaded:
        """Bronze alone, where nothing is asked of what is made of it."""
        (table,) = self.source.tables
        bronze = load_bronze(self.work, self.source, table, days or self._every_day())
        assert not bronze.not_conserved
        return bronze

    def _every_day(self) -> DayRange:
        deployment = self.work.deployment
        return DayRange(deployment.settings.start_date, deployment.last_day())

    def _load_people(self, days: DayRange) -> BronzeLoaded:
        bronze = self.receive(days)
        load_silver.load_customers(self.work, days)
        if self.history:
            load_silver.load_customer_history(self.work, days)
        return bronze

    def columns(self, table: str) -> list[str]:
        """Names of a table's columns."""
        return columns_of(self.lakehouse, table)

    def rows(self, table: str, *columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        """Rows of a table as text, in order; columns and condition are SQL as DuckDB reads it."""
        asked = (f'"{name}"' if name.isidentifier() else name for name in columns)
        texts = ", ".join(f"CAST({name} AS VARCHAR)" for name in asked)
        with rows_of(self.lakehouse, table) as found:
            return sorted(found.filter(where).project(texts).fetchall(), key=_in_words)

    def orders(self) -> list[tuple[Any, ...]]:
        """Day, order, kind and amount of all silver transactions."""
        return self.rows("silver/transactions", "business_date", "order_id", "kind", "amount")

    def customers(self, *columns: str) -> dict[str, tuple[Any, ...]]:
        """Columns of silver/customers, by the source's own id."""
        rows = self.rows("silver/customers", "source_customer_id", *columns)
        return {row[0]: row[1:] for row in rows}

    def net(self) -> Decimal:
        """Net revenue of all customers and days."""
        query = "SELECT sum(net_revenue) FROM days"
        ((net,),) = self.work.tables.ask(query, days="silver/customer_days")
        return net or Decimal(0)

    def reasons(self) -> dict[str, int]:
        """Rows that silver kept out, by reason."""
        if not self.lakehouse.exists("quarantine/transactions"):
            return {}
        query = "SELECT reasons[1], count(*) FROM excluded GROUP BY ALL"
        return dict(self.work.tables.ask(query, excluded="quarantine/transactions"))


def _in_words(row: tuple[Any, ...]) -> list[str]:
    return [str(value) for value in row]


def load_but_stop_at(table: str, shop: Shop, monkeypatch: pytest.MonkeyPatch, *days: date) -> None:
    """A load that is killed where it would write ``table``, by days."""
    replace_days = Lakehouse.replace_days

    def killed(self: Lakehouse, contract: Contract, *given: Any, **named: Any) -> Any:
        if contract.table == table:
            raise KeyboardInterrupt
        return replace_days(self, contract, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Lakehouse, "replace_days", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.load(*days)


def deployment_of(source: Source, home: Path, first: date, last: date) -> Deployment:
    settings = Settings(
        home=home, start_date=first, end_date=last, customer_key_secret="known to the tests"
    )
    return Deployment(settings, (source,))


def open_shop(
    spark: SparkSession,
    folder: Path,
    mapping: str,
    files: Mapping[str, tuple[str, ...]] | None = None,
    *,
    first: date,
    last: date,
    history: bool = False,
) -> Shop:
    """A shop in ``folder`` with these files."""
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    source = FilesSource(parse_mapping(mapping, where="shop.yaml"), raw)
    lakehouse = Lakehouse(spark, folder / "lakehouse")
    work = Workspace(lakehouse, deployment_of(source, folder, first, last), "test")
    shop = Shop(work, raw, history)
    for name, lines in (files or {}).items():
        shop.deliver(name, *lines)
    return shop
