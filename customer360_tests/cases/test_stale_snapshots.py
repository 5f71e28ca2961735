"""Snapshots of days that a later delivery changed are told from those that still hold."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.pipeline import make_gold
from customer360.pipeline.stale_snapshots import (
    digests_note,
    digests_noted,
    in_window,
    remedy,
    stale_snapshots,
)
from customer360.settings import Settings
from customer360.table_names import CUSTOMER_360, FEATURES, RFM
from customer360_tests.cases.loaded_files import ORDERS
from customer360_tests.cases.shop import Shop, open_shop
from customer360_tests.stored import put

HEAD = "id,who,day,sum"
JANUARY = ("1,A,2024-01-05,10.00", "2,B,2024-01-20,20.00")
FEBRUARY = ("3,A,2024-02-10,30.00",)
MARCH = ("4,B,2024-03-31,40.00",)
END_OF_JANUARY, END_OF_FEBRUARY, END_OF_MARCH = (
    date(2024, 1, 31),
    date(2024, 2, 29),
    date(2024, 3, 31),
)


@pytest.fixture(scope="module")
def loaded(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three months, with a snapshot of the end of each."""
    folder = tmp_path_factory.mktemp("three_months")
    files = {"orders.csv": (HEAD, *JANUARY, *FEBRUARY, *MARCH)}
    shop = open_shop(spark, folder, ORDERS, files, first=date(2024, 1, 1), last=END_OF_MARCH)
    shop.load()
    dates = [END_OF_JANUARY, END_OF_FEBRUARY, END_OF_MARCH]
    assert not make_gold.make_snapshots(shop.work, FEATURES, dates).stale
    return folder


@pytest.fixture
def shop(spark: SparkSession, loaded: Path, tmp_path: Path) -> Shop:
    """A copy of it, to be changed."""
    shutil.copytree(loaded, tmp_path, dirs_exist_ok=True)
    return open_shop(spark, tmp_path, ORDERS, first=date(2024, 1, 1), last=END_OF_MARCH)


def test_a_changed_day_makes_the_snapshots_after_it_stale_and_no_other(shop: Shop) -> None:
    # The order of February is of another amount, and that of the end of March came earlier.
    shop.deliver("orders.csv", HEAD, *JANUARY, "3,A,2024-02-10,31.00", "4,B,2024-03-12,40.00")
    shop.load()
    assert stale_snapshots(shop.work.tables) == [END_OF_FEBRUARY, END_OF_MARCH]
    made = make_gold.make_snapshots(shop.work, FEATURES, [END_OF_MARCH])
    assert made.stale == [END_OF_FEBRUARY]
    assert stale_snapshots(shop.work.tables) == [END_OF_FEBRUARY]
    features = shop.rows(
        "gold/customer_features",
        "as_of",
        "recency",
        "net_revenue",
        where="as_of = DATE '2024-03-31'",
    )
    assert features == [("2024-03-31", "36", "41.0"), ("2024-03-31", "52", "60.0")]


def test_days_loaded_again_as_they_were_make_nothing_stale(shop: Shop) -> None:
    shop.deliver("orders.csv", HEAD, *reversed((*JANUARY, *FEBRUARY, *MARCH)))
    shop.load()
    assert stale_snapshots(shop.work.tables) == []


def test_features_made_again_do_not_hide_that_the_scores_are_old(shop: Shop) -> None:
    """An order that is taken back makes stale what counted it: both, and of its date alone."""
    frame = shop.work.spark.createDataFrame(
        [(END_OF_MARCH, "a")], "as_of date, customer_key string"
    )
    digests = digests_noted(shop.work.tables, FEATURES)
    note = digests_note([END_OF_MARCH], {}, digests)
    put(shop.lakehouse, CUSTOMER_360, frame, partition_by=["as_of"], note=note)
    assert stale_snapshots(shop.work.tables) == []
    shop.deliver("orders.csv", HEAD, *JANUARY, *FEBRUARY)
    shop.load()
    assert stale_snapshots(shop.work.tables, [FEATURES]) == [END_OF_MARCH]
    assert stale_snapshots(shop.work.tables) == [END_OF_MARCH]
    assert make_gold.make_snapshots(shop.work, FEATURES, [END_OF_MARCH]).stale == []
    assert stale_snapshots(shop.work.tables, [FEATURES]) == []
    assert stale_snapshots(shop.work.tables) == [END_OF_MARCH]
    assert make_gold.make_snapshots(shop.work, FEATURES, [END_OF_JANUARY]).stale == [END_OF_MARCH]


def test_what_a_run_did_not_come_to_is_seen_by_the_next(shop: Shop) -> None:
    """It was killed between the features and the segments that are made of them."""
    made_again = [END_OF_FEBRUARY, END_OF_MARCH]
    make_gold.make_snapshots(shop.work, RFM, [END_OF_JANUARY, *made_again])
    assert stale_snapshots(shop.work.tables) == []
    shop.deliver("orders.csv", HEAD, *JANUARY, "3,A,2024-02-10,31.00", *MARCH)
    shop.load()
    make_gold.make_snapshots(shop.work, FEATURES, made_again)
    assert stale_snapshots(shop.work.tables) == made_again
    assert stale_snapshots(shop.work.tables, [FEATURES]) == []
    make_gold.make_snapshots(shop.work, RFM, made_again)
    assert stale_snapshots(shop.work.tables) == []


def test_what_a_run_makes_again_by_itself() -> None:
    """The snapshots of the trailing window that ends with the newest."""
    stale = [date(2024, 2, 29), date(2024, 3, 23), date(2024, 3, 24), date(2024, 3, 31)]
    assert in_window(stale, date(2024, 3, 31), 7) == [date(2024, 3, 24), date(2024, 3, 31)]


def test_the_remedy_makes_snapshots_and_nothing_else(tmp_path: Path) -> None:
    """It names the deployment, and some of many dates."""
    settings = Settings(home=tmp_path)
    days = [date(2024, 1, day) for day in range(1, 9)]
    assert remedy(days[:1], settings) == (
        "1 snapshot was made of days that have changed since (2024-01-01): `customer360 run "
        f"--steps snapshot --as-of 2024-01-01 --home {tmp_path}` makes it again"
    )
    said = remedy(days, settings)
    assert said.startswith("8 snapshots were made of days that have changed since (2024-01-01, ")
    assert "2024-01-05 and 3 more): `customer360 run --steps snapshot --as-of 2024-01-01" in said
    assert said.endswith(f"--as-of 2024-01-05 --home {tmp_path}` makes the first 5 of them again")
    assert "2024-01-06" not in said
