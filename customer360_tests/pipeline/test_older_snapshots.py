"""A home of an older release, whose tables hold words where codes are now."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.spark import spark_schema
from customer360.deployment import Deployment
from customer360.gold.snapshots import snapshot_tables
from customer360.lakehouse.reading import plain_rows
from customer360.lakehouse.tables import Lakehouse
from customer360.language import Language
from customer360.models.reasons import reasons_in
from customer360.pipeline import publish
from customer360.pipeline.older_snapshots import OlderSnapshotsError, older_snapshots
from customer360.pipeline.publish import publish_table
from customer360.pipeline.workspace import Workspace, days_note
from customer360.serving.warehouse import Warehouse, open_warehouse
from customer360.settings import load_settings
from customer360.table_names import AS_OF, CHURN_SCORES, FEATURES, RFM
from customer360_tests.stored import put

OLD, NEW = date(2024, 1, 31), date(2024, 2, 29)
KEY = "a" * 64
SENTENCE = "last purchase 143 days ago, usually buys every 31 days"


@pytest.fixture
def work(spark: SparkSession, tmp_path: Path) -> Workspace:
    return Workspace(
        Lakehouse(spark, tmp_path / "lakehouse"), Deployment.of(load_settings(tmp_path)), "run"
    )


def segments(work: Workspace, as_of: date, segment: str) -> DataFrame:
    row = (as_of, KEY, 5, 4, 90.0, 5, 5, 5, "555", segment)
    return work.spark.createDataFrame([row], spark_schema(Contract.load(RFM)))


def scores(work: Workspace, as_of: date, reason: str, values: str) -> DataFrame:
    row = (as_of, KEY, 0.9, "high", reason, values, *[None] * 4, 91, 182, "churn", "1")
    return work.spark.createDataFrame([row], spark_schema(Contract.load(CHURN_SCORES)))


def home_of_an_older_release(work: Workspace) -> None:
    """Its segments had names, and its reasons were sentences without values."""
    put(work.lakehouse, RFM, segments(work, OLD, "Can't Lose Them"), partition_by=[AS_OF])
    had = scores(work, OLD, SENTENCE, "").drop(*(f"reason_{n}_values" for n in (1, 2, 3)))
    put(work.lakehouse, CHURN_SCORES, had, partition_by=[AS_OF])


def with_inputs_of_snapshots(work: Workspace) -> None:
    """What a load makes, without a row."""
    for table in snapshot_tables():
        for name in set(Contract.load(table).reads).difference(snapshot_tables()):
            if not work.lakehouse.exists(name):
                empty = work.spark.createDataFrame([], spark_schema(Contract.load(name)))
                put(work.lakehouse, name, empty)


def test_what_an_older_release_made_is_told_from_what_is_made_now(work: Workspace) -> None:
    home_of_an_older_release(work)
    for table, frame in (
        (RFM, segments(work, NEW, "champions")),
        (CHURN_SCORES, scores(work, NEW, "last_purchase", '{"ago":7}')),
    ):
        work.lakehouse.replace_days(Contract.load(table), frame, AS_OF, [NEW])
    both = (OLD, NEW)
    assert older_snapshots(work.tables, RFM, both) == {OLD: "segment is Can't Lose Them"}
    assert older_snapshots(work.tables, CHURN_SCORES, both) == {OLD: f"reason_1 is {SENTENCE}"}
    assert older_snapshots(work.tables, RFM, [NEW]) == {}
    assert older_snapshots(work.tables, FEATURES, both) == {}
    # Both are read: the old sentence as it is, the new code in words.
    by_date = {
        row[AS_OF]: row for row in plain_rows(work.tables.find(CHURN_SCORES, {"customer_key": KEY}))
    }
    assert [Language("en").reason(*each) for day in both for each in reasons_in(by_date[day])] == [
        SENTENCE,
        "last purchase 7 days ago",
    ]


def test_they_are_not_published_until_they_are_made_again(
    work: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    warehouse: Warehouse = open_warehouse(load_settings(tmp_path_factory.mktemp("home")))
    home_of_an_older_release(work)
    with_inputs_of_snapshots(work)
    settings = work.deployment.settings
    with pytest.raises(
        OlderSnapshotsError,
        match=re.escape(
            f"{RFM}: an older release made the snapshot of {OLD} (segment is Can't Lose Them, "
            f"which is none of the contract's codes): run `customer360 run --steps snapshot "
            f"--as-of {OLD} --home {settings.home}` first"
        ),
    ) as refused:
        publish_table(work, warehouse, RFM)
    assert "\n" not in str(refused.value)
    again = segments(work, OLD, "cant_lose_them")
    work.lakehouse.replace_days(Contract.load(RFM), again, AS_OF, [OLD])
    assert publish_table(work, warehouse, RFM) is not None
    with warehouse.reader.connect() as reader:
        assert reader.execute("SELECT segment FROM gold.rfm_segments").fetchall() == [
            ("cant_lose_them",)
        ]


def test_what_snapshots_are_made_of_is_loaded_first_where_it_is_not_there(
    work: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As the lines of orders, which older releases did not keep."""
    warehouse: Warehouse = open_warehouse(load_settings(tmp_path_factory.mktemp("home")))
    home_of_an_older_release(work)
    home = work.deployment.settings.home
    with pytest.raises(OlderSnapshotsError, match=f"run `customer360 run --home {home}` first$"):
        publish_table(work, warehouse, RFM)


def test_a_copy_that_an_older_release_published_is_made_anew_once(
    work: Workspace, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then only the days that are published are looked at."""
    warehouse: Warehouse = open_warehouse(load_settings(tmp_path_factory.mktemp("home")))
    home_of_an_older_release(work)
    with monkeypatch.context() as older_release:
        older_release.setattr(publish, "edition", lambda tables, table: tables.identity(table))
        older_release.setattr(publish, "refuse_older", lambda *_: None)
        assert publish_table(work, warehouse, RFM) is not None
    new, contract = segments(work, NEW, "champions"), Contract.load(RFM)
    note = days_note([NEW])
    work.lakehouse.replace_days(contract, new, AS_OF, [NEW], note=note)
    # The day that changed is one of today's; the one that is published already is not.
    with pytest.raises(OlderSnapshotsError):
        publish_table(work, warehouse, RFM)
    again = segments(work, OLD, "cant_lose_them")
    work.lakehouse.replace_days(contract, again, AS_OF, [OLD], note=days_note([OLD]))
    assert publish_table(work, warehouse, RFM) is not None
    looked_at: list[list[date]] = []
    monkeypatch.setattr(publish, "refuse_older", lambda *given: looked_at.append(given[2]))
    work.lakehouse.replace_days(
        contract, segments(work, NEW, "loyal_customers"), AS_OF, [NEW], note=note
    )
    assert publish_table(work, warehouse, RFM) is not None
    assert looked_at == [[NEW]]


def test_no_snapshot_of_today_is_old(work: Workspace) -> None:
    frame = scores(work, OLD, "last_purchase", "{}").withColumn("reason_2", F.lit("refunds_none"))
    work.lakehouse.replace_days(Contract.load(CHURN_SCORES), frame, AS_OF, [OLD])
    assert older_snapshots(work.tables, CHURN_SCORES, [OLD]) == {}
