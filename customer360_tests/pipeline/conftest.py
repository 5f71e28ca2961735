"""A short data set, loaded at once in one deployment and day by day in another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.days import DayRange
from customer360.models.churn.spec import CHURN
from customer360.models.lifetime_value.spec import LIFETIME_VALUE
from customer360.pipeline import audit, load_silver, make_gold, run_models
from customer360.pipeline.account import reconcile
from customer360.pipeline.bronze_accounts import BronzeLoaded
from customer360.pipeline.load_bronze import load_bronze
from customer360.pipeline.load_silver import TransactionsLoaded
from customer360.pipeline.workspace import Workspace
from customer360.sources.synthetic import DefectRates
from customer360.table_names import COHORTS, CUSTOMER_360, FEATURES, FIRST_ORDERS, RFM
from customer360_tests.deployments import Home, make_home

DAYS = DayRange(date(2024, 1, 1), date(2024, 1, 6))
FIRST_LOAD_TO = date(2024, 1, 3)

# Late and repeated rows above all: they are what the order of loading could change.
DEFECTS = DefectRates(
    duplicate_same_day=0.06,
    duplicate_later=0.10,
    late=0.15,
    missing_customer=0.02,
    unknown_customer=0.03,
    bad_date=0.02,
    wrong_type=0.02,
    negative_amount=0.02,
    unknown_currency=0.02,
    broken_text=0.02,
    untidy_text=0.10,
    customer_duplicate_same_day=0.05,
    customer_duplicate_later=0.10,
    customer_late=0.20,
    customer_missing_id=0.02,
    customer_bad_birth_date=0.02,
    customer_bad_email=0.02,
    customer_broken_text=0.02,
    customer_untidy_text=0.10,
    max_days_late=5,
)


# So short that even these few days have customers who churned.
WINDOWS: dict[str, Any] = {"churn_horizon_days": 1, "churn_activity_days": 2}


@dataclass(frozen=True)
class Loaded:
    """What loading one range did."""

    bronze: dict[str, BronzeLoaded]
    transactions: TransactionsLoaded


def load(home: Home, days: DayRange, run_id: str = "test") -> Loaded:
    """Bronze, silver and the business's days of ``days``, as the assets do it."""
    work = home.workspace(run_id)
    bronze = {
        table: load_bronze(work, source, table, days)
        for source in work.deployment.sources
        for table in source.tables
    }
    load_silver.load_customers(work, days)
    load_silver.load_customer_history(work, days)
    transactions = load_silver.load_transactions(work, days)
    load_silver.load_customer_days(work, days)
    make_gold.make_business_health(work, days)
    assert not audit.rows_astray(work, transactions.days, transactions.accounting)
    assert not audit.money_astray(work, transactions.days, transactions.money)
    assert not reconcile(work.tables, work.deployment).differences
    return Loaded(bronze, transactions)


def make_snapshots(work: Workspace, as_of: list[date]) -> None:
    """Gold of ``as_of``, with models trained on its last day, as the assets do it."""
    for table in (FEATURES, FIRST_ORDERS, RFM, COHORTS):
        make_gold.make_snapshots(work, table, as_of)
    for spec in (LIFETIME_VALUE, CHURN):
        run_models.train(work, spec, as_of[-1])
        run_models.score(work, spec, as_of)
    make_gold.make_snapshots(work, CUSTOMER_360, as_of)


@pytest.fixture(scope="session")
def at_once(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Loaded]:
    """All days in one load. Tests leave its content as it is."""
    home = make_home(
        spark,
        tmp_path_factory.mktemp("at_once"),
        first=DAYS.first,
        last=DAYS.last,
        customers=250,
        defects=DEFECTS,
        **WINDOWS,
    )
    loaded = load(home, DAYS)
    make_snapshots(home.workspace(), [DAYS.last])
    return home, loaded


@pytest.fixture(scope="session")
def day_by_day(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, at_once: tuple[Home, Loaded]
) -> tuple[Home, dict[date, Loaded]]:
    """The same raw data: some days as a first load has them, each other day its own load.

    With gold at the end, and what each of those nights did. Tests only read it.
    """
    home = make_home(
        spark,
        tmp_path_factory.mktemp("day_by_day"),
        first=DAYS.first,
        last=DAYS.last,
        customers=0,
        defects=DEFECTS,
        raw=at_once[0].source.folder.absolute(),
        **WINDOWS,
    )
    load(home, DayRange(DAYS.first, FIRST_LOAD_TO), "first load")
    nights = (day for day in DAYS if day > FIRST_LOAD_TO)
    loaded = {day: load(home, DayRange(day, day), f"night of {day}") for day in nights}
    make_snapshots(home.workspace(), [DAYS.last])
    return home, loaded


@contextmanager
def copied(home: Home, folder: Path) -> Iterator[Home]:
    """A deployment in ``folder`` over a copy of ``home``'s raw data, which may be damaged."""
    shutil.copy(home.folder / "customer360.yaml", folder)
    shutil.copytree(home.source.folder, folder / "raw" / "synthetic")
    yield Home.at(home.spark, folder)
