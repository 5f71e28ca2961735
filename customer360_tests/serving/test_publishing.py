"""Publishing to a real PostgreSQL: whole or not at all, and only what changed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql
from pyspark import cloudpickle
from pyspark.sql import DataFrame, SparkSession

from customer360.serving import publishing
from customer360.serving.expiry import remove_older
from customer360.serving.publishing import (
    Origin,
    PublishedTable,
    has_columns,
    last_origin,
    publish,
    publish_rows,
)
from customer360.serving.warehouse import Login, Warehouse, WarehouseError, open_warehouse
from customer360.settings import load_settings
from customer360_tests.asking_server import asking_server
from customer360_tests.deployments import PROJECT

FIRST, SECOND, THIRD = date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return open_warehouse(load_settings(tmp_path_factory.mktemp("home")))


@pytest.fixture
def table(warehouse: Warehouse) -> Iterator[PublishedTable]:
    yield PublishedTable(
        "gold.scores",
        {"as_of": "date", "customer_key": "text", "T": "integer", "value": "double precision"},
        ("as_of", "customer_key"),
        "as_of",
    )
    with warehouse.owner.connect() as owner:
        owner.execute('DROP TABLE IF EXISTS gold.scores, loading."gold.scores"')
        owner.execute("DELETE FROM serving.publications")


def scores(spark: SparkSession, *rows: tuple[date, str, int | None, float | None]) -> DataFrame:
    return spark.createDataFrame(list(rows), "as_of date, customer_key string, T int, value double")


def there(
    warehouse: Warehouse, query: str = "SELECT * FROM gold.scores ORDER BY 1, 2"
) -> list[Any]:
    with warehouse.reader.connect() as reader:
        return reader.execute(query).fetchall()


def test_a_task_elsewhere_knows_the_password_that_the_driver_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By ``PGPASSWORD``, which is set for the driver alone."""
    with asking_server() as server:
        owner = Login.of_url(f"postgresql://ann@127.0.0.1:{server.port}/shop", "warehouse_url")
        monkeypatch.setenv("PGPASSWORD", "hush-hush")
        shipped = cloudpickle.dumps(publishing._copier(owner, sql.Identifier("t"), ("a",)))
        monkeypatch.delenv("PGPASSWORD")
        with pytest.raises(psycopg.OperationalError):  # it leaves at the COPY
            list(cloudpickle.loads(shipped)(iter(())))
    assert server.came == [("ann", "shop", "hush-hush")] * 2


def test_values_arrive_exactly(spark: SparkSession, warehouse: Warehouse) -> None:
    """Text that looks like CSV, null beside the empty text, cents, instants, no number at all."""
    table = PublishedTable(
        "gold.every_type",
        {
            "id": "integer",
            "words": "text",
            "many": "bigint",
            "share": "double precision",
            "paid": "numeric(18,2)",
            "day": "date",
            "moment": "timestamptz",
            "yes": "boolean",
        },
        ("id",),
    )
    moment = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)
    rows = [
        (1, 'a,"b"\nc\\N', 2**60, 0.1, Decimal("1234567.89"), FIRST, moment, True),
        (2, "", 0, float("inf"), Decimal("-0.01"), FIRST, moment, False),
        (3, None, None, None, None, None, None, None),
    ]
    ddl = (
        "id int, words string, many bigint, share double, paid decimal(18,2), day date, "
        "moment timestamp, yes boolean"
    )
    publish(warehouse.owner, table, spark.createDataFrame(rows, ddl), Origin("run"))
    assert there(warehouse, "SELECT * FROM gold.every_type ORDER BY id") == rows


def test_a_slice_replaces_itself_and_leaves_the_others_alone(
    spark: SparkSession, warehouse: Warehouse, table: PublishedTable
) -> None:
    first = scores(spark, (FIRST, "a", 1, 0.5), (SECOND, "a", 2, 0.6), (SECOND, "b", 3, 0.7))
    done = publish(warehouse.owner, table, first, Origin("one", 4))
    assert (done.rows, done.changed, done.removed) == (3, 3, 0)

    again = scores(spark, (SECOND, "a", 2, 0.6), (SECOND, "c", None, None))
    done = publish(warehouse.owner, table, again, Origin("two", 5), days=[SECOND])
    # "a" did not change, so it was not written; "c" came and "b" went.
    assert (done.rows, done.changed, done.removed) == (2, 1, 1)
    assert there(warehouse) == [
        (FIRST, "a", 1, 0.5),
        (SECOND, "a", 2, 0.6),
        (SECOND, "c", None, None),
    ]
    assert last_origin(warehouse.owner, table) == Origin("two", 5)
    notes = (
        "SELECT run_id, rows, delta_version, first_slice FROM serving.publications "
        "WHERE table_name = 'gold/scores' ORDER BY 1"
    )
    assert there(warehouse, notes) == [("one", 3, 4, FIRST), ("two", 2, 5, SECOND)]


def test_as_of_dates_past_the_retention_go(
    spark: SparkSession, warehouse: Warehouse, table: PublishedTable
) -> None:
    both = scores(spark, (FIRST, "a", 1, 0.5), (SECOND, "a", 2, 0.6))
    publish(warehouse.owner, table, both, Origin("one"))
    third = scores(spark, (THIRD, "a", 3, 0.7))
    done = publish(warehouse.owner, table, third, Origin("x"), days=[THIRD], keep_from=SECOND)
    assert done.removed == 1
    assert [row[0] for row in there(warehouse)] == [SECOND, THIRD]


def test_a_publish_that_dies_changes_nothing_and_can_be_repeated(
    spark: SparkSession,
    warehouse: Warehouse,
    table: PublishedTable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed after the rows came in, and after they were put in place but not committed."""
    before = [(FIRST, "a", 1, 0.5)]
    publish(warehouse.owner, table, scores(spark, *before), Origin("one", 1))
    new = scores(spark, (FIRST, "a", 1, 0.9), (FIRST, "b", 1, 0.9))

    class KilledError(BaseException):
        pass

    def die(*_: Any) -> None:
        raise KilledError

    for step in ("_swap", "_record"):
        with monkeypatch.context() as patch:
            patch.setattr(publishing, step, die)
            with pytest.raises(KilledError):
                publish(warehouse.owner, table, new, Origin("two", 2))
        assert there(warehouse) == before
        assert last_origin(warehouse.owner, table) == Origin("one", 1)

    publish(warehouse.owner, table, new, Origin("three", 2))
    assert there(warehouse) == [(FIRST, "a", 1, 0.9), (FIRST, "b", 1, 0.9)]
    left = "SELECT count(*) FROM pg_tables WHERE schemaname = 'loading'"
    with warehouse.owner.connect() as owner:
        assert owner.execute(left).fetchone() == (0,)


def test_a_row_that_breaks_the_key_is_refused_in_one_line(
    spark: SparkSession, warehouse: Warehouse, table: PublishedTable
) -> None:
    before = [(SECOND, "b", 3, 0.7)]
    publish(warehouse.owner, table, scores(spark, *before), Origin("one"))
    twice = scores(spark, (FIRST, "a", 1, 0.5), (FIRST, "a", 2, 0.6))
    with pytest.raises(WarehouseError, match=r"gold\.scores .*second time.*still there"):
        publish(warehouse.owner, table, twice, Origin("two"))
    assert there(warehouse) == before


def test_rows_that_a_task_has_copied_twice_are_there_once(
    spark: SparkSession,
    warehouse: Warehouse,
    table: PublishedTable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its worker died when they were in, and another one has run the task again."""
    copier = publishing._copier

    def twice(*given: Any) -> Any:
        copy = copier(*given)

        def copy_twice(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            rows = list(batches)
            list(copy(rows))
            yield from copy(rows)

        return copy_twice

    monkeypatch.setattr(publishing, "_copier", twice)
    rows = scores(spark, (FIRST, "a", 1, 0.1), (FIRST, "b", None, None))
    published = publish(warehouse.owner, table, rows, Origin("run"))
    assert (published.rows, published.changed) == (2, 2)
    assert there(warehouse) == [(FIRST, "a", 1, 0.1), (FIRST, "b", None, None)]


def test_readers_never_see_a_mix(
    spark: SparkSession, warehouse: Warehouse, table: PublishedTable
) -> None:
    """Two readers count values while the whole table changes from one to the next, five times."""
    rows = 2_000
    keys = spark.range(rows).selectExpr(
        f"DATE'{FIRST}' AS as_of", "CAST(id AS string) AS customer_key", "1 AS T"
    )
    publish(warehouse.owner, table, keys.selectExpr("*", "0D AS value"), Origin("0"))
    seen: list[set[tuple[tuple[int, float], ...]]] = [set(), set()]
    done = threading.Event()

    def read(mine: set[tuple[tuple[int, float], ...]]) -> None:
        with warehouse.reader.connect(autocommit=True) as reader:
            while not done.is_set():
                found = reader.execute(
                    "SELECT count(*), value FROM gold.scores GROUP BY value"
                ).fetchall()
                mine.add(tuple(found))

    readers = [threading.Thread(target=read, args=(mine,)) for mine in seen]
    for reader in readers:
        reader.start()
    for turn in range(1, 6):
        publish(
            warehouse.owner,
            table,
            keys.selectExpr("*", f"{turn}D AS value"),
            Origin(str(turn)),
            days=[FIRST],
        )
    done.set()
    for reader in readers:
        reader.join()
    for mine in seen:
        # Never two values at once, never a part of the rows; and more than one turn was seen.
        assert all([count for count, _ in found] == [rows] for found in mine), mine
        assert len(mine) > 2


def test_columns_come_and_go_with_the_contract(warehouse: Warehouse, table: PublishedTable) -> None:
    """A new column is added; one that may not be there any more, as a name, is removed."""
    publish_rows(warehouse.owner, table, [(FIRST, "a", 1, 0.5)], Origin("one"))
    named = PublishedTable(
        table.name,
        {"as_of": "date", "customer_key": "text", "T": "integer", "name": "text"},
        table.key,
    )
    assert not has_columns(warehouse.owner, named)
    publish_rows(warehouse.owner, named, [(FIRST, "a", 1, "Ana")], Origin("two"))
    assert there(warehouse) == [(FIRST, "a", 1, "Ana")]
    assert has_columns(warehouse.owner, named)
    other = PublishedTable(table.name, {**named.columns, "name": "date"}, table.key)
    with pytest.raises(WarehouseError, match=r"gold\.scores\.name is text .* and date by its"):
        publish_rows(warehouse.owner, other, [], Origin("three"))


def test_the_reader_reads_and_nothing_else(warehouse: Warehouse, table: PublishedTable) -> None:
    publish_rows(warehouse.owner, table, [(FIRST, "a", 1, 0.5)], Origin("one"))
    with warehouse.reader.connect(autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM gold.scores").fetchone() == (1,)
        for change in (
            "DELETE FROM gold.scores",
            "CREATE TABLE gold.mine (a int)",
            "CREATE TABLE public.mine (a int)",
            "DROP TABLE gold.scores",
            "SELECT * FROM loading.anything",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(change)


_HANGS = """
import os, sys, time
from customer360.serving.publishing import Origin, PublishedTable, publish_rows
from customer360.serving.warehouse import Login

def rows():
    yield ("2024-01-31", "b", 2, 0.1)
    print("half way", flush=True)
    time.sleep(60)

columns = {"as_of": "date", "customer_key": "text", "T": "integer", "value": "double precision"}
table = PublishedTable("gold.scores", columns, ("as_of", "customer_key"))
publish_rows(Login.of_url(os.environ["OWNER"], "owner"), table, rows(), Origin("killed"))
"""


def test_a_process_killed_half_way_leaves_the_old_table_whole(
    warehouse: Warehouse, table: PublishedTable
) -> None:
    publish_rows(warehouse.owner, table, [(FIRST, "a", 1, 0.5)], Origin("one"))
    publishing_process = subprocess.Popen(
        [sys.executable, "-c", _HANGS],
        env=os.environ | {"OWNER": warehouse.owner.conninfo},
        cwd=PROJECT,
        stdout=subprocess.PIPE,
    )
    assert publishing_process.stdout is not None
    assert publishing_process.stdout.readline() == b"half way\n"
    publishing_process.kill()
    publishing_process.wait()
    assert there(warehouse) == [(FIRST, "a", 1, 0.5)]
    publish_rows(warehouse.owner, table, [(FIRST, "c", 1, 0.5)], Origin("two"))
    assert there(warehouse) == [(FIRST, "c", 1, 0.5)]


def test_snapshots_that_are_kept_no_more_go_from_copies_and_marts(
    spark: SparkSession, warehouse: Warehouse, table: PublishedTable
) -> None:
    rows = scores(spark, (FIRST, "a", 1, 0.5), (SECOND, "a", 2, 0.25), (THIRD, "b", 3, 0.75))
    publish(warehouse.owner, table, rows, Origin("run"))
    with warehouse.owner.connect() as owner:
        owner.execute(
            "CREATE TABLE marts.of_snapshots AS SELECT as_of, customer_key FROM gold.scores"
        )
        owner.execute("CREATE TABLE gold.of_others AS SELECT as_of FROM gold.scores")
    try:
        assert remove_older(warehouse.owner, {"gold.scores": SECOND}, THIRD) == 3
        assert [row[0] for row in there(warehouse)] == [SECOND, THIRD]
        with warehouse.owner.connect() as owner:
            assert owner.execute("SELECT as_of FROM marts.of_snapshots").fetchall() == [(THIRD,)]
            kept = owner.execute("SELECT count(*) FROM gold.of_others").fetchone()
        assert kept == (3,)
        assert remove_older(warehouse.owner, {"gold.scores": SECOND}, None) == 0
    finally:
        with warehouse.owner.connect() as owner:
            owner.execute("DROP TABLE marts.of_snapshots, gold.of_others")
